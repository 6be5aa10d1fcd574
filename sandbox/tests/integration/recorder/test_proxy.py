"""What passes the recorder, and what does not."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.requests import Request

from instagram_sandbox.__main__ import main
from instagram_sandbox.recorder.journal import Recorded, Writer, read
from instagram_sandbox.recorder.proxy import Proxy
from instagram_sandbox.recorder.redaction import Redactor
from instagram_sandbox.simulator.addresses import FACEBOOK, INSTAGRAM, UPLOADS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_mock import MockerFixture

from sandbox.tests.integration.recorder.conftest import TOKEN, USER, Odd, lines, recording


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}],
    ids=["another origin", "no origin", "another site"],
)
def test_a_page_of_another_site_cannot_call(recorded: tuple[Odd, str], headers: dict[str, str]) -> None:
    odd, address = recorded
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
def test_no_link_leads_past_the_recorder(recorded: tuple[Odd, str], link: str, leads_to: str) -> None:
    odd, address = recorded
    odd.answers["/v27.0/me/media"] = (200, {"paging": {"next": link}})
    followed = httpx.get(f"{address}/v27.0/me/media").json()["paging"]["next"]
    assert followed == f"{address}/_to/{leads_to}"
    assert httpx.get(followed).status_code == 403
    assert len(odd.heard) == 1


def test_what_is_said_of_a_refused_host_has_no_password_and_no_control_characters(recorded: tuple[Odd, str]) -> None:
    _, address = recorded
    hosts = ("%1b[31mEVIL", "a:passw0rd@evil.example")
    said = [httpx.get(f"{address}/_to/{host}/x").json()["detail"] for host in hosts]
    assert (said[0].isprintable(), "31m" in said[0]) == (True, False)
    assert (said[1].startswith("evil.example is not"), "passw0rd" in said[1]) == (True, False)


def test_only_hosts_that_were_named_are_called(recorded: tuple[Odd, str]) -> None:
    """A link of an answer to another host leads to the proxy, which refuses it: the token goes nowhere else."""
    odd, address = recorded
    elsewhere = "https://evil.example/v27.0/me/media?after=1"
    odd.answers["/v27.0/me/media"] = (200, {"data": [], "paging": {"next": elsewhere}, "uri": elsewhere})
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
    mocker: MockerFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "journal.jsonl").write_text("mine")
    command = ["instagram-sandbox", "record", str(tmp_path / "journal.jsonl"), "--port", "0", *options]
    mocker.patch("sys.argv", command)
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
