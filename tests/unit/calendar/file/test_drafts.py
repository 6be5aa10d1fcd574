"""Drafts, which have no time or no file yet, and notes, which people alone read."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest

from airflow_provider_instagram.calendar.file.edits import Edit, Fill, SeenOther, apply, apply_fill, digest
from airflow_provider_instagram.calendar.file.media_paths import CalendarFiles
from airflow_provider_instagram.calendar.file.parser import parse_calendar
from airflow_provider_instagram.calendar.file.problems import InvalidValue

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_instagram.calendar.file.columns import Calendar

NOW = datetime(2030, 1, 1, tzinfo=timezone.utc)
YAML = """\
defaults: {timezone: Europe/Berlin}
posts:
  - id: only-words
    note: Ask Lena
  - {id: file, video: a.mp4, caption: Hello}
  - {id: day, publish_at: 2030-05-06 08:30, alt_text: A tree}
  - {id: post, publish_at: 2030-05-07 08:30, video: a.mp4, note: From Ada}
"""
CSV = "id;publish_at;timezone;video;caption\nfile;;Europe/Berlin;a.mp4;Hello\nwords;;;;Later\n"


def read(text: str, ending: str = "yaml") -> Calendar:
    return parse_calendar(text, f"/calendars/plan.{ending}")


def test_a_post_without_a_time_or_a_file_is_a_draft_and_no_problem() -> None:
    calendar = read(YAML)
    assert calendar.problems == ()
    assert {draft.id: (draft.lacks, draft.line) for draft in calendar.drafts} == {
        "only-words": ("no time and no file", 3),
        "file": ("no time", 5),
        "day": ("no file", 6),
    }
    assert ([post.id for post in calendar.posts], calendar.left_out) == (["post"], frozenset())
    assert [draft.id for draft in read(CSV, "csv").drafts] == ["file", "words"]


@pytest.mark.parametrize(
    ("post", "told"),
    [
        ("{id: a, vidoe: a.mp4}", "Unknown field 'vidoe'."),
        ("{video: a.mp4}", "this post has no id."),
        ("{id: a, video: a.mp4, timezone: Europe/Berlin, publish_at: [1]}", "publish_at must be text."),
        ("{id: a, video: a.mp4, publish_at: 2030-05-06 08:30}", "publish_at '2030-05-06 08:30' has no time zone."),
        ("{id: a, video: a.mp4, alt_text: A tree}", "A reel does not take alt_text."),
    ],
)
def test_what_is_wrong_in_a_draft_is_still_a_problem(post: str, told: str) -> None:
    assert [problem.message for problem in read(f"posts: [{post}]").problems] == [told]


def test_of_two_drafts_with_one_id_none_is_shown() -> None:
    calendar = read("posts:\n- {id: a, note: one}\n- {id: a, note: two}\n")
    assert calendar.drafts == ()
    assert (len(calendar.problems), calendar.left_out) == (2, frozenset({"a"}))


def test_a_note_is_no_part_of_a_version_and_of_nothing_that_is_sent() -> None:
    (post,), (other,) = read(YAML).posts, read(YAML.replace("From Ada", "From Bob")).posts
    assert (post.note, other.note) == ("From Ada", "From Bob")
    assert post.version == other.version == read(YAML.replace(", note: From Ada", "")).posts[0].version
    assert not [value for value in post.parameters().values() if "Ada" in str(value)]
    assert "note" not in post.options


def test_a_note_is_no_default() -> None:
    (problem,) = read("defaults: {note: a}\nposts: [{id: a}]").problems
    assert problem.message == "note cannot be a default."


def edited(text: str, name: str, edit: Edit) -> str:
    return apply(text, f"/calendars/{name}", [edit], CalendarFiles(f"/calendars/{name}"), NOW, {}).text


def test_a_draft_becomes_a_post_in_the_calendars_zone_and_a_draft_again() -> None:
    put = Edit("change", "file", {"publish_at": None}, {"publish_at": "2030-05-08T12:00"})
    text = edited(YAML, "plan.yaml", put)
    assert '{id: file, video: a.mp4, caption: Hello, publish_at: "2030-05-08 12:00"}' in text
    assert [post.id for post in read(text).posts] == ["post", "file"]
    back = edited(text, "plan.yaml", Edit("change", "file", {"publish_at": "2030-05-08T12:00"}, {"publish_at": ""}))
    assert {draft.id for draft in read(back).drafts} == {"only-words", "file", "day"}


def test_a_draft_in_a_file_without_a_zone_gets_that_of_its_posts() -> None:
    text = "posts:\n- {id: a, publish_at: 2030-05-07 08:30 Asia/Tokyo, video: a.mp4}\n- {id: b, video: a.mp4}\n"
    put = Edit("change", "b", {}, {"publish_at": "2030-05-08T12:00"})
    assert 'publish_at: "2030-05-08 12:00 Asia/Tokyo"' in edited(text, "plan.yaml", put)


def test_a_draft_that_somebody_else_has_put_on_a_day_is_not_moved() -> None:
    text = YAML.replace("caption: Hello", "caption: Hello, publish_at: 2030-05-09 08:30")
    with pytest.raises(SeenOther) as other:
        edited(text, "plan.yaml", Edit("change", "file", {"publish_at": None}, {"publish_at": "2030-05-08T12:00"}))
    assert other.value.now == {"publish_at": "2030-05-09T08:30"}
    with pytest.raises(InvalidValue, match="has passed"):
        edited(YAML, "plan.yaml", Edit("change", "file", {}, {"publish_at": "2029-05-08T12:00"}))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("plan.yaml", YAML),
        ("plan.yaml", "defaults: {timezone: UTC}\nposts:\n"),
        ("plan.yaml", "posts: []\n"),
    ],
)
def test_new_posts_stand_after_all_others(tmp_path: Path, name: str, text: str) -> None:
    location = str(tmp_path / name)
    added = [
        {"id": "new", "publish_at": "2030-06-01 09:00 UTC", "video": "a.mp4", "caption": "One\n\n- two: #three"},
        {"id": "newer", "note": "Käse; 5 €, \"heute\""},
    ]  # fmt: skip
    before = len(parse_calendar(text, location).drafts) + len(parse_calendar(text, location).posts)
    written = apply_fill(text, location, Fill(digest(text), added=added), CalendarFiles(location), {}).text
    calendar = parse_calendar(written, location)
    assert (calendar.post("new") or calendar.posts[0]).caption == "One\n\n- two: #three"
    assert [draft.note for draft in calendar.drafts][-1] == 'Käse; 5 €, "heute"'
    assert len(calendar.drafts) + len(calendar.posts) == before + 2
    assert written.startswith(text.rstrip("\n").removesuffix(" []"))


def test_new_posts_are_added_where_the_last_post_has_no_id_yet(tmp_path: Path) -> None:
    text, location = "posts:\n  - {id: a, note: x}\n  - {note: y}\n", str(tmp_path / "plan.yaml")
    fill = Fill(digest(text), added=[{"id": "b"}, {"id": "c"}])
    written = apply_fill(text, location, fill, CalendarFiles(location), {}).text
    assert written == 'posts:\n  - {id: a, note: x}\n  - {id: "b"}\n  - {id: "c"}\n  - {note: y}\n'
