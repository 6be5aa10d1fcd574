"""What filling in times makes of the text of a calendar, and of nothing else in it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.calendar.file.edits import apply_fill
from airflow_provider_instagram.calendar.file.media_paths import CalendarFiles
from airflow_provider_instagram.calendar.file.parser import parse_calendar
from airflow_provider_instagram.calendar.file.problems import InvalidValue
from airflow_provider_instagram.calendar.planning.fill import Proposal, proposal_for

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.columns import Calendar

#: A Tuesday.
NOW = datetime(2026, 12, 1, 11, tzinfo=timezone.utc)

YAML = """\
# Frühling
slots:
  studio: [Mon 08:30, Thu 19:00]  # wie vereinbart
defaults: {account: studio, timezone: Europe/Berlin}
posts:
  - id: neue-linse  # Grüße
    video: lens.mov

  # die Öffnungszeiten
  - id: oeffnung
    video: a.mp4
  - id: hours
    publish_at: 2026-12-01 10:00
    image: hours.jpg
    caption: |
      Von zehn bis sechs.

      Täglich.
  - {id: scenes, video: scenes.mov}
"""
FILLED = """\
# Frühling
slots:
  studio: [Mon 08:30, Thu 19:00]  # wie vereinbart
defaults: {account: studio, timezone: Europe/Berlin}
posts:
  - id: neue-linse  # Grüße
    video: lens.mov
    publish_at: 2026-12-03 19:00

  # die Öffnungszeiten
  - id: oeffnung
    video: a.mp4
    publish_at: 2026-12-07 08:30
  - id: hours
    publish_at: 2026-12-01 10:00
    image: hours.jpg
    caption: |
      Von zehn bis sechs.

      Täglich.
  - {id: scenes, video: scenes.mov, publish_at: "2026-12-10 19:00"}
"""


def proposal(text: str, name: str = "calendar.yaml", now: datetime = NOW, **more: Any) -> Proposal:
    location = f"/data/{name}"
    return proposal_for(text, location, CalendarFiles(location), now, {}, **more)


def filled(text: str, name: str = "calendar.yaml", now: datetime = NOW, **more: Any) -> str:
    found = proposal(text, name, now, **more)
    assert found.fill is not None
    return apply_fill(text, f"/data/{name}", found.fill, CalendarFiles(f"/data/{name}"), {}).text


def times(text: str, name: str = "calendar.yaml") -> dict[str, str]:
    calendar: Calendar = parse_calendar(text, f"/data/{name}")
    assert calendar.problems == ()
    return {post.id: f"{post.publish_at:%Y-%m-%d %H:%M %Z}" for post in calendar.posts}


def test_comments_blank_lines_and_forms_of_a_yaml_file_stay() -> None:
    assert filled(YAML) == FILLED


def test_a_second_proposal_has_nothing_to_write() -> None:
    assert proposal(FILLED) == Proposal(None, (), 0)
    assert proposal(FILLED, now=NOW + timedelta(days=3)).fill is None


def test_the_line_ends_of_windows_stay() -> None:
    in_windows = filled(YAML.replace("\n", "\r\n"))
    assert in_windows == FILLED.replace("\n", "\r\n")


def test_a_time_names_its_zone_unless_it_is_that_of_the_post() -> None:
    text = filled(
        """\
slots: {studio: [Thu 19:00 Asia/Tokyo], shop: [Thu 19:00]}
defaults: {timezone: Europe/Berlin, video: a.mp4}
posts:
- {id: a, account: studio}
- {id: b, account: shop}
- {id: c, account: shop, timezone: Asia/Tokyo}
"""
    )
    assert 'id: a, account: studio, publish_at: "2026-12-03 19:00 Asia/Tokyo"' in text
    assert 'id: b, account: shop, publish_at: "2026-12-03 19:00"' in text
    assert times(text)["c"] == "2026-12-10 19:00 Europe/Berlin"


@pytest.mark.parametrize(
    ("more", "open_posts"),
    [
        ("- {id: a, video: a.mp4, publish_at: soon}", 0),  # a time that cannot be read is not replaced
        ("- {id: a, video: a.mp4, publish_at: [2026]}", 0),
        ("- {id: a, video: a.mp4}\n- {id: a, video: b.mp4}", 0),  # one id twice: which is meant?
        ("- {video: a.mp4}", 0),
        ("- {id: a, video: a.mp4, account: other}", 1),
    ],
)
def test_what_has_another_problem_is_left_to_its_author(more: str, open_posts: int) -> None:
    head = "slots: {studio: [Mon 08:30]}\ndefaults: {account: studio, timezone: UTC}\nposts:\n"
    found = proposal(f"{head}{more}\n- {{id: good, video: a.mp4}}\n")
    assert found.fill is not None
    assert (found.fill.times, found.still_open) == ({"good": "2026-12-07 08:30"}, open_posts)


def test_a_problem_elsewhere_keeps_no_time_from_being_written() -> None:
    """Also one of the same post: its place in the order is that of the file."""
    text = """\
slots: {studio: [Mon 08:30, Tue 25:00]}
defaults: {account: studio, timezone: UTC}
posts:
- {id: a, video: a.mp4, captoin: typo}
- {id: b, video: [a.mp4], publish_at: 2026-12-04 10:00}
- {id: c, video: a.mp4}
"""
    found = filled(text)
    assert 'captoin: typo, publish_at: "2026-12-07 08:30"' in found
    assert '{id: c, video: a.mp4, publish_at: "2026-12-14 08:30"}' in found


@pytest.mark.parametrize(
    "text", ["posts: []\n", "defaults: {account: studio}\nposts:\n", "slots: {studio: [Mon 08:30 UTC]}\nposts:\n"]
)
def test_a_file_without_posts_needs_nothing(text: str) -> None:
    assert proposal(text) == Proposal(None, (), 0)


def test_slots_of_the_file_that_cannot_be_read_are_named_before_anything_is_proposed() -> None:
    text = "slots: [Mon 09:30]\nposts:\n  - {id: one, video: one.mp4, caption: One}\n"
    with pytest.raises(InvalidValue, match="slots must be an object"):
        proposal(text)


def test_the_smallest_distance_of_the_dag_counts_more_than_that_of_the_file() -> None:
    text = """\
slots: {studio: [Mon 22:30, Tue 00:30]}
defaults: {account: studio, timezone: UTC, video: a.mp4}
posts:
- {id: a}
- {id: b}
"""
    files = CalendarFiles("/data/c.yaml")
    found = proposal_for(text, "/data/c.yaml", files, NOW, {"min_spacing": timedelta(hours=3)})
    assert found.fill is not None
    assert found.fill.times == {"a": "2026-12-07 22:30", "b": "2026-12-14 22:30"}
    assert filled(text.replace("Mon 10:30", "Tue 10:30")).count("2026-12-0") == 2


def test_a_large_file_is_filled_at_once(tmp_path: Path) -> None:
    posts = "".join(f"- {{id: p{n}, account: a{n % 10}}}\n" for n in range(2_000))
    slots = ", ".join(f"a{n}: [{', '.join(f'{day} 08:30' for day in ('Mon', 'Wed', 'Fri'))}]" for n in range(10))
    text = f"slots: {{{slots}}}\ndefaults: {{timezone: UTC, video: a.mp4}}\nposts:\n{posts}"
    found = proposal(text)
    assert found.fill is not None
    assert len(found.fill.times) + found.still_open == 2_000
    assert len(found.fill.times) > 1_500
    assert filled(text).count("publish_at") == len(found.fill.times)
