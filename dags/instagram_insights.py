"""Read the metrics of Instagram posts at certain ages, and those of the accounts daily.

``INSTAGRAM_INSIGHTS_ACCOUNTS`` names the connections of the accounts, separated by commas.
``INSTAGRAM_INSIGHTS_TARGET`` names the connection of the database, by default ``warehouse``.
"""

from __future__ import annotations

import os

from airflow_provider_instagram.insights import insights_dag

dag = insights_dag(
    "instagram_insights",
    os.environ.get("INSTAGRAM_INSIGHTS_ACCOUNTS", "instagram_default").replace(" ", "").split(","),
    os.environ.get("INSTAGRAM_INSIGHTS_TARGET", "warehouse"),
)
