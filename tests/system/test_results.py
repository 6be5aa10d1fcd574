"""Results on the Posts page in a running Airflow: a browser shows a table and a curve, and saves the table."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from demo.results import results_settings
from demo.stack import wait_until
from tests.calendars.running_calendar import DAG_ID, RunningCalendar, entry, running_calendar, whole_second

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import FrameLocator, Locator, Page

STUDIO = "studio"
EVIL = '=HYPERLINK("https://evil.example.com") <script>alert(1)</script>'
BASE = "/plugin/instagram-calendar/instagram/calendar/"
LIMIT_MS = 240_000


@pytest.fixture(scope="module")
def calendar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCalendar]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_WAREHOUSE", "")  # results_settings sets it
        settings = results_settings(tmp_path_factory.mktemp("warehouse"), [STUDIO], ["A new week #edit", EVIL])
        with running_calendar(tmp_path_factory.mktemp("results"), [STUDIO], **settings) as everything:
            everything.write([entry("planned", whole_second(timedelta(days=2)), STUDIO)])
            everything.add_dag(3600)

            def has_plan() -> bool:
                if not everything.airflow.has(f"/dags/{DAG_ID}"):
                    return False
                return bool(json.loads(everything.airflow.download("/instagram/calendar/api/posts"))["cards"])

            wait_until(has_plan, "the page has the first plan, and with it the accounts", 240)
            yield everything


def opened(calendar: RunningCalendar, page: Page, **query: str) -> FrameLocator:
    page.goto(str(httpx.URL(f"{calendar.airflow.url}{BASE}", params={"view": "results", **query})))
    frame = page.frame_locator("iframe")
    expect(frame.locator("[data-table=curve] canvas")).to_be_visible(timeout=LIMIT_MS)
    return frame


@pytest.mark.timeout(900)
def test_results_are_drawn_read_as_tables_and_saved_as_csv(calendar: RunningCalendar, page: Page) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("dialog", lambda dialog: errors.append(dialog.message))
    frame = opened(calendar, page)
    posts = frame.locator("[data-table=posts]")
    expect(posts.locator("tbody tr")).to_have_count(20)
    posts.get_by_role("button", name=re.compile("^Show all")).click()
    compared = int(re.findall(r"(\d+) of 168 posts are compared", frame.locator(".results .notice").inner_text())[0])
    expect(posts.locator("tbody tr")).to_have_count(compared)
    expect(frame.locator("[data-table=apart] tbody tr")).to_have_count(168 - compared)
    expect(posts.get_by_text(EVIL, exact=True).first).to_be_visible()

    rows = list(csv.reader(io.StringIO(_saved(page, posts).read_text("utf-8-sig"))))
    assert len(rows) == 1 + compared
    assert {row[3] for row in rows[1:]} == {"A new week #edit", f"'{EVIL}"}

    frame.locator("[data-choice=metric]").select_option("views")
    expect(posts.locator("th").nth(4)).to_have_text("Views", timeout=30_000)
    assert "metric=views" in page.url, "the address can be sent to a colleague"
    worst = posts.locator("tbody tr").last
    worst.get_by_role("button", name=re.compile("^Curve of")).click()
    name = worst.locator("td").nth(3).inner_text()
    expect(frame.locator("[data-table=curve] h2")).to_contain_text(name, timeout=30_000)
    assert errors == []


def _saved(page: Page, table: Locator) -> Path:
    with page.expect_download() as download:
        table.get_by_role("button", name="CSV").click()
    return Path(download.value.path())


@pytest.mark.timeout(900)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_results_are_accessible_and_fit_a_phone(calendar: RunningCalendar, page: Page, theme: str) -> None:
    page.add_init_script(f"localStorage.setItem('theme', '{theme}')")
    opened(calendar, page)
    inner = next(frame for frame in page.frames if "/instagram/calendar" in frame.url and frame.parent_frame)
    found = Axe().run(inner).response["violations"]
    assert not found, [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in found]
    page.set_viewport_size({"width": 390, "height": 844})
    frame = opened(calendar, page)
    assert not frame.locator("html").evaluate("page => page.scrollWidth > page.clientWidth")
