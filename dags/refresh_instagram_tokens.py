"""Refresh the access tokens of Instagram accounts daily.

A token lives 60 days, and can be refreshed until it expires. While this DAG is turned on, tokens stay alive. Without a
list of connections, it refreshes those that were connected on the page Instagram, or used or refreshed before.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param

from airflow_provider_instagram.operators.token import refresh_tokens

with DAG(
    dag_id="refresh_instagram_tokens",
    schedule="@daily",
    catchup=False,
    max_active_runs=1,
    tags=["instagram"],
    doc_md=__doc__,
    params={
        "connections": Param(
            [],
            type="array",
            items={"type": "string"},
            title="Connections",
            description="If empty, all connections that are found.",
        ),
    },
) as dag:
    refresh_tokens()
