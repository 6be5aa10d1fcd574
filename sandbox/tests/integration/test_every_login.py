"""What each login can do: the table of the documentation, polls, and Unified Login."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from docs.tables import endpoints
from sandbox.tests.integration.conftest import Caller

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from instagram_sandbox.testing.handle import SandboxHandle
    from sandbox.tests.integration.conftest import WebServer

POLL = {"poll_attachment": '{"option_a": "Red", "option_b": "Blue"}'}


#: What a login cannot call, by Meta's reference, with the code that answers it.
OF_FACEBOOK = (
    *("DELETE {media}", "GET {media}/collaborators", "GET {media}/poll_attachment", "GET {media}/prompt_response"),
    *("GET pages/search", "GET ig_audio", "GET {audio}"),
)
OF_PERSONS = (
    *("GET me/accounts", "GET me/businesses", "GET me/permissions", "DELETE me/permissions"),
    *("DELETE me/permissions/email", "GET {business}/owned_pages", "GET {business}/client_pages"),
)
OF_PAGES = ("GET {page}",)
MUSIC = "587000000000001"
REFUSED = [
    *(("instagram", call, 100) for call in (*OF_FACEBOOK, *OF_PERSONS, *OF_PAGES)),
    ("instagram", "GET debug_token", 190),
    *(("system", call, 100) for call in (*OF_PERSONS[1:], *OF_PAGES)),
    *((kind, "POST {page}/messages", 100) for kind in ("user", "system", "instagram")),
    *((kind, "POST {account}/messages", 100) for kind in ("user", "system", "page")),
    *(
        (kind, call, 190)
        for kind in ("page", "user", "system")
        for call in ("GET access_token", "GET refresh_access_token")
    ),
    *(("page", call, 100) for call in OF_PERSONS),
]
GRANTS = {"access_token": "ig_exchange_token", "refresh_access_token": "ig_refresh_token"}


@pytest.mark.parametrize(("kind", "call", "code"), REFUSED, ids=[f"{kind}: {call}" for kind, call, _ in REFUSED])
def test_a_call_of_another_login_is_refused(documented: SandboxHandle, kind: str, call: str, code: int) -> None:
    media_id = documented.add_foreign_post("Red")
    caller = Caller(documented, documented.add_token(documented.user_id, kind=kind))
    ids = {
        "audio": MUSIC,
        "media": media_id,
        "business": "30" + documented.user_id[-13:],
        "page": "10" + documented.user_id[-13:],
        "account": documented.user_id,
    }
    method, path = call.format(**ids).split()
    query = {"access_token": caller.token, "grant_type": GRANTS.get(path, ""), "client_secret": documented.app_secret}
    answer = caller.http.request(method, f"/v27.0/{path}", params=query | {"q": "vienna"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


def test_the_table_says_what_is_refused() -> None:
    """The rows are those of the docs; the expected cells are those of the test above."""
    cells = {call: "" for _, call, _ in REFUSED if not call.endswith("/messages")}
    for method, path, *yes in re.findall(
        r"^\| `(\w+) /(\S+)` \| `\w+` \| (\w+) \| (\w+) \| (\w+) \|", endpoints(), re.MULTILINE
    ):
        call = f"{method} {path.replace('*', 'email')}"
        if call in cells:
            cells[call] = " ".join(yes)
        elif call == "POST {account or page}/messages":
            assert yes == ["yes", "yes", "no"]
        elif call != "GET me":  # each login has a /me of its own
            assert yes == ["yes"] * 3, call
    assert cells == {
        **dict.fromkeys((*OF_FACEBOOK, "GET debug_token"), "no yes yes"),
        **dict.fromkeys((*OF_PERSONS, *OF_PAGES), "no yes no"),
        "GET me/accounts": "no yes yes",
        **dict.fromkeys(("GET access_token", "GET refresh_access_token"), "yes no no"),
    }


def test_a_call_needs_its_permission(documented: SandboxHandle) -> None:
    media_id, scopes = documented.add_foreign_post("Red"), ["instagram_basic", "pages_show_list"]
    caller = Caller(documented, documented.add_token(documented.user_id, kind="user", scopes=scopes))
    for method, path, permission in (
        ("DELETE", media_id, "instagram_manage_contents"),
        ("GET", f"{media_id}/comments", "instagram_manage_comments"),
        ("GET", f"{caller.user_id}/insights", "instagram_manage_insights"),
        ("POST", f"{caller.user_id}/media_publish", "instagram_content_publish"),
        ("GET", "me/businesses", "business_management"),
    ):
        error = caller.http.request(method, f"/v27.0/{path}").json()["error"]
        assert (error["code"], error["message"]) == (200, f"(#200) Requires {permission} permission")


def test_a_poll_is_read_with_its_shares(facebook: Caller, picture: WebServer) -> None:
    made = facebook.create(media_type="IMAGE", image_url=picture.url, caption="Which one?", **POLL).json()["id"]
    media_id = facebook.publish(made).json()["id"]
    poll = facebook.get(f"{media_id}/poll_attachment").json()
    assert (poll["option_a"], poll["option_b"], "option_c" in poll) == ("Red", "Blue", False)
    assert poll["option_a_votes_percentage"] + poll["option_b_votes_percentage"] == pytest.approx(1, abs=0.02)
    plain = facebook.create(media_type="IMAGE", image_url=picture.url).json()["id"]
    assert facebook.get(f"{facebook.publish(plain).json()['id']}/poll_attachment").json() is None


def test_a_poll_ends_after_three_days_unless_it_is_extended(facebook: Caller, picture: WebServer) -> None:
    """Source: Meta, changelog of 2026-09-28."""
    ends = []
    for extended in ("false", "true"):
        new = {"media_type": "IMAGE", "image_url": picture.url, "caption": "Which one?", **POLL}
        made = facebook.create(**new, is_poll_duration_extended=extended).json()["id"]
        media_id = facebook.publish(made).json()["id"]
        ends.append(facebook.get(f"{media_id}/poll_attachment", date_format="U").json().get("expiration_timestamp"))
    assert ends[0] == pytest.approx(facebook.sandbox.now() + 3 * 86_400, abs=60)
    assert ends[1] is None


def test_the_answers_to_a_prompt_are_read(facebook: Caller, picture: WebServer) -> None:
    new = {"media_type": "IMAGE", "image_url": picture.url, "caption": "What is your favourite?"}
    with_prompt, plain = (
        facebook.publish(facebook.create(**new, is_comment_prompt_used=used).json()["id"]).json()["id"]
        for used in ("true", "false")
    )
    facebook.sandbox.add_comment(with_prompt, "The red one")
    answers = facebook.get(f"{with_prompt}/prompt_response").json()["data"]
    assert [answer["text"] for answer in answers] == ["The red one"]
    assert facebook.get(f"{plain}/prompt_response").json() is None


def test_a_story_has_no_add_on(facebook: Caller, picture: WebServer) -> None:
    made = facebook.create(media_type="STORIES", image_url=picture.url).json()["id"]
    media_id = facebook.publish(made).json()["id"]
    for edge in ("poll_attachment", "prompt_response"):
        assert facebook.get(f"{media_id}/{edge}").json()["error"]["code"] == 100


def test_audio_is_searched_and_read(facebook: Caller) -> None:
    """In the shape of Meta's samples, in which the artwork of a search is a ``uri`` and that of a read a ``url``."""
    of_me = {"user_id": facebook.user_id}
    found = facebook.get("ig_audio", audio_type="music", search_query="harbour", **of_me).json()["audio"]
    music = {
        "audio_id": MUSIC,
        "audio_type": "music",
        "title": "Harbour Lights",
        "display_artist": "The Sandbox Trio",
        "duration_in_ms": 153_760,
        "download_url": None,
    }
    assert found == [music | {"cover_artwork_thumbnail_uri": None}]
    assert facebook.get(MUSIC, **of_me).json() == music | {"cover_artwork_thumbnail_url": None}
    sounds = facebook.get("ig_audio", audio_type="original_sound", **of_me).json()["audio"]
    assert {(one["audio_type"], "ig_username" in one, "display_artist" in one) for one in sounds} == {
        ("original_sound", True, False)
    }
    for wrong in ({"audio_type": "noise", **of_me}, {"audio_type": "music"}, {"audio_type": "music", "user_id": "1"}):
        assert facebook.get("ig_audio", **wrong).json()["error"]["code"] == 100


def test_a_reel_is_published_with_music(facebook: Caller, clip: Path) -> None:
    sound = {"audio_id": MUSIC, "audio_volume": 80, "video_volume": 50, "should_loop_audio": False}
    container_id = facebook.ready(clip, audio_configuration=json.dumps(sound))
    media_id = facebook.publish(container_id).json()["id"]
    assert facebook.get(media_id, fields="audio_id").json()["audio_id"] == MUSIC


@pytest.mark.parametrize("wrong", [{}, {"audio_id": "1"}, {"audio_volume": 101}, {"video_volume": "loud"}, {"bass": 1}])
def test_audio_that_cannot_be_is_refused(facebook: Caller, wrong: dict[str, Any]) -> None:
    sound = {"audio_id": MUSIC} | wrong if wrong else wrong
    answer = facebook.create(upload_type="resumable", audio_configuration=json.dumps(sound))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, 100)


def test_only_a_reel_of_facebook_login_has_audio(client: Caller, facebook: Caller, picture: WebServer) -> None:
    sound = json.dumps({"audio_id": MUSIC})
    refused = client.create(upload_type="resumable", audio_configuration=sound).json()["error"]
    assert (refused["code"], "Facebook Login" in refused["message"]) == (100, True)
    assert "id" in facebook.create(media_type="IMAGE", image_url=picture.url, audio_configuration=sound).json()
    assert "audio_configuration" in facebook.sandbox.warnings[-1]


@pytest.mark.parametrize(("video_volume", "code"), [(50, "ERROR"), (0, "FINISHED")])
def test_a_silent_video_takes_audio_only_with_its_own_volume_at_0(
    facebook: Caller, make_clip: Callable[..., Path], video_volume: int, code: str
) -> None:
    """Source: reported by Postiz, whose customers met 2207082 (pull request 2033, 2026-09-07)."""
    sound = json.dumps({"audio_id": MUSIC, "video_volume": video_volume})
    status = facebook.status(facebook.ready(make_clip(audio=False), audio_configuration=sound))
    assert (status["status_code"], "2207082" in status["status"]) == (code, code == "ERROR")


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        ("clear", {"status": "completed", "matches_found": False}),
        ("match", {"status": "completed", "matches_found": True}),
        ("error", {"status": "error", "matches_found": False}),
    ],
)
def test_the_copyright_check_is_planned_and_stops_nothing(
    client: Caller, clip: Path, found: str, shown: dict[str, Any]
) -> None:
    client.sandbox.process_next(copyright=found, after_s=60)
    container_id = str(client.create(upload_type="resumable").json()["id"])

    def check() -> dict[str, Any]:
        return dict(client.get(container_id, fields="copyright_check_status").json()["copyright_check_status"])

    assert check() == {"status": "not_started", "matches_found": False}
    client.upload(container_id, clip.read_bytes())
    client.sandbox.settle()
    assert check() == {"status": "in_progress", "matches_found": False}
    client.sandbox.advance(60)
    assert check() == shown
    assert "id" in client.publish(container_id).json()


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
    ignored = "The parameter poll_attachment was ignored. Meta does not support it with Instagram Login."
    assert client.sandbox.warnings == [f"create: {ignored}"]
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
    assert unified.get("me/media").json()["error"]["code"] == 100
    assert unified.get("me/accounts").json() == {"data": []}
    assert unified.http.delete(f"/v27.0/{media_id}").json() == {"success": True}


def test_the_dialog_of_unified_login_gives_a_token_that_does_not_end(documented: SandboxHandle) -> None:
    documented.change_account(documented.user_id, unified_login=True)
    http = httpx.Client(base_url=documented.url, trust_env=False)
    app = {"client_id": documented.app_id, "redirect_uri": "https://app.example/back"}
    asked = app | {"config_id": "1", "decision": "allow", "account": documented.user_id}
    back = httpx.URL(http.post("/v27.0/dialog/oauth", data=asked).headers["location"])
    asked = app | {"client_secret": documented.app_secret, "code": back.params["code"].removesuffix("#_=_")}
    given = http.get("/v27.0/oauth/access_token", params=asked).json()
    assert set(given) == {"access_token", "token_type"}
    documented.advance(400 * 86_400)
    unified = Caller(documented, given["access_token"])
    assert unified.get(documented.user_id, fields="username").json()["username"] == "sandbox_studio"
    app_token = f"{documented.app_id}|{documented.app_secret}"
    known = http.get("/v27.0/debug_token", params={"input_token": unified.token, "access_token": app_token}).json()
    assert (known["data"]["type"], known["data"]["expires_at"], known["data"]["is_valid"]) == ("SYSTEM_USER", 0, True)


@pytest.mark.parametrize(("ends", "code"), [(True, 190), (False, None)])
def test_a_token_of_unified_login_ends_or_not(documented: SandboxHandle, ends: bool, code: int | None) -> None:
    token = documented.add_token(documented.user_id, kind="system", ends=ends)
    documented.advance(61 * 86_400)
    answer = Caller(documented, token).get(documented.user_id).json()
    assert answer.get("error", {}).get("code") == code


def test_a_picture_has_a_copyright_status_in_which_nothing_is_found(
    client: Caller, facebook: Caller, picture: WebServer
) -> None:
    """The check is of videos; what it answers of a picture is not documented."""
    for caller in (client, facebook):
        client.sandbox.process_next(copyright="match", after_s=0)
        container_id = caller.create(media_type="IMAGE", image_url=picture.url).json()["id"]
        found = caller.get(container_id, fields="copyright_check_status").json()["copyright_check_status"]
        assert found == {"status": "completed", "matches_found": False}


#: What a call needs beside its path. All others need nothing.
NEEDS: dict[str, dict[str, str]] = {
    "POST {account}/media": {"media_type": "REELS", "upload_type": "resumable"},
    "GET {account}/insights": {"metric": "reach", "period": "day"},
    "POST {account or page}/subscribed_apps": {"subscribed_fields": "messages"},
    "POST {media}": {"comment_enabled": "true"},
    "POST {media}/comments": {"message": "First!"},
    "GET {media}/insights": {"metric": "views"},
    "POST {comment}": {"hide": "true"},
    "POST {comment}/replies": {"message": "Second!"},
    "GET pages/search": {"q": "vienna"},
    "GET ig_audio": {"audio_type": "music"},
}


@pytest.mark.parametrize("kind", ["instagram", "page", "user", "system"])
def test_every_call_that_a_login_can_make_is_answered(documented: SandboxHandle, kind: str) -> None:
    """The other side of the refusals above: with what it needs, each call succeeds."""
    caller = Caller(documented, documented.add_token(documented.user_id, kind=kind, age_s=90_000))
    picture = f"{documented.url}/samples/picture.jpg"

    def made(**media: str) -> str:
        return str(caller.create(media_type="", image_url=picture, **media).json()["id"])

    children = ",".join(made(is_carousel_item="true") for _ in "ab")
    album = caller.publish(str(caller.create(media_type="CAROUSEL", children=children).json()["id"])).json()["id"]
    numbers = {"account": documented.user_id, "account or page": documented.user_id, "audio": MUSIC}
    sender = numbers["account"] if kind == "instagram" else "10" + documented.user_id[-13:]
    numbers |= {"page": "10" + documented.user_id[-13:], "business": "30" + documented.user_id[-13:]}
    numbers["media of a carousel"] = caller.get(f"{album}/children").json()["data"][0]["id"]
    documented.advance(120)
    refused = {call for one, call, _ in REFUSED if one == kind}
    answers = {}
    for method, path in re.findall(r"^\| `(\w+) /([^`]+)` \|", endpoints(), re.MULTILINE):
        call = f"{method} {path.replace('*', 'email')}"
        if path == "app/subscriptions":
            continue  # needs the token of the app: test_webhooks
        if call in refused or call == "GET access_token" or call.startswith("DELETE me/permissions"):
            continue  # these two take the token away, or need another one: their tests are those of the logins
        media_id = documented.add_foreign_post("Red")
        numbers |= {"media": media_id, "comment": documented.add_comment(media_id, "Blue").comment_id}
        numbers["container"] = made()
        documented.advance(120)
        if path.endswith("/messages"):
            if kind in ("user", "system"):
                continue
            recipient = json.dumps({"comment_id": numbers["comment"]})
            NEEDS[call] = {"recipient": recipient, "message": '{"text": "Third!"}'}
            path = f"{sender}/messages"
        params = NEEDS.get(call, {}) | ({"creation_id": numbers["container"]} if method == "POST" else {})
        params |= {"input_token": caller.token, "access_token": caller.token} if path == "debug_token" else {}
        params |= {"grant_type": "ig_refresh_token", "access_token": caller.token} if path in GRANTS else {}
        params |= {"user_id": caller.user_id} if "audio" in path else {}
        answer = caller.http.request(method, f"/{path.format_map(numbers)}", params=params)
        answers[call] = (answer.status_code, answer.text[:150] if answer.is_error else "")
    assert {call: answer for call, answer in answers.items() if answer[0] != 200} == {}
    assert len(answers) > 25
