"""Tell a channel of Slack what a content calendar needs: an approval that waits, a post that is late or failed.

Change CALENDAR and ACCOUNTS. Create an incoming webhook in Slack, and a connection ``slack`` of the type *Slack
Incoming Webhook*. This example needs ``apache-airflow-providers-slack``.
"""

from __future__ import annotations

from airflow.providers.slack.notifications.slack_webhook import SlackWebhookNotifier

from airflow_provider_instagram.calendar import content_calendar_dag

CALENDAR = "/data/spring.yaml"
ACCOUNTS = ["instagram_studio"]

tell = SlackWebhookNotifier(
    slack_webhook_conn_id="slack", text="*{{ event.event }}*: {{ event.text }}\n{{ event.link }}"
)

dag = content_calendar_dag("calendar_slack", CALENDAR, accounts=ACCOUNTS, notify=tell)
