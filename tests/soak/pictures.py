"""Make the pictures of docs/calendars: ``.venv/bin/python -m tests.soak.pictures``."""

from __future__ import annotations

import shutil
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect, sync_playwright

from demo.scene import ROOT
from demo.stack import end_on_sigterm, wait_until
from tests.calendars.running_calendar import DAG_ID, REEL_WIDTH, entry, form_of, running_calendar, whole_second

if TYPE_CHECKING:
    from tests.calendars.running_calendar import RunningCalendar

IMAGES = ROOT / "docs" / "images"
LEAD_S = 75
CAPTION = "Tonight at eight: ask us anything.\n\n#behindthescenes"


def main() -> int:
    """Run a small calendar, and take pictures of its grid and of the question about one of its posts.

    :return: The exit code.
    """
    end_on_sigterm()
    with tempfile.TemporaryDirectory() as folder, running_calendar(Path(folder), ("studio", "shop")) as calendar:
        at = whole_second(timedelta(seconds=LEAD_S + 15))
        calendar.write(
            [
                entry("hello-week", at, "studio"),
                entry("call-sheet", at + timedelta(seconds=20), "studio"),
                entry("monday-offer", at, "shop"),
                entry("thursday-live", at + timedelta(hours=2), "shop", approval="required", caption=CAPTION),
                {**entry("friday-cut", at + timedelta(hours=3), "studio"), "placment": "feed"},
            ],
        )
        calendar.add_dag(2 * 3600, more="max_lateness=timedelta(minutes=10)")
        question = wait_until(lambda: _question(calendar), "a person is asked", 120)
        wait_until(lambda: len(calendar.requests()) >= 2, "other posts are published", 180)
        _take(calendar, question)
    return 0


def _question(calendar: RunningCalendar) -> dict[str, Any] | None:
    found = calendar.airflow.call("GET", f"/dags/{DAG_ID}/dagRuns/~/hitlDetails")["hitl_details"]
    return found[0]["task_instance"] if found else None


def _run_of(calendar: RunningCalendar, post_id: str) -> str:
    instances = calendar.airflow.call("GET", f"/dags/{DAG_ID}/dagRuns/~/taskInstances", params={"limit": 1000})
    return next(str(one["dag_run_id"]) for one in instances["task_instances"] if one["rendered_map_index"] == post_id)


def _take(calendar: RunningCalendar, question: dict[str, Any]) -> None:
    runs = f"{calendar.airflow.url}/dags/{DAG_ID}/runs"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.goto(f"{runs}/{_run_of(calendar, 'hello-week')}/tasks/studio.publish/mapped")
        page.get_by_text("hello-week").first.wait_for()
        page.screenshot(path=IMAGES / "calendar_grid.png")
        page.set_viewport_size({"width": 1400, "height": 1500})
        page.goto(f"{calendar.airflow.url}{form_of(question)}")
        page.get_by_role("button", name="Approve").wait_for()
        page.get_by_text("Transcoded as").wait_for()
        expect(page.get_by_alt_text("Cover")).to_have_js_property("naturalWidth", REEL_WIDTH)
        page.screenshot(path=IMAGES / "calendar_approval.png")
        browser.close()


if __name__ == "__main__":
    sys.exit(main())
