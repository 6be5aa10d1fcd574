"""The Posts page of a whole Airflow app, served to a browser on this machine."""

from __future__ import annotations

import shutil
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import uvicorn
from playwright.sync_api import sync_playwright

from demo.stack import free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest
    from fastapi import FastAPI
    from playwright.sync_api import Browser, BrowserContext


@contextmanager
def served(app: FastAPI, settings: pytest.MonkeyPatch) -> Iterator[str]:
    """Serve an app, and yield its address, which Airflow then takes for its own."""
    port = free_port()
    address = f"http://localhost:{port}"
    settings.setenv("AIRFLOW__API__BASE_URL", address)
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        wait_until(lambda: server.started, "the page is served", 60)
        yield address
    finally:
        server.should_exit = True
        thread.join(30)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start a browser."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield running
        running.close()


def logged_in(browser: Browser, address: str, name: str, role: str = "USER", **about: Any) -> BrowserContext:
    """Return a window of a browser in which a user of Airflow is logged in."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    context = browser.new_context(**about)
    token = get_auth_manager().generate_jwt(SimpleAuthManagerUser(username=name, role=role))
    context.add_cookies([{"name": "_token", "value": token, "url": address}])
    return context
