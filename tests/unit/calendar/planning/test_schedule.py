"""When a calendar's runs begin, which posts they take, and when late ones go out."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pendulum
import pytest
import yaml
from airflow.timetables.base import DataInterval, TimeRestriction

from airflow_provider_instagram.calendar.planning.assignments import Assignment
from airflow_provider_instagram.calendar.planning.schedule import (
    first_free_time,
    most_in_window,
)
from airflow_provider_instagram.calendar.planning.settings import CalendarSettings
from airflow_provider_instagram.calendar.tasks.select_posts import SelectPosts
from airflow_provider_instagram.calendar.timetable import ContentCalendarTimetable
from tests.unit.calendar.simulated_runs import SimulatedCalendar

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_instagram.calendar.file.model import ScheduledPost
    from airflow_provider_instagram.calendar.planning.plan import Plan

NOON = datetime(2026, 12, 1, 12, tzinfo=timezone.utc)
LEAD, LATENESS = timedelta(hours=1), timedelta(hours=1)
EVERY = TimeRestriction(None, None, catchup=True)


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Plan]:
    """Write a calendar (minutes after noon by post id) and read it at a time."""
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", str(tmp_path / "snapshots"))
    file = tmp_path / "posts.yaml"
    settings = CalendarSettings.of("content", str(file), lead_time=LEAD, max_lateness=LATENESS)

    def read(posts: dict[str, float] | None, at: datetime = NOON, **captions: str) -> Plan:
        if posts is not None:
            rows = [
                {
                    "id": post_id,
                    "publish_at": f"{NOON + minutes(after):%Y-%m-%d %H:%M:%S} UTC",
                    "video": "a.mp4",
                    "caption": captions.get(post_id, post_id),
                }
                for post_id, after in posts.items()
            ]
            file.write_text(yaml.safe_dump({"min_spacing": "0 s", "posts": rows}))
        return settings.plan(at)

    return read


def begin(plan: Plan) -> list[float]:
    """Return when the runs begin, in minutes after noon."""
    return [round((moment - NOON.timestamp()) / 60, 3) for moment in plan.runs(LEAD, LATENESS)]


def chosen(
    plan: Plan,
    slot_min: float,
    taken: dict[str, Assignment] | None = None,
    run: str = "content/mine",
    since_min: float | None = None,
    has_failed: str = "none",
    by_hand: bool = False,
) -> list[str]:
    since = {} if since_min is None else {slot_min: since_min}
    calendar = SimulatedCalendar(Path("posts.yaml"), failed={has_failed}, runs=since)
    task = SelectPosts(task_id="due", settings=calendar.settings, instagram_conn_id="instagram_default")
    context = calendar.context(f"{run}, manual" if by_hand else run, slot_min)
    assignments: Any = SimpleNamespace(of=lambda post: (taken or {}).get(post.id))
    return [post.id for post in plan.timely.posts if task.is_due(context, post, assignments)]


def taken(post: ScheduledPost, run: str) -> Assignment:
    return Assignment(post.key, run, post.version)


def test_runs_begin_a_lead_time_ahead_and_posts_of_one_minute_share_one(plan: Callable[..., Plan]) -> None:
    assert begin(plan({"a": 60.0, "b": 60.5, "c": 60.9, "d": 61.0, "e": 300.25})) == [0, 1, 240]


def test_what_comes_after_its_lead_time_has_begun_gets_a_run_when_it_is_seen(plan: Callable[..., Plan]) -> None:
    """Added, edited and moved posts alike; what was there before keeps its run."""
    first = plan({"a": 50, "b": 90, "c": 55})
    assert begin(first) == [-10, -5, 30]
    later = NOON + minutes(20)
    edited = plan({"a": 50, "b": 30, "c": 55, "new": 40}, later, c="edited")
    assert begin(edited) == [-10, 20]
    assert begin(plan(None, later + minutes(9))) == [-10, 20]
    assert chosen(edited, 20, {"a": taken(edited.calendar.posts[2], "content/earlier")}) == ["b", "new", "c"]


def test_what_comes_when_its_time_is_over_is_a_problem_and_no_run_publishes_it(plan: Callable[..., Plan]) -> None:
    plan({"a": 90})
    late = plan({"a": 90, "late": -5})
    assert begin(late) == [0, 30], "one run reports the problem"
    (problem,) = late.timely.problems
    assert problem.post_id == "late"
    assert "had passed when Airflow read it in the file" in problem.message
    assert [post.id for post in late.timely.posts] == ["a"]
    assert chosen(late, -60) == []


def test_an_edit_seen_after_the_time_has_a_run_until_the_post_is_too_late(plan: Callable[..., Plan]) -> None:
    """A post that is out costs an empty run; one that Airflow missed goes out late as it is now.

    It keeps the beginning that it had, for where that was missed too.
    """
    plan({"a": 10, "b": 20})
    assert begin(plan({"a": 10, "b": 20}, NOON + minutes(9.9), a="edited")) == [-40, 9.9]
    assert begin(plan({"a": 10, "b": 20}, NOON + minutes(10.2), a="edited again")) == [-50, -40, 10.2]
    after = plan({"a": 10, "b": 20}, NOON + minutes(79), a="edited again", b="edited 59 min after")
    assert begin(after) == [-50, -40, 10.2, 79]
    over = plan({"a": 10, "b": 20}, NOON + minutes(81), a="edited again", b="edited 61 min after")
    assert begin(over) == [-50, 10.2]
    assert over.calendar.problems == ()


def test_a_run_takes_its_own_posts_and_those_that_nobody_has_as_they_are_now(plan: Callable[..., Plan]) -> None:
    posts = plan({"own": 60, "early": 30, "over": -10, "far": 200}).calendar.posts
    by_id = {post.id: post for post in posts}
    everything = plan(None)
    assert chosen(everything, 0) == ["early", "own"]
    assert chosen(everything, 0, {"early": taken(by_id["early"], "content/other")}) == ["own"]
    assert chosen(everything, 0, {"early": Assignment("k", "content/other", "an earlier version")}) == ["early", "own"]
    assert chosen(everything, 0, {"early": taken(by_id["early"], "")}) == ["early", "own"]
    old = {"over": Assignment("k", "content/other", "an earlier version")}
    assert chosen(everything, 0, old) == ["early", "own"]
    assert chosen(everything, 0, old, since_min=-10) == ["over", "early", "own"]
    assert chosen(everything, 0, {"own": taken(by_id["own"], "content/mine")}) == ["early", "own"]


def test_a_post_that_a_run_has_given_up_is_taken_again_at_its_moment_or_by_hand(plan: Callable[..., Plan]) -> None:
    """And not by the runs of other posts: a broken one would break each of them. What was settled stays settled."""
    posts = plan({"own": 60, "early": 30}).calendar.posts
    had = {post.id: taken(post, "content/failed") for post in posts}
    settled = {post.id: Assignment(post.key, "content/failed", post.version, settled=True) for post in posts}
    everything = plan(None)
    assert chosen(everything, 0, had, has_failed="content/another") == []
    assert chosen(everything, 0, had, has_failed="content/failed") == ["own"]
    assert chosen(everything, 1e-6, had, has_failed="content/failed") == ["own"], "also when the run reaches back"
    assert chosen(everything, 0, settled, has_failed="content/failed") == []
    assert chosen(everything, 10, had, has_failed="content/failed") == []
    assert chosen(everything, 10, had, has_failed="content/failed", by_hand=True) == ["early", "own"]
    assert chosen(everything, 10, settled, has_failed="content/failed", by_hand=True) == []


@pytest.mark.parametrize("back_s", [0, 1, 0.25, 599.5, 3600, 86_399, 2_000_000])
def test_the_data_interval_of_a_run_starts_at_the_earliest_time_of_its_posts(back_s: float) -> None:
    """Through the timetable as Airflow stores it. The run's own dates do not show how far back it reaches."""
    begin_s = int(NOON.timestamp())
    timetable = ContentCalendarTimetable({begin_s: begin_s - back_s, begin_s + 60: begin_s + 60}, 3600, "")
    stored = ContentCalendarTimetable.deserialize(json.loads(json.dumps(timetable.serialize())))
    last = DataInterval.exact(pendulum.instance(NOON - minutes(1)))
    first = stored.next_dagrun_info(last_automated_data_interval=last, restriction=EVERY)
    assert first is not None
    assert first.data_interval is not None
    assert (first.run_after, first.logical_date, first.data_interval.end) == (NOON, NOON, NOON)
    assert first.data_interval.start == NOON - timedelta(seconds=back_s)
    second = stored.next_dagrun_info(last_automated_data_interval=first.data_interval, restriction=EVERY)
    assert second is not None
    assert second.data_interval == DataInterval.exact(pendulum.instance(NOON + minutes(1)))


def test_a_dag_with_a_new_name_takes_over_what_is_still_to_come(plan: Callable[..., Plan]) -> None:
    """The old name's runs have stopped; nothing from before is done a second time."""
    by_id = {post.id: post for post in plan({"own": 60, "early": 30, "over": -10}).calendar.posts}
    everything = plan(None)
    old = {post_id: taken(post, "old name/a run") for post_id, post in by_id.items()}
    assert chosen(everything, 0, old, run="new name/a run") == ["early", "own"]
    assert chosen(everything, 0, old, run="old name/another run") == []


def test_what_a_user_skipped_is_not_due_even_if_its_row_says_that_a_run_has_it(plan: Callable[..., Plan]) -> None:
    """Users with the right on assets may write rows."""
    (post,) = plan({"a": 60}).calendar.posts
    row = replace(taken(post, "content/gone"), skipped_by="ada")
    assert chosen(plan(None), 0, {"a": row}, has_failed="content/gone", by_hand=True) == []
    assert chosen(plan(None), 0, {"a": taken(post, "content/gone")}, has_failed="content/gone", by_hand=True) == ["a"]


def test_missed_runs_are_caught_up_one_by_one_and_a_new_dag_begins_where_its_calendar_was_first_seen() -> None:
    runs = {(NOON + minutes(after)).timestamp(): (NOON + minutes(after)).timestamp() for after in (-300, -90, -30, 45)}
    timetable = ContentCalendarTimetable(runs, 3600, "4 posts", clock=lambda: NOON)
    stored = json.loads(json.dumps(timetable.serialize()))
    last, seen = DataInterval.exact(pendulum.instance(NOON - minutes(300))), []
    while info := ContentCalendarTimetable.deserialize(stored).next_dagrun_info(
        last_automated_data_interval=last, restriction=EVERY
    ):
        seen.append((info.run_after.timestamp() - NOON.timestamp()) / 60)
        last = info.data_interval or last
    assert seen == [-90, -30, 45]

    def first_run(since: datetime | None) -> float:
        seen_s = None if since is None else since.timestamp()
        new = ContentCalendarTimetable(runs, 3600, "4 posts", clock=lambda: NOON, since=seen_s)
        first = new.next_dagrun_info(last_automated_data_interval=None, restriction=EVERY)
        assert first is not None
        return (first.run_after.timestamp() - NOON.timestamp()) / 60

    assert first_run(NOON) == first_run(None) == -30
    assert first_run(NOON - minutes(31)) == -90
    assert first_run(NOON - minutes(29)) == -30
    assert first_run(NOON - timedelta(days=1)) == -300


def test_a_dag_that_was_deleted_and_returns_does_not_run_its_whole_past() -> None:
    """Its calendar was first seen months ago, and Airflow has no run of it."""
    runs = {(NOON - timedelta(days=ago)).timestamp(): (NOON - timedelta(days=ago)).timestamp() for ago in range(90)}
    since_s = (NOON - timedelta(days=80)).timestamp()
    timetable = ContentCalendarTimetable(runs, 3600, "90 posts", clock=lambda: NOON, since=since_s)
    first = timetable.next_dagrun_info(last_automated_data_interval=None, restriction=EVERY)
    assert first is not None
    assert first.run_after == NOON - timedelta(days=7)


@pytest.mark.parametrize(
    ("others", "expected"),
    [([], 0), ([20], 0), ([15], 0), ([10], 25), ([-10], 5), ([-10, 10], 25), ([-10, 10, 30], 45), ([14, 29, 60], 44)],
)
def test_a_late_post_goes_out_as_soon_as_there_is_room(others: list[float], expected: float) -> None:
    found = first_free_time(NOON, [NOON + minutes(other) for other in others], minutes(15))
    assert found == NOON + minutes(expected)


def test_the_most_times_in_one_window_are_counted() -> None:
    assert most_in_window([0, 59, 60, 61, 200], timedelta(seconds=60)) == 3


def test_a_damaged_snapshot_is_as_good_as_none(plan: Callable[..., Plan], tmp_path: Path) -> None:
    before = plan({"a": 60})
    (snapshot,) = (tmp_path / "snapshots").iterdir()
    stored = json.loads(snapshot.read_text())
    damages = [stored | {"at": "yesterday"}, stored | {"lead_s": float("nan")}, stored | {"plan": []}]
    endless = {"a": stored["plan"]["seen"]["a"] | {"due": float("inf")}}
    damages += [stored | {"plan": stored["plan"] | {"seen": seen}} for seen in (endless, {"a": 1})]
    texts = ["", "{}", '{"text": 1, "seen": {}}', '{"plan": {"calendar": 1}}', "[]", "[" * 100_000]
    for damage in (*texts, *map(json.dumps, damages)):
        snapshot.write_text(damage)
        assert plan(None) == before
        assert json.loads(snapshot.read_text()) == stored


def test_an_unchanged_calendar_is_read_alike_from_its_snapshot(
    plan: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And from there alone: its text is not gone through again."""
    said: dict[str, Any] = {"a": 60, "b": 60}
    fresh = plan(said)
    monkeypatch.delattr("airflow_provider_instagram.calendar.planning.snapshot.parse_rows")
    again = plan(None, NOON + minutes(5))
    assert again.calendar.posts == fresh.calendar.posts
    assert again.timely.problems == fresh.timely.problems
    assert [post.version for post in again.calendar.posts] == [post.version for post in fresh.calendar.posts]


@pytest.mark.usefixtures("losses_count")
def test_the_group_of_an_account_stays_while_runs_may_still_have_its_tasks(plan: Callable[..., Plan]) -> None:
    """The account's last post is taken out of the file: its tasks under way are not to vanish with it."""
    assert plan({"a": 60}).accounts == ["instagram_default"]
    for later in (1, 60, 40 * 60):
        emptied = plan({}, NOON + minutes(later))
        assert (emptied.calendar.accounts, emptied.accounts) == ([], ["instagram_default"])
        assert plan(None, NOON + minutes(later)).accounts == ["instagram_default"]
    assert plan({}, NOON + timedelta(days=3)).accounts == []
