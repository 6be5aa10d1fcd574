"""The ffmpeg command of a plan."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING, Any, Final

import ffmpeg

from airflow_provider_instagram.media.geometry import Geometry, frame_rate, geometry
from airflow_provider_instagram.media.probe import ONLY_THIS_FILE, Video, VideoInfo

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_instagram.media.plan import Plan
    from airflow_provider_instagram.media.spec import VideoSpec

SAMPLE_RATE_HZ: Final = 48_000
#: Samples in a packet of AAC, and what ffmpeg's encoder puts before the first sample of the sound.
AAC_PACKET: Final = 1024
PRESET: Final = "medium"
#: A file that is made without edit lists: pictures get negative offsets instead, sound has its priming cut off before.
MUXER: Final = {"f": "mp4", "brand": "mp42", "movflags": "+faststart+negative_cts_offsets", "use_editlist": 0}
NO_METADATA: Final = {"map_metadata": -1, "map_chapters": -1}
BITEXACT: Final = {"fflags": "+bitexact"}


@dataclass(frozen=True, slots=True)
class Encoding:
    """The numbers of a full encoding.

    :param layout: Where the picture goes.
    :param fps: Its frame rate.
    :param frames: How many frames it has.
    :param video_bps: The mean bit rate to aim at, in bits a second.
    :param peak_bps: The highest bit rate, in bits a second.
    :param buffer_bits: How far it may be exceeded for a moment.
    """

    layout: Geometry
    fps: Fraction
    frames: int
    video_bps: int
    peak_bps: int
    buffer_bits: int

    @property
    def duration_s(self) -> float:
        """How long the result lasts, in seconds."""
        return float(self.frames / self.fps)

    @property
    def last_sample(self) -> int:
        """Where the sound ends: with its last whole packet before the picture's end."""
        return int(self.duration_s * SAMPLE_RATE_HZ) // AAC_PACKET * AAC_PACKET


def encoding(info: VideoInfo, spec: VideoSpec, plan: Plan) -> Encoding:
    """Solve the numbers of a full encoding.

    :param info: The source.
    :param spec: The rules and targets.
    :param plan: What to do.
    :return: The numbers.
    """
    fps = frame_rate(info.video, spec)
    frames = min(ceil(round(plan.duration_s * fps, 3)), floor(spec.max_duration_s * fps))
    duration_s = float(frames / fps)
    room_bps = int(spec.max_size_bytes * 0.97 * 8 / duration_s) - spec.target_audio_bps
    limit_bps = min(spec.max_video_bps, room_bps)
    mean_bps = min(spec.target_video_bps, int(limit_bps * 0.92))
    peak_bps = int(limit_bps * 0.95)
    buffer_bits = int(min(peak_bps * 2, (limit_bps - peak_bps) * duration_s))
    return Encoding(geometry(info.video, spec, plan.fit), fps, frames, mean_bps, peak_bps, buffer_bits)


def full(info: VideoInfo, spec: VideoSpec, plan: Plan, output: Path) -> list[str]:
    """The command that encodes all of it.

    :param info: The source.
    :param spec: The rules and targets.
    :param plan: What to do.
    :param output: The file to write.
    :return: The arguments of ffmpeg.
    """
    numbers = encoding(info, spec, plan)
    source = ffmpeg.input(f"file:{info.path}", **ONLY_THIS_FILE)
    picture = _picture(source[str(info.video.index)], info.video, numbers, plan)
    sound = _sound(source, info, numbers)
    options = {
        **_x264(numbers),
        "c:a": "aac",
        "b:a": spec.target_audio_bps,
        "ar": SAMPLE_RATE_HZ,
        **NO_METADATA,
        **BITEXACT,
        **MUXER,
    }
    return arguments(ffmpeg.output(picture, sound, f"file:{output}", **options))


def arguments(stream: Any) -> list[str]:
    """The arguments of ffmpeg for an output, with its progress on standard output and only errors on the other."""
    progress = ("-progress", "pipe:1", "-stats_period", "0.5", "-nostats")
    words: list[str] = stream.global_args("-nostdin", "-v", "error", *progress).overwrite_output().get_args()
    return words


def _picture(stream: Any, video: Video, numbers: Encoding, plan: Plan) -> Any:
    frame, picture = numbers.layout.frame, numbers.layout.picture
    stream = stream.filter("fps", fps=str(numbers.fps), start_time=0)
    colours = {
        "in_color_matrix": video.matrix if video.matrix in SWSCALE_MATRICES else _usual_matrix(video),
        "out_color_matrix": "bt709",
        "in_range": "pc" if video.full_range else "tv",
        "out_range": "tv",
    }
    if picture != frame and plan.fit == "blur":
        stream = _over_blurred_copy(stream, numbers, colours)
    else:
        stream = stream.filter("scale", picture.columns, picture.rows, flags="bicubic", **colours)
        if picture != frame and plan.fit == "crop":
            stream = stream.filter("crop", frame.columns, frame.rows)
        elif picture != frame:
            stream = stream.filter("pad", frame.columns, frame.rows, -1, -1, color=plan.background)
    return (
        stream.filter("setsar", 1)
        .filter("format", "yuv420p")
        .filter("setparams", range="tv", color_primaries="bt709", color_trc="bt709", colorspace="bt709")
        .filter("tpad", stop=-1, stop_mode="clone")
        .filter("trim", end_frame=numbers.frames)
    )


#: The matrices that ffmpeg's scaler knows by the names that ffprobe gives them.
SWSCALE_MATRICES: Final = frozenset({"bt709", "fcc", "bt470bg", "smpte170m", "smpte240m", "bt2020nc"})


def _usual_matrix(video: Video) -> str:
    """What players take for granted when a file does not tell: high definition is bt709."""
    return "bt709" if min(video.columns, video.rows) >= 720 else "smpte170m"


def _over_blurred_copy(stream: Any, numbers: Encoding, colours: dict[str, str]) -> Any:
    frame, picture = numbers.layout.frame, numbers.layout.picture
    copies = stream.filter_multi_output("split", 2)
    # Blurred at a quarter of the size: nobody can see the difference, and it costs a sixteenth.
    small_columns, small_rows = frame.columns // 8 * 2, frame.rows // 8 * 2
    behind = (
        copies[0]
        .filter("scale", small_columns, small_rows, force_original_aspect_ratio="increase", **colours)
        .filter("crop", small_columns, small_rows)
        .filter("gblur", sigma=8)
        .filter("scale", frame.columns, frame.rows)
        .filter("setsar", 1)
    )
    front = copies[1].filter("scale", picture.columns, picture.rows, flags="bicubic", **colours).filter("setsar", 1)
    return ffmpeg.filter([behind, front], "overlay", "(W-w)/2", "(H-h)/2")


def _sound(source: Any, info: VideoInfo, numbers: Encoding) -> Any:
    if info.audio is None:
        silence = ffmpeg.input(f"anullsrc=r={SAMPLE_RATE_HZ}:cl=stereo", f="lavfi")
        return silence.filter("atrim", start_sample=AAC_PACKET, end_sample=numbers.last_sample)
    # The encoder begins AAC_PACKET samples before the first one it gets: cutting as many off, and keeping the clock,
    # puts every sample at its own time in a file that has no edit list to say so.
    return (
        source[str(info.audio.index)]
        .filter("aresample", SAMPLE_RATE_HZ, **{"async": 1, "first_pts": 0})
        .filter("aformat", sample_fmts="fltp", channel_layouts="stereo")
        .filter("apad")
        .filter("atrim", start_sample=AAC_PACKET, end_sample=numbers.last_sample)
    )


def _x264(numbers: Encoding) -> dict[str, Any]:
    return {
        "c:v": "libx264",
        "preset": PRESET,
        "profile:v": "high",
        "b:v": numbers.video_bps,
        "maxrate": numbers.peak_bps,
        "bufsize": numbers.buffer_bits,
        "g": round(numbers.fps * 2),
        "flags:v": "+cgop",
        "pix_fmt": "yuv420p",
        "color_range": "tv",
        "colorspace": "bt709",
        "color_trc": "bt709",
        "color_primaries": "bt709",
        "video_track_timescale": numbers.fps.numerator * ceil(Fraction(10_000, numbers.fps.numerator)),
    }
