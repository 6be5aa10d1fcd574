"""A recording of Instagram: what passes, what is written down, and how it is compared with the sandbox."""

from __future__ import annotations

import json
import re
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import httpx
import pytest
from starlette.requests import Request

from instagram_sandbox.__main__ import command, main
from instagram_sandbox.recorder.journal import Writer
from instagram_sandbox.recorder.proxy import FACEBOOK, INSTAGRAM, UPLOADS, Proxy
from instagram_sandbox.recorder.redaction import Redactor
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
            "| `GET /v27.0/me?fields=username` | `shoe_size` | number | missing |",
            "| `GET /v27.0/me?fields=username` | type of `username` | number | text |",
            f'| {status} | value of `status_code` | "IN_PROGRESS" | "FINISHED" |',
            f'| {status} | value of `status_code` | "IN_PROGRESS" | "PUBLISHED" |',
            "| `GET /v27.0/{id}/media` | order of `data` | 1, 2 | 2, 1 |",
            "| `GET /v27.0/{id}/content_publishing_limit` | HTTP status | 403 (error 10/2207089) | 200 |",
            "| `GET /v27.0/me?fields=shoe_size` | value of `error.code` | 10 | 100 |",
            "| `GET /v27.0/me?fields=shoe_size` | `error.error_subcode` | number | missing |",
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
    answer = redactor.value({"id": USER, "number": int(USER), "caption": "Kites", "like_count": 7, "hidden": False})
    assert (sent["creation_id"], json.loads(sent["children"])) == (answer["id"], [answer["id"]])
    assert answer == {
        "id": "90000000000000001", "number": 90000000000000001, "caption": "text_1", "like_count": 7, "hidden": False
    }  # fmt: skip
    assert (sent["caption"], sent["limit"]) == ("text_1", "5")
    kept = Redactor(keep_texts=True).value({"caption": f"Kites of {USER}", "time": "2026-11-28T10:00:00+0000"})
    assert kept == {"caption": "Kites of 90000000000000001", "time": "2026-11-28T10:00:00+0000"}


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
        ("/v27.0/me", "EAA1", FACEBOOK),
        ("/ig-api-upload/v27.0/1", "EAA1", UPLOADS),
        ("/_to/graph.facebook.com/v27.0/me", "IGAA1", FACEBOOK),
    ],
)
def test_of_several_hosts_the_token_or_the_link_says_which(tmp_path: Path, path: str, token: str, goes_to: str) -> None:
    headers = [(b"authorization", f"Bearer {token}".encode())]
    request = Request({"type": "http", "method": "GET", "path": path, "headers": headers, "query_string": b""})
    proxy = Proxy((INSTAGRAM, FACEBOOK, UPLOADS), Redactor(), Writer(tmp_path / "journal.jsonl"))
    assert proxy.target(request) == (goes_to, path.removeprefix("/_to/graph.facebook.com"))


def test_a_file_that_is_no_recording_is_named(tmp_path: Path, compared: Compare) -> None:
    (tmp_path / "journal.jsonl").write_text('{"number": 1}\n')
    code, rows, said = compared(tmp_path / "journal.jsonl")
    assert (code, rows, "Cannot read the recording" in said) == (2, [], True)


def test_the_commands_of_the_page_exist() -> None:
    page = (Path(__file__).parents[3] / "docs/testing/record.md").read_text()
    commands = re.findall(r"^ *\$ instagram-sandbox (.+)$", page, re.MULTILINE)
    assert [command().parse_args(words.split()).run.__name__ for words in commands] == ["_record", "_compare"]
    assert command().parse_args(["record", "a", *re.findall(r"`(--to [^`]+)`", page)[0].split()]).to == [
        FACEBOOK,
        UPLOADS,
    ]
