"""A quarter of an account with 200 posts: each number that could be read is there once, in time, for few calls."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest

from airflow_provider_instagram.insights.schema import ACCOUNT_DAYS, POSTS, SNAPSHOTS
from tests.integration.insights.conftest import plain, rows_of
from tests.integration.insights.quarter import START, Made, Quarter, opened, play

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_instagram.insights import SqlTarget

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
#: The issue's ages, each with the age from which it can no longer be read.
OF_A_POST: Final = {
    "1h": (HOUR, 6 * HOUR),
    "6h": (6 * HOUR, 24 * HOUR),
    "24h": (24 * HOUR, 3 * DAY),
    "3d": (3 * DAY, 7 * DAY),
    "7d": (7 * DAY, 28 * DAY),
    "28d": (28 * DAY, 49 * DAY),
}
OF_A_STORY: Final = {"1h": (HOUR, 6 * HOUR), "6h": (6 * HOUR, 23 * HOUR), "23h": (23 * HOUR, 24 * HOUR)}
DAYS, COUNT = 91, 200
OUTAGE = (START + 40 * DAY, START + 43 * DAY)
END = START + DAYS * DAY


@pytest.fixture(scope="module")
def quarter() -> Iterator[Quarter]:
    with opened() as quarter:
        play(quarter, posts=COUNT, days=DAYS, outage=OUTAGE)
        yield quarter


def ages(post: Made) -> dict[str, tuple[timedelta, timedelta]]:
    return OF_A_STORY if post.kind == "story" else OF_A_POST


def snapshots(quarter: Quarter) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["post_id"], row["age"]): row for row in quarter.target.rows(SNAPSHOTS)}


def readable_from(due: datetime) -> datetime:
    """Return when a snapshot can first be read: not during the outage."""
    return OUTAGE[1] if OUTAGE[0] <= due < OUTAGE[1] else due


def test_each_snapshot_that_could_be_read_is_there_once_and_in_time(quarter: Quarter) -> None:
    assert len(quarter.made) == COUNT
    rows, seen = snapshots(quarter), 0
    for post in quarter.made:
        if post.key is None:
            continue
        for name, (after, until) in ages(post).items():
            due, closes = post.at + after, post.at + until
            first = readable_from(due)
            if first + HOUR > END:
                continue
            row, seen = rows[post.media_id, name], seen + 1
            expected = "read" if first + HOUR / 2 < closes else "missed"
            assert row["status"] == expected, (post, name, row)
            if expected == "read":
                assert due <= row["snapshot_timestamp"] < closes
                assert row["snapshot_timestamp"] - first <= HOUR, (post, name, row)
    assert seen > 850


def test_the_numbers_are_those_of_the_moment(quarter: Quarter) -> None:
    assert quarter.wrong == []


def test_posts_made_in_the_app_are_found_and_what_was_too_late_is_marked(quarter: Quarter) -> None:
    rows = snapshots(quarter)
    for post in quarter.made:
        if post.key is None and post.at + 25 * HOUR < END and not OUTAGE[0] - DAY < post.at < OUTAGE[1]:
            assert rows[post.media_id, "24h"]["status"] == "read"
            assert rows[post.media_id, "1h"]["status"] in {"read", "missed"}


def test_stories_are_complete(quarter: Quarter) -> None:
    rows = snapshots(quarter)
    stories = [post for post in quarter.made if post.kind == "story" and post.at + DAY < END]
    calm = [post for post in stories if not OUTAGE[0] - DAY <= post.at < OUTAGE[1]]
    assert len(calm) >= 25
    assert {rows[post.media_id, name]["status"] for post in calm for name in OF_A_STORY} == {"read"}


def test_an_outage_is_filled_where_possible(quarter: Quarter) -> None:
    rows = snapshots(quarter)
    during = [post for post in quarter.made if OUTAGE[0] <= post.at < OUTAGE[1] and post.key and post.kind == "reel"]
    assert {rows[post.media_id, "1h"]["status"] for post in during} >= {"missed"}
    assert {rows[post.media_id, "3d"]["status"] for post in during} == {"read"}
    days = {row["day"] for row in quarter.target.rows(ACCOUNT_DAYS)}
    assert days == {(START + number * DAY).date() for number in range(-3, DAYS - 3)}


def test_it_takes_at_most_eight_calls_a_post(quarter: Quarter) -> None:
    assert quarter.sent / COUNT <= 8


def test_no_hour_has_more_calls_than_insights_may_use(quarter: Quarter) -> None:
    assert 0 < quarter.busiest_hour <= 30


def test_each_row_names_its_post_its_dag_and_its_calendar(quarter: Quarter) -> None:
    rows = {row["post_id"]: row for row in quarter.target.rows(POSTS)}
    for post in quarter.made:
        if post.at + HOUR < END and post.media_id in rows:
            row = rows[post.media_id]
            origin = (post.key, "content", "spring.yaml") if post.key else (None, None, None)
            assert (row["post_key"], row["dag_id"], row["calendar"]) == origin
            assert (row["is_story"], row["created_timestamp"]) == (post.kind == "story", post.at)
    assert {post.media_id for post in quarter.made if post.key and post.at + HOUR < END} <= rows.keys()


def test_each_database_has_the_same_numbers_and_a_rerun_changes_none(
    quarter: Quarter, sql: Callable[..., SqlTarget]
) -> None:
    """All batches of the quarter are written, and then all of them again."""
    database = sql()
    for table in (POSTS, SNAPSHOTS, ACCOUNT_DAYS):
        rows = [row for written, some in quarter.target.batches for row in some if written is table]
        wanted = [{name: plain(value) for name, value in row.items()} for row in quarter.target.rows(table)]
        for again in ({}, {"dag_id": "another", "conn_id": "another"}):
            database.write(table, [row | again for row in rows])
            read = [{name: plain(value) for name, value in row.items()} for row in rows_of(database, table)]
            assert sorted(read, key=lambda row: [row[one.name] for one in table.primary_key]) == wanted
