"""Meta's Graph API for publishing to Instagram, as a Python client. Nothing of Airflow in here."""

from __future__ import annotations
