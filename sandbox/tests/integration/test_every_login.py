"""What each login can do: the table of the documentation, polls, and Unified Login."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from instagram_sandbox.http.graph import served
from sandbox.tests.integration.conftest import Caller

if TYPE_CHECKING:
    from instagram_sandbox.testing.handle import SandboxHandle
    from sandbox.tests.integration.conftest import WebServer

PAGE = Path(__file__).parents[3] / "docs/testing/served.md"
POLL = {"poll_attachment": '{"option_a": "Red", "option_b": "Blue"}'}


def test_the_table_of_what_is_served_is_that_of_the_code() -> None:
    """To write it again, print the rows of this test into the page."""
    yes = {True: "yes", False: "no"}
    rows = [f"| `{method} {path}` | {yes[ours]} | {yes[facebooks]} |" for method, path, ours, facebooks in served()]
    assert [line for line in PAGE.read_text().splitlines() if line.startswith("| `")] == rows


def test_a_poll_is_read_with_its_shares(facebook: Caller, picture: WebServer) -> None:
    made = facebook.create(media_type="IMAGE", image_url=picture.url, caption="Which one?", **POLL).json()["id"]
    media_id = facebook.publish(made).json()["id"]
    poll = facebook.get(f"{media_id}/poll_attachment").json()
    assert (poll["option_a"], poll["option_b"], "option_c" in poll) == ("Red", "Blue", False)
    assert poll["option_a_votes_percentage"] + poll["option_b_votes_percentage"] == pytest.approx(1, abs=0.02)
    plain = facebook.create(media_type="IMAGE", image_url=picture.url).json()["id"]
    assert facebook.get(f"{facebook.publish(plain).json()['id']}/poll_attachment").json() is None


@pytest.mark.parametrize(
    "wrong",
    [
        POLL,
        {**POLL, "caption": "Which?", "is_comment_prompt_used": "true"},
        {"poll_attachment": '{"option_a": "Red"}', "caption": "Which?"},
        {"poll_attachment": '{"option_a": "Red", "option_c": "Blue"}', "caption": "Which?"},
        {"poll_attachment": "Red", "caption": "Which?"},
    ],
    ids=["no caption", "with a prompt", "one option", "a gap", "no object"],
)
def test_a_poll_that_cannot_be_is_refused(facebook: Caller, picture: WebServer, wrong: dict[str, str]) -> None:
    answer = facebook.create(media_type="IMAGE", image_url=picture.url, **wrong)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, 100)


def test_a_poll_with_instagram_login_is_ignored_with_a_warning(client: Caller, picture: WebServer) -> None:
    made = client.create(media_type="IMAGE", image_url=picture.url, caption="Which?", **POLL).json()["id"]
    assert "poll_attachment" in client.sandbox.warnings[0]
    assert client.get(f"{client.publish(made).json()['id']}/poll_attachment").json()["error"]["code"] == 100


def test_unified_login_names_the_account_by_its_id_and_has_no_page(
    documented: SandboxHandle, picture: WebServer
) -> None:
    unified = Caller(documented, documented.add_token(documented.user_id, kind="system"))
    assert unified.token.startswith("EAA")
    made = unified.create(media_type="IMAGE", image_url=picture.url).json()["id"]
    media_id = unified.publish(made).json()["id"]
    assert unified.get(documented.user_id, fields="username").json()["username"] == "sandbox_studio"
    assert set(unified.get("me").json()) == {"id", "name"}
    for path in ("me/media", "me/accounts"):
        assert unified.get(path).json()["error"]["code"] == 100
    assert unified.http.delete(f"/v27.0/{media_id}").json() == {"success": True}
