"""What the Posts page says: its own script and style in a browser, with answers that a test chooses."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from airflow_provider_instagram.plugin.board.routes import FOLDER, STATIC
from airflow_provider_instagram.plugin.pages import templates

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page, Route

HOME = "http://posts.test/airflow/instagram/calendar/"
CARD = {
    "dag": "spring", "id": "hello", "account": "instagram_studio", "at": 1_904_286_600, "local": "2030-05-06T08:30",
    "kind": "reel", "title": "A new week", "state": "waiting", "until": 1_904_286_600, "asks": True,
}  # fmt: skip
TWICE = [
    {**CARD, "id": "twice", "line": line, "state": "problem", "title": "", "why": "the same id"} for line in (7, 12)
]
DETAIL = {
    "card": CARD, "hint": "", "why": "", "acts": ["approve", "reject"], "caption": "A new week", "version": "a" * 32,
    "sha256": ["a1"], "held": False, "kind": "reel", "zone": "UTC", "options": {}, "media": [], "comment": None,
    "history": [], "insights": None, "link": None, "run": "r",
}  # fmt: skip
CALENDAR = {"dag": "spring", "name": "spring", "paused": False, "file": "a.yaml", "read": True, "dry": False}


class Answers:
    """What Airflow answers."""

    def __init__(self) -> None:
        self.detail: dict[str, Any] = dict(DETAIL)
        self.act: dict[str, Any] | None = {"json": {"done": "Approved.", "seen": "1.000"}}
        self.cards: dict[str, Any] | None = {}
        self.sent: list[dict[str, Any]] = []
        self.looks = 0

    def route(self, route: Route) -> None:
        path = route.request.url.removeprefix(HOME).partition("?")[0]
        if path.startswith("static/1/"):
            file = FOLDER / path.rpartition("/")[2]
            route.fulfill(body=file.read_text(), content_type=STATIC[file.suffix[1:]])
        elif path == "":
            page = templates.get_template("board.html").render(root="/airflow/instagram", form_token="t", version="1")
            route.fulfill(body=page, content_type="text/html")
        elif path == "api/acts":
            self.sent.append(json.loads(route.request.post_data or "{}"))
            route.abort() if self.act is None else route.fulfill(**self.act)
        elif path == "api/post":
            route.fulfill(json=self.detail)
        elif self.cards is None:
            route.abort()
        else:
            self.looks += 1
            calendars = [{**CALENDAR, "problems": [], "more_problems": 0, "first": CARD["at"], "last": CARD["at"]}]
            route.fulfill(**({"json": {"calendars": calendars, "cards": [CARD, *TWICE]}} | self.cards))


@pytest.fixture
def airflow() -> Answers:
    return Answers()


@pytest.fixture
def page(browser: Any, airflow: Answers) -> Iterator[Page]:
    page = browser.new_page(locale="en-GB")
    page.route("**/*", airflow.route)
    page.goto(f"{HOME}?day=2030-05-06")
    yield page
    page.close()


@pytest.fixture
def panel(page: Page) -> Any:
    page.locator('.card[data-key="spring/hello"]').click()
    return page.locator("#panel")


def test_an_answer_contains_what_the_page_showed(panel: Any, airflow: Answers) -> None:
    panel.get_by_role("button", name="Approve").click()
    expect(panel.page.locator("#live")).to_have_text("Approved.")
    assert [airflow.sent[0][name] for name in ("version", "sha256", "held")] == ["a" * 32, ["a1"], False]


def test_a_post_that_failed_because_of_its_file_offers_another_file_first(page: Page, airflow: Answers) -> None:
    edit = {"does": ["change"], "seen": {"publish_at": "2030-05-06T08:30", "video": "a.mp4"}, "approved": False}
    airflow.detail = {
        **DETAIL, "card": {**CARD, "state": "failed"}, "acts": ["retry", "skip"], "needs_file": True, "edit": edit,
    }  # fmt: skip
    page.locator('.card[data-key="spring/hello"]').click()
    acts = page.locator("#panel [data-state] .acts")
    expect(acts.locator(".btn.main")).to_have_text("Replace the file …")
    expect(acts.get_by_role("button", name="Try again")).to_be_visible()


def test_a_failed_post_needs_somebody(page: Page, airflow: Answers) -> None:
    calendar = {**CALENDAR, "problems": [], "more_problems": 0, "first": CARD["at"], "last": CARD["at"]}
    failed = {**CARD, "state": "failed", "why": "hello.mp4 is no video"}
    airflow.cards = {"json": {"calendars": [calendar], "cards": [failed]}}
    page.reload()
    expect(page.locator(".waits")).to_contain_text("1 post needs you")


def test_posts_that_a_revoked_token_has_failed_are_one_line_and_one_button_tries_them_all_again(
    page: Page, airflow: Answers
) -> None:
    calendar = {**CALENDAR, "problems": [], "more_problems": 0, "first": CARD["at"], "last": CARD["at"]}
    failed = {"state": "failed", "why": "The access token is expired, revoked or malformed.", "login": True}
    posts = [{**CARD, **failed, "id": f"post-{number}"} for number in range(5)]
    airflow.cards = {"json": {"calendars": [calendar], "cards": [*posts, CARD]}}
    airflow.act = {"json": {"done": "It is tried again.", "seen": "1.000"}}
    page.reload()
    notices = page.locator("#notices")
    expect(notices.locator('[data-state="failed"]')).to_have_count(1)
    expect(notices.locator('[data-state="failed"]')).to_contain_text("5 posts failed because")
    expect(notices.locator(".waits")).to_contain_text("1 post needs you")
    notices.get_by_role("button", name="Try all 5 again").click()
    expect(page.locator("#live")).to_have_text("Tried again: 5 of 5.")
    assert {(one["act"], one["post_id"]) for one in airflow.sent} == {
        ("retry", f"post-{number}") for number in range(5)
    }


def test_what_was_typed_about_an_act_or_a_caption_stays_where_it_is_refused_or_the_page_is_closed(
    panel: Any, airflow: Answers
) -> None:
    panel.get_by_label("Caption").fill("Nearly done")
    panel.get_by_role("button", name="Reject …").click()
    panel.get_by_label("Reason").fill("Wrong picture")
    airflow.act = {"status": 409, "json": {"detail": "Try again."}}
    panel.get_by_role("button", name="Reject", exact=True).click()
    expect(panel.locator(".error")).to_have_text("Try again.")
    expect(panel.get_by_label("Reason")).to_have_value("Wrong picture")
    panel.page.reload()
    expect(panel.get_by_label("Caption")).to_have_value("Nearly done")


def test_the_panel_says_that_the_file_has_another_caption_than_the_one_approved(panel: Any, airflow: Answers) -> None:
    for caption, words in (("👨‍👩‍👧 of the file", "still has: “👨‍👩‍👧 of the file”"), ("", "has none.")):
        airflow.detail = {**DETAIL, "acts": [], "caption": "Approved", "file_caption": caption}
        panel.page.reload()
        expect(panel).to_contain_text(f"Instagram gets the changed one. The calendar's file {words}")


def test_who_is_second_reads_who_was_first_and_sees_the_caption_that_was_approved(panel: Any, airflow: Answers) -> None:
    said = "The state of this post is now: preparing. bob has answered already. Nothing was changed."
    airflow.act = {"status": 409, "json": {"detail": said}}
    panel.get_by_label("Caption").fill("Mine")
    airflow.detail = {**DETAIL, "card": {**CARD, "state": "in_work"}, "caption": "Of bob", "acts": ["skip"]}
    panel.get_by_role("button", name="Approve").click()
    expect(panel.locator(".caption")).to_contain_text("Of bob")
    expect(panel.locator(".error")).to_have_text(said)
    expect(panel.page.locator("#live")).to_have_text(said)
    looks = airflow.looks
    with panel.page.expect_response("**/api/posts*"):
        panel.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    assert airflow.looks > looks
    expect(panel.locator(".error")).to_have_text(said)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (None, "Airflow cannot be reached. Look at the post again before you repeat this."),
        ({"status": 409}, "Somebody else has changed this at the same moment. Look at it again."),
        ({"status": 500, "body": "Internal Server Error"}, "Airflow could not answer, because of an error"),
        ({"status": 502, "json": {"detail": "Bad Gateway"}}, "Airflow could not answer, because of an error"),
        ({"status": 200, "body": "<html>", "content_type": "text/html"}, "Airflow could not answer"),
        ({"status": 401, "json": {"detail": "Not authenticated"}}, "You are not logged in to Airflow any more."),
    ],
)
def test_what_fails_is_said_in_a_sentence_also_to_those_who_only_hear_it(
    panel: Any, airflow: Answers, answer: dict[str, Any] | None, sentence: str
) -> None:
    airflow.act = answer
    panel.get_by_role("button", name="Approve").click()
    expect(panel.locator(".error")).to_contain_text(sentence)
    expect(panel.page.locator("#live")).to_contain_text(sentence)


def test_a_page_that_cannot_reach_airflow_says_so_and_goes_on(page: Page, airflow: Answers) -> None:
    expect(page.locator(".card")).to_have_count(3)
    airflow.cards = None
    sentence = "Airflow cannot be reached. The page tries again by itself."
    expect(page.locator("#notices")).to_contain_text(sentence)
    expect(page.locator("#live")).to_have_text(sentence)
    airflow.cards = {}
    expect(page.locator("#notices")).not_to_contain_text(sentence)


def test_a_caption_is_counted_as_the_server_counts_it(panel: Any) -> None:
    panel.get_by_label("Caption").fill("👍" * 1100)
    expect(panel.locator(".field small")).to_have_text("2,200 of 2,200")
    expect(panel.locator(".field small.error")).to_have_count(0)
    panel.get_by_label("Caption").fill("👍" * 1100 + "x")
    expect(panel.locator(".field small.error")).to_have_text("2,201 of 2,200")


def test_both_posts_with_one_id_have_a_card(page: Page) -> None:
    expect(page.locator(".card[data-state=problem]")).to_have_count(2)
    with page.expect_request("**/api/post?*post_id=twice%3A12*"):
        page.locator('.card[data-key="spring/twice:12"]').click()


@pytest.mark.parametrize("view", ["Weeks", "Week", "List"])
def test_the_name_of_a_card_contains_what_it_shows_and_its_day(page: Page, view: str) -> None:
    page.get_by_role("button", name=view, exact=True).click()
    card = page.locator('.card[data-key="spring/hello"]')
    for part in ("08:30", "instagram_studio", "reel", "A new week", "Waiting for approval", "Monday 6 May"):
        expect(card).to_have_accessible_name(re.compile(part))
    options = {"runOnly": ["label-content-name-mismatch", "button-name"], "rules": {}}
    assert Axe().run(page, options=options).response["violations"] == []


@pytest.mark.parametrize("width", [1440, 700])
def test_a_week_draws_the_posts_that_are_in_sight_and_keys_reach_all_others(
    page: Page, airflow: Answers, width: int
) -> None:
    posts = 140
    page.set_viewport_size({"width": width, "height": 900})
    airflow.cards = {
        "json": {
            "calendars": [],
            "cards": [{**CARD, "id": f"post-{number:03}", "state": "planned"} for number in range(posts)],
        }
    }
    page.goto(f"{HOME}?day=2030-05-06&view=week")
    cards = page.locator("#view .card")
    expect(cards).to_have_count(posts)
    keys = cards.evaluate_all("cards => cards.map(card => card.dataset.key)")
    assert keys == [f"spring/post-{number:03}" for number in range(posts)]
    is_drawn = "card => card.firstChild.checkVisibility({ contentVisibilityAuto: true })"
    first, last = cards.first, cards.last
    assert [first.evaluate(is_drawn), last.evaluate(is_drawn)] == [True, False]
    expect(last).to_have_accessible_name(re.compile("08:30.*Monday 6 May"))
    first.focus()
    for _ in range(posts - 1):
        page.keyboard.press("ArrowRight")
    expect(last).to_be_focused()
    expect(last).to_be_in_viewport(ratio=1)
    assert last.evaluate(is_drawn)


@pytest.mark.parametrize("view", ["week", "list"])
def test_a_card_with_the_focus_stays_where_it_is_on_the_screen_when_posts_change(
    page: Page, airflow: Answers, view: str
) -> None:
    def week(title: str) -> dict[str, Any]:
        cards = [{**CARD, "id": f"post-{number:03}", "state": "planned"} for number in range(140)]
        return {"json": {"calendars": [], "cards": [{**cards[0], "title": title}, *cards[1:]]}}

    airflow.cards = week("before")
    page.goto(f"{HOME}?day=2030-05-06&view={view}")
    card = page.locator('.card[data-key="spring/post-070"]')
    card.focus()
    expect(card).to_be_in_viewport()
    airflow.cards = week("after")
    expect(page.locator(".card").first).to_contain_text("after")
    expect(card).to_be_focused()
    expect(card).to_be_in_viewport()
