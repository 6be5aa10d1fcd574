"""How a recording is compared with the sandbox."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from instagram_sandbox.__main__ import command, main
from instagram_sandbox.simulator.addresses import FACEBOOK, UPLOADS
from instagram_sandbox.testing.handle import SandboxHandle
from sandbox.tests.integration.conftest import Caller

if TYPE_CHECKING:
    from pytest_mock import MockerFixture

    from sandbox.tests.integration.conftest import WebServer
from sandbox.tests.integration.recorder.conftest import TOKEN, USER, Odd, lines, recording

Compare = Callable[..., tuple[int, list[str], str]]


@pytest.fixture
def compared(mocker: MockerFixture, capsys: pytest.CaptureFixture[str]) -> Compare:
    """Compare a recording with the sandbox; return the exit code, the rows of the table, and what is said of it."""

    def compare(journal: Path, took_s: float = 0) -> tuple[int, list[str], str]:
        """Return it as if each answer had taken this long, whatever else this machine does."""
        journal.write_text("".join(json.dumps(call | {"took_s": took_s}) + "\n" for call in lines(journal)))
        mocker.patch("sys.argv", ["instagram-sandbox", "compare", str(journal)])
        code = main()
        said = capsys.readouterr()
        return code, said.out.splitlines()[2:], said.err

    return compare


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
    page = (Path(__file__).parents[4] / "docs/testing/record.md").read_text()
    commands = re.findall(r"^ *\$ instagram-sandbox (.+)$", page, re.MULTILINE)
    assert [command().parse_args(words.split()).run.__name__ for words in commands] == ["_record", "_compare"]
    assert command().parse_args(["record", "a", *re.findall(r"`(--to [^`]+)`", page)[0].split()]).to == [
        FACEBOOK,
        UPLOADS,
    ]
