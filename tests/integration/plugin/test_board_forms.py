"""The forms of the page Posts in a browser: posts of every kind are made and edited, and nothing typed is lost."""

from __future__ import annotations

import re
import shutil
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from PIL import Image
from playwright.sync_api import expect

from airflow_provider_instagram.plugin.board import routes
from airflow_provider_instagram.plugin.board.boards import Boards
from tests.integration.plugin.runs import store_calendar
from tests.integration.plugin.served import chromium, logged_in, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fastapi import FastAPI
    from playwright.sync_api import Browser, Page

DAG_ID, ACCOUNT = "forms", "forms_studio"
NOON = (datetime.now(timezone.utc) + timedelta(days=3)).replace(hour=12, minute=0, second=0, microsecond=0)
FIVE = ["Brötchen Sonntag.jpg", "photo (1).jpg", "IMG 2031.png", "four.jpg", "five.jpg"]


def on(days: int, hour: int = 12) -> str:
    return f"{NOON + timedelta(days=days):%Y-%m-%d}T{hour:02}:00"


class Team:
    """A calendar in a folder, as a lead's team has it, and the page that shows it."""

    def __init__(self, file: Path, page: Page, address: str) -> None:
        self.file, self.page, self.address = file, page, address
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda said: self.errors.append(said.text) if "Content Security" in said.text else None)

    def posts(self) -> dict[str, dict[str, Any]]:
        return {post["id"]: post for post in yaml.safe_load(self.file.read_text())["posts"]}

    def read(self) -> None:
        """Let Airflow read the file."""
        from airflow_provider_instagram.calendar import content_calendar_dag

        store_calendar(content_calendar_dag(DAG_ID, self.file, accounts=[ACCOUNT]))
        routes.boards = Boards()

    def open(self) -> Page:
        self.page.goto(f"{self.address}/instagram/calendar/?view=week&day={NOON:%Y-%m-%d}")
        expect(self.page.locator("#view .card").first).to_be_visible()
        return self.page

    def form(self, post_id: str = "") -> Any:
        """Open the form of a post, or of a new one."""
        if post_id:
            self.page.locator(f'.card[data-key="{DAG_ID}/{post_id}"]').click()
            self.page.locator("#panel").get_by_role("button", name="Edit", exact=True).click()
        else:
            self.page.get_by_role("button", name="Add post").click()
        form = self.page.locator("dialog form.edit")
        expect(form).to_be_visible()
        return form


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def team(
    airflow_pages: None, airflow_app: FastAPI, browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Team]:
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", str(tmp_path / "snapshots"))
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_EDITING", "True")
    monkeypatch.setattr(routes, "boards", Boards())
    file = tmp_path / "plan" / "calendar.yaml"
    file.parent.mkdir()
    for name, colour in (("sea.jpg", "teal"), ("sun.jpg", "orange"), ("wide.jpg", "navy")):
        Image.new("RGB", (1200, 400) if name == "wide.jpg" else (640, 640), colour).save(file.parent / name)
    (file.parent / "sea.feed.0123456789abcdef01234567.jpg").write_bytes(b"of the transcoder")
    first = {"id": "hello", "publish_at": f"{on(0)}Z", "image": "sea.jpg", "caption": "Hello"}
    content = {"defaults": {"account": ACCOUNT, "timezone": "UTC"}, "posts": [first]}
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    with served(airflow_app, monkeypatch) as address:
        context = logged_in(browser, address, "ada", viewport={"width": 1440, "height": 900})
        team = Team(file, context.new_page(), address)
        team.page.set_default_timeout(20_000)
        team.read()
        yield team
        context.close()
    assert team.errors == []


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """Five pictures, named as phones and people name them."""
    (tmp_path / "phone").mkdir()
    files = [tmp_path / "phone" / name for name in FIVE]
    for at, file in enumerate(files):
        Image.new("RGB", (600, 600), (40 * at, 90, 120)).save(file)
    return files


def test_a_carousel_of_five_pictures_is_added_in_three_clicks(team: Team, pictures: list[Path]) -> None:
    team.open()
    form = team.form()  # a click
    form.get_by_label("Upload files").set_input_files(pictures)  # a click
    form.locator("[name=caption]").fill("Brötchen am Sonntag")
    form.locator("[name=publish_at]").fill(on(1))
    expect(form.locator(".items li")).to_have_count(5)
    team.page.screenshot(path="/tmp/forms_add.png")
    form.get_by_role("button", name="Add", exact=True).click()  # a click
    expect(team.page.locator("dialog")).to_have_count(0)
    post = team.posts()["broetchen-am-sonntag"]
    assert post["carousel"] == FIVE
    assert all((team.file.parent / name).exists() for name in FIVE)
