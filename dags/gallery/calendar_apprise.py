"""Notify any service of Apprise of what a content calendar needs: Teams, Telegram, Discord and a hundred others.

Change CALENDAR, ACCOUNTS and URGENT. Create a connection ``apprise_default`` of the type *Apprise*
with the addresses of the services. This example needs ``apache-airflow-providers-apprise``.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.apprise.notifications.apprise import AppriseNotifier

from airflow_provider_instagram.calendar import content_calendar_dag

CALENDAR = "/data/spring.yaml"
ACCOUNTS = ["instagram_studio"]
URGENT = {"waiting", "late", "failed", "unknown"}


def tell(context: Any) -> None:
    """Send what cannot wait. The Posts page shows the problems of the file."""
    event = context["event"]
    if event.event in URGENT:
        AppriseNotifier(title=f"Instagram: {event.event}", body=f"{event.text}\n{event.link}").notify(context)


dag = content_calendar_dag("calendar_apprise", CALENDAR, accounts=ACCOUNTS, notify=tell)
