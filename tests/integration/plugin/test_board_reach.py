"""The page in a browser: what can be reached by keys, touch and drag, what fits, and what a search finds."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.integration.plugin.test_board_many import Writing
from tests.integration.plugin.test_board_words import CALENDAR, CARD, HOME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page, Route

#: Weeks in which no test is at the end of a month or of a year.
MONDAY = datetime(2030, 5, 6, tzinfo=timezone.utc)
STATES = ("planned", "in_work", "waiting", "ready", "published", "skipped", "failed", "unknown", "problem")


def card(number: int, day: int, **more: Any) -> dict[str, Any]:
    at = MONDAY + timedelta(days=day, hours=9)
    times = {"at": int(at.timestamp()), "local": f"{at:%Y-%m-%dT%H:%M}"}
    return {**CARD, "id": f"post-{number}", "title": f"Post {number}", "state": "planned", **times, **more}


class Airflow(Writing):
    """An Airflow with posts in each week, in each state."""

    def __init__(self) -> None:
        super().__init__()
        states = [{"state": STATES[number % 9], "late": number % 14 == 0} for number in range(42)]
        self.posts = [card(number, number * 3 % 42, **states[number]) for number in range(42)]
        self.asked: list[dict[str, list[str]]] = []
        self.problems: list[dict[str, Any]] = []
        self.file = {post["id"]: {"publish_at": post["local"], "tags": []} for post in self.posts}

    def route(self, route: Route) -> None:
        address = urlsplit(route.request.url)
        if address.path.endswith("api/posts"):
            self.asked.append(query := parse_qs(address.query))
            first, last = int(query["from"][0]), int(query["to"][0])
            words = query.get("q", ["\0"])[0]
            cards = [post for post in self.posts if first <= post["at"] <= last or words in post["title"]]
            about = {**CALENDAR, "edit": True, "more_problems": 0, "first": CARD["at"], "last": CARD["at"]}
            calendars = [{**about, "problems": self.problems}]
            return route.fulfill(json={"calendars": calendars, "still": self.still, "cards": cards})
        return super().route(route)

    still = False


@pytest.fixture
def airflow() -> Airflow:
    return Airflow()


@pytest.fixture
def open_page(browser: Any, airflow: Airflow) -> Iterator[Any]:
    contexts = []

    def open_view(view: str = "weeks", size: tuple[int, int] = (1440, 900), locale: str = "en-GB", **more: Any) -> Page:
        context = browser.new_context(viewport={"width": size[0], "height": size[1]}, locale=locale, **more)
        contexts.append(context)
        page: Page = context.new_page()
        page.clock.set_fixed_time(MONDAY)
        page.route("**/*", airflow.route)
        page.goto(f"{HOME}?day=2030-05-06&view={view}")
        expect(page.locator("#view .card, #view .day").first).to_be_visible()
        return page

    yield open_view
    for context in contexts:
        context.close()


def test_eight_tabs_lead_to_the_first_post_and_one_skips_all(open_page: Any, airflow: Airflow) -> None:
    airflow.problems = [{"line": 3, "message": "Unknown field.", "remedy": "Remove it.", "post": None}]
    page = open_page()
    expect(page.locator(".waits button").first).to_be_visible()
    pressed = 0
    while not page.locator("#view .card:focus").count():
        page.keyboard.press("Tab")
        pressed += 1
        assert pressed <= 8
    page.reload()
    expect(page.locator("#view .card").first).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.locator("#skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#view .card").first).to_be_focused()


def test_arrows_go_from_one_control_of_a_group_to_the_next(open_page: Any) -> None:
    page = open_page()
    page.locator("[data-go=Earlier]").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-go=today]")).to_be_focused()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("[data-go=results]")).to_be_focused()
    page.keyboard.press("g")
    expect(page.locator("[data-filter=day]")).to_be_focused()


@pytest.mark.parametrize("view", ["month", "weeks", "week", "list", "profile"])
@pytest.mark.parametrize("size", [(1440, 900), (720, 450), (390, 844)])
def test_each_view_fits_and_is_accessible(open_page: Any, airflow: Airflow, view: str, size: tuple[int, int]) -> None:
    airflow.still = True
    page = open_page(view, size)
    assert not page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    assert Axe().run(page).response["violations"] == []


def test_six_weeks_fit_into_a_screen_and_today_is_in_the_first(open_page: Any, airflow: Airflow) -> None:
    airflow.posts = [{**post, "state": "planned"} for post in airflow.posts]
    page = open_page("month")
    days = page.locator("#view .day")
    expect(days).to_have_count(42)
    expect(days.last).to_be_in_viewport(ratio=1)
    expect(days.first).to_have_class("day today")


def test_states_differ_in_their_first_letters_and_are_explained_on_hover(open_page: Any) -> None:
    page = open_page()
    chips = page.locator(".chips .chip")
    assert len({text[:3] for text in chips.all_inner_texts()}) == len(STATES)
    for title in chips.evaluate_all("chips => chips.map(chip => chip.title)"):
        assert len(title) > 10


def test_that_airflow_stands_still_is_said_in_one_sentence(open_page: Any, airflow: Airflow) -> None:
    airflow.still = True
    expect(open_page().locator("#notices")).to_contain_text("Airflow stands still, so no post goes on.")


def test_nothing_at_the_foot_covers_a_button_that_can_be_scrolled(open_page: Any) -> None:
    page = open_page("list")
    page.locator("#view .card").first.click(modifiers=["Control"])
    expect(page.locator("#bulk")).to_be_visible()
    last = page.locator("#view .card").last
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    foot, box = page.locator("#foot").bounding_box(), last.bounding_box()
    assert box["y"] + box["height"] <= foot["y"]


def test_long_titles_leave_the_button_that_shows_all_its_width(open_page: Any, airflow: Airflow) -> None:
    airflow.posts = [{**post, "state": "waiting", "title": "A long title " * 9} for post in airflow.posts]
    button = open_page().locator(".waits").get_by_role("button", name="Show all")
    assert button.evaluate("(one) => one.scrollWidth <= one.clientWidth")


def test_the_bar_fits_beside_the_panel_in_the_frame_of_airflow(open_page: Any) -> None:
    page = open_page(size=(1366, 900))
    page.locator("#view .card").first.click()
    expect(page.locator("#panel")).to_be_visible()
    assert page.locator("#bar").evaluate("(one) => one.scrollWidth <= one.clientWidth")


def test_a_list_that_was_scrolled_fits_beside_the_panel(open_page: Any) -> None:
    """The browser remembers how wide its rows were, also of those that it does not draw any more."""
    page = open_page("list")
    for _ in range(6):
        page.mouse.wheel(0, 900)
        page.wait_for_timeout(100)
    page.locator("#view .card").last.click()
    expect(page.locator("#panel")).to_be_visible()
    assert page.locator("#view").evaluate("(one) => one.scrollWidth <= one.clientWidth")


def test_a_search_finds_posts_of_the_whole_plan(open_page: Any, airflow: Airflow) -> None:
    airflow.posts.append(card(99, 400, title="Easter bread"))
    page = open_page("week")
    page.get_by_role("searchbox").fill("bread")
    page.locator("[data-go=found]").click()
    expect(page.locator("#view .card")).to_have_count(1)
    expect(page.locator("h1")).to_have_text("1 post found")
    assert airflow.asked[-1]["q"] == ["bread"]


def test_tiles_of_a_profile_exchange_their_times_by_drag_and_by_key(open_page: Any, airflow: Airflow) -> None:
    airflow.posts = [card(number, number) for number in range(3)]
    before = {post["id"]: post["local"] for post in airflow.posts}
    airflow.file = {name: {"publish_at": local, "tags": []} for name, local in before.items()}
    page = open_page("profile")
    expect(page.locator("#view .text").first).to_have_css("opacity", "0")
    page.locator('[data-key="spring/post-2"]').drag_to(page.locator('[data-key="spring/post-0"]'))
    expect(page.locator("#undo")).to_contain_text("post-2 and post-0 have exchanged their times.")
    assert len(airflow.written) == 1
    assert [airflow.file[name]["publish_at"] for name in ("post-0", "post-2")] == [before["post-2"], before["post-0"]]
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#view .card").first).to_have_attribute("data-key", "spring/post-2")
    page.locator('[data-key="spring/post-1"]').focus()
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator("#undo")).to_contain_text("post-1 and post-0 have exchanged their times.")


def test_a_finger_that_holds_a_post_moves_it_to_another_day(open_page: Any, airflow: Airflow) -> None:
    page = open_page("month", (390, 844), has_touch=True, is_mobile=True)
    post = page.locator('.chosen [data-key="spring/post-0"]')
    start, to = post.bounding_box(), page.locator('[data-day="2030-05-16"]').bounding_box()
    client = page.context.new_cdp_session(page)

    def touch(kind: str, box: dict[str, float] | None) -> None:
        points = [] if box is None else [{"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}]
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", start)
    expect(page.locator("body.dragging")).to_have_count(1)
    touch("touchMove", to)
    touch("touchEnd", None)
    expect(page.locator("#undo")).to_contain_text("post-0 moved from Mon 6 May, 09:00 to Thu 16 May")
    assert airflow.file["post-0"]["publish_at"] == "2030-05-16T09:00"


@pytest.mark.parametrize(
    ("locale", "parts", "number"),
    [("de-DE", ("Donnerstag", "09:00"), "2.200"), ("en-US", ("Thursday, May", "9:00 AM"), "2,200")],
)
def test_dates_and_numbers_are_written_as_the_browsers_language_does(
    open_page: Any, locale: str, parts: tuple[str, ...], number: str
) -> None:
    page = open_page("list", locale=locale)
    text = page.locator("#view").inner_text()
    for part in parts:
        assert part in text
    page.locator("#view .card").first.click()
    expect(page.locator("#panel .count")).to_contain_text(f"10 of {number}")
    assert json.dumps(text).count("en-GB") == 0
