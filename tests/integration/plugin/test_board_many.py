"""Several posts and several acts at once, in a browser: what is asked, what is sent when, and how it is undone."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.integration.plugin.test_board_words import CALENDAR, CARD, DETAIL, HOME, Answers
from tests.integration.plugin.test_board_words import page as page

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

DAYS = ["2030-05-06", "2030-05-07", "2030-05-08"]


def card(number: int, **more: Any) -> dict[str, Any]:
    return {
        **CARD,
        "id": f"post-{number}",
        "local": f"{DAYS[number]}T08:30",
        "at": 1_904_286_600 + 86_400 * number,
        **more,
    }


class Writing(Answers):
    """An Airflow whose file says what was written last, and whose plan does not have it yet."""

    def __init__(self) -> None:
        super().__init__()
        calendar = {**CALENDAR, "edit": True, "problems": [], "more_problems": 0, "first": None, "last": None}
        self.cards = {"json": {"calendars": [calendar], "cards": [card(number) for number in range(3)]}}
        self.file = {f"post-{number}": {"publish_at": f"{DAYS[number]}T08:30", "tags": []} for number in range(3)}
        self.held: list[tuple[Route, dict[str, Any]]] = []
        self.is_held = threading.Event()
        self.written: list[dict[str, Any]] = []

    def route(self, route: Route) -> None:
        path = route.request.url.removeprefix(HOME).partition("?")[0]
        if path not in ("api/edits", "api/changes"):
            return super().route(route)
        body = json.loads(route.request.post_data or "{}")
        return self.held.append((route, body)) if self.is_held.is_set() else self.write(route, body)

    def write(self, route: Route, body: dict[str, Any]) -> None:
        """Write what was seen as the file has it, or refuse it as the server does."""
        self.written.append(body)
        changes = body.get("changes") or [body]
        for one in changes:
            now = self.file[one["post_id"]]
            if any(now[name] != value for name, value in one["seen"].items() if name in now):
                return route.fulfill(status=409, json={"detail": "Somebody else has changed this post."})
        for one in changes:
            self.file[one["post_id"]] |= one["fields"]
        return route.fulfill(json={"done": "Saved in a.yaml."})

    def release(self) -> None:
        """Answer what was held, and all that follows."""
        self.is_held.clear()
        for route, body in self.held:
            self.write(route, body)


@pytest.fixture
def airflow() -> Writing:
    return Writing()


def choose(page: Page, *numbers: int) -> Any:
    """Choose posts, and return the bar."""
    for number in numbers:
        page.locator(f'.card[data-key="spring/post-{number}"]').click(modifiers=["Control"])
    return page.locator("#bulk")


def test_three_moves_by_key_are_sent_in_order_conflict_with_nobody_and_are_taken_back_together(
    page: Page, airflow: Writing
) -> None:
    airflow.is_held.set()
    page.locator('.card[data-key="spring/post-0"]').focus()
    for _ in range(3):
        page.keyboard.press("Shift+ArrowRight")
    expect(page.locator("#undo")).to_be_hidden()
    airflow.release()
    expect(page.locator("#undo")).to_contain_text("post-0 moved from Mon 6 May, 08:30 to Thu 9 May, 08:30.")
    moves = [(one["seen"]["publish_at"], one["fields"]["publish_at"]) for one in airflow.written]
    assert moves == [("2030-05-06T08:30", "2030-05-07T08:30"), ("2030-05-07T08:30", "2030-05-09T08:30")]
    page.get_by_role("button", name="Undo").click()
    expect(page.locator('[data-day="2030-05-06"] [data-key="spring/post-0"]')).to_be_visible()
    assert airflow.file["post-0"]["publish_at"] == "2030-05-06T08:30"


def test_posts_are_moved_in_one_write_and_moved_back_in_another(page: Page, airflow: Writing) -> None:
    bar = choose(page, 0, 1, 2)
    bar.get_by_label("Days").fill("7")
    airflow.is_held.set()
    bar.get_by_role("button", name="Move by days").click()
    expect(bar).to_have_text("Moving: 3 posts …")
    airflow.release()
    expect(page.locator("#undo")).to_contain_text("3 posts moved by 7 days.")
    assert len(airflow.written) == 1
    assert [one["publish_at"] for one in airflow.file.values()] == [
        "2030-05-13T08:30",
        "2030-05-14T08:30",
        "2030-05-15T08:30",
    ]
    page.get_by_role("button", name="Undo").click()
    expect(page.locator('[data-day="2030-05-06"]')).to_contain_text("A new week")
    expect(page.locator("#live")).to_have_text("Undone: 3 posts moved by 7 days.")
    assert len(airflow.written) == 2
    assert [one["publish_at"][:10] for one in airflow.file.values()] == DAYS


def test_a_move_that_one_post_refuses_moves_none(page: Page, airflow: Writing) -> None:
    bar = choose(page, 0, 1)
    airflow.file["post-1"]["publish_at"] = "2030-05-20T08:30"
    bar.get_by_role("button", name="Move by days").click()
    expect(page.locator("#live")).to_have_text("Somebody else has changed this post.")
    expect(bar).to_contain_text("2 chosen")
    assert airflow.file["post-0"]["publish_at"] == "2030-05-06T08:30"


@pytest.mark.parametrize(("name", "act"), [("Reject …", "reject"), ("Skip …", "skip")])
def test_the_chosen_posts_that_wait_are_rejected_or_the_others_skipped_with_a_reason_and_brought_back(
    page: Page, airflow: Writing, name: str, act: str
) -> None:
    airflow.act = {"json": {"done": "Done.", "seen": "1.000"}}
    states = {"reject": ("waiting", "planned"), "skip": ("planned", "waiting")}[act]
    assert airflow.cards is not None
    airflow.cards["json"]["cards"] = [card(number, state=states[number == 2]) for number in range(3)]
    page.reload()
    choose(page, 0, 1, 2).get_by_role("button", name=name).click()
    dialog = page.locator("dialog")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_have_count(0)
    assert airflow.sent == []
    page.locator("#bulk").get_by_role("button", name=name).click()
    dialog.get_by_label("Reason").fill("the logo is old")
    page.keyboard.press("Enter")
    expect(page.locator("#undo")).to_contain_text("2 of 2.")
    assert [(one["act"], one["post_id"], one["reason"]) for one in airflow.sent] == [
        (act, "post-0", "the logo is old"),
        (act, "post-1", "the logo is old"),
    ]
    page.get_by_role("button", name="Bring back").click()
    expect(page.locator("#live")).to_contain_text("Brought back: 2 of 2.")
    assert [(one["act"], one["post_id"]) for one in airflow.sent[2:]] == [("unskip", "post-0"), ("unskip", "post-1")]


def test_a_rejection_by_key_asks_for_the_reason_and_goes_on_to_the_next_post(page: Page, airflow: Writing) -> None:
    airflow.detail = {**DETAIL, "card": card(0)}
    bar = choose(page, 0, 1)
    bar.get_by_role("button", name="Approve 2 …").click()
    expect(page.locator("#panel [name=caption]")).to_be_visible()
    page.locator("#panel h2").click()
    page.keyboard.press("r")
    assert airflow.sent == []
    page.locator("dialog").get_by_label("Reason").fill("too dark")
    page.keyboard.press("Enter")
    expect(bar).to_contain_text("2 of 2 to approve")
    assert [(one["act"], one["reason"]) for one in airflow.sent] == [("reject", "too dark")]
