"""Which accounts a calendar may use: the author of the DAG names them, and nothing in the file can."""

from __future__ import annotations

import csv
import json
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from airflow_provider_instagram.calendar import content_calendar_dag
from airflow_provider_instagram.calendar.tasks.publish import CommentPost
from tests.unit.calendar.simulated_runs import ACCOUNT, SimulatedCalendar, post

OTHERS = "other_team"


@pytest.fixture
def calendar(calendar: SimulatedCalendar) -> SimulatedCalendar:
    """The calendar of an author who names no account."""
    calendar.given = {"accounts": (ACCOUNT,)}
    return calendar


def problems(calendar: SimulatedCalendar) -> list[str]:
    return [f"{one.line}: {one.message} {one.remedy}" for one in calendar.stored().calendar.problems]


def test_without_accounts_the_default_connection_is_the_only_one(calendar: SimulatedCalendar) -> None:
    calendar.given = {}
    dag: Any = content_calendar_dag("content", calendar.file)
    assert dag.get_task("publish").settings.accounts == (ACCOUNT,)
    calendar.write(post("ours", 60), post("theirs", 90, account=OTHERS))
    calendar.given = {"accounts": (ACCOUNT,)}
    assert calendar.plan(0) == ["ours"]
    assert f"Add '{OTHERS}' to accounts=[…] in the DAG file." in problems(calendar)[0]
    calendar.given = {"accounts": [ACCOUNT, OTHERS]}
    assert calendar.plan(1) == ["theirs"]
    assert problems(calendar) == []


@pytest.mark.parametrize("where", ["the post", "the defaults", "JSON", "CSV", "spaces", "another case", "a look-alike"])
def test_a_file_cannot_choose_another_account_wherever_it_is_named(calendar: SimulatedCalendar, where: str) -> None:
    theirs = {"spaces": f"  {OTHERS} ", "another case": ACCOUNT.upper(), "a look-alike": "instagram_defau1t"}
    account = theirs.get(where, OTHERS)
    if where == "the defaults":
        calendar.write(post("a", 60), defaults={"account": account})
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
    assert calendar.plan(0) == []
    plan = calendar.stored()
    assert not plan.calendar.posts
    assert plan.calendar.left_out == {"a"}
    name = account.strip()
    assert any(f"Add '{name}' to accounts=[…] in the DAG file." in one for one in problems(calendar))
    assert "may not use this account" in calendar.step("manual", post="a", now=True)


def test_slots_of_another_account_are_a_problem(calendar: SimulatedCalendar) -> None:
    calendar.write(post("a", 60), slots={OTHERS: ["Tue 13:00"]}, defaults={"timezone": "UTC"})
    assert calendar.plan(0) == ["a"]
    (said,) = problems(calendar)
    assert f"slots of {OTHERS}: The DAG may not use this account. Add '{OTHERS}' to accounts=[…]" in said


def test_a_change_of_the_dag_counts_although_the_file_is_the_same(calendar: SimulatedCalendar) -> None:
    """The posts that an earlier look stored are not used again."""
    calendar.write(post("a", 60, account=OTHERS))
    assert calendar.plan(0) == []
    calendar.given = {"accounts": [OTHERS]}
    assert calendar.plan(0) == ["a"]
    calendar.given = {"accounts": [ACCOUNT]}
    assert calendar.plan(0) == ["a"], "its run ends"
    assert calendar.stored().calendar.posts == ()


def test_the_last_readable_version_names_no_other_account_either(calendar: SimulatedCalendar) -> None:
    calendar.given = {"accounts": [OTHERS]}
    calendar.write(post("a", 60, account=OTHERS))
    calendar.plan(0)
    calendar.given = {"accounts": [ACCOUNT]}
    calendar.file.write_text("posts: [")
    calendar.plan(0)
    assert calendar.stored().calendar.posts == ()


def test_a_run_that_has_begun_does_not_publish_once_the_author_removes_the_account(
    calendar: SimulatedCalendar,
) -> None:
    """Not even before the planner has seen that."""
    calendar.given = {"accounts": [OTHERS]}
    calendar.write(post("a", 60, account=OTHERS, first_comment="First"))
    calendar.plan(0)
    had = calendar.prepared()
    calendar.given = {"accounts": [ACCOUNT]}
    assert calendar.step("a", had) == "skipped (not its run)"
    calendar.states["publish"] = "success"
    with pytest.raises(AirflowSkipException):
        CommentPost(task_id="c", settings=calendar.settings).execute(calendar.context())
