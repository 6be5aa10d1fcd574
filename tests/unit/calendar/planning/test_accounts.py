"""Which accounts a calendar may use: the author of the DAG names them, and nothing in the file can."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.calendar import content_calendar_dag
from airflow_provider_instagram.calendar.planning.settings import MAX_ACCOUNTS, CalendarSettings
from airflow_provider_instagram.calendar.planning.stored_snapshot import read_stored
from airflow_provider_instagram.calendar.tasks.publish import CommentPost
from airflow_provider_instagram.exceptions import ValidationError
from tests.unit.calendar.simulated_runs import ACCOUNT, NOON, SimulatedCalendar, ids, post

if TYPE_CHECKING:
    from pathlib import Path

OTHERS = "other_team"


@pytest.fixture
def calendar(calendar: SimulatedCalendar) -> SimulatedCalendar:
    """The calendar of an author who names no account."""
    calendar.given = {"accounts": (ACCOUNT,)}
    return calendar


def problems(calendar: SimulatedCalendar) -> list[str]:
    return [f"{one.line}: {one.message} {one.remedy}" for one in calendar.settings.plan(NOON).calendar.problems]


def test_without_accounts_the_default_connection_is_the_only_one(tmp_path: Path) -> None:
    file = tmp_path / "posts.yaml"
    (tmp_path / "a.mp4").touch()
    at = "publish_at: 2026-12-01 13:00 UTC, video: a.mp4"
    file.write_text(f"posts:\n- {{id: ours, {at}}}\n- {{id: theirs, {at}, account: {OTHERS}}}\n")
    dag = content_calendar_dag("content", file)
    assert {task.partition(".")[0] for task in dag.task_ids} == {"calendar", f"due_{ACCOUNT}", ACCOUNT}
    assert f"Add '{OTHERS}' to accounts=[…] in the DAG file." in str(dag.doc_md).replace("`", "'")
    both = content_calendar_dag("content", file, accounts=[ACCOUNT, OTHERS])
    assert f"{OTHERS}.publish" in both.task_ids
    assert "problem" not in str(both.doc_md)


@pytest.mark.parametrize(
    "where", ["the post", "the defaults", "JSON", "CSV", "spaces", "a repetition", "another case", "a look-alike"]
)
def test_a_file_cannot_choose_another_account_wherever_it_is_named(calendar: SimulatedCalendar, where: str) -> None:
    theirs = {"spaces": f"  {OTHERS} ", "another case": ACCOUNT.upper(), "a look-alike": "instagram_defau1t"}
    account = theirs.get(where, OTHERS)
    if where == "the defaults":
        calendar.write(post("a", 60), defaults={"account": account})
    elif where == "a repetition":
        slots = {account: ["Tue 13:00"]}
        calendar.write({"id": "a", "account": account, "repeat_after": "7 days"}, slots=slots)
    elif where == "CSV":
        calendar.file = calendar.file.with_suffix(".csv")
        with calendar.file.open("w", newline="") as table:
            csv.writer(table).writerows(
                [["id", "publish_at", "video", "account"], ["a", "2026-12-01 13:00 UTC", "a.mp4", account]]
            )
    elif where == "JSON":
        calendar.file = calendar.file.with_suffix(".json")
        row = {"id": "a", "publish_at": "2026-12-01 13:00 UTC", "video": "a.mp4", "account": account}
        calendar.file.write_text(json.dumps({"posts": [row]}))
    else:
        calendar.write(post("a", 60, account=account))
    calendar.parse(0)
    plan = calendar.settings.plan(NOON)
    assert not plan.calendar.posts
    assert not plan.accounts
    assert plan.calendar.left_out == {"a"}
    name = account.strip()
    assert any(f"Add '{name}' to accounts=[…] in the DAG file." in one for one in problems(calendar))
    assert calendar.run("content/manual", 0, name, posts=["a"], now=True) == []


def test_slots_of_another_account_are_a_problem(calendar: SimulatedCalendar) -> None:
    calendar.write(post("a", 60), slots={OTHERS: ["Tue 13:00"]}, defaults={"timezone": "UTC"})
    (said,) = problems(calendar)
    assert f"slots of {OTHERS}: The DAG may not use this account. Add '{OTHERS}' to accounts=[…]" in said
    assert ids(calendar.run("content/first", 0)) == ["a"]


def test_a_change_of_the_dag_counts_although_the_file_is_the_same(calendar: SimulatedCalendar) -> None:
    """The posts that an earlier parse stored are not used again."""
    calendar.write(post("a", 60, account=OTHERS))
    calendar.parse(0)
    calendar.given = {"accounts": [OTHERS]}
    assert calendar.parse(0) == [0]
    calendar.given = {"accounts": [ACCOUNT]}
    calendar.parse(0)
    stored = read_stored(next(calendar.file.parent.glob("snapshots/*.json")).read_bytes())
    assert stored is not None
    assert stored.plan.calendar.posts == ()


def test_the_last_readable_version_names_no_other_account_either(calendar: SimulatedCalendar) -> None:
    calendar.given = {"accounts": [OTHERS]}
    calendar.write(post("a", 60, account=OTHERS))
    calendar.parse(0)
    calendar.given = {"accounts": [ACCOUNT]}
    calendar.file.write_text("posts: [")
    assert calendar.settings.plan(NOON).calendar.posts == ()


@pytest.mark.parametrize("file", ["as it was", "gone", "gone, and no snapshot"])
def test_a_run_that_has_begun_does_not_publish_once_the_author_removes_the_account(
    calendar: SimulatedCalendar, file: str
) -> None:
    """Not even where nothing but the post in the XCom is left to go by."""
    calendar.given = {"accounts": [OTHERS]}
    calendar.write(post("a", 60, account=OTHERS, first_comment="First"))
    calendar.parse(0)
    (selected,) = calendar.run("content/first", 0, OTHERS)
    calendar.given = {"accounts": [ACCOUNT]}
    if file != "as it was":
        calendar.file.unlink()
    if file == "gone, and no snapshot":
        next(calendar.file.parent.glob("snapshots/*.json")).unlink()
    assert calendar.step(selected, "content/first").startswith(f"failed: {OTHERS}: The DAG may not use this account.")
    step = CommentPost(task_id="c", post=selected, settings=calendar.settings, instagram_conn_id=OTHERS, published="1")
    with pytest.raises(ValidationError, match="may not use this account"):
        step.execute(calendar.context("content/first", 0))


def test_the_runs_under_way_keep_the_tasks_of_an_account_that_the_author_removes(calendar: SimulatedCalendar) -> None:
    """Airflow would otherwise show no reason."""
    calendar.write(post("a", 60, account=OTHERS))
    for accounts in ([OTHERS], [ACCOUNT]):
        dag = content_calendar_dag("content", calendar.file, accounts=accounts, clock=lambda: NOON)
    assert f"{OTHERS}.publish" in dag.task_ids
    assert calendar.run("content/first", 0, OTHERS) == []


@pytest.mark.parametrize("given", ["other_team", ["other_team", 5], None, 7, {"other_team": 1}, [["other_team"]]])
def test_what_is_not_a_list_of_connections_allows_none(given: Any) -> None:
    """Neither what it seems to mean, nor the default account, on which the author may not want these posts."""
    settings = CalendarSettings.of("content", "posts.yaml", accounts=given)
    (problem,) = settings.problems
    assert settings.accounts == ()
    assert "is not a list of connection ids" in problem.message


def test_a_calendar_has_at_most_200_accounts_and_says_so(tmp_path: Path) -> None:
    names = [f"brand_{number:04}" for number in range(1000)]
    file = tmp_path / "posts.yaml"
    row = "- {{id: {0}, publish_at: 2099-12-01 13:00 UTC, video: a.mp4, account: {0}}}\n"
    file.write_text("min_spacing: 0 s\nposts:\n" + "".join(map(row.format, names)))
    dag = content_calendar_dag("content", file, accounts=names)
    assert len([task for task in dag.task_ids if task.startswith("due_")]) == MAX_ACCOUNTS == 200
    assert "accounts names 1000 accounts. Only the first 200 are used." in str(dag.doc_md)
    assert len(CalendarSettings.of("content", file, accounts=names[:200] * 2).problems) == 0
