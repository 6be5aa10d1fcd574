"""Publish a content calendar: a file of posts becomes posts on time, on the accounts that it names.

The file is ``calendars/example.yaml`` beside this one, or what the environment variable ``INSTAGRAM_CALENDAR`` names.
"""

from __future__ import annotations

import os
from pathlib import Path

from airflow_provider_instagram.calendar import content_calendar_dag

EXAMPLE = Path(__file__).with_name("calendars") / "example.yaml"

dag = content_calendar_dag("content_calendar", os.environ.get("INSTAGRAM_CALENDAR", str(EXAMPLE)))
