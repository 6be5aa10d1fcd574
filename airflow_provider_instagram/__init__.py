"""Apache Airflow provider that publishes videos to Instagram, on time and exactly once."""

from __future__ import annotations
