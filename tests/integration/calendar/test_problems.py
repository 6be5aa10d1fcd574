"""The problems of a calendar in Airflow: events, callbacks, and runs that fail only for their own posts."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_instagram.calendar.planning.told import RECORD, ProblemRecord, events_asset
from tests.integration.calendar.runs import made, planned, run_by_hand, run_post, run_report

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_mock import MockerFixture

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
    """A mistake in the file of next week, and a file that is missing the day before: each alerts in one look only."""
    before, told = max([0, *(number for number, _ in events())]), []
    due_s = {"good": 60, "soon": 20 * HOUR, "web": 21 * HOUR, "far": 30 * HOUR, "bad": 170 * HOUR}
    gone, web = {"video": "gone.mp4"}, {"video": "https://example.com/a.mp4"}
    file = calendar(due_s, soon=gone, far=gone, web=web, bad={"placment": "feed"})
    dag = made(
        file,
        min_spacing=timedelta(0),
        notify=lambda context: told.append((context["ti"].run_id, str(context["event"]))),
    )
    first = run_report(run_dag, dag)
    assert (first.state, run_report(run_dag, dag).state) == ("success", "success")
    assert run_post(run_dag, dag, "good").state == "success"
    assert instagram_sandbox.calls("publish") == 1

    ((_, event),) = events(before)
    emitted = event["events"]
    assert {(extra["post"], extra["message"]) for extra in emitted} == {
        ("bad", "Unknown field 'placment'."),
        ("soon", f"there is no file {file.with_name('gone.mp4')}."),
    }
    assert len(emitted) == 2
    assert sorted(told) == sorted((first.run.run_id, extra["text"]) for extra in emitted)
    assert [problem.post_id for problem in record().found] == ["soon"]


def test_a_run_started_for_a_post_beside_a_broken_one_fails_only_for_what_it_was_started_for(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path]
) -> None:
    file = calendar({"good": -5, "bad": HOUR}, bad={"placment": "feed"})
    assert run_by_hand(run_dag, made(file), "good").state == "success"
    result = run_by_hand(run_dag, made(file), "bad")
    assert (result.state, result.states()["prepare"]) == ("failed", "failed")
    assert "Unknown field 'placment'" in result.xcom("prepare", "outcome")["reason"]


def test_a_post_that_has_become_invalid_ends_its_run_and_fails_nothing(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path]
) -> None:
    dag = made(calendar({"broken": HOUR}))
    planned(dag)
    calendar({"broken": HOUR}, broken={"placment": "feed"})
    result = run_post(run_dag, dag, "broken")
    assert (result.state, result.states()["prepare"]) == ("success", "skipped")
    assert result.xcom("prepare", "outcome")["mark"] == "has a problem"


def test_a_post_goes_out_while_its_file_cannot_be_read_and_its_problems_cannot_be_told(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path], mocker: MockerFixture
) -> None:
    def unreachable(*_: Any, **__: Any) -> None:
        raise RuntimeError("the state store does not answer")

    mocker.patch("airflow_provider_instagram.calendar.tasks.problems.tell_problems", unreachable)
    file = calendar({"unread": 60})
    dag = made(file, default_args={"retries": 0})
    planned(dag)
    file.write_text("posts:\n  - id: a: b\n")
    assert run_report(run_dag, dag).states() == {"problems": "failed"}
    assert run_post(run_dag, dag, "unread").state == "success"
    assert instagram_sandbox.calls("publish") == 1
