"""Which runs the planner starts, as a table: the plan before, the calendar now, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_provider_instagram.calendar.file.columns import Calendar, InvalidPost, ScheduledPost
from airflow_provider_instagram.calendar.planning.begin_runs import KEPT, Plan, Records, decide, next_moment

NOW = datetime(2030, 5, 6, 12, tzinfo=timezone.utc)
AHEAD, LATENESS = timedelta(days=3), timedelta(hours=1)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def post(after: timedelta, caption: str = "A", post_id: str = "p", account: str = "studio") -> ScheduledPost:
    return ScheduledPost(id=post_id, publish_at=NOW + after, account=account, caption=caption, video="/v.mp4")


def calendar(*posts: ScheduledPost, invalid: tuple[InvalidPost, ...] = ()) -> Calendar:
    left_out = frozenset(one.id for one in invalid)
    return Calendar("/plan.yaml", posts=tuple(posts), invalid=invalid, left_out=left_out)


def invalid(after: timedelta) -> InvalidPost:
    return InvalidPost("p", NOW + after, "studio", 1)


def plan(now: Calendar, before: Plan | None, at: datetime = NOW, **more: Any) -> Plan:
    known = {one.name: more.pop(one.name) for one in fields(Records) if one.name in more}
    return decide(now, before, at, begins_ahead=AHEAD, max_lateness=LATENESS, records=Records(**known), **more)


def started(now: Calendar, before: Plan | None = None, at: datetime = NOW, **more: Any) -> Plan:
    """Return a plan whose runs were all started."""
    return replace(plan(now, before, at, **more), pending=())


@dataclass(frozen=True)
class Case:
    """One look: the calendars of the looks before it, each with how long ago it was, and the calendar now.

    :param live: How the keys end that are published since the first look.
    """

    earlier: tuple[tuple[timedelta, Calendar], ...]
    now: Calendar
    starts: tuple[str, ...]
    passed: bool | None = None
    live: str | None = None
    more: dict[str, Any] = field(default_factory=dict)


EMPTY = calendar()
#: A run was begun for the post, whatever the plan knows.
WORKED_ON = {"runs": lambda _: {"p": post(-HOUR / 2).version}}
#: Airflow does not have its first run any more.
LOST = {"lost": {"p"}.intersection}
#: The runs that are to be started: the first one, that of a later version, and that one while the first one ends.
NONE: tuple[str, ...] = ()
FIRST, NEW, BOTH = ("p",), ("p~v2",), ("p", "p~v2")
CASES = {
    "a new calendar: a post of tomorrow": Case((), calendar(post(DAY)), FIRST),
    "a new calendar: a post that is far ahead": Case((), calendar(post(4 * DAY)), NONE),
    "a new calendar: a post that is over is no mistake": Case((), calendar(post(-HOUR / 2)), NONE, passed=False),
    "a new calendar, but the post was to come when the planner was woken": Case(
        (), calendar(post(-HOUR / 2)), FIRST, more={"came_at": NOW - HOUR}
    ),
    "a new calendar, but a run was begun for the late post: the DAG was renamed": Case(
        (), calendar(post(-HOUR / 2)), NEW, more=WORKED_ON
    ),
    "the same, and that run goes on: the plan was lost": Case(
        (), calendar(post(-HOUR / 2)), NONE, more=WORKED_ON | {"stands": lambda _, run: run == "p"}
    ),
    "the same, but it is live": Case((), calendar(post(-HOUR / 2)), NONE, passed=False, live="/p", more=WORKED_ON),
    "the same, but it is too late": Case((), calendar(post(-2 * HOUR)), NONE, passed=False, more=WORKED_ON),
    "nothing has changed": Case(((HOUR, calendar(post(DAY))),), calendar(post(DAY)), NONE),
    "its time comes near": Case(((2 * DAY, calendar(post(2 * DAY))),), calendar(post(2 * DAY)), FIRST),
    "it was added within three days": Case(((HOUR, EMPTY),), calendar(post(HOUR)), FIRST),
    "it was added far ahead": Case(((HOUR, EMPTY),), calendar(post(9 * DAY)), NONE),
    "it was added with a time that had passed": Case(((HOUR, EMPTY),), calendar(post(-HOUR / 4)), NONE, passed=True),
    "it was added before that, but no scheduler began the planner's run": Case(
        ((HOUR, EMPTY),), calendar(post(-HOUR / 4)), FIRST, more={"came_at": NOW - HOUR / 2}
    ),
    "it was edited": Case(((HOUR, calendar(post(DAY))),), calendar(post(DAY, "B")), BOTH),
    "it was edited far ahead": Case(((HOUR, calendar(post(9 * DAY))),), calendar(post(9 * DAY, "B")), NONE),
    "it was edited shortly after its time": Case(
        ((HOUR, calendar(post(-HOUR / 4))),), calendar(post(-HOUR / 4, "B")), BOTH
    ),
    "it was edited long after its time": Case(
        ((5 * HOUR, calendar(post(-4 * HOUR))),), calendar(post(-4 * HOUR, "B")), NONE
    ),
    "it was edited after it went out": Case(
        ((HOUR, calendar(post(-HOUR / 4))),), calendar(post(-HOUR / 4, "B")), NONE, live="/p"
    ),
    "it went to another account after it went out: its time has passed, and that may be the same account": Case(
        ((HOUR, calendar(post(-HOUR / 4))),),
        calendar(post(-HOUR / 4, account="shop")),
        NONE,
        passed=True,
        live="studio/p",
    ),
    "it went to another account right before its time, and went out as it was": Case(
        ((HOUR, calendar(post(-HOUR / 4))),),
        calendar(post(-HOUR / 4, account="shop")),
        NONE,
        passed=True,
        live="studio/p",
        more={"came_at": NOW - HOUR / 2},
    ),
    "it went to another account, and back after both went out": Case(
        ((2 * HOUR, calendar(post(-HOUR / 4))), (HOUR, calendar(post(-HOUR / 4, account="shop")))),
        calendar(post(-HOUR / 4)),
        NONE,
        live="/p",
    ),
    "it was moved to a time to come after it went out: its run says that its id is used": Case(
        ((HOUR, calendar(post(-HOUR / 4))),), calendar(post(DAY)), NEW, live="/p"
    ),
    "it was moved far ahead after it went out: its run stays until then": Case(
        ((HOUR, calendar(post(-HOUR / 4))),), calendar(post(9 * DAY)), NONE, live="/p"
    ),
    "the same, when the new time comes near": Case(
        ((9 * DAY, calendar(post(-8 * DAY))), (7 * DAY, calendar(post(DAY)))),
        calendar(post(DAY)),
        NEW,
        live="/p",
        more=WORKED_ON,
    ),
    "it went out before its time, and was moved then": Case(
        ((HOUR, calendar(post(HOUR))),), calendar(post(2 * HOUR)), NONE, live="/p"
    ),
    "it was moved to a time to come": Case(((HOUR, calendar(post(DAY))),), calendar(post(2 * DAY)), BOTH),
    "it was moved far ahead: its run ends": Case(((HOUR, calendar(post(DAY))),), calendar(post(9 * DAY)), FIRST),
    "it was moved to a time that had passed: its run ends": Case(
        ((HOUR, calendar(post(DAY))),), calendar(post(-HOUR / 4)), FIRST, passed=True
    ),
    "a late post was moved to a time to come": Case(((HOUR, calendar(post(-HOUR / 2))),), calendar(post(HOUR)), BOTH),
    "it was removed: its run ends": Case(((HOUR, calendar(post(DAY))),), EMPTY, FIRST),
    "it was removed before its run began": Case(((HOUR, calendar(post(9 * DAY))),), EMPTY, NONE),
    "it was removed after it went out": Case(((HOUR, calendar(post(-HOUR / 4))),), EMPTY, NONE, live="/p"),
    "it was removed long after its time": Case(((5 * HOUR, calendar(post(-4 * HOUR))),), EMPTY, NONE),
    "it has a problem now: its run ends": Case(
        ((HOUR, calendar(post(DAY))),), calendar(invalid=(invalid(DAY),)), FIRST
    ),
    "its problem was corrected": Case(((HOUR, calendar(invalid=(invalid(DAY),))),), calendar(post(DAY)), FIRST),
    "its problem was corrected shortly after its time": Case(
        ((HOUR, calendar(invalid=(invalid(-HOUR / 4),))),), calendar(post(-HOUR / 4)), FIRST
    ),
    "it was put back as it was, and the ledger was lost": Case(
        ((2 * HOUR, calendar(post(DAY))), (HOUR, EMPTY)), calendar(post(DAY)), FIRST
    ),
    "nobody looked while its time came: it is late": Case(
        ((4 * DAY, calendar(post(-HOUR / 4))),), calendar(post(-HOUR / 4)), FIRST
    ),
    "nobody looked for days: its run says that it is too late": Case(
        ((9 * DAY, calendar(post(-DAY))),), calendar(post(-DAY)), FIRST
    ),
    "its run was deleted": Case(((HOUR, calendar(post(DAY))),), calendar(post(DAY)), NEW, more=LOST),
    "its run was deleted after its time": Case(
        ((HOUR, calendar(post(-HOUR / 2))),), calendar(post(-HOUR / 2)), NEW, more=LOST
    ),
    "its run was deleted after it went out": Case(
        ((HOUR, calendar(post(-HOUR / 4))),), calendar(post(-HOUR / 4)), NONE, live="/p", more=LOST
    ),
    "its run was deleted long after its time": Case(
        ((5 * HOUR, calendar(post(-4 * HOUR))),), calendar(post(-4 * HOUR)), NONE, more=LOST
    ),
    "its run was deleted, and it was edited: no run has to end": Case(
        ((HOUR, calendar(post(DAY))),), calendar(post(DAY, "B")), NEW, more=LOST
    ),
    "its run was deleted, and it was removed": Case(((HOUR, calendar(post(DAY))),), EMPTY, NONE, more=LOST),
    "the id of its run is taken": Case((), calendar(post(DAY)), NEW, more={"exists": {"p"}.__contains__}),
    "the DAG was a dry run": Case(((HOUR, calendar(post(DAY))),), calendar(post(DAY)), BOTH, more={"was_dry": True}),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_run_is_started_when_its_post_needs_one(case: Case) -> None:
    was_dry = case.more.pop("was_dry", False) if case.more.get("was_dry") else False

    def is_live(key: str) -> bool:
        return case.live is not None and key.endswith(case.live)

    before = None
    for ago, earlier in case.earlier:
        went_out = is_live if before is not None else lambda _: False
        before = started(earlier, before, NOW - ago, is_dry=was_dry, is_live=went_out)
    found = plan(case.now, before, is_live=is_live, **case.more)
    assert found.pending == case.starts
    one = found.passed.get("p")
    assert (None if one is None else one.is_mistake) is case.passed
    again = plan(case.now, replace(found, pending=()), is_live=is_live, **case.more)
    assert again.pending == ()  # the next look starts nothing
    assert (again.begun, again.passed) == (found.begun, found.passed)


@pytest.mark.parametrize("now", [calendar(post(DAY, "B")), calendar(post(9 * DAY)), EMPTY], ids=str)
def test_a_run_that_may_have_sent_its_post_settles_that_before_a_change_counts(now: Calendar) -> None:
    """If it began anew, it would skip itself, and nothing would find out whether the post is live."""
    before = started(calendar(post(DAY)), None, NOW - HOUR)
    found = plan(now, before, is_open=lambda _: True)
    assert (found.pending, found.begun["p"].run, found.unsettled) == ((), "p", True)
    after = plan(now, found)
    assert after.pending[:1] == ("p",)
    assert not after.unsettled
    assert not plan(now, before, NOW + 2 * DAY, is_open=lambda _: True).unsettled, "nobody looks for ever"


def test_a_run_that_may_not_have_been_started_is_started_again() -> None:
    first = plan(calendar(post(DAY)), None)
    assert first.pending == ("p",)
    second = plan(calendar(post(DAY), post(HOUR, post_id="q")), first)
    assert second.pending == ("p", "q")
    gone = plan(EMPTY, first)
    assert gone.pending == ("p",)
    assert gone.begun == {}


def test_a_post_whose_time_had_passed_stays_a_problem_until_it_gets_another() -> None:
    added = started(calendar(post(-HOUR / 4)), started(EMPTY, None, NOW - HOUR))
    (problem,) = added.timely.problems
    assert "had passed when Airflow read it in the file" in problem.message
    assert added.timely.posts == ()
    edited = started(calendar(post(-HOUR / 4, "B")), added)
    assert len(edited.timely.problems) == 1
    assert plan(calendar(post(HOUR)), edited).pending == ("p",)


def test_what_was_over_when_the_calendar_was_new_stays_over_when_it_is_edited() -> None:
    new = started(calendar(post(-HOUR / 4)))
    edited = plan(calendar(post(-HOUR / 4, "B")), new)
    assert (edited.pending, edited.timely.problems) == ((), ())
    assert plan(calendar(post(HOUR)), new).pending == ("p",)


def test_a_post_that_comes_back_on_another_account_does_not_get_the_run_that_asked_about_the_first() -> None:
    """Airflow keeps the first question of a run, and the ledger of the other account knows no run of the post."""
    gone = started(EMPTY, started(calendar(post(DAY)), None, NOW - HOUR), NOW - HOUR / 2)
    back = calendar(post(DAY, account="shop"))
    assert plan(back, gone, exists={"p", "p~v2"}.__contains__).pending == ("p~v3",)


def test_runs_are_forgotten_a_month_after_their_posts() -> None:
    before = started(calendar(post(HOUR)))
    assert started(EMPTY, before, NOW + KEPT, is_live=lambda _: True).begun.keys() == {"p"}
    assert started(EMPTY, before, NOW + KEPT + 2 * HOUR).begun == {}


def test_the_planner_looks_again_when_the_next_post_comes_near() -> None:
    posts = calendar(post(DAY), post(5 * DAY, post_id="q"), post(9 * DAY, post_id="r"))
    assert next_moment(plan(posts, None), AHEAD) == NOW + 2 * DAY
    assert next_moment(plan(calendar(post(DAY)), None), AHEAD) is None


def test_two_thousand_posts_are_decided_at_once() -> None:
    """Each is started once, at its moment, whatever the number of looks."""
    posts = calendar(*(post(number * HOUR, post_id=f"p{number}") for number in range(1, 2001)))
    before, all_started = None, list[str]()
    for day in range(85):
        before = plan(posts, before, NOW + day * DAY)
        all_started += before.pending
        before = replace(before, pending=())
    assert all_started == [f"p{number}" for number in range(1, 2001)]
