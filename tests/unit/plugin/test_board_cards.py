"""What a card shows."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from airflow_provider_instagram.calendar.file.columns import Calendar, InvalidPost
from airflow_provider_instagram.calendar.planning.begin_runs import Plan
from airflow_provider_instagram.calendar.planning.stored_plan import About, StoredPlan
from airflow_provider_instagram.calendar.stored_dags import CalendarDag
from airflow_provider_instagram.plugin.board.board import Board, PostCard
from airflow_provider_instagram.plugin.board.queries import CalendarSource
from airflow_provider_instagram.plugin.board.states import State, Status

EMPTY = Calendar("")


def test_a_long_reason_ends_with_an_ellipsis_and_a_short_one_is_whole() -> None:
    def why(reason: str) -> str:
        at = datetime(2030, 5, 6, tzinfo=timezone.utc)
        status = Status(State.FAILED, reason)
        return str(PostCard("spring", InvalidPost("hello", at, "studio", 1), status).as_data()["why"])

    assert why("no worker") == "no worker"
    assert why("a" * 120) == "a" * 120
    assert why("a" * 121) == "a" * 120 + "…"


@pytest.mark.parametrize(
    ("location", "shown"),
    [("https://docs.google.com/spreadsheets/d/e/x/pub?…", "the sheet"), ("/data/spring.yaml", "spring.yaml")],
)
def test_the_problems_of_a_sheet_are_in_the_sheet_and_those_of_a_file_in_its_name(location: str, shown: str) -> None:
    hour = timedelta(hours=1)
    about = About(lead_time=hour, max_lateness=hour, prepare_ahead=hour)
    plan = StoredPlan(location=location, at=datetime(2030, 5, 6, tzinfo=timezone.utc), plan=Plan(EMPTY), about=about)
    calendar = CalendarDag("spring", "spring", False, "/snapshots/a.plan.json")
    board = Board(calendar, CalendarSource("spring"), plan, {}, {}, (), 0.0)
    assert board.head["file"] == shown
