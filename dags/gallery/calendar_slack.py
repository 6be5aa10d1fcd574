"""Notify a channel of Slack of what a content calendar needs: an approval that waits, a post that is late or failed.

Change CALENDAR and ACCOUNTS. Create an incoming webhook in Slack, and a connection ``slack`` of the
type *Slack Incoming Webhook*. This example needs ``apache-airflow-providers-slack``.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.slack.hooks.slack_webhook import SlackWebhookHook

from airflow_provider_instagram.calendar import content_calendar_dag
from airflow_provider_instagram.utils.slack import slack_text

CALENDAR = "/data/spring.yaml"
ACCOUNTS = ["instagram_studio"]


def tell(context: Any) -> None:
    """Send one message. The text contains what people wrote in the calendar, so it is escaped."""
    event = context["event"]
    text = f"*{event.event}*: {slack_text(event.text)}\n{slack_text(event.link)}"
    SlackWebhookHook(slack_webhook_conn_id="slack").send_text(text)


dag = content_calendar_dag("calendar_slack", CALENDAR, accounts=ACCOUNTS, notify=tell)
