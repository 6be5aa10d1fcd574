"""Dates and times as people write them in cells."""

from __future__ import annotations

import pytest

from airflow_provider_instagram.calendar.file.problems import InvalidValue
from airflow_provider_instagram.calendar.file.sheet_times import (
    AskedFor,
    ContradictedDates,
    TimeCells,
    read_time_cells,
)


@pytest.mark.parametrize(
    ("cells", "at"),
    [
        (("", "Dec 1 2026", "9:30 AM"), "2026-12-01 09:30"),
        (("", "December 1st, 2026", "12:05 a.m."), "2026-12-01 00:05"),
        (("", "1 Dec 2026", "9am"), "2026-12-01 09:00"),
        (("", "01.12.2026", "18 Uhr"), "2026-12-01 18:00"),
        (("", "Di, 01.12.2026", "18.30 Uhr"), "2026-12-01 18:30"),
        (("", "1.12.26", "18:30"), "2026-12-01 18:30"),
        (("", "1. März 2027", "7:05"), "2027-03-01 07:05"),
        (("", "3. Dez. 2026", "um 18 Uhr"), "2026-12-03 18:00"),
        (("", "2026/12/01", "18:30"), "2026-12-01 18:30"),
        (("Tuesday, December 1, 2026 at 6:30 PM", "", ""), "2026-12-01 18:30"),
        (("2026-12-01T18:30:00.000Z", "", ""), "2026-12-01T18:30:00Z"),
        (("18:30", "2026-12-01", ""), "2026-12-01 18:30"),
        (("", "", "01.12.2026 18:30"), "2026-12-01 18:30"),
        (("", "31.12.2026", "23:59"), "2026-12-31 23:59"),
        (("", "01.12.2026", "13:00 PM"), "2026-12-01 13:00"),
        (("", "01.12.2026", "00:30 AM"), "2026-12-01 00:30"),
        (("", "2026-02-30", "12:00"), "2026-02-30 12:00"),
        (("", "", ""), ""),
    ],
)
def test_a_time_is_read_in_english_and_german(cells: tuple[str, str, str], at: str) -> None:
    assert read_time_cells(TimeCells(*cells), None) == at


@pytest.mark.parametrize(
    ("written", "order", "at"),
    [
        ("3/4/2027", "day-first", "2027-04-03 12:00"),
        ("3/4/2027", "month-first", "2027-03-04 12:00"),
        ("3.4.2027", "month-first", "2027-04-03 12:00"),
        ("Sat 3/4/2027", "day-first", "2027-04-03 12:00"),
        ("13/4/2027", None, "2027-04-13 12:00"),
        ("4/13/2027", None, "2027-04-13 12:00"),
        ("4/4/2027", None, "2027-04-04 12:00"),
    ],
)
def test_the_order_of_a_date_is_what_was_said_unless_the_date_says_it(written: str, order: object, at: str) -> None:
    assert read_time_cells(TimeCells(day=written), order, "12:00") == at  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cells", "what"), [(TimeCells(day="3/4/2027", hour="9:00"), "dates"), (TimeCells(day="Dec 1 2026"), "time")]
)
def test_what_a_cell_does_not_say_is_asked_for(cells: TimeCells, what: str) -> None:
    with pytest.raises(AskedFor) as asked:
        read_time_cells(cells, None)
    assert asked.value.what == what


@pytest.mark.parametrize(
    ("cells", "order"),
    [
        (TimeCells(day="4/13/2027", hour="9:00"), "day-first"),
        (TimeCells(whole="13-04-2027 9:00"), "month-first"),
        (TimeCells(day="4.13.2027", hour="9:00"), None),
        (TimeCells(day="Sat 3/4/2027", hour="9:00"), "month-first"),
        (TimeCells(day="Di 3.5.2027", hour="9:00"), None),
        (TimeCells(day="3/4/2027", hour="Donnerstag 9:00"), "day-first"),
    ],
)
def test_a_date_that_contradicts_the_order_is_not_read_as_another_date(cells: TimeCells, order: object) -> None:
    with pytest.raises(ContradictedDates):
        read_time_cells(cells, order)  # type: ignore[arg-type]


@pytest.mark.parametrize("day", ["Mon 2026-12-01", "Montag, 1. Dezember 2026", "Sunday, December 1, 2026"])
def test_the_wrong_day_of_the_week_is_a_problem_of_its_row_if_no_order_is_in_doubt(day: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        read_time_cells(TimeCells(day=day, hour="9:00"), None)
    assert not isinstance(refused.value, ContradictedDates)


@pytest.mark.parametrize("hour", ["13:00 am", "0:30 pm", "25:00 pm"])
def test_a_time_that_contradicts_its_half_of_the_day_is_refused(hour: str) -> None:
    with pytest.raises(InvalidValue):
        read_time_cells(TimeCells(day="2026-12-01", hour=hour), None)


@pytest.mark.parametrize("written", ["tomorrow", "Dec 1", "12:00", "01.12.2026 18:00 MEZ", "Marvin 3 2026 9:00"])
@pytest.mark.parametrize("hour", ["", "18:00"])
def test_a_cell_that_is_no_date_or_says_more_is_refused(written: str, hour: str) -> None:
    with pytest.raises(InvalidValue):
        read_time_cells(TimeCells(day=written, hour=hour), None)
