"""The DAG that deletes posts for the page *Posts*, which sends nothing to Instagram itself."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from airflow.sdk import DAG, Context, Param, conf
from airflow.sdk.exceptions import AirflowSkipException

from airflow_provider_instagram.calendar.tasks.outcome import reports_failure
from airflow_provider_instagram.operators.delete import DeleteOperator
from airflow_provider_instagram.utils.connection import DEFAULT_CONN_ID

#: The run parameters that name the post.
ACCOUNT: Final = "account"
POST_KEY: Final = "post_key"


class DeleteForPage(DeleteOperator):
    """Delete the post that a run names if it is one of this account, and report to the page why that failed."""

    answered = reports_failure(DeleteOperator.answered)

    @reports_failure
    def execute(self, context: Context) -> dict[str, Any]:
        """Find the post, and ask whether to delete it."""
        if (account := context["params"][ACCOUNT]) != self.instagram_conn_id:
            raise AirflowSkipException(f"This run deletes a post of {account}.")
        return super().execute(context)


def deletion_dag() -> str:
    """Return the id of the DAG that deletes posts for the page; empty if nobody can delete there."""
    return str(conf.get("instagram", "deletion_dag", fallback="")).strip()


def post_deletion_dag(
    dag_id: str = "delete_instagram_posts",
    *,
    accounts: Collection[str] = (DEFAULT_CONN_ID,),
    **dag_arguments: Any,
) -> DAG:
    """Return the DAG with which the page *Posts* deletes posts, if ``[instagram] deletion_dag`` names it.

    Each run asks a person before it deletes the post that it names.

    :param accounts: The connections whose posts it may delete.
    """
    params = {
        ACCOUNT: Param("", type="string", enum=["", *accounts], title="Account"),
        POST_KEY: Param("", type="string", title="Post key", description="In a calendar: account/id."),
    }
    own: dict[str, Any] = {"schedule": None, "catchup": False, "tags": ["instagram"], "params": params}
    with DAG(dag_id, **{**own, **dag_arguments}) as dag:
        for account in accounts:
            DeleteForPage(task_id=account, post_key=f"{{{{ params.{POST_KEY} }}}}", instagram_conn_id=account)
    return dag
