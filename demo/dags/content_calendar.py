"""The calendar of ``make ui``: that of ``dags/content_calendar.py``, which also writes mails."""

from __future__ import annotations

import os

from airflow.providers.smtp.notifications.smtp import SmtpNotifier

from airflow_provider_instagram.calendar import content_calendar_dag

ACCOUNTS = ["instagram_studio", "instagram_shop"]

tell = SmtpNotifier(
    to="planner@example.com",
    subject="Instagram, {{ event.event }}: {{ event.post or 'the calendar' }}",
    html_content='<p>{{ event.text | e }}</p><p><a href="{{ event.link | e }}">Open the Posts page</a></p>',
)

dag = content_calendar_dag(
    "content_calendar", os.environ["INSTAGRAM_CALENDAR"], accounts=ACCOUNTS, notify=tell
)
