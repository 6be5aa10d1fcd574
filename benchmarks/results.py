"""Measure how long the Posts page waits for the results of a year, from a PostgreSQL with a million snapshots.

Run it with ``python -m benchmarks.results``. It exits with 1 if a limit does not hold, or if a whole table is read.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from sqlalchemy.engine import make_url

from airflow_provider_instagram.insights.reader import read_posts
from airflow_provider_instagram.insights.results import Results
from airflow_provider_instagram.insights.targets import SqlTarget
from benchmarks.program import as_program
from tests.reliability.postgres import postgres

if TYPE_CHECKING:
    from airflow_provider_instagram.insights.results import Measured

ACCOUNTS, POSTS_A_DAY, DAYS = 160, 3, 365
AGES: Final = {"1h": 3600, "6h": 21_600, "24h": 86_400, "3d": 259_200, "7d": 604_800, "28d": 2_419_200}
REPEATS = 15
#: The longest that the database may take for a year of an account, and the database and the tables together.
MOST_READ_MS, MOST_MS = 300, 600
NOW: Final = datetime(2026, 11, 28, tzinfo=timezone.utc)
#: The posts of each account, one every eight hours, with 15 tags.
FILL_POSTS: Final = """
    INSERT INTO instagram_posts
      (post_id, conn_id, post_caption, created_timestamp, is_story, media_type, media_product_type)
    SELECT 'p' || account || '-' || post, 'brand_' || account, 'Post ' || post || ': we go outside #tag' || post %% 15,
      %s::timestamp - post * INTERVAL '8 hours', false, 'VIDEO', 'REELS'
    FROM generate_series(1, %s) account, generate_series(1, %s) post
"""
#: One snapshot of each post at one age.
FILL_SNAPSHOTS: Final = """
    INSERT INTO instagram_post_snapshots
      (post_id, conn_id, age, age_seconds, status, reel_reach, reel_views, snapshot_timestamp)
    SELECT post_id, conn_id, %s, %s, 'read', 1000 * random() + 10, 2000, created_timestamp + INTERVAL '1 hour' * %s
    FROM instagram_posts
"""
SCANS: Final = "SELECT sum(seq_scan) FROM pg_stat_user_tables WHERE relname LIKE 'instagram_post%'"


def main() -> int:
    """Measure, and print the numbers.

    :return: The exit code.
    """
    with postgres() as settings:
        url = make_url(settings["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])
        place = {"host": url.host, "port": url.port, "login": url.username, "schema": url.database}
        os.environ["AIRFLOW_CONN_WAREHOUSE"] = json.dumps({"conn_type": "postgres", **place})
        target = SqlTarget("warehouse")
        target.prepare()
        hook = target.hook()
        hook.run(FILL_POSTS, parameters=(NOW.isoformat(), ACCOUNTS, POSTS_A_DAY * DAYS))
        for age, age_s in AGES.items():
            hook.run(FILL_SNAPSHOTS, parameters=(age, age_s, age_s / 3600))
        hook.run(["ANALYZE instagram_posts", "ANALYZE instagram_post_snapshots"])
        (rows,) = hook.get_first("SELECT count(*) FROM instagram_post_snapshots")
        print(f"{rows:,} snapshots of {ACCOUNTS} accounts")
        time.sleep(2)  # until PostgreSQL has counted the scans
        (before,) = hook.get_first(SCANS)
        read_ms, all_ms = _measure(target)
        time.sleep(2)
        (after,) = hook.get_first(SCANS)
    print(f"whole tables read    {after - before}")
    return 0 if read_ms <= MOST_READ_MS and all_ms <= MOST_MS and after == before else 1


def _measure(target: SqlTarget) -> tuple[float, float]:
    """Return how long the database takes for a year of an account, and how long it and the tables take."""
    reads, alls = list[float](), list[float]()
    posts: list[Measured] = []
    for number in range(REPEATS):
        begun_s = time.perf_counter()
        posts, _ = read_posts(target, [f"brand_{1 + number}"], "reach", NOW - timedelta(days=DAYS), NOW)
        reads.append(1000 * (time.perf_counter() - begun_s))
        Results(posts, "reach", "", ZoneInfo("Europe/Berlin"), NOW).tables()
        alls.append(1000 * (time.perf_counter() - begun_s))
    print(f"posts of a year      {len(posts):,}, with {sum(len(post.readings) for post in posts):,} readings")
    print(f"read from the database {statistics.median(reads):4.0f} ms  (largest {max(reads):.0f} ms)")
    print(f"with the tables        {statistics.median(alls):4.0f} ms  (largest {max(alls):.0f} ms)")
    return statistics.median(reads), statistics.median(alls)


if __name__ == "__main__":
    as_program(main)
