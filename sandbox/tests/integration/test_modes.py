"""The two modes: what Meta documents, and ``--strict``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from instagram_sandbox.options import OPTIONS
from instagram_sandbox.simulator.switches import HARSHEST, Switches, mode_switches

if TYPE_CHECKING:
    from pathlib import Path

    from instagram_sandbox.testing.handle import SandboxHandle
    from sandbox.tests.integration.conftest import Caller, WebServer

REEL = {"media_type": "REELS", "upload_type": "resumable"}


def test_what_strict_sets_differs_from_what_is_documented() -> None:
    usual = Switches()
    assert {name: getattr(usual, name) for name in HARSHEST} == {
        "pictures_ready_at_once": True,
        "visible_after_s": 0.0,
        "comment_visible_after_s": 0.0,
        "republish": "error",
        "unknown_parameters": "ignore",
        "refresh_revokes_old": False,
        "login": "any",
        "retired_for_new_apps": "warn",
        "cursor_life_s": 86_400.0,
        "media_url_life_s": 86_400.0,
        "harmless_damage": "accept",
        "expired_version": "upgrade",
        "fresh_id_unknown_s": 0.0,
        "insights_after_s": 60.0,
        "edit_lists": "accept",
        "max_picture_bytes": 8_388_608,
        "tallest_picture": "3:4",
    }
    harsh = mode_switches(strict=True)
    assert all(getattr(harsh, name) == value != getattr(usual, name) for name, value in HARSHEST.items())


def test_an_option_wins_over_the_mode() -> None:
    assert mode_switches(strict=True, visible_after_s=3.0).visible_after_s == 3.0
    assert mode_switches(strict=True, visible_after_s=None).visible_after_s == 10.0
    assert OPTIONS["--strict"]["action"] == "store_true"


def test_a_new_id_is_known_and_a_post_shows_at_once(client: Caller, clip: Path) -> None:
    container_id = client.reel(clip, caption="At once")
    assert client.status(container_id)["status_code"] == "FINISHED"
    media_id = client.publish(container_id).json()["id"]
    assert [row["id"] for row in client.get("me/media").json()["data"]] == [media_id]
    status = client.status(container_id)
    assert (status["status_code"], status["status"]) == (
        "PUBLISHED",
        "Published: Media has been successfully published.",
    )


def test_publishing_again_is_an_error_by_default(client: Caller, clip: Path) -> None:
    container_id = client.reel(clip)
    client.publish(container_id)
    assert client.publish(container_id).json()["error"]["error_subcode"] == 2207008
    assert len(client.sandbox.posts) == 1


@pytest.mark.parametrize("version", ["v20.0", "v17.0", "v3.2"])
def test_a_version_that_is_gone_is_carried_out_by_the_oldest_usable_one(client: Caller, version: str) -> None:
    answer = client.http.post(f"/{version}/me/media", data=REEL)
    assert "/ig-api-upload/v21.0/" in answer.json()["uri"]
    assert client.sandbox.warnings == [f"create: The version {version} is gone. Meta carries the call out as v21.0."]


@pytest.mark.parametrize("version", ["v28.0", "v0.0", "v27.1", "v99999.0"])
def test_a_version_that_never_was_is_refused_by_default_too(client: Caller, version: str) -> None:
    assert client.http.get(f"/{version}/me").json()["error"]["code"] == 2500


def test_an_upload_goes_to_a_version_that_is_gone_as_well(client: Caller, clip: Path) -> None:
    container_id = client.create(upload_type="resumable").json()["id"]
    data = clip.read_bytes()
    headers = {"Authorization": f"OAuth {client.token}", "offset": "0", "file_size": str(len(data))}
    answer = client.http.post(f"/ig-api-upload/v18.0/{container_id}", content=data, headers=headers)
    assert answer.json()["success"] is True


@pytest.mark.parametrize(
    ("call", "warning"),
    [
        ({"is_carousel": "false"}, "The parameter is_carousel is unknown and was ignored."),
        ({"alt_text": "A kite"}, "The parameter alt_text was ignored. Meta does not support it on REELS media."),
    ],
    ids=["unknown", "misplaced"],
)
def test_what_a_call_does_not_take_is_ignored_with_a_warning(
    client: Caller, call: dict[str, str], warning: str
) -> None:
    assert client.create(**REEL, **call).status_code == 200
    assert len(client.sandbox.warnings) == 1
    assert client.sandbox.warnings[0].startswith(f"create: {warning}")
    assert warning in client.http.get("/").text


def test_a_field_of_publish_is_ignored_and_strict_refuses_it(client: Caller, caller: Caller, clip: Path) -> None:
    """Postiz sends ``field=id``, which the live API ignores."""
    for one, status in ((client, 200), (caller, 400)):
        container_id = one.ready(clip)
        data = {"creation_id": container_id, "field": "id"}
        assert one.http.post("/v27.0/me/media_publish", data=data).status_code == status


def test_both_logins_are_served_at_once_by_default(client: Caller, facebook: Caller) -> None:
    assert client.get("me", fields="username").json()["username"] == "sandbox_studio"
    assert facebook.get(facebook.user_id, fields="username").json()["username"] == "sandbox_studio"


def test_a_host_that_is_named_takes_its_own_tokens_only(client: Caller, facebook: Caller) -> None:
    for one, right, wrong in ((client, "graph.instagram.com", "graph.facebook.com"),
                              (facebook, "graph.facebook.com", "graph.instagram.com")):  # fmt: skip
        assert one.http.get("/v27.0/me", headers={"Host": right}).status_code == 200
        assert one.http.get("/v27.0/me", headers={"Host": wrong}).json()["error"]["code"] == 190


@pytest.mark.parametrize("header", ["Host", "X-Meta-Host"])
@pytest.mark.parametrize(
    "host", ["api.instagram.com", "www.instagram.com", "rupload.facebook.com", "www.facebook.com", "i.instagram.com"]
)
def test_a_host_that_does_not_serve_the_graph_api_is_not_found(client: Caller, host: str, header: str) -> None:
    """Clients that write such a host fail on each call to Instagram."""
    answer = client.http.post("/v27.0/me/media", data=REEL, headers={header: host})
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (404, "text/html")
    assert f"graph.instagram.com or graph.facebook.com, not {host}" in client.sandbox.warnings[-1]
    assert client.sandbox.containers == []


def test_a_host_that_does_not_serve_uploads_is_not_found(client: Caller) -> None:
    for host, status in (("graph.facebook.com", 404), ("rupload.facebook.com", 200)):
        uri = client.create(media_type="REELS", upload_type="resumable").json()["uri"]
        headers = {"Authorization": f"OAuth {client.token}", "Offset": "0", "File_size": "3", "Host": host}
        assert client.http.post(uri, content=b"abc", headers=headers).status_code == status


def test_a_host_serves_the_calls_of_its_own_login_only(client: Caller, facebook: Caller) -> None:
    client.sandbox.advance(2 * 86_400)
    query = {"grant_type": "ig_refresh_token", "access_token": client.token}
    for host, status in (("graph.facebook.com", 400), ("graph.instagram.com", 200)):
        answer = client.http.get("/refresh_access_token", params=query, headers={"Host": host})
        assert answer.status_code == status
    asked = {"input_token": facebook.token, "access_token": facebook.token}
    for host, status in (("graph.facebook.com", 200), ("graph.instagram.com", 400)):
        assert facebook.http.get("/v27.0/debug_token", params=asked, headers={"Host": host}).status_code == status


def test_the_old_token_lives_on_after_a_refresh(client: Caller) -> None:
    client.sandbox.advance(2 * 86_400)
    query = {"grant_type": "ig_refresh_token", "access_token": client.token}
    assert client.http.get("/refresh_access_token", params=query).json()["access_token"] != client.token
    assert client.get("me").status_code == 200


def test_a_picture_is_ready_at_once_and_strict_lets_it_wait(client: Caller, caller: Caller, picture: WebServer) -> None:
    """Clients publish a picture without a look at its status."""
    for one, status in ((client, 200), (caller, 400)):
        if one is caller:
            one.sandbox.switch(processing={"after_s": 5})
        container_id = one.create(media_type="IMAGE", image_url=picture.url).json()["id"]
        assert one.publish(container_id).status_code == status


def test_the_fixture_is_strict(instagram_sandbox: SandboxHandle, caller: Caller) -> None:
    assert caller.create(**REEL, is_carousel="false").json()["error"]["code"] == 100
    assert instagram_sandbox.warnings == []
