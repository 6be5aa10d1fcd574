"""Webhooks: subscribed to with the token of the app, verified, signed, and sent to a callback on this machine."""

from __future__ import annotations

import hashlib
import hmac
import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from sandbox.tests.integration.conftest import Caller, in_thread

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

OTHER = "17841400000000099"


@dataclass
class Callback:
    """An app's callback, which keeps what it is sent."""

    url: str = ""
    token: str = "verify me"
    statuses: list[int] = field(default_factory=list)
    sent: list[tuple[str, bytes]] = field(default_factory=list)

    @property
    def changes(self) -> list[tuple[str, str, dict[str, Any]]]:
        """What was sent: the account, the field and the value."""
        entries = [entry for _, body in self.sent for entry in json.loads(body)["entry"]]
        return [(entry["id"], change["field"], change["value"]) for entry in entries for change in entry["changes"]]


@contextmanager
def listening() -> Iterator[Callback]:
    callback = Callback()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = parse_qs(urlsplit(self.path).query)
            is_known = asked["hub.mode"] == ["subscribe"] and asked["hub.verify_token"] == [callback.token]
            self._answer(200 if is_known else 403, asked["hub.challenge"][0].encode())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            callback.sent.append((self.headers["X-Hub-Signature-256"], body))
            self._answer(callback.statuses.pop(0) if callback.statuses else 200, b"")

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with in_thread(Handler) as address:
        callback.url = f"{address}/hook?team=a"
        yield callback


@pytest.fixture
def callback() -> Iterator[Callback]:
    with listening() as made:
        yield made


@pytest.fixture
def app(client: Caller) -> Caller:
    """A caller with the token of the app."""
    return Caller(client.sandbox, f"{client.sandbox.app_id}|{client.sandbox.app_secret}")


def subscribe(app: Caller, callback: Callback, **changed: str) -> httpx.Response:
    fields = {"object": "instagram", "callback_url": callback.url, "fields": "comments,mentions"}
    data = fields | {"verify_token": callback.token} | changed
    return app.http.post(f"/v27.0/{app.sandbox.app_id}/subscriptions", data=data)


def test_comments_are_sent_to_the_callback_with_metas_signature(
    client: Caller, app: Caller, callback: Callback
) -> None:
    assert subscribe(app, callback).json() == {"success": True}
    assert client.http.post("/v27.0/me/subscribed_apps", data={"subscribed_fields": "comments"}).status_code == 200
    media_id = client.sandbox.add_foreign_post("Autumn")
    comment = client.sandbox.add_comment(media_id, "Schön 🍂")
    client.sandbox.settle()  # two webhooks at once can arrive in any order
    own = client.http.post(f"/v27.0/{comment.comment_id}/replies", data={"message": "Thanks"}).json()["id"]
    client.sandbox.settle()
    media = {"id": media_id, "media_product_type": "REELS"}
    stranger = {"id": "17841499999999999", "username": "a_follower"}
    me = {"id": client.user_id, "username": "sandbox_studio"}
    assert callback.changes == [
        (client.user_id, "comments", {"id": comment.comment_id, "from": stranger, "text": "Schön 🍂", "media": media}),
        (
            client.user_id,
            "comments",
            {"id": own, "from": me, "text": "Thanks", "media": media, "parent_id": comment.comment_id},
        ),
    ]
    signature, body = callback.sent[0]
    assert signature == "sha256=" + hmac.new(b"sandbox-app-secret", body, hashlib.sha256).hexdigest()
    assert b"Sch\\u00f6n" in body, "Meta signs the text with its escapes"
    entries = client.sandbox.journal("webhook")
    assert [(entry.outcome, entry.status, entry.path.endswith("/hook?***")) for entry in entries] == [
        ("ok", 200, True)
    ] * 2


def test_a_mention_by_another_account_is_sent_and_can_be_read(client: Caller, app: Caller, callback: Callback) -> None:
    """In the caption of another account's post, and in a comment on it; a tag is in a list of its own."""
    subscribe(app, callback)
    client.http.post("/v27.0/me/subscribed_apps", data={"subscribed_fields": "mentions"})
    client.sandbox.add_account(OTHER, "a_friend")
    media_id = client.sandbox.add_foreign_post("With @sandbox_studio.", user_id=OTHER, tagged=["sandbox_studio"])
    client.sandbox.settle()
    comment_id = client.sandbox.add_comment(media_id, "Look, @sandbox_studio!").comment_id
    client.sandbox.settle()
    assert callback.changes == [
        (client.user_id, "mentions", {"media_id": media_id}),
        (client.user_id, "mentions", {"media_id": media_id, "comment_id": comment_id}),
    ]
    page = Caller(client.sandbox, client.sandbox.add_token(client.user_id, kind="page"))
    asked = f"mentioned_media.media_id({media_id}){{caption}},mentioned_comment.comment_id({comment_id}){{text}}"
    row = page.get(page.user_id, fields=asked).json()
    assert row["mentioned_media"] == {"caption": "With @sandbox_studio.", "id": media_id}
    assert row["mentioned_comment"] == {"text": "Look, @sandbox_studio!", "id": comment_id}
    unread = page.get(page.user_id, fields="mentioned_media.media_id(17999999999999999){id}").json()["error"]
    assert (unread["code"], unread["error_subcode"]) == (100, 33)
    assert [row["id"] for row in client.get("me/tags", fields="username").json()["data"]] == [media_id]
    assert client.get("me", fields="tags{username}").json()["tags"]["data"][0]["username"] == "a_friend"


def test_a_tag_in_a_published_picture_is_among_the_tags_of_the_account(client: Caller) -> None:
    client.sandbox.add_account(OTHER, "a_friend")
    tags = json.dumps([{"username": name, "x": 0.5, "y": 1} for name in ("a_friend", "sandbox_studio")])
    picture = f"{client.sandbox.url}/samples/picture.jpg"
    media_id = client.publish(client.create(media_type="", image_url=picture, user_tags=tags).json()["id"]).json()["id"]
    friend = Caller(client.sandbox, client.sandbox.add_token(OTHER))
    assert [row["id"] for row in friend.get("me/tags").json()["data"]] == [media_id]
    assert client.get("me/tags").json() == {"data": []}, "what an account tags of its own"


def test_a_webhook_that_is_refused_is_sent_once_more(client: Caller, app: Caller, callback: Callback) -> None:
    subscribe(app, callback)
    client.http.post("/v27.0/me/subscribed_apps", data={"subscribed_fields": "comments"})
    callback.statuses = [500]
    client.sandbox.add_comment(client.sandbox.add_foreign_post("Autumn"), "First!")
    client.sandbox.settle()
    assert [entry.outcome for entry in client.sandbox.journal("webhook")] == ["refused", "ok"]
    assert callback.sent[0] == callback.sent[1]


def test_nothing_is_sent_of_an_account_or_a_field_that_is_not_subscribed(
    client: Caller, app: Caller, callback: Callback
) -> None:
    subscribe(app, callback, fields="mentions")
    media_id = client.sandbox.add_foreign_post("Autumn")
    client.sandbox.add_comment(media_id, "The account is not subscribed")
    client.http.post("/v27.0/me/subscribed_apps", data={"subscribed_fields": "comments"})
    client.sandbox.add_comment(media_id, "The app has not asked for the field")
    subscribe(app, callback)
    assert app.http.delete("/v27.0/app/subscriptions", params={"object": "instagram"}).json() == {"success": True}
    client.sandbox.add_comment(media_id, "The app has no callback any more")
    client.sandbox.settle()
    assert callback.sent == []


def test_the_app_and_its_subscriptions_need_its_token(client: Caller, app: Caller, callback: Callback) -> None:
    assert app.get("app").json() == {"id": app.sandbox.app_id, "name": "Sandbox app"} | {
        "link": app.sandbox.url,
        "category": "Business",
    }
    for fields in ("name", "name,namespace,company,description"):
        assert client.get("app", fields=fields).json() == {"name": "Sandbox app", "id": app.sandbox.app_id}
    assert Caller(client.sandbox, "1|x").get("app").json()["error"]["code"] == 190
    refused = client.get(f"{app.sandbox.app_id}/subscriptions").json()["error"]
    assert (refused["code"], refused["message"]) == (15, "(#15) This method must be called with an app access_token.")
    assert app.get("app/subscriptions").json() == {"data": []}
    subscribe(app, callback)
    (row,) = app.get("app/subscriptions").json()["data"]
    assert (row["object"], row["callback_url"], row["active"]) == ("instagram", callback.url, True)
    assert [one["name"] for one in row["fields"]] == ["comments", "mentions"]
    assert app.sandbox.app_secret not in str(app.sandbox.journal())
    assert callback.token not in str(app.sandbox.journal())


@pytest.mark.parametrize(
    ("changed", "code", "says"),
    [
        ({"object": "page"}, 100, "must be instagram"),
        ({"fields": "comments,bogus"}, 100, "Param fields[1] must be one of {comments, live_comments, mentions,"),
        ({"fields": ""}, 100, "The parameter fields is required"),
        ({"callback_url": "https://example.com/hook"}, 100, "must be on this machine"),
        ({"callback_url": "http://127.0.0.1:1/hook"}, 2200, "Callback verification failed"),
        ({"verify_token": "another"}, 2200, "HTTP Status Code = 403"),
    ],
)
def test_a_subscription_that_cannot_be_is_refused(
    app: Caller, callback: Callback, changed: dict[str, str], code: int, says: str
) -> None:
    error = subscribe(app, callback, **changed).json()["error"]
    assert error["code"] == code
    assert says in error["message"]
    assert app.get("app/subscriptions").json() == {"data": []}


def test_a_field_that_is_none_is_refused_in_metas_words(client: Caller, facebook: Caller) -> None:
    """Captured by authors of clients: a Page has no field comments, and one wrong field fails the whole call."""
    wrong = {"subscribed_fields": "comments,bogus"}
    message = client.http.post("/v27.0/me/subscribed_apps", data=wrong).json()["error"]["message"]
    assert message.startswith("(#100) Param subscribed_fields[1] must be one of {comments, ")
    assert message.endswith('} - got "bogus"')
    message = facebook.http.post("/v27.0/me/subscribed_apps", data={"subscribed_fields": "comments"}).json()["error"]
    assert message["message"].startswith("(#100) Param subscribed_fields[0] must be one of {feed, mention, name")
    assert client.get("me/subscribed_apps").json() == {"data": []}
