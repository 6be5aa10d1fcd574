"""*Fill in times* in a browser: what a user reads before times are written, and after."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.integration.plugin.test_board_words import CALENDAR, CARD, HOME, Answers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Locator, Page, Route

LINE = "opening-hours: Mon 2030-05-20 08:30, the first free slot."
DIFF = "--- a/a.yaml\n+++ b/a.yaml\n@@ -1 +1,2 @@\n - id: <b>a</b>\n+  publish_at: 2030-05-20 08:30"
PROPOSAL = {"lines": [LINE], "diff": DIFF, "proposal": "sealed"}
DONE = "Times filled in in a.yaml."


class Filling(Answers):
    """What Airflow answers about proposals."""

    def __init__(self) -> None:
        super().__init__()
        self.proposal: dict[str, Any] = dict(PROPOSAL)
        self.written: dict[str, Any] = {"json": {"done": DONE}}
        self.asked: list[str] = []
        calendar = {**CALENDAR, "edit": True, "problems": [], "more_problems": 0, "first": None, "last": None}
        self.cards = {"json": {"calendars": [calendar], "cards": [CARD]}}

    def route(self, route: Route) -> None:
        request = route.request
        if "/api/fill" not in request.url:
            super().route(route)
        elif request.method == "GET":
            self.asked.append(request.url.partition("?")[2])
            route.fulfill(json=self.proposal)
        else:
            self.sent.append(json.loads(request.post_data or "{}"))
            route.fulfill(**self.written)


@pytest.fixture
def airflow() -> Filling:
    return Filling()


@pytest.fixture
def page(browser: Any, airflow: Filling) -> Iterator[Page]:
    page = browser.new_page()
    page.route("**/*", airflow.route)
    page.goto(f"{HOME}?day=2030-05-06")
    yield page
    page.close()


def propose(page: Page) -> Locator:
    """Open the window of a proposal, and return it."""
    page.get_by_role("button", name="Fill in times").click()
    dialog = page.locator("dialog")
    expect(dialog).to_contain_text("You see them before anything is written.")
    dialog.get_by_role("button", name="Propose times").click()
    return page.locator("dialog", has_text="into the file?")


def test_a_user_reads_each_line_and_the_diff_and_says_yes(page: Page, airflow: Filling) -> None:
    dialog = propose(page)
    expect(dialog.get_by_role("listitem")).to_have_text([LINE])
    expect(dialog.get_by_label("Changes")).to_have_text(DIFF)
    assert Axe().run(page).response["violations"] == []
    assert airflow.sent == []
    dialog.get_by_role("button", name="Write").click()
    expect(page.locator("#live")).to_have_text(DONE)
    assert airflow.sent == [{"dag_id": "spring", "proposal": "sealed", "form_token": "t"}]
    assert airflow.asked == ["dag_id=spring"]


def test_nothing_is_sent_without_a_yes(page: Page, airflow: Filling) -> None:
    propose(page).get_by_role("button", name="Cancel").click()
    expect(page.locator("dialog")).to_have_count(0)
    assert airflow.sent == []


def test_a_user_reads_that_nothing_is_to_be_written_and_why(page: Page, airflow: Filling) -> None:
    airflow.proposal = {"lines": ["a: no time, studio has no slots."], "diff": "", "proposal": ""}
    page.get_by_role("button", name="Fill in times").click()
    page.locator("dialog").get_by_role("button", name="Propose times").click()
    dialog = page.locator("dialog", has_text="Nothing is to be written.")
    expect(dialog).to_contain_text("studio has no slots")
    dialog.get_by_role("button", name="Close").click()
    expect(page.locator("dialog")).to_have_count(0)
    assert airflow.sent == []


def test_a_file_that_has_changed_is_told(page: Page, airflow: Filling) -> None:
    said = "The calendar's file, or what is added, has changed. Nothing was written. Look at it again."
    airflow.written = {"status": 409, "json": {"detail": said}}
    propose(page).get_by_role("button", name="Write").click()
    expect(page.locator("#live")).to_have_text(said)


def test_who_may_not_edit_has_no_button(page: Page, airflow: Filling) -> None:
    calendar = {**CALENDAR, "problems": [], "more_problems": 0, "first": None, "last": None}
    airflow.cards = {"json": {"calendars": [calendar], "cards": [CARD]}}
    page.reload()
    expect(page.locator(".card")).to_have_count(1)
    expect(page.get_by_role("button", name="Fill in times")).to_have_count(0)
