"""Write a mail to a content lead when a content calendar needs them: an approval that waits, a post that failed.

Change CALENDAR, ACCOUNTS and LEAD. Create a connection ``smtp_default`` of the type *SMTP*, which
names the sender. This example needs ``apache-airflow-providers-smtp``.
"""

from __future__ import annotations

from airflow.providers.smtp.notifications.smtp import SmtpNotifier

from airflow_provider_instagram.calendar import content_calendar_dag

CALENDAR = "/data/spring.yaml"
ACCOUNTS = ["instagram_studio"]
LEAD = "lead@example.com"

tell = SmtpNotifier(
    to=LEAD,
    subject="Instagram, {{ event.event }}: {{ event.post or 'the calendar' }}",
    html_content='<p>{{ event.text | e }}</p><p><a href="{{ event.link | e }}">Open the Posts page</a></p>',
)

dag = content_calendar_dag("calendar_mail", CALENDAR, accounts=ACCOUNTS, notify=tell)
