"""The DAG of insights in Airflow: what a run reads, emits and skips."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.insights import SqlTarget, insights_dag, targets
from airflow_provider_instagram.insights.schema import POSTS, SNAPSHOTS
from airflow_provider_instagram.ledger.assets import insights_asset
from airflow_provider_instagram.ledger.database import open_ledger
from airflow_provider_instagram.ledger.insights import refusals
from airflow_provider_instagram.utils.clock import CLOCK
from tests.integration.insights.conftest import rows_of

if TYPE_CHECKING:
    from pytest_mock import MockerFixture
    from sqlalchemy import Table

    from instagram_sandbox.testing.handle import SandboxHandle

HOUR = 3600
#: How often the client sends a call that only reads.
TRIES = 4
#: What the target is called in events.
NAME = "the database of connection 'warehouse'"
NO_INSIGHTS = ["instagram_business_basic", "instagram_business_content_publish"]
ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.usefixtures("no_stored_tokens", "no_known_posts")


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the connection of an empty database."""
    return database_in(tmp_path, monkeypatch)


def database_in(folder: Path, monkeypatch: pytest.MonkeyPatch, conn_id: str = "warehouse") -> str:
    connection = {"conn_type": "sqlite", "host": str(folder / f"{conn_id}.db")}
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))
    return conn_id


def rows(conn_id: str, table: Table) -> list[dict[str, Any]]:
    return rows_of(SqlTarget(conn_id), table)


def events(conn_id: str) -> list[dict[str, Any]]:
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        found = session.scalars(
            select(AssetEvent.extra)
            .join(AssetModel, AssetModel.id == AssetEvent.asset_id)
            .where(AssetModel.uri == insights_asset(conn_id).uri)
            .order_by(AssetEvent.id)
        )
        return [dict(extra) for extra in found]


def test_a_run_reads_what_is_due_and_the_next_one_changes_nothing(
    instagram_sandbox: SandboxHandle, run_dag: Any, target: str
) -> None:
    media_id = instagram_sandbox.add_foreign_post("A post", age_s=2 * HOUR)
    dag = insights_dag("insights_run", ["instagram_default"], target)
    before = len(events("instagram_default"))
    earlier = instagram_sandbox.insights(media_id)
    result = run_dag(dag)
    assert result.states() == {"read_instagram_default": "success"}
    counts = {"posts": 1, "read": 1, "missed": 0, "days": 1, "left": 0}
    assert result.xcom("read_instagram_default") == counts
    (row,) = rows(target, SNAPSHOTS)
    truth = instagram_sandbox.insights(media_id)
    assert (row["post_id"], row["age"], row["status"]) == (media_id, "1h", "read")
    assert earlier["likes"] <= row["like_count"] <= truth["likes"]  # they grow by the second
    assert [post["post_caption"] for post in rows(target, POSTS)] == ["A post"]
    assert events("instagram_default")[before:] == [{**counts, "target": NAME}]
    calls = len(instagram_sandbox.journal())
    again = run_dag(dag)
    assert again.xcom("read_instagram_default") == dict.fromkeys(counts, 0)
    assert len(events("instagram_default")) == before + 1
    assert len(instagram_sandbox.journal()) == calls


def test_numbers_of_a_try_that_fails_are_named_by_the_event_of_the_next_one_that_succeeds(
    instagram_sandbox: SandboxHandle, run_dag: Any, target: str
) -> None:
    """The numbers of the post are in, and then the account's day cannot be read. The next try skips what is in."""
    instagram_sandbox.add_foreign_post("A post", age_s=2 * HOUR)
    dag = insights_dag("insights_interrupted", ["instagram_default"], target, default_args={"retries": 0})
    before = len(events("instagram_default"))
    instagram_sandbox.fail("insights", 1, nth=2, times=TRIES)
    assert run_dag(dag).states() == {"read_instagram_default": "failed"}
    assert [row["status"] for row in rows(target, SNAPSHOTS)] == ["read"]
    assert events("instagram_default")[before:] == []
    assert run_dag(dag).xcom("read_instagram_default") == {"posts": 0, "read": 0, "missed": 0, "days": 1, "left": 0}
    named = {"posts": 1, "read": 1, "missed": 0, "days": 1, "left": 0, "target": NAME}
    assert events("instagram_default")[before:] == [named]
    run_dag(dag)
    assert events("instagram_default")[before:] == [named]


def test_a_target_that_fails_spends_no_calls(
    instagram_sandbox: SandboxHandle,
    run_dag: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mocker: MockerFixture,
) -> None:
    """The calls of insights are few, and those whose numbers cannot be written are lost, run after run."""
    (tmp_path / "file").touch()
    mocker.patch.object(targets, "MOST_TRIES", 1)
    monkeypatch.setenv("AIRFLOW_CONN_GONE", json.dumps({"conn_type": "sqlite", "host": f"{tmp_path}/file/gone.db"}))
    instagram_sandbox.add_foreign_post("A post", age_s=2 * HOUR)
    dag = insights_dag("insights_target_gone", ["instagram_default"], "gone", default_args={"retries": 0})
    assert run_dag(dag).states() == {"read_instagram_default": "failed"}
    assert instagram_sandbox.journal() == []


def test_a_second_target_receives_the_same_numbers(
    instagram_sandbox: SandboxHandle, run_dag: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read for one target is not in another: a team adds a warehouse, or moves to one."""
    media_id = instagram_sandbox.add_foreign_post("A post", age_s=2 * HOUR)
    instagram_sandbox.set_insights(media_id, views=120, reach=80)
    targets = [database_in(tmp_path, monkeypatch, name) for name in ("first", "second")]
    for number, target in enumerate(targets):
        result = run_dag(insights_dag(f"insights_target_{number}", ["instagram_default"], target))
        assert result.xcom("read_instagram_default") == {"posts": 1, "read": 1, "missed": 0, "days": 1, "left": 0}
    assert [row["reel_views"] for target in targets for row in rows(target, SNAPSHOTS)] == [120, 120]


def test_a_published_post_is_found_by_its_event_with_its_key_and_its_dag(
    instagram_sandbox: SandboxHandle, run_dag: Any, target: str, portrait_video: Path
) -> None:
    from airflow.sdk import DAG

    from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator
    from airflow_provider_instagram.sensors import ContainerStatusSensor

    insights = insights_dag("insights_of_published", ["instagram_default"], target)
    run_dag(insights)
    with DAG("published_for_insights", schedule=None, default_args={"retries": 0}) as dag:
        create = CreateContainerOperator(task_id="create", video=str(portrait_video), post_key="brand/read-later")
        ready = ContainerStatusSensor(task_id="ready", container_id=create.output)
        PublishOperator(task_id="publish", container_id=ready.output)
    published = run_dag(dag)
    media_id = published.xcom("publish")["media_id"]
    run_dag(insights)
    (post,) = rows(target, POSTS)
    assert (post["post_id"], post["post_key"], post["dag_id"], post["calendar"]) == (
        media_id, "brand/read-later", "published_for_insights", None,
    )  # fmt: skip


def test_an_account_without_the_scope_is_skipped_and_holds_no_other_back(
    instagram_sandbox: SandboxHandle, run_dag: Any, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    media_id = instagram_sandbox.add_foreign_post("A post", age_s=2 * HOUR)
    user_id = "17841400000000077"
    instagram_sandbox.add_account(user_id, "shy")
    token = instagram_sandbox.add_token(user_id, scopes=NO_INSIGHTS)
    instagram_sandbox.add_foreign_post("Not to be read", age_s=2 * HOUR, user_id=user_id)
    shy = instagram_sandbox.connection | {"login": user_id, "password": token}
    monkeypatch.setenv("AIRFLOW_CONN_SHY", json.dumps(shy))
    result = run_dag(insights_dag("insights_of_two", ["shy", "instagram_default"], target))
    assert result.states() == {"read_shy": "skipped", "read_instagram_default": "success"}
    assert [row["post_id"] for row in rows(target, SNAPSHOTS)] == [media_id]
    found = {}
    for conn_id in ("shy", "instagram_default"):
        with open_ledger(conn_id) as store:
            found[conn_id] = "insights" in refusals(store, datetime.now(timezone.utc))
    assert found == {"shy": True, "instagram_default": False}


@pytest.mark.parametrize("code", [10, 200])
def test_an_account_whose_data_has_ended_fails_and_says_to_log_in_again(
    code: int,
    instagram_sandbox: SandboxHandle,
    run_dag: Any,
    target: str,
    monkeypatch: pytest.MonkeyPatch,
    mocker: MockerFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A Page token lives on. Meta does not document with which code it is refused data after 90 days."""
    instagram_sandbox.switch(login="facebook", data_access_ends=code == 10)
    page = instagram_sandbox.add_token(instagram_sandbox.user_id, kind="page", ends=False)
    connection = {**instagram_sandbox.connection, "password": page}
    monkeypatch.setenv("AIRFLOW_CONN_INSTAGRAM_DEFAULT", json.dumps(connection))
    later = timedelta(days=91)
    mocker.patch.object(CLOCK, "_local", side_effect=lambda: datetime.now(timezone.utc) + later)
    instagram_sandbox.advance(later)
    if code != 10:
        instagram_sandbox.fail("insights", code, times=0)
    dag = insights_dag("insights_ended", ["instagram_default"], target, default_args={"retries": 0})
    assert run_dag(dag).states() == {"read_instagram_default": "failed"}
    said = capsys.readouterr().out
    assert "log in again" in said
    assert "instagram_business_manage_insights" not in said


def test_a_restricted_account_fails(instagram_sandbox: SandboxHandle, run_dag: Any, target: str) -> None:
    """Only a permission that is missing is a decision of somebody, for which the task is skipped."""
    instagram_sandbox.fail("insights", 368, times=0)
    dag = insights_dag("insights_blocked", ["instagram_default"], target, default_args={"retries": 0})
    assert run_dag(dag).states() == {"read_instagram_default": "failed"}


def test_a_throttled_account_leaves_the_rest_to_a_later_run(
    instagram_sandbox: SandboxHandle, run_dag: Any, target: str
) -> None:
    instagram_sandbox.add_foreign_post("A post", age_s=2 * HOUR)
    instagram_sandbox.fail("insights", 80002, regain_minutes=30)
    dag = insights_dag("insights_throttled", ["instagram_default"], target)
    assert run_dag(dag).states() == {"read_instagram_default": "success"}
    assert rows(target, SNAPSHOTS) == []
    calls = len(instagram_sandbox.journal())
    run_dag(dag)
    assert len(instagram_sandbox.journal()) == calls


@pytest.mark.parametrize(
    ("accounts", "message"),
    [
        (["brand", ""], "plain text, not ''"),
        (["{{ var.value.x }}"], "plain text, not '{{ var.value.x }}'"),
    ],
)
def test_what_cannot_be_accounts_is_refused_when_the_dag_is_parsed(accounts: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        insights_dag("insights_of_none", accounts, "warehouse")


def test_the_dag_file_needs_nothing_and_reads_the_default_account() -> None:
    from airflow_provider_instagram.insights.dag import CollectInsights

    namespace: dict[str, Any] = {}
    exec(compile((ROOT / "dags/instagram_insights.py").read_text(), "insights", "exec"), namespace)  # noqa: S102
    (task,) = namespace["dag"].tasks
    assert isinstance(task, CollectInsights)
    assert (task.task_id, task.instagram_conn_id) == ("read_instagram_default", "instagram_default")
    assert namespace["dag"].catchup is False


def test_openlineage_sees_the_account_and_the_tables() -> None:
    dag = insights_dag("insights_lineage", ["brand"], "warehouse")
    task: Any = dag.get_task("read_brand")
    lineage = task.get_openlineage_facets_on_complete(None)
    assert [(one.namespace, one.name) for one in lineage.inputs] == [("instagram://brand", "insights")]
    assert {(one.namespace, one.name) for one in lineage.outputs} == {
        ("airflow://warehouse", "instagram_posts"),
        ("airflow://warehouse", "instagram_post_snapshots"),
        ("airflow://warehouse", "instagram_account_days"),
    }


def test_openlineage_sees_the_media_become_a_container_and_a_post() -> None:
    from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator

    video = "https://cdn.example.com/a/b.mp4?signature=secret"
    create: Any = CreateContainerOperator(task_id="c", instagram_conn_id="brand", video=video)
    create.container_id, create.media_sent = "18", (video,)
    publish: Any = PublishOperator(task_id="p", instagram_conn_id="brand", container_id="18")
    publish.media_id = "19"
    found = [task.get_openlineage_facets_on_complete(None) for task in (create, publish)]
    assert [[(one.namespace, one.name) for one in (*lineage.inputs, *lineage.outputs)] for lineage in found] == [
        [("https://cdn.example.com", "a/b.mp4"), ("instagram://brand", "containers/18")],
        [("instagram://brand", "containers/18"), ("instagram://brand", "posts/19")],
    ]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"ages": ["1h"]}, r"'1h' in ages is not a timedelta.*timedelta\(hours=1\)"),
        ({"ages": "1h"}, r"'1' in ages is not a timedelta"),
        ({"ages": [3600]}, r"3600 in ages is not a timedelta"),
        ({"ages": []}, r"\[\] are not valid ages.*at least one"),
        ({"look_every": "soon"}, r"look_every is 'soon', which is not a length of time"),
    ],
)
def test_an_age_that_is_not_a_time_is_refused_when_the_dag_is_parsed(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        insights_dag("insights_ages", ["instagram_default"], "warehouse", **given)
