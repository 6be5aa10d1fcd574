"""Refresh a token that is dead, and tell somebody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import DAG

from airflow_provider_instagram.operators import RefreshTokenOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


def tell(context: Context) -> None:
    """Print the text of the alert."""
    print(context["instagram_token"])  # type: ignore[typeddict-item]  # noqa: T201


with DAG(dag_id="refresh_dead", schedule=None):
    RefreshTokenOperator(task_id="refresh", instagram_conn_id="dead_account", on_token_ending=[tell])
