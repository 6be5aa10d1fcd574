"""Each table of the results equals what a database computes from the same numbers by itself."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import duckdb
import pytest

from airflow_provider_instagram.insights.schema import POSTS, SNAPSHOTS
from tests.integration.plugin.test_board_results import NOW, ask, rows
from tests.integration.plugin.test_board_results import user as user
from tests.integration.plugin.test_board_results import warehouse as warehouse

if TYPE_CHECKING:
    from airflow_provider_instagram.insights.targets import SqlTarget

ZONE: Final = "Europe/Berlin"
#: Meta's words for each kind, and at which ages it is read.
KINDS: Final = {
    "reel": ("VIDEO", "REELS", {"1h": 1, "24h": 24, "7d": 168}),
    "picture": ("IMAGE", "FEED", {"1h": 1, "24h": 24, "7d": 168}),
    "story": ("VIDEO", "STORY", {"1h": 1, "23h": 23}),
}
CAPTIONS: Final = (
    "",
    "New in today #lens #Light",
    "New in #lens #Frühling",
    "Behind the scenes " + "x" * 120,
    "y" * 501,
)
REACHED: Final = (
    "id VARCHAR, account VARCHAR, kind VARCHAR, moment TIMESTAMP, caption VARCHAR, age VARCHAR, value DOUBLE"
)


@pytest.fixture
def by_hand(warehouse: SqlTarget) -> duckdb.DuckDBPyConnection:
    """400 posts in the database that the page reads, and what each reached at each age in another one."""
    for table in (POSTS, SNAPSHOTS):
        warehouse.hook().run(f"DELETE FROM {table.name}")  # noqa: S608
    chance, computed = random.Random(32), duckdb.connect()  # noqa: S311
    computed.execute(f"CREATE TABLE reached ({REACHED})")
    posts, snapshots = list[dict[str, Any]](), list[dict[str, Any]]()
    for number in range(400):
        kind, conn_id, caption = chance.choice([*KINDS]), chance.choice(["ours", "theirs"]), chance.choice(CAPTIONS)
        at = NOW - timedelta(days=8, minutes=chance.randrange(70 * 24 * 60))
        media_type, product, ages = KINDS[kind]
        origin, reach = {"post_id": f"m{number}", "conn_id": conn_id}, chance.lognormvariate(7, 1)
        about = {"media_type": media_type, "media_product_type": product, "is_story": kind == "story"}
        posts.append({**origin, **about, "post_caption": caption, "created_timestamp": at})
        for age, hours in ages.items():
            is_read, value = chance.random() < 0.9, int(reach * hours**0.2)
            status = {"status": "read", f"{kind}_reach": value} if is_read else {"status": "refused"}
            late = timedelta(hours=hours * chance.choice([0, 0.1, 0.24, 0.26, 0.5]))
            taken = {"snapshot_timestamp": at + timedelta(hours=hours) + late}
            snapshots.append({**origin, "age": age, "age_seconds": 3600 * hours, **status, **taken})
            if is_read and late <= timedelta(hours=hours / 4):
                local = at.astimezone(ZoneInfo(ZONE)).replace(tzinfo=None)
                computed.execute(
                    "INSERT INTO reached VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (f"m{number}", conn_id, kind, local, caption, age, value),
                )
    warehouse.write(POSTS, posts)
    warehouse.write(SNAPSHOTS, snapshots)
    computed.execute("CREATE VIEW compared AS SELECT * FROM reached WHERE age IN ('24h', '23h')")
    computed.execute(
        "CREATE VIEW multiples AS SELECT * REPLACE (value / median(value) OVER (PARTITION BY account, kind) AS value) "
        "FROM compared"
    )
    return computed


def equal(found: list[list[Any]], wanted: list[tuple[Any, ...]]) -> None:
    """Compare rows of an age, a number, which the page rounds to two places, and a count."""
    assert len(wanted) > 1
    assert {age: count for age, _, count in found} == {age: count for age, _, count in wanted}
    assert {age: number for age, number, _ in found} == pytest.approx(
        {age: number for age, number, _ in wanted}, abs=0.0051
    )


def test_the_posts_and_the_curve_of_one_have_the_numbers_that_were_read(user: Any, by_hand: Any) -> None:
    best = by_hand.execute("SELECT id, account, kind FROM compared ORDER BY value DESC LIMIT 1").fetchone()
    worst = by_hand.execute("SELECT id, account, kind FROM compared ORDER BY value LIMIT 1").fetchone()
    answer = ask(user("VIEWER"), zone=ZONE, post=worst[0])
    found = {row[-1]: row for row in rows(answer)}
    wanted = by_hand.execute(
        "SELECT id, strftime(moment, '%Y-%m-%d %H:%M'), compared.value, multiples.value FROM compared JOIN multiples "
        "USING (id, moment)"
    ).fetchall()
    assert len(found) == len(wanted) > 200
    assert len(found) + len(rows(answer, "apart")) == 400
    for media_id, at, value, multiple in wanted:
        row = found[media_id]
        assert (row[0], row[4], row[5]) == (at, value, pytest.approx(multiple, abs=0.0051))
    assert [rows(answer)[0][-1], [*found][-1]] == [best[0], worst[0]]
    for shown in (best, worst):
        curve = rows(ask(user("VIEWER"), zone=ZONE, post=shown[0]), "curve")
        medians = "SELECT age, median(value), count(*) FROM reached WHERE (account, kind) = (?, ?) GROUP BY age"
        equal([[age, *median] for age, _, *median, _ in curve], by_hand.execute(medians, shown[1:]).fetchall())
        own = dict(by_hand.execute("SELECT age, value FROM reached WHERE id = ?", shown[:1]).fetchall())
        in_time = [(age, value) for age, value, *_, at in curve if "late" not in at]
        assert {age: value for age, value in in_time if isinstance(value, int | float)} == own
