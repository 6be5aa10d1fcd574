"""The plan for a video or a picture: the cheapest tier of work that makes it comply, and the reasons."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final, Literal

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.media.geometry import Layout, is_close, picture_layout, video_layout
from airflow_provider_instagram.media.info import UPRIGHT, Audio, PictureInfo, Video, VideoInfo
from airflow_provider_instagram.media.spec import (
    DEFAULTS,
    Fit,
    Options,
    PictureSpec,
    Trim,
    VideoSpec,
)

if TYPE_CHECKING:
    from airflow_provider_instagram.media.boxes import Mp4Layout

Tier = Literal["pass", "remux", "audio", "full"]
TIERS: Final[tuple[Tier, ...]] = ("pass", "remux", "audio", "full")
#: Containers without presentation timestamps, whose frames cannot be copied in the right order.
NO_DISPLAY_TIMES: Final = ("avi", "mpeg")

#: Thresholds of the warnings: an enlargement by this factor, and this lost share of the picture or
#: the frame.
ENLARGED: Final = 1.05
LOST: Final = 0.2
#: Players and containers round a duration to whole audio frames, up to 43 ms.
DURATION_SLACK_S: Final = 0.05
#: Audio that exceeds the video by this much is kept, and the last frame is held. A shorter excess
#: is padding.
HOLD_LAST_FRAME_S: Final = 0.5
#: The highest ratio between the durations of a frame and its neighbours that still counts as
#: regular.
MAX_FRAME_RATIO: Final = 1.5
#: Video and audio that start further apart than this are synchronised, in seconds.
SYNC_S: Final = 0.005
#: A container without edit lists plays what an AAC encoder put before the audio: up to three
#: packets, in seconds.
MAX_PRIMING_S: Final = 0.07
#: The most samples that AAC encoders put before the audio, and that players skip.
PRIMING_SAMPLES: Final = 2112
#: How the formats of pictures are called, unless as Pillow names them.
FORMAT_NAMES: Final = {"MPO": "a JPEG with several pictures (MPO)", "HEIF": "HEIC", "WEBP": "WebP"}


@dataclass(frozen=True, slots=True)
class Reason:
    """A rule that a source breaks.

    :param finding: The property of the source, and what the rule requires.
    :param needs: The cheapest tier that fixes it.
    """

    rule: str
    finding: str
    needs: Tier = "full"

    def __str__(self) -> str:
        return f"{self.rule}: {self.finding} (needs {self.needs})"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do with a source.

    :param tier: ``pass``: nothing · ``remux``: copy the streams into a clean MP4 · ``audio``: the
        same, but with new audio · ``full``: encode everything.
    :param reasons: The rules that the source breaks. Empty for ``pass``.
    :param duration_s: The duration of a video's result, in seconds. 0 for a picture.
    """

    tier: Tier
    reasons: tuple[Reason, ...]
    warnings: tuple[str, ...]
    duration_s: float = 0.0


def plan_video(info: VideoInfo, spec: VideoSpec, options: Options = DEFAULTS) -> Plan:
    """Find the cheapest way to make a video comply.

    :raises ValidationError: If no encoding can make the video comply, because it is too short, or
        too long and must not be cut.
    """
    duration_s = _allowed_duration_s(info, spec, options.trim)
    reasons = (
        *_limit_reasons(info, spec),
        *_container_reasons(info),
        *_video_reasons(info.video, spec),
        *_frame_rate_reasons(info.video, spec),
        *_audio_reasons(info),
        *_sync_reasons(info),
    )
    if _tier(reasons) == "remux":
        reasons = (*reasons, *_packet_grid_reasons(info))
    tier = _tier(reasons)
    return Plan(tier, reasons, tuple(_video_warnings(info, spec, tier, options.fit)), duration_s)


def plan_picture(info: PictureInfo, spec: PictureSpec, fit: Fit = "pad") -> Plan:
    """Find out whether a picture complies. If it does not, a new JPEG is made."""
    reasons = tuple(_picture_reasons(info, spec))
    return Plan(
        _tier(reasons), reasons, tuple(_picture_warnings(info, spec, fit)) if reasons else ()
    )


def _tier(reasons: tuple[Reason, ...]) -> Tier:
    return TIERS[max((TIERS.index(reason.needs) for reason in reasons), default=0)]


def _allowed_duration_s(info: VideoInfo, spec: VideoSpec, trim: Trim) -> float:
    lasts = f"{info.path} lasts {info.duration_s:.2f} s"
    if info.duration_s < spec.min_duration_s - 0.001:
        raise ValidationError(
            f"{lasts}. A video for {spec.name} lasts {spec.min_duration_s:g} s or more.",
            hint="Use a longer video.",
        )
    if info.duration_s > spec.max_duration_s + DURATION_SLACK_S and trim == "error":
        raise ValidationError(
            f"{lasts}. A video for {spec.name} lasts {spec.max_duration_s:g} s at most.",
            hint='Shorten the video, or use trim="end" to cut off its end.',
        )
    picture_s = info.video.timeline.end_s - info.start_s
    overhang_s = info.duration_s - picture_s
    is_padding = overhang_s < HOLD_LAST_FRAME_S and picture_s >= spec.min_duration_s
    return min(picture_s if is_padding else info.duration_s, spec.max_duration_s)


def _limit_reasons(info: VideoInfo, spec: VideoSpec) -> Iterator[Reason]:
    if info.duration_s > spec.max_duration_s + 0.001:
        yield Reason("duration", f"{info.duration_s:.2f} s is more than {spec.max_duration_s:g} s")
    if info.size_bytes > spec.max_size_bytes:
        yield Reason("size", f"{info.size_bytes:,} bytes is more than {spec.max_size_bytes:,}")


def _container_reasons(info: VideoInfo) -> Iterator[Reason]:
    """Source: Meta, IG User media reference: moov first, no edit lists; the specification: MP4 and not MOV."""
    layout = info.layout
    if layout is None or layout.brand == "qt":
        name = info.container.split(",")[0].upper()
        keeps_times = info.container not in NO_DISPLAY_TIMES
        yield Reason("container", f"{name} is not MP4", "remux" if keeps_times else "full")
    if layout is not None:
        if layout.fragmented:
            yield Reason("index", "the index is spread over the file (fragmented MP4)", "remux")
        elif not layout.moov_first:
            yield Reason("index", "the index comes after the media (moov after mdat)", "remux")
        if any(track.edits for track in layout.tracks):
            yield Reason("edit list", "the file has an edit list", "remux")
            yield from _edit_list_reasons(info, layout)
    if info.extra_streams:
        yield Reason("extra tracks", ", ".join(info.extra_streams), "remux")
    if info.location_tags:
        yield Reason(
            "location",
            f"the metadata may reveal where it was filmed ({', '.join(info.location_tags)})",
            "remux",
        )


def _edit_list_reasons(info: VideoInfo, layout: Mp4Layout) -> Iterator[Reason]:
    """Yield what an edit list hides. Hidden frames must not be copied, because a clean MP4 would show them."""
    for stream in (info.video, info.audio):
        if stream is None or stream.index >= len(layout.tracks):
            continue
        track = layout.tracks[stream.index]
        shown = stream.timeline
        word = "frames"
        hidden = max(track.samples - shown.count, shown.hidden)
        needs: Tier = "full"
        if isinstance(stream, Audio):
            word = "audio packets"
            needs = "audio"
            if stream.codec.startswith("pcm_"):
                hidden = shown.hidden  # the track counts samples, not packets
            elif track.start_s <= PRIMING_SAMPLES / (stream.sample_rate_hz or 1) + SYNC_S:
                # the last one is filled up by the encoder
                hidden = track.samples - shown.count - shown.hidden - 1
        if track.is_rearranged:
            yield Reason("edit list", f"the edit list rearranges the {word}", needs)
        elif track.edits and hidden > 0:
            yield Reason("edit list", f"the edit list hides {hidden} {word}", needs)


def _sync_reasons(info: VideoInfo) -> Iterator[Reason]:
    """Yield a reason if video and audio are not in sync when each is copied from its own start."""
    if info.audio is None:
        return
    held_s = info.audio.timeline.end_s - info.video.timeline.end_s
    if held_s >= HOLD_LAST_FRAME_S:
        yield Reason("audio length", f"the video ends {held_s:.1f} s before the audio")
    late_s = info.audio.timeline.start_s - info.video.timeline.start_s
    delayed_s = _delay_s(info, info.video.index) - _delay_s(info, info.audio.index)
    if late_s > SYNC_S:
        yield Reason("sync", f"the audio starts {late_s * 1000:.0f} ms after the video", "audio")
    elif -late_s > MAX_PRIMING_S or delayed_s > SYNC_S:
        yield Reason("sync", f"the video starts {-late_s * 1000:.0f} ms after the audio")


def _packet_grid_reasons(info: VideoInfo) -> Iterator[Reason]:
    """Yield a reason if a copy, which can only drop whole audio packets, would shift the audio against the video."""
    if info.audio is None:
        return
    first_s = info.video.timeline.start_s
    audio = info.audio.timeline
    early_s = first_s - audio.first_timestamps_s[audio.packets_before(first_s)]
    if early_s > SYNC_S or (audio.start_s < first_s and early_s < -SYNC_S):
        yield Reason(
            "sync", f"copied audio packets would be {early_s * -1000:+.0f} ms out of sync", "audio"
        )


def _delay_s(info: VideoInfo, index: int) -> float:
    """Return by how much an edit list delays a track, in seconds."""
    tracks = info.layout.tracks if info.layout else ()
    return tracks[index].delay_s if index < len(tracks) else 0.0


def _video_reasons(video: Video, spec: VideoSpec) -> Iterator[Reason]:
    if video.codec != "h264":
        yield Reason("video codec", f"{video.codec} is not H.264")
    if video.pixel_format != "yuv420p":
        yield Reason(
            "pixel format",
            f"{video.pixel_format or 'unknown'} is not 8-bit 4:2:0 (yuv420p)",
        )
    if video.interlaced:
        yield Reason("interlacing", "the video is interlaced")
    if video.rotation:
        yield Reason("rotation", f"the frames are stored rotated by {video.rotation} degrees")
    elif not video.is_upright:
        yield Reason("rotation", "the frames are stored mirrored or skewed")
    if video.is_cropped:
        yield Reason("cropping", "players crop the edges of the stored frames")
    if video.sample_aspect_ratio != 1:
        yield Reason(
            "sample aspect ratio",
            f"the pixels are {float(video.sample_aspect_ratio):.3f}:1, not square",
        )
    if not any(is_close(video.aspect_ratio, Fraction(*frame), spec) for frame in spec.frames):
        yield Reason("aspect ratio", f"{video.columns}x{video.rows} is not {spec.aspect_ratios()}")
    if not spec.min_columns <= video.columns <= spec.max_columns:
        yield Reason(
            "columns",
            f"{video.columns} is not between {spec.min_columns} and {spec.max_columns}",
        )
    if video.timeline.bits_per_s > spec.max_video_bps:
        finding = f"{video.timeline.bits_per_s / 1e6:.2f} Mb/s is more than {spec.max_video_bps / 1e6:g} Mb/s"
        yield Reason("bit rate", finding)
    if video.timeline.open_gop:
        yield Reason("closed GOP", "some frames depend on frames before their keyframe")
    if video.is_hdr or video.primaries == "bt2020":
        yield Reason("colours", f"the colours are {video.transfer}, {video.primaries}, not bt709")


def _frame_rate_reasons(video: Video, spec: VideoSpec) -> Iterator[Reason]:
    rate = video.timeline.rate
    if not float(spec.min_fps) * 0.999 <= rate <= float(spec.max_fps) * 1.001:
        finding = (
            f"{rate:.2f} fps is not between {float(spec.min_fps):g} and {float(spec.max_fps):g} fps"
        )
        yield Reason("frame rate", finding)
    elif video.timeline.longest_s > MAX_FRAME_RATIO / float(spec.min_fps):
        yield Reason(
            "frame rate", f"one frame is shown for {video.timeline.longest_s * 1000:.0f} ms"
        )


def _audio_reasons(info: VideoInfo) -> Iterator[Reason]:
    audio = info.audio
    if audio is None:
        yield Reason("audio", "the video has no audio track", "audio")
        return
    if audio.codec != "aac" or audio.profile not in ("LC", ""):
        yield Reason(
            "audio codec", f"{audio.codec} {audio.profile}".strip() + " is not AAC-LC", "audio"
        )
    if audio.channels not in (1, 2):
        yield Reason("channels", f"{audio.channels} channels are not mono or stereo", "audio")
    if audio.sample_rate_hz not in (44_100, 48_000):
        yield Reason(
            "sample rate", f"{audio.sample_rate_hz} Hz is not 44,100 or 48,000 Hz", "audio"
        )


def _video_warnings(info: VideoInfo, spec: VideoSpec, tier: Tier, fit: Fit) -> Iterator[str]:
    """Yield what will reduce the quality of the result. Source: the specification, "Best Practices"."""
    if info.audio is None:
        yield "The video has no audio. The result gets a silent track."
    if info.duration_s > spec.recommended_max_duration_s:
        yield (
            f"The video lasts {info.duration_s:.0f} s. Instagram shows videos under "
            f"{spec.recommended_max_duration_s:g} s more widely."
        )
    if tier != "full":
        return
    yield from layout_warnings(
        video_layout(info.video, spec, fit), f" {spec.aspect_ratios()} fills the frame."
    )


def layout_warnings(layout: Layout, remedy: str = "") -> Iterator[str]:
    """Yield what of a picture is lost, by a crop, bars or an enlargement."""
    if layout.enlarged > ENLARGED:
        yield f"The picture is enlarged {layout.enlarged:.1f} times and will look soft."
    if layout.lost > LOST:
        yield f"{layout.lost:.0%} of the picture is cropped away."
    if layout.bars > LOST:
        yield f"Bars will fill {layout.bars:.0%} of the frame.{remedy}"


def _picture_reasons(info: PictureInfo, spec: PictureSpec) -> Iterator[Reason]:
    if info.format != "JPEG":
        yield Reason("format", f"{FORMAT_NAMES.get(info.format, info.format)} is not JPEG")
    if info.orientation != UPRIGHT:
        yield Reason("orientation", f"EXIF's orientation is {info.orientation}, not upright")
    if info.location_tags:
        finding = f"the metadata may reveal where it was taken ({', '.join(info.location_tags)})"
        yield Reason("location", finding)
    if info.has_extra_data:
        yield Reason("extra data", "the file goes on after the picture, as a motion photo does")
    if info.format in ("JPEG", "MPO") and info.mode != "RGB":
        yield Reason("colour space", f"{'grey' if info.mode == 'L' else info.mode} is not sRGB")
    if not info.is_srgb:
        yield Reason("colour profile", f"{info.colour_profile or 'the colour profile'} is not sRGB")
    if info.has_alpha:
        yield Reason("alpha", "parts may be transparent")
    if not spec.is_allowed(info.aspect_ratio):
        finding = (
            f"{info.columns}x{info.rows} ({info.aspect_ratio:.2f}:1) is not {spec.aspect_ratios()}"
        )
        yield Reason("aspect ratio", finding)
    if not spec.min_columns <= info.columns <= spec.max_columns:
        yield Reason(
            "columns",
            f"{info.columns} is not between {spec.min_columns} and {spec.max_columns}",
        )
    if info.size_bytes > spec.max_size_bytes:
        yield Reason("size", f"{info.size_bytes:,} bytes is more than {spec.max_size_bytes:,}")


def _picture_warnings(info: PictureInfo, spec: PictureSpec, fit: Fit) -> Iterator[str]:
    if info.frames > 1:
        yield f"The file contains {info.frames} pictures. The result shows the first."
    yield from layout_warnings(picture_layout(info, spec, fit))
