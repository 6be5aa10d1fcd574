"""A recording of Instagram: what passes, what is written down, and how it is compared with the sandbox."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args
from urllib.parse import urlencode, urlsplit

import httpx
import pytest
from starlette.requests import Request

from instagram_sandbox.__main__ import command, main
from instagram_sandbox.http.endpoints import ENDPOINTS
from instagram_sandbox.recorder.journal import Recorded, Writer, read
from instagram_sandbox.recorder.proxy import FACEBOOK, INSTAGRAM, UPLOADS, Proxy
from instagram_sandbox.recorder.redaction import Redactor
from instagram_sandbox.recorder.words import WORDS
from instagram_sandbox.simulator.parameters import GLOBAL, OF_FACEBOOK, PLACES
from instagram_sandbox.simulator.state import FacebookScope, InstagramScope
from instagram_sandbox.testing.handle import SandboxHandle
from sandbox.tests.integration.conftest import Caller

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.tests.integration.conftest import WebServer

COMMAND = [sys.executable, "-m", "instagram_sandbox"]
TOKEN = "IGAAsecretOfARealAccount0123456789"
USER = "17841405822304914"


@contextmanager
def recording(journal: Path, *to: str, options: tuple[str, ...] = ()) -> Iterator[str]:
    """Record in a process of its own, and yield where it listens."""
    hosts = [part for host in to for part in ("--to", host)]
    process = subprocess.Popen(
        [*COMMAND, "record", str(journal), "--port", "0", *hosts, *options], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert " on http://127.0.0.1:" in line, line
        yield line.partition(" on ")[2].partition(". ")[0]
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


def lines(journal: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in journal.read_text().splitlines()]


Compare = Callable[..., tuple[int, list[str], str]]


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Compare:
    """Compare a recording with the sandbox; return the exit code, the rows of the table, and what is said of it."""

    def compare(journal: Path, took_s: float = 0) -> tuple[int, list[str], str]:
        """Return it as if each answer had taken this long, whatever else this machine does."""
        journal.write_text("".join(json.dumps(call | {"took_s": took_s}) + "\n" for call in lines(journal)))
        monkeypatch.setattr("sys.argv", ["instagram-sandbox", "compare", str(journal)])
        code = main()
        said = capsys.readouterr()
        return code, said.out.splitlines()[2:], said.err

    return compare


class Odd:
    """A server in Meta's place, which answers as its paths say and keeps what it was sent."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Any]] = {}
        self.heard: list[tuple[str, str, dict[str, str], int]] = []
        self.url = ""


@contextmanager
def odd_server() -> Iterator[Odd]:
    odd = Odd()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            left = length = int(self.headers.get("Content-Length", 0))
            body = b""
            while left:
                block = self.rfile.read(min(left, 65_536))
                left -= len(block)
                body = body + block if length < 100_000 else b""
            headers = {name.lower(): value for name, value in self.headers.items()}
            odd.heard.append((self.command, self.path, headers, length))
            status, said = odd.answers.get(urlsplit(self.path).path, (200, {"id": USER}))
            if callable(said):
                said = said(self.path, headers, body.decode("utf-8", "replace"))
            content = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=UTF-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    odd.url = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    try:
        yield odd
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


@pytest.fixture
def odd() -> Iterator[Odd]:
    with odd_server() as server:
        yield server


def through(address: str, documented: SandboxHandle) -> Caller:
    return Caller(SandboxHandle(address, documented.token, documented.user_id))


def test_a_recording_of_the_sandbox_itself_differs_in_nothing(
    documented: SandboxHandle, picture: WebServer, clip: Path, tmp_path: Path, compared: Compare
) -> None:
    """A reel by upload, a picture, a comment, numbers, pages of the list, and calls that are refused."""
    journal = tmp_path / "journal.jsonl"
    with recording(journal, documented.url) as address:
        caller = through(address, documented)
        created = caller.create(upload_type="resumable", caption="A kite in spring").json()
        assert created["uri"].startswith(f"{address}/_to/127.0.0.1:")
        headers = {"Authorization": f"OAuth {caller.token}", "offset": "0", "file_size": str(clip.stat().st_size)}
        assert caller.http.post(created["uri"], content=clip.read_bytes(), headers=headers).json()["success"] is True
        documented.settle()
        assert caller.status(created["id"])["status_code"] == "FINISHED"
        reel = caller.publish(created["id"]).json()["id"]
        image = caller.create(media_type="IMAGE", image_url=picture.url).json()["id"]
        assert caller.publish(image).status_code == 200
        caller.http.post(f"/v27.0/{reel}/comments", data={"message": "First!"})
        rows = [caller.get("me/media", fields="id,caption,timestamp", limit=1).json()]
        rows.append(caller.http.get(rows[0]["paging"]["next"]).json())
        assert [row["data"][0].get("caption") for row in rows] == [None, "A kite in spring"]
        caller.get(f"{reel}", fields="permalink,media_type,like_count,comments_count,username,media_url")
        caller.get(f"{reel}/comments", fields="text,username")
        caller.get("me", fields="user_id,username,account_type")
        assert caller.create(media_type="VIDEO", video_url="https://example.com/a.mp4").status_code == 400
        assert caller.get("me", fields="shoe_size").status_code == 400
    assert len(documented.posts) == 2
    assert stat.S_IMODE(journal.stat().st_mode) == 0o600
    text = journal.read_text()
    for private in (
        caller.token,
        caller.user_id,
        reel,
        created["id"],
        "A kite",
        "First!",
        documented.posts[0].permalink,
    ):
        assert private not in text
    assert lines(journal)[1]["sent_bytes"] == clip.stat().st_size
    code, rows_of_table, said = compared(journal)
    assert (code, rows_of_table) == (0, []), said
    assert f"{len(lines(journal))} of {len(lines(journal))} calls were played" in said


def test_each_difference_of_another_server_is_found_and_nothing_else(
    odd: Odd, tmp_path: Path, compared: Compare
) -> None:
    """It answers in another shape, another code and another order than the sandbox; the rest is the same."""
    ids = {name: str(17900000000000000 + place) for place, name in enumerate(("one", "two", "post one", "post two"))}
    wrong = {"message": "No", "type": "IGApiException", "code": 10, "error_subcode": 2207089, "is_transient": False}
    wrong |= {"error_user_title": "No", "error_user_msg": "No", "fbtrace_id": "A1"}

    def media_list(*_: Any) -> dict[str, Any]:
        rows = [{"id": ids["post one"]}, {"id": ids["post two"]}]  # the older one first
        return {"data": rows, "paging": {"cursors": {"before": "a", "after": "b"}}}

    made = iter([ids["one"], ids["two"]])
    posted = iter([ids["post one"], ids["post two"]])
    odd.answers = {
        "/v27.0/me": (200, {"id": "24000000000000001", "username": 7, "shoe_size": 44}),
        f"/v27.0/{USER}/media": (200, lambda path, *_: media_list() if "limit" in path else {"id": next(made)}),
        f"/v27.0/{USER}/media_publish": (200, lambda *_: {"id": next(posted)}),
        f"/v27.0/{ids['one']}": (200, {"id": ids["one"], "status_code": "IN_PROGRESS"}),
        "/v27.0/17899999999999999": (200, {"id": "17899999999999999"}),
        f"/v27.0/{USER}/content_publishing_limit": (403, {"error": wrong}),
    }
    journal = tmp_path / "journal.jsonl"
    with recording(journal, odd.url) as address, httpx.Client(base_url=f"{address}/v27.0", timeout=30) as http:
        http.headers["Authorization"] = f"Bearer {TOKEN}"
        http.get("/me", params={"fields": "username"})
        for name in ("one", "two"):
            made_id = http.post(f"/{USER}/media", data={"image_url": "https://example.com/a.jpg"}).json()["id"]
            assert made_id == ids[name]
            http.get(f"/{ids['one']}", params={"fields": "status_code"})
            http.post(f"/{USER}/media_publish", data={"creation_id": made_id})
        http.get(f"/{USER}/media", params={"limit": 5})
        http.get("/17899999999999999")
        http.get(f"/{USER}/content_publishing_limit")
        odd.answers["/v27.0/me"] = (400, {"error": {k: v for k, v in wrong.items() if not k.startswith("error_user")}})
        http.get("/me", params={"fields": "shoe_size"})
    code, rows, said = compared(journal)
    status = "`GET /v27.0/{id}?fields=status_code`"
    assert (code, rows) == (
        1,
        [
            "| `GET /v27.0/me?fields=username` | `name_1` | number | missing |",
            "| `GET /v27.0/me?fields=username` | type of `username` | number | text |",
            f'| {status} | value of `status_code` | "IN_PROGRESS" | "FINISHED" |',
            f'| {status} | value of `status_code` | "IN_PROGRESS" | "PUBLISHED" |',
            "| `GET /v27.0/{id}/media` | order of `data` | 1, 2 | 2, 1 |",
            "| `GET /v27.0/{id}/content_publishing_limit` | HTTP status | 403 (error 10/2207089) | 200 |",
            "| `GET /v27.0/me?fields=name_1` | value of `error.code` | 10 | 100 |",
            "| `GET /v27.0/me?fields=name_1` | `error.error_subcode` | number | missing |",
        ],
    ), said
    assert "it names an object from before the recording" in said


def test_an_answer_that_was_slow_differs_in_time(odd: Odd, tmp_path: Path, compared: Compare) -> None:
    journal = tmp_path / "journal.jsonl"
    odd.answers["/v27.0/me"] = (200, {"id": "24000000000000001"})
    with recording(journal, odd.url) as address:
        httpx.get(f"{address}/v27.0/me", headers={"Authorization": f"Bearer {TOKEN}"})
    code, [row], _ = compared(journal, took_s=120.0)
    assert (code, row.rpartition(" | ")[0]) == (1, "| `GET /v27.0/me` | time of the answer | 120.0 s")


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
    scopes = {*get_args(FacebookScope), *get_args(InstagramScope)}
    assert {*PLACES, *OF_FACEBOOK, *GLOBAL, *edges, *scopes} - WORDS == set()


def test_a_long_caption_is_read_in_a_moment() -> None:
    began = time.process_time()
    Redactor(keep_texts=True).value({"caption": "1" * 100_000 + "IG" * 100_000})
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}],
    ids=["another origin", "no origin", "another site"],
)
def test_a_page_of_another_site_cannot_call(odd: Odd, tmp_path: Path, headers: dict[str, str]) -> None:
    with recording(tmp_path / "journal.jsonl", odd.url) as address:
        refused = httpx.post(f"{address}/v27.0/me/media", headers=headers)
        assert (refused.status_code, "another site" in refused.text) == (403, True)
        assert httpx.get(f"{address}/v27.0/me", headers={"Origin": "http://localhost:1"}).status_code == 200
        assert httpx.request("TRACE", f"{address}/v27.0/me").status_code == 403
    assert len(odd.heard) == 1


def test_meta_s_answer_reaches_the_client_even_if_it_cannot_be_written_down(
    odd: Odd, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deep: list[Any] = []
    for _ in range(600):
        deep = [deep]
    odd.answers["/deep"] = (200, {"data": deep})
    odd.answers["/surrogate"] = (200, {"caption": "\ud83d"})
    journal = tmp_path / "journal.jsonl"

    async def ask(writer: Writer, *paths: str) -> list[httpx.Response]:
        proxy = Proxy((odd.url,), Redactor(keep_texts=True), writer)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(proxy), base_url="http://localhost") as http:
            return [await http.get(path) for path in paths]

    class Full(Writer):
        def write(self, call: Recorded) -> None:
            raise OSError(28, "No space left on device")

    answers = asyncio.run(ask(Writer(journal), "/deep", "/surrogate", "/v27.0/me"))
    answers += asyncio.run(ask(Full(tmp_path / "full.jsonl"), "/v27.0/me"))
    assert [answer.status_code for answer in answers] == [200] * 4
    assert (answers[0].json()["data"] == deep, answers[3].json()) == (True, {"id": USER})
    assert [call["note"] for call in lines(journal)] == ["the call could not be written down", "", ""]
    assert [(call.status, call.answer is None) for call in read(journal)] == [(200, True), (200, False), (200, False)]
    said = capsys.readouterr().err
    assert "Call 1 could not be written down (RecursionError)" in said
    assert "Call 1 could not be written down (OSError)" in said


@pytest.mark.parametrize(
    ("link", "leads_to"),
    [
        ("//evil.example/a?x=1", "evil.example/a?x=1"),
        ("https://evil.example/ä", "evil.example/%C3%A4"),
        ("https://a:b@evil.example/", "a:b@evil.example/"),
        ("https://graph.instagram.com\\@evil.example/", "graph.instagram.com%5C@evil.example/"),
        (" https://evil.example/", "invalid/"),
        ("/\\evil.example/", "invalid/"),
        ("https://[evil/", "invalid/"),
        ("ftp://evil.example/", "invalid/"),
    ],
)
def test_no_link_leads_past_the_recorder(odd: Odd, tmp_path: Path, link: str, leads_to: str) -> None:
    odd.answers["/v27.0/me/media"] = (200, {"paging": {"next": link}})
    with recording(tmp_path / "journal.jsonl", odd.url) as address:
        followed = httpx.get(f"{address}/v27.0/me/media").json()["paging"]["next"]
        assert followed == f"{address}/_to/{leads_to}"
        assert httpx.get(followed).status_code == 403
    assert len(odd.heard) == 1


def test_what_is_said_of_a_refused_host_has_no_password_and_no_control_characters(odd: Odd, tmp_path: Path) -> None:
    with recording(tmp_path / "journal.jsonl", odd.url) as address:
        said = [
            httpx.get(f"{address}/_to/{host}/x").json()["detail"] for host in ("%1b[31mEVIL", "a:passw0rd@evil.example")
        ]
    assert (said[0].isprintable(), "31m" in said[0]) == (True, False)
    assert (said[1].startswith("evil.example is not"), "passw0rd" in said[1]) == (True, False)


def test_only_hosts_that_were_named_are_called(odd: Odd, tmp_path: Path) -> None:
    """A link of an answer to another host leads to the proxy, which refuses it: the token goes nowhere else."""
    elsewhere = "https://evil.example/v27.0/me/media?after=1"
    odd.answers["/v27.0/me/media"] = (200, {"data": [], "paging": {"next": elsewhere}, "uri": elsewhere})
    with recording(tmp_path / "journal.jsonl", odd.url) as address:
        answer = httpx.get(f"{address}/v27.0/me/media").json()
        assert answer["paging"]["next"] == answer["uri"] == f"{address}/_to/evil.example/v27.0/me/media?after=1"
        refused = httpx.get(answer["uri"], headers={"Authorization": f"Bearer {TOKEN}"})
        assert (refused.status_code, "--to evil.example" in refused.text) == (403, True)
        renamed = httpx.get(f"{address}/v27.0/me", headers={"Host": "evil.example"})
        assert (renamed.status_code, "not this machine" in renamed.text) == (403, True)
    assert len(odd.heard) == 1


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--to", "http://graph.instagram.com"], "is http"),
        (["--to", "graph.instagram.com/v27.0"], "is not a host"),
        (["--host", "192.0.2.1"], "unrecognized arguments"),
        (["--to", "rupload.facebook.com"], "the upload host alone"),
        ([], "Cannot create"),
    ],
    ids=["http", "a path", "another address", "uploads alone", "a file that exists"],
)
def test_what_could_give_a_token_away_is_refused(
    tmp_path: Path,
    options: list[str],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "journal.jsonl").write_text("mine")
    command = ["instagram-sandbox", "record", str(tmp_path / "journal.jsonl"), "--port", "0", *options]
    monkeypatch.setattr("sys.argv", command)
    with pytest.raises(SystemExit) as ended:
        sys.exit(main())
    assert (ended.value.code, says in capsys.readouterr().err) == (2, True)
    assert (tmp_path / "journal.jsonl").read_text() == "mine"


def test_an_upload_passes_through_in_blocks_and_its_size_is_recorded(odd: Odd, tmp_path: Path) -> None:
    """More than the recorder holds of any other request."""
    size, journal = 30_000_000, tmp_path / "journal.jsonl"

    def blocks() -> Iterator[bytes]:
        for _ in range(size // 100_000):
            yield b"x" * 100_000

    headers = {"Authorization": f"OAuth {TOKEN}", "Content-Length": str(size), "offset": "0", "file_size": str(size)}
    with recording(journal, odd.url) as address:
        answer = httpx.post(f"{address}/ig-api-upload/v27.0/1", content=blocks(), headers=headers, timeout=60)
        too_large = httpx.post(f"{address}/v27.0/me/media", content=b"x" * 4_000_001)
    assert (answer.status_code, too_large.status_code) == (200, 403)
    [(_, _, heard, length)] = odd.heard
    assert (length, "transfer-encoding" in heard, heard["authorization"]) == (size, False, f"OAuth {TOKEN}")
    [call] = lines(journal)
    assert (call["sent_bytes"], call["headers"]["file_size"]) == (size, str(size))


def test_a_server_that_does_not_answer_looks_to_the_client_as_it_does_without_the_recorder(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    with recording(journal, "http://127.0.0.1:9") as address, pytest.raises(httpx.RemoteProtocolError):
        httpx.post(f"{address}/v27.0/me/media_publish", data={"creation_id": "1"})
    [call] = lines(journal)
    assert (call["status"], call["note"]) == (None, "no answer: ConnectError")


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


def test_a_video_is_in_progress_for_as_long_as_in_the_recording(tmp_path: Path, compared: Compare) -> None:
    """How long Instagram takes is a switch of the sandbox, and no difference."""
    container = "90000000000000002"
    facts = [
        (0.0, "POST", "/v27.0/90000000000000001/media", {"upload_type": "resumable", "media_type": "REELS"},
         {"id": container, "uri": "https://rupload.facebook.com/x"}),
        (1.0, "POST", f"/ig-api-upload/v27.0/{container}", {}, {"success": True, "message": "text_1"}),
        (60.0, "GET", f"/v27.0/{container}", {"fields": "status_code"},
         {"status_code": "IN_PROGRESS", "id": container}),
        (90.0, "GET", f"/v27.0/{container}", {"fields": "status_code"}, {"status_code": "FINISHED", "id": container}),
        (91.0, "POST", "/v27.0/90000000000000001/media_publish", {"creation_id": container},
         {"id": "90000000000000003"}),
    ]  # fmt: skip
    journal = tmp_path / "journal.jsonl"
    journal.write_text(
        "".join(
            json.dumps(
                {"number": number, "at_s": at_s, "host": "graph.instagram.com", "method": method, "path": path}
                | {"authorization": "OAuth" if "upload" in path else "Bearer", "sent": sent, "status": 200}
                | {"answer": answer, "headers": {"offset": "0", "file_size": "9"} if "upload" in path else {}}
            )
            + "\n"
            for number, (at_s, method, path, sent, answer) in enumerate(facts, 1)
        )
    )
    assert compared(journal)[:2] == (0, [])


@pytest.mark.parametrize(
    ("path", "token", "goes_to"),
    [
        ("/v27.0/me", "IGAA1", INSTAGRAM),
        ("/v27.0/me", "", INSTAGRAM),
        ("/v27.0/me", "EAA1", FACEBOOK),
        ("/ig-api-upload/v27.0/1", "EAA1", UPLOADS),
        ("/_to/graph.facebook.com/v27.0/me", "IGAA1", FACEBOOK),
    ],
)
def test_of_several_hosts_the_token_or_the_link_says_which(tmp_path: Path, path: str, token: str, goes_to: str) -> None:
    """The token in the header or, if that has none, among the parameters, also of a form."""
    proxy = Proxy((INSTAGRAM, FACEBOOK, UPLOADS), Redactor(), Writer(tmp_path / "journal.jsonl"))
    for headers, parameter in ([(b"authorization", f"Bearer {token}".encode())], "EAA2"), ([], token):
        request = Request({"type": "http", "method": "GET", "path": path, "headers": headers, "query_string": b""})
        if token or not headers:
            assert proxy.target(request, parameter) == (goes_to, path.removeprefix("/_to/graph.facebook.com"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"path": "http://127.0.0.1:9/latest/meta-data"},
        {"path": "//127.0.0.1:9/"},
        {"path": "/_sandbox/reset"},
        {"path": "/v27.0/../_sandbox/reset"},
        {"path": "/v27.0/%2e%2e/_sandbox/reset"},
        {"method": "TRACE"},
        {"authorization": "OAuth x"},
        {"at_s": 1e300},
        {"at_s": -1.0},
        {"status": 10**30},
        {"number": "1"},
    ],
    ids=str,
)
def test_a_file_that_is_no_recording_is_named(tmp_path: Path, compared: Compare, wrong: dict[str, Any]) -> None:
    """A recording may come from somebody else. It cannot lead ``compare`` to another host or to the control routes."""
    call = {"number": 1, "at_s": 0.0, "host": "graph.instagram.com", "method": "GET", "path": "/v27.0/me"}
    (tmp_path / "journal.jsonl").write_text(json.dumps(call | wrong) + "\n")
    code, rows, said = compared(tmp_path / "journal.jsonl")
    assert (code, rows, "Cannot read the recording" in said) == (2, [], True)


def test_a_link_in_a_recording_is_not_fetched_and_its_control_characters_are_not_printed(
    odd: Odd, tmp_path: Path, compared: Compare
) -> None:
    call = {"number": 1, "at_s": 0.0, "host": "graph.instagram.com", "method": "POST", "status": 400, "answer": {}}
    call |= {"path": "/v27.0/90000000000000001/media", "authorization": "Bearer", "sent": {"video_url": odd.url}}
    call["answer"] = {"\x1b[31m": 1}
    (tmp_path / "journal.jsonl").write_text(json.dumps(call) + "\n")
    code, rows, _ = compared(tmp_path / "journal.jsonl")
    assert (code, "\x1b" in "".join(rows), "?[31m" in "".join(rows)) == (1, False, True)
    assert odd.heard == []


def test_the_commands_of_the_page_exist() -> None:
    page = (Path(__file__).parents[3] / "docs/testing/record.md").read_text()
    commands = re.findall(r"^ *\$ instagram-sandbox (.+)$", page, re.MULTILINE)
    assert [command().parse_args(words.split()).run.__name__ for words in commands] == ["_record", "_compare"]
    assert command().parse_args(["record", "a", *re.findall(r"`(--to [^`]+)`", page)[0].split()]).to == [
        FACEBOOK,
        UPLOADS,
    ]
