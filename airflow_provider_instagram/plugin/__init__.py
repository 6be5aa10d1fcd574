"""What the provider adds to Airflow itself: its pages and its timetable (entry point ``airflow.plugins``)."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin


class InstagramPlugin(AirflowPlugin):
    """Everything that the provider adds to Airflow itself."""

    name = "instagram"
