"""What a recording keeps, and what becomes a stand-in."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import httpx
import pytest

from instagram_sandbox.http.endpoints import ENDPOINTS
from instagram_sandbox.recorder.redaction import Redactor
from instagram_sandbox.recorder.words import WORDS
from instagram_sandbox.simulator.parameters import GLOBAL, OF_FACEBOOK, PLACES
from instagram_sandbox.simulator.scopes import SCOPES
from sandbox.tests.integration.recorder.conftest import TOKEN, USER, Odd, lines, recording

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def echo(path: str, headers: dict[str, str], body: str) -> dict[str, Any]:
    """Answer an error that repeats everything, as careless servers do."""
    return {"error": {"message": f"Cannot use {path} {headers} {body}", "code": 190, "type": "OAuthException"}}


SECRET = "A-secret/of+the app"


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


SENT: dict[str, Callable[[httpx.Client, str], httpx.Response]] = {
    "header": lambda http, secret: http.get("/v27.0/me", headers={"Authorization": f"Bearer {secret}"}),
    "upload": lambda http, secret: http.post(
        "/ig-api-upload/v27.0/1", content=b"x" * 100, headers={"Authorization": f"OAuth {secret}", "offset": "0"}
    ),
    "query": lambda http, secret: http.get("/v27.0/me", params={"access_token": secret}),
    "form": lambda http, secret: http.post("/v27.0/me/media", data={"access_token": secret, "caption": "x"}),
    "JSON": lambda http, secret: http.post("/v27.0/me/media", json={"access_token": secret}),
    "multipart": lambda http, secret: http.post("/oauth/access_token", files={"client_secret": (None, secret)}),
    "code": lambda http, secret: http.post("/oauth/access_token", data={"code": secret}),
    "app secret": lambda http, secret: http.get("/access_token", params={"client_secret": secret}),
    "app token": lambda http, secret: http.get(
        "/debug_token", params={"input_token": secret, "access_token": f"990000000000001|{secret}"}
    ),
    "batch": lambda http, secret: http.post(
        "/", data={"batch": json.dumps([{"method": "GET", "relative_url": "me", "access_token": secret}])}
    ),
    "form in a batch": lambda http, secret: http.post(
        "/", data={"batch": json.dumps([{"method": "POST", "body": urlencode({"client_secret": secret})}])}
    ),
    "link": lambda http, secret: http.post(
        "/v27.0/me/media", data={"video_url": f"https://example.com/a.mp4?signature={secret}", "access_token": secret}
    ),
    "caption": lambda http, secret: http.post(
        "/v27.0/me/media", data={"caption": f"my token is {secret}"}, headers={"Authorization": f"Bearer {secret}"}
    ),
    "caption before the token": lambda http, secret: http.post(
        "/v27.0/me/media", json={"caption": f"my token is {secret}", "page_token": secret}
    ),
    "JSON without its type": lambda http, secret: http.post(
        "/v27.0/me/media", content=json.dumps({"client_secret": secret}), headers=FORM
    ),
    "name of a parameter": lambda http, secret: http.post(
        "/v27.0/me/media", content=f"caption=Tom & {secret}", headers=FORM
    ),
    "text": lambda http, secret: http.post("/v27.0/me/media", content=secret, headers={"Content-Type": "text/plain"}),
    "broken JSON": lambda http, secret: http.post(
        "/v27.0/me/media", content=f'{{"client_secret": "{secret}', headers={"Content-Type": "application/json"}
    ),
    "GET with a body": lambda http, secret: http.request("GET", "/v27.0/me", content=secret),
    "cookie": lambda http, secret: http.get("/v27.0/me", headers={"Cookie": f"a={secret}"}),
    "scheme": lambda http, secret: http.get("/v27.0/me", headers={"Authorization": f"{secret} x"}),
    "headers in a batch": lambda http, secret: http.post(
        "/", data={"batch": json.dumps([{"headers": [{"name": "Set-Cookie", "value": secret}]}])}
    ),
}


@pytest.mark.parametrize("keep", [(), ("--keep-texts",)], ids=["without texts", "with texts"])
def test_no_secret_is_in_a_journal_wherever_it_was_sent_and_repeated(
    odd: Odd, tmp_path: Path, keep: tuple[str, ...]
) -> None:
    journal = tmp_path / "journal.jsonl"
    ways = dict.fromkeys(("/v27.0/me", "/ig-api-upload/v27.0/1", "/v27.0/me/media", "/oauth/access_token"), (400, echo))
    odd.answers = ways | dict.fromkeys(("/access_token", "/debug_token", "/"), (400, echo))
    with recording(journal, odd.url, options=keep) as address, httpx.Client(base_url=address) as http:
        for secret in (TOKEN, SECRET):
            for send in SENT.values():
                assert "Cannot use" in send(http, secret).text
    assert len(lines(journal)) == 2 * len(SENT) == len(odd.heard)
    text = journal.read_text()
    for form in ("A-secret", "of+the", "of%2Bthe", "the%20app", TOKEN[4:]):
        assert form not in text, form


def test_tokens_in_an_answer_reach_the_client_and_not_the_journal(odd: Odd, tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    odd.answers["/v27.0/me/accounts"] = (200, {"data": [{"id": "1", "access_token": "a page's", "name": "My café"}]})
    odd.answers["/v27.0/1"] = (400, {"error": {"message": "a page's does not fit My café", "code": 190}})
    with recording(journal, odd.url) as address:
        assert httpx.get(f"{address}/v27.0/me/accounts").json()["data"][0]["access_token"] == "a page's"
        httpx.get(f"{address}/v27.0/1")
    assert "a page's" not in journal.read_text()
    assert "My caf" not in journal.read_text()
    assert lines(journal)[1]["answer"]["error"]["code"] == 190


def test_what_is_no_word_of_the_api_has_a_stand_in(odd: Odd, tmp_path: Path) -> None:
    """It is hidden under any name; also in the path of a call and in what an error says."""
    redactor = Redactor()
    sent = {"Anna": 1, "status": "Anna is ill", "type": "my text", "since": "Anna is ill", "text": "030 1234567"}
    sent |= {"id": "1234", "user_id": 491701234567, "message": 491701234567, "fields": "id,username(anna).limit(5){x}"}
    found = json.dumps(redactor.value(sent) | {"path": redactor.path("//v27.0/anna.schmidt/media/")})
    assert not [word for word in ("nna", "ill", "1234", "text,", "030", "4917") if word in found]
    assert json.loads(found)["path"] == f"/v27.0/{redactor.path('anna.schmidt')[1:]}/media"
    assert re.fullmatch(r"id,username\(name_\d\)\.limit\(5\)\{x\}", json.loads(found)["fields"])
    assert redactor.value({"state": "FINISHED", "status_code": "FINISHED"}) == {
        "state": "***", "status_code": "FINISHED"
    }  # fmt: skip
    kept = Redactor(keep_texts=True).value({"error": {"message": "Anna", "code": 1}, "text": "Hi", "name": "Anna"})
    assert kept == {"error": {"message": "text_1", "code": 1}, "text": "Hi", "name": "text_1"}
    assert Redactor(keep_texts=True).value({"text": "a%3Faccess_token%3D" + TOKEN}) == {
        "text": "a%3Faccess_token%3D***"
    }


def test_every_word_that_the_sandbox_serves_stays_in_a_recording() -> None:
    edges = {part for one in ENDPOINTS for part in one.edge.split("/")} - {"", "*"}
    scopes = {name for names in SCOPES.values() for name in names}
    assert {*PLACES, *OF_FACEBOOK, *GLOBAL, *edges, *scopes} - WORDS == set()


def test_a_long_caption_is_read_in_a_moment() -> None:
    began = time.process_time()
    Redactor(keep_texts=True).value({"caption": "1" * 100_000 + "IG" * 100_000})
    assert time.process_time() - began < 5


def test_the_same_id_and_text_have_the_same_stand_in() -> None:
    redactor = Redactor()
    sent = redactor.value({"creation_id": USER, "caption": "Kites", "children": f'["{USER}"]', "limit": "5"})
    answer = redactor.value({"id": USER, "user_id": int(USER), "caption": "Kites", "like_count": 7, "hidden": False})
    assert (sent["creation_id"], json.loads(sent["children"])) == (answer["id"], [answer["id"]])
    assert answer == {
        "id": "90000000000000001", "user_id": 90000000000000001, "caption": "text_1", "like_count": 7, "hidden": False
    }  # fmt: skip
    assert (sent["caption"], sent["limit"]) == ("text_1", "5")
    kept = Redactor(keep_texts=True).value({"caption": f"Kites of {USER}", "timestamp": "2026-11-28T10:00:00+0000"})
    assert kept == {"caption": "Kites of 90000000000000001", "timestamp": "2026-11-28T10:00:00+0000"}
