"""Real files made by ffmpeg against the rules for reels. Source: Meta, IG User Media reference, 2026-09."""

from __future__ import annotations

import asyncio
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from instagram_sandbox.simulator import media
from instagram_sandbox.simulator.inspections import Inspections
from instagram_sandbox.simulator.media import VideoRules

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from instagram_sandbox.simulator.state import MediaFacts
    from instagram_sandbox.testing.handle import SandboxHandle
    from sandbox.tests.integration.conftest import Caller

HEVC = ("-c:v", "libx265", "-x265-params", "log-level=error:open-gop=0", "-tag:v", "hvc1")
FIT: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "H.264 in MP4": ((), {}),
    "H.264 in MOV": ((), {"name": "clip.mov"}),
    "HEVC": (HEVC, {}),
    "without sound": ((), {"audio": False}),
    "60 frames a second": ((), {"fps": "60"}),
    "23.976 frames a second": ((), {"fps": "24000/1001"}),
    "exactly 3 s": ((), {"seconds": 3}),
    "landscape": ((), {"size": "320x180"}),
    "0.01:1": ((), {"size": "16x1600"}),
    "15 min": (("-g", "2000"), {"size": "32x32", "fps": "23", "seconds": 900, "audio": False}),
    "B-frames": (("-preset", "medium"), {}),
}
UNFIT: dict[str, tuple[tuple[str, ...], dict[str, Any], str]] = {
    "index at the end": (("-movflags", "negative_cts_offsets"), {}, "not at the front"),
    "edit list": (("-movflags", "+faststart", "-use_editlist", "1"), {}, "edit list"),
    "too short": ((), {"seconds": 2}, "lasts 2.0"),
    "15 frames a second": ((), {"fps": "15"}, "15.00 frames a second"),
    "120 frames a second": ((), {"fps": "120"}, "120.00 frames a second"),
    "too wide": ((), {"size": "1922x64"}, "1922 columns"),
    "too flat": ((), {"size": "672x64"}, "outside 0.01:1 to 10:1"),
    "too narrow": ((), {"size": "16x1602"}, "outside 0.01:1 to 10:1"),
    "too long": (("-g", "2000"), {"size": "32x32", "fps": "23", "seconds": 901, "audio": False}, "lasts 901.0"),
    "over 25 Mb/s": (
        ("-vf", "noise=alls=100:allf=t", "-qp", "4"),
        {"size": "480x854", "seconds": 3},
        "more than 25000000",
    ),
    "4:4:4": (("-pix_fmt", "yuv444p"), {}, "yuv444p, not 4:2:0"),
    "MPEG-4 part 2": (("-c:v", "mpeg4"), {}, "mpeg4, neither"),
    "interlaced": (("-preset", "medium", "-x264-params", "tff=1", "-flags", "+ildct+ilme"), {}, "interlaced"),
    "open groups": (("-preset", "medium", "-x264-params", "open-gop=1:keyint=20:bframes=3"), {}, "open groups"),
    "sound not AAC": (("-c:a", "libmp3lame"), {}, "mp3, not AAC"),
    "96 kHz": (("-ar", "96000"), {}, "96000 Hz"),
    "six channels": (("-ac", "6"), {}, "6 channels"),
    "Matroska": ((), {"name": "clip.mkv"}, "neither MP4 nor MOV"),
}


@pytest.mark.parametrize("kind", FIT)
def test_a_fit_video_finishes(
    kind: str, caller: Caller, make_clip: Callable[..., Path], instagram_sandbox: SandboxHandle
) -> None:
    options, settings = FIT[kind]
    container_id = caller.ready(make_clip(*options, **settings))
    assert instagram_sandbox.containers[0].reason == ""
    assert caller.status(container_id)["status_code"] == "FINISHED"


@pytest.mark.parametrize("kind", UNFIT)
def test_an_unfit_video_is_refused_for_its_own_cause(
    kind: str, caller: Caller, make_clip: Callable[..., Path], instagram_sandbox: SandboxHandle
) -> None:
    options, settings, says = UNFIT[kind]
    container_id = caller.ready(make_clip(*options, **settings))
    assert says in instagram_sandbox.containers[0].reason
    assert caller.status(container_id)["status"] == "Error: Media upload has failed with error code 2207026"


def test_a_video_that_cannot_be_decoded_is_refused(
    caller: Caller, clip: Path, instagram_sandbox: SandboxHandle, tmp_path: Path
) -> None:
    """Its boxes and its index are whole, but a byte of every 700 is another one."""
    data = bytearray(clip.read_bytes())
    for at in range(data.index(b"mdat") + 700, len(data), 700):
        data[at] ^= 0xFF
    (broken := tmp_path / "broken.mp4").write_bytes(data)
    caller.ready(broken)
    assert instagram_sandbox.containers[0].reason.startswith("ffmpeg cannot read the file: ")


def test_bytes_after_the_last_box_are_taken_with_a_warning(client: Caller, clip: Path, tmp_path: Path) -> None:
    (longer := tmp_path / "longer.mp4").write_bytes(clip.read_bytes() + b"x" * 20_000)
    assert client.status(client.reel(longer))["status_code"] == "FINISHED"
    assert "after its last box" in client.sandbox.warnings[0]
    client.sandbox.switch(harmless_damage="refuse")
    assert client.status(client.reel(longer))["status_code"] == "ERROR"


def test_a_rotated_video_is_measured_as_it_is_shown(
    caller: Caller, make_clip: Callable[..., Path], instagram_sandbox: SandboxHandle, tmp_path: Path
) -> None:
    """Ten times as high as wide by its pixels, but a quarter turn makes it ten times as wide: too flat by a little."""
    upright, turned = make_clip(size="64x672"), tmp_path / "turned.mp4"
    flat = ["-c", "copy", "-movflags", "+faststart+negative_cts_offsets", "-use_editlist", "0"]
    command = ["ffmpeg", "-v", "error", "-display_rotation", "90", "-i", str(upright), *flat, str(turned)]
    subprocess.run(command, check=True)
    caller.reel(upright)
    caller.reel(turned)
    assert [container.reason for container in instagram_sandbox.containers] == [
        "",
        "the picture is 672x64, outside 0.01:1 to 10:1",
    ]


@pytest.mark.parametrize(("keep", "says"), [(0.5, "cut off"), (0, "")])
def test_a_truncated_file_is_refused(
    keep: float, says: str, caller: Caller, clip: Path, instagram_sandbox: SandboxHandle, tmp_path: Path
) -> None:
    data = clip.read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(data[: int(len(data) * keep)] or b"\0")
    container_id = caller.ready(cut)
    assert caller.status(container_id)["status_code"] == "ERROR"
    assert says in instagram_sandbox.containers[0].reason


@pytest.mark.parametrize(("offset", "state"), [(3999, "FINISHED"), (4000, "ERROR")])
def test_the_cover_offset_is_held_against_the_real_duration(
    offset: int, state: str, caller: Caller, clip: Path
) -> None:
    status = caller.status(caller.ready(clip, thumb_offset=offset))
    assert status["status_code"] == state
    assert (" 2207057" in status["status"]) is (state == "ERROR")


def test_300_mb_are_the_most(caller: Caller, instagram_sandbox: SandboxHandle) -> None:
    """Refused by what is announced, before a byte is read."""
    container_id = caller.create(upload_type="resumable").json()["id"]
    body = caller.upload(container_id, b"", headers={"file_size": "300000001"}).json()["debug_info"]
    assert (body["type"], "300000000" in body["message"]) == ("ProcessingFailedError", True)
    body = caller.upload(container_id, b"", headers={"file_size": "300000000"}).json()["debug_info"]
    assert body["type"] == "PartialRequestError"


def test_what_plain_ffmpeg_writes_is_published_with_a_warning(client: Caller, tmp_path: Path) -> None:
    """It has edit lists, for the B-frames and for the priming of the sound. The strict mode refuses them."""
    plain = tmp_path / "plain.mp4"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=180x320:rate=30:duration=4"]
    command += ["-f", "lavfi", "-i", "sine=duration=4", "-c:v", "libx264", "-c:a", "aac", "-movflags", "+faststart"]
    subprocess.run([*command, "-pix_fmt", "yuv420p", str(plain)], check=True)
    container_id = client.reel(plain)
    assert client.publish(container_id).status_code == 200
    [warning] = client.sandbox.warnings
    assert warning.startswith("upload: The video has an edit list")
    assert "-use_editlist 0" in warning
    assert "-use_editlist 0" in client.http.get("/").text


@pytest.mark.parametrize("options", [(), ("-bf", "0"), ("-bf", "0", "-g", "12")], ids=" ".join)
def test_a_video_with_cuts_has_closed_groups_as_libx264_writes_them(
    make_clip: Callable[..., Path], options: tuple[str, ...]
) -> None:
    """At a cut, libx264 writes an I-frame: a new group, or one within the group, which the index does not list."""
    cuts = ("-vf", "negate=enable='lt(mod(t,0.7),0.3)'", "-preset", "medium")
    video = make_clip(*cuts, *options)
    shown = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "frame=pict_type", "-of", "csv=p=0"]
    frames = subprocess.run([*shown, str(video)], check=True, capture_output=True, text=True).stdout
    assert frames.count("I") > 4, "there are no cuts"
    assert asyncio.run(media.inspect(video, VideoRules())).subcode is None


def test_without_ffmpeg_the_boxes_of_a_video_are_checked_all_the_same(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    facts = asyncio.run(media.inspect(clip, VideoRules()))
    assert (facts.subcode, facts.warning) == (None, media.NO_FFMPEG)
    assert facts.duration_ms == pytest.approx(4000, abs=50)
    assert "more than 1000" in asyncio.run(media.inspect(clip, VideoRules(max_bytes=1000))).reason
    assert "lasts 4.0" in asyncio.run(media.inspect(clip, VideoRules(max_s=2))).reason


def test_a_file_over_the_limit_is_not_taken(caller: Caller, clip: Path, instagram_sandbox: SandboxHandle) -> None:
    instagram_sandbox.switch(max_video_bytes=1000)
    container_id = caller.create(upload_type="resumable").json()["id"]
    body = caller.upload(container_id, clip.read_bytes()).json()["debug_info"]
    assert (body["type"], "file_size" in body["message"]) == ("ProcessingFailedError", True)


def test_a_fit_video_is_inspected_once_and_each_container_has_its_cover(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second time, there is no ffprobe. The same video under other rules is inspected, and so is another one."""
    inspections, rules = Inspections(), VideoRules()

    def inspect(video: Path, rules: VideoRules, cover: str) -> MediaFacts:
        return asyncio.run(inspections.inspect(video, rules, tmp_path / cover, 0))

    facts = inspect(clip, rules, "first.jpg")
    assert (facts.subcode, facts.duration_ms) == (None, 4000)
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "copy.mp4").write_bytes(clip.read_bytes())
    assert inspect(tmp_path / "copy.mp4", rules, "second.jpg") == facts
    assert (tmp_path / "second.jpg").read_bytes() == (tmp_path / "first.jpg").read_bytes()
    (tmp_path / "other.mp4").write_bytes(clip.read_bytes() + b"\0\0\0\x08free")
    for other, its_rules in ((clip, VideoRules(max_s=900.5)), (tmp_path / "other.mp4", rules)):
        assert inspect(other, its_rules, "third.jpg").warning == media.NO_FFMPEG
