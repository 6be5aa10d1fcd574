"""Check with ffprobe and the file's atoms whether Meta accepts a video.

Source of the rules: Meta, IG User Media reference, Reel specifications.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Literal

from instagram_sandbox.simulator.state import BAD_COVER_OFFSET, UNSUPPORTED, MediaFacts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MIN_FPS = 23
MAX_FPS = 60
MAX_COLUMNS = 1920
MAX_BIT_RATE = 25_000_000
MAX_SAMPLE_RATE_HZ = 48_000
MIN_ASPECT = Fraction(1, 100)
MAX_ASPECT = Fraction(10)
PROBE_LIMIT_S: Final = 60
DECODED_S: Final = "5"
_TOLERANCE_S = 0.05
_PARENTS = frozenset({b"moov", b"trak", b"edts"})
EDIT_LIST: Final = (
    "an edit list, which Meta's documentation rules out and Meta was seen to refuse. Remedy: encode the video with "
    "ffmpeg's options -use_editlist 0 -movflags +faststart+negative_cts_offsets"
)
CLOSED_GROUPS: Final = "encode it with closed ones, in libx265 with -x265-params open-gop=0"
NO_FFMPEG: Final = (
    "ffmpeg and ffprobe are not on the path: codecs, frame rate, bit rate and sound of videos are not checked, videos "
    "have no covers, and pictures are neither scaled nor converted to sRGB. Install ffmpeg."
)


@dataclass(frozen=True, slots=True)
class VideoRules:
    """The rules that differ from one kind of video to another."""

    min_s: float = 3.0
    max_s: float = 900.0
    max_bytes: int = 300_000_000
    edit_lists: Literal["refuse", "accept"] = "refuse"
    tail: Literal["refuse", "accept"] = "refuse"


STORY_MAX_S = 60.0
STORY_MAX_BYTES = 100_000_000


class UnfitVideoError(Exception):
    """The video breaks a rule."""


@dataclass(frozen=True, slots=True)
class Atom:
    """One box of an MP4 file: its type, and where it starts."""

    kind: bytes
    offset: int


def atoms(file: BinaryIO, start: int, end: int) -> Iterator[Atom]:
    """Yield the boxes between two offsets, including those inside boxes that can contain an edit list.

    :raises UnfitVideoError: A box is malformed or reaches beyond its parent.
    """
    at = start
    while at + 8 <= end:
        file.seek(at)
        header = file.read(16)
        size = int.from_bytes(header[:4], "big")
        kind = header[4:8]
        body = at + 8
        if size == 1:
            size = int.from_bytes(header[8:16], "big")
            body = at + 16
        elif size == 0:
            size = end - at
        if size < body - at or at + size > end:
            name = kind.decode("ascii", "backslashreplace")
            raise UnfitVideoError(f"the file is damaged or cut off: box {name} at byte {at}")
        yield Atom(kind, at)
        if kind in _PARENTS:
            yield from atoms(file, body, at + size)
        at += size


def has_ffmpeg() -> bool:
    """Return whether videos can be inspected, and pictures converted."""
    return shutil.which("ffmpeg") is not None and shutil.which("ffprobe") is not None


def check_atoms(path: Path, rules: VideoRules) -> str:
    """Check a file against the rules for its container format.

    :return: A warning of what is accepted although it is not documented, or nothing.
    :raises UnfitVideoError: The file is neither MP4 nor MOV, its index follows the media, it has an
        edit list, or bytes after its last box.
    """
    found: list[Atom] = []
    warning = ""
    with path.open("rb") as file:
        if path.stat().st_size < 16 or b"ftyp" not in file.read(12):
            raise UnfitVideoError("the file is neither MP4 nor MOV")
        try:
            found.extend(atoms(file, 0, path.stat().st_size))
        except UnfitVideoError:
            if rules.tail == "refuse" or not {b"moov", b"mdat"} <= {atom.kind for atom in found}:
                raise
            warning = "The file has bytes after its last box, which mean nothing."
    kinds = [atom.kind for atom in found]
    if b"moov" not in kinds or b"mdat" not in kinds:
        raise UnfitVideoError("the file has no index (moov) or no media (mdat)")
    if kinds.index(b"moov") > kinds.index(b"mdat"):
        raise UnfitVideoError("the index (moov) is not at the front of the file")
    if b"elst" not in kinds:
        return warning
    if rules.edit_lists == "refuse":
        raise UnfitVideoError(f"it has {EDIT_LIST}")
    return f"The video has {EDIT_LIST}."


def length_ms(path: Path) -> int:
    """Return the length that the head of an MP4 (``mvhd``) names, without ffprobe."""
    with path.open("rb") as file:
        at = next(
            (atom.offset for atom in atoms(file, 0, path.stat().st_size) if atom.kind == b"mvhd"),
            None,
        )
        if at is None:
            raise UnfitVideoError("the index has no head (mvhd)")
        file.seek(at + 8)
        body = file.read(36)
    scale, length = (body[20:24], body[24:32]) if body[:1] == b"\1" else (body[12:16], body[16:20])
    return 1000 * int.from_bytes(length, "big") // max(1, int.from_bytes(scale, "big"))


async def probe(path: Path) -> dict[str, Any]:
    """Read a file's streams with ffprobe.

    :raises UnfitVideoError: ffprobe cannot read the file.
    """
    out = await _run(
        "ffprobe", "-v", "error", "-protocol_whitelist", "file", "-show_streams", "-show_format", "-of", "json",
        f"file:{path}",
    )  # fmt: skip
    found: dict[str, Any] = json.loads(out)
    return found


async def check_gops(path: Path, video: dict[str, Any], cover: Path | None, at_ms: int) -> None:
    """Check that every group of pictures is closed, that is, that each sync sample is an IDR picture.

    One run of ffmpeg lists all packets (stream 0), lists those with an IDR picture (stream 1),
    decodes the beginning, and writes a frame of the video as JPEG.

    :raises UnfitVideoError: A sync sample is another kind of picture, which depends on earlier
        pictures, or a picture cannot be decoded.
    """
    source: tuple[str, ...] = ("-protocol_whitelist", "file", "-i", f"file:{path}")
    frame: tuple[str, ...] = ()
    if cover is not None:
        frame = (
            "-map",
            "1:v:0",
            "-frames:v",
            "1",
            "-vf",
            "scale='min(720,iw)':-2",
            "-q:v",
            "4",
            f"file:{cover}",
        )
        source += ("-ss", f"{at_ms / 1000:.3f}", *source)
    idr = "5" if video["codec_name"] == "h264" else "19|20"  # the NAL unit types of H.264 and HEVC
    try:
        listed = await _run(
            "ffmpeg", "-v", "error", "-xerror", "-y", *source, *(("-map", f"0:{video['index']}") * 2), "-c", "copy",
            "-bsf:v:1", f"filter_units=pass_types={idr}", "-f", "framecrc", "-",
            "-map", f"0:{video['index']}", "-t", DECODED_S, "-f", "null", "-", *frame,
        )  # fmt: skip
    except UnfitVideoError:
        if cover is None:
            raise
        # the last frame may begin before the cover's time
        await check_gops(path, video, None, at_ms)
        return
    lines = listed.splitlines()
    # other packets have flags
    sync_samples = sum(line.startswith(b"0,") and b"F=" not in line for line in lines)
    if sync_samples > sum(line.startswith(b"1,") for line in lines):
        raise UnfitVideoError(f"the video has open groups of pictures. Remedy: {CLOSED_GROUPS}")


async def _run(*command: str, may_complain: bool = True) -> bytes:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), PROBE_LIMIT_S)
    except BaseException:
        if process.returncode is None:
            process.kill()
            await process.wait()
        raise
    if process.returncode or (err and not may_complain):
        raise UnfitVideoError(
            f"{command[0]} cannot read the file: {err.decode(errors='replace').strip()[-200:]}"
        )
    return out


def check_size(size_bytes: int, duration_s: float, rules: VideoRules) -> None:
    """Check a video's size and length.

    :raises UnfitVideoError: It is too large, too short or too long.
    """
    if size_bytes > rules.max_bytes:
        raise UnfitVideoError(f"the file has {size_bytes} bytes, more than {rules.max_bytes}")
    if not rules.min_s - _TOLERANCE_S <= duration_s <= rules.max_s + _TOLERANCE_S:
        raise UnfitVideoError(
            f"the video lasts {duration_s:.2f} s, not {rules.min_s:.0f} to {rules.max_s:.0f} s"
        )


def check_streams(found: dict[str, Any], size_bytes: int, rules: VideoRules) -> MediaFacts:
    """Check what ffprobe found against the rules.

    :raises UnfitVideoError: The first rule that is broken.
    """
    video = _video_streams(found)
    audio = [s for s in found["streams"] if s["codec_type"] == "audio"]
    if not video:
        raise UnfitVideoError("the file has no video")
    duration_s = float(found["format"].get("duration", 0))
    check_size(size_bytes, duration_s, rules)
    width, height = _check_picture(video[0])
    bit_rate = int(video[0].get("bit_rate") or found["format"].get("bit_rate") or 0)
    if bit_rate > MAX_BIT_RATE:
        raise UnfitVideoError(f"the video has {bit_rate} bit/s, more than {MAX_BIT_RATE}")
    if audio:
        _check_sound(audio[0])
    # sound may continue after the last picture
    picture_s = float(video[0].get("duration") or duration_s)
    return MediaFacts(
        has_sound=bool(audio), duration_ms=round(picture_s * 1000), width=width, height=height
    )


def _video_streams(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        s
        for s in found["streams"]
        if s["codec_type"] == "video" and not s["disposition"].get("attached_pic")
    ]


def _check_picture(video: dict[str, Any]) -> tuple[int, int]:
    if video["codec_name"] not in {"h264", "hevc"}:
        raise UnfitVideoError(f"the video codec is {video['codec_name']}, neither H.264 nor HEVC")
    if video.get("pix_fmt") not in {"yuv420p", "yuvj420p", "yuv420p10le"}:
        raise UnfitVideoError(f"the pixel format is {video.get('pix_fmt')}, not 4:2:0")
    if video.get("field_order", "progressive") not in {"progressive", "unknown"}:
        raise UnfitVideoError("the video is interlaced")
    fps = Fraction(video["avg_frame_rate"]) if video["avg_frame_rate"] != "0/0" else Fraction(0)
    if not MIN_FPS - Fraction(1, 20) <= fps <= MAX_FPS + Fraction(1, 20):
        raise UnfitVideoError(
            f"the video has {float(fps):.2f} frames a second, not {MIN_FPS} to {MAX_FPS}"
        )
    width = int(video["width"])
    height = int(video["height"])
    rotation = next(
        (int(d["rotation"]) for d in video.get("side_data_list", []) if "rotation" in d), 0
    )
    if rotation % 180:
        width, height = height, width
    if width > MAX_COLUMNS:
        raise UnfitVideoError(f"the picture has {width} columns, more than {MAX_COLUMNS}")
    if not MIN_ASPECT <= Fraction(width, height) <= MAX_ASPECT:
        raise UnfitVideoError(f"the picture is {width}x{height}, outside 0.01:1 to 10:1")
    return width, height


def _check_sound(audio: dict[str, Any]) -> None:
    if audio["codec_name"] != "aac":
        raise UnfitVideoError(f"the audio codec is {audio['codec_name']}, not AAC")
    if int(audio["sample_rate"]) > MAX_SAMPLE_RATE_HZ:
        raise UnfitVideoError(
            f"the sound has {audio['sample_rate']} Hz, more than {MAX_SAMPLE_RATE_HZ}"
        )
    if int(audio["channels"]) > 2:
        raise UnfitVideoError(f"the sound has {audio['channels']} channels, not one or two")


async def inspect(
    path: Path, rules: VideoRules, cover: Path | None = None, at_ms: int = 0
) -> MediaFacts:
    """Return the facts about a video, and whether Meta accepts it.

    :param cover: Where a frame of the video is written as its cover; None if it has another one.
    :param at_ms: The frame's time, which must lie inside the video.
    :return: The facts, with Meta's subcode and a reason if the file is rejected.
    """
    try:
        warning = check_atoms(path, rules)
        video = None
        if has_ffmpeg():
            found = await probe(path)
            video = next(iter(_video_streams(found)), None)
            facts = check_streams(found, path.stat().st_size, rules)
        else:
            facts = MediaFacts(duration_ms=length_ms(path))
            warning = NO_FFMPEG
            check_size(path.stat().st_size, facts.duration_ms / 1000, rules)
        facts.warning = warning
        if at_ms >= facts.duration_ms:
            facts.subcode = BAD_COVER_OFFSET
            facts.reason = (
                f"thumb_offset {at_ms} ms is outside the video, which lasts {facts.duration_ms} ms"
            )
        elif video is not None:
            await check_gops(path, video, cover, at_ms)
    except (UnfitVideoError, asyncio.TimeoutError) as unfit:
        if cover is not None:
            cover.unlink(missing_ok=True)
        return MediaFacts(subcode=UNSUPPORTED, reason=str(unfit) or "the inspection took too long")
    return facts


async def is_whole_picture(path: Path) -> bool:
    """Return whether a JPEG can be decoded to its last row. Without ffmpeg, it counts as cut off."""
    command = (
        "ffmpeg",
        "-v",
        "error",
        "-protocol_whitelist",
        "file",
        "-f",
        "jpeg_pipe",
        "-i",
        f"file:{path}",
    )
    try:
        await _run(*command, "-f", "null", "-", may_complain=False)
    except (FileNotFoundError, UnfitVideoError, asyncio.TimeoutError):
        return False
    return True


async def convert_picture(path: Path, columns: int) -> str:
    """Scale a picture and convert it to sRGB, as Meta does, and return a warning if that failed."""
    made = path.with_suffix(".converted.jpg")
    try:
        await _run(
            "ffmpeg", "-v", "error", "-y", "-protocol_whitelist", "file", "-noautorotate", "-f", "jpeg_pipe", "-i",
            f"file:{path}",
            "-frames:v", "1", "-vf", f"scale={columns}:-2", "-pix_fmt", "yuvj420p", "-q:v", "2", f"file:{made}",
        )  # fmt: skip
    except FileNotFoundError:
        return NO_FFMPEG
    except (UnfitVideoError, asyncio.TimeoutError):
        return "ffmpeg could neither scale the picture nor convert it to sRGB: it stays as it is."
    made.replace(path)
    return ""
