"""What a card shows."""

from __future__ import annotations

from datetime import datetime, timezone

from airflow_provider_instagram.calendar.file.model import InvalidPost
from airflow_provider_instagram.plugin.board.cards import PostCard
from airflow_provider_instagram.plugin.board.states import State, Status


def test_a_long_reason_ends_with_an_ellipsis_and_a_short_one_is_whole() -> None:
    def why(reason: str) -> str:
        at = datetime(2030, 5, 6, tzinfo=timezone.utc)
        status = Status(State.FAILED, reason)
        return str(PostCard("spring", InvalidPost("hello", at, "studio", 1), status).as_data()["why"])

    assert why("no worker") == "no worker"
    assert why("a" * 120) == "a" * 120
    assert why("a" * 121) == "a" * 120 + "…"
