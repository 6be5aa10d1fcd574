"""Pictures, carousels and stories by Meta's rules, in the default mode."""

from __future__ import annotations

import json
import re
import struct
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from PIL import ExifTags, Image, ImageCms

from sandbox.tests.integration.conftest import WebServer, serving

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sandbox.tests.integration.conftest import Caller


def status_of(client: Caller, **media: Any) -> tuple[str, str]:
    """Create a container, and return its status and why it was refused."""
    container_id = client.create(**media).json()["id"]
    client.sandbox.settle()
    return client.status(container_id)["status"], client.sandbox.containers[-1].reason


def test_a_picture_comes_back_with_its_url_and_alt_text(client: Caller, picture: WebServer) -> None:
    container_id = client.create(media_type="", image_url=picture.url, alt_text="A kite", caption="Up").json()["id"]
    media_id = client.publish(container_id).json()["id"]
    row = client.get(media_id, fields="media_type,media_product_type,media_url,alt_text,thumbnail_url").json()
    assert (row["media_type"], row["media_product_type"], row["alt_text"]) == ("IMAGE", "FEED", "A kite")
    assert "thumbnail_url" not in row
    assert client.http.get(row["media_url"]).content == picture.video


def refused(client: Caller, data: bytes, content_type: str = "image/jpeg") -> tuple[int, dict[str, Any], str]:
    """Try to create a container of a picture; return the HTTP status, the error, and what the journal says."""
    with serving(WebServer(data, content_type=content_type, status=200)) as server:
        answer = client.create(media_type="IMAGE", image_url=server.url)
    [entry] = client.sandbox.journal("create")
    assert client.sandbox.containers == []
    return answer.status_code, answer.json()["error"], entry.warnings[0]


@pytest.mark.parametrize(
    ("size", "options", "code", "subcode", "words"),
    [
        ("800x1100", (), 36003, 2207009, "outside 3:4 to 1.91:1"),
        ("1400x700", (), 36003, 2207009, "outside 3:4 to 1.91:1"),
        ("400x400", ("-c:v", "png", "-f", "image2"), 36001, 2207005, "not a JPEG (png)"),
    ],
    ids=["too tall", "too flat", "no JPEG"],
)
def test_a_picture_outside_metas_bounds_is_refused_on_create(
    client: Caller,
    make_picture: Callable[..., bytes],
    size: str,
    options: tuple[str, ...],
    code: int,
    subcode: int,
    words: str,
) -> None:
    status, error, warning = refused(client, make_picture(size, *options))
    assert (status, error["code"], error["error_subcode"]) == (400, code, subcode)
    assert words in warning


def test_the_refusal_of_a_shape_reads_like_metas(client: Caller, make_picture: Callable[..., bytes]) -> None:
    """To the letter, as authors of clients captured it."""
    _, error, _ = refused(client, make_picture("718x208"))
    assert error.pop("fbtrace_id")
    assert error == {
        "message": "The aspect ratio is not supported.",
        "type": "OAuthException",
        "code": 36003,
        "error_subcode": 2207009,
        "is_transient": False,
        "error_user_title": "Invalid aspect ratio",
        "error_user_msg": (
            "The submitted image with aspect ratio ('718/208',) cannot be published. Please submit an image with a "
            "valid aspect ratio."
        ),
    }


def test_a_picture_that_cannot_be_fetched_is_refused_on_create(client: Caller) -> None:
    answer = client.create(media_type="IMAGE", image_url="http://127.0.0.1:9/picture.jpg")
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["error_subcode"]) == (400, 9004, 2207052)
    assert error["message"] == "Only photo or video can be accepted as media type."
    assert error["error_user_msg"] == "The media could not be fetched from this uri: http://127.0.0.1:9/picture.jpg"


@pytest.mark.parametrize("size", ["810x1080", "900x1200"])
def test_a_picture_of_3_to_4_is_a_switch(client: Caller, make_picture: Callable[..., bytes], size: str) -> None:
    with serving(WebServer(make_picture(size), content_type="image/jpeg", status=200)) as server:
        assert client.create(media_type="IMAGE", image_url=server.url).status_code == 200
        assert "Remedy: crop it to 4:5" in client.sandbox.warnings[0]
        client.sandbox.switch(tallest_picture="4:5")
        assert client.create(media_type="IMAGE", image_url=server.url).json()["error"]["code"] == 36003


@pytest.mark.parametrize("size", ["320x320", "1440x1440", "1080x1350", "1080x566"])
def test_a_picture_at_the_edge_of_metas_bounds_is_taken(
    client: Caller, make_picture: Callable[..., bytes], size: str
) -> None:
    with serving(WebServer(make_picture(size), content_type="image/jpeg", status=200)) as server:
        assert status_of(client, media_type="IMAGE", image_url=server.url)[0].startswith("Finished")


def published(client: Caller, data: bytes, folder: Path) -> tuple[int, int, str]:
    """Publish a picture; return the columns, the rows and the colours of the one that the post shows."""
    with serving(WebServer(data, content_type="image/jpeg", status=200)) as server:
        container_id = client.create(media_type="IMAGE", image_url=server.url).json()["id"]
    media_id = client.publish(container_id).json()["id"]
    shown = folder / "shown.jpg"
    shown.write_bytes(client.http.get(client.get(media_id, fields="media_url").json()["media_url"]).content)
    entries = "stream=width,height,pix_fmt"
    command = ["ffprobe", "-v", "error", "-show_entries", entries, "-of", "json", str(shown)]
    [stream] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["streams"]
    return stream["width"], stream["height"], stream["pix_fmt"]


@pytest.mark.parametrize(
    ("size", "columns", "rows"), [("3024x3024", 1440, 1440), ("300x300", 320, 320), ("2000x1600", 1440, 1152)]
)
def test_a_picture_that_is_too_wide_or_too_narrow_is_scaled(
    client: Caller, make_picture: Callable[..., bytes], tmp_path: Path, size: str, columns: int, rows: int
) -> None:
    assert published(client, make_picture(size), tmp_path)[:2] == (columns, rows)
    assert client.sandbox.warnings == []


def test_the_colours_of_a_picture_are_converted(client: Caller, tmp_path: Path) -> None:
    """From CMYK, which printers' tools write."""
    source = tmp_path / "cmyk.jpg"
    Image.new("CMYK", (400, 400), (0, 200, 200, 0)).save(source)
    assert published(client, source.read_bytes(), tmp_path) == (400, 400, "yuvj420p")
    red, green, _ = Image.open(tmp_path / "shown.jpg").tobytes()[:3]
    assert red > 200 > 100 > green


def wide_profile(note: bytes) -> bytes:
    """Return an ICC profile with the primaries of Display P3 and a plain gamma of 2.2."""
    gamma = struct.pack(">4s4xIHxx", b"curv", 1, round(2.2 * 256))
    parts = {b"desc": struct.pack(">4s4xI10s80x", b"desc", 10, b"Wide test\0"), b"cprt": b"text\0\0\0\0" + note + b"\0"}
    colours = {"w": (0.9642, 1.0, 0.8249), "r": (0.5151, 0.2412, -0.0011), "g": (0.292, 0.6922, 0.0419)}
    for name, place in (colours | {"b": (0.1571, 0.0666, 0.7841)}).items():
        numbers = struct.pack(">4s4x3i", b"XYZ ", *(round(value * 65_536) for value in place))
        parts |= {b"wtpt": numbers} if name == "w" else {name.encode() + b"XYZ": numbers, name.encode() + b"TRC": gamma}
    body, table = b"", struct.pack(">I", len(parts))
    for tag, part in parts.items():
        table += struct.pack(">4sII", tag, 132 + 12 * len(parts) + len(body), len(part))
        body += part + bytes(-len(part) % 4)
    white = (round(value * 65_536) for value in colours["w"])
    kind = (0x02400000, b"mntr", b"RGB ", b"XYZ ", b"acsp")
    head = struct.pack(">I4xI4s4s4s12x4s28x3i48x", 128 + len(table) + len(body), *kind, *white)
    return head + table + body


@pytest.mark.parametrize("note", [b"CC0", b"Wider than sRGB"])
def test_the_colours_of_a_profile_are_converted_to_srgb(client: Caller, tmp_path: Path, note: bytes) -> None:
    """As a telephone's Display P3: its half red is a redder one in sRGB, and the post has no profile of its own."""
    source = tmp_path / "wide.jpg"
    Image.new("RGB", (400, 400), (150, 60, 60)).save(source, icc_profile=wide_profile(note), quality=95)
    assert published(client, source.read_bytes(), tmp_path)[:2] == (400, 400)
    shown = Image.open(tmp_path / "shown.jpg")
    assert "icc_profile" not in shown.info
    red, green, _ = shown.tobytes()[:3]
    assert red > 158
    assert green < 57
    assert client.sandbox.warnings == []


def test_a_profile_that_cannot_be_converted_is_named(client: Caller, tmp_path: Path) -> None:
    source = tmp_path / "odd.jpg"
    Image.new("RGB", (400, 400)).save(source, icc_profile=b"no profile at all" * 20)
    assert published(client, source.read_bytes(), tmp_path)[:2] == (400, 400)
    [warning] = client.sandbox.warnings
    assert "because Pillow cannot convert it. Remedy: convert it before." in warning
    assert "install" not in warning


def test_a_picture_with_a_profile_and_too_many_pixels_is_taken_as_it_is(client: Caller, tmp_path: Path) -> None:
    """Its head says 400 million, which Pillow refuses to open."""
    source = tmp_path / "vast.jpg"
    Image.new("RGB", (400, 400)).save(source, icc_profile=wide_profile(b"CC0"))
    size, vast = (struct.pack(">HH", side, side) for side in (400, 20_000))
    data = source.read_bytes().replace(b"\xff\xc0\x00\x11\x08" + size, b"\xff\xc0\x00\x11\x08" + vast)
    data += bytes(500_000)  # as many as so many pixels need at least
    with serving(WebServer(data, content_type="image/jpeg", status=200)) as server:
        assert client.create(media_type="IMAGE", image_url=server.url).status_code == 200
    assert "stays as it is" in client.sandbox.warnings[0]


@pytest.mark.parametrize("version", [2, 4])
def test_a_picture_in_srgb_stays_as_it_is(client: Caller, tmp_path: Path, version: int) -> None:
    """By the name of its profile, in the letters of either version of ICC."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    if version == 2:
        profile = wide_profile(b"CC0").replace(b"Wide test\0", b"sRGB test\0")
    source = tmp_path / "usual.jpg"
    Image.new("RGB", (400, 400), (150, 60, 60)).save(source, icc_profile=profile)
    published(client, source.read_bytes(), tmp_path)
    assert (tmp_path / "shown.jpg").read_bytes() == source.read_bytes()


def test_a_picture_that_breaks_off_is_refused_on_create(client: Caller, make_picture: Callable[..., bytes]) -> None:
    whole = make_picture()
    for length in (500, len(whole) // 2, len(whole) - 20):
        client.sandbox.reset()
        status, error, warning = refused(client, whole[:length])
        assert (status, error["code"], error["error_subcode"]) == (400, 36001, 2207005), length
        assert "damaged or cut off" in warning


def test_two_bytes_that_are_missing_are_a_warning_and_strict_refuses_them(
    client: Caller, make_picture: Callable[..., bytes], tmp_path: Path
) -> None:
    """The end mark: every pixel is there."""
    assert published(client, make_picture()[:-2], tmp_path)[:2] == (1080, 1080)
    assert "no end mark" in client.sandbox.warnings[0]
    client.sandbox.reset()
    client.sandbox.switch(harmless_damage="refuse")
    assert refused(client, make_picture()[:-2])[1]["code"] == 36001


def test_a_picture_that_claims_more_than_its_bytes_hold_is_refused(
    client: Caller, make_picture: Callable[..., bytes]
) -> None:
    whole = make_picture()
    head = b"\xff\xc0\x00\x11\x08"
    assert whole.count(head) == 1
    at = whole.index(head) + len(head)
    status, error, warning = refused(client, whole[:at] + struct.pack(">HH", 65_500, 65_500) + whole[at + 4 :])
    assert (status, error["code"]) == (400, 36001)
    assert "damaged or cut off" in warning


@pytest.mark.parametrize("most", [8_388_608, 8_000_000])
def test_a_picture_over_8_mib_is_refused_and_over_8_mb_is_a_switch(
    client: Caller, make_picture: Callable[..., bytes], most: int
) -> None:
    """Meta's page of error codes says 8 MiB, its reference 8 MB."""
    client.sandbox.switch(**({"max_picture_bytes": most} if most == 8_000_000 else {}))
    whole = make_picture()
    with serving(WebServer(whole + bytes(most - len(whole)), content_type="image/jpeg", status=200)) as server:
        assert client.create(media_type="IMAGE", image_url=server.url).status_code == 200
        server.video += b"0"
        error = client.create(media_type="IMAGE", image_url=server.url).json()["error"]
    assert (error["code"], error["error_subcode"]) == (36000, 2207004)
    assert error["message"] == "The image size is too large."
    assert f"more than {most} bytes" in client.sandbox.warnings[0]


@pytest.mark.parametrize(
    ("fate", "code", "subcode"),
    [
        ({"outcome": "error", "subcode": 2207052}, 9004, 2207052),
        ({"outcome": "error", "subcode": 2207009}, 36003, 2207009),
        ({"outcome": "download_failed"}, 9004, 2207052),
    ],
    ids=["a link", "a shape", "download failed"],
)
def test_the_planned_failure_of_a_picture_is_answered_on_create(
    client: Caller, picture: WebServer, fate: dict[str, Any], code: int, subcode: int
) -> None:
    """As every refusal of a picture is."""
    client.sandbox.process_next(**fate)
    answer = client.create(media_type="IMAGE", image_url=picture.url)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["error_subcode"]) == (400, code, subcode)
    expected = f"The media could not be fetched from this uri: {picture.url}"
    assert error["error_user_msg"] == expected or code == 36003
    assert client.sandbox.containers == []


@pytest.mark.parametrize(("size", "shown"), [((400, 320), (400, 320)), ((2000, 1600), (1440, 1152))])
def test_the_orientation_that_a_camera_notes_is_ignored(
    client: Caller, tmp_path: Path, size: tuple[int, int], shown: tuple[int, int]
) -> None:
    """Nobody knows what Meta does: here, the rows and columns count as they are stored."""
    on_its_side = Image.Exif()
    on_its_side[ExifTags.Base.Orientation] = 6
    source = tmp_path / "turned.jpg"
    Image.new("RGB", size).save(source, exif=on_its_side)
    assert published(client, source.read_bytes(), tmp_path)[:2] == shown
    assert "turned or mirrored, by its EXIF data" in client.sandbox.warnings[0]


def test_the_link_of_a_medium_ends(client: Caller, picture: WebServer) -> None:
    media_id = client.publish(client.create(media_type="IMAGE", image_url=picture.url).json()["id"]).json()["id"]
    url = client.get(media_id, fields="media_url").json()["media_url"]
    client.sandbox.advance(86_000)
    assert client.http.get(url).content == picture.video
    client.sandbox.advance(500)
    ended = client.http.get(url)
    assert (ended.status_code, ended.text) == (403, "URL signature expired")
    assert client.http.get(client.get(media_id, fields="media_url").json()["media_url"]).content == picture.video


def test_the_link_of_a_video_with_anothers_sound_is_withheld(client: Caller, clip: Path) -> None:
    """Meta's changelog, 2026-07-30; also of one's own, and of one with which a match was found."""
    client.sandbox.process_next(copyright="match", after_s=0)
    matched = client.publish(client.reel(clip)).json()["id"]
    plain = client.publish(client.reel(clip)).json()["id"]
    rows = {one: client.get(one, fields="media_url,thumbnail_url").json() for one in (matched, plain)}
    assert set(rows[matched]) == {"id", "thumbnail_url"}
    assert set(rows[plain]) == {"id", "thumbnail_url", "media_url"}


def test_a_carousels_children_can_be_read(client: Caller, picture: WebServer, web: WebServer) -> None:
    """The children are media of their own; they are in no list, and they have no comments."""
    image = client.create(media_type="IMAGE", is_carousel_item="true", image_url=picture.url, alt_text="One")
    video = client.create(media_type="VIDEO", is_carousel_item="true", video_url=web.url)
    client.sandbox.settle()
    ids = [image.json()["id"], video.json()["id"]]
    whole = client.create(media_type="CAROUSEL", children=",".join(ids), caption="Two").json()["id"]
    client.sandbox.settle()
    media_id = client.publish(whole).json()["id"]
    children = client.get(f"{media_id}/children", fields="media_type,alt_text,media_url,username").json()["data"]
    assert [(child["media_type"], child.get("alt_text")) for child in children] == [("IMAGE", "One"), ("VIDEO", None)]
    assert client.http.get(children[1]["media_url"]).content == web.video
    assert client.get(children[0]["id"], fields="media_type").json()["media_type"] == "IMAGE"
    assert client.get(f"{children[0]['id']}/insights", metric="views").json()["error"]["code"] == 100
    assert [row["id"] for row in client.get("me/media").json()["data"]] == [media_id]
    assert client.sandbox.truth.per_container[whole] == 1
    assert client.get("me/content_publishing_limit").json()["data"][0]["quota_usage"] == 1


def test_a_carousel_of_pictures_is_published_without_a_look(client: Caller, picture: WebServer) -> None:
    ids = [client.create(media_type="IMAGE", is_carousel_item="true", image_url=picture.url).json()["id"] for _ in "ab"]
    whole = client.create(media_type="CAROUSEL", children=",".join(ids)).json()["id"]
    assert client.publish(whole).status_code == 200


def test_the_page_shows_a_carousel_that_turns(client: Caller, picture: WebServer) -> None:
    ids = [client.create(media_type="IMAGE", is_carousel_item="true", image_url=picture.url).json()["id"] for _ in "ab"]
    client.publish(client.create(media_type="CAROUSEL", children=",".join(ids)).json()["id"])
    post = client.sandbox.posts[0]
    text = client.http.get(post.permalink).text
    assert all(f'src="/media/{child}.jpg"' in text for child in post.children)
    assert "data-turn" in text


def test_the_number_of_children_is_a_switch(client: Caller, picture: WebServer) -> None:
    ids = [
        client.create(media_type="IMAGE", is_carousel_item="true", image_url=picture.url).json()["id"]
        for _ in range(11)
    ]
    carousel = {"media_type": "CAROUSEL", "children": ",".join(ids)}
    assert client.create(**carousel).json()["error"]["error_subcode"] == 2207028
    client.sandbox.switch(carousel_max=20)
    assert client.create(**carousel).status_code == 200


@pytest.mark.parametrize("kind", ["IMAGE", "VIDEO"])
def test_a_story_is_shown_for_24_hours_in_a_list_of_its_own(
    client: Caller, picture: WebServer, web: WebServer, kind: str
) -> None:
    source = {"image_url": picture.url} if kind == "IMAGE" else {"video_url": web.url}
    container_id = client.create(media_type="STORIES", **source).json()["id"]
    client.sandbox.settle()
    media_id = client.publish(container_id).json()["id"]
    assert client.get("me/media").json()["data"] == []
    (shown,) = client.get("me/stories", fields="media_type,media_product_type,permalink").json()["data"]
    permalink = shown.pop("permalink")
    assert shown == {"id": media_id, "media_type": kind, "media_product_type": "STORY"}
    assert re.fullmatch(rf"{client.sandbox.url}/stories/sandbox_studio/\d+", permalink)
    assert client.sandbox.posts[0].permalink == permalink
    assert client.http.get(permalink).status_code == 200
    assert 'class="ring"' in client.http.get("/").text
    client.sandbox.advance(86_400)
    assert client.get("me/stories").json()["data"] == []
    assert client.get(media_id).json()["error"]["error_subcode"] == 33


@pytest.mark.parametrize("caption", ["", "Not shown anywhere"])
def test_a_storys_caption_is_ignored(client: Caller, picture: WebServer, caption: str) -> None:
    container_id = client.create(media_type="STORIES", image_url=picture.url, caption=caption).json()["id"]
    media_id = client.publish(container_id).json()["id"]
    assert "caption" not in client.get(media_id, fields="caption").json()
    assert len(client.sandbox.warnings) == bool(caption)


def test_a_creator_posts_no_story_but_by_a_switch(client: Caller, picture: WebServer) -> None:
    client.sandbox.change_account(client.user_id, account_type="MEDIA_CREATOR")
    story = {"media_type": "STORIES", "image_url": picture.url}
    assert client.create(**story).json()["error"]["code"] == 10
    client.sandbox.switch(story_by_creator="accept")
    assert client.create(**story).status_code == 200


@pytest.mark.parametrize(("seconds", "fine"), [(2, False), (3, True), (60, True), (62, False)])
def test_a_storys_video_has_3_to_60_seconds(
    client: Caller, make_clip: Callable[..., Path], seconds: int, fine: bool
) -> None:
    clip = make_clip(size="90x160", fps="25", seconds=seconds)
    with serving(WebServer(clip.read_bytes())) as server:
        status, reason = status_of(client, media_type="STORIES", video_url=server.url)
    assert status.startswith("Finished") is fine, reason


def test_a_storys_video_has_at_most_100_mb(client: Caller, clip: Path) -> None:
    with serving(WebServer(clip.read_bytes(), announced=100_000_001)) as server:
        assert "100000000 bytes" in status_of(client, media_type="STORIES", video_url=server.url)[1]


def test_a_post_is_deleted_with_facebook_login_alone(client: Caller, facebook: Caller, clip: Path) -> None:
    media_id = client.publish(client.reel(clip, caption="Gone soon")).json()["id"]
    assert client.http.delete(f"/v27.0/{media_id}").json()["error"]["code"] == 100
    no_right = facebook.sandbox.add_token(facebook.user_id, kind="page", scopes=["instagram_basic"])
    headers = {"Authorization": f"Bearer {no_right}"}
    assert facebook.http.delete(f"/v27.0/{media_id}", headers=headers).json()["error"]["code"] == 200
    assert facebook.http.delete(f"/v27.0/{media_id}").json() == {"success": True}
    assert client.get(media_id).json()["error"]["error_subcode"] == 33
    assert client.get("me/media").json()["data"] == []
    assert client.sandbox.posts == []


def test_collaborators_answer_and_a_name_that_is_none_is_refused(client: Caller, facebook: Caller, clip: Path) -> None:
    media_id = client.publish(client.reel(clip, collaborators='["a_friend", "another"]')).json()["id"]
    client.sandbox.answer_invite(media_id, "another", "Declined")
    rows = facebook.get(f"{media_id}/collaborators").json()["data"]
    assert [(row["username"], row["invite_status"]) for row in rows] == [
        ("a_friend", "Pending"),
        ("another", "Declined"),
    ]
    assert client.get(f"{media_id}/collaborators").json()["error"]["code"] == 100
    refused = client.create(upload_type="resumable", collaborators='["not a name"]').json()["error"]
    assert (refused["code"], refused["error_subcode"]) == (110, 2207018)
