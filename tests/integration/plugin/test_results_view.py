"""The view *Results* in a browser, with tables that the code makes of posts that a test chooses."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from airflow_provider_instagram.insights.results import METRICS, Measured, Reading, Results
from airflow_provider_instagram.posts.kinds import PostKind
from tests.integration.plugin.test_board_words import HOME, Answers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Route

NOW = datetime(2026, 12, 1, tzinfo=timezone.utc)


def post(number: int, reach: float | None, late_h: float = 0, **more: Any) -> Measured:
    at = NOW - timedelta(days=2 + number)
    taken_at = at + timedelta(hours=24 + late_h)
    reading = Reading(86_400, "missed" if reach is None else "read", reach, None if reach is None else taken_at)
    about = {"kind": PostKind.REEL, "caption": f"A post with many words, and the number {number}", **more}
    link = "https://www.instagram.com/p/a/"
    return Measured(f"m{number}", "studio", at=at, link=link, post_key=None, readings={"24h": reading}, **about)


REELS = [post(number, 100 + number, tags=("frühling",)) for number in range(20)]
PICTURES = [post(20 + number, 400 + number, kind=PostKind.PICTURE, tags=("<b>&",)) for number in range(20)]
#: One read a day late, one missed.
APART = [post(40, 9999, 24), post(41, None)]


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[..., Any]]:
    """Open the view of some posts in a window of a size."""
    pages, errors = [], []

    def open_view(posts: list[Measured], width: int = 1200) -> Any:
        found = Results(posts, "reach", "24h", ZoneInfo("UTC"), NOW)
        content: dict[str, Any] = {
            "accounts": ["studio"],
            "kinds": ["reel"],
            "tags": [],
            "metrics": METRICS,
            "ages": [*found.ages],
        }
        content |= {"age": found.age, "zone": "UTC", "few": 5, "notes": found.notes(), "cards": {}}
        content["tables"] = [asdict(table) for table in found.tables()]

        def answer(route: Route) -> None:
            if "api/results" in route.request.url:
                route.fulfill(json=content)
            else:
                Answers().route(route)

        page = browser.new_page(viewport={"width": width, "height": 844})
        pages.append(page)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.route("**/*", answer)
        page.goto(f"{HOME}?view=results")
        expect(page.locator(".results .notice")).to_be_visible()
        return page

    yield open_view
    for page in pages:
        page.close()
    assert errors == []


def test_posts_that_are_not_compared_stand_apart_and_say_why(opened: Any) -> None:
    page = opened([*REELS, *APART])
    expect(page.locator(".results .notice")).to_contain_text(
        "20 of 22 posts are compared at 24h, 1 read too late, 1 missed."
    )
    expect(page.locator("[data-table=posts] tbody tr")).to_have_count(20)
    late, missed = page.locator("[data-table=apart] tbody tr").all()
    expect(late).to_contain_text("9,999")
    expect(late).to_contain_text("Oct 22, 2026, 12:00 AM, read too late")
    expect(late).to_contain_text("read too late")
    expect(missed).to_contain_text("missed")


@pytest.mark.parametrize("posts", [[], REELS[:1], REELS, [post(n, 0) for n in range(30)]])
def test_a_first_use_shows_what_there_is_without_an_error(opened: Any, posts: list[Measured]) -> None:
    page = opened(posts)
    expect(page.locator("[data-table=posts]")).to_have_count(1 if posts else 0)
    expect(page.locator(".results select").first).to_be_visible()


@pytest.mark.parametrize(("theme", "width"), [("light", 390), ("dark", 390), ("light", 720)])
def test_the_view_is_accessible_and_fits_a_phone_and_200_percent(opened: Any, theme: str, width: int) -> None:
    page = opened([*REELS, *PICTURES, *APART], width)
    page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
    expect(page.locator("[data-table=curve] canvas")).to_be_visible()
    assert not page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    found = Axe().run(page).response["violations"]
    assert not found, [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in found]
