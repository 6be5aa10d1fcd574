"""Nobody makes the page Posts fail or work for long: by a request, a file in the calendar's folder, or a sheet."""

from __future__ import annotations

import base64
import os
import time
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

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fastapi import FastAPI
    from fastapi.testclient import TestClient
    from pytest_mock import MockerFixture

DAG_ID, ACCOUNT = "attacked_posts", "attacked_studio"
API = "/instagram/calendar/api"
AT = datetime.now(timezone.utc) + timedelta(days=9)
#: The longest that one request may keep a processor busy, with much room for a machine that is slow.
LIMIT_S = 5.0


@pytest.fixture
def calendar(airflow_pages: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mocker: MockerFixture) -> Path:
    """A stored calendar with a post and a draft."""
    from airflow_provider_instagram.calendar import content_calendar_dag

    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", str(tmp_path / "snapshots"))
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_EDITING", "True")
    mocker.patch.object(routes, "boards", Boards())
    file = tmp_path / DAG_ID / "calendar.yaml"
    file.parent.mkdir()
    (file.parent / "a.mp4").touch()
    posts = [
        {"id": "hello", "publish_at": f"{AT:%Y-%m-%d %H:%M}", "video": "a.mp4"},
        {"id": "draft", "note": "Brunch?"},
    ]
    file.write_text(yaml.safe_dump({"defaults": {"account": ACCOUNT, "timezone": "UTC"}, "posts": posts}))
    store_calendar(content_calendar_dag(DAG_ID, file, accounts=[ACCOUNT]))
    return file


@pytest.fixture
def user(calendar: Path, airflow_app: FastAPI) -> Callable[..., TestClient]:
    """A browser in which a user with a role is logged in to a whole Airflow."""
    return partial(browser_of, airflow_app)


def get(browser: TestClient, path: str, **query: Any) -> Any:
    return browser.get(f"{API}/{path}", params={"dag_id": DAG_ID, **query})


def send(browser: TestClient, path: str, **body: Any) -> Any:
    content = {"dag_id": DAG_ID, "form_token": sealed("form", {"user": "ada"}), **body}
    return browser.post(f"{API}/{path}", json=content, headers=OURS)


@pytest.mark.parametrize("moment", ["1" + "0" * 400, "-1" + "0" * 400, str(2**63)])
def test_a_viewer_who_asks_for_a_time_without_end_is_refused(user: Any, moment: str) -> None:
    vera = user("vera", "VIEWER")
    for name in ("from", "to"):
        assert get(vera, "posts", **{name: moment}).status_code == 422


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01"])
def test_a_draft_is_put_on_no_day_that_no_post_can_have(user: Any, day: str) -> None:
    assert get(user("ada", "USER"), "drafts/time", post_id="draft", day=day).status_code == 422


def test_digits_of_other_scripts_are_no_month_and_no_time(user: Any, calendar: Path) -> None:
    ada, before = user("ada", "USER"), calendar.read_text()
    assert send(ada, "import", sheet="", time="0\u0663:00").status_code == 422
    assert calendar.read_text() == before


def test_a_link_to_itself_and_a_name_that_is_no_text_hide_no_other_file(user: Any, calendar: Path) -> None:
    (calendar.parent / "loop.jpg").symlink_to("loop.jpg")
    (calendar.parent / os.fsdecode(b"br\xf6tchen.jpg")).touch()  # as an old ZIP archive has it
    ada = user("ada", "USER")
    assert get(ada, "file", name="loop.jpg").status_code == 404
    assert get(ada, "files").json()["files"] == ["a.mp4", "loop.jpg"]


@pytest.mark.parametrize("name", ["video", "carousel", "caption", "tags", "user_tags", "cover_url"])
def test_no_value_at_all_is_an_empty_one(user: Any, name: str) -> None:
    answer = send(user("ada", "USER"), "edits", do="change", post_id="hello", fields={name: None})
    assert (answer.status_code, answer.json().get("done", "")[:5]) == (200, "Saved"), answer.text


def test_a_long_list_of_words_is_read_once_for_all_rows_of_a_sheet(user: Any, calendar: Path) -> None:
    ada, known = user("ada", "USER"), {f"w{number}": ACCOUNT for number in range(40_000)}
    sheet = base64.b64encode(b"account,caption\n" + b"somebody,Hello\n" * 900).decode()
    begun_s = time.process_time()
    answer = send(ada, "import", sheet=sheet, words={"account": known})
    assert (answer.status_code, [one["word"] for one in answer.json()["asks"]]) == (200, ["somebody"])
    assert time.process_time() - begun_s < LIMIT_S
    assert send(ada, "import", sheet=sheet, words={"approval": {"required": "none"}}).status_code == 422


def test_a_file_that_became_no_text_is_said_to_be_none(user: Any, calendar: Path) -> None:
    written = calendar.read_bytes() + "# Grüße".encode("cp1252")
    calendar.write_bytes(written)
    ada = user("ada", "USER")
    for path, body in (
        ("edits", {"do": "change", "post_id": "hello", "fields": {"caption": "Hi"}}),
        ("import", {"sheet": ""}),
    ):
        answer = send(ada, path, **body)
        assert (answer.status_code, "is not UTF-8 text" in answer.text) == (422, True), (path, answer.text)
    assert get(ada, "fill").status_code == 422
    assert get(ada, "post", post_id="hello").json()["edit"]["does"] == []
    assert calendar.read_bytes() == written
