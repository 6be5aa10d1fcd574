"""A spreadsheet that stays the plan: its server answers CSV, redirects, hangs, fails and comes back."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from airflow.serialization.serialized_objects import DagSerialization

from airflow_provider_instagram.calendar import content_calendar_dag
from airflow_provider_instagram.calendar.planning.settings import CalendarSettings
from tests.calendars.sheet_server import SheetServer, sheet_server
from tests.integration.calendar.runs import planned_by, planner_of, trigger_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_mock import MockerFixture

    from airflow_provider_instagram.calendar.planning.begin_runs import Plan

NOON = datetime(2030, 5, 1, 12, tzinfo=timezone.utc)
HEAD = "ID,Wann,Clip,Caption,Notes"
GOOD = (
    f'{HEAD}\r\nhello,2030-05-06 08:30,https://cdn.example.com/hello.mp4,"One,\nin two lines",x\r\n'
    "set,5/10/2030 5:00 pm,s3://media@clips/set.mov,A set,\r\n"
)
COLUMNS = {"Wann": "publish_at", "clip": "video"}
DEFAULTS = {"timezone": "Europe/Berlin", "dates": "month-first"}


class Sheet:
    """A sheet on a server, as calendars read it."""

    def __init__(self, server: SheetServer) -> None:
        self.server = server
        self.url = f"{server.address}/pub?key=secret&output=csv"
        self.answers, self.asked = server.answers, server.asked
        self.answers["/pub"] = (200, GOOD, {})

    def plan(self, now: datetime | None = NOON, **given: Any) -> Plan:
        """Look at the sheet as the planner does at a time, or read the plan without a look, as a task does."""
        settings = CalendarSettings.of(
            "sheet", self.url, **{"accounts": ["studio"], "columns": COLUMNS, "defaults": DEFAULTS, **given}
        )
        return (settings.stored() if now is None else planned_by(settings, now)).plan


@pytest.fixture
def sheet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sheet]:
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", str(tmp_path / "snapshots"))
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__MEDIA_ROOTS", f"{tmp_path},s3://media@clips/")
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_HOSTS", "http://127.0.0.1")
    with sheet_server() as server:
        yield Sheet(server)


def times(plan: Plan) -> dict[str, str]:
    return {post.id: f"{post.publish_at:%Y-%m-%d %H:%M %z}" for post in plan.calendar.posts}


BOTH = {"hello": "2030-05-06 08:30 +0200", "set": "2030-05-10 17:00 +0200"}


def test_the_words_of_an_export_are_posts(sheet: Sheet) -> None:
    plan = sheet.plan()
    assert (times(plan), plan.timely.problems) == (BOTH, ())
    hello, other = plan.calendar.posts
    assert (hello.account, hello.caption, hello.video) == (
        "studio",
        "One,\nin two lines",
        "https://cdn.example.com/hello.mp4",
    )
    assert other.video == "s3://media@clips/set.mov"
    assert (times(sheet.plan()), times(sheet.plan(None))) == (BOTH, BOTH)
    assert len(sheet.asked) == 2, "a task asks nothing"


def test_a_wrong_link_is_a_problem_of_its_row_and_a_wrong_host_one_of_its_setting(
    sheet: Sheet, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheet.answers["/pub"] = (200, GOOD.replace("https://cdn.example.com", "https://[bad"), {})
    plan = sheet.plan()
    (problem,) = plan.timely.problems
    assert (problem.post_id, "set" in times(plan)) == ("hello", True)
    assert problem.message == "video: https://[bad/hello.mp4 is not a valid address."
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_HOSTS", "http://127.0.0.1/pub")
    assert "[instagram] calendar_hosts contains 'http://127.0.0.1/pub'" in sheet.plan().timely.problems[0].message


@pytest.mark.parametrize("status", [503, 429, None])
def test_an_outage_is_one_problem_and_what_was_read_last_is_published(sheet: Sheet, status: int | None) -> None:
    sheet.plan()
    before = dict(sheet.answers)
    if status is None:
        sheet.server.shutdown()
        sheet.server.server_close()
    else:
        sheet.answers["/pub"] = (status, "busy", {})
    for now in (NOON, None, NOON):
        plan = sheet.plan(now)
        (problem,) = plan.timely.problems
        assert times(plan) == BOTH
        assert problem.message == f"the sheet {sheet.url.partition('?')[0]}?… does not answer."
        assert "Until then, its version of 2030-05-01 12:00 UTC is used." in problem.remedy
        assert "secret" not in str(problem)
    if status is not None:
        sheet.answers |= before
        assert (sheet.plan().timely.problems, sheet.plan(None).timely.problems) == ((), ())


@pytest.mark.parametrize("lost", [f"{HEAD}\r\n", HEAD, GOOD.partition("set,")[0].replace("hello,", "other,")])
def test_a_sheet_that_has_lost_its_rows_keeps_its_posts(sheet: Sheet, lost: str) -> None:
    sheet.plan()
    sheet.answers["/pub"] = (200, lost, {})
    for now in (NOON, None, NOON + timedelta(days=2)):
        plan = sheet.plan(now)
        (problem,) = plan.timely.problems
        assert times(plan) == BOTH
        assert (problem.message, problem.remedy[:23]) == (
            "most of its posts to come have vanished at once.",
            "Bring back hello, set. ",
        )
    sheet.answers["/pub"] = (200, GOOD, {})
    assert (times(sheet.plan(NOON)), sheet.plan(None).timely.problems) == (BOTH, ())


RENAMED = {
    "time": (HEAD.replace("Wann", "When"), "'Wann' any more. New in it: 'When'"),
    "video": (HEAD.replace("Clip", "Clip 2"), "'Clip' any more. New in it: 'Clip 2'"),
    "caption": (HEAD.replace("Caption,", ","), "'Caption' any more."),
}


@pytest.mark.parametrize(("head", "said"), RENAMED.values(), ids=RENAMED)
def test_a_renamed_column_empties_no_calendar(sheet: Sheet, head: str, said: str) -> None:
    sheet.plan()
    sheet.answers["/pub"] = (200, GOOD.replace(HEAD, head), {})
    for now in (NOON, None, NOON + timedelta(minutes=16), NOON + timedelta(days=2)):
        plan = sheet.plan(now)
        (problem,) = plan.timely.problems
        assert (plan.readable, times(plan)) == (False, BOTH)
        assert said in problem.message
    sheet.answers["/pub"] = (200, GOOD.replace(HEAD, f"{HEAD},Wer"), {})
    assert (sheet.plan().timely.problems, times(sheet.plan())) == ((), BOTH)


def test_a_column_that_means_the_same_or_nothing_may_change(sheet: Sheet) -> None:
    sheet.plan()
    sheet.answers["/pub"] = (200, GOOD.replace("Caption,Notes", "Text,"), {})
    plan = sheet.plan(columns={**COLUMNS, "Notes": "tags"})
    assert "'Notes' any more" in plan.timely.problems[0].message, "it was read from one of them"
    sheet.answers["/pub"] = (200, GOOD.replace("Caption,Notes", "Text,Idea").replace(",x", ","), {})
    assert (sheet.plan().timely.problems, times(sheet.plan())) == ((), BOTH)
    sheet.answers["/pub"] = (200, GOOD.replace("Caption,Notes", "Text,").replace(",x", ","), {})
    assert (sheet.plan().timely.problems, times(sheet.plan())) == ((), BOTH), "it was empty"


def test_a_slow_server_holds_the_planner_up_for_seconds_only(sheet: Sheet, mocker: MockerFixture) -> None:
    mocker.patch("airflow_provider_instagram.calendar.file.sheet.TIMEOUT_S", 0.3)
    sheet.plan()
    sheet.server.delay_s, begin = 5.0, time.monotonic()
    assert times(sheet.plan()) == BOTH
    assert time.monotonic() - begin < 3


def test_a_redirect_leads_to_a_trusted_host_only(sheet: Sheet, monkeypatch: pytest.MonkeyPatch) -> None:
    sheet.answers["/real"] = sheet.answers["/pub"]
    sheet.answers["/pub"] = (307, "", {"Location": "/real"})
    assert times(sheet.plan()) == BOTH
    sheet.answers["/pub"] = (307, "", {"Location": sheet.url.replace("127.0.0.1", "localhost")})
    (problem,) = sheet.plan().timely.problems
    assert "http://localhost" in problem.message
    assert "not a host that this Airflow trusts with calendars" in problem.message
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_HOSTS", "docs.google.com, *.googleusercontent.com")
    assert "http://127.0.0.1" in sheet.plan().timely.problems[0].message
    assert not any("localhost" in path for path in sheet.asked)


@pytest.mark.parametrize(
    ("status", "body", "headers", "message"),
    [
        (200, "<html>Sign in</html>", {"Content-Type": "text/html; charset=utf-8"}, "answers 200, and no CSV"),
        (404, "gone", {}, "answers 404, and no CSV"),
        (200, "x" * 10_000_001, {}, "has more than 10,000,000 bytes"),
        (200, "\xff" + "id", {"Content-Type": "text/csv"}, "no column is named video, image or carousel"),
        (302, "", {"Location": "/pub"}, "redirects more than 5 times"),
    ],
)
def test_what_is_no_sheet_says_so(sheet: Sheet, status: int, body: str, headers: dict[str, str], message: str) -> None:
    sheet.answers["/pub"] = (status, body, headers)
    plan = sheet.plan()
    (problem,) = plan.timely.problems
    assert message in problem.message
    assert (plan.readable, plan.calendar.posts) == (False, ())


def test_a_sheet_names_no_files_of_the_server(sheet: Sheet, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    rows = [
        f"local,2030-05-06 08:30,{tmp_path}/a.mp4,,",
        f"uri,2030-05-06 09:30,file://{tmp_path}/a.mp4,,",
        "near,2030-05-06 10:30,a.mp4,,",
    ]
    sheet.answers["/pub"] = (200, "\n".join([HEAD, *rows]), {})
    problems = {problem.post_id: problem.message for problem in sheet.plan().timely.problems}
    assert {*problems} == {"local", "uri", "near"}
    assert all("is a path, and a sheet has no folder" in message for message in problems.values())


def test_each_row_of_a_sheet_has_an_id_that_stays(sheet: Sheet) -> None:
    twice = "\n".join(["Title,Wann,Clip", *(f"Tip,2030-05-06 1{n}:00,https://x.example/a.mp4" for n in (0, 2))])
    sheet.answers["/pub"] = (200, twice, {})
    plan = sheet.plan()
    assert plan.calendar.posts == ()
    assert {problem.remedy for problem in plan.timely.problems} == {"Add a column id."}


def test_the_address_of_a_sheet_is_shown_without_its_query(sheet: Sheet) -> None:
    """Not even in what Airflow stores of the trigger that looks at it."""
    dag = content_calendar_dag("sheet", sheet.url, accounts=["studio"], columns=COLUMNS, defaults=DEFAULTS)
    stored = json.dumps([DagSerialization.to_dict(one) for one in (dag, planner_of(dag))])
    assert f"{sheet.server.address}/pub" in stored
    assert "secret" not in stored


def test_the_planner_is_woken_by_an_edit_of_a_sheet(sheet: Sheet) -> None:
    dag = content_calendar_dag("sheet", sheet.url, accounts=["studio"], columns=COLUMNS, defaults=DEFAULTS)
    trigger = trigger_of(planner_of(dag))
    assert trigger.reason() == "new"
    sheet.plan(datetime.now(timezone.utc))
    assert (trigger.reason(), trigger.reason()) == ("", "")
    sheet.answers["/pub"] = (200, GOOD.replace("08:30", "09:30"), {})
    why = trigger.reason()
    assert (why.split()[0], "secret" in str(trigger.serialize())) == ("edited", False)
    sheet.plan(datetime.now(timezone.utc))
    assert trigger.reason() == ""
