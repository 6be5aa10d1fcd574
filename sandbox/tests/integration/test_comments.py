"""Comments: written, read, answered, hidden, deleted and switched off, within Meta's limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sandbox.tests.integration.conftest import Caller

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def media_id(client: Caller, clip: Path) -> str:
    return str(client.publish(client.reel(clip)).json()["id"])


def comment(client: Caller, media_id: str, message: str) -> Any:
    return client.http.post(f"/v27.0/{media_id}/comments", data={"message": message})


def texts(client: Caller, media_id: str) -> list[str]:
    rows = client.get(f"{media_id}/comments", fields="id,text,timestamp,username").json()["data"]
    return [row["text"] for row in rows]


def test_comments_are_read_newest_first_and_counted(client: Caller, media_id: str) -> None:
    first = comment(client, media_id, "The first comment").json()["id"]
    client.sandbox.advance(1)
    client.sandbox.add_comment(media_id, "Lovely!", "a_follower")
    assert texts(client, media_id) == ["Lovely!", "The first comment"]
    assert client.get(media_id, fields="comments_count").json()["comments_count"] == 2
    row = client.get(first, fields="from,user,username,hidden,like_count,media{id},parent_id").json()
    assert row["from"] == {"id": client.user_id, "username": "sandbox_studio"}
    assert row["media"] == {"id": media_id}
    assert "parent_id" not in row


def test_two_equal_calls_make_two_comments(client: Caller, media_id: str) -> None:
    """Nothing in the call tells one from the other, so a lost answer must be settled by reading."""
    for _ in range(2):
        comment(client, media_id, "Twice")
    assert texts(client, media_id) == ["Twice", "Twice"]
    assert [one.text for one in client.sandbox.comments(media_id)] == ["Twice", "Twice"]


def test_a_lost_answer_leaves_the_comment(client: Caller, media_id: str) -> None:
    client.sandbox.fail("comment", code=2, when="after")
    assert comment(client, media_id, "Lost").json()["error"]["code"] == 2
    assert texts(client, media_id) == ["Lost"]


def test_a_comment_shows_late_in_the_strict_mode(caller: Caller, clip: Path) -> None:
    media_id = caller.publish(caller.ready(clip)).json()["id"]
    comment(caller, media_id, "Late")
    assert texts(caller, media_id) == []
    caller.sandbox.advance(2)
    assert texts(caller, media_id) == ["Late"]


def test_a_comment_is_answered(client: Caller, media_id: str) -> None:
    asked = client.sandbox.add_comment(media_id, "Where is this?")
    reply = client.http.post(f"/v27.0/{asked.comment_id}/replies", data={"message": "In Lisbon"}).json()["id"]
    client.sandbox.add_comment(media_id, "Thank you!", parent_id=reply)
    rows = client.get(f"{asked.comment_id}/replies", fields="text,parent_id").json()["data"]
    assert {row["text"] for row in rows} == {"In Lisbon", "Thank you!"}
    assert {row["parent_id"] for row in rows} == {asked.comment_id}, "a reply to a reply joins the thread"
    assert texts(client, media_id) == ["Where is this?"]
    inside = client.get(f"{media_id}/comments", fields="text,replies{text}").json()["data"][0]
    assert len(inside["replies"]["data"]) == 2


def test_a_hidden_comment_takes_no_reply(client: Caller, media_id: str) -> None:
    """Source: Meta, IG Comment Replies, Limitations. Which error it is, is not documented."""
    rude = client.sandbox.add_comment(media_id, "Rude words").comment_id
    client.http.post(f"/v27.0/{rude}", params={"hide": "true"})
    assert client.http.post(f"/v27.0/{rude}/replies", data={"message": "No"}).json()["error"]["code"] == 100


def test_a_comment_is_hidden_but_never_ones_own(client: Caller, media_id: str) -> None:
    theirs = client.sandbox.add_comment(media_id, "Rude words").comment_id
    own = comment(client, media_id, "My own").json()["id"]
    for comment_id, hidden in ((theirs, True), (own, False)):
        assert client.http.post(f"/v27.0/{comment_id}", params={"hide": "true"}).json() == {"success": True}
        assert client.get(comment_id, fields="hidden").json()["hidden"] is hidden
    client.http.post(f"/v27.0/{theirs}", data={"hide": "false"})
    assert client.get(theirs, fields="hidden").json()["hidden"] is False


def test_a_comment_is_deleted_with_its_replies(client: Caller, media_id: str) -> None:
    comment_id = client.sandbox.add_comment(media_id, "Spam").comment_id
    client.sandbox.add_comment(media_id, "Spam again", parent_id=comment_id)
    assert client.http.delete(f"/v27.0/{comment_id}").json() == {"success": True}
    assert client.sandbox.comments() == []
    assert client.get(comment_id).json()["error"]["error_subcode"] == 33


def test_comments_are_switched_off(client: Caller, media_id: str) -> None:
    assert client.http.post(f"/v27.0/{media_id}", params={"comment_enabled": "false"}).json() == {"success": True}
    assert comment(client, media_id, "Too late").json()["error"]["code"] == 10
    assert client.get(media_id, fields="is_comment_enabled").json()["is_comment_enabled"] is False
    client.http.post(f"/v27.0/{media_id}", json={"comment_enabled": True})
    assert comment(client, media_id, "In time").status_code == 200


@pytest.mark.parametrize(
    ("message", "fine"),
    [
        ("x" * 300, True),
        ("x" * 301, False),
        ("#a #b #c #d", True),
        ("#a #b #c #d #e", False),
        ("See https://example.com", True),
        ("https://example.com and http://example.org", False),
        ("ALL IN CAPITALS", False),
        ("Not ALL in capitals", True),
        ("", False),
        ("🎉", True),
    ],
)
def test_the_limits_of_a_comment(client: Caller, media_id: str, message: str, fine: bool) -> None:
    assert (comment(client, media_id, message).status_code == 200) is fine


def test_comments_need_their_scope(client: Caller, media_id: str) -> None:
    token = client.sandbox.add_token(client.user_id, scopes=["instagram_business_basic"])
    other = Caller(client.sandbox, token)
    theirs = client.sandbox.add_comment(media_id, "Hello").comment_id
    calls = [
        comment(other, media_id, "No"),
        other.get(f"{media_id}/comments"),
        other.http.delete(f"/v27.0/{theirs}"),
        other.http.post(f"/v27.0/{theirs}", data={"hide": "true"}),
        other.http.post(f"/v27.0/{media_id}", data={"comment_enabled": "false"}),
    ]
    assert [call.json()["error"]["code"] for call in calls] == [200] * 5
    assert "instagram_business_manage_comments" in calls[0].json()["error"]["message"]


def test_another_accounts_posts_cannot_be_commented(client: Caller, media_id: str) -> None:
    token = client.sandbox.add_account("17841400000000099", "second_studio")
    other = Caller(client.sandbox, token, "17841400000000099")
    assert comment(other, media_id, "No").json()["error"]["error_subcode"] == 33


def private_reply(client: Caller, comment_id: str, text: str = "See your inbox") -> Any:
    sent = {"recipient": {"comment_id": comment_id}, "message": {"text": text}}
    return client.http.post(f"/v27.0/{client.user_id}/messages", json=sent)


def test_a_comment_has_one_private_reply(client: Caller, media_id: str) -> None:
    """Source: Meta, Private Replies, 2026-06-30. Which error answers a second one is not documented."""
    asked = client.sandbox.add_comment(media_id, "LINK", "a_follower")
    given = private_reply(client, asked.comment_id).json()
    (sent,) = client.sandbox.messages()
    assert set(given) == {"recipient_id", "message_id"}
    assert given["message_id"] == sent.message_id
    assert (sent.comment_id, sent.username, sent.text) == (asked.comment_id, "a_follower", "See your inbox")
    assert private_reply(client, asked.comment_id).json()["error"]["code"] == 100
    assert len(client.sandbox.messages()) == 1


def test_what_cannot_be_answered_privately_is_refused(client: Caller, media_id: str) -> None:
    """One's own comment, a text that is empty or longer than 1,000 bytes, and a comment of last week."""
    own = comment(client, media_id, "My own").json()["id"]
    asked = client.sandbox.add_comment(media_id, "LINK").comment_id
    for comment_id, text in ((own, "Hello"), (asked, ""), (asked, "é" * 501), ("1", "Hello")):
        assert private_reply(client, comment_id, text).json()["error"]["code"] == 100
    client.sandbox.advance(7 * 86_400 + 60)
    assert private_reply(client, asked).json()["error"]["code"] == 100
    assert client.sandbox.messages() == []
