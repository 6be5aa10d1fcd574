"""The task that reads numbers: which media it takes, what its rows hold, and how it waits for calls."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import TaskDeferred

from airflow_provider_instagram.exceptions import PermissionDeniedError
from airflow_provider_instagram.ledger.assets import ledger_asset
from airflow_provider_instagram.operators import InsightsOperator
from tests.integration.account import DictStore, OpenRows

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from instagram_sandbox.testing.handle import SandboxHandle

HOURS = 3600
pytestmark = pytest.mark.usefixtures("no_stored_tokens")


@pytest.fixture(autouse=True)
def no_calls_counted(airflow_db: None) -> None:
    """Forget the calls of earlier tests, which share the ledger of ``instagram_default``."""
    from airflow.models.asset_state_store import AssetStateStoreModel
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    with create_session() as session:
        session.execute(delete(AssetStateStoreModel).where(AssetStateStoreModel.key.startswith("insights-")))


def one_task(dag_id: str, **arguments: Any) -> DAG:
    from airflow.sdk import DAG

    with DAG(dag_id, schedule=None, default_args={"retries": 0}) as dag:
        InsightsOperator(task_id="insights", **arguments)
    return dag


def rows(result: Any) -> list[dict[str, Any]]:
    assert result.states() == {"insights": "success"}
    found: list[dict[str, Any]] = result.xcom("insights")
    return found


def test_a_post_has_a_row_for_each_metric(instagram_sandbox: SandboxHandle, run_dag: Any) -> None:
    media_id = instagram_sandbox.add_foreign_post("A post", age_s=6 * HOURS)
    before = instagram_sandbox.insights(media_id)  # the numbers grow meanwhile
    found = rows(run_dag(one_task("insights_of_one", media_ids=[media_id])))
    after = instagram_sandbox.insights(media_id)
    of_facebook_login = {"total_views", "total_likes", "total_comments", "facebook_views", "crossposted_views"}
    assert {row["metric"] for row in found} == after.keys() - of_facebook_login
    assert all(before[row["metric"]] <= row["value"] <= after[row["metric"]] for row in found)
    names = ("conn_id", "user_id", "media_id", "kind", "reason", "post_key")
    of_post = ("instagram_default", instagram_sandbox.user_id, media_id, "reel", None, None)
    assert {tuple(row[name] for name in names) for row in found} == {of_post}
    assert found[0]["published_at"] < found[0]["read_at"]


def test_without_media_the_newest_posts_are_read(instagram_sandbox: SandboxHandle, run_dag: Any) -> None:
    ids = {instagram_sandbox.add_foreign_post(f"Post {number}", age_s=6 * HOURS) for number in range(3)}
    found = rows(run_dag(one_task("insights_of_all", metrics="views,reach")))
    assert {(row["media_id"], row["metric"]) for row in found} == {
        (media_id, metric) for media_id in ids for metric in ("views", "reach")
    }


def test_the_output_of_publish_is_enough(instagram_sandbox: SandboxHandle, run_dag: Any) -> None:
    from airflow.sdk import DAG, task

    media_id = instagram_sandbox.add_foreign_post("A post", age_s=6 * HOURS)
    with DAG("insights_of_output", schedule=None) as dag:

        @task
        def publish() -> dict[str, Any]:
            return {"media_id": media_id, "permalink": None, "published_at": "2026-11-26T05:00:00+00:00"}

        InsightsOperator(task_id="insights", media_ids=publish(), metrics=["views"], retries=0)
    result = run_dag(dag)
    assert [row["media_id"] for row in result.xcom("insights")] == [media_id]


def test_what_the_account_refuses_is_remembered_across_runs(instagram_sandbox: SandboxHandle, run_dag: Any) -> None:
    media_id = instagram_sandbox.add_foreign_post("A post", age_s=6 * HOURS)
    instagram_sandbox.change_account(instagram_sandbox.user_id, refused_metrics=["shares"])
    dag = one_task("insights_refused", media_ids=[media_id])
    first = rows(run_dag(dag))
    assert {(row["value"], row["reason"]) for row in first if row["metric"] == "shares"} == {(None, "refused")}
    before = instagram_sandbox.calls("insights")
    second = rows(run_dag(dag))
    assert instagram_sandbox.calls("insights") == before + 1
    assert [(row["metric"], row["reason"]) for row in second] == [(row["metric"], row["reason"]) for row in first]


def test_without_the_scope_the_task_says_what_to_grant(
    instagram_sandbox: SandboxHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scopes of a pasted token are not known, so that Instagram is the one who refuses."""
    media_id = instagram_sandbox.add_foreign_post("A post", age_s=6 * HOURS)
    token = instagram_sandbox.add_token(instagram_sandbox.user_id, scopes=["instagram_business_basic"])
    connection = instagram_sandbox.connection | {"password": token}
    monkeypatch.setenv("AIRFLOW_CONN_INSTAGRAM_DEFAULT", json.dumps(connection))
    context: Any = {"asset_state_store": {ledger_asset("instagram_default"): DictStore()}}
    with pytest.raises(PermissionDeniedError) as refused:
        InsightsOperator(task_id="insights", media_ids=[media_id]).execute(context)
    assert "insights: instagram_business_manage_insights" in str(refused.value.hint)


def test_calls_beyond_the_share_wait_and_what_was_read_is_kept(
    instagram_sandbox: SandboxHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 40 calls an hour insights have 6: the list and five posts. The sixth is read an hour later."""
    connection = instagram_sandbox.connection
    connection["extra"]["calls_per_hour"] = 40
    monkeypatch.setenv("AIRFLOW_CONN_INSTAGRAM_DEFAULT", json.dumps(connection))
    ids = [instagram_sandbox.add_foreign_post(f"Post {number}", age_s=6 * HOURS) for number in range(6)]
    rows = DictStore()
    context: Any = {"asset_state_store": {ledger_asset("instagram_default"): rows}}
    task = InsightsOperator(task_id="insights", media_ids=ids, metrics=["views"])
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(context)
    wait = deferred.value
    assert instagram_sandbox.calls("insights") == 5
    moment = wait.trigger.moment
    assert timedelta(minutes=59) < moment - datetime.now(timezone.utc) <= timedelta(minutes=60)
    open_rows = OpenRows(rows)
    row = open_rows["insights-calls"]
    open_rows["insights-calls"] = {**row, "spent": [[at - HOURS, calls] for at, calls in row["spent"]]}
    kept = json.loads(json.dumps(wait.kwargs))
    found = task.resume_execution(wait.method_name, kept | {"event": None}, context)
    assert [row["media_id"] for row in found] == ids
    assert (instagram_sandbox.calls("insights"), instagram_sandbox.calls("media_list")) == (6, 1)
