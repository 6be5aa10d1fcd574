"""*Fill in times* on the Posts page over HTTP: who may, what is proposed, and what is written."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from airflow_provider_instagram.plugin.board import routes
from airflow_provider_instagram.plugin.board.boards import Boards
from airflow_provider_instagram.plugin.users import sealed
from tests.integration.pages import OURS, browser_of
from tests.integration.plugin.runs import store_calendar
from tests.integration.plugin.test_board_edits import audit

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fastapi import FastAPI
    from fastapi.testclient import TestClient
    from pytest_mock import MockerFixture

DAG_ID, OTHER_ID = "filled_posts", "others_posts"
ACCOUNT, OTHERS = "fill_studio", "others_studio"
SECRET = "X-Signature=abcdef0123456789"
ADDRESS = "/instagram/calendar/api/fill"


@pytest.fixture
def calendar(airflow_pages: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mocker: MockerFixture) -> Path:
    """A stored calendar with posts that have no time, and one of another team."""
    from airflow_provider_instagram.calendar import content_calendar_dag

    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", str(tmp_path / "snapshots"))
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_EDITING", "True")
    mocker.patch.object(routes, "boards", Boards())
    soon = f"{datetime.now(timezone.utc) + timedelta(days=2):%Y-%m-%d %H:%M} UTC"
    posts = [
        {"id": "timed", "publish_at": soon, "video": f"https://media.example.com/a.mp4?{SECRET}"},
        {"id": "open", "caption": "Grüße", "video": f"https://media.example.com/b.mp4?{SECRET}"},
    ]
    for dag_id, account in ((DAG_ID, ACCOUNT), (OTHER_ID, OTHERS)):
        file = tmp_path / dag_id / "calendar.yaml"
        file.parent.mkdir()
        slots = {one: ["Mon 08:30", "Thu 19:00"] for one in (ACCOUNT, OTHERS)}
        content = {"slots": slots, "defaults": {"account": account, "timezone": "UTC"}, "posts": posts}
        file.write_text(f"# Ours\n{yaml.safe_dump(content, sort_keys=False, allow_unicode=True)}")
        store_calendar(content_calendar_dag(dag_id, file, accounts=[account]))
    return tmp_path / DAG_ID / "calendar.yaml"


@pytest.fixture
def user(calendar: Path, airflow_app: FastAPI) -> Callable[..., TestClient]:
    """A browser in which a user with a role is logged in to a whole Airflow."""
    return partial(browser_of, airflow_app)


def proposed(browser: TestClient, dag_id: str = DAG_ID, **more: Any) -> Any:
    return browser.get(ADDRESS, params={"dag_id": dag_id, **more})


def write(browser: TestClient, name: str, proposal: str, dag_id: str = DAG_ID, headers: Any = None) -> Any:
    body = {"dag_id": dag_id, "proposal": proposal, "form_token": sealed("form", {"user": name})}
    return browser.post(ADDRESS, json=body, headers=OURS if headers is None else headers)


def test_a_post_without_a_time_is_a_draft_on_the_page(user: Any) -> None:
    answer = user("ada", "USER").get("/instagram/calendar/api/posts", params={"dag_id": DAG_ID}).json()
    assert [one for shown in answer["calendars"] for one in shown["problems"] if one["post"]] == []
    assert {card["id"]: card["state"] for card in answer["cards"]} == {"timed": "planned", "open": "draft"}


def test_an_editor_sees_the_proposal_and_writes_it(user: Any, calendar: Path) -> None:
    ada, before = user("ada", "USER"), calendar.read_text()
    answer = proposed(ada)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    (line,) = found["lines"]
    assert line.startswith("open: ")
    assert line.endswith(", the first free slot.")
    assert "+  publish_at: 20" in found["diff"]
    assert SECRET not in answer.text
    assert calendar.read_text() == before
    written = write(ada, "ada", found["proposal"])
    assert written.json()["done"] == (
        "Times filled in in calendar.yaml. The page shows it once Airflow has read the file."
    )
    assert calendar.read_text().count("publish_at") == 2
    assert calendar.read_text().startswith("# Ours\n")
    event = audit(DAG_ID)[-1]
    assert (event["event"], event["owner"], event["posts"]) == ("instagram_post_fill", "ada", 1)
    assert "publish_at" in event["diff"]
    again = proposed(ada).json()
    assert (again["lines"], again["proposal"]) == ([], "")


def test_a_file_that_has_changed_meanwhile_is_left_as_it_is(user: Any, calendar: Path) -> None:
    ada, events = user("ada", "USER"), audit(DAG_ID)
    proposal = proposed(ada).json()["proposal"]
    changed = f"{calendar.read_text()}# by a colleague\n"
    calendar.write_text(changed)
    answer = write(ada, "ada", proposal)
    assert (answer.status_code, answer.json()["detail"]) == (
        409,
        "The calendar's file, or what is added, has changed. Nothing was written. Look at it again.",
    )
    assert (calendar.read_text(), audit(DAG_ID)) == (changed, events)


def test_only_what_the_user_has_agreed_to_is_written(user: Any, calendar: Path) -> None:
    ada = user("ada", "USER")
    proposal = proposed(ada).json()["proposal"]
    assert write(ada, "ada", f"{proposal[:-4]}AAAA").status_code == 422
    assert write(ada, "ada", f"{proposal[:-4]}aaaa").status_code == 409
    assert write(ada, "ada", proposal, dag_id=OTHER_ID).status_code == 409
    assert "publish_at" not in calendar.read_text().partition("id: open")[2]


def test_no_times_are_proposed_for_a_file_that_cannot_be_written_here(
    user: Any, calendar: Path, mocker: MockerFixture
) -> None:
    root = "airflow.dag_processing.bundles.base.get_bundle_storage_root_path"
    mocker.patch(root, return_value=calendar.parents[1])
    answer = proposed(user("ada", "USER"))
    assert (answer.status_code, "in a bundle" in answer.json()["detail"]) == (422, True)
