"""What an Airflow finds of this provider by itself, from a shell and in the browser."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from demo.pictures_airflow import open_connection_form
from demo.scene import ROOT, airflow_settings
from demo.stack import AIRFLOW

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from demo.stack import AirflowStack
    from instagram_sandbox.testing.handle import SandboxHandle

COMMANDS = ("providers list", "providers hooks", "providers links", "instagram sandbox --help")


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the commands of a shell say, each ended well."""
    settings = airflow_settings(tmp_path_factory.mktemp("shell")) | {"COLUMNS": "300"}
    running = {
        command: subprocess.Popen(
            [AIRFLOW, *command.split()],
            env=os.environ | settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for command in COMMANDS
    }
    ended = {command: process.communicate(timeout=120)[0] for command, process in running.items()}
    assert {process.returncode for process in running.values()} == {0}, ended
    return ended


def test_airflow_lists_the_provider_its_connection_type_and_its_link(said: dict[str, str]) -> None:
    (version,) = re.findall('^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert re.search(rf"airflow-provider-instagram .*\| {re.escape(version)}", said["providers list"])
    hook = r"^instagram +\| airflow_provider_instagram\.hooks\.instagram\.InstagramHook +\| instagram_conn_id"
    assert re.search(hook, said["providers hooks"], re.MULTILINE)
    assert "airflow_provider_instagram.operators.base.InstagramPostLink" in said["providers links"]


def test_the_sandbox_is_a_command_of_airflow(said: dict[str, str]) -> None:
    help_text = said["instagram sandbox --help"]
    assert "airflow instagram sandbox [-h]" in help_text
    assert all(option in help_text for option in ("--host", "--port", "--state", "--account", "--processing-time"))


FIELDS = {
    "host": ("Graph host", "https://graph.instagram.com (or, by the login, https://graph.facebook.com)", "text"),
    "login": ("Instagram user id", "17841400000000000 (if empty, the account of the token)", "text"),
    "password": ("Access token", "Long-lived access token (IGAA…)", "password"),
    "port": ("Port", "443", "number"),
}
EXTRA_FIELDS = {
    "element_api_version": ("Graph API version", "v27.0", False),
    "element_login_type": ("Login", "", False),
    "element_app_id": ("Meta app id", "", False),
    "element_app_secret": ("Meta app secret", "", True),
    "element_oauth_host": ("OAuth host", "", False),
}


def test_the_connection_form_names_its_fields_hides_secrets_and_tests_the_account(
    page: Page, airflow: AirflowStack, sandbox: SandboxHandle
) -> None:
    """A person fills in the form, saves it, presses Test, and reads whose account it is."""
    form = open_connection_form(page, airflow.url)
    for name, (label, placeholder, kind) in FIELDS.items():
        field = form.locator(f"[name={name}]")
        expect(form.locator("label", has_text=re.compile(f"^{label}"))).to_be_visible()
        expect(field).to_have_attribute("placeholder", placeholder)
        expect(field).to_have_attribute("type", kind)
    expect(form.locator("[name=schema]")).to_have_count(0)
    host, _, port = sandbox.url.rpartition(":")
    typed = {"connection_id": "from_the_form", "host": host, "password": sandbox.token, "port": port}
    for name, text in typed.items():
        form.locator(f"[name={name}]").fill(text)

    form.get_by_role("button", name="Extra Fields", exact=True).click()
    for name, (label, value, masked) in EXTRA_FIELDS.items():
        field = form.locator(f"[name={name}]")
        expect(form.locator("label", has_text=re.compile(f"^{label}"))).to_be_visible()
        expect(field).to_have_value(value)
        if masked:
            expect(field).to_have_attribute("type", "password")

    form.locator("[name=element_app_secret]").fill(sandbox.app_secret)
    form.get_by_role("button", name="Save").click()
    row = page.get_by_role("row").filter(has_text="from_the_form")
    row.get_by_role("button", name="Test Connection").click()
    expect(page.get_by_text("@sandbox_studio (BUSINESS")).to_be_in_viewport(ratio=1)
