"""Who may do what on the Posts page: one table of its routes and its visitors, and nothing is changed or seen."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, Final

import pytest

from airflow_provider_instagram.calendar.planning.settings import planner_id
from airflow_provider_instagram.plugin.board import importing, results
from airflow_provider_instagram.plugin.board import routes as board
from airflow_provider_instagram.plugin.users import sealed
from tests.integration.pages import HOME, OURS
from tests.integration.plugin.test_board_edits import DAG_ID, MOVING, calendar, local, moved, user

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mock import MockerFixture

__all__ = ["calendar", "user"]

PERIOD: Final = {"from": f"{date.today()}", "to": f"{date.today()}"}
SEEN: Final = {"publish_at": local(1)}
#: What everybody gets who is logged in: it says nothing of a calendar.
FOR_ALL: Final[dict[str, Any]] = {"GET ": {}, "GET static/1/main.js": {}}
#: What needs the right to read the calendar's DAG and its tasks.
READ: Final[dict[str, Any]] = {
    "GET api/posts": {},
    "GET api/post": {"post_id": "hello"},
    "GET api/video": {"post_id": "hello"},
    "GET api/results": PERIOD,
    "GET api/results.csv": {**PERIOD, "table": "posts"},
}
#: What needs the right to edit the calendar.
EDIT: Final[dict[str, Any]] = {
    "GET api/fill": {},
    "GET api/files": {},
    "GET api/file": {"name": "a.mp4"},
    "GET api/drafts/time": {"post_id": "hello", "day": f"{date.today()}"},
    "POST api/edits": {"do": "change", "post_id": "hello", "seen": SEEN, "fields": {"publish_at": local(4)}},
    "POST api/changes": {"changes": [moved("hello", 1, 4)]},
    "POST api/fill": {"proposal": "0" * 64},
    "POST api/import": {"sheet": ""},
    "POST api/files": {"name": "x.mp4"},
}
ACT: Final[dict[str, Any]] = {"POST api/acts": {"post_id": "hello", "act": "skip"}}
WRITE: Final = {route for route in (*EDIT, *ACT) if route.startswith("POST")}
ALL: Final = {**FOR_ALL, **READ, **EDIT, **ACT}
EVIL: Final = {"Origin": "https://evil.example.com"}
#: Visitors: the name and the role in Airflow, what is off about them, and the routes that refuse them.
VISITORS: Final[dict[str, tuple[str, str | None, dict[str, Any], set[str]]]] = {
    "a stranger": ("nobody", None, {}, {*ALL}),
    "a viewer": ("vic", "VIEWER", {}, {*EDIT, *ACT}),
    "who may not read the DAG": ("ada", "ADMIN", {"forbids": lambda asked: True}, {*READ, *EDIT, *ACT}),
    "who may not read its tasks": (
        "ada",
        "ADMIN",
        {"forbids": lambda asked: asked["access_entity"] is not None},
        {*READ, *EDIT, *ACT},
    ),
    "who may not edit the planner": (
        "ada",
        "ADMIN",
        {"forbids": lambda asked: asked["details"].id == planner_id(DAG_ID)},
        {*EDIT},
    ),
    "an administrator where edits are off": ("root", "ADMIN", {"edits": "False"}, {*EDIT}),
    "another site": ("ada", "ADMIN", {"headers": EVIL}, WRITE),
    "another site, as its browser says": (
        "ada",
        "ADMIN",
        {"headers": {"Origin": HOME, "Sec-Fetch-Site": "cross-site"}},
        WRITE,
    ),
    "a browser that says nothing of the site": ("ada", "ADMIN", {"headers": {}}, WRITE),
    "a form without its secret": ("ada", "ADMIN", {"token": ""}, WRITE),
    "a forged form": ("ada", "ADMIN", {"token": "forged"}, WRITE),
    "a form of another user": ("ada", "ADMIN", {"token": sealed("form", {"user": "bob"})}, WRITE),
}


def test_the_table_has_each_route_of_the_page() -> None:
    listed: list[Any] = [*board.router.routes, *importing.router.routes, *results.router.routes]
    routes = {f"{method} {one.path}" for one in listed for method in one.methods}
    named = {route.replace(" ", " /calendar/").replace("1/main.js", "{version}/{name}.{kind}") for route in ALL}
    assert named == routes


def ask(browser: Any, name: str, route: str, off: dict[str, Any]) -> Any:
    method, _, path = route.partition(" ")
    token = off.get("token", sealed("form", {"user": name}))
    about = {"dag_id": DAG_ID, **ALL[route]}
    headers = off.get("headers", OURS)
    address = f"/instagram/calendar/{path}"
    if method == "GET":
        return browser.get(address, params=about)
    if route == "POST api/files":
        headers = {**headers, "X-Form-Token": token}
        return browser.post(address, params=about, content=MOVING, headers=headers)
    return browser.post(address, json={**about, "form_token": token}, headers=headers)


@pytest.mark.parametrize("visitor", VISITORS)
def test_a_route_answers_only_who_may_use_it(
    user: Any, calendar: Path, visitor: str, mocker: MockerFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.api_fastapi.app import get_auth_manager

    name, role, off, refused = VISITORS[visitor]
    browser, before = user(name, role), sorted(calendar.parent.iterdir())
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_EDITING", off.get("edits", "True"))
    if forbids := off.get("forbids"):
        mocker.patch.object(get_auth_manager(), "is_authorized_dag", lambda **asked: not forbids(asked))
    text = calendar.read_text()
    answers = {route: ask(browser, name, route, off) for route in refused}
    assert {route: one.status_code for route, one in answers.items()} == dict.fromkeys(
        refused, 401 if role is None else 403
    )
    assert [route for route, one in answers.items() if "Hello" in one.text] == []
    assert (calendar.read_text(), sorted(calendar.parent.iterdir())) == (text, before)
    allowed = {route: ask(browser, name, route, off).status_code for route in ALL.keys() - refused - WRITE}
    assert {route for route, status in allowed.items() if status in (401, 403)} == set()
