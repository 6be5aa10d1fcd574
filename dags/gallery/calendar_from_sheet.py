"""Publish the rows of a published sheet at their times: for a team whose plan is a spreadsheet, and stays one.

Change SHEET, ACCOUNTS, COLUMNS and ZONE. The deployment trusts the hosts of the sheet with the
setting ``[instagram] calendar_hosts = docs.google.com, *.googleusercontent.com``.
"""

from __future__ import annotations

from airflow_provider_instagram.calendar import content_calendar_dag

SHEET = "https://docs.google.com/spreadsheets/d/e/YOUR-SHEET/pub?output=csv"
ACCOUNTS = ["instagram_studio"]
COLUMNS = {"Clip": "video", "Text": "caption"}
ZONE = "Europe/Berlin"

dag = content_calendar_dag(
    "calendar_from_sheet",
    SHEET,
    accounts=ACCOUNTS,
    columns=COLUMNS,
    defaults={"timezone": ZONE, "dates": "day-first"},
)
