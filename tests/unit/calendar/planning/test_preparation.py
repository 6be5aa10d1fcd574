"""Which run prepares a post ahead of the run that publishes it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.calendar.file.model import ScheduledPost
from airflow_provider_instagram.calendar.planning.assignments import Assignments
from airflow_provider_instagram.calendar.planning.settings import CalendarSettings
from airflow_provider_instagram.calendar.tasks.transcode import TranscodePost
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.ledger.records import PublishedPost
from tests.unit.calendar.simulated_runs import ACCOUNT, ids, post

if TYPE_CHECKING:
    from tests.unit.calendar.simulated_runs import SimulatedCalendar

HOUR, DAY = 60.0, 24 * 60.0
#: Its own run begins an hour before, and its preparation a day and 20 minutes before: at a full hour.
DUE = 3 * DAY + 20


@pytest.fixture
def ahead(calendar: SimulatedCalendar) -> SimulatedCalendar:
    """A calendar whose posts are prepared a day ahead."""
    calendar.given = {"prepare_ahead": timedelta(days=1)}
    return calendar


def test_a_run_prepares_the_posts_of_an_hour_a_day_ahead_and_another_publishes_each(ahead: SimulatedCalendar) -> None:
    ahead.write(post("a", DUE), post("b", DUE + 30), post("c", DUE + HOUR))
    assert ahead.parse(0) == [
        0,  # shows them
        *(2 * DAY, 2 * DAY + HOUR),
        *(3 * DAY - 40, 3 * DAY - 10, 3 * DAY + 20),
    ]
    assert ids(ahead.run("content/first", 0)) == []
    assert ids(ahead.run("content/early", 2 * DAY)) == ["a", "b"]
    assert ids(ahead.run("content/next", 2 * DAY + HOUR)) == ["c"]
    assert ids(ahead.run("content/own", 3 * DAY - 40)) == ["a"]
    assert ids(ahead.run("content/own-of-b", 3 * DAY - 10)) == ["b"]


def test_a_run_that_only_prepares_a_post_is_not_the_one_that_publishes_it(ahead: SimulatedCalendar) -> None:
    """If the author makes the lead time shorter, the run that the post is assigned to publishes it all the same."""
    ahead.write(post("a", DUE))
    ahead.parse(0)

    def only_prepares(run: str, begin: float, lead_time: timedelta = timedelta(hours=1), **params: Any) -> bool:
        ahead.given["lead_time"] = lead_time
        scheduled = ScheduledPost.model_validate(selected)
        step = TranscodePost(task_id="t", post=selected, settings=ahead.settings, instagram_conn_id=ACCOUNT)
        return step.only_prepares(ahead.context(run, begin, **params), scheduled)

    (selected,) = ahead.run("content/early", 2 * DAY)
    assert only_prepares("content/early", 2 * DAY)
    assert not only_prepares("content/manual", 2 * DAY, posts=["a"])
    ahead.run("content/own", 3 * DAY - 40)
    assert not only_prepares("content/own", 3 * DAY - 40)
    assert not only_prepares("content/own", 3 * DAY - 40, timedelta(minutes=30))
    assert only_prepares("content/early", 2 * DAY)


@pytest.mark.parametrize("readable", [True, False])
def test_a_lead_time_that_grows_after_a_posts_moment_loses_no_post(ahead: SimulatedCalendar, readable: bool) -> None:
    """Airflow never goes back before the last run, and that run only prepared the post, or began for another one."""
    others = [post("live", 2 * HOUR), post("far", 9 * HOUR), post("removed", 5 * HOUR)]
    ahead.write(*others)
    ahead.parse(0)
    ahead.write(*others[:2], post("a", 6 * HOUR))
    assert ahead.parse(30) == [0, 30, HOUR, 5 * HOUR, 8 * HOUR]
    assert ids(ahead.run("content/preview", 30)) == ["a"]
    assert ids(ahead.run("content/live", HOUR)) == ["live"]
    text = ahead.file.read_text()
    ahead.given["lead_time"] = timedelta(hours=6)
    if not readable:
        ahead.file.write_text("posts:\n  - id: a: b\n")
    at_once = 70 + 1 / 60
    assert at_once in ahead.parse(70)
    ahead.file.write_text(text)
    for now in (80, 90):
        begins = [begin for begin in ahead.parse(now) if begin > HOUR]
        assert begins == [at_once, 3 * HOUR]
    assert ids(ahead.run("content/at-once", at_once)) == ["a"]
    assert ids(ahead.run("content/far", 3 * HOUR)) == ["far"]


def test_a_lead_time_that_grows_while_airflow_is_down_loses_no_post(ahead: SimulatedCalendar) -> None:
    """A post whose time has passed meanwhile is late, and one that was over when the calendar was new is none."""
    ahead.write(post("over", -5), post("a", 6 * HOUR), post("long-over", 2 * HOUR))
    ahead.parse(0)
    assert ids(ahead.run("content/early", 0)) == ["long-over", "a"]
    ahead.given["lead_time"] = timedelta(hours=8)
    at_once = 6 * HOUR + 10 + 1 / 60
    assert ahead.parse(6 * HOUR + 10)[-1] == at_once
    assert ids(ahead.run("content/at-once", at_once)) == ["a"]
    assert ahead.problems() == []


def test_posts_that_are_due_soon_when_a_calendar_is_new_are_prepared_at_once(ahead: SimulatedCalendar) -> None:
    ahead.write(post("over", -5), post("next", 30), post("soon", 10 * HOUR))
    assert ahead.parse(0) == [-65, -30, 0, 9 * HOUR]
    assert ids(ahead.run("content/next", -30)) == ["next"]
    assert ids(ahead.run("content/first", 0)) == ["soon"]


def test_an_edited_or_moved_or_new_version_is_prepared_when_it_is_seen(ahead: SimulatedCalendar) -> None:
    """The run of the version before leaves it alone. A version that is seen within its lead time has one run only."""
    posts = {name: post(name, 10 * HOUR) for name in ("edited", "moved", "stays", "removed")}
    ahead.write(*posts.values())
    ahead.parse(0)
    posts |= {"edited": post("edited", 10 * HOUR, caption="New"), "moved": post("moved", 12 * HOUR)}
    ahead.write(*(posts[name] for name in ("edited", "moved", "stays")), post("new", 11 * HOUR), post("near", 150))
    assert ahead.parse(100) == [0, 100, 9 * HOUR, 10 * HOUR, 11 * HOUR]
    assert ids(ahead.run("content/of-the-edit", 100)) == ["near", "edited", "new", "moved"]
    assert ids(ahead.run("content/first", 0)) == ["stays"]


def test_a_version_that_is_seen_long_before_its_preparation_has_a_run_that_shows_it(ahead: SimulatedCalendar) -> None:
    ahead.write(post("a", DUE))
    ahead.parse(0)
    ahead.write(post("a", DUE, caption="Edited"), post("over", 50))
    assert ahead.parse(100) == [100, 2 * DAY, 3 * DAY - 40]
    assert ids(ahead.run("content/of-the-edit", 100)) == []


def test_a_post_that_another_run_has_or_that_is_skipped_or_live_is_not_prepared(ahead: SimulatedCalendar) -> None:
    ahead.write(*(post(name, DUE) for name in ("free", "skipped", "now", "live")))
    ahead.parse(0)
    store = ahead.rows()
    posts = {name: ScheduledPost.model_validate(one) for name in ("skipped", "now") for one in [chosen(ahead, name)]}
    assignments = Assignments(store, "content")
    assignments.skip(posts["skipped"], "anna")
    assignments.assign(posts["now"], "content/now__now__1")
    done = PublishedPost(f"{ACCOUNT}/live", "c", "2026-12-02T12:00:00+00:00", "m")
    Ledger(store, ACCOUNT).record_post(done)
    assert ids(ahead.run("content/early", 2 * DAY)) == ["free"]


def chosen(calendar: SimulatedCalendar, post_id: str) -> dict[str, Any]:
    found = calendar.settings.plan().calendar.post(post_id)
    assert found is not None
    return found.model_dump(mode="json", exclude_defaults=True)


@pytest.mark.parametrize("given", [timedelta(0), timedelta(minutes=30), timedelta(hours=1)])
def test_a_post_is_prepared_by_its_own_run_if_that_begins_no_later(calendar: SimulatedCalendar, given: Any) -> None:
    calendar.given = {"prepare_ahead": given}
    calendar.write(post("a", DUE))
    assert calendar.parse(0) == [3 * DAY - 40]


def test_how_long_ahead_is_a_time_span_or_a_text(calendar: SimulatedCalendar, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results are kept for 30 days, and one that is older than the half of that is made again."""

    def read(value: Any) -> tuple[timedelta, list[str]]:
        settings = CalendarSettings.of("content", str(calendar.file), prepare_ahead=value)
        return settings.prepare_ahead, [problem.remedy for problem in settings.problems]

    assert read("7 days") == (timedelta(days=7), [])
    assert read(timedelta(hours=36)) == (timedelta(hours=36), [])
    assert CalendarSettings.of("content", str(calendar.file)).prepare_ahead == timedelta(days=3)
    for wrong in ("a week", 3, timedelta(days=14), timedelta(-1)):
        used, remedies = read(wrong)
        assert used == timedelta(days=3)
        assert "of 13 days at most" in remedies[0]
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__KEEP_RESULTS_DAYS", "60")
    assert read(timedelta(days=14)) == (timedelta(days=14), [])
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__KEEP_RESULTS_DAYS", "1")
    assert read(timedelta(days=3)) == (timedelta(days=3), [])
