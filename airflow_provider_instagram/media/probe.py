"""Read the properties of a video: ffprobe's streams and packets, and the boxes of an MP4."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.media.boxes import Mp4Layout, read_layout
from airflow_provider_instagram.media.info import Audio, Video, VideoInfo
from airflow_provider_instagram.media.kind import FIRST_BOXES
from airflow_provider_instagram.media.packets import Timeline, read_timelines
from airflow_provider_instagram.media.process import ProcessLimits, run
from airflow_provider_instagram.utils.local_files import ends_with, regular_file

if TYPE_CHECKING:
    from airflow_provider_instagram.utils.time_limit import Cancel

#: The allowed containers. None of them can refer to another file, unlike playlists and scripts.
FORMATS: Final = "mov,mp4,matroska,webm,avi,mpegts,mpeg,flv,asf,mxf,ogg,gif"
MAX_SIDE: Final = 8192
ONLY_THIS_FILE: Final = {
    "format_whitelist": FORMATS,
    "protocol_whitelist": "file",
    "max_pixels": MAX_SIDE**2,
}
#: A file that is made to keep ffprobe busy is given up after 4 s of processor time. A busy machine,
#: or a slow disk, may take longer for a good one.
HEADER_LIMITS: Final = ProcessLimits(wall_s=30, cpu_s=4, memory_bytes=1024**3)
SLOWEST_DISK_BYTES_PER_S: Final = 20_000_000
MAX_DURATION_S: Final = 7200.0
#: Containers whose files can be concatenated byte by byte.
CONCATENABLE: Final = ("mpegts", "mpeg")
#: How far timestamps may step from one frame to the next: back for B-frames, forward for missing
#: frames.
LARGEST_STEP_BACK_S: Final = -1.0
LARGEST_STEP_FORWARD_S: Final = 10.0
#: How a GIF ends: the end of its last block, then the trailer. Source: GIF89a, 16 and 27.
GIF_END: Final = b"\x00\x3b"
#: What ffprobe prints of a file, of its container or of one of its streams.
Properties: TypeAlias = dict[str, Any]
LOCATION_WORDS: Final = ("location", "gps", "xmp", "geo")


def probe(path: Path, *, ffprobe: str = "ffprobe", cancel: Cancel | None = None) -> VideoInfo:
    """Read the properties of a file, without decoding it.

    :raises ValidationError: If the file is missing, empty, not a regular file, not a video,
        incomplete, or too large.
    """
    path = path.absolute()
    status = regular_file(path)
    if status.st_size == 0:
        raise ValidationError(f"{path} is empty.", hint="Export or copy it again.")
    header = _read_header(path, ffprobe, cancel)
    video, audio = _played_streams(path, header)
    _check_bounds(path, video, header["format"])
    container = header["format"]["format_name"]
    layout = _whole_layout(path, header) if "mp4" in container else None
    more_s = status.st_size / SLOWEST_DISK_BYTES_PER_S
    packet_limits = replace(
        HEADER_LIMITS, wall_s=HEADER_LIMITS.wall_s + more_s, cpu_s=HEADER_LIMITS.cpu_s + int(more_s)
    )
    timelines, complaint = read_timelines(
        path,
        [stream["index"] for stream in (video, audio) if stream],
        _ffprobe(ffprobe, path),
        packet_limits,
        cancel,
        starts_at_zero=layout is not None and layout.shows_hidden,
    )
    _check_frames(path, container, timelines[video["index"]])
    if audio and not timelines[audio["index"]].count:
        audio = None
    info = VideoInfo(
        path=path,
        size_bytes=status.st_size,
        modified_ns=status.st_mtime_ns,
        container=container,
        start_s=min(timelines[stream["index"]].start_s for stream in (video, audio) if stream),
        video=_video(video, timelines[video["index"]]),
        audio=_audio(audio, timelines[audio["index"]]) if audio else None,
        extra_streams=_extra_streams(header, video, audio),
        location_tags=_location_tags(header, layout),
        layout=layout,
    )
    _check_completeness(info, header["format"], complaint)
    return info


def _played_streams(path: Path, header: Properties) -> tuple[Properties, Properties | None]:
    """Return the video stream and the audio stream that players choose."""
    streams = _streams(header)
    videos = [
        s
        for s in streams
        if s["codec_type"] == "video" and not s.get("disposition", {}).get("attached_pic")
    ]
    audios = [s for s in streams if s["codec_type"] == "audio"]
    if not videos:
        raise ValidationError(
            f"{path} has no video stream.",
            hint="Use a video file. This one may be music or a picture.",
        )
    return _default_stream(videos), _default_stream(audios) if audios else None


def _streams(header: Properties) -> list[Properties]:
    return [stream for stream in header.get("streams", []) if "codec_type" in stream]


def _extra_streams(
    header: Properties, video: Properties, audio: Properties | None
) -> tuple[str, ...]:
    return tuple(
        f"{s['codec_type']} {s.get('codec_name') or s.get('codec_tag_string', '')}".strip()
        for s in _streams(header)
        if s is not video and s is not audio
    )


def _check_frames(path: Path, container: str, timeline: Timeline) -> None:
    """Check that there are frames, that a GIF is a complete animation, and that the file is one recording."""
    if not timeline.count:
        raise ValidationError(
            f"{path} has a video stream without frames.", hint="Export or copy it again."
        )
    if container == "gif" and not ends_with(path, GIF_END):
        raise _truncated(path, "the GIF has no trailer")
    if container == "gif" and timeline.count == 1:
        raise ValidationError(
            f"{path} is not a video: the GIF has a single frame.",
            hint="Use an animated GIF, or export it as a JPEG or PNG.",
        )
    # Concatenated recordings have timestamps of their own, so that they would overlap.
    if (
        container in CONCATENABLE
        and not LARGEST_STEP_BACK_S < timeline.largest_step_s < LARGEST_STEP_FORWARD_S
    ):
        raise ValidationError(
            f"{path} contains several recordings: its timestamps jump by {timeline.largest_step_s:+.1f} s.",
            hint="Rewrite the timestamps first: ffmpeg -i FILE -c copy FILE.mkv",
        )


def _whole_layout(path: Path, header: Properties) -> Mp4Layout:
    layout = read_layout(path)
    if layout.missing_bytes:
        raise _truncated(path, f"{layout.missing_bytes} bytes are missing at the end")
    return layout.ordered_as([int(stream.get("id", "0"), 16) for stream in header["streams"]])


def _ffprobe(ffprobe: str, path: Path) -> list[str]:
    command = [ffprobe, "-v", "error"]
    for name, value in ONLY_THIS_FILE.items():
        command += [f"-{name}", str(value)]
    return [*command, "-i", f"file:{path}"]


def _read_header(path: Path, ffprobe: str, cancel: Cancel | None) -> Properties:
    finished = run(
        [*_ffprobe(ffprobe, path), "-show_format", "-show_streams", "-of", "json"],
        HEADER_LIMITS,
        cancel=cancel,
    )
    if finished.timed_out:
        raise ValidationError(
            f"{path} could not be read within {HEADER_LIMITS.wall_s:g} s.",
            hint="The file is damaged or malicious, or this machine is overloaded.",
        )
    if not finished.ok:
        if "moov atom not found" in finished.stderr and _begins_like_mp4(path):
            raise _truncated(path, "its index is missing")
        complaint = finished.complaint.replace(f"file:{path}: ", "")
        if finished.crashed:
            raise ValidationError(
                f"{ffprobe} crashed when it read {path} ({complaint}).",
                hint="If the video plays, install another build of ffmpeg.",
            )
        # each other file lacks it
        says = "" if "moov atom not found" in complaint else f" ffprobe says: {complaint}."
        hint = f"Use a video file, or export this one again.{says}"
        raise ValidationError(f"{path} is not a video, or is damaged.", hint=hint)
    header: Properties = json.loads(finished.stdout)
    return header


def _begins_like_mp4(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8)[4:] in FIRST_BOXES


def _truncated(path: Path, why: str) -> ValidationError:
    return ValidationError(
        f"{path} is truncated: {why}.", hint="Copy or export the whole file again."
    )


def _default_stream(streams: list[Properties]) -> Properties:
    """Return the stream that players choose: the default one, or else the first."""
    return next((s for s in streams if s.get("disposition", {}).get("default")), streams[0])


def _check_bounds(path: Path, video: Properties, container: Properties) -> None:
    columns = video.get("width", 0)
    rows = video.get("height", 0)
    if "codec_name" not in video:
        raise ValidationError(
            f"{path} has an unknown video codec ({video.get('codec_tag_string', 'no name')}).",
            hint="Export it as H.264. Copy-protected videos cannot be used.",
        )
    if not columns or not rows:
        raise ValidationError(
            f"{path} has no frame size, or a side of more than {MAX_SIDE} pixels.",
            hint="Export it again.",
        )
    if max(columns, rows) > MAX_SIDE:
        raise ValidationError(
            f"{path} has {columns}x{rows} pixels; the limit is {MAX_SIDE} per side.",
            hint="Make it smaller.",
        )
    if (duration_s := float(container.get("duration", 0))) > MAX_DURATION_S:
        raise ValidationError(
            f"{path} has a duration of {duration_s:.0f} s; the limit is {MAX_DURATION_S:.0f} s.",
            hint="Shorten it first.",
        )


def _check_completeness(info: VideoInfo, container: Properties, complaint: str) -> None:
    claimed_s = float(container.get("duration", 0))
    if info.layout and info.layout.shows_hidden:
        claimed_s = 0.0  # the duration includes hidden packets, even twice
    if info.duration_s < claimed_s * 0.98 - 0.5:
        raise _truncated(
            info.path, f"its duration is {claimed_s:.2f} s, but it contains {info.duration_s:.2f} s"
        )
    if any(words in complaint for words in ("ended prematurely", "partial file", "Truncat")):
        raise _truncated(info.path, complaint.rpartition("] ")[2])


def _video(stream: Properties, timeline: Timeline) -> Video:
    sample_aspect_ratio = _ratio(stream.get("sample_aspect_ratio", "1:1").replace(":", "/"))
    matrices = [data for data in stream.get("side_data_list", []) if "displaymatrix" in data]
    crops = [data for data in stream.get("side_data_list", []) if "crop_top" in data]
    turns = [float(data["rotation"]) for data in matrices if "rotation" in data]
    return Video(
        index=stream["index"],
        codec=stream["codec_name"],
        columns=stream["width"] - _cropped(crops, "left") - _cropped(crops, "right"),
        rows=stream["height"] - _cropped(crops, "top") - _cropped(crops, "bottom"),
        is_cropped=bool(crops),
        sample_aspect_ratio=sample_aspect_ratio or Fraction(1),
        rotation=round(-turns[0] / 90) * 90 % 360 if turns else 0,
        is_upright=all(_is_upright(data["displaymatrix"]) for data in matrices),
        pixel_format=stream.get("pix_fmt", ""),
        interlaced=stream.get("field_order", "progressive") in ("tt", "bb", "tb", "bt"),
        full_range=stream.get("color_range") == "pc",
        matrix=_known_value(stream, "color_space"),
        transfer=_known_value(stream, "color_transfer"),
        primaries=_known_value(stream, "color_primaries"),
        nominal_fps=_ratio(stream.get("r_frame_rate", "0/1")),
        timeline=timeline,
    )


def _cropped(crops: list[dict[str, int]], side: str) -> int:
    return sum(crop[f"crop_{side}"] for crop in crops)


def _is_upright(matrix: str) -> bool:
    """Return whether a display matrix, which ffprobe prints in three lines, only moves or scales."""
    across, down = (line.partition(":")[2].split() for line in matrix.strip().splitlines()[:2])
    return int(across[0]) > 0 and int(down[1]) > 0 and across[1] == down[0] == "0"


def _audio(stream: Properties, timeline: Timeline) -> Audio:
    return Audio(
        index=stream["index"],
        codec=stream.get("codec_name", "unknown"),
        profile=stream.get("profile", ""),
        sample_rate_hz=int(stream.get("sample_rate", 0)),
        channels=stream.get("channels", 0),
        timeline=timeline,
    )


def _known_value(stream: Properties, name: str) -> str:
    value: str = stream.get(name, "")
    return "" if value in ("unknown", "reserved") else value


def _ratio(text: str) -> Fraction:
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        return Fraction(0)


def _location_tags(header: Properties, layout: Mp4Layout | None) -> tuple[str, ...]:
    found = set(layout.location_boxes if layout else ())
    for owner in (header["format"], *header.get("streams", [])):
        for tag in owner.get("tags", {}):
            if any(word in tag.lower() for word in LOCATION_WORDS):
                found.add(tag)
    return tuple(sorted(found))
