"""What ``airflow instagram calendar check`` says: in the words of the file's author, with what to write instead."""

from __future__ import annotations

import inspect
import re
import time
from typing import TYPE_CHECKING

import pytest

from airflow_provider_instagram.calendar import content_calendar_dag
from airflow_provider_instagram.calendar.file.model import CALENDAR_FIELDS
from airflow_provider_instagram.calendar.file.names import DAG_ARGUMENTS, SETTINGS
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
        (
            '["a.jpg", "b.jpg", ]',
            'a comma stands before its closing bracket: ["a.jpg", "b.jpg", ]. Write it like ["one", "two"], or without',
        ),
        ('["a.jpg", {"image": "b.jpg",}]', "because a comma stands before its closing bracket: ["),
        ("[a.jpg, b.jpg, ]", "because each text in it needs quotation marks: [a.jpg, b.jpg, ]"),
        ("['a.jpg', 'b.jpg']", "because it cannot be read from its character 2 on: ["),
        ('["a.jpg", "b.jpg"', "because it cannot be read from its character 18 on: ["),
        ("a.jpg; b.jpg", "these are 2 files, with semicolons between them. Several files are a carousel, and commas"),
        ("größe.mp4;a.jpg;b.jpg", "these are 3 files, with semicolons between them."),
        ("https://x.example/a.jpg; https://x.example/b.jpg", "these are 2 files, with semicolons between them."),
        ("clips.mp4, a.jpg", "2: carousel, item 1: clips.mp4 is a folder. Name a file in it."),
        ("a.jpg | b.jpg", "these are 2 files. Several files are a carousel, and commas separate them: a.jpg, b.jpg."),
        ("a.jpg / größe.mp4", "these are 2 files."),
        ("a.jpg und b.jpg", "these are 2 files."),
        ("a.jpg b.jpg", "these are 2 files."),
        ('{"image": "a.jpg"}, {"image": "b.jpg"}', "because square brackets around it are missing: {"),
        ('{"image": "a.jpg"}', "because square brackets around it are missing: {"),
    ],
)
def test_a_cell_of_a_carousel_that_cannot_be_read_is_shown_with_why(cell: str, told: str, tmp_path: Path) -> None:
    quoted = cell.replace('"', '""')
    (message,) = said(tmp_path / "plan.csv", f'id;publish_at;carousel\na;2030-05-06 08:30 UTC;"{quoted}"\n')
    assert told in message


def test_a_cell_with_a_signed_link_is_not_shown(tmp_path: Path) -> None:
    text = 'id;publish_at;carousel\na;2030-05-06 08:30 UTC;"[""https://x.example/a.jpg?sig=secret"", ]"\n'
    (message,) = said(tmp_path / "plan.csv", text)
    assert message.startswith("2: carousel is not valid JSON, because a comma stands before its closing bracket. Write")


def test_words_in_brackets_are_json_too(tmp_path: Path) -> None:
    (message,) = said(tmp_path / "plan.yaml", YAML % "video: größe.mp4, tags: '[spring, sale,]'")
    assert "3: tags is not valid JSON, because each text in it needs quotation marks: [spring, sale,]." in message


def test_true_in_a_cell_is_a_word_as_it_is_in_yaml(tmp_path: Path) -> None:
    text = "video: größe.mp4, collaborators: '[true, [false], null]'"
    (message,) = said(tmp_path / "plan.yaml", YAML % text)
    assert message.startswith('3: collaborators must be text, not ["false"].')


@pytest.mark.parametrize("name", ["rot; blau.jpg", "a.jpg und b.jpg", "a.jpg b.jpg", "a.mp4.jpg", "rot,blau.jpg"])
def test_what_looks_like_a_separator_may_be_a_part_of_a_name(name: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    assert said(tmp_path / "plan.yaml", YAML % f'image: "{name}"') == []


def test_the_names_of_several_files_in_a_field_for_one_are_told_as_a_carousel(tmp_path: Path) -> None:
    for between in (",", ";", "\t"):
        (message,) = said(tmp_path / "plan.yaml", YAML % f'image: "a.jpg{between} b.jpg"')
        assert "Several files are a carousel, and commas separate them" in message


def test_the_remedy_for_tags_that_cannot_be_read_is_a_list_of_tags(tmp_path: Path) -> None:
    for cell in ('[{"username": "ann", "x": 0.5, "y": 0.4},]', '{"username": "ann", "x": 0.5, "y": 0.4}'):
        (message,) = said(tmp_path / "plan.yaml", YAML % f"image: a.jpg, user_tags: '{cell}'")
        assert 'Write it like [{"username": "ann", "x": 0.5, "y": 0.4}]' in message


@pytest.mark.parametrize("name", ["video", "image"])
def test_a_folder_is_called_one(name: str, tmp_path: Path) -> None:
    assert said(tmp_path / "plan.yaml", YAML % f"{name}: clips.mp4")[0].startswith(f"3: {name}: clips.mp4 is a folder.")
    assert "semicolons" in said(tmp_path / "plan.yaml", YAML % f"{name}: a.jpg; b.jpg")[0]


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
        (YAML % "video: größe.mp4, max_lateness: 2 h", "write max_lateness=… in the DAG file."),
        (YAML % "video: größe.mp4, Max Lateness: 2 h", "write max_lateness=… in the DAG file."),
        ("max_lateness: 2 h\n" + YAML % "video: größe.mp4", "1: Unknown setting 'max_lateness'. It is an argument of"),
        ("defaults: {lead_time: 1 h}\nposts: []\n", "write lead_time=… in the DAG file."),
        ("timezone: Europe/Berlin\n" + YAML % "video: größe.mp4", "It is a field of a post: write it below defaults"),
        ("min_spacng: 15\n" + YAML % "video: größe.mp4", "Did you mean min_spacing?"),
        (YAML % "video: größe.mp4, min_spacing: 15", "write it at the head of a YAML or JSON calendar."),
        (YAML % "video: größe.mp4, captoin: Grüße", "Did you mean caption?"),
    ],
)
def test_a_name_in_the_wrong_place_is_told_where_it_belongs(text: str, told: str, tmp_path: Path) -> None:
    (message,) = said(tmp_path / "plan.yaml", text)
    assert told in message


def test_the_arguments_of_the_dag_are_known() -> None:
    named = {*inspect.signature(content_calendar_dag).parameters} - {"dag_arguments"}
    assert named - {*CALENDAR_FIELDS, *SETTINGS} | {"min_spacing"} == {*DAG_ARGUMENTS}


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("Europe/Berln", "Europe/Berlin"),
        ("Europe/Berlim", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ("Eurpe/Berlin", "Europe/Berlin"),
        ("Berlin", "Europe/Berlin"),
        ("America/New York", "America/New_York"),
        ("America/NewYork", "America/New_York"),
        ("Asia/Tokio", "Asia/Tokyo"),
        ("Europe/Viena", "Europe/Vienna"),
        ("Europe/Kiew", "Europe/Kiev"),
        ("Zürich", "Europe/Zurich"),
        ("Europe/Lissabon", "Europe/Lisbon"),
        ("Berlim", "Europe/Berlin"),
    ],
)
def test_a_zone_that_is_nearly_right_is_suggested(name: str, meant: str, tmp_path: Path) -> None:
    (message,) = said(tmp_path / "plan.yaml", YAML.replace("Europe/Berlin", name) % "video: größe.mp4")
    assert message == f"1: '{name}' is not a time zone. Did you mean {meant}?"


@pytest.mark.parametrize("name", ["GMT+1", "UTC+1", "utc+01", "Etc/UTC+2", "Europe/Köln", "Europe/Moskau", "Mailand"])
def test_no_zone_with_another_time_is_suggested(name: str, tmp_path: Path) -> None:
    """Etc/GMT+1 is an hour behind UTC, and London an hour behind Köln."""
    (message,) = said(tmp_path / "plan.yaml", YAML.replace("Europe/Berlin", name) % "video: größe.mp4")
    assert message == f"1: '{name}' is not a time zone. Use a name of the tz database, such as Europe/Berlin or UTC."


def test_a_file_without_posts_is_a_problem_in_each_form(tmp_path: Path) -> None:
    for name, text in (("a.csv", "id,publish_at,video\n"), ("a.yaml", "posts:\n"), ("a.json", '{"posts": []}')):
        (message,) = said(tmp_path / name, text)
        assert message.startswith("0: the calendar has no posts, so nothing is published."), name
