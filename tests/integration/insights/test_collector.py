"""What one run of the collector reads, and what it leaves for the next one."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_provider_instagram.exceptions import TransientError
from airflow_provider_instagram.insights.schema import ACCOUNT_DAYS, POSTS, SNAPSHOTS
from airflow_provider_instagram.ledger.insights import unnamed_rows
from tests.integration.insights.quarter import START, Quarter, opened

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


def test_a_day_of_the_account_is_read_when_its_numbers_are_complete() -> None:
    """They may be 48 hours late, and a row is never changed."""
    with opened() as quarter:
        last = (START - DAY).date()
        for after, is_read in ((HOUR, False), (2 * DAY - timedelta(minutes=1), False), (2 * DAY, True)):
            quarter.now = START + after
            quarter.run(rerun=False)
            assert (last in {row["day"] for row in quarter.target.rows(ACCOUNT_DAYS)}) is is_read


def test_rows_that_no_event_has_named_are_counted_until_one_does() -> None:
    """A task that is killed once its rows are written emits nothing."""
    with opened() as quarter:
        account_of(quarter, 2)
        quarter.run(rerun=False)
        written = {"posts": 2, "read": 2, "missed": 0, "days": 1}
        assert unnamed_rows(quarter.store, quarter.target.identity) == written
        quarter.run(rerun=False)
        assert unnamed_rows(quarter.store, quarter.target.identity) == written
        quarter.now += 6 * HOUR
        quarter.run(rerun=False)
        assert unnamed_rows(quarter.store, quarter.target.identity) == written | {"read": 4}
