"""The page: the journal with its warnings, the buttons, and why a link was refused."""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from instagram_sandbox.http.pages import ACTIONS
from instagram_sandbox.simulator.switches import Switches
from sandbox.tests.integration.conftest import WebServer, serving

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sandbox.tests.integration.conftest import Caller


def buttons(client: Caller) -> list[dict[str, Any]]:
    found = re.findall(r'data-call="([^"]*)"', client.http.get("/").text)
    return [json.loads(html.unescape(call)) for call in found]


def test_each_button_of_the_page_works(client: Caller) -> None:
    """The script sends exactly this."""
    calls = buttons(client)
    assert len(calls) == len(ACTIONS) > 10
    for call in calls:
        body = json.dumps(call["body"]) if "body" in call else None
        headers = {"Origin": client.sandbox.url}
        answer = client.http.request(call["method"], f"/_sandbox/{call['path']}", content=body, headers=headers)
        assert answer.status_code == 200, (call, answer.text)


def test_a_fault_that_was_clicked_is_shown_and_hits(client: Caller) -> None:
    call = next(call for call in buttons(client) if call.get("body", {}).get("code") == 80002)
    client.http.post(f"/_sandbox/{call['path']}", content=json.dumps(call["body"]))
    assert "80002 before" in client.http.get("/").text
    assert client.get("me").json()["error"]["code"] == 80002


def test_the_page_shows_the_journal(client: Caller) -> None:
    client.get("me", fields="nonsense")
    client.http.get("/v17.0/me")
    text = client.http.get("/").text
    journal = text.partition('class="journal"')[2]
    assert journal.index("v17.0 is gone") < journal.index("100 · 400"), "the newest call is first"


def test_the_page_shows_the_mode_of_each_switch(client: Caller, caller: Caller) -> None:
    client.sandbox.switch(quota_total=25, republish="same_id")
    shown = re.findall(r"<dt>(\w+)</dt><dd>(.*?) <span class=.quiet.>([a-z ]+)</span>", client.http.get("/").text)
    modes = {name: (html.unescape(value), mode) for name, value, mode in shown}
    assert len(modes) == len(Switches.model_fields)
    assert modes["unknown_parameters"] == ("ignore", "default")
    assert modes["usage_header"] == ("business", "both modes")
    assert modes["quota_total"] == ("25", "changed")
    assert modes["republish"] == ("same_id", "changed")
    strict = caller.http.get("/").text
    assert '<dt>unknown_parameters</dt><dd>refuse <span class="quiet">strict</span>' in strict


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"status": 200}, "the server does not support Range requests"),
        ({"status": 302, "location": "/elsewhere.mp4"}, "the link answers 302, but redirects are not followed"),
        ({"content_type": "text/html"}, "the content type is text/html, not of a video"),
        ({"robots": "User-agent: *\nDisallow: /"}, "robots.txt does not allow facebookexternalhit"),
    ],
    ids=["Range", "redirect", "content type", "robots.txt"],
)
def test_a_refused_link_is_explained_everywhere(
    client: Caller, web: WebServer, wrong: dict[str, Any], reason: str
) -> None:
    for name, value in wrong.items():
        setattr(web, name, value)
    container_id = client.create(video_url=web.url).json()["id"]
    client.sandbox.settle()
    assert client.status(container_id)["status"].endswith("2207052")
    sentence = client.sandbox.journal("create")[0].warnings[0]
    assert sentence.startswith("Your link was refused because ")
    assert reason in sentence
    text = html.unescape(client.http.get("/").text)
    assert text.count(sentence) == 2, "beside the container, and in the journal"
    assert reason in client.sandbox.containers[0].reason


def test_the_page_shows_comments_and_insights(client: Caller, make_picture: Callable[..., bytes]) -> None:
    with serving(WebServer(make_picture(), content_type="image/jpeg", status=200)) as server:
        container_id = client.create(media_type="IMAGE", image_url=server.url).json()["id"]
        media_id = client.publish(container_id).json()["id"]
    client.sandbox.add_comment(media_id, "<b>Lovely</b>", "mira.k")
    client.sandbox.set_insights(media_id, views=4321)
    text = client.http.get(client.sandbox.posts[0].permalink).text
    assert "&lt;b&gt;Lovely&lt;/b&gt;" in text
    assert "mira.k" in text
    assert "4321" in text


PROJECT = """
import httpx

def test_it(instagram_sandbox):
    headers = {"Authorization": f"Bearer {instagram_sandbox.token}"}
    data = {"media_type": "REELS", "upload_type": "resumable", "nonsense": "1"}
    assert httpx.post(f"{instagram_sandbox.url}/v27.0/me/media", data=data, headers=headers).is_success
"""


def test_the_fixture_warns_of_what_the_journal_warns_of(tmp_path: Path) -> None:
    """In a project of its own, with its setting for the default mode."""
    (tmp_path / "pytest.ini").write_text("[pytest]\ninstagram_sandbox_strict = false\n")
    (tmp_path / "test_it.py").write_text(PROJECT)
    command = [sys.executable, "-m", "pytest", "-q", "--rootdir", str(tmp_path), "-c", "pytest.ini"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "1 passed, 1 warning" in done.stdout, done.stdout[-3000:]
    assert "SandboxWarning: create: The parameter nonsense is unknown and was ignored." in done.stdout
