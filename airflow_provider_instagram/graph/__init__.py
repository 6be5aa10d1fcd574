"""A Python client of Meta's Graph API: calls, answers, errors, uploads, logins.

Airflow, the ledger and decisions about posts do not belong here.
"""

from __future__ import annotations

from typing import Final

#: The default version of the API: the newest that the provider was tested with.
API_VERSION: Final = "v27.0"
#: How many calls an account may send in an hour. Source: the specification of this provider.
CALLS_PER_HOUR: Final = 200
