"""The Posts page over HTTP, after real runs of a calendar and of insights."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.calendar import content_calendar_dag
from airflow_provider_instagram.calendar.planning.stored_plan import store
from airflow_provider_instagram.insights import insights_dag
from airflow_provider_instagram.ledger.database import open_ledger
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.ledger.records import PublishedPost
from tests.integration.calendar.runs import ACCOUNT, planned, run_post, settings_of
from tests.integration.conftest import store_dag
from tests.integration.pages import HOME, browser_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fastapi import FastAPI
    from pytest_mock import MockerFixture

    from instagram_sandbox.testing.handle import SandboxHandle

DAG_ID = "page_posts"
TWO_HOURS = 7200
EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def page(airflow_app: FastAPI, monkeypatch: pytest.MonkeyPatch, mocker: MockerFixture) -> Callable[..., Any]:
    """Return a function that reads an address of the page as a viewer. Its first call makes this an API server."""
    from airflow_provider_instagram.plugin.board import routes
    from airflow_provider_instagram.plugin.board.boards import Boards

    mocker.patch.object(routes, "boards", Boards())
    client = browser_of(airflow_app, "vic", "VIEWER")

    def get(path: str, **query: str) -> Any:
        monkeypatch.setenv("AIRFLOW__API__BASE_URL", HOME)
        monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")
        answer = client.get(f"/instagram/calendar/api/{path}", params={"dag_id": DAG_ID, **query})
        assert answer.status_code in (200, 206), answer.text
        return answer

    return get


@pytest.mark.long
@pytest.mark.usefixtures("pictures", "no_stored_tokens")
def test_pictures_carousels_and_stories_are_shown_item_by_item(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path], portrait_video: Path, page: Any
) -> None:
    items = ["wide.png", {"image": "tall.jpg", "alt_text": f"Tall {EVIL}"}, str(portrait_video)]
    none = {"video": None}
    posts: dict[str, dict[str, Any]] = {
        "one-picture": {**none, "image": "wide.png", "caption": "A picture", "alt_text": "A wide field"},
        "three-items": {**none, "carousel": items, "caption": "A carousel"},
        "a-story": {**none, "image": "tall.jpg", "placement": "story"},
        "a-clip-story": {"placement": "story"},
    }
    file = calendar(dict.fromkeys(posts, 5.0), **posts)
    dag = content_calendar_dag(DAG_ID, str(file))
    for post_id in posts:
        assert run_post(run_dag, dag, post_id).state == "success"
    file_of_plan, plan = settings_of(dag).plan_file, planned(dag)
    store(file_of_plan, plan.model_copy(update={"plan": replace(plan.plan, pending=())}))  # as the task `started` does

    cards = {card["id"]: card for card in page("posts").json()["cards"]}
    assert {post_id: (card["kind"], card["state"]) for post_id, card in cards.items()} == {
        "one-picture": ("picture", "published"),
        "three-items": ("carousel", "published"),
        "a-story": ("story", "published"),
        "a-clip-story": ("story", "published"),
    }
    for card in cards.values():
        for size in ("small", "large"):
            assert page(f"../../covers/{card['cover']}.jpg", size=size).content.startswith(b"\xff\xd8\xff")

    details = {post_id: page("post", post_id=post_id).json() for post_id in posts}
    assert {post_id: [(item["video"], item["alt"]) for item in one["media"]] for post_id, one in details.items()} == {
        "one-picture": [(False, "A wide field")],
        "three-items": [(False, ""), (False, f"Tall {EVIL}"), (True, "")],
        "a-story": [(False, "")],
        "a-clip-story": [(True, "")],
    }  # fmt: skip
    covers = [item["cover"] for item in details["three-items"]["media"]]
    shown = [page(f"../../covers/{name}.jpg", size="large").content for name in covers]
    assert len(set(shown)) == 3, "each item has a picture of its own"
    assert page("video", post_id="three-items", item="3").content[4:8] == b"ftyp"
    assert details["a-story"]["caption"] == ""


@pytest.mark.usefixtures("no_stored_tokens")
@pytest.mark.usefixtures("no_known_posts")
def test_the_numbers_of_the_latest_insights_run_are_shown_with_their_age(
    instagram_sandbox: SandboxHandle,
    run_dag: Any,
    calendar: Callable[..., Path],
    tmp_path: Path,
    page: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The page asks neither Instagram nor the target for them. A post that was not read has none."""
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "sqlite", "host": f"{tmp_path}/w.db"}))
    media_id = instagram_sandbox.add_foreign_post("Published two hours ago", age_s=TWO_HOURS)
    instagram_sandbox.set_insights(media_id, views=4321, likes=7, reach=0)
    dag = content_calendar_dag(DAG_ID, str(calendar({"read": -TWO_HOURS, "unread": 3600})))
    store_dag(dag)
    planned(dag)
    at = (datetime.now(timezone.utc) - timedelta(hours=2)).isoformat()
    with open_ledger(ACCOUNT) as rows:
        Ledger(rows, ACCOUNT).record_post(PublishedPost(f"{ACCOUNT}/read", "1", at, media_id))
    try:
        begun = datetime.now(timezone.utc)
        assert run_dag(insights_dag("page_insights", [ACCOUNT], "warehouse")).state == "success"
        calls = len(instagram_sandbox.journal())

        found = page("post", post_id="read").json()["insights"]
        numbers = dict(found["values"])
        assert (found["age"], numbers["views"], numbers["likes"], numbers["reach"]) == ("1h", 4321, 7, 0)
        assert begun <= datetime.fromisoformat(found["at"]) <= datetime.now(timezone.utc)
        assert page("post", post_id="unread").json()["insights"] is None
        assert len(instagram_sandbox.journal()) == calls

        with open_ledger(ACCOUNT) as rows:
            row = rows.get(f"insights:{media_id}")
            rows.set(f"insights:{media_id}", {**row, "values": {EVIL: 1}})
        answer = page("post", post_id="read")
        assert answer.headers["content-type"] == "application/json"
        assert answer.json()["insights"]["values"] == [[EVIL, 1]]
    finally:
        with open_ledger(ACCOUNT) as rows:
            for key in (f"done:{ACCOUNT}/read", f"media:{media_id}", f"insights:{media_id}"):
                rows.delete(key)
