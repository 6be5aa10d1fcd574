"""Problems of a calendar are reported once each, and fail no run that can publish its posts."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import BaseNotifier
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_instagram.calendar.planning.told import ProblemRecord, events_asset
from airflow_provider_instagram.calendar.tasks.alerts import MOST_AT_ONCE
from airflow_provider_instagram.calendar.tasks.transcode import TranscodePost
from tests.unit.calendar.simulated_runs import ACCOUNT, post

if TYPE_CHECKING:
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
    calendar.parse(0)
    (message,) = calendar.report()
    assert [str(problem) for problem in told] == [f"{calendar.file}:9: post 'bad': {told[0].message} {told[0].remedy}"]
    assert (told[0].message, told[0].post, told[0].dag_id) == (message, "bad", "content")
    (extra,) = calendar.events.extras
    assert (extra["asset"], extra["events"]) == ("instagram://calendar/content/events", [asdict(told[0])])
    assert (extra["dag_id"], extra["calendar"], extra["text"]) == ("content", str(calendar.file), told[0].text)
    assert [calendar.report(f"content/{number}", number) for number in range(3)] == [[], [], []]
    assert len(told) == 1


def test_a_problem_is_the_same_on_another_line_and_new_when_it_returns(
    calendar: SimulatedCalendar, told: list[Any]
) -> None:
    good, bad = post("a", HOUR, video="https://example.com/a.mp4"), post("bad", 7 * DAY, captoin="x")
    calendar.write(good, bad)
    calendar.parse(0)
    assert len(calendar.report()) == 1
    calendar.write(bad, good)
    calendar.parse(1)
    assert calendar.report() == []
    calendar.write(good)
    calendar.parse(2)
    assert calendar.report() == []
    calendar.write(good, bad)
    assert calendar.parse(3)[:1] == [0]
    assert 3 in calendar.runs, "a run begins at once to report it"
    assert len(calendar.report()) == 1
    assert len(told) == 2


def test_a_run_begins_when_a_problem_is_first_seen_and_only_then(calendar: SimulatedCalendar) -> None:
    """The next post of the calendar may be weeks ahead, and nobody would be told until then."""
    good = post("a", 7 * DAY, video="https://example.com/a.mp4")
    calendar.write(good)
    assert calendar.parse(-600) == [7 * DAY - HOUR]
    calendar.write(good, post("bad", 8 * DAY, captoin="x"))
    assert calendar.parse(5) == [5, 7 * DAY - HOUR]
    assert calendar.parse(10) == [5, 7 * DAY - HOUR]
    text = calendar.file.read_text()
    calendar.file.write_text("posts:\n  - id: a: b\n")
    assert calendar.parse(15) == [5, 15, 7 * DAY - HOUR], "the file cannot be read"
    assert calendar.parse(20) == [5, 15, 7 * DAY - HOUR]
    assert [message[:6] for message in calendar.report()] == ["line 2", "Unknow"]
    calendar.file.write_text(text)
    assert calendar.parse(25) == [5, 7 * DAY - HOUR]
    assert calendar.report() == []
    calendar.file.write_text("posts:\n  - id: a: b\n")
    assert calendar.parse(30) == [5, 30, 7 * DAY - HOUR]
    assert len(calendar.report()) == 1, "it was corrected in between"


def test_a_problem_whose_first_look_cannot_be_stored_has_no_run_of_its_own(
    calendar: SimulatedCalendar, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be new at each look, and each look would make a run."""
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", str(calendar.file / "snapshots"))
    calendar.write(post("a", 7 * DAY), post("bad", 8 * DAY, captoin="x"))
    for at in (0, 5):
        assert calendar.parse(at) == [7 * DAY - HOUR]


def test_a_calendar_that_cannot_be_read_for_a_while_reports_nothing_again(
    calendar: SimulatedCalendar, monkeypatch: pytest.MonkeyPatch
) -> None:
    calendar.write(post("bad", 7 * DAY, captoin="x"))
    calendar.parse(0)
    assert len(calendar.report()) == 1
    text = calendar.file.read_text()
    calendar.file.unlink()
    with monkeypatch.context() as patch:
        patch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", str(calendar.file.with_name("other")))
        assert len(calendar.report()) == 1
    calendar.file.write_text(text)
    assert calendar.report() == []


def test_a_notifier_that_fails_fails_no_run_and_is_called_again(calendar: SimulatedCalendar) -> None:
    """A notifier's server may be down. The event is not repeated."""
    calls: list[str] = []

    def broken(context: Any) -> None:
        calls.append("broken")
        if len(calls) < 3:
            raise RuntimeError("no route to host")

    calendar.given["notify"] = [broken]
    calendar.write(post("bad", 7 * DAY, captoin="x"))
    calendar.parse(0)
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
    calendar.parse(0)
    messages = calendar.report()
    assert sent == [f"bad: {messages[0]}", f"worse: {messages[1]}"]


def test_a_mistake_in_hundreds_of_posts_is_counted(calendar: SimulatedCalendar, told: list[Any]) -> None:
    calendar.write(*(post(f"p{number}", DAY + number, captoin="x") for number in range(50)))
    calendar.parse(0)
    assert len(calendar.report()) == MOST_AT_ONCE + 1
    assert told[-1].message == "30 more problems are new."
    (extra,) = calendar.events.extras  # Airflow hands a DAG only the first of several events that one task emits
    assert extra["text"] == "\n".join(problem.text for problem in told)
    assert calendar.report() == []


@pytest.mark.parametrize("row", [{"told": 1}, {"told": {}, "found": [{"line": "x"}]}, [1], "x", 7])
def test_a_row_that_a_user_has_damaged_counts_as_none(calendar: SimulatedCalendar, row: Any) -> None:
    calendar.write(post("bad", 7 * DAY, captoin="x"))
    calendar.parse(0)
    calendar.rows(events_asset("content")).set("problems", row)
    assert len(calendar.report()) == 1


def test_a_forged_row_keeps_no_problem_from_being_told(calendar: SimulatedCalendar) -> None:
    calendar.write(post("bad", 7 * DAY, captoin="x"))
    calendar.parse(0)
    assert len(calendar.report()) == 1
    rows = calendar.ledgers[events_asset("content")]
    rows["problems"] = {"form": 1, "row": rows["problems"]["row"], "seal": "0" * 64}
    assert len(calendar.report()) == 1, "it counts as not told"
    assert calendar.report() == []


def test_a_post_beyond_its_accounts_limit_fails_its_own_run_and_no_other(calendar: SimulatedCalendar) -> None:
    """The DAG processor does not know the limits, so the post has a run. It would publish nothing, in silence."""
    posts = [post(f"p{number:02}", HOUR + 2 * number, video="https://example.com/a.mp4") for number in range(11)]
    calendar.write(*posts)
    calendar.parse(-DAY)
    (message,) = calendar.report("content/first", 0)
    assert message.startswith("it is post 11 of instagram_default within 60 min, from 'p00'")
    assert calendar.report("content/second", 2) == []
    with pytest.raises(AirflowFailException, match="post 'p10': it is post 11 of instagram_default"):
        calendar.report("content/own", 20)


def test_what_only_a_worker_finds_is_in_the_row_for_the_page(
    calendar: SimulatedCalendar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_instagram.calendar.tasks.report_problems.LOOK_AHEAD", timedelta(days=9_999))
    calendar.write(post("a", 365 * DAY, image="a.jpg"), post("bad", 366 * DAY, captoin="x"))
    calendar.parse(0)
    assert len(calendar.report()) == 2
    (problem,) = ProblemRecord.of(calendar.rows(events_asset("content")).get("problems")).found
    assert problem.post_id == "a"
    assert problem.message.startswith(f"{calendar.file.with_name('a.jpg')} is a local picture.")


def test_a_run_that_fails_leaves_new_problems_to_the_next_one(calendar: SimulatedCalendar, told: list[Any]) -> None:
    """Airflow drops the events of a task that fails."""
    calendar.write(post("bad", 7 * DAY, captoin="x"))
    calendar.parse(0)
    with pytest.raises(AirflowFailException, match="started for 'mondya'"):
        calendar.report("content/manual", 0, posts=["mondya"])
    assert (told, calendar.events.extras) == ([], [])
    assert len(calendar.report()) == len(told) == 1


def test_a_notifier_that_hangs_keeps_no_late_post_from_being_published(
    calendar: SimulatedCalendar, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is called before the publication, and its server may take the connection and say nothing."""
    monkeypatch.setattr("airflow_provider_instagram.calendar.tasks.base.NOTIFIERS_TIMEOUT_S", 0.1)
    server_answers, told = Event(), list[str]()

    def hangs(context: Any) -> None:
        told.append(f"begins to tell {context['event'].event}")
        server_answers.wait(5)
        told.append("has told")

    calendar.given["notify"] = hangs
    calendar.write(post("a", HOUR))
    calendar.parse(0)
    (selected,) = calendar.run("content/own", 0)
    step = TranscodePost(task_id="step", post=selected, settings=calendar.settings, instagram_conn_id=ACCOUNT)
    scheduled = step.as_post()
    step.tell_that_it_is_late(calendar.context("content/own", 0), scheduled, scheduled.publish_at + timedelta(hours=1))
    assert told == ["begins to tell late"]
    server_answers.set()
