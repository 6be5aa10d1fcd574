"""What the provider adds to Airflow itself: its pages and its timetable (entry point ``airflow.plugins``)."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from airflow_provider_instagram.calendar.timetable import ContentCalendarTimetable


class InstagramPlugin(AirflowPlugin):
    """Everything that the provider adds to Airflow itself."""

    name = "instagram"
    timetables = [ContentCalendarTimetable]  # noqa: RUF012 -- as Airflow declares it
