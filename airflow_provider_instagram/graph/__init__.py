"""A Python client of Meta's Graph API for publishing to Instagram. This package does not depend on Airflow."""

from __future__ import annotations
