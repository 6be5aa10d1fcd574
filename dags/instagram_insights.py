"""Read the metrics of Instagram posts at certain ages, and those of the accounts daily.

``INSTAGRAM_INSIGHTS_ACCOUNTS`` names the connections of the accounts, separated by commas.
``INSTAGRAM_INSIGHTS_TARGET`` is the id of a database's connection, or a folder or prefix for Parquet files, which need
the extra ``parquet``. Default: a folder below ``AIRFLOW_HOME``.
"""

from __future__ import annotations

import os
from pathlib import Path

from airflow_provider_instagram.insights import insights_dag

HERE = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser() / "instagram" / "insights"

dag = insights_dag(
    "instagram_insights",
    os.environ.get("INSTAGRAM_INSIGHTS_ACCOUNTS", "instagram_default").replace(" ", "").split(","),
    os.environ.get("INSTAGRAM_INSIGHTS_TARGET") or str(HERE),
)
