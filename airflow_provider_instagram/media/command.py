"""The ffmpeg commands of a plan."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING, Any, Final

import ffmpeg

from airflow_provider_instagram.media.colour import scaled
from airflow_provider_instagram.media.geometry import Geometry, Size, covering, frame_rate, geometry
from airflow_provider_instagram.media.loudness import Loudness, adjusted, meter
from airflow_provider_instagram.media.plan import MAX_PRIMING_S
from airflow_provider_instagram.media.probe import ONLY_THIS_FILE, Video, VideoInfo

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_instagram.media.plan import TranscodePlan
    from airflow_provider_instagram.media.spec import VideoSpec

SAMPLE_RATE_HZ: Final = 48_000
#: The samples in an AAC packet, and the samples that ffmpeg's encoder puts before the audio.
AAC_PACKET: Final = 1024
PRESET: Final = "medium"
#: One fewer than the preset's. On the clip that was measured, it saves about 5 % of the time and costs no XPSNR.
REFERENCE_FRAMES: Final = 2
#: Options for a file without edit lists: frames get negative offsets instead, and the audio's priming is cut off first.
MUXER: Final = {"f": "mp4", "brand": "mp42", "movflags": "+faststart+negative_cts_offsets", "use_editlist": 0}
#: Options that drop the source's metadata, which may reveal a location, a device or a name.
NO_METADATA: Final = {"map_metadata": -1, "map_metadata:s": -1, "map_chapters": -1, "fflags": "+bitexact"}
#: Keeps one filter graph if the frame size changes midway. A new graph would restart the count of frames.
ONE_FILTER_GRAPH: Final = {"reinit_filter:v": 0}
#: The loop filter only smooths the decoded frames. It finds no errors, so it is skipped.
DECODE_ONLY: Final = {"skip_loop_filter": "all"}
DIGEST: Final = "murmur3"
#: MP4 stores H.264 with lengths instead of start codes, and its parameter sets once, in the header. With these filters,
#: the digest of the packets is the same for the encoder and for the file. ``h264_metadata`` changes nothing, and fails
#: if the header of a frame cannot be read.
SAME_PACKETS: Final = "h264_mp4toannexb,h264_metadata,filter_units=remove_types=7-8"
PROGRESS: Final = ("-progress", "pipe:1", "-stats_period", "0.5", "-nostats")


@dataclass(frozen=True, slots=True)
class Encoding:
    """The parameters of a full encoding.

    :param layout: The layout of the picture in the frame.
    :param fps: The frame rate.
    :param start_s: The start in the source's timestamps, in seconds.
    :param frames: The number of frames.
    :param video_bps: The mean bit rate to aim at, in bits per second.
    :param peak_bps: The highest bit rate, in bits per second.
    """

    layout: Geometry
    fps: Fraction
    start_s: float
    frames: int
    video_bps: int
    peak_bps: int

    @property
    def duration_s(self) -> float:
        """The duration of the result, in seconds."""
        return float(self.frames / self.fps)


def encoding(info: VideoInfo, spec: VideoSpec, plan: TranscodePlan) -> Encoding:
    """Compute the parameters of a full encoding.

    :param info: The source.
    :param spec: The rules and targets.
    :param plan: The plan.
    :return: The parameters.
    """
    fps = frame_rate(info.video, spec)
    # Add whole frames before the first one, so that it keeps its timestamp. Audio that starts just before it is cut.
    late_s = info.video.timeline.start_s - info.start_s
    start_s = info.video.timeline.start_s - (ceil(late_s * fps) / float(fps) if late_s > MAX_PRIMING_S else 0.0)
    wanted = ceil(round((info.start_s + plan.duration_s - start_s) * fps, 3))
    frames = min(max(wanted, ceil(spec.min_duration_s * fps)), floor(spec.max_duration_s * fps))
    duration_s = float(frames / fps)
    room_bps = int(spec.max_size_bytes * 0.97 * 8 / duration_s) - spec.target_audio_bps
    limit_bps = min(spec.max_video_bps, room_bps)
    mean_bps = min(spec.target_video_bps, int(limit_bps * 0.92))
    peak_bps = int(limit_bps * 0.95)
    return Encoding(geometry(info.video, spec, plan.fit), fps, start_s, frames, mean_bps, peak_bps)


@dataclass(frozen=True, slots=True)
class Span:
    """The part of the source that the result shows.

    :param start_s: Its start in the source's timestamps, in seconds.
    :param duration_s: Its duration, in seconds.
    """

    start_s: float
    duration_s: float


def span(info: VideoInfo, spec: VideoSpec, plan: TranscodePlan) -> Span:
    """Return the part of the source that a plan's result shows. If the video is copied, this is the whole video."""
    if plan.tier == "full":
        numbers = encoding(info, spec, plan)
        return Span(numbers.start_s, numbers.duration_s)
    return Span(info.video.timeline.start_s, info.video.timeline.duration_s)


def video(info: VideoInfo, spec: VideoSpec, plan: TranscodePlan, pipe: int) -> list[str]:
    """Return the command that encodes the video of a full encoding, and prints its digest.

    :param info: The source.
    :param spec: The rules and targets.
    :param plan: The plan.
    :param pipe: The file descriptor to write to, as NUT.
    :return: The arguments of ffmpeg.
    """
    numbers = encoding(info, spec, plan)
    stream = _video_filters(_source(info)[str(info.video.index)], info, numbers, plan)
    both = f"[f=nut]pipe:{pipe}|[f=streamhash:hash={DIGEST}:bsfs/v={SAME_PACKETS}]pipe:1"
    return arguments(ffmpeg.output(stream, both, f="tee", **_x264(numbers), **NO_METADATA))


def sound(info: VideoInfo, spec: VideoSpec, plan: TranscodePlan, loudness: Loudness | None, nut: Path) -> list[str]:
    """Return the command that encodes the audio of a full encoding.

    :param info: The source.
    :param spec: The rules and targets.
    :param plan: The plan.
    :param loudness: The loudness of the source, or None without audio.
    :param nut: The file to write, as NUT.
    :return: The arguments of ffmpeg.
    """
    stream = _audio_filters(_source(info), info, span(info, spec, plan), loudness)
    return arguments(ffmpeg.output(stream, f"file:{nut}", f="nut", **_aac(spec), **NO_METADATA))


def join(info: VideoInfo, spec: VideoSpec, pipe: int, nut: Path, output: Path) -> list[str]:
    """Return the command that writes encoded video and audio into one file.

    It decodes the video as it arrives, and stops at the first error.

    :param info: The source.
    :param spec: The rules and targets.
    :param pipe: The file descriptor from which to read the video.
    :param nut: The file with the audio.
    :param output: The file to write.
    :return: The arguments of ffmpeg.
    """
    # One thread keeps up with the encoder, and costs it less than several.
    picture = ffmpeg.input(f"pipe:{pipe}", f="nut", threads=1, protocol_whitelist="pipe", **DECODE_ONLY).video
    audio_stream = ffmpeg.input(f"file:{nut}", f="nut", protocol_whitelist="file").audio
    options = {"c": "copy", **_timescale(frame_rate(info.video, spec)), **NO_METADATA, **MUXER}
    written = ffmpeg.output(picture, audio_stream, f"file:{output}", **options)
    return arguments(ffmpeg.merge_outputs(written, ffmpeg.output(picture, "-", f="null")).global_args("-xerror"))


def audio(info: VideoInfo, spec: VideoSpec, plan: TranscodePlan, loudness: Loudness | None, output: Path) -> list[str]:
    """Return the command that copies the video and encodes the audio. The parameters are those of :func:`sound`.

    :param output: The file to write, as MP4.
    """
    source = _source(info)
    audio_stream = _audio_filters(source, info, span(info, spec, plan), loudness)
    options = {"c:v": "copy", "tag:v": "avc1", **_aac(spec), **NO_METADATA, **MUXER}
    return arguments(ffmpeg.output(source[str(info.video.index)], audio_stream, f"file:{output}", **options))


def remux(info: VideoInfo, output: Path) -> list[str]:
    """Return the command that copies video and audio into a clean file.

    :param info: The source.
    :param output: The file to write.
    :return: The arguments of ffmpeg.
    """
    source = _source(info)
    streams = [source[str(stream.index)] for stream in (info.video, info.audio) if stream]
    options = {"c": "copy", "tag:v": "avc1", **NO_METADATA, **MUXER}
    if early := packets_before_picture(info):
        options["bsf:a"] = f"noise=drop=lt(n\\,{early})"
    return arguments(ffmpeg.output(*streams, f"file:{output}", **options))


def packets_before_picture(info: VideoInfo) -> int:
    """Return how many audio packets to drop, so that the next one belongs to the first frame.

    These packets are an encoder's priming, which a file without an edit list would play.
    """
    if info.audio is None:
        return 0
    return info.audio.timeline.packets_before(info.video.timeline.start_s)


def measure(info: VideoInfo, spec: VideoSpec, plan: TranscodePlan) -> list[str]:
    """Return the command that measures the loudness of the part of the source's audio that the result contains."""
    audio_stream = _audio_filters(_source(info), info, span(info, spec, plan), None)
    return arguments(meter(audio_stream, peaks=True).output("-", f="null"))


def colour(name: str) -> list[str]:
    """Return the command that fails if a colour does not exist. The name stays one option, whatever it contains."""
    picture = ffmpeg.input("color=s=2x2:d=0.04", f="lavfi").filter("pad", 4, 4, color=name)
    return arguments(picture.output("-", f="null"))


def decode(path: Path, *, video: bool) -> list[str]:
    """Return the command that decodes a whole file, measures its loudness, and stops at the first error.

    :param path: The file.
    :param video: Whether to decode the video, too. If not, the command prints the digest of the video.
    """
    source = ffmpeg.input(f"file:{path}", **DECODE_ONLY, **ONLY_THIS_FILE)
    audio_stream = meter(source.audio, peaks=False)
    if video:
        output = ffmpeg.output(source.video, audio_stream, "-", f="null")
    else:
        digest = ffmpeg.output(source.video, "-", f="streamhash", c="copy", hash=DIGEST, **{"bsf:v": SAME_PACKETS})
        output = ffmpeg.merge_outputs(digest, ffmpeg.output(audio_stream, "-", f="null"))
    return arguments(output.global_args("-xerror"))


def arguments(stream: Any) -> list[str]:
    """Return the arguments of ffmpeg for an output, with progress on standard output and errors on standard error."""
    words: list[str] = stream.global_args("-nostdin", "-v", "error", *PROGRESS).overwrite_output().get_args()
    return words


def _source(info: VideoInfo) -> Any:
    """Return the source with its own timestamps, which :class:`VideoInfo` uses as well."""
    return ffmpeg.input(f"file:{info.path}", copyts=None, **ONE_FILTER_GRAPH, **ONLY_THIS_FILE)


def _video_filters(stream: Any, info: VideoInfo, numbers: Encoding, plan: TranscodePlan) -> Any:
    video, frame, picture = info.video, numbers.layout.frame, numbers.layout.picture
    if video.interlaced:
        stream = stream.filter("bwdif", mode="send_frame", deint="all")
    stream = stream.filter("fps", fps=str(numbers.fps), start_time=f"{numbers.start_s:.6f}")
    if video.has_alpha:
        # After fps: the overlay of ffmpeg 6 does not say how long the last picture stands, and fps would leave it out.
        stream = _on_background(stream, plan.background)
    if picture != frame and plan.fit == "blur":
        stream = _over_blurred_copy(stream, video, numbers.layout)
    else:
        stream = scaled(stream, video, picture)
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


def _on_background(stream: Any, background: str) -> Any:
    """Overlay a transparent video on the colour. Without it, the colour would depend on the player."""
    copies = stream.filter_multi_output("split", 2)
    canvas = copies[0].filter("drawbox", 0, 0, "iw", "ih", color=background, thickness="fill", replace=1)
    return ffmpeg.filter([canvas, copies[1]], "overlay", format="rgb").filter("format", "rgb24")


def _over_blurred_copy(stream: Any, video: Video, layout: Geometry) -> Any:
    frame = layout.frame
    copies = stream.filter_multi_output("split", 2)
    # Blurring at a quarter of the size looks the same, and costs a sixteenth.
    small = Size(frame.columns // 8 * 2, frame.rows // 8 * 2)
    behind = (
        scaled(copies[0], video, covering(video, small))
        .filter("crop", small.columns, small.rows)
        .filter("gblur", sigma=8)
        .filter("scale", frame.columns, frame.rows)
        .filter("setsar", 1)
    )
    front = scaled(copies[1], video, layout.picture).filter("setsar", 1)
    return ffmpeg.filter([behind, front], "overlay", "(W-w)/2", "(H-h)/2")


def _audio_filters(source: Any, info: VideoInfo, part: Span, loudness: Loudness | None) -> Any:
    """Return the audio as stereo, with the start and end of the video, ready for the encoder.

    The AAC encoder starts one packet before its first sample. Cutting off the same number of samples, with unchanged
    timestamps, gives every sample its correct time in a file without an edit list.
    """
    last = int(part.duration_s * SAMPLE_RATE_HZ) // AAC_PACKET * AAC_PACKET
    starts_at = round(part.start_s * SAMPLE_RATE_HZ)
    if info.audio is None:
        silence = ffmpeg.input(f"anullsrc=r={SAMPLE_RATE_HZ}:cl=stereo", f="lavfi")
        audio = silence.filter("asetpts", f"PTS+{starts_at}")
    else:
        audio = (
            source[str(info.audio.index)]
            .filter("aresample", SAMPLE_RATE_HZ, **{"async": 1, "first_pts": starts_at})
            .filter("aformat", sample_fmts="fltp", channel_layouts="stereo")
        )
        if loudness is not None:
            audio = adjusted(audio, loudness).filter("aresample", SAMPLE_RATE_HZ)
        audio = audio.filter("apad")
    return audio.filter("atrim", start_sample=AAC_PACKET, end_sample=last)


def _aac(spec: VideoSpec) -> dict[str, Any]:
    return {"c:a": "aac", "b:a": spec.target_audio_bps, "ar": SAMPLE_RATE_HZ}


def _x264(numbers: Encoding) -> dict[str, Any]:
    return {
        "c:v": "libx264",
        "preset": PRESET,
        "profile:v": "high",
        "refs": REFERENCE_FRAMES,
        "b:v": numbers.video_bps,
        "maxrate": numbers.peak_bps,
        "bufsize": numbers.peak_bps,  # one second: less starves short clips, and with it the mean holds even for noise
        "g": round(numbers.fps * 2),
        "flags:v": "+cgop+global_header",  # NUT takes the parameter sets from the header, but tee does not ask for them
        "pix_fmt": "yuv420p",
        "color_range": "tv",
        "colorspace": "bt709",
        "color_trc": "bt709",
        "color_primaries": "bt709",
    }


def _timescale(fps: Fraction) -> dict[str, int]:
    """Return the timescale in which each frame has a whole number of ticks."""
    return {"video_track_timescale": fps.numerator * ceil(Fraction(10_000, fps.numerator))}
