"""The audience of an account: the rows equal what Instagram served, once a month and once a week."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from typing import Any

import httpx
import pytest

from airflow_provider_instagram.insights.schema import AUDIENCE
from airflow_provider_instagram.quota.call_budget import InsightsBudget
from tests.integration.insights.quarter import CALLS_PER_HOUR, START, Quarter, opened

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DEMOGRAPHICS = ("age", "city", "country", "gender")


def served(quarter: Quarter, **params: Any) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {quarter.sandbox.token}"}
    answer = httpx.get(
        f"{quarter.sandbox.url}/v26.0/{quarter.sandbox.user_id}/insights", params=params, headers=headers
    )
    row: dict[str, Any] = answer.raise_for_status().json()["data"][0]
    return row


def rows(quarter: Quarter) -> dict[tuple[str, str, str], tuple[str, int | None]]:
    return {
        (row["day"].isoformat(), row["dimension"], row["value"]): (row["status"], row["followers"])
        for row in quarter.target.rows(AUDIENCE)
    }


def test_followers_are_counted_by_age_city_country_and_gender_once_a_month() -> None:
    with opened() as quarter:
        wanted = {}
        for now in (START, START + 10 * DAY, START + 31 * DAY):
            quarter.now = now
            quarter.new_token()
            quarter.sandbox.change_account(quarter.sandbox.user_id, audience=1000 + (now - START).days)
            quarter.run()
            if now == START + 10 * DAY:
                continue  # in a month of which they are known
            for one in DEMOGRAPHICS:
                how = {"metric_type": "total_value", "period": "lifetime", "timeframe": "this_month", "breakdown": one}
                (parts,) = served(quarter, metric="follower_demographics", **how)["total_value"]["breakdowns"]
                for part in parts["results"]:
                    key = (now.date().replace(day=1).isoformat(), one, part["dimension_values"][0])
                    wanted[key] = ("read", part["value"])
        found = {key: row for key, row in rows(quarter).items() if key[1] != "hour"}
        assert found == wanted
        sums = Counter[tuple[str, str]]()
        for (day, dimension, _), (_, followers) in found.items():
            sums[day, dimension] += followers or 0
        assert sums == {
            (day, one): sum_ for day, sum_ in (("2026-09-01", 1000), ("2026-10-01", 1031)) for one in DEMOGRAPHICS
        }


def test_followers_online_are_counted_in_each_hour_of_utc_once_a_week() -> None:
    with opened(audience_seed=7) as quarter:
        for days in (41, 44, 48):  # a Monday, a Thursday, and the next Monday
            quarter.now = START + days * DAY
            quarter.new_token()
            quarter.run()
        found = {key: row for key, row in rows(quarter).items() if key[1] == "hour"}
        wanted, by_hour = {}, dict[str, set[int]]()
        for number in range(41 - 2 - 29, 48 - 2):  # of 29 days, which ended two days before, and of seven more
            day = START + number * DAY
            since = int(day.timestamp())
            online = served(quarter, metric="online_followers", period="lifetime", since=since, until=since + 86_400)
            (of_day,) = online["values"]
            assert of_day["end_time"] == f"{day + DAY:%Y-%m-%d}T07:00:00+0000"
            for hour, followers in of_day["value"].items():
                at = day + (7 + int(hour)) * HOUR
                wanted[at.date().isoformat(), "hour", f"{at:%H}"] = ("read", followers)
                by_hour.setdefault(f"{at:%H}", set()).add(followers)
        assert found == wanted
        assert len(found) == 36 * 24
        # The audience is the same each day, but not each hour: no hour is taken for another.
        assert {len(numbers) for numbers in by_hour.values()} == {1}
        assert len({min(numbers) for numbers in by_hour.values()}) > 5


@pytest.mark.parametrize(("followers", "status"), [(99, "too_few_followers"), (100, "read")])
def test_fewer_than_a_hundred_followers_are_no_numbers(followers: int, status: str) -> None:
    with opened() as quarter:
        quarter.sandbox.change_account(quarter.sandbox.user_id, audience=followers)
        quarter.run(rerun=False)
        assert {row[0] for row in rows(quarter).values()} == {status}
        if status != "read":
            wanted = {("2026-09-01", one, ""): (status, None) for one in ("hour", *DEMOGRAPHICS)}
            assert rows(quarter) == wanted
            asked = [call for call in quarter.sandbox.journal() if "online_followers" in str(call)]
            assert asked == []


def test_an_audience_that_is_refused_keeps_no_other_number_from_being_read() -> None:
    with opened(audience_seed=7) as quarter:
        refused = ["online_followers", "follower_demographics"]
        quarter.sandbox.change_account(quarter.sandbox.user_id, refused_metrics=refused)
        batch = quarter.run(rerun=False)
        assert {row[0] for row in rows(quarter).values()} == {"refused"}
        assert batch.rows() == {"posts": 0, "read": 0, "missed": 0, "days": 1}


def test_a_used_up_budget_leaves_the_rest_of_the_audience_to_the_next_run() -> None:
    with opened() as quarter:
        budget = InsightsBudget(quarter.store, lambda: quarter.now, CALLS_PER_HOUR)
        budget.consume(24, None)
        budget.save()
        quarter.run(rerun=False)
        first = {key[1] for key in rows(quarter)}
        assert 0 < len(first) < 5
        quarter.now += HOUR + timedelta(minutes=1)
        quarter.run(rerun=False)
        assert {key[1] for key in rows(quarter)} == {"hour", *DEMOGRAPHICS}
        calls = quarter.sent
        quarter.now += HOUR
        quarter.run(rerun=False)
        assert quarter.sent == calls
        assert min(date.fromisoformat(key[0]) for key in rows(quarter)) >= (START - 31 * DAY).date()
