"""The dbt package, run by dbt on what the collector has written: its rows equal a computation from the same rows."""

from __future__ import annotations

import json
import os
import re
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from airflow_provider_instagram.graph.models import Media
from airflow_provider_instagram.insights import SqlTarget
from airflow_provider_instagram.insights.schema import POSTS, SNAPSHOTS
from tests.integration.insights.conftest import database, plain
from tests.integration.insights.conftest import postgres_url as postgres_url
from tests.integration.insights.quarter import START, opened, play

if TYPE_CHECKING:
    from airflow_provider_instagram.insights.schema import Row

ROOT: Final = Path(__file__).parents[2]
DBT: Final = ROOT / ".venv-dbt/bin/dbt"
PACKAGE: Final = ROOT / "analytics"
DOCS: Final = PACKAGE / "README.md"
#: What a column of the package is called in the table of snapshots, without the prefix of its kind.
RENAMED: Final = {
    "avg_watch_time_ms": "avg_watch_time",
    "total_watch_time_ms": "video_view_total_time",
    "skip_rate_percent": "skip_rate",
}
#: How columns begin for each kind of post.
PREFIXES: Final = {"reel": "reel", "picture": "video_photo", "carousel": "carousel_album", "story": "story"}
NUMBERS: Final = (
    *("views", "reach", "likes", "comments", "saved", "shares", "total_interactions", "follows", "profile_visits"),
    *("profile_activity", "reposts", *RENAMED, "navigation", "replies"),
)
MADE: Final = datetime(2026, 8, 1, 9, tzinfo=timezone.utc)


def post(post_id: str, media_type: str, product: str) -> Row:
    return {
        "post_id": post_id,
        "user_id": "17841400000000001",
        "created_timestamp": MADE,
        "is_story": product == "STORY",
        "media_type": media_type,
        "media_product_type": product,
        "post_caption": "'; drop table instagram_posts; -- 🎬",
        "conn_id": "brand",
    }


def snapshot(post_id: str, age: str, hours: int, status: str = "read", **numbers: float) -> Row:
    at = MADE + timedelta(hours=hours)
    read_at = None if status == "missed" else at + timedelta(minutes=5)
    key = {"post_id": post_id, "age": age, "age_seconds": hours * 3600, "status": status}
    return {**key, "due_timestamp": at, "snapshot_timestamp": read_at, "conn_id": "brand", **numbers}


POSTS_BY_HAND: Final = [
    post("1", "IMAGE", "FEED"),
    post("2", "CAROUSEL_ALBUM", "FEED"),
    post("3", "VIDEO", "STORY"),
    post("4", "VIDEO", "FEED"),
    post("5", "VIDEO", "REELS"),
]
SNAPSHOTS_BY_HAND: Final = [
    # As text, "6h" is after "24h", and "3d" before "6h".
    snapshot("1", "6h", 6, video_photo_views=50, video_photo_reach=0, video_photo_total_interactions=0),
    snapshot("1", "24h", 24, video_photo_views=90, video_photo_reach=0, video_photo_total_interactions=4, like_count=3),
    snapshot("1", "3d", 72, "no_data"),
    snapshot("2", "1h", 1, carousel_album_reach=40, carousel_album_total_interactions=10, carousel_album_follows=2),
    snapshot("2", "6h", 6, "gone"),
    snapshot("2", "24h", 24, "gone"),
    snapshot("3", "1h", 1, "too_few_viewers"),
    snapshot("3", "6h", 6, "missed"),
    snapshot("5", "1h", 1, reel_views=7, reel_likes=2, like_count=2, reel_avg_watch_time=812.5, reel_skip_rate=31.25),
]


@pytest.fixture(scope="module")
def written() -> tuple[list[Row], list[Row]]:
    """Return what the collector reads of 16 posts in ten days, and rows that such a short time does not have."""
    with opened() as quarter:
        outage = (START + timedelta(days=4), START + timedelta(days=5))
        play(quarter, posts=16, days=10, outage=outage)
        rows = quarter.target.rows
        return [*rows(POSTS), *POSTS_BY_HAND], [*rows(SNAPSHOTS), *SNAPSHOTS_BY_HAND]


@pytest.fixture(scope="module", params=["duckdb", "postgres"])
def models(
    written: tuple[list[Row], list[Row]], request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[Row]]:
    """Write the rows as insights_dag does, run dbt and its tests, and return the rows of each model."""
    folder = tmp_path_factory.mktemp("dbt")
    connection = database(request.param, folder, request)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(connection))
        schema = "marketing" if request.param == "postgres" else None
        if schema:
            warehouse().run(f"CREATE SCHEMA {schema}")
        target = SqlTarget("warehouse", schema=schema)
        for table, rows in zip((POSTS, SNAPSHOTS), written, strict=True):
            target.write(table, rows)
        build(connection, folder, {"instagram_schema": schema} if schema else {})
        queries = {"numbers": "SELECT * FROM instagram_post_numbers", "latest": "SELECT * FROM instagram_latest_posts"}
        (queries["docs"],) = re.findall(r"```sql\n(.*?)```", DOCS.read_text(), re.DOTALL)
        return {name: rows_of(query) for name, query in queries.items()}


def warehouse() -> Any:
    from airflow.sdk import BaseHook

    return BaseHook.get_connection("warehouse").get_hook()


def rows_of(query: str) -> list[Row]:
    def read(cursor: Any) -> list[Row]:
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, map(plain, row), strict=True)) for row in cursor.fetchall()]

    found: list[Row] = warehouse().run(query, handler=read)
    return found


def build(connection: dict[str, Any], folder: Path, variables: dict[str, str]) -> None:
    """Run the models and the tests of the package."""
    output: dict[str, Any] = {"type": "duckdb", "path": connection["host"]}
    if connection["conn_type"] == "postgres":
        output = {"type": "postgres", "host": connection["host"], "port": connection["port"], "schema": "public"}
        output |= {"user": connection["login"], "password": "", "dbname": connection["schema"]}
    profile = {"instagram": {"target": "here", "outputs": {"here": output | {"threads": 1}}}}
    (folder / "profiles.yml").write_text(json.dumps(profile))
    places: list[str | Path] = [
        "--project-dir",
        PACKAGE,
        "--profiles-dir",
        folder,
        "--target-path",
        folder,
        "--log-path",
        folder,
    ]
    places += ["--vars", json.dumps(variables)]
    quiet = ["--no-send-anonymous-usage-stats", "--no-version-check", "--warn-error"]
    done = subprocess.run([DBT, *quiet, "build", *places], env=os.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def number(row: Row, kind: str, name: str) -> Any:
    """Return a number of a snapshot, as the docs of the tables say where it is."""
    common = {"likes": "like_count", "comments": "comment_count"}
    return row.get(common.get(name) or f"{PREFIXES[kind]}_{RENAMED.get(name, name)}")


def kind_of(row: Row) -> str:
    media = Media(row["post_id"], media_type=row["media_type"], media_product_type=row["media_product_type"])
    return str(media.kind.value)


def test_each_post_and_age_has_the_numbers_of_its_kind(
    models: dict[str, list[Row]], written: tuple[list[Row], list[Row]]
) -> None:
    posts, snapshots = written
    kinds = {row["post_id"]: kind_of(row) for row in posts}
    found = {(row["post_id"], row["age"]): row for row in models["numbers"]}
    assert len(found) == len(models["numbers"]) == len(snapshots)
    for row in snapshots:
        as_wanted = {name: number(row, kinds[row["post_id"]], name) for name in NUMBERS}
        as_wanted |= {name: row[name] for name in ("status", "age_seconds")}
        as_wanted |= {name: plain(row[name]) for name in ("due_timestamp", "snapshot_timestamp")}
        assert found[row["post_id"], row["age"]] == {"post_id": row["post_id"], "age": row["age"]} | as_wanted
    assert sum(row["views"] is not None for row in found.values()) > 50


def test_each_post_has_one_row_with_its_latest_numbers(
    models: dict[str, list[Row]], written: tuple[list[Row], list[Row]]
) -> None:
    posts, snapshots = written
    found = {row["post_id"]: row for row in models["latest"]}
    assert len(found) == len(models["latest"]) == len(posts)
    for row in posts:
        own = sorted((one for one in snapshots if one["post_id"] == row["post_id"]), key=lambda one: one["age_seconds"])
        read = [one for one in own if one["status"] == "read"]
        latest: Row = read[-1] if read else {}
        kind, interactions, reach = kind_of(row), None, None
        if latest:
            interactions, reach = (number(latest, kind, name) for name in ("total_interactions", "reach"))
        as_wanted = {
            "kind": kind,
            "numbers_status": "read" if read else own[-1]["status"] if own else "not_due",
            "numbers_age": latest.get("age"),
            "numbers_age_seconds": latest.get("age_seconds"),
            "numbers_timestamp": plain(latest.get("snapshot_timestamp")),
            "is_deleted": any(one["status"] == "gone" for one in own),
            "created_timestamp": plain(row["created_timestamp"]),
            **{name: number(latest, kind, name) for name in NUMBERS},
        }
        names = (
            "post_id",
            "user_id",
            "username",
            "conn_id",
            "post_caption",
            "post_url",
            "post_key",
            "dag_id",
            "calendar",
        )
        one = dict(found[row["post_id"]])
        rate = one.pop("engagement_rate")
        assert one == as_wanted | {name: row.get(name) for name in names}
        assert (None if rate is None else pytest.approx(float(rate))) == (
            interactions / reach if interactions is not None and reach else None
        )


def test_what_a_post_made_by_hand_says(models: dict[str, list[Row]]) -> None:
    """The computation above could be wrong in the same way."""
    columns = ("kind", "numbers_status", "numbers_age", "is_deleted", "views", "likes", "follows", "engagement_rate")
    found = {row["post_id"]: tuple(row[name] for name in columns) for row in models["latest"]}
    assert {post_id: found[post_id] for post_id in "12345"} == {
        "1": ("picture", "read", "24h", False, 90, 3, None, None),
        "2": ("carousel", "read", "1h", True, None, None, 2, 0.25),
        "3": ("story", "missed", None, False, None, None, None, None),
        "4": ("picture", "not_due", None, False, None, None, None, None),
        "5": ("reel", "read", "1h", False, 7, 2, None, None),
    }


def test_the_query_of_the_docs_compares_kinds_at_one_age(
    models: dict[str, list[Row]], written: tuple[list[Row], list[Row]]
) -> None:
    posts, snapshots = written
    kinds, reached = {row["post_id"]: kind_of(row) for row in posts}, dict[str, list[Any]]()
    for row in snapshots:
        if (row["age"], row["status"]) == ("24h", "read"):
            reached.setdefault(kinds[row["post_id"]], []).append(number(row, kinds[row["post_id"]], "reach"))
    found = {row["kind"]: (row["posts"], pytest.approx(float(row["reach"]))) for row in models["docs"]}
    assert found == {kind: (len(numbers), sum(numbers) / len(numbers)) for kind, numbers in reached.items()}
    assert found


def test_the_settings_of_the_docs_are_those_of_the_package() -> None:
    packages, settings = map(yaml.safe_load, re.findall(r"```yaml\n(.*?)```", DOCS.read_text(), re.DOTALL))
    project = yaml.safe_load((PACKAGE / "dbt_project.yml").read_text())
    assert [(ROOT / one["local"]).name for one in packages["packages"]] == [PACKAGE.name]
    assert {name: set(values) for name, values in settings["vars"].items()} == {
        project["name"]: set(project["vars"][project["name"]])
    }
