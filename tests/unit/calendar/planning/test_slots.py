"""Posts without a time fill the slots of their account, and evergreen posts are repeated."""

from __future__ import annotations

import itertools
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from airflow_provider_instagram.calendar.planning.look import look
from airflow_provider_instagram.calendar.planning.settings import CalendarSettings
from airflow_provider_instagram.calendar.planning.slot_choices import choose
from airflow_provider_instagram.calendar.planning.stored_plan import read_plan, store
from airflow_provider_instagram.ledger.reach import Reached, ReachFile, reach_file
from airflow_provider_instagram.posts.kinds import PostKind

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.model import Calendar

BERLIN = ZoneInfo("Europe/Berlin")
#: A Tuesday.
NOON = datetime(2026, 12, 1, 12, tzinfo=BERLIN)
SLOTS = {"brand": ["Mon 08:30", "Thu 19:00"]}


class Team:
    """A calendar's file, and the settings of the DAG that reads it."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "spring.yaml"
        self.dag_id = "content"
        self.now = NOON

    def write(self, *posts: dict[str, Any], slots: Any = SLOTS, **defaults: Any) -> None:
        shared = {"video": "a.mp4", "timezone": "Europe/Berlin", "account": "brand", **defaults}
        head = {name: shared.pop(name) for name in ("min_spacing",) if name in shared}
        head |= {"slots": slots} if slots else {}
        self.file.write_text(yaml.safe_dump({**head, "defaults": shared, "posts": list(posts)}, sort_keys=False))

    @property
    def settings(self) -> CalendarSettings:
        return CalendarSettings.of(self.dag_id, str(self.file), accounts=["brand", "shop", "instagram_default"])

    def look(self, **later: float) -> Calendar:
        """Look at the calendar as the planner does, some time later."""
        self.now += timedelta(**later)
        settings = self.settings
        stored, _ = look(settings, read_plan(settings.plan_file), self.now)
        store(settings.plan_file, stored)
        return stored.plan.timely

    def task(self) -> Calendar:
        """Return the calendar that a task reads."""
        return self.settings.stored().plan.timely

    def planned(self, **later: float) -> dict[str, str]:
        return times(self.look(**later))


def times(calendar: Calendar) -> dict[str, str]:
    return {post.id: f"{post.publish_at.astimezone(BERLIN):%a %d %b %H:%M}" for post in calendar.posts}


def said(calendar: Calendar) -> list[tuple[int, str]]:
    return [(problem.line, f"{problem.message} {problem.remedy}") for problem in calendar.problems]


@pytest.fixture
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Team:
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", str(tmp_path / "snapshots"))
    return Team(tmp_path)


def post(post_id: str, **more: Any) -> dict[str, Any]:
    return {"id": post_id, **more}


def test_posts_without_a_time_fill_the_slots_in_the_order_of_the_file(team: Team) -> None:
    team.write(post("a"), post("b"), post("fixed", publish_at="2026-12-07 08:32"), post("c"))
    assert team.planned() == {
        "a": "Thu 03 Dec 19:00",
        "fixed": "Mon 07 Dec 08:32",
        "b": "Thu 10 Dec 19:00",
        "c": "Mon 14 Dec 08:30",
    }


def test_a_task_and_the_next_look_read_what_was_chosen(team: Team) -> None:
    team.write(post("a"), post("b"))
    chosen = team.planned()
    assert times(team.task()) == chosen
    assert team.planned(minutes=5) == chosen


def test_an_unchanged_calendar_with_slots_is_not_parsed_again(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    team.write(post("a"))
    chosen = team.planned()
    monkeypatch.delattr("airflow_provider_instagram.calendar.planning.look.parse_rows")
    assert team.planned(minutes=10) == chosen


def test_a_slot_before_the_lead_time_is_not_chosen(team: Team) -> None:
    team.write(post("a"), slots={"brand": ["Tue 12:59", "Tue 13:00"]})
    assert team.planned() == {"a": "Tue 01 Dec 13:00"}


def test_a_post_that_is_inserted_or_removed_moves_no_other(team: Team) -> None:
    """The inserted post gets the first free slot, and so does the next one after a removal."""
    team.write(post("a"), post("b"))
    before = team.planned()
    team.write(post("new"), post("a"), post("b"))
    assert team.planned(minutes=5) == before | {"new": "Thu 10 Dec 19:00"}
    team.write(post("new"), post("b"))
    team.look(minutes=5)
    team.write(post("newer"), post("new"), post("b"))
    assert team.planned(minutes=5)["newer"] == "Thu 03 Dec 19:00"
    assert team.planned()["new"] == "Thu 10 Dec 19:00"
    team.write(post("a"), post("newer"), post("new"), post("b"))
    assert team.planned(minutes=5)["newer"] == "Thu 03 Dec 19:00", "the post that returns finds its slot taken"
    assert team.planned()["a"] == "Mon 14 Dec 08:30"


@pytest.mark.usefixtures("losses_count")
def test_a_post_that_is_missing_from_a_half_written_file_keeps_its_slot(team: Team) -> None:
    team.write(post("a"), post("b"), post("c"))
    before = team.planned()
    team.write(post("a"))
    assert list(team.planned(minutes=1)) == ["a"]
    team.write(post("c"), post("a"), post("b"))
    assert team.planned(minutes=1) == before


def test_a_post_with_a_problem_keeps_its_slot(team: Team) -> None:
    team.write(post("a"), post("b"))
    before = team.planned()
    team.write(post("a", placement="nowhere"), post("b"), post("c"))
    assert team.planned(minutes=1) == {"b": before["b"], "c": "Thu 10 Dec 19:00"}
    team.write(post("a"), post("b"), post("c"))
    assert team.planned(minutes=1)["a"] == before["a"]


def test_a_time_in_the_file_wins_and_frees_the_slot(team: Team) -> None:
    team.write(post("a"), post("b"))
    team.look()
    team.write(post("a", publish_at="2026-12-05 10:00"), post("b"), post("c"))
    assert team.planned(minutes=5) == {
        "c": "Thu 03 Dec 19:00",
        "a": "Sat 05 Dec 10:00",
        "b": "Mon 07 Dec 08:30",
    }


def test_a_post_with_a_time_of_its_own_displaces_a_slot_that_is_not_fixed(team: Team) -> None:
    team.write(post("a"), post("b"))
    team.look()
    team.write(post("a"), post("b"), post("fair", publish_at="2026-12-07 08:30"))
    assert team.planned(minutes=5) == {
        "a": "Thu 03 Dec 19:00",
        "fair": "Mon 07 Dec 08:30",
        "b": "Thu 10 Dec 19:00",
    }


def test_other_slots_move_only_what_is_a_day_ahead(team: Team) -> None:
    team.write(post("a"), post("b"))
    team.look()
    team.write(post("a"), post("b"), slots={"brand": ["Fri 10:00"]})
    assert team.planned(days=1, hours=8) == {"a": "Thu 03 Dec 19:00", "b": "Fri 04 Dec 10:00"}
    # once more, with nothing fixed
    team.write(post("x"), post("y"), slots={"brand": ["Wed 10:00", "Sun 10:00"]})
    team.look(days=30)
    team.write(post("x"), post("y"), slots={"brand": ["Sun 10:00"]})
    assert team.planned() == {"x": "Sun 03 Jan 10:00", "y": "Sun 10 Jan 10:00"}


def test_a_slot_that_a_clock_change_skips_or_repeats_is_not_used(team: Team) -> None:
    """On 29 March 2026 02:30 does not exist in Berlin, and on 25 October it happens twice."""
    team.write(post("a"), post("b"), slots={"brand": ["Sun 02:30"]})
    team.now = datetime(2026, 3, 23, 12, tzinfo=BERLIN)
    assert team.planned() == {"a": "Sun 05 Apr 02:30", "b": "Sun 12 Apr 02:30"}
    team.write(post("c"), post("d"), slots={"brand": ["Sun 02:30"]})
    team.now = datetime(2026, 10, 19, 12, tzinfo=BERLIN)
    assert team.planned() == {"c": "Sun 01 Nov 02:30", "d": "Sun 08 Nov 02:30"}


def test_slots_are_local_times_also_across_a_clock_change(team: Team) -> None:
    team.write(*(post(f"p{n}") for n in range(3)), slots={"brand": ["Sat 12:00", "Sat 12:30 Asia/Tokyo"]})
    team.now = datetime(2026, 3, 24, 12, tzinfo=BERLIN)
    assert [f"{one.publish_at.astimezone(timezone.utc):%d %b %H:%M}" for one in team.look().posts] == [
        "28 Mar 03:30",
        "28 Mar 11:00",
        "04 Apr 03:30",
    ]
    assert [one.publish_at.strftime("%H:%M") for one in team.look().posts] == ["12:30", "12:00", "12:30"]


def test_each_account_has_its_own_slots(team: Team) -> None:
    slots = {"brand": ["Mon 08:30"], "shop": ["Mon 08:30"]}
    team.write(post("a"), post("b", account="shop"), post("c"), slots=slots)
    assert team.planned() == {"a": "Mon 07 Dec 08:30", "b": "Mon 07 Dec 08:30", "c": "Mon 14 Dec 08:30"}


def test_a_repetition_fills_the_first_slot_after_the_cooldown(team: Team) -> None:
    """A whole week counts as a week on the clock, also if the clocks are set forward in it."""
    team.write(post("tip", repeat_after="7 days"), slots={"brand": ["Mon 08:30"]})
    team.now = datetime(2026, 3, 22, 12, tzinfo=BERLIN)
    assert team.planned() == {"tip": "Mon 23 Mar 08:30", "tip~2": "Mon 30 Mar 08:30"}
    assert team.planned(days=5)["tip~3"] == "Mon 06 Apr 08:30"
    (_, second, third) = team.look().posts
    assert (second.key, second.repetition, third.key) == ("brand/tip~2", 2, "brand/tip~3")


def test_a_repetition_is_chosen_two_weeks_ahead_and_new_posts_come_first(team: Team) -> None:
    team.write(post("tip", repeat_after="20 days"), slots={"brand": ["Mon 08:30"]})
    assert list(team.planned()) == ["tip"]
    team.write(
        post("tip", repeat_after="20 days"), *(post(f"new{n}") for n in range(3)), slots={"brand": ["Mon 08:30"]}
    )
    assert team.planned(days=13) == {
        "tip": "Mon 07 Dec 08:30",
        "new0": "Mon 21 Dec 08:30",
        "new1": "Mon 28 Dec 08:30",
        "new2": "Mon 04 Jan 08:30",
    }
    assert team.planned(days=16)["tip~3"] == "Mon 11 Jan 08:30", "the second cooldown has begun meanwhile"


def test_the_post_whose_cooldown_ended_first_is_repeated_first(team: Team) -> None:
    evergreen = [
        post("late", publish_at="2026-11-20 10:00", repeat_after="10 days"),
        post("early", publish_at="2026-11-19 10:00", repeat_after="10 days"),
    ]
    team.write(*evergreen, slots={"brand": ["Thu 19:00", "Mon 08:30"]})
    assert [one for one in team.planned() if "~" in one][:2] == ["early~3", "late~3"]


def test_a_repetition_that_no_line_asks_for_any_more_is_removed(team: Team) -> None:
    slots = {"brand": ["Mon 08:30"]}
    team.write(post("tip", repeat_after="7 days"), slots=slots)
    assert list(team.planned()) == ["tip", "tip~2"]
    team.write(post("tip"), slots=slots)
    assert list(team.planned(minutes=5)) == ["tip"]
    team.write(post("tip", repeat_after="7 days"), slots=slots)
    assert team.planned(minutes=5) == {"tip": "Mon 07 Dec 08:30", "tip~2": "Mon 14 Dec 08:30"}


def test_numbers_of_repetitions_are_never_used_again(team: Team) -> None:
    """Not after a pause of the repetitions, and not after the choices were lost."""
    slots = {"brand": ["Mon 08:30"]}
    tip = post("tip", publish_at="2026-12-07 08:30", repeat_after="7 days")
    team.write(tip, slots=slots)
    team.look()
    assert list(team.planned(days=20)) == ["tip", "tip~2", "tip~3", "tip~4"]
    team.write(post("tip", publish_at="2026-12-07 08:30"), slots=slots)
    team.look(minutes=5)
    team.look(days=30)
    team.write(tip, slots=slots)
    calendar = team.look()
    assert list(times(calendar)) == ["tip", "tip~2", "tip~3", "tip~4", "tip~5", "tip~6"]
    assert calendar.problems == (), "nobody can correct that two repetitions were not asked for at their time"
    for file in (team.file.parent / "snapshots").glob("*.slots.json"):
        file.unlink()
    assert list(team.planned()) == ["tip", "tip~8", "tip~9"], "six cooldowns have begun since the first publication"


def test_after_an_outage_no_slot_of_the_past_is_filled(team: Team) -> None:
    """The repetition that was missed keeps its time, and its run marks it. The next one comes after now."""
    team.write(post("tip", repeat_after="7 days"), slots={"brand": ["Mon 08:30"]})
    assert team.planned() == {"tip": "Mon 07 Dec 08:30", "tip~2": "Mon 14 Dec 08:30"}
    assert team.planned(days=40) == {
        "tip": "Mon 07 Dec 08:30",
        "tip~2": "Mon 14 Dec 08:30",
        "tip~3": "Mon 11 Jan 08:30",
        "tip~4": "Mon 18 Jan 08:30",
    }
    assert "tip~2" in team.settings.stored().plan.pending


def test_a_renamed_dag_and_another_checkout_keep_the_slots(team: Team, tmp_path: Path) -> None:
    team.write(post("a"), post("tip", repeat_after="1 day"))
    chosen = team.planned(days=3)
    (tmp_path / "version-2").mkdir()
    team.file = team.file.rename(tmp_path / "version-2" / "spring.yaml")
    team.dag_id = "renamed"
    assert team.planned() == chosen


def test_what_another_process_has_stored_meanwhile_counts(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other process has read a file without the first post, so it has given the slot to the second."""
    team.write(post("b"))
    other = Team(team.file.parent)
    chooser = "airflow_provider_instagram.calendar.planning.slot_choices.choose"

    def overtaken(*args: Any) -> Any:
        monkeypatch.setattr(chooser, choose)
        team.write(post("b"))
        other.dag_id = "other"
        assert other.planned() == {"b": "Thu 03 Dec 19:00"}
        return choose(*args)

    team.write(post("a"), post("b"))
    monkeypatch.setattr(chooser, overtaken)
    assert team.planned() == {"b": "Thu 03 Dec 19:00", "a": "Mon 07 Dec 08:30"}


def test_what_cannot_be_stored_is_not_chosen(team: Team) -> None:
    (team.file.parent / "snapshots").write_text("a file, not a folder")
    team.write(post("a", publish_at="2026-12-07 08:30"), post("b"))
    calendar = look(team.settings, None, team.now)[0].plan.timely
    assert list(times(calendar)) == ["a"]
    assert [problem.post_id for problem in calendar.problems] == ["b"]
    assert "its slot cannot be stored" in calendar.problems[0].message


def test_an_unreadable_file_is_used_as_it_was_with_its_slots(team: Team) -> None:
    team.write(post("a"), post("b"))
    chosen = team.planned()
    team.file.write_text("posts: [")
    assert team.planned() == chosen
    assert not team.settings.stored().plan.readable


def test_a_post_with_neither_a_time_nor_slots_is_a_problem(team: Team) -> None:
    team.write(post("a"), post("b", account="shop"), post("c", publish_at=""))
    ((line, text),) = said(team.look())
    assert line == 11
    assert text == (
        "publish_at is missing. Add it: publish_at: 2026-12-24 18:00, or slots at the head of a YAML or JSON "
        "calendar: slots: {shop: [Mon 08:30, Thu 19:00]}"
    )


@pytest.mark.parametrize(
    ("slots", "problem"),
    [
        ("Mon 08:30", "slots must be an object. Write names and values: {instagram_default: [Mon 08:30, Thu 19:00]}"),
        ({"brand": ["Mon 8.30"]}, "slots of brand: 'Mon 8.30' is not a day of the week and a time. Write it like"),
        ({"brand": ["Moon 08:30"]}, "slots of brand: 'Moon 08:30' is not a day of the week"),
        ({"brand": ["Mon 24:30"]}, "slots of brand: 'Mon 24:30' has a time that does not exist."),
        ({"brand": ["Mon 08:30 Berlin"]}, "slots of brand: 'Berlin' is not a time zone. Did you mean Europe/Berlin?"),
        ({"brand": "auto Mon-Sat 20:00-9:00"}, "slots of brand: 'auto Mon-Sat 20:00-9:00' ends before it begins."),
        (
            {"brand": ["auto", "auto UTC"]},
            "slots of brand: these are 336 times in a week. Leave at most 268: a week of",
        ),
        ({"brand": "auto Mo-Sat"}, "slots of brand: 'auto Mo-Sat' is not a day of the week"),
        ({"brand": "auto 9-20"}, "'auto 9-20' is not a day of the week and a time. Write it like Mon 08:30, or auto"),
        ({"brand": {"Mon": "08:30"}}, "slots of brand: this is not a list of up to 100 times. Write a list:"),
    ],
)
def test_slots_that_cannot_be_read_are_a_problem(team: Team, slots: Any, problem: str) -> None:
    team.write(post("a", publish_at="2026-12-24 18:00"), slots=slots)
    ((line, text),) = said(team.look())
    assert line in (1, 2, 3)
    assert problem in text


def test_slots_need_a_time_zone(team: Team) -> None:
    team.write(post("a", publish_at="2026-12-24 18:00 UTC"), timezone=None)
    assert [text.partition(" Add")[0] for _, text in said(team.look())] == [
        "slots of brand: 'Mon 08:30' has no time zone.",
        "slots of brand: 'Thu 19:00' has no time zone.",
    ]


def learned(team: Team, hour: int, posts: int = 120) -> None:
    """Store what posts of the account reached: three times as much around one hour as at any other."""
    times = [NOON - timedelta(days=number, hours=number % 24) for number in range(1, posts + 1)]
    values = [(3000 if abs(at.hour - hour) <= 2 else 1000) + 90 * (at.day % 7) for at in times]
    reached = {
        str(number): Reached(at=int(at.timestamp()), kind=PostKind.REEL, value=value)
        for number, (at, value) in enumerate(zip(times, values, strict=True))
    }
    file = Path(reach_file(str(team.file.parent / "snapshots"), "brand"))
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(ReachFile(posts=reached).as_content())


def test_auto_chooses_hours_within_the_limits_of_the_file_and_says_why(team: Team) -> None:
    slots = {"brand": ["auto Tue-Sat 09:00-20:00"]}
    team.write(*(post(f"p{n}") for n in range(20)), slots=slots, timezone="Asia/Tokyo")
    posts = team.look().posts
    local = [one.publish_at.astimezone(ZoneInfo("Asia/Tokyo")) for one in posts]
    assert len(local) == 20
    assert all(at.weekday() in range(1, 6) and 9 <= at.hour <= 20 and at.minute == 0 for at in local)
    assert {one.in_slot for one in posts} == {"an hour to learn from: the numbers of 0 of 12 posts are known"}


def test_a_best_slot_is_one_in_which_posts_reached_most(team: Team) -> None:
    learned(team, 18)
    slots = {"brand": ["Tue 15:00", "Thu 08:00", "Fri 18:00", "Mon 03:00"]}
    team.write(post("now"), post("best", publish_at="best"), slots=slots)
    assert team.planned() == {"now": "Tue 01 Dec 15:00", "best": "Fri 04 Dec 18:00"}
    why = {one.id: one.in_slot for one in team.look().posts}
    assert why["now"] == "the first free slot"
    numbers = r"\d+ posts around this hour, [1-3]\.\d times the median, 80 % between [1-3]\.\d and [1-3]\.\d"
    assert re.fullmatch(f"Fri 18:00: {numbers}", why["best"])


def test_a_best_time_is_chosen_once_whatever_the_numbers_say_later(team: Team) -> None:
    learned(team, 18)
    team.write(*(post(f"p{n}") for n in range(5)), slots={"brand": "auto"}, min_spacing="20 h")
    before = team.planned()
    assert {at[-5:-3] for at in before.values()} <= {"16", "17", "18", "19", "20"}
    learned(team, 6)
    team.write(*(post(f"p{n}") for n in range(6)), slots={"brand": "auto"}, min_spacing="20 h")
    after = team.planned(hours=1)
    assert {key: after[key] for key in before} == before
    assert after["p5"][-5:-3] in ("04", "05", "06", "07", "08")


def test_a_damaged_file_of_results_delays_no_post(team: Team) -> None:
    learned(team, 18)
    (file,) = (team.file.parent / "snapshots").glob("*.reach.json")
    for content in (
        "[]",
        file.read_text().replace(str(int((NOON - timedelta(days=1, hours=1)).timestamp())), f"{10**15}"),
    ):
        file.write_text(content)
        team.write(post(f"p{len(content)}"), slots={"brand": "auto"})
        (one,) = team.look().posts
        assert one.in_slot == "an hour to learn from: the numbers of 0 of 12 posts are known"


def test_best_needs_slots(team: Team) -> None:
    team.write(post("a", account="shop", publish_at="best"))
    ((_, text),) = said(team.look())
    assert text.startswith(
        "publish_at: best needs slots of the account. Add it: publish_at: 2026-12-24 18:00, or slots"
    )


def test_more_posts_than_slots_of_a_year_are_a_problem(team: Team) -> None:
    team.write(*(post(f"p{n}") for n in range(54)), slots={"brand": ["Wed 08:30"]})
    calendar = team.look()
    assert len(calendar.posts) == 53
    ((_, text),) = said(calendar)
    assert text == (
        "no slot of its account is free within 366 days. Add slots at the head of the file, or give the post a "
        "publish_at."
    )


@pytest.mark.parametrize(
    ("more", "slots", "problem"),
    [
        ({"repeat_after": "30"}, SLOTS, "repeat_after is '30', which is less than a day. Write it like 30 days."),
        ({"repeat_after": "often"}, SLOTS, "repeat_after is 'often', which is not a length of time."),
        ({"repeat_after": "2 days"}, None, "repeat_after needs slots of brand. Add them at the head of a YAML or JSON"),
        ({"repeat_after": "2 days", "placement": "story"}, SLOTS, "A story does not take repeat_after."),
        ({"repeat_after": "400 days"}, SLOTS, "repeat_after is '400 days'. Use at most 366 days."),
    ],
)
def test_a_repetition_that_cannot_be_is_a_problem(team: Team, more: Any, slots: Any, problem: str) -> None:
    team.write(post("a", publish_at="2026-12-24 18:00", **more), slots=slots)
    ((_, text),) = said(team.look())
    assert problem in text


def test_a_default_repetition_does_not_concern_stories(team: Team) -> None:
    team.write(post("a", placement="story"), post("b"), repeat_after="3 days")
    calendar = team.look()
    assert calendar.problems == ()
    assert {one.id.partition("~")[0] for one in calendar.posts if one.repetition > 1} == {"b"}


def test_a_csv_calendar_has_no_slots(team: Team) -> None:
    team.file = team.file.with_suffix(".csv")
    team.file.write_text("id,publish_at,timezone,video\na,,UTC,a.mp4\n")
    ((line, text),) = said(team.look())
    assert line == 2
    assert "or slots at the head of a YAML or JSON calendar" in text


def test_a_quarter_of_an_account_fills_each_slot_once(team: Team) -> None:
    """On a fake clock, with a look every six hours and an edit every week: each number once, the cooldown is kept."""
    slots = {"brand": ["Mon 08:30", "Wed 12:00", "Fri 17:00"]}
    evergreen = [post(f"tip{n}", publish_at=f"2026-12-0{n + 1} 09:00", repeat_after="14 days") for n in range(4)]
    news: list[dict[str, Any]] = []
    seen: dict[str, set[str]] = {}
    for turn in range(13 * 7 * 4):
        if turn % 28 == 0:
            news = [post(f"news{turn // 28}"), *news]
            team.write(*news, *evergreen, slots=slots)
        calendar = team.look(hours=6)
        assert calendar.problems == ()
        moments = [one.publish_at for one in calendar.posts]
        assert len(set(moments)) == len(moments)
        for one in calendar.posts:
            if one.publish_at <= team.now + timedelta(hours=24):
                seen.setdefault(one.key, set()).add(one.publish_at.isoformat())
    assert {key: len(found) for key, found in seen.items() if len(found) != 1} == {}
    by_tip = [sorted(min(at) for key, at in seen.items() if f"tip{n}" in key) for n in range(4)]
    for found in by_tip:
        ordered = [datetime.fromisoformat(at) for at in found]
        gaps = [after - before for before, after in itertools.pairwise(ordered)]
        assert len(gaps) >= 4
        assert min(gaps) >= timedelta(days=14)
    assert sum("news" in key for key in seen) >= 12
