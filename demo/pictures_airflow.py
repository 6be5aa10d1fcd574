"""The pictures of Airflow's own pages, and of those of the menu entry Instagram."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from demo.scene import ROOT
from demo.stack import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

    from demo.stack import AirflowStack
    from instagram_sandbox.testing.handle import SandboxHandle

IMAGES = ROOT / "docs" / "images"
LIMIT_S = 600


def take_calendar_pictures(browser: Browser, airflow: AirflowStack, dag_id: str) -> None:
    """Take a picture of the run that published a post, and one of the question about another post."""
    asked = wait_until(lambda: _asked(airflow, dag_id), "a post waits for an approval", LIMIT_S)
    page = browser.new_page(viewport={"width": 1400, "height": 2000}, locale="en-GB")
    page.goto(f"{airflow.url}{asked}/required_actions")
    page.get_by_text(re.compile("^Publish .* at ")).first.wait_for()
    _keep(page, "calendar_approval")
    page.set_viewport_size({"width": 1400, "height": 900})
    page.goto(f"{airflow.url}{_published(airflow, dag_id)}")
    page.get_by_role("row").nth(3).wait_for()
    page.wait_for_load_state("networkidle")  # the states in the grid come last
    _keep(page, "calendar_grid")
    page.close()


def _published(airflow: AirflowStack, dag_id: str) -> str:
    """Return the path of a run that has published a post."""
    ended = airflow.call(
        "GET", f"/dags/{dag_id}/dagRuns/~/taskInstances", params={"state": "success", "limit": 1000}
    )
    (run_id, *_) = (
        task["dag_run_id"] for task in ended["task_instances"] if task["task_id"] == "publish"
    )
    return f"/dags/{dag_id}/runs/{quote(run_id)}"


def _asked(airflow: AirflowStack, dag_id: str) -> str:
    """Return the path of the task that asks about a post, or an empty text."""
    found = airflow.call(
        "GET", f"/dags/{dag_id}/dagRuns/~/hitlDetails", params={"state": "awaiting_input"}
    )
    for one in found["hitl_details"]:
        task = one["task_instance"]
        return f"/dags/{dag_id}/runs/{quote(task['dag_run_id'])}/tasks/{task['task_id']}"
    return ""


def take_connection_pictures(
    browser: Browser, airflow: AirflowStack, sandbox: SandboxHandle
) -> None:
    """Take the pictures of the connection form, and of an account that is connected from Airflow's menu."""
    page = browser.new_page(viewport={"width": 1100, "height": 1640}, locale="en-GB")
    form = open_connection_form(page, airflow.url)
    form.get_by_text("Graph host").wait_for()
    form.get_by_role("button", name="Extra Fields", exact=True).click()
    form.locator("[name=element_oauth_host]").wait_for()
    _keep(form, "connection_form")

    page.set_viewport_size({"width": 1100, "height": 860})
    page.goto(f"{airflow.url}/instagram/connect")
    _keep(page, "connect_form")
    fill_in_login(page, sandbox, "brand_account")
    _keep(page, "connect_consent")
    page.get_by_role("button", name="Allow").click()
    page.get_by_role("heading", name="is connected").wait_for()
    _keep(page, "connect_done")
    page.get_by_role("link", name="See all accounts").click()
    page.locator("[data-connection=brand_account]").wait_for()
    _keep(page, "connect_accounts")
    page.close()


def open_connection_form(page: Page, url: str) -> Locator:
    """Open the form for a new connection of type Instagram."""
    page.goto(f"{url}/connections")
    page.get_by_role("button", name="Add Connection").click()
    form = page.get_by_role("dialog")
    form.get_by_role("combobox").first.click()
    page.keyboard.type("Instagram")
    page.get_by_role("option", name="Instagram", exact=True).click()
    return form


def fill_in_login(page: Page, sandbox: SandboxHandle, conn_id: str) -> None:
    """Fill in the form of the page Connect and press Connect: the consent page is what comes next."""
    page.locator("[name=conn_id]").fill(conn_id)
    page.locator("[name=app_id]").fill(sandbox.app_id)
    page.locator("[name=app_secret]").fill(sandbox.app_secret)
    page.get_by_text("Use a host other than Meta's").click()
    page.locator("[name=host]").fill(sandbox.url)
    page.get_by_role("button", name="Connect").click()
    page.get_by_role("heading", name="Allow this app").wait_for()


def _keep(what: Page | Locator, name: str) -> None:
    what.screenshot(path=IMAGES / f"{name}.png", animations="disabled")
