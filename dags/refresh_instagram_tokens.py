"""Refresh the access tokens of Instagram accounts daily.

A token lives 60 days, and can be refreshed until it expires. While this DAG is turned on, tokens
stay alive. Without a list of connections, it refreshes those that were connected on the page
Instagram, or used or refreshed before.
"""

from __future__ import annotations

from airflow_provider_instagram.operators.token import token_refresh_dag

dag = token_refresh_dag(doc_md=__doc__)
