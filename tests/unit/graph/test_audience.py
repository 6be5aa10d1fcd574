"""What Meta's answers about followers mean."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from airflow_provider_instagram.graph import audience

SINCE, UNTIL = datetime(2026, 11, 1, tzinfo=timezone.utc), datetime(2026, 11, 3, tzinfo=timezone.utc)


def hours(*values: Any) -> dict[str, Any]:
    return {"data": [{"name": "online_followers", "period": "lifetime", "values": list(values)}]}


def parts(*results: Any) -> dict[str, Any]:
    broken = {"dimension_keys": ["city"], "results": list(results)}
    return {"data": [{"name": "follower_demographics", "total_value": {"breakdowns": [broken]}}]}


def test_hours_are_counted_from_the_beginning_of_metas_day() -> None:
    """The day of California is from 7 to 7 in UTC: its hour 20 is 3 in the next morning."""
    call = audience.online_followers("17", since=SINCE, until=UNTIL)
    first = {"value": {"0": 10, "20": 30}, "end_time": "2026-11-02T07:00:00+0000"}
    winter = {"value": {"0": "7"}, "end_time": "2026-11-03T08:00:00+0000"}
    assert call.read(hours(first, winter)) == {
        datetime(2026, 11, 1, 7, tzinfo=timezone.utc): 10,
        datetime(2026, 11, 2, 3, tzinfo=timezone.utc): 30,
        datetime(2026, 11, 2, 8, tzinfo=timezone.utc): 7,
    }
    assert (call.params["since"], call.params["until"]) == ("1793491200", "1793664000")


def test_parts_are_named_as_meta_names_them() -> None:
    call = audience.follower_demographics("17", "city")
    vienna = {"dimension_values": ["Vienna, Vienna"], "value": 120}
    assert call.read(parts(vienna, {"dimension_values": ["a\0b"], "value": 3})) == {
        "Vienna, Vienna": 120,
        "a\ufffdb": 3,
    }
    assert call.params["breakdown"] == "city"


@pytest.mark.parametrize(
    "answer",
    [
        {"data": []},
        hours(),
        hours({"value": {}, "end_time": "2026-11-02T07:00:00+0000"}),
        hours(
            {"value": {"0": 10}}, {"value": {"24": 1, "x": 2, "1": None}, "end_time": "2026-11-02T07:00:00+0000"}, None
        ),
        parts(),
        parts(None, {"dimension_values": [], "value": 3}, {"dimension_values": ["Vienna"]}),
        {"data": [None, {"total_value": {}}, {"total_value": {"breakdowns": [None]}}]},
    ],
)
def test_what_is_not_a_number_is_left_out(answer: dict[str, Any]) -> None:
    assert audience.online_followers("17", since=SINCE, until=UNTIL).read(answer) == {}
    assert audience.follower_demographics("17", "city").read(answer) == {}


def test_the_followers_of_an_account_may_be_unknown() -> None:
    call = audience.followers_count("17")
    assert (call.read({"followers_count": 99}), call.read({"id": "17"})) == (99, None)
