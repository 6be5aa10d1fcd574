"""What an import makes of a spreadsheet's rows, and which it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_instagram.calendar.file.edits import plain
from airflow_provider_instagram.calendar.file.problems import InvalidValue
from airflow_provider_instagram.calendar.file.sheet_import import Imported, SheetReading, import_sheet


def made_of(text: str, **how: Any) -> Imported:
    return import_sheet(text, SheetReading(**how))


def posts(made: Imported) -> list[dict[str, str]]:
    assert not made.problems, made.problems
    return [plain(row) for row in made.rows.rows]


def said(made: Imported) -> list[tuple[int, str]]:
    return [(problem.line, f"{problem.message} {problem.remedy}") for problem in made.problems]


@pytest.mark.parametrize(
    "cells",
    [
        "24.12.2030 18:00 +02:00,",
        "24.12.2030 18:00 UTC,",
        "2030-12-24,18:00 UTC",
        "2030-12-24,18:00+05:30",
        "2030-12-24,18:00-19:00",
        "2030-12-24 18:00 CET,18:00",
        "24.12.2030 or later,18:00",
    ],
)
def test_what_stands_beside_date_and_time_is_never_dropped(cells: str) -> None:
    """It may be the zone: ``18:00 UTC`` must not become 18:00 in New York."""
    ((line, what),) = said(made_of(f"Title,Date,Time,Video\nA,{cells},a.mp4\n"))
    assert line == 2
    assert "contains more than a date and a time" in what
    assert "column named timezone" in what


@pytest.mark.parametrize(
    ("written", "publish_at"),
    [
        ("2030-12-24 18:00 UTC", "2030-12-24 18:00 UTC"),
        ("2030-12-24 18:00 GMT", "2030-12-24 18:00 GMT"),
        ("2030-12-24T18:00:00.000Z", "2030-12-24T18:00:00Z"),
        ("2030-12-24 18:00:00 -05:00", "2030-12-24 18:00:00 -05:00"),
        ("2030-12-26 18:00 Europe/Berlin", "2030-12-26 18:00 Europe/Berlin"),
        ("24.12.2030 18:00 Uhr", "2030-12-24 18:00"),
        ("2030-12-24 6:30 PM", "2030-12-24 18:30"),
        ("12/28/2030, 6:30 PM", "2030-12-28 18:30"),
    ],
)
def test_a_time_that_is_written_as_in_a_calendar_keeps_its_zone(written: str, publish_at: str) -> None:
    (post,) = posts(made_of(f'Title,Publish at,Video\nA,"{written}",a.mp4\n'))
    assert post["publish_at"] == publish_at


@pytest.mark.parametrize(
    ("first", "order"), [("4/13/2030", "day-first"), ("Di 3.5.2030", None), ("13/4/2030", "month-first")]
)
def test_one_date_that_contradicts_the_order_puts_the_whole_sheet_in_doubt(first: str, order: str | None) -> None:
    with pytest.raises(InvalidValue) as refused:
        made_of(f"Title,Date,Time,Video\nA,{first},18:00,a.mp4\nB,3/4/2030,18:00,b.mp4\n", order=order)
    assert "line 2" in refused.value.message
    assert first in refused.value.message
    assert "defaults={'dates'" in refused.value.remedy


def test_a_time_column_goes_with_a_date_that_the_spreadsheet_gave_a_midnight() -> None:
    (post,) = posts(made_of("Title,Date,Time,Video\nA,24.12.2030 00:00:00,18.30,a.mp4\n"))
    assert post["publish_at"] == "2030-12-24 18:30"


def test_two_cells_that_say_when_are_a_problem() -> None:
    ((line, what),) = said(made_of("Title,Date,Publish at,Video\nA,2030-12-24,2030-12-25 18:00,a.mp4\n"))
    assert (line, "Leave one of the two cells empty" in what) == (2, True)


def test_an_unquoted_comma_does_not_cut_the_caption() -> None:
    ((line, what),) = said(made_of("Title,Date,Time,Video,Caption\nA,2030-12-24,18:00,a.mp4,Hello, world\n"))
    assert line == 2
    assert "6 cells, but there are 5 columns" in what
    assert "quotation marks" in what


def test_empty_cells_behind_the_last_column_are_nothing() -> None:
    """Spreadsheets write them for columns that somebody emptied."""
    assert len(posts(made_of("Title,Date,Time,Video,,\nA,2030-12-24,18:00,a.mp4,,,\n"))) == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            '2030-12-24,a.mp4,"unclosed\n2030-12-25,a.mp4,x\n',
            "begins in line 2 is not CSV: a quotation mark is not closed",
        ),
        (
            '2030-12-24,a.mp4,x\n2030-12-25,a.mp4,"un"x\n',
            "begins in line 3 is not CSV: a text goes on after its closing",
        ),
        (f"2030-12-24,a.mp4,{'x' * 140_000}\n", "begins in line 2 is not CSV: a cell has more than 131,072 characters"),
    ],
)
def test_a_quotation_mark_that_is_not_closed_swallows_no_row(text: str, told: str) -> None:
    with pytest.raises(InvalidValue, match=told):
        made_of(f"Date,Video,Copy\n{text}")


@pytest.mark.parametrize(
    ("titles", "told"),
    [("Copy,Text", "mean caption: Copy, Text"), ("Account,Profile", "mean account: Account, Profile")],
)
def test_two_columns_of_one_meaning_are_a_problem(titles: str, told: str) -> None:
    """Nobody knows which of them is meant."""
    ((line, what),) = said(made_of(f"Title,Date,Time,Video,{titles}\nA,2030-12-24,18:00,a.mp4,one,two\n"))
    assert line == 1
    assert f"several columns {told}" in what


def test_the_separator_of_excels_own_first_line_is_taken() -> None:
    made = made_of("sep=;\nTitle;Date;Time;Video\nA;2030-12-24;18:00;a.mp4\nB;someday;18:00;a.mp4\n")
    assert [line for line, _ in said(made)] == [4]


SHEET = {
    "first": "2030-12-24,18:00,A,one",
    "second": "2030-12-25,18:00,A,two",
    "same day": "2030-12-25,19:00,A,three",
    "no latin": "2030-12-26,9:00,日本,four",
    "no title": "2030-12-27,9:00,,Frohes Fest!",
    "alone": "2030-12-28,9:00,Büro-Tour,six",
}


def test_no_id_depends_on_where_its_row_stands() -> None:
    """A row that comes in above the others, or rows that are sorted anew, let every post keep its id."""
    head = "Date,Time,Title,Copy,Video\n"
    rows = [f"{row},a.mp4\n" for row in SHEET.values()]
    made = made_of(head + "".join(rows))
    ids = {post["caption"]: post["id"] for post in posts(made)}
    assert ids == {
        "one": "2030-12-24-a",
        "two": "2030-12-25-1800-a",
        "three": "2030-12-25-1900-a",
        "four": "2030-12-26",
        "Frohes Fest!": "2030-12-27-frohes-fest",
        "six": "buero-tour",
    }
    assert made.lines_with_dated_id == (2, 3, 4, 5, 6)
    later = made_of(head + "2030-12-23,9:00,New,none,a.mp4\n" + "".join(reversed(rows)))
    assert {post["caption"]: post["id"] for post in posts(later)} == {"none": "new", **ids}


def test_a_column_id_goes_before_the_title() -> None:
    made = made_of("Id,Title,Date,Time,Video\nfirst,A,2030-12-24,18:00,a.mp4\nsecond,A,2030-12-25,18:00,a.mp4\n")
    assert [post["id"] for post in posts(made)] == ["first", "second"]
    assert made.lines_with_dated_id == ()


@pytest.mark.parametrize(
    ("titles", "cells", "post"),
    [
        ("File", "set.heic", {"image": "set.heic"}),
        ("File", "teaser.mov", {"video": "teaser.mov"}),
        ("Link", "https://example.com/watch?v=1", {"video": "https://example.com/watch?v=1"}),
        ("Media", '"one.jpg, two.mov"', {"carousel": "one.jpg, two.mov"}),
        ("Media", '"Anna, Berlin.jpg"', {"image": "Anna, Berlin.jpg"}),
        ("Media", '"https://example.com/w_3,h_2/a.mp4"', {"video": "https://example.com/w_3,h_2/a.mp4"}),
        ("Media,Format", '"one, two",Carousel', {"carousel": "one, two"}),
        ("Asset,Type", "abc123,Photo", {"image": "abc123"}),
        ("Asset,Type", "abc123,Video", {"video": "abc123"}),
        ("Photo,Format", "a.jpg,Story", {"image": "a.jpg", "placement": "story"}),
        ("Video,Format", "a.mp4,Reel", {"video": "a.mp4", "placement": "reels"}),
        ("Video,Format", "a.mp4,Post", {"video": "a.mp4", "placement": "feed"}),
        ("Slides", '"one.jpg, two.jpg"', {"carousel": "one.jpg, two.jpg"}),
        ("Image", "teaser.mp4", {"video": "teaser.mp4"}),
        ("Image", '"one.jpg, two.jpg"', {"carousel": "one.jpg, two.jpg"}),
        ("Image,Format", '"one, two",Carousel', {"carousel": "one, two"}),
        ("Image URL", '"https://example.com/w_3,h_2/abc"', {"image": "https://example.com/w_3,h_2/abc"}),
        (
            "Image,Alt text,First comment",
            "a.jpg,A tree,#one",
            {"image": "a.jpg", "alt_text": "A tree", "first_comment": "#one"},
        ),
        ("image,alt_text,first_comment", "a.jpg,A,B", {"image": "a.jpg", "alt_text": "A", "first_comment": "B"}),
    ],
)
def test_the_columns_of_a_sheet_become_pictures_carousels_and_stories(
    titles: str, cells: str, post: dict[str, str]
) -> None:
    (row,) = posts(made_of(f"Title,Date,Time,{titles}\nA,2030-12-24,18:00,{cells}\n"))
    assert row == {"id": "a", "publish_at": "2030-12-24 18:00", **post}


def test_a_row_with_two_media_is_refused() -> None:
    ((line, what),) = said(made_of("Title,Date,Time,Video,File\nA,2030-12-24,18:00,a.mp4,b.jpg\n"))
    assert (line, what) == (
        2,
        "the row names 'b.jpg', and also 'a.mp4' in a column for video. Leave one of the two cells empty.",
    )


def test_a_sheet_without_media_is_refused() -> None:
    with pytest.raises(InvalidValue, match="no column is named video, image or carousel"):
        made_of("Title,Date,Time\nA,2030-12-24,18:00\n")
