"""What ``airflow instagram calendar check`` says: in the words of the file's author, with what to write instead."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest

from airflow_provider_instagram.calendar.file.columns import CALENDAR_FIELDS
from airflow_provider_instagram.calendar.file.parser import parse_calendar, read_calendar

if TYPE_CHECKING:
    from pathlib import Path

YAML = "defaults: {timezone: Europe/Berlin}\nposts:\n- {id: a, publish_at: 2030-05-06 08:30, %s}\n"
#: What Python writes of a value, and no calendar.
REPR = re.compile(r"<\w+ |\bNone\b|\bTrue\b|\bFalse\b|datetime\.|(?<!['\w])b'|\[['(]|\{'|\bdict\b")


@pytest.mark.parametrize("letters", ["- ", "%3A%2F%2F"])
def test_a_huge_text_is_not_searched_for_secrets_unless_its_message_contains_it(letters: str) -> None:
    """That took more than a second for a cell of a sheet, also of an API server."""
    row = f'a,2030-05-06 08:30Z,a.mp4,"{letters * (120_000 // len(letters))}"'
    begun_s = time.process_time()
    (problem,) = parse_calendar(f"id,publish_at,video,caption\n{row}\n", "a.csv").problems
    assert time.process_time() - begun_s < 0.2
    assert problem.message.startswith("The caption has ")


def said(file: Path, text: str) -> list[str]:
    for name in ("a.jpg", "b.jpg", "größe.mp4"):
        (file.parent / name).touch()
    (file.parent / "clips.mp4").mkdir(exist_ok=True)
    file.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    problems = read_calendar(str(file), check_files=True).problems
    return [
        f"{problem.line}: {problem.message} {problem.remedy}".replace(f"{file.parent}/", "") for problem in problems
    ]


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("[a.jpg, b.jpg, ]", "carousel begins like a list, and is not a valid one. Write it in JSON: ["),
        ('["a.jpg", "b.jpg"', "carousel begins like a list, and is not a valid one. Write it in JSON: ["),
        ("a.jpg; b.jpg", "these are 2 files. Several files are a carousel, and commas"),
        ("größe.mp4;a.jpg;b.jpg", "these are 3 files."),
        ("https://x.example/a.jpg; https://x.example/b.jpg", "these are 2 files."),
        ("clips.mp4, a.jpg", "2: carousel, item 1: clips.mp4 is a folder. Name a file in it."),
    ],
)
def test_a_cell_of_a_carousel_that_cannot_be_read_is_shown_with_why(cell: str, told: str, tmp_path: Path) -> None:
    quoted = cell.replace('"', '""')
    (message,) = said(tmp_path / "plan.csv", f'id;publish_at;carousel\na;2030-05-06 08:30 UTC;"{quoted}"\n')
    assert told in message


def test_a_cell_with_a_signed_link_is_not_shown(tmp_path: Path) -> None:
    text = 'id;publish_at;carousel\na;2030-05-06 08:30 UTC;"[""https://x.example/a.jpg?sig=secret"",, ]"\n'
    (message,) = said(tmp_path / "plan.csv", text)
    assert message.startswith("2: carousel begins like a list, and is not a valid one. Write")


def test_words_in_brackets_are_json_too(tmp_path: Path) -> None:
    (message,) = said(tmp_path / "plan.yaml", YAML % "video: größe.mp4, tags: '[spring, sale,]'")
    assert message.startswith("3: tags begins like a list, and is not a valid one.")


@pytest.mark.parametrize("name", ["rot; blau.jpg", "a.jpg und b.jpg", "a.jpg b.jpg", "a.mp4.jpg", "rot,blau.jpg"])
def test_what_looks_like_a_separator_may_be_a_part_of_a_name(name: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    assert said(tmp_path / "plan.yaml", YAML % f'image: "{name}"') == []


def test_the_names_of_several_files_in_a_field_for_one_are_told_as_a_carousel(tmp_path: Path) -> None:
    for between in (",", ";"):
        (message,) = said(tmp_path / "plan.yaml", YAML % f'image: "a.jpg{between} b.jpg"')
        assert "Several files are a carousel, and commas separate them" in message


@pytest.mark.parametrize("name", ["video", "image"])
def test_a_folder_is_called_one(name: str, tmp_path: Path) -> None:
    assert said(tmp_path / "plan.yaml", YAML % f"{name}: clips.mp4")[0].startswith(f"3: {name}: clips.mp4 is a folder.")
    assert "these are 2 files" in said(tmp_path / "plan.yaml", YAML % f"{name}: a.jpg; b.jpg")[0]


@pytest.mark.parametrize("value", ["[x, null, true]", "{a: null}", "[[a], {b: [c]}]", "[2030-05-06]", "{a: {b: no}}"])
def test_no_message_shows_a_value_as_python_writes_it(value: str, tmp_path: Path) -> None:
    told = []
    for name in CALENDAR_FIELDS:
        own = {"id": "a", "publish_at": "2030-05-06 08:30 UTC", "video": "größe.mp4", name: value}
        if name in ("image", "carousel"):
            del own["video"]
        post = ", ".join(f"{field}: {text}" for field, text in own.items())
        told += said(tmp_path / "plan.yaml", f"posts:\n- {{{post}}}\n")
    assert len(told) > len(CALENDAR_FIELDS) - 2
    assert [one for one in told if REPR.search(one)] == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("max_lateness: 2 h\n" + YAML % "video: größe.mp4", "'max_lateness'. Use one of defaults, min_spacing, slots,"),
        ("min_spacng: 15\n" + YAML % "video: größe.mp4", "Did you mean min_spacing?"),
        (YAML % "video: größe.mp4, captoin: Grüße", "Did you mean caption?"),
        (YAML % "video: größe.mp4, Publish At: Grüße", "Did you mean publish_at?"),
    ],
)
def test_an_unknown_name_is_told_with_the_one_that_is_meant(text: str, told: str, tmp_path: Path) -> None:
    (message,) = said(tmp_path / "plan.yaml", text)
    assert told in message


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("europe/berlin", "Europe/Berlin"),
        ("Eurpe/Berlin", "Europe/Berlin"),
        ("Berlin", "Europe/Berlin"),
        ("America/New York", "America/New_York"),
        ("Zürich", "Europe/Zurich"),
    ],
)
def test_a_zone_that_is_nearly_right_is_suggested(name: str, meant: str, tmp_path: Path) -> None:
    (message,) = said(tmp_path / "plan.yaml", YAML.replace("Europe/Berlin", name) % "video: größe.mp4")
    assert message == f"1: '{name}' is not a time zone. Did you mean {meant}?"


@pytest.mark.parametrize("name", ["GMT+1", "UTC+1", "utc+01", "Etc/UTC+2", "Europe/Köln", "Europe/Berln", "Mailand"])
def test_no_zone_with_another_time_is_suggested(name: str, tmp_path: Path) -> None:
    """Etc/GMT+1 is an hour behind UTC, and London an hour behind Köln."""
    (message,) = said(tmp_path / "plan.yaml", YAML.replace("Europe/Berlin", name) % "video: größe.mp4")
    assert message == f"1: '{name}' is not a time zone. Use a name of the tz database, such as Europe/Berlin or UTC."


def test_a_file_without_posts_is_a_problem_in_each_form(tmp_path: Path) -> None:
    for name, text in (("a.csv", "id,publish_at,video\n"), ("a.yaml", "posts:\n"), ("a.json", '{"posts": []}')):
        (message,) = said(tmp_path / name, text)
        assert message.startswith("0: the calendar has no posts, so nothing is published."), name
