"""A Python client of Meta's Graph API: calls, answers, errors, uploads, logins.

Airflow, the ledger and decisions about posts do not belong here.
"""

from __future__ import annotations
