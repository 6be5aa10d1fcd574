"""What a calendar's file may say, and what is told to the person who wrote it."""

from __future__ import annotations

import csv
import io
import json
import sys
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.calendar.file.parser import KEYS, read_calendar
from airflow_provider_instagram.calendar.file.problems import InvalidValue, Problem
from airflow_provider_instagram.calendar.file.times import read_local_time

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_mock import MockerFixture

    from airflow_provider_instagram.calendar.file.columns import Calendar

HEAD = "min_spacing: 0 s\ndefaults:\n  timezone: Europe/Berlin\n  video: a.mp4\nposts:\n"


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Calendar]:
    (tmp_path / "a.mp4").touch()

    def from_text(text: str, ending: str = "yaml", **how: Any) -> Calendar:
        file = tmp_path / f"posts.{ending}"
        file.write_text(text, encoding="utf-8")
        return read_calendar(str(file), **how)

    return from_text


def post(number: int, at: str, more: str = "") -> str:
    return f"  - id: p{number}\n    publish_at: {at}\n{more}"


def said(calendar: Calendar) -> list[tuple[int, str]]:
    return [(problem.line, f"{problem.message} {problem.remedy}") for problem in calendar.problems]


def test_a_yaml_calendar_becomes_posts(read: Callable[..., Calendar], tmp_path: Path) -> None:
    """Defaults hold where a post says nothing, local times get their zone, and ``{{`` in a caption is only text."""
    calendar = read(
        "defaults: {account: berlin, timezone: Europe/Berlin, placement: feed, tags: [xmas]}\n"
        "posts:\n"
        "- id: 7\n"
        "  publish_at: 2026-12-24 18:00\n"
        "  video: a.mp4\n"
        "  caption: |\n"
        "    Hello {{ var.value.secret }}\n"
        "    #xmas\n"
        "  location_id: 0123\n"
        "  is_ai_generated: yes\n"
        "- {id: eve, publish_at: '2026-07-01T09:00:30+02:00', video: 'https://example.com/b.mp4', placement: reels,\n"
        "   account: paris, approval: required, collaborators: [one, two]}\n"
    )
    assert calendar.problems == ()
    summer, winter = calendar.posts
    assert (winter.id, winter.key, winter.video) == ("7", "berlin/7", str(tmp_path / "a.mp4"))
    assert winter.publish_at == datetime(2026, 12, 24, 17, tzinfo=timezone.utc)
    assert winter.options == {
        "caption": "Hello {{ var.value.secret }}\n#xmas\n",
        "placement": "feed",
        "location_id": "0123",
        "is_ai_generated": True,
    }
    assert winter.tags == ("xmas",)
    assert (summer.key, summer.approval, summer.options["collaborators"]) == ("paris/eve", "required", ["one", "two"])
    assert summer.publish_at == datetime(2026, 7, 1, 7, 0, 30, tzinfo=timezone.utc)


def test_json_and_csv_say_the_same_as_yaml(read: Callable[..., Calendar]) -> None:
    as_json = read(
        '{"posts": [{"id": "a", "publish_at": "2026-12-24 18:00 UTC", "video": "a.mp4", "caption": "A, \\"b\\"",\n'
        '  "collaborators": ["one", "two"], "share_to_feed": true}]}',
        "json",
    )
    as_csv = read(
        "\ufeffid;publish_at;timezone;video;caption;collaborators;share_to_feed\n"
        'a;2026-12-24 19:00;Europe/Berlin;a.mp4;"A, ""b""";one, two;true\n',
        "csv",
    )
    assert as_json.problems == as_csv.problems == ()
    (one,), (other,) = as_json.posts, as_csv.posts
    assert one.version == other.version
    assert one.options["caption"] == 'A, "b"'
    assert one.account == "instagram_default"


def test_an_emoji_that_json_writes_as_two_escapes_is_one_character(read: Callable[..., Calendar]) -> None:
    """``json.dumps`` writes it so, as the halves of UTF-16; a backslash before the u is only a backslash."""
    caption = "\U0001f389 \\ud83c\\udf89 \\ \U0001f389"
    row = {"id": "a", "publish_at": "2026-12-24 18:00 UTC", "video": "a.mp4", "caption": caption}
    text = json.dumps({"posts": [row]})
    assert "\\ud83c\\udf89" in text
    assert [post.caption for post in read(text, "json").posts] == [caption]


def test_every_problem_is_named_at_once_with_its_line_and_what_to_change(read: Callable[..., Calendar]) -> None:
    calendar = read(
        "defaults:\n"
        "  timezone: Europe/Berlin\n"
        "  captoin: oops\n"
        "posts:\n"
        "- id: a\n"
        "  publish_at: 2026-12-24 18:00\n"
        "  video: gone.mp4\n"
        "- id: a\n"
        "  publish_at: 2027-12-24 18:00\n"
        "  video: a.mp4\n"
        f"  caption: {'x' * 2201}\n"
        "  placement: stories\n"
        "- publish_at: 2027-12-25\n"
        "  video: /etc/hostname\n"
        "- id: past\n"
        "  publish_at: 2020-01-01 12:00\n"
        "  video: a.mp4\n"
        "  caption: one\n"
        "  caption: two\n"
        "  location_id: Berlin\n"
        "  timezone: Berlin\n",
        now=datetime(2026, 11, 1, tzinfo=timezone.utc),
        check_files=True,
    )
    assert calendar.posts == ()
    lines = [line for line, _ in said(calendar)]
    assert lines == sorted(lines)
    text = "\n".join(f"{line}: {what}" for line, what in said(calendar))
    for line, wrong, remedy in (
        (3, "'captoin'", "Did you mean caption?"),
        (7, "there is no file", "upper and lower case"),
        (5, "the post in line 8 has the same id", "Give one of them another id"),
        (8, "the post in line 5 has the same id", "Give one of them another id"),
        (11, "2201 characters", "Shorten"),
        (12, "placement is 'stories'", "reels, feed or story"),
        (13, "this post has no id", "id: monday-teaser"),
        (13, "not a date and time", "Write it like 2026-12-24 18:00"),
        (14, "not in an allowed folder", "to an allowed location"),
        (19, "caption is given twice", "Keep this one or the one in line 18"),
        (20, "location_id is 'Berlin'", "digits"),
        (21, "'Berlin' is not a time zone", "Did you mean Europe/Berlin?"),
    ):
        assert any(at == line and wrong in what and remedy in what for at, what in said(calendar)), (line, wrong, text)
    assert len(calendar.problems) == 12, text


def test_a_post_with_a_name_twice_or_a_cell_too_many_is_left_out(read: Callable[..., Calendar]) -> None:
    """Nobody knows which of the two is meant, or which cell belongs where."""
    twice = read(
        HEAD + post(1, "2026-12-24 18:00", "    caption: one\n    caption: two\n") + post(2, "2026-12-25 18:00")
    )
    assert [one.id for one in twice.posts] == ["p2"]
    cells = read("id,publish_at,caption,video\na,2026-12-24 18:00 UTC,Hello, world,a.mp4\n", "csv")
    assert cells.posts == ()
    assert "5 cells, but there are 4 columns" in said(cells)[-1][1]


def test_posts_of_one_id_are_all_left_out(read: Callable[..., Calendar]) -> None:
    """A copy above the original, its id forgotten, must not move the original."""
    calendar = read(HEAD + post(1, "2026-12-24 18:00") + post(1, "2026-12-20 18:00") + post(2, "2026-12-25 18:00"))
    assert [one.id for one in calendar.posts] == ["p2"]
    assert [(line, what[: what.index(",")]) for line, what in said(calendar)] == [
        (6, "the post in line 8 has the same id"),
        (8, "the post in line 6 has the same id"),
    ]


@pytest.mark.parametrize("name", ["manual__2030", "scheduled__1", "now__hello__1"])
def test_an_id_that_begins_like_those_of_other_runs_is_a_problem(read: Callable[..., Calendar], name: str) -> None:
    """The run of a post has the post's id."""
    rows = "".join(
        f"- {{id: {one}, publish_at: 2030-05-06 10:00, video: a.mp4}}\n" for one in (name, "now", "my__post")
    )
    calendar = read(f"min_spacing: 0 s\ndefaults: {{timezone: UTC}}\nposts:\n{rows}")
    assert [post.id for post in calendar.posts] == ["now", "my__post"]
    assert calendar.problems[0].message == f"{name!r} cannot be the id of a run."


def test_an_id_with_two_dots_in_a_row_is_a_problem(read: Callable[..., Calendar]) -> None:
    """Airflow starts no run with such an id."""
    calendar = read(HEAD + post(1, "2026-12-24 18:00").replace("p1", "part..1") + post(2, "2026-12-25 18:00"))
    assert [one.id for one in calendar.posts] == ["p2"]
    assert calendar.problems[0].message == "'part..1' cannot be the id of a run."


def test_a_zone_that_all_posts_share_is_one_problem_at_its_own_line(read: Callable[..., Calendar]) -> None:
    """Beside what is wrong with single times, but not with what only follows from it."""
    calendar = read(HEAD.replace("Europe/Berlin", "Europa/Berlin") + post(1, "2026-12-24 18:00") + post(2, "someday"))
    assert [(line, what.partition(" Write")[0].partition(" Use")[0]) for line, what in said(calendar)] == [
        (3, "'Europa/Berlin' is not a time zone. Did you mean Europe/Berlin?"),
        (9, "publish_at is 'someday', which is not a date and time."),
    ]


@pytest.mark.parametrize(
    ("at", "told"),
    [
        ("2026-12-24 6:00 pm", "'pm' is not a time zone."),
        ("2026-12-24 18:00 europe/berlin", "'europe/berlin' is not a time zone. Did you mean Europe/Berlin?"),
        ("2026-12-24 18:00 New_york", "'New_york' is not a time zone. Did you mean America/New_York?"),
        ("2026-12-24 18:00 CEST", "'CEST' is not a time zone. Use a name of the tz database"),
    ],
)
def test_a_time_that_is_nearly_right_is_told_how_to_write_it(read: Callable[..., Calendar], at: str, told: str) -> None:
    ((line, what),) = said(read(HEAD + post(1, at)))
    assert (line, told in what) == (7, True), what


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("placement: stories", "placement is 'stories'. Write reels, feed or story."),
        ("trial_graduation: manual", "trial_graduation is 'manual'. Write MANUAL or SS_PERFORMANCE, or leave it out."),
        ("share_to_feed: perhaps", "share_to_feed is 'perhaps'. Write true or false."),
        ("collaborators: [a, b, c, d]", "There are 4 collaborators. At most 3 are allowed."),
        (
            "user_tags: [a, b c]",
            (
                "'b c' in user_tags is not a valid Instagram user name. Write user names, separated by commas: "
                "studio_two, jane.doe."
            ),
        ),
        ("caption: [a]", 'caption is ["a"]. Write a text.'),
        (f"caption: '{'#a ' * 31}'", "The caption has 31 hashtags. At most 30 are allowed."),
        (
            f"caption: {'x' * 2201}",
            "The caption has 2201 characters (emoji count as two). Shorten it to 2200.",
        ),
        (
            "{placement: feed, share_to_feed: false}",
            "placement='feed' and share_to_feed=false contradict each other. Remove one of them.",
        ),
    ],
)
def test_what_to_change_is_said_once(read: Callable[..., Calendar], written: str, told: str) -> None:
    more = f"    <<: {written}\n" if written.startswith("{") else f"    {written}\n"
    assert [what for _, what in said(read(HEAD + post(1, "2026-12-24 18:00", more)))] == [told]


def test_none_is_a_text_like_any_other(read: Callable[..., Calendar]) -> None:
    """YAML's own word for nothing is null; whoever writes None as a caption wants to read it."""
    texts = "    caption: None\n    audio_name: None\n    tags: None\n"
    (one,) = read(
        "posts:\n- id: None\n  publish_at: 2026-12-24 18:00 UTC\n  video: None\n" + texts.replace("    ", "  ")
    ).posts
    assert (one.id, str(one.video).rpartition("/")[2], one.tags) == ("None", "None", ("None",))
    assert one.options == {"caption": "None", "audio_name": "None"}
    (other,) = read("id,publish_at,video,caption\na,2026-12-24 18:00 UTC,a.mp4,None\n", "csv").posts
    assert other.caption == "None"
    for name in ("placement", "cover_url", "collaborators", "share_to_feed"):
        (told,) = said(read(HEAD + post(1, "2026-12-24 18:00", f"    {name}: None\n")))
        assert (told[0], "None" in told[1] or "none" in told[1]) == (8, True)


def test_a_local_video_cannot_be_handed_over_as_a_link(read: Callable[..., Calendar]) -> None:
    """CreateContainerOperator would refuse it an hour before the post is due."""
    text = HEAD + post(1, "2026-12-24 18:00", "    upload: url\n")
    text += post(2, "2026-12-25 18:00", "    upload: url\n    video: https://example.com/a.mp4\n")
    calendar = read(text)
    ((line, what),) = said(calendar)
    assert (line, "Instagram cannot fetch a local file" in what) == (8, True)
    assert [one.id for one in calendar.posts] == ["p2"]


@pytest.mark.parametrize(
    ("video", "upload", "right"),
    [
        ("https://example.com/bühne.mp4", "url", False),
        ("https://example.com/bühne.mp4", "auto", False),
        ("https://example.com/bühne.mp4", "file", True),
        ("https://example.com/a.mp4?signature=secret", "auto", True),
        ("s3://videos/bühne.mp4", "url", True),
    ],
)
def test_an_address_that_instagram_would_not_fetch_is_a_problem(
    read: Callable[..., Calendar], monkeypatch: pytest.MonkeyPatch, video: str, upload: str, right: bool
) -> None:
    """CreateContainerOperator would refuse it an hour before the post is due."""
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__MEDIA_ROOTS", "s3://videos/")
    text = HEAD + post(1, "2026-12-24 18:00", f"    upload: {upload}\n    video: {video}\n")
    told = f"video is {video}: a link must be https, in plain ASCII, and public. Write its https:// address, with"
    assert [(line, told in what) for line, what in said(read(text))] == ([] if right else [(9, True)])


@pytest.mark.parametrize(
    ("name", "upload"), [("video", "auto"), ("video", "file"), ("video", "url"), ("cover_url", "auto")]
)
def test_a_plain_http_address_is_a_problem(read: Callable[..., Calendar], name: str, upload: str) -> None:
    """No transcode reads it."""
    text = HEAD + post(1, "2026-12-24 18:00", f"    upload: {upload}\n    {name}: http://127.0.0.1/a.mp4\n")
    told = f"{name}: http://127.0.0.1/a.mp4 is not https. Use an https:// address."
    assert said(read(text)) == [(9, told)]


def test_a_column_that_stands_twice_is_a_problem(read: Callable[..., Calendar]) -> None:
    calendar = read(
        "id,publish_at,video,caption,caption\na,2026-12-24 18:00 UTC,a.mp4,one,two\n"
        "b,2026-12-25 18:00 UTC,a.mp4,one,\n",
        "csv",
    )
    assert said(calendar) == [(1, "several columns mean caption: caption, caption. Keep one of them.")]
    assert [(one.id, one.caption) for one in calendar.posts] == [("b", "one")]


def test_a_time_that_is_over_is_a_problem_only_when_asked(read: Callable[..., Calendar]) -> None:
    text = HEAD + post(1, "2026-12-24 18:00")
    assert read(text).problems == ()
    (problem,) = read(text, now=datetime(2026, 12, 24, 19, tzinfo=timezone.utc)).problems
    assert problem.line == 7
    assert "is in the past (2 h ago)" in problem.message


@pytest.mark.parametrize(
    ("at", "readings"),
    [
        ("2027-03-28 02:30", ("does not exist in Europe/Berlin", "2027-03-28 01:30", "2027-03-28 03:30")),
        ("2026-10-25 02:30", ("happens twice in Europe/Berlin", "2026-10-25 02:30+02:00", "2026-10-25 02:30+01:00")),
    ],
)
def test_a_time_that_the_clocks_skip_or_repeat_is_refused_with_both_readings(
    read: Callable[..., Calendar], at: str, readings: tuple[str, ...]
) -> None:
    calendar = read(HEAD + post(1, at))
    (problem,) = calendar.problems
    assert problem.line == 7
    assert all(reading in f"{problem.message} {problem.remedy}" for reading in readings)
    for reading, utc_hour in zip(readings[1:], (0, 1), strict=True):
        repaired = read(HEAD + post(1, reading))
        assert repaired.problems == ()
        assert repaired.posts[0].publish_at.astimezone(timezone.utc).strftime("%H:%M") == f"{utc_hour:02}:30"


def test_posts_closer_than_min_spacing_are_named_with_their_neighbour(read: Callable[..., Calendar]) -> None:
    text = HEAD.replace("0 s", "15 minutes") + post(1, "2026-12-24 18:10") + post(2, "2026-12-24 18:00")
    calendar = read(text)
    (problem,) = calendar.problems
    assert (problem.line, problem.post_id) == (6, "p1")
    assert "10 min after post 'p2' (line 8)" in problem.message
    assert "Move it to 2026-12-24 18:15 or later" in problem.remedy
    assert read(text, min_spacing=timedelta(0)).problems == ()


@pytest.mark.parametrize(
    ("text", "ending", "told"),
    [
        ("posts:\n- id: a\n  caption: a: b\n", "yaml", "line 3 cannot be read"),
        ("- id: a\n", "yaml", "must be an object with posts"),
        ("defaults: {}\n", "yaml", "the file has no list of posts"),
        ("", "yaml", "the file is empty"),
        ('{"posts": [\n{"id": ]}', "json", "line 2 cannot be read"),
        ("name,when\n", "csv", "no column is named video"),
        ('id,caption\na,"x\nb,y\n', "csv", "begins in line 2 is not CSV: a quotation mark is not closed"),
        (f"id,caption\na,{'x' * 140_000}\n", "csv", "begins in line 2 is not CSV: a cell has more than 131,072"),
        ("posts: []", "txt", "'.txt' is not a calendar format"),
        ("posts: none\n", "yaml", "the file has no list of posts"),
        ("posts:\n- id: a\n  caption: one\x0btwo\n", "yaml", "line 3 holds an invisible control character, number 11"),
        ("posts:\n\t- id: a\n", "yaml", "line 2 begins with a tab. Use spaces"),
        ("posts:\n- id: a\n  caption: @x\n", "yaml", "line 3 cannot be read: a text cannot begin with @. Put the text"),
    ],
)
def test_a_file_of_which_nothing_can_be_read_says_where_and_why(
    read: Callable[..., Calendar], text: str, ending: str, told: str
) -> None:
    with pytest.raises(InvalidValue, match=told):
        read(text, ending)


@pytest.mark.parametrize("text", ["posts:\n#  - id: a\n#    video: a.mp4\n", "posts: null\n", "posts: []\n"])
def test_a_calendar_that_all_posts_were_taken_out_of_has_none(read: Callable[..., Calendar], text: str) -> None:
    """It can be read: what it said last must not hold, or the posts would be published."""
    calendar = read(text)
    assert calendar.posts == ()
    assert said(calendar) == [
        (0, "the calendar has no posts, so nothing is published. Add posts. If it is over, pause its DAG.")
    ]


def test_a_few_aliases_do_not_unfold_to_billions(read: Callable[..., Calendar]) -> None:
    """Neither as values nor as what ``<<`` brings in."""

    def nested(name: str, first: str, form: str) -> str:
        lists = [first, *(form.format(", ".join([f"*{name}{level}"] * 25)) for level in range(5))]
        return "".join(f"{name}{level}: &{name}{level} {values}\n" for level, values in enumerate(lists))

    for text in (
        nested("x", "[z, z]", "[{}]") + "posts:\n- {id: a, tags: *x5}\n",
        nested("m", "{a: b}", "{{<<: [{}]}}") + "posts:\n- {<<: *m5}\n",
    ):
        with pytest.raises(InvalidValue, match="expand to more than 1,000,000 values"):
            read(text)


@pytest.mark.parametrize("sign", ["\u2028", "\u2029", "\x85"])
def test_lines_are_counted_as_editors_count_them(read: Callable[..., Calendar], sign: str) -> None:
    """What Word leaves in a pasted text is no end of a line, and comes out as it went in."""
    for caption in (f"|\n      one{sign}two", f"'one{sign}two'"):
        text = (
            HEAD + post(1, "2026-12-24 18:00", f"    caption: {caption}\n") + post(2, "2026-12-25 18:00", "    x: y\n")
        )
        calendar = read(text)
        assert [problem.line for problem in calendar.problems] == [text[: text.index("x: y")].count("\n") + 1]
        assert [one.caption.strip() for one in calendar.posts] == [f"one{sign}two"]


def test_a_key_that_is_no_text_is_told_in_a_sentence(read: Callable[..., Calendar]) -> None:
    calendar = read(HEAD + post(1, "2026-12-24 18:00", "    ? [a, b]\n    : c\n"))
    ((line, what),) = said(calendar)
    assert (line, calendar.posts) == (8, ())
    assert what.startswith("a list or an object cannot be the name of a field.")


@pytest.mark.parametrize("written", ["99999999999 d", "400 days", "9" * 400])
def test_a_min_spacing_beyond_a_year_is_a_problem(read: Callable[..., Calendar], written: str) -> None:
    calendar = read(HEAD.replace("0 s", written) + post(1, "2026-12-24 18:00"))
    ((line, what),) = said(calendar)
    assert (line, "at most 366 days" in what) == (1, True)
    assert len(calendar.posts) == 1


def test_a_min_spacing_that_stands_elsewhere_is_a_problem_where_it_is_named(read: Callable[..., Calendar]) -> None:
    head = "defaults: {caption: &soon soon, video: a.mp4}\nmin_spacing: *soon\nposts:\n"
    assert [line for line, _ in said(read(head + post(1, "2026-12-24 18:00 UTC")))] == [2]


@pytest.mark.parametrize("year", ["9999", "2101", "2009", "0001"])
def test_a_year_that_nobody_means_is_a_problem(read: Callable[..., Calendar], year: str) -> None:
    """The last evening of 9999 in New York cannot even be written in UTC."""
    calendar = read(HEAD + post(1, f"{year}-12-31 23:59 America/New_York"))
    ((line, what),) = said(calendar)
    assert line == 7
    assert f"is in the year {int(year)}. Write a year from 2010 to 2100." in what


def test_a_span_of_hours_is_no_offset(read: Callable[..., Calendar]) -> None:
    calendar = read("posts:\n" + post(1, "2026-12-24 18:00-19:00", "    video: a.mp4\n"))
    assert "the offset -19:00, which no zone has" in said(calendar)[0][1]


@pytest.mark.parametrize(
    ("offset", "utc"),
    [("Z", "18:00"), (" +05:30", "12:30"), ("-0330", "21:30"), ("+14:00", "04:00"), ("-00:30", "18:30")],
)
def test_an_offset_is_taken_from_the_time(read: Callable[..., Calendar], offset: str, utc: str) -> None:
    (one,) = read("posts:\n" + post(1, f"2026-07-24 18:00{offset}", "    video: a.mp4\n")).posts
    assert f"{one.publish_at.astimezone(timezone.utc):%H:%M}" == utc


@pytest.mark.parametrize("offset", ["-24:00", "+24:00", "+0199", "+14:60", "-99:99"])
def test_what_stands_in_an_offsets_place_and_is_none_is_a_problem_of_its_post(
    read: Callable[..., Calendar], offset: str
) -> None:
    calendar = read(HEAD + post(1, f"2026-12-24 18:00{offset}") + post(2, "2026-12-25 18:00"))
    ((line, what),) = said(calendar)
    assert (line, f"has the offset {offset}, which no zone has. Write the time and its zone." in what) == (7, True)
    assert [one.id for one in calendar.posts] == ["p2"]


@pytest.mark.parametrize("name", ["video", "cover_url"])
@pytest.mark.parametrize("address", ["https://[bucket].s3.amazonaws.com/c.jpg", "s3://[b]/x"])
def test_an_address_that_is_none_is_a_problem_of_its_post(
    read: Callable[..., Calendar], name: str, address: str
) -> None:
    text = HEAD + post(1, "2026-12-24 18:00", f"    {name}: {address}\n") + post(2, "2026-12-25 18:00")
    for check in (False, True):
        calendar = read(text, check_files=check)
        ((line, what),) = said(calendar)
        assert (line, address in what) == (8, True)
        assert "https address of a JPEG" in what or "Only an IPv6 address may be in brackets" in what
        assert [one.id for one in calendar.posts] == ["p2"]


def test_a_path_that_no_file_can_have_is_a_problem_of_its_post(read: Callable[..., Calendar], tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    for path in ('"a\\0/b.mp4"', f"{'x' * 300}/b.mp4", "loop/b.mp4"):
        text = HEAD + post(1, "2026-12-24 18:00", f"    video: {path}\n") + post(2, "2026-12-25 18:00")
        calendar = read(text, check_files=True)
        assert [(line, "video: " in what) for line, what in said(calendar)] == [(8, True)]


ODD: tuple[Any, ...] = (
    *(-1, 10**400, float("nan"), True, [], [[None]], {"a": {"b": [1]}}, [{"username": {"a": 1}}]),
    *(
        "",
        "None",
        "[NaN",
        "[" * 9999,
        "[" + "9" * 9999 + "]",
        "9" * 9999,
        "x/" * 9999 + "x",
        "{{ x }}",
        "\0",
        "\x1b[2J",
        "\u2028",
    ),
    *(
        "٣٠",
        "🎉",
        "2030-05-06 18:00-24:00",
        "file://[a]/b",
        "https://ex℀mple.com/a",
        "http://",
        "/dev/zero",
        "../a.mp4",
    ),
)


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize("ending", ["yaml", "json", "csv"])
def test_no_value_stops_the_other_posts(read: Callable[..., Calendar], name: str, ending: str) -> None:
    """And what is wrong with it is told at a line of its own post."""
    good = {"id": "good", "publish_at": "2030-05-07 18:00 UTC", "video": "a.mp4", "caption": ""}
    for value in ODD:
        row = {"id": "odd", "publish_at": "2030-05-06 18:00 UTC", "video": "a.mp4", name: value}
        if ending == "csv":
            if value == "\0" and sys.version_info < (3, 11):
                continue  # there, the whole file is no CSV
            text = io.StringIO(newline="")
            table = csv.DictWriter(text, dict.fromkeys((*row, *good)))
            table.writeheader()
            table.writerows((row, good))
            calendar = read(text.getvalue(), "csv", check_files=True)
        else:
            entries = ",\n".join(
                f"{json.dumps(key)}: {json.dumps(one, ensure_ascii=False)}" for key, one in row.items()
            )
            calendar = read(f'{{"posts": [\n{{{entries}}},\n{json.dumps(good)}]}}', ending, check_files=True)
        lines = range(2, 2 + (1 if ending == "csv" else len(row)))
        assert all(line in lines and "Please report" not in what for line, what in said(calendar)), said(calendar)
        assert "good" in [one.id for one in calendar.posts], value


def test_a_problem_is_one_line_whatever_stands_in_the_file(read: Callable[..., Calendar]) -> None:
    """No terminal is told to do anything, and none is given what it cannot show."""
    (problem,) = read(HEAD + post(1, "2026-12-24 18:00", '    video: "a\\n\\e[2Jü🎉.mp4"\n')).problems
    said = problem.text("posts.yaml")
    assert said.startswith("posts.yaml:8: post 'p1': video: ")
    assert "a\\n\\x1b[2Jü🎉.mp4' contains a control character" in said
    assert Problem(8, "video \ud800", "Put it right.").text("posts.yaml") == "posts.yaml:8: video \\ud800 Put it right."


@pytest.mark.parametrize("sign", ["\\0", "\\e", "\\n", "\\x7F"])
def test_a_control_character_in_the_name_of_a_file_leaves_out_the_post(
    read: Callable[..., Calendar], sign: str
) -> None:
    """PostgreSQL stores no NUL in an XCom: no post of the account would be selected."""
    calendar = read(HEAD + post(1, "2026-12-24 18:00", f'    video: "a{sign}.mp4"\n') + post(2, "2026-12-25 18:00"))
    assert [one.id for one in calendar.posts] == ["p2"]
    assert "contains a control character. Type the name again." in said(calendar)[0][1]


def test_a_mistake_of_ours_about_one_post_leaves_the_others_alone(
    read: Callable[..., Calendar], mocker: MockerFixture
) -> None:
    """The post is in the file all the same: nobody is told that it was removed."""

    def stumbling(written: str, name: str | None) -> datetime:
        if "25" in written:
            raise OverflowError("too large")
        return read_local_time(written, name)

    mocker.patch("airflow_provider_instagram.calendar.file.post_parser.read_local_time", stumbling)
    calendar = read(HEAD + "".join(post(number, f"2026-12-{number} 18:00") for number in (24, 25, 26)))
    assert said(calendar) == [(8, "the post cannot be understood (OverflowError). Please report this.")]
    assert [one.id for one in calendar.posts] == ["p24", "p26"]
    assert calendar.left_out == {"p25"}


def test_a_missing_file_and_one_that_is_not_utf8_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match="there is no file"):
        read_calendar(str(tmp_path / "none.yaml"))
    (tmp_path / "latin.csv").write_bytes("id,caption\na,Grüße\n".encode("latin-1"))
    with pytest.raises(InvalidValue, match=r"line 2 is not UTF-8.*CSV UTF-8"):
        read_calendar(str(tmp_path / "latin.csv"))


def test_only_what_changes_the_post_changes_its_version(read: Callable[..., Calendar]) -> None:
    """Another line, tag or way to write the same time makes no new version; time, video and caption do."""
    base = read(HEAD + post(1, "2026-12-24 18:00")).posts[0].version
    assert read("\n" + HEAD + post(1, "2026-12-24 17:00 UTC", "    tags: x\n")).posts[0].version == base
    for changed in (
        post(1, "2026-12-24 18:01"),
        post(1, "2026-12-24 18:00", "    caption: x\n"),
        post(1, "2026-12-24 18:00", "    video: b.mp4\n"),
        post(1, "2026-12-24 18:00", "    approval: required\n"),
    ):
        assert read(HEAD + changed).posts[0].version != base
