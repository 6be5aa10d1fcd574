"""Posts from before the first run: each is read once, with the calls that nothing else needs."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_instagram.insights.schema import POSTS, SNAPSHOTS
from tests.integration.insights.quarter import START, Quarter, opened

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
#: How often the client sends a call that only reads.
TRIES = 4
#: From this age on, a post is not read at any of the ages.
OLD = 49 * DAY


def made_before(quarter: Quarter, *ages: timedelta) -> list[str]:
    """Make posts in the app that have these ages at the start."""
    return [quarter.sandbox.add_foreign_post(f"Post {at}", age_s=age.total_seconds()) for at, age in enumerate(ages)]


def run_hourly(quarter: Quarter, hours: int, *, rerun: bool = True) -> None:
    for _ in range(2 * hours):
        quarter.now += HOUR / 2
        quarter.run(rerun=rerun)


def older(quarter: Quarter) -> dict[str, dict[str, Any]]:
    return {row["post_id"]: row for row in quarter.target.rows(SNAPSHOTS) if row["age"] == "older"}


def test_every_post_of_the_span_is_read_once_and_none_before_it() -> None:
    """More than one page of the media list, and more posts than the calls of three hours suffice for.

    Each run is played again as if its state had been lost, so that nothing is there twice.
    """
    with opened() as quarter:
        quarter.backfill = 400 * DAY
        young = made_before(quarter, *(number * DAY for number in range(1, 4)))
        old = made_before(quarter, *(OLD + DAY + 2 * number * DAY for number in range(130)))
        too_old = made_before(quarter, *((401 + number) * DAY for number in range(5)))
        run_hourly(quarter, 12)
        found = older(quarter)
        assert found.keys() == set(old)
        assert not set(too_old) & {row["post_id"] for row in quarter.target.rows(POSTS)}
        assert Counter(
            row["post_id"] for row in quarter.target.rows(SNAPSHOTS) if row["post_id"] in found
        ) == dict.fromkeys(old, 1)
        posts = {row["post_id"]: row for row in quarter.target.rows(POSTS)}
        for media_id, row in found.items():
            truth = quarter.sandbox.insights(media_id)
            assert row["status"] == "read"
            assert (row["reel_views"], row["reel_reach"], row["reel_saved"]) == tuple(
                truth[name] for name in ("views", "reach", "saved")
            )
            age = row["snapshot_timestamp"] - posts[media_id]["created_timestamp"]
            assert row["age_seconds"] == int(age.total_seconds())
        assert {row["age"] for row in quarter.target.rows(SNAPSHOTS) if row["post_id"] in young} >= {"24h", "3d"}
        assert quarter.busiest_hour <= 30
        sent = quarter.sent
        run_hourly(quarter, 2)
        assert quarter.sent == sent


def test_posts_of_the_same_second_are_not_lost_between_two_pages() -> None:
    with opened() as quarter:
        quarter.backfill = 400 * DAY
        old = made_before(quarter, *[60 * DAY] * 99, *[61 * DAY] * 3, 62 * DAY)
        run_hourly(quarter, 8, rerun=False)
        assert older(quarter).keys() == set(old)


def test_what_is_due_comes_first_and_what_is_older_waits() -> None:
    with opened() as quarter:
        quarter.backfill = 400 * DAY
        made_before(quarter, *((60 + number) * DAY for number in range(60)))
        run_hourly(quarter, 1, rerun=False)
        assert 0 < len(older(quarter)) < 30
        quarter.now += HOUR
        new = made_before(quarter, *[2 * HOUR] * 30)
        head = next(row for name, row in quarter.store.items() if name.startswith("insights-state"))
        del head["looked_at"]
        before = len(older(quarter))
        batch = quarter.run(rerun=False)
        read = [row["post_id"] for row in batch.snapshots if row["status"] == "read"]
        assert read
        assert set(read) <= set(new)
        assert len(older(quarter)) == before
        run_hourly(quarter, 5, rerun=False)
        assert len(older(quarter)) == 60


def test_an_older_post_that_cannot_be_read_is_tried_again_in_a_day_and_the_next_one_is_read() -> None:
    with opened() as quarter:
        quarter.backfill = 400 * DAY
        first, second = made_before(quarter, 60 * DAY, 61 * DAY)
        quarter.run(rerun=False)
        quarter.sandbox.fail("insights", 1, times=TRIES)
        quarter.now += 30 * MINUTE
        batch = quarter.run(rerun=False)
        assert (batch.error, len(older(quarter))) == (None, 1)
        run_hourly(quarter, 2, rerun=False)
        assert len(older(quarter)) == 1
        quarter.now += DAY
        quarter.run(rerun=False)
        assert older(quarter).keys() == {first, second}


@pytest.mark.parametrize(("backfill", "found"), [(None, 0), (59 * DAY, 0), (1000 * DAY, 1)])
def test_only_what_is_asked_for_and_what_meta_still_has_is_read(backfill: timedelta | None, found: int) -> None:
    """Meta keeps numbers for two years."""
    with opened() as quarter:
        quarter.backfill = backfill
        made_before(quarter, 60 * DAY, 731 * DAY)
        run_hourly(quarter, 2, rerun=False)
        assert len(older(quarter)) == found
        assert quarter.now > START
