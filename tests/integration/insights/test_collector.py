"""What one run of the collector reads, and what it leaves for the next one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import delete

from airflow_provider_instagram.exceptions import TransientError
from airflow_provider_instagram.graph.models import ACCOUNT_METRICS
from airflow_provider_instagram.graph.usage import Usage
from airflow_provider_instagram.insights.discovery import Progress
from airflow_provider_instagram.insights.schema import ACCOUNT_DAYS, POSTS, SNAPSHOTS
from airflow_provider_instagram.ledger.insights import latest_numbers
from airflow_provider_instagram.quota.call_budget import InsightsBudget
from tests.integration.insights.quarter import CALLS_PER_HOUR, START, Quarter, opened

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
#: How often the client sends a call that only reads.
TRIES = 4


def account_of(quarter: Quarter, posts: int) -> list[str]:
    """Make posts, the oldest first, and go to the hour in which the first reading of each is due."""
    for _ in range(posts):
        quarter.publish("app")
        quarter.now += timedelta(minutes=1)
    quarter.now += 2 * HOUR
    return [made.media_id for made in quarter.made]


def statuses(quarter: Quarter) -> dict[str, str]:
    return {row["post_id"]: row["status"] for row in quarter.target.rows(SNAPSHOTS)}


def test_a_post_that_cannot_be_read_keeps_no_other_from_being_read() -> None:
    """Instagram answers some posts with an unknown error for days. The post is read as soon as it answers."""
    with opened() as quarter:
        first, second, third = account_of(quarter, 3)
        quarter.sandbox.fail("insights", 1, times=TRIES)
        batch = quarter.run(rerun=False)
        assert statuses(quarter) == {second: "read", third: "read"}
        assert (batch.error, batch.counts()["left"]) == (None, 1)
        assert quarter.run(rerun=False).counts()["left"] == 0
        assert statuses(quarter)[first] == "read"


def test_the_tables_tell_what_is_read_although_the_rows_of_the_ledger_are_lost() -> None:
    """A snapshot that was deleted is read again."""
    with opened() as quarter:
        first, _ = account_of(quarter, 2)
        quarter.run(rerun=False)
        asked = quarter.sandbox.calls("insights")
        quarter.store.clear()
        assert quarter.run(rerun=False).counts() == {"posts": 0, "read": 0, "missed": 0, "days": 0, "left": 0}
        assert quarter.sandbox.calls("insights") == asked
        with quarter.target.connection() as connection:
            connection.execute(delete(SNAPSHOTS).where(SNAPSHOTS.c.post_id == first))
        assert [row["post_id"] for row in quarter.run(rerun=False).snapshots] == [first]


@pytest.mark.parametrize(("posts", "asked"), [(1, 1), (5, 3)])
def test_if_no_post_can_be_read_the_run_fails_and_stops_asking(posts: int, asked: int) -> None:
    with opened() as quarter:
        account_of(quarter, posts)
        quarter.sandbox.fail("insights", 1, times=0)
        with pytest.raises(TransientError):
            quarter.run(rerun=False)
        assert statuses(quarter) == {}
        assert quarter.sandbox.calls("insights") == asked * TRIES


def test_a_nul_in_a_caption_is_replaced_because_postgresql_cannot_store_it() -> None:
    with opened() as quarter:
        quarter.sandbox.add_foreign_post("a\0b")
        quarter.now += HOUR
        quarter.run(rerun=False)
        assert [row["post_caption"] for row in quarter.target.rows(POSTS)] == ["a\N{REPLACEMENT CHARACTER}b"]


def test_a_row_names_the_metrics_that_instagram_refuses() -> None:
    with opened() as quarter:
        quarter.publish("reel")
        quarter.now += HOUR
        quarter.sandbox.change_account(quarter.sandbox.user_id, refused_metrics=["shares", "reposts"])
        quarter.run(rerun=False)
        (row,), (day,) = (quarter.target.rows(table) for table in (SNAPSHOTS, ACCOUNT_DAYS))
        assert (row["status"], row["refused_metrics"], row["reel_shares"]) == ("read", "reposts, shares", None)
        assert (day["status"], day["refused_metrics"], day["account_shares"]) == ("read", "reposts, shares", None)
        latest = latest_numbers(quarter.store, row["post_id"])
        assert latest is not None
        assert latest.refused == ("reposts", "shares")


def test_a_day_of_the_account_is_read_when_its_numbers_are_complete() -> None:
    """They may be 48 hours late, and a row is never changed."""
    with opened() as quarter:
        last = (START - DAY).date()
        for after, is_read in ((HOUR, False), (2 * DAY - timedelta(minutes=1), False), (2 * DAY, True)):
            quarter.now = START + after
            quarter.run(rerun=False)
            assert (last in {row["day"] for row in quarter.target.rows(ACCOUNT_DAYS)}) is is_read


def test_a_day_that_was_refused_has_a_status() -> None:
    """Otherwise its empty row looks like a day on which nothing happened."""
    with opened() as quarter:
        quarter.now = START + HOUR
        quarter.sandbox.fail("insights", 100, times=2 * len(ACCOUNT_METRICS) - 1)  # the halves, down to each metric
        quarter.run(rerun=False)
        quarter.now += DAY
        quarter.run(rerun=False)
        refused, read = quarter.target.rows(ACCOUNT_DAYS)
        assert (refused["status"], refused["account_views"]) == ("refused", None)
        assert (read["status"], read["account_views"] is None) == ("read", False)


@pytest.mark.parametrize("used", ["calls", "Instagram's allowance"])
def test_a_used_up_budget_says_so_and_counts_what_is_left(used: str, caplog: pytest.LogCaptureFixture) -> None:
    with opened() as quarter:
        account_of(quarter, 2)
        budget = InsightsBudget(quarter.store, lambda: quarter.now, CALLS_PER_HOUR)
        budget.consume(*((30, None) if used == "calls" else (1, Usage(50))))
        budget.save()
        counts = quarter.run(rerun=False).counts()
        assert (counts, quarter.sent) == ({"posts": 0, "read": 0, "missed": 0, "days": 0, "left": 1}, 0)
        until = f"{quarter.now + (HOUR if used == 'calls' else HOUR / 2):%H:%M}"
        assert "Posts and days left: 1. The calls for insights are used up until" in caplog.text
        assert until in caplog.text
        quarter.now += HOUR
        assert quarter.run(rerun=False).counts() == {"posts": 2, "read": 2, "missed": 0, "days": 1, "left": 0}


def test_rows_that_no_event_has_named_are_counted_until_one_does() -> None:
    """A task that is killed once its rows are written emits nothing."""
    with opened() as quarter:
        account_of(quarter, 2)
        quarter.run(rerun=False)
        written = {"posts": 2, "read": 2, "missed": 0, "days": 1}
        assert Progress.of(quarter.store, quarter.target.identity).unnamed == written
        quarter.run(rerun=False)
        assert Progress.of(quarter.store, quarter.target.identity).unnamed == written
        quarter.now += 6 * HOUR
        quarter.run(rerun=False)
        assert Progress.of(quarter.store, quarter.target.identity).unnamed == written | {"read": 4}
