"""What the pages about insights say is so: their DAGs run, and the tables name all columns."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.insights.schema import TABLES

if TYPE_CHECKING:
    from instagram_sandbox.testing.handle import SandboxHandle

ROOT = Path(__file__).parents[3]
EXAMPLE = re.compile(r"```python\n(.*?)```", re.DOTALL)
ONE_LINE, TRY = EXAMPLE.findall((ROOT / "docs/insights/index.md").read_text())
(CONNECTION,) = re.findall(r"AIRFLOW_CONN_WAREHOUSE='(.*)'", (ROOT / "docs/insights/index.md").read_text())
(BEST,) = EXAMPLE.findall((ROOT / "docs/insights/dags.md").read_text())
TEXT = (ROOT / "docs/insights/targets.md").read_text()
pytestmark = pytest.mark.usefixtures("no_stored_tokens", "no_known_posts")


def dag_of(source: str) -> Any:
    namespace: dict[str, Any] = {"__name__": "insights_md"}
    exec(compile(source, "insights.md", "exec"), namespace)  # noqa: S102 -- our own examples
    return namespace["dag"]


def test_the_dag_of_one_line_has_a_task_for_each_account() -> None:
    assert {task.task_id for task in dag_of(ONE_LINE).tasks} == {"read_brand", "read_studio"}


def test_the_best_post_is_found(
    instagram_sandbox: SandboxHandle, run_dag: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_BRAND", json.dumps(instagram_sandbox.connection))
    worse, better = (instagram_sandbox.add_foreign_post(name, age_s=7200) for name in ("worse", "better"))
    instagram_sandbox.set_insights(worse, views=10)
    instagram_sandbox.set_insights(better, views=11)
    result = run_dag(dag_of(BEST))
    assert result.state == "success"
    links = {post.media_id: post.permalink for post in foreign(instagram_sandbox)}
    assert result.xcom("best") == links[better]


def test_the_first_try_of_an_analyst_writes_a_row_with_the_numbers_of_the_post(
    instagram_sandbox: SandboxHandle, run_dag: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", CONNECTION.replace("/tmp", str(tmp_path)))
    post = instagram_sandbox.add_foreign_post("Hello", age_s=7200)
    instagram_sandbox.set_insights(post, views=685)
    assert run_dag(dag_of(TRY)).state == "success"
    with closing(sqlite3.connect(tmp_path / "insights.db")) as database:
        rows = database.execute("select post_id, age, status, reel_views from instagram_post_snapshots").fetchall()
    assert rows == [(post, "1h", "read", 685)]


def foreign(sandbox: SandboxHandle) -> Any:
    from airflow_provider_instagram.graph import calls
    from airflow_provider_instagram.graph.client import GraphClient

    with GraphClient(sandbox.token, base_url=sandbox.url) as client:
        items = client.send(calls.media_list(sandbox.user_id)).items
    return [type("Shown", (), {"media_id": media.id, "permalink": media.permalink}) for media in items]


def test_each_column_is_documented() -> None:
    named = set(re.findall(r"`([\w…]+)`", TEXT))
    for column in (column for table in TABLES for column in table.columns):
        prefix = next(
            (one for one in ("picture_", "carousel_", "story_", "account_") if column.name.startswith(one)),
            "",
        )
        assert column.name in named or (prefix and {f"{prefix}…", column.name.removeprefix(prefix)} <= named), column
