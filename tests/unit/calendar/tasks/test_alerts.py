"""Problems of a calendar are reported once each, and fail no run that can publish its posts."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import BaseNotifier
from airflow.sdk.serde import deserialize

from airflow_provider_instagram.calendar.planning.told import ProblemRecord, events_asset
from airflow_provider_instagram.calendar.tasks.alerts import MOST_AT_ONCE
from airflow_provider_instagram.calendar.tasks.prepare import PreparePost
from airflow_provider_instagram.calendar.tasks.problems import missing_files
from airflow_provider_instagram.calendar.tasks.tell import TellPost
from airflow_provider_instagram.exceptions import TransientError
from airflow_provider_instagram.ledger.records import PublishedPost
from tests.unit.calendar.simulated_runs import ACCOUNT, after_noon, post

if TYPE_CHECKING:
    from pytest_mock import MockerFixture

    from tests.unit.calendar.simulated_runs import SimulatedCalendar

HOUR = 60.0
DAY = 24 * HOUR


@pytest.fixture
def told(calendar: SimulatedCalendar) -> list[Any]:
    """Return the problems that the calendar's callback is called for."""
    found: list[Any] = []
    calendar.given["notify"] = lambda context: found.append(context["event"])
    return found


def test_a_problem_of_next_week_is_reported_once_and_fails_no_run(calendar: SimulatedCalendar, told: list[Any]) -> None:
    calendar.write(post("a", HOUR, video="https://example.com/a.mp4"), post("bad", 7 * DAY, captoin="x"))
    calendar.plan(0)
    (message,) = calendar.report()
    assert [str(problem) for problem in told] == [f"{calendar.file}:9: post 'bad': {told[0].message} {told[0].remedy}"]
    assert (told[0].message, told[0].post, told[0].dag_id) == (message, "bad", "content")
    (extra,) = calendar.events.extras
    assert (extra["asset"], extra["events"]) == ("instagram://calendar/content/events", [asdict(told[0])])
    assert (extra["dag_id"], extra["calendar"], extra["text"]) == ("content", str(calendar.file), told[0].text)
    assert [calendar.report() for _ in range(3)] == [[], [], []]
    assert len(told) == 1


def test_a_problem_is_the_same_on_another_line_and_new_when_it_returns(
    calendar: SimulatedCalendar, told: list[Any]
) -> None:
    good, bad = post("a", HOUR, video="https://example.com/a.mp4"), post("bad", 7 * DAY, captoin="x")
    calendar.write(good, bad)
    calendar.plan(0)
    assert len(calendar.report()) == 1
    calendar.write(bad, good)
    calendar.plan(1)
    assert calendar.report() == []
    calendar.write(good)
    calendar.plan(2)
    assert calendar.report() == []
    calendar.write(good, bad)
    calendar.plan(3)
    assert len(calendar.report()) == 1
    assert len(told) == 2


def test_a_notifier_that_fails_fails_no_run_and_is_called_again(calendar: SimulatedCalendar) -> None:
    """A notifier's server may be down longer than the task is tried. The event is not repeated."""
    calendar.try_number = calendar.max_tries + 1
    calls: list[str] = []

    def broken(context: Any) -> None:
        calls.append("broken")
        if len(calls) < 3:
            raise RuntimeError("no route to host")

    calendar.given["notify"] = [broken]
    calendar.write(post("bad", 7 * DAY, captoin="x"))
    calendar.plan(0)
    assert [len(calendar.report()) for _ in range(4)] == [1, 0, 0, 0]
    assert calls == ["broken"] * 3


def test_a_notifier_renders_its_templates_with_the_problem(calendar: SimulatedCalendar) -> None:
    sent: list[str] = []

    class Chat(BaseNotifier):
        template_fields = ("text",)

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

        def notify(self, context: Any) -> None:
            sent.append(self.text)

    calendar.write(post("bad", 7 * DAY, captoin="{{ 7 * 7 }}"), post("worse", 8 * DAY, captoin="x"))
    calendar.given["notify"] = Chat("{{ event.post }}: {{ event.message }}")
    calendar.plan(0)
    messages = calendar.report()
    assert sent == [f"bad: {messages[0]}", f"worse: {messages[1]}"]


def test_a_mistake_in_hundreds_of_posts_is_counted(calendar: SimulatedCalendar, told: list[Any]) -> None:
    calendar.write(*(post(f"p{number}", DAY + number, captoin="x") for number in range(50)))
    calendar.plan(0)
    assert len(calendar.report()) == MOST_AT_ONCE + 1
    assert told[-1].message == "30 more problems are new."
    (extra,) = calendar.events.extras  # Airflow hands a DAG only the first of several events that one task emits
    assert extra["text"] == "\n".join(problem.text for problem in told)
    assert calendar.report() == []


@pytest.mark.parametrize("row", [{"told": 1}, {"told": {}, "found": [{"line": "x"}]}, [1], "x", 7])
def test_a_row_that_a_user_has_damaged_counts_as_none(calendar: SimulatedCalendar, row: Any) -> None:
    calendar.write(post("bad", 7 * DAY, captoin="x"))
    calendar.plan(0)
    calendar.rows(events_asset("content")).set("problems", row)
    assert len(calendar.report()) == 1


def test_a_forged_row_keeps_no_problem_from_being_told(calendar: SimulatedCalendar) -> None:
    calendar.write(post("bad", 7 * DAY, captoin="x"))
    calendar.plan(0)
    assert len(calendar.report()) == 1
    rows = calendar.ledgers[events_asset("content")]
    rows["problems"] = {"form": 1, "row": rows["problems"]["row"], "seal": "0" * 64}
    assert len(calendar.report()) == 1, "it counts as not told"
    assert calendar.report() == []


@pytest.mark.parametrize("prefix", ["", "file:///var/www/public"])
def test_what_only_a_worker_finds_is_in_the_row_for_the_page(
    calendar: SimulatedCalendar, monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    """Such as that no link to a picture can come from the setting, long before the post."""
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__PUBLIC_PREFIX", prefix)
    calendar.write(post("a", 365 * DAY, image="a.jpg"), post("bad", 366 * DAY, captoin="x"))
    calendar.plan(0)
    assert len(calendar.report()) == 2
    (problem,) = ProblemRecord.of(calendar.rows(events_asset("content")).get("problems")).found
    assert problem.post_id == "a"
    assert problem.message.startswith(f"{calendar.file.with_name('a.jpg')} is a local picture.")
    assert "public_prefix" in problem.remedy


def test_what_is_told_of_a_run_by_hand_keeps_nothing_of_the_posts_own_run_from_being_told(
    calendar: SimulatedCalendar, told: list[Any]
) -> None:
    """A user starts a run for the post, and marks a task as failed."""
    calendar.write(post("a", HOUR))
    calendar.plan(0)
    calendar.states["prepare"] = "failed"
    tell = TellPost(task_id="tell", settings=calendar.settings)
    for run in ({"run_id": "manual__1", "post": "a"}, {"run_id": "manual__2", "post": "a"}, {}, {}):
        tell.execute(calendar.context(**run))
    assert [one.event for one in told] == ["failed"] * 2


@pytest.mark.parametrize("state", ["failed", "success"])
def test_a_run_that_is_not_the_one_of_the_post_tells_nothing_of_it(
    calendar: SimulatedCalendar, told: list[Any], state: str
) -> None:
    """A user starts a run without parameters, under an id like that of a version, and marks its tasks."""
    calendar.write(post("a", HOUR))
    calendar.plan(0)
    calendar.states["publish"] = state
    tell = TellPost(task_id="tell", settings=calendar.settings)
    tell.execute(calendar.context("a~v77"))
    assert told == []
    tell.execute(calendar.context())
    assert [one.event for one in told] == ["failed"]


@pytest.mark.parametrize(("is_dry", "events"), [(False, ["failed"]), (True, [])])
def test_a_publication_that_a_user_has_marked_as_a_success_is_told(
    calendar: SimulatedCalendar, told: list[Any], is_dry: bool, events: list[str]
) -> None:
    """The run is green, and the post does not go out."""
    calendar.write(post("a", HOUR))
    calendar.plan(0)
    calendar.states["publish"] = "success"
    TellPost(task_id="tell", settings=calendar.settings).execute(calendar.context("x", post="a", dry_run=is_dry))
    assert [one.event for one in told] == events


def test_a_post_that_its_run_has_published_is_not_told_as_failed(calendar: SimulatedCalendar, told: list[Any]) -> None:
    """A user marks the publication as failed once the post is live, and clears ``tell``. The ledger decides first."""
    calendar.write(post("a", HOUR))
    calendar.plan(0)
    key = f"{ACCOUNT}/a"
    done = PublishedPost(key, "17901", after_noon(HOUR).isoformat(), "18001", dag_id="content", run_id="a")
    calendar.ledger(ACCOUNT).record_post(done)
    calendar.states["publish"] = "failed"
    TellPost(task_id="tell", settings=calendar.settings).execute(calendar.context())
    assert told == []


@pytest.mark.parametrize(
    ("edited", "length"),
    [
        ({"reason": json.loads("[" * 700 + "]" * 700)}, 0),
        ({"reason": "r" * 10**7, "mark": ["x"], "more": "m" * 10**7}, 2_000),
        (["x"], 0),
    ],
    ids=["nested", "huge", "another type"],
)
def test_what_a_user_writes_in_place_of_a_reason_keeps_nothing_from_being_told(
    calendar: SimulatedCalendar, told: list[Any], edited: Any, length: int
) -> None:
    """Airflow cannot read an XCom that is a list in a list in a list, and so on."""
    calendar.write(post("a", HOUR))
    calendar.plan(0)
    calendar.states["create"] = "failed"
    context = calendar.context()
    context["ti"].xcom_pull = lambda task_id, key: deserialize(edited)
    TellPost(task_id="tell", settings=calendar.settings).execute(context)
    (event,) = told
    assert event.event == "failed"
    assert event.message == ("r" * length or "The task create failed. Its log says why.")


def test_a_notifier_that_hangs_keeps_no_post_from_being_published(
    calendar: SimulatedCalendar, mocker: MockerFixture
) -> None:
    """It is called before the publication, and its server may take the connection and say nothing."""
    mocker.patch("airflow_provider_instagram.calendar.tasks.alerts.NOTIFIER_TIMEOUT_S", 0.1)
    server_answers, told = Event(), list[str]()

    def hangs(context: Any) -> None:
        told.append(f"begins to tell {context['event'].event}")
        server_answers.wait(5)
        told.append("has told")

    calendar.given["notify"] = hangs
    calendar.write(post("a", HOUR, approval="required"))
    calendar.plan(0)
    step = PreparePost(task_id="step", settings=calendar.settings)
    step.tell_that_it_waits(calendar.context(), calendar.stored().calendar.posts[0])
    assert told == ["begins to tell waiting"]
    server_answers.set()


def test_a_notifier_that_hangs_holds_the_report_for_seconds_and_is_called_again(
    calendar: SimulatedCalendar, mocker: MockerFixture
) -> None:
    mocker.patch("airflow_provider_instagram.calendar.tasks.alerts.NOTIFIER_TIMEOUT_S", 0.1)
    server_answers, calls = Event(), list[str]()

    def hangs(context: Any) -> None:
        calls.append(context["event"].message)
        server_answers.wait(5)

    others = list[str]()
    calendar.given["notify"] = [hangs, lambda context: others.append(context["event"].message)]
    calendar.write(post("bad", HOUR, captoin="x"), post("worse", HOUR, captoin="x"))
    calendar.plan(0)
    with pytest.raises(TransientError, match="A notifier failed"):
        calendar.report()
    assert (len(calls), len(others)) == (2, 2)
    calendar.try_number = calendar.max_tries + 1
    assert len(calendar.report()) == 2, "Airflow keeps the event of the try that succeeds"
    calendar.try_number = 1
    assert calendar.report() == [], "a later report succeeds, also while a notifier is away for long"
    server_answers.set()
    assert [calendar.report() for _ in range(2)] == [[], []]
    assert len(calls) == 8, "both are told until the notifier has answered"


def test_a_storage_that_hangs_holds_the_planner_for_a_minute_at_most(
    calendar: SimulatedCalendar, mocker: MockerFixture
) -> None:
    asked = list[str]()

    def hangs(location: str) -> bool:
        asked.append(location)
        time.sleep(0.2)
        raise TimeoutError

    mocker.patch("airflow_provider_instagram.calendar.tasks.problems.CHECK_FOR_S", 0.1)
    mocker.patch("airflow_provider_instagram.calendar.tasks.problems.storage.exists", hangs)
    calendar.write(*(post(f"p{number}", HOUR + number) for number in range(9)))
    calendar.plan(0)
    assert len(missing_files(calendar.stored().calendar, after_noon(0))) == len(asked) == 1


def test_a_calendar_that_cannot_be_read_for_a_while_reports_nothing_again(calendar: SimulatedCalendar) -> None:
    calendar.write(post("bad", 7 * DAY, captoin="x"))
    calendar.plan(0)
    assert len(calendar.report()) == 1
    text = calendar.file.read_text()
    calendar.file.unlink()
    calendar.plan(1)
    assert len(calendar.report()) == 1
    calendar.file.write_text(text)
    calendar.plan(2)
    assert calendar.report() == []
