"""Publish a content calendar: a file of posts that are published on schedule.

The calendar is ``calendars/example.yaml`` beside this file, or the file in the environment variable
``INSTAGRAM_CALENDAR``. It may name the accounts in ACCOUNTS, and no others.
"""

from __future__ import annotations

import os
from pathlib import Path

from airflow_provider_instagram.calendar import content_calendar_dag

EXAMPLE = Path(__file__).with_name("calendars") / "example.yaml"
ACCOUNTS = ["instagram_studio", "instagram_shop"]

dag = content_calendar_dag("content_calendar", os.environ.get("INSTAGRAM_CALENDAR", str(EXAMPLE)), accounts=ACCOUNTS)
