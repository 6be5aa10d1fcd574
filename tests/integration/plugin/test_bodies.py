"""What a hostile client sends to the pages: bodies that are large or no JSON, of somebody or of nobody."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.plugin import app
from airflow_provider_instagram.plugin.users import sealed
from tests.integration.pages import HOME, OURS, browser_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI
    from fastapi.testclient import TestClient

#: All routes that read a body.
JSON = tuple(f"/instagram/calendar/api/{what}" for what in ("acts", "edits", "changes", "fill", "import"))
FORMS = ("/instagram/connect", "/instagram/refresh")
FILE = "/instagram/calendar/api/files?dag_id=x&name=x.mp4"


@pytest.fixture
def user(airflow_pages: None, airflow_app: FastAPI) -> Callable[..., TestClient]:
    return partial(browser_of, airflow_app)


def bodies_of_routes() -> set[str]:
    return {
        f"/instagram{getattr(route, 'path', '')}"
        for route in app.app.routes
        if getattr(route, "methods", set()) & {"POST", "PATCH", "PUT", "DELETE"}
    }


def test_the_routes_with_a_body_are_these() -> None:
    assert bodies_of_routes() == {*JSON, *FORMS, FILE.partition("?")[0]}


@pytest.mark.parametrize("path", [*JSON, *FORMS, FILE])
def test_nothing_is_read_of_somebody_who_is_not_logged_in(airflow_pages: None, airflow_app: FastAPI, path: str) -> None:
    """A body of 150 MB without an end, which counts what was taken of it."""
    taken = 0

    async def receive() -> dict[str, Any]:
        nonlocal taken
        taken += 1
        return {"type": "http.request", "body": b" " * 1_000_000, "more_body": taken < 150}

    assert asyncio.run(status_of(airflow_app, path, receive)) == 401
    assert taken <= 1


async def status_of(airflow_app: FastAPI, path: str, receive: Any, cookie: str = "") -> int:
    answers: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        answers.append(message)

    route, _, query = path.partition("?")
    headers = {"host": "localhost:8080", "content-type": "application/json", "origin": HOME, "cookie": cookie}
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": route, "raw_path": route.encode(), "query_string": query.encode(), "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1), "server": ("localhost", 8080), "state": {},
    }  # fmt: skip
    await airflow_app(scope, receive, send)
    return int(answers[0]["status"])


@pytest.mark.parametrize("path", [*JSON, *FORMS])
def test_a_body_that_is_too_large_is_not_read_to_its_end(user: Any, airflow_app: FastAPI, path: str) -> None:
    ada, taken = user("ada", "ADMIN"), 0

    async def receive() -> dict[str, Any]:
        nonlocal taken
        taken += 1
        return {"type": "http.request", "body": b" " * 1_000_000, "more_body": taken < 150}

    cookie = "; ".join(f"{name}={value}" for name, value in ada.cookies.items())
    assert asyncio.run(status_of(airflow_app, path, receive, cookie)) == 413
    assert 1 <= taken <= 3, "2 MB, and what shows that there is more"
    declared = {**OURS, "Content-Type": "application/json", "Content-Length": "9" * 15}
    assert ada.post(path, content=b"{}", headers=declared).status_code == 413


BAD: dict[str, str] = {
    "half a surrogate": r'{"caption": "\ud800"}',
    "the other half": r'{"dag_id": "\udfff"}',
    "half a surrogate in a name": r'{"\ud800": 1}',
    "half a surrogate in a list": r'{"fields": {"tags": ["\ud800"]}}',
    "NUL": r'{"dag_id": "a\u0000"}',
    "NaN": '{"dag_id": NaN}',
    "Infinity": '{"post_id": Infinity}',
    "-Infinity": '{"sure": -Infinity}',
    "1e999": '{"act": 1e999}',
    "-1e999": '{"form_token": -1e999}',
    "5,000 digits": f'{{"dag_id": {"1" * 5_000}}}',
    "deep": '{"fields": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "less deep": '{"fields": ' + "[" * 970 + "]" * 970 + "}",
    "a list": "[]",
    "null": "null",
    "a number": "1",
    "nothing": "",
    "half of it": '{"dag_id": ',
    "no UTF-8": "\udcff\udcfe",
}
WRONG_TYPES: tuple[object, ...] = (None, True, 1, 1.5, [], {}, [[]], {"a": {}}, "x" * 300)


@pytest.mark.parametrize("path", JSON)
@pytest.mark.parametrize("what", BAD)
def test_what_is_no_json_is_refused_and_breaks_nothing(user: Any, path: str, what: str) -> None:
    body = BAD[what].encode(errors="surrogateescape")
    answer = user("ada", "USER").post(path, content=body, headers={**OURS, "Content-Type": "application/json"})
    assert answer.status_code == 422
    assert "Nothing was changed" in answer.json()["detail"]


@pytest.mark.parametrize("path", JSON)
@pytest.mark.parametrize("wrong", WRONG_TYPES, ids=lambda wrong: str(wrong)[:9])
def test_a_value_of_a_wrong_type_is_refused_in_each_field(user: Any, path: str, wrong: object) -> None:
    right: dict[str, Any] = {"form_token": sealed("form", {"user": "ada"}), "dag_id": "nothing"}
    own: dict[str, dict[str, Any]] = {
        "acts": {
            "post_id": "a",
            "act": "skip",
            "version": "",
            "sha256": [],
            "held": False,
            "caption": "",
            "reason": "",
        },
        "edits": {"post_id": "a", "do": "change", "seen": {}, "fields": {}, "undo": "", "new_id": ""},
        "fill": {"proposal": ""},
        "changes": {"changes": [{"post_id": "a"}], "sure": False},
        "import": {"sheet": "", "columns": {}, "words": {}, "order": "", "time": "", "timezone": "", "account": ""},
    }
    right |= own[path.rpartition("/")[2]]
    ada = user("ada", "USER")
    refused = []
    for name in right:
        answer = ada.post(path, json={**right, name: wrong}, headers=OURS)
        assert answer.status_code in (403, 404, 422), (name, answer.status_code, answer.text)
        refused += [name] if answer.status_code == 422 else []
    assert {"dag_id", "post_id"} & {*refused} or isinstance(wrong, str)


def test_a_text_that_is_not_json_by_its_type_is_refused(user: Any) -> None:
    """As a form of another site could send it."""
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = user("ada", "USER").post(JSON[0], content=json.dumps({}), headers={**OURS, "Content-Type": kind})
        assert answer.status_code == 422
