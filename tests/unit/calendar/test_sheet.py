"""What an import makes of a spreadsheet's rows, and which it refuses."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from airflow_provider_instagram.calendar.sheet import Imported, imported


def made_of(text: str, **how: Any) -> Imported:
    return imported(text, **{"timezone": "America/New_York", "account": None, "order": None, **how})


def posts(made: Imported) -> list[dict[str, str]]:
    assert not made.faults, made.faults
    return list(yaml.safe_load(made.text)["posts"])


def said(made: Imported) -> list[tuple[int, str]]:
    return [(fault.line, f"{fault.message} {fault.remedy}") for fault in made.faults]


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
    assert "says more than a date and a time" in what
    assert "column timezone" in what


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


def test_a_time_column_goes_with_a_date_that_the_spreadsheet_gave_a_midnight() -> None:
    (post,) = posts(made_of("Title,Date,Time,Video\nA,24.12.2030 00:00:00,18.30,a.mp4\n"))
    assert post["publish_at"] == "2030-12-24 18:30"


def test_two_cells_that_say_when_are_a_fault() -> None:
    ((line, what),) = said(made_of("Title,Date,Publish at,Video\nA,2030-12-24,2030-12-25 18:00,a.mp4\n"))
    assert (line, "Leave one of the two cells empty" in what) == (2, True)
