"""Times are moments: what is between two of them, and which is first, is right also in the night of a clock change.

The clocks: Europe/Berlin 2026-10-25 03:00 → 02:00 and 2027-03-28 02:00 → 03:00; America/New_York 2026-11-01 02:00 →
01:00 and 2027-03-14 02:00 → 03:00; Australia/Lord_Howe, by half an hour, 2026-10-04 02:00 → 02:30 and 2027-04-04
02:00 → 01:30.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from pydantic import TypeAdapter

from airflow_provider_instagram.calendar.file.columns import Calendar, ScheduledPost
from airflow_provider_instagram.calendar.file.parser import parse_calendar
from airflow_provider_instagram.calendar.planning.lateness import first_free_time

if TYPE_CHECKING:
    from pathlib import Path

BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"


def read(folder: Path, zone: str, times: list[str], spacing: str = "0 s") -> Calendar:
    posts = "".join(f"- {{id: p{number}, publish_at: '{at}'}}\n" for number, at in enumerate(times, 1))
    text = f"min_spacing: {spacing}\ndefaults: {{timezone: {zone}, video: a.mp4}}\nposts:\n{posts}"
    return parse_calendar(text, str(folder / "calendar.yaml"))


def told(calendar: Calendar) -> list[str]:
    return [f"{problem.post_id}: {problem.message} {problem.remedy}" for problem in calendar.problems]


@pytest.mark.parametrize(
    ("zone", "times", "spacing", "after", "move"),
    [
        (BERLIN, ["2026-10-25 00:30", "2026-10-25 03:00"], "3 h", "", ""),
        (BERLIN, ["2026-10-25 00:30", "2026-10-25 03:00"], "4 h", "3 h 30 min", "2026-10-25 03:30"),
        (BERLIN, ["2026-10-25 02:30+02:00", "2026-10-25 02:30+01:00"], "1 h", "", ""),
        (BERLIN, ["2026-10-25 01:50", "2026-10-25 02:05+02:00"], "30 min", "15 min", "2026-10-25 02:20+02:00"),
        (BERLIN, ["2026-10-25 01:50", "2026-10-25 02:05+02:00"], "90 min", "15 min", "2026-10-25 02:20+01:00"),
        (BERLIN, ["2027-03-28 01:59", "2027-03-28 03:02"], "15 min", "3 min", "2027-03-28 03:14"),
        (NEW_YORK, ["2026-11-01 00:30", "2026-11-01 02:15"], "2 h", "", ""),
        (NEW_YORK, ["2027-03-14 01:50", "2027-03-14 03:05"], "1 h", "15 min", "2027-03-14 03:50"),
        (LORD_HOWE, ["2027-04-04 01:00", "2027-04-04 02:10"], "90 min", "", ""),
        (LORD_HOWE, ["2026-10-04 01:50", "2026-10-04 02:35"], "30 min", "15 min", "2026-10-04 02:50"),
    ],
)
def test_the_distance_of_two_posts_is_that_of_their_moments(
    zone: str, times: list[str], spacing: str, after: str, move: str, tmp_path: Path
) -> None:
    problems = told(read(tmp_path, zone, times, spacing))
    assert len(problems) == (1 if after else 0)
    assert all(f"it is {after} after post 'p1'" in one and f"Move it to {move} or later" in one for one in problems)


@pytest.mark.parametrize(
    ("zone", "times", "order"),
    [
        (BERLIN, ["2026-10-25 02:10+01:00", "2026-10-25 02:40+02:00"], ["p2", "p1"]),
        (NEW_YORK, ["2026-11-01 01:10-05:00", "2026-11-01 01:40-04:00"], ["p2", "p1"]),
        (LORD_HOWE, ["2027-04-04 01:35+10:30", "2027-04-04 01:50+11:00"], ["p2", "p1"]),
    ],
)
def test_posts_of_the_repeated_hour_are_in_the_order_of_their_moments(
    zone: str, times: list[str], order: list[str], tmp_path: Path
) -> None:
    assert [post.id for post in read(tmp_path, zone, times).posts] == order


@pytest.mark.parametrize(
    ("zone", "times", "move"),
    [
        (BERLIN, ["2026-10-24 10:00", "2026-10-25 09:30"], ""),
        (BERLIN, ["2027-03-27 10:00", "2027-03-28 10:30"], "2027-03-28 11:00"),
        (NEW_YORK, ["2026-10-31 10:00", "2026-11-01 09:30"], ""),
        (NEW_YORK, ["2027-03-13 10:00", "2027-03-14 10:30"], "2027-03-14 11:00"),
        (LORD_HOWE, ["2027-04-03 10:00", "2027-04-04 09:45"], ""),
        (LORD_HOWE, ["2026-10-03 10:00", "2026-10-04 10:15"], "2026-10-04 10:30"),
    ],
)
def test_a_spacing_of_a_day_is_24_hours(zone: str, times: list[str], move: str, tmp_path: Path) -> None:
    problems = told(read(tmp_path, zone, times, "24 h"))
    assert len(problems) == (1 if move else 0)
    assert all(f"Move it to {move} or later" in one for one in problems)


def test_two_days_later_in_the_past_is_told_in_hours_that_have_passed(tmp_path: Path) -> None:
    text = f"defaults: {{timezone: {BERLIN}, video: a.mp4}}\nposts: [{{id: p1, publish_at: 2026-10-25 00:30}}]\n"
    now = read(tmp_path, BERLIN, ["2026-10-25 03:00"]).posts[0].publish_at
    (problem,) = parse_calendar(text, str(tmp_path / "calendar.yaml"), now=now).problems
    assert "(3 h 30 min ago)" in problem.message


def test_no_sum_or_difference_of_times_goes_by_the_clock_on_the_wall(tmp_path: Path) -> None:
    """Also what comes later reckons with moments, whatever it does with them."""
    early, late = (post.publish_at for post in read(tmp_path, BERLIN, ["2026-10-25 00:30", "2026-10-25 03:00"]).posts)
    assert late - early == timedelta(hours=3.5)
    assert early + timedelta(hours=3.5) == late
    assert not early + timedelta(hours=3) > late
    assert first_free_time(early, [early], timedelta(hours=3.5)) == late
    assert sorted([late, early]) == [early, late]


def test_a_stored_post_keeps_the_name_of_its_zone_and_its_moment(tmp_path: Path) -> None:
    written = [f"2026-10-25 02:30+02:00 {BERLIN}", f"2026-10-25 02:30+01:00 {BERLIN}", "2026-10-24 22:30Z"]
    posts = read(tmp_path, "UTC", written).posts
    stored = TypeAdapter(tuple[ScheduledPost, ...])
    again = stored.validate_json(stored.dump_json(posts, exclude_defaults=True))
    assert [(post.publish_at.isoformat(), post.publish_at.tzname()) for post in again] == [
        ("2026-10-24T22:30:00+00:00", "UTC"),
        ("2026-10-25T02:30:00+02:00", BERLIN),
        ("2026-10-25T02:30:00+01:00", BERLIN),
    ]
    assert [post.version for post in again] == [post.version for post in posts]
