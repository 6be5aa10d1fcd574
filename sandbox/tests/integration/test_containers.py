"""From create to publish over HTTP, and what the reads say at each point."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from instagram_sandbox.testing.handle import SandboxHandle
    from sandbox.tests.integration.conftest import Caller


def error_of(answer: Any) -> tuple[int, int, int | None]:
    body = answer.json()["error"]
    return answer.status_code, body["code"], body.get("error_subcode")


def test_a_reel_goes_from_create_to_post(caller: Caller, instagram_sandbox: SandboxHandle, clip: Path) -> None:
    instagram_sandbox.switch(processing={"after_s": 5}, visible_after_s=10)
    created = caller.create(upload_type="resumable", caption="teaser").json()
    assert re.fullmatch(r"\d{17,18}", created["id"])
    assert created["uri"] == f"{instagram_sandbox.url}/ig-api-upload/v27.0/{created['id']}"
    before = caller.status(created["id"])
    assert before["video_status"]["uploading_phase"] == {"status": "not_started", "bytes_transferred": 0}
    caller.upload(created["id"], clip.read_bytes())
    instagram_sandbox.settle()
    during = caller.status(created["id"])
    assert during == {
        "id": created["id"],
        "status_code": "IN_PROGRESS",
        "status": "In Progress: Media is still being processed.",
        "video_status": {
            "uploading_phase": {
                "status": "complete",
                "bytes_transferred": clip.stat().st_size,
                "source_file_size": clip.stat().st_size,
            },
            "processing_phase": {"status": "in_progress"},
        },
    }
    instagram_sandbox.advance(5)
    assert caller.status(created["id"])["status"] == (
        "Finished: Media has been uploaded and it is ready to be published."
    )
    media_id = caller.publish(created["id"]).json()["id"]
    assert caller.status(created["id"])["status_code"] == "FINISHED"
    assert caller.get("me/media").json()["data"] == []
    instagram_sandbox.advance(10)
    assert caller.status(created["id"])["status_code"] == "PUBLISHED"
    assert caller.get("me/media").json()["data"] == [{"id": media_id}]


def test_every_documented_field_of_a_post_is_there(
    caller: Caller, instagram_sandbox: SandboxHandle, clip: Path
) -> None:
    media_id = caller.publish(caller.ready(clip, caption="fields", share_to_feed="false")).json()["id"]
    fields = "permalink,shortcode,caption,timestamp,media_type,media_product_type,media_url,thumbnail_url,"
    fields += "is_shared_to_feed,like_count,comments_count,username"
    post = caller.get(media_id, fields=fields).json()
    assert set(post) == set(fields.split(",")) | {"id"}
    assert (post["media_type"], post["media_product_type"], post["is_shared_to_feed"]) == ("VIDEO", "REELS", False)
    assert post["permalink"] == f"{instagram_sandbox.url}/reel/{post['shortcode']}/"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0000", post["timestamp"])


@pytest.mark.parametrize("way", ["form", "json", "query"])
def test_parameters_arrive_by_form_json_or_query(way: str, caller: Caller) -> None:
    params: dict[str, Any] = {"media_type": "REELS", "upload_type": "resumable", "caption": "ä & b"}
    if way == "json":
        body = {"json": params | {"collaborators": ["a"], "share_to_feed": True}}
    else:
        body = {"data" if way == "form" else "params": params | {"collaborators": '["a"]', "share_to_feed": "true"}}
    answer = caller.http.post(f"/v27.0/{caller.user_id}/media", **body)  # type: ignore[arg-type]
    assert answer.status_code == 200
    assert caller.sandbox.containers[0].caption == "ä & b"


@pytest.mark.parametrize(
    ("content", "kind"), [(b"{", "application/json"), (b"[]", "application/json"), (b"a", "text/plain")]
)
def test_a_body_that_cannot_be_read_is_refused(content: bytes, kind: str, caller: Caller) -> None:
    answer = caller.http.post(f"/v27.0/{caller.user_id}/media", content=content, headers={"Content-Type": kind})
    assert error_of(answer) == (400, 100, None)


def test_an_unfit_video_ends_in_error(caller: Caller, instagram_sandbox: SandboxHandle) -> None:
    container_id = caller.create(upload_type="resumable").json()["id"]
    caller.upload(container_id, b"no video at all, but some bytes")
    instagram_sandbox.advance(5)
    status = caller.status(container_id)
    assert (status["status_code"], status["status"]) == (
        "ERROR",
        "Error: Media upload has failed with error code 2207026",
    )
    assert status["video_status"]["processing_phase"]["status"] == "error"
    assert error_of(caller.publish(container_id)) == (400, 352, 2207026)
    assert instagram_sandbox.containers[0].reason == "the file is neither MP4 nor MOV"


def test_a_failed_phase_shows_in_the_video_status_alone(
    caller: Caller, instagram_sandbox: SandboxHandle, clip: Path
) -> None:
    instagram_sandbox.process_next(outcome="phase_error", subcode=2207076, after_s=0)
    status = caller.status(caller.reel(clip))
    assert status["status_code"] == "IN_PROGRESS"
    phase = status["video_status"]["processing_phase"]
    assert (phase["status"], phase["errors"][0]["code"]) == ("error", 2207076)


def test_a_failed_download_has_an_empty_status_code(caller: Caller, instagram_sandbox: SandboxHandle) -> None:
    instagram_sandbox.process_next(outcome="download_failed", after_s=0)
    container_id = caller.create(video_url="https://media.invalid/a.mp4").json()["id"]
    status = caller.status(container_id)
    assert (status["status_code"], status["status"]) == ("", "Error: Media download has failed.")
    assert status["video_status"] == {
        "uploading_phase": {
            "status": "error",
            "bytes_transferred": 0,
            "errors": [{"message": "Media download has failed."}],
        },
        "processing_phase": {"status": "not_started"},
    }
    instagram_sandbox.process_next(outcome="download_failed", after_s=0)
    upload = caller.create(upload_type="resumable").json()["id"]
    assert "None" not in caller.publish(upload).json()["error"]["error_user_msg"]


@pytest.mark.parametrize("phase", ["uploading", "processing"])
def test_an_error_can_be_in_either_phase(
    phase: str, caller: Caller, instagram_sandbox: SandboxHandle, clip: Path
) -> None:
    instagram_sandbox.process_next(outcome="phase_error", phase=phase, subcode=2207076, after_s=0)
    status = caller.status(caller.reel(clip))
    assert status["status_code"] == "IN_PROGRESS"
    other = {"uploading": ("processing", "not_started"), "processing": ("uploading", "complete")}[phase]
    assert status["video_status"][f"{other[0]}_phase"]["status"] == other[1]
    failed = status["video_status"][f"{phase}_phase"]
    assert (failed["status"], failed["errors"][0]["code"]) == ("error", 2207076)


def test_an_upload_that_failed_in_its_phase_needs_no_bytes(caller: Caller, instagram_sandbox: SandboxHandle) -> None:
    instagram_sandbox.process_next(outcome="phase_error", phase="uploading", subcode=2207053, after_s=0)
    status = caller.status(caller.create(upload_type="resumable").json()["id"])
    assert status["video_status"]["uploading_phase"]["status"] == "error"


def test_a_container_can_finish_after_a_number_of_polls(
    caller: Caller, instagram_sandbox: SandboxHandle, clip: Path
) -> None:
    instagram_sandbox.process_next(after_polls=3)
    container_id = caller.reel(clip)
    assert [caller.status(container_id)["status_code"] for _ in range(3)] == ["IN_PROGRESS", "IN_PROGRESS", "FINISHED"]


def test_a_container_expires_after_a_day(caller: Caller, instagram_sandbox: SandboxHandle, clip: Path) -> None:
    container_id = caller.ready(clip)
    instagram_sandbox.advance(86_400)
    assert caller.status(container_id)["status_code"] == "EXPIRED"
    assert error_of(caller.publish(container_id)) == (400, 24, 2207008)


def test_a_field_that_does_not_exist_is_refused(caller: Caller) -> None:
    container_id = caller.create(upload_type="resumable").json()["id"]
    answer = caller.get(container_id, fields="status_code,media_id")
    assert error_of(answer) == (400, 100, None)
    assert "nonexisting field (media_id)" in answer.json()["error"]["message"]


def test_ids_that_are_new_can_be_unknown_for_a_while(
    caller: Caller, instagram_sandbox: SandboxHandle, clip: Path
) -> None:
    instagram_sandbox.switch(fresh_id_unknown_s=30)
    container_id = caller.create(upload_type="resumable").json()["id"]
    assert error_of(caller.get(container_id)) == (400, 100, 33)
    instagram_sandbox.advance(30)
    caller.upload(container_id, clip.read_bytes())
    instagram_sandbox.advance(5)
    media_id = caller.publish(container_id).json()["id"]
    assert error_of(caller.get(media_id)) == (400, 100, 33)
    instagram_sandbox.advance(30)
    assert caller.get(media_id).json() == {"id": media_id}


def test_another_accounts_objects_do_not_exist(caller: Caller, instagram_sandbox: SandboxHandle, clip: Path) -> None:
    """Neither reading, publishing nor writing to another account is possible with one's own token."""
    container_id = caller.ready(clip)
    token = instagram_sandbox.add_account("17841400000000002", "second")
    other = {"Authorization": f"Bearer {token}"}
    for path in (container_id, f"{caller.user_id}/media"):
        assert error_of(caller.http.get(f"/v27.0/{path}", headers=other)) == (400, 100, 33)
    publish = {"creation_id": container_id}
    answer = caller.http.post("/v27.0/17841400000000002/media_publish", data=publish, headers=other)
    assert error_of(answer) == (400, 24, 2207006)
    assert instagram_sandbox.posts == []


def test_many_ids_are_read_at_once_and_count_one_by_one(caller: Caller, instagram_sandbox: SandboxHandle) -> None:
    instagram_sandbox.switch(calls_per_24_h=100, retired_for_new_apps="warn")
    ids = [caller.create(upload_type="resumable").json()["id"] for _ in range(3)]
    for path in ("/v27.0/", "/v27.0", "/"):
        answer = caller.http.get(path, params={"ids": ",".join(ids), "fields": "status_code"})
        assert {key: row["status_code"] for key, row in answer.json().items()} == dict.fromkeys(ids, "IN_PROGRESS")
    usage = answer.headers["X-Business-Use-Case-Usage"]
    assert '"call_count": 12' in usage


def test_the_media_list_has_pages_times_and_foreign_posts(caller: Caller, instagram_sandbox: SandboxHandle) -> None:
    ids = [instagram_sandbox.add_foreign_post(f"post {n}", age_s=1000 * (5 - n)) for n in range(5)]
    first = caller.get("me/media", fields="caption", limit=2).json()
    assert [row["caption"] for row in first["data"]] == ["post 4", "post 3"]
    second = caller.get("me/media", fields="caption", limit=2, after=first["paging"]["cursors"]["after"]).json()
    assert [row["caption"] for row in second["data"]] == ["post 2", "post 1"]
    following = caller.http.get(first["paging"]["next"]).json()
    assert following["data"] == second["data"]
    assert "next" not in caller.get("me/media", limit=5).json()["paging"]
    now = int(instagram_sandbox.now())
    assert [row["id"] for row in caller.get("me/media", since=now - 2500).json()["data"]] == [ids[4], ids[3]]
    assert [row["id"] for row in caller.get("me/media", until=now - 3500).json()["data"]] == [ids[1], ids[0]]
    between = caller.get("me/media", since=now - 4500, until=now - 1500).json()["data"]
    assert [row["id"] for row in between] == [ids[3], ids[2], ids[1]]


def test_pages_are_turned_in_both_directions(caller: Caller, instagram_sandbox: SandboxHandle) -> None:
    """Forward to the end and back to the beginning by the links, and by the cursors; an unknown cursor is refused."""
    for n in range(5):
        instagram_sandbox.add_foreign_post(f"{n}", age_s=1000 * (5 - n))
    page = caller.get("me/media", fields="caption", limit=2).json()
    assert "previous" not in page["paging"]
    seen = []
    for way in ("next", "next", "previous", "previous"):
        page = caller.http.get(page["paging"][way]).json()
        seen.append([row["caption"] for row in page["data"]])
    assert seen == [["2", "1"], ["0"], ["2", "1"], ["4", "3"]]
    assert set(page["paging"]) == {"cursors", "next"}
    last = caller.get("me/media", limit=2, after=page["paging"]["cursors"]["after"]).json()["paging"]["cursors"]
    assert caller.get("me/media", fields="caption", limit=1, before=last["before"]).json()["data"][0]["caption"] == "3"
    for cursors in ({"before": "1"}, {"after": "1"}, {"before": last["before"], "after": last["after"]}):
        assert error_of(caller.get("me/media", **cursors)) == (400, 100, None)


def test_a_token_in_a_query_comes_back_in_the_paging_link(caller: Caller, instagram_sandbox: SandboxHandle) -> None:
    """One more reason never to send it there."""
    for n in range(3):
        instagram_sandbox.add_foreign_post(f"post {n}")
    page = caller.get("me/media", limit=1, access_token=instagram_sandbox.token).json()
    assert instagram_sandbox.token in page["paging"]["next"]
    assert instagram_sandbox.token not in caller.get("me/media", limit=1).json()["paging"]["next"]


@pytest.mark.parametrize(("shape", "wrapped"), [("flat", False), ("data", True)])
def test_me_answers_in_the_real_or_the_documented_shape(
    shape: str, wrapped: bool, caller: Caller, instagram_sandbox: SandboxHandle
) -> None:
    instagram_sandbox.switch(me_answer=shape)
    body = caller.get("me", fields="user_id,username,account_type").json()
    row = body["data"][0] if wrapped else body
    assert (row["user_id"], row["username"], row["account_type"]) == (caller.user_id, "sandbox_studio", "BUSINESS")


def test_the_limit_shows_its_config_only_when_asked(caller: Caller) -> None:
    path = f"{caller.user_id}/content_publishing_limit"
    assert caller.get(path).json() == {"data": [{"quota_usage": 0}]}
    both = caller.get(path, fields="quota_usage,config").json()
    assert both == {"data": [{"quota_usage": 0, "config": {"quota_total": 100, "quota_duration": 86400}}]}


@pytest.mark.parametrize(
    ("version", "code"),
    [("v27.0", None), ("v26.0", None), ("v21.0", None), ("v18.0", 2635), ("v20.0", 2635), ("v99.0", 2500)],
)
def test_versions_are_supported_expired_or_unknown(version: str, code: int | None, caller: Caller) -> None:
    answer = caller.http.get(f"/{version}/me")
    assert (answer.status_code, answer.json().get("error", {}).get("code")) == (400 if code else 200, code)


@pytest.mark.parametrize(
    ("version", "day"),
    [
        ("v21.0", "2027-01-21"),
        ("v22.0", "2027-05-20"),
        ("v23.0", "2027-10-08"),
        ("v24.0", "2028-02-18"),
        ("v25.0", "2028-07-29"),
    ],
)
def test_a_version_expires_on_its_day(version: str, day: str, caller: Caller, instagram_sandbox: SandboxHandle) -> None:
    """Source: Meta, Graph API changelog. It answers until the last second before its day."""
    ends = datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp()
    instagram_sandbox.advance(ends - instagram_sandbox.now() - 60)
    token = instagram_sandbox.add_token(caller.user_id)
    headers = {"Authorization": f"Bearer {token}"}
    assert caller.http.get(f"/{version}/me", headers=headers).status_code == 200
    instagram_sandbox.advance(60)
    assert error_of(caller.http.get(f"/{version}/me", headers=headers)) == (400, 2635, None)
    assert caller.http.get("/v27.0/me", headers=headers).status_code == 200


def test_the_401st_container_of_a_day_is_refused(caller: Caller) -> None:
    codes = [caller.create(upload_type="resumable").status_code for _ in range(401)]
    assert codes == [200] * 400 + [400]


@pytest.mark.parametrize("children", ["{0}", '["{0}"]'], ids=["an id", "a list of one"])
def test_a_carousel_of_one_child_is_no_carousel(caller: Caller, children: str) -> None:
    child = caller.create(media_type="VIDEO", is_carousel_item="true", upload_type="resumable").json()["id"]
    answer = caller.create(media_type="CAROUSEL", children=children.format(child))
    assert error_of(answer) == (400, 100, 2207028)
    assert "at least 2 photos/videos" in answer.json()["error"]["error_user_msg"]


def test_nothing_else_exists(caller: Caller) -> None:
    assert error_of(caller.get("me/mentions")) == (400, 2500, None)
    assert error_of(caller.get("1")) == (400, 100, 33)
    assert error_of(caller.http.delete("/v27.0/1")) == (400, 100, 33)


def test_carousels_images_and_stories_are_posts_too(
    caller: Caller, instagram_sandbox: SandboxHandle, clip: Path
) -> None:
    children = []
    for _ in range(2):
        child = {"media_type": "VIDEO", "is_carousel_item": "true", "upload_type": "resumable"}
        children.append(caller.create(**child).json()["id"])
        caller.upload(children[-1], clip.read_bytes())
    instagram_sandbox.advance(5)
    carousel = caller.create(media_type="CAROUSEL", children=str(children).replace("'", '"')).json()["id"]
    instagram_sandbox.advance(5)
    assert error_of(caller.publish(children[0])) == (400, 100, None)
    media_id = caller.publish(carousel).json()["id"]
    assert caller.get(media_id, fields="media_type").json()["media_type"] == "CAROUSEL_ALBUM"
