"""The problems of a calendar in Airflow: events, callbacks, and runs that fail only for their own posts."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_instagram.calendar.planning.told import RECORD, ProblemRecord, events_asset
from tests.integration.calendar.runs import made, states

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from instagram_sandbox.testing.handle import SandboxHandle

HOUR = 3600.0


def events(after: int = 0) -> list[tuple[int, dict[str, Any]]]:
    """Return the events of the calendar's problems, with their ids."""
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    ours = AssetModel.uri == events_asset("content").uri
    statement = select(AssetEvent.id, AssetEvent.extra).join(AssetModel, AssetModel.id == AssetEvent.asset_id)
    with create_session() as session:
        rows = session.execute(statement.where(ours, AssetEvent.id > after).order_by(AssetEvent.id))
        return [(number, dict(extra)) for number, extra in rows]


def record() -> ProblemRecord:
    """Return the row of the calendar's problems."""
    from airflow.models.asset import AssetModel
    from airflow.models.asset_state_store import AssetStateStoreModel as Store
    from airflow.utils.session import create_session
    from sqlalchemy import select

    ours = select(Store.value).join(AssetModel, AssetModel.id == Store.asset_id)
    with create_session() as session:
        value = session.scalar(ours.where(AssetModel.uri == events_asset("content").uri, Store.key == RECORD))
    return ProblemRecord.of(json.loads(value)["row"] if value else {})


def test_problems_of_other_posts_fail_no_run_and_are_events_once_each(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path]
) -> None:
    """A mistake in the file of next week, and a file that is missing the day before: each alerts in one run only."""
    before, told = max([0, *(number for number, _ in events())]), []
    due_s = {"good": -5, "better": -5, "soon": 20 * HOUR, "web": 21 * HOUR, "far": 30 * HOUR, "bad": 170 * HOUR}
    gone, web = {"video": "gone.mp4"}, {"video": "https://example.com/a.mp4"}
    file = calendar(due_s, soon=gone, far=gone, web=web, bad={"placment": "feed"})
    dag = made(
        file,
        min_spacing=timedelta(0),
        notify=lambda context: told.append((context["ti"].run_id, str(context["event"]))),
    )
    assert "Did you mean placement?" in str(dag.doc_md)
    first = run_dag(dag, posts=["good"])
    assert first.state == "success"
    assert run_dag(dag, posts=["better"]).state == "success"
    assert instagram_sandbox.calls("publish") == 2

    ((_, event),) = events(before)
    emitted = event["events"]
    assert {(extra["post"], extra["message"]) for extra in emitted} == {
        ("bad", "Unknown field 'placment'."),
        ("soon", f"there is no file {file.with_name('gone.mp4')}."),
    }
    assert len(emitted) == 2
    assert sorted(told) == sorted((first.run.run_id, extra["text"]) for extra in emitted)
    assert record().found == (), "the DAG processor finds a local file that is missing"


def test_a_run_started_for_a_post_beside_a_broken_one_fails_only_for_what_it_was_started_for(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path]
) -> None:
    file = calendar({"good": -5, "bad": HOUR}, bad={"placment": "feed"})
    assert run_dag(made(file), posts=["good"]).state == "success"
    result = run_dag(made(file), posts=["bad"])
    assert (result.state, states(result)["calendar"]) == ("failed", "failed")


def test_a_run_whose_tasks_have_one_try_is_green_if_its_post_is_live(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a run of an earlier version, whose task instances keep their ``max_tries=0`` after an upgrade.

    Its first try finds a file that cannot be read, and the problems cannot be reported.
    """

    def unreachable(*_: Any, **__: Any) -> None:
        raise RuntimeError("the state store does not answer")

    monkeypatch.setattr("airflow_provider_instagram.calendar.tasks.report_problems.tell_problems", unreachable)
    file = calendar({"one-try": -5})
    made(file)
    file.write_text("posts:\n  - id: a: b\n")
    result = run_dag(made(file, default_args={"retries": 0}), posts=["one-try"])
    assert {ti.max_tries for ti in result.run.get_task_instances()} == {0}
    assert result.state == "success"
    assert instagram_sandbox.calls("publish") == 1
