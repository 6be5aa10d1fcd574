"""How often the page reads a calendar's plan."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.calendar.planning.stored_plan import StoredPlan
from airflow_provider_instagram.calendar.stored_dags import CalendarDag, PlanReader
from airflow_provider_instagram.files import storage

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mock import MockerFixture

CALENDAR = CalendarDag("a", "a", False, "s3://media/plans/a.plan.json")


def test_a_plan_in_object_storage_is_read_at_each_look_and_parsed_when_it_has_changed(
    mocker: MockerFixture,
) -> None:
    """Otherwise, two API server processes would show the calendar before and after an edit in turns."""
    contents = [None, b"first", b"first", b"second", None]
    reads, parsed = iter(contents), list[bytes]()

    def parse(content: bytes) -> Any:
        parsed.append(content)
        return content

    mocker.patch.object(storage, "read", side_effect=lambda location: next(reads))
    mocker.patch.object(StoredPlan, "model_validate_json", parse)
    reader: Any = PlanReader()
    assert [reader.read(CALENDAR) for _ in contents] == contents
    assert parsed == [b"first", b"second"]


def test_a_storage_that_fails_is_not_asked_at_each_look_and_what_was_read_is_shown(
    mocker: MockerFixture,
) -> None:
    """A storage that does not answer takes seconds each time, and the page waits for the look."""
    asked: list[str] = []

    def fail(location: str) -> bytes:
        asked.append(location)
        raise OSError("The storage does not answer.")

    mocker.patch.object(StoredPlan, "model_validate_json", lambda content: content)
    mocker.patch.object(storage, "read", return_value=b"first")
    reader: Any = PlanReader()
    assert reader.read(CALENDAR) == b"first"
    mocker.patch.object(storage, "read", fail)
    assert [reader.read(CALENDAR) for _ in range(3)] == [b"first"] * 3
    assert len(asked) == 1


@pytest.mark.parametrize(("error", "asked"), [(TimeoutError, ["a"]), (PermissionError, ["a", "b", "c"])])
def test_a_storage_that_does_not_answer_is_waited_for_once_for_all_calendars(
    mocker: MockerFixture, error: type[OSError], asked: list[str]
) -> None:
    """The page shows all calendars, and each wait takes seconds."""
    found: list[str] = []

    def fail(location: str) -> bytes:
        found.append(location[-1])
        raise error

    mocker.patch.object(storage, "read", fail)
    for name in ("a", "b", "c"):
        PlanReader().read(replace(CALENDAR, plan_file=f"s3://media/{error.__name__}/{name}"))
    assert found == asked


@pytest.mark.parametrize("plan", ["file/a.json", "loop/a.json", "pipe"])
def test_a_plan_that_cannot_be_read_does_not_keep_the_page_from_the_other_calendars(tmp_path: Path, plan: str) -> None:
    """Reading a pipe would wait for a writer, and with it each user that looks at the page."""
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    assert PlanReader().read(replace(CALENDAR, plan_file=str(tmp_path / plan))) is None
