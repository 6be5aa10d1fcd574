"""The pages below /instagram as a browser asks for them, on Airflow's own users and database."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    from instagram_sandbox.testing.handle import SandboxHandle

HOME = "http://localhost:8080"
CONN_ID = "brand"
OURS = {"Origin": HOME, "Sec-Fetch-Site": "same-origin"}


def browser_of(app: FastAPI, name: str, role: str | None) -> TestClient:
    """Return a browser in which a user is logged in to a whole Airflow. Without a role, nobody is."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from fastapi.testclient import TestClient

    client = TestClient(app, base_url=HOME, follow_redirects=False)
    if role is not None:
        token = get_auth_manager().generate_jwt(SimpleAuthManagerUser(username=name, role=role))
        client.cookies.set("_token", token)
    return client


def form_token(browser: TestClient, path: str = "connect") -> str:
    found = re.search(r'name="form_token" value="([^"]+)"', browser.get(f"/instagram/{path}").text)
    assert found is not None
    return found[1]


def begin(browser: TestClient, sandbox: SandboxHandle, **changes: str) -> Any:
    """Send the form of the page *Connect*."""
    form = {"conn_id": CONN_ID, "app_id": sandbox.app_id, "app_secret": sandbox.app_secret, "host": sandbox.url}
    form |= {"form_token": form_token(browser)} | changes
    return browser.post("/instagram/connect", data=form, headers=OURS)


def decide(address: str, sandbox: SandboxHandle, decision: str = "allow", **boxes: str) -> str:
    """Press a button on Instagram's page; gives the address that the person is sent back to."""
    form = {**httpx.URL(address).params, "decision": decision, "account": sandbox.user_id, **boxes}
    answer = httpx.post(f"{sandbox.url}/oauth/authorize", data=form, trust_env=False)
    return answer.headers["location"].removesuffix("#_")


def rows() -> dict[str, Any]:
    from airflow.models import Connection
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        return {row.conn_id: (row.login, row.password, row.extra) for row in session.scalars(select(Connection))}
