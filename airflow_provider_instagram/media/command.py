"""The ffmpeg commands of a plan."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import ceil, floor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import ffmpeg

from airflow_provider_instagram.media.geometry import (
    Layout,
    Size,
    covering,
    frame_rate,
    video_layout,
)
from airflow_provider_instagram.media.loudness import Loudness, adjusted, meter
from airflow_provider_instagram.media.plan import MAX_PRIMING_S, Plan
from airflow_provider_instagram.media.probe import ONLY_THIS_FILE
from airflow_provider_instagram.media.spec import rgb

if TYPE_CHECKING:
    from airflow_provider_instagram.media.info import Video, VideoInfo
    from airflow_provider_instagram.media.spec import Options, VideoSpec

#: ffprobe's names of matrices, and the names that ffmpeg's scaler uses for them.
SCALER_MATRICES: Final = {"bt470bg": "bt601", "bt2020nc": "bt2020"} | {
    name: name for name in ("bt709", "fcc", "smpte170m", "smpte240m")
}
#: Primaries that ffmpeg's ``zscale`` knows and that are not bt709's.
OTHER_PRIMARIES: Final = frozenset(
    {"bt470m", "bt470bg", "smpte170m", "smpte240m", "bt2020", "smpte431", "smpte432"}
)
#: Transfer curves of standard range that ``zscale`` knows. All others are treated as bt709's, which
#: is very similar.
CURVES: Final = frozenset(
    {"smpte170m", "smpte240m", "bt2020-10", "bt2020-12", "iec61966-2-1", "iec61966-2-4", "linear"}
)
BT709: Final = {"primaries": "bt709", "transfer": "bt709", "matrix": "bt709", "range": "tv"}
#: The luminance of white in an HDR video, in candela per square metre. Source: ITU-R BT.2408.
WHITE_CD_M2: Final = 203
SAMPLE_RATE_HZ: Final = 48_000
#: The samples in an AAC packet, and the samples that ffmpeg's encoder puts before the audio.
AAC_PACKET: Final = 1024
PRESET: Final = "medium"
#: One fewer than the preset's. On the clip that was measured, it saves about 5 % of the time and
#: costs no XPSNR.
REFERENCE_FRAMES: Final = 2
#: Options for a file without edit lists: frames get negative offsets instead, and the audio's
#: priming is cut off first.
MUXER: Final = {
    "f": "mp4",
    "brand": "mp42",
    "movflags": "+faststart+negative_cts_offsets",
    "use_editlist": 0,
}
#: Options that drop the source's metadata, which may reveal a location, a device or a name.
NO_METADATA: Final = {
    "map_metadata": -1,
    "map_metadata:s": -1,
    "map_chapters": -1,
    "fflags": "+bitexact",
}
#: Keeps one filter graph if the frame size changes midway. A new graph would restart the count of
#: frames.
ONE_FILTER_GRAPH: Final = {"reinit_filter:v": 0}
#: The loop filter only smooths the decoded frames. It finds no errors, so it is skipped.
DECODE_ONLY: Final = {"skip_loop_filter": "all"}
DIGEST: Final = "murmur3"
#: MP4 stores H.264 with lengths instead of start codes, and its parameter sets once, in the header.
#: With these filters, the digest of the packets is the same for the encoder and for the file.
#: ``h264_metadata`` changes nothing, and fails if the header of a frame cannot be read.
SAME_PACKETS: Final = "h264_mp4toannexb,h264_metadata,filter_units=remove_types=7-8"


@dataclass(frozen=True, slots=True)
class Encoding:
    """The parameters of a full encoding.

    :param start_s: The start in the source's timestamps, in seconds.
    :param video_bps: The mean bit rate to aim at, in bits per second.
    """

    layout: Layout
    fps: Fraction
    start_s: float
    frames: int
    video_bps: int
    peak_bps: int

    @property
    def duration_s(self) -> float:
        """The duration of the result, in seconds."""
        return float(self.frames / self.fps)


@dataclass(frozen=True, slots=True)
class Span:
    """The part of the source that the result shows, in the source's timestamps."""

    start_s: float
    duration_s: float


@dataclass(frozen=True)
class Steps:
    """The commands that carry out a plan, as arguments of ffmpeg."""

    info: VideoInfo
    spec: VideoSpec
    options: Options
    plan: Plan

    @cached_property
    def encoding(self) -> Encoding:
        """The parameters of a full encoding."""
        info = self.info
        spec = self.spec
        fps = frame_rate(info.video, spec)
        # Whole frames go before the first one, so that it keeps its timestamp. Audio that starts
        # just before it is cut.
        late_s = info.video.timeline.start_s - info.start_s
        start_s = info.video.timeline.start_s - (
            ceil(late_s * fps) / float(fps) if late_s > MAX_PRIMING_S else 0.0
        )
        wanted = ceil(round((info.start_s + self.plan.duration_s - start_s) * fps, 3))
        frames = min(max(wanted, ceil(spec.min_duration_s * fps)), floor(spec.max_duration_s * fps))
        duration_s = float(frames / fps)
        room_bps = int(spec.max_size_bytes * 0.97 * 8 / duration_s) - spec.target_audio_bps
        limit_bps = min(spec.max_video_bps, room_bps)
        mean_bps = min(spec.target_video_bps, int(limit_bps * 0.92))
        peak_bps = int(limit_bps * 0.95)
        layout = video_layout(info.video, spec, self.options.fit)
        return Encoding(layout, fps, start_s, frames, mean_bps, peak_bps)

    @property
    def span(self) -> Span:
        """The part of the source that the result shows. If the video is copied, this is the whole video."""
        if self.plan.tier == "full":
            return Span(self.encoding.start_s, self.encoding.duration_s)
        return Span(self.info.video.timeline.start_s, self.info.video.timeline.duration_s)

    def video(self, pipe: int) -> list[str]:
        """Return the command that encodes the video of a full encoding into a pipe, as NUT, and prints its digest."""
        both = f"[f=nut]pipe:{pipe}|[f=streamhash:hash={DIGEST}:bsfs/v={SAME_PACKETS}]pipe:1"
        return arguments(
            ffmpeg.output(self._picture(), both, f="tee", **_x264(self.encoding), **NO_METADATA)
        )

    def sound(self, loudness: Loudness | None, nut: Path) -> list[str]:
        """Return the command that encodes the audio of a full encoding."""
        stream = self._sound(self._source(), loudness)
        return arguments(
            ffmpeg.output(stream, f"file:{nut}", f="nut", **self._aac(), **NO_METADATA)
        )

    def join(self, pipe: int, nut: Path, output: Path) -> list[str]:
        """Return the command that writes encoded video and audio into one file.

        It decodes the video as it arrives, and stops at the first error.

        :param pipe: The file descriptor from which to read the video.
        """
        # One thread keeps up with the encoder, and costs it less than several.
        picture = ffmpeg.input(
            f"pipe:{pipe}", f="nut", threads=1, protocol_whitelist="pipe", **DECODE_ONLY
        ).video
        sound = ffmpeg.input(f"file:{nut}", f="nut", protocol_whitelist="file").audio
        options = {"c": "copy", **_timescale(self.encoding.fps), **NO_METADATA, **MUXER}
        written = ffmpeg.output(picture, sound, f"file:{output}", **options)
        return arguments(
            ffmpeg.merge_outputs(written, ffmpeg.output(picture, "-", f="null")).global_args(
                "-xerror"
            )
        )

    def audio(self, loudness: Loudness | None, output: Path) -> list[str]:
        """Return the command that copies the video and encodes the audio."""
        source = self._source()
        sound = self._sound(source, loudness)
        options = {"c:v": "copy", "tag:v": "avc1", **self._aac(), **NO_METADATA, **MUXER}
        return arguments(
            ffmpeg.output(source[str(self.info.video.index)], sound, f"file:{output}", **options)
        )

    def remux(self, output: Path) -> list[str]:
        """Return the command that copies video and audio into a clean file.

        The audio packets before the first frame are dropped. They are an encoder's priming, which a
        file without an edit list would play.
        """
        source = self._source()
        audio = self.info.audio
        streams = [source[str(stream.index)] for stream in (self.info.video, audio) if stream]
        options = {"c": "copy", "tag:v": "avc1", **NO_METADATA, **MUXER}
        if audio and (early := audio.timeline.packets_before(self.info.video.timeline.start_s)):
            options["bsf:a"] = f"noise=drop=lt(n\\,{early})"
        return arguments(ffmpeg.output(*streams, f"file:{output}", **options))

    def measure(self) -> list[str]:
        """Return the command that measures the loudness of the part of the source's audio that the result contains."""
        return arguments(meter(self._sound(self._source(), None)).output("-", f="null"))

    def _source(self) -> Any:
        """Return the source with its own timestamps, which :class:`VideoInfo` uses as well."""
        return ffmpeg.input(
            f"file:{self.info.path}", copyts=None, **ONE_FILTER_GRAPH, **ONLY_THIS_FILE
        )

    def _picture(self) -> Any:
        """Return the video as the result shows it."""
        video = self.info.video
        numbers = self.encoding
        options = self.options
        frame = numbers.layout.frame
        picture = numbers.layout.picture
        stream = self._source()[str(video.index)]
        if video.interlaced:
            stream = stream.filter("bwdif", mode="send_frame", deint="all")
        stream = stream.filter("fps", fps=str(numbers.fps), start_time=f"{numbers.start_s:.6f}")
        if video.has_alpha:
            # After fps: the overlay of ffmpeg 6 does not say how long the last picture stands, and
            # fps would leave it out.
            stream = _on_background(stream, _in_ffmpeg(options.background))
        if picture != frame and options.fit == "blur":
            stream = _over_blurred_copy(stream, video, numbers.layout)
        else:
            stream = scaled(stream, video, picture)
            if picture != frame and options.fit == "crop":
                stream = stream.filter("crop", frame.columns, frame.rows)
            elif picture != frame:
                stream = stream.filter(
                    "pad", frame.columns, frame.rows, -1, -1, color=_in_ffmpeg(options.background)
                )
        return (
            stream.filter("setsar", 1)
            .filter("format", "yuv420p")
            .filter(
                "setparams",
                range="tv",
                color_primaries="bt709",
                color_trc="bt709",
                colorspace="bt709",
            )
            .filter("tpad", stop=-1, stop_mode="clone")
            .filter("trim", end_frame=numbers.frames)
        )

    def _sound(self, source: Any, loudness: Loudness | None) -> Any:
        """Return the audio as stereo, with the start and end of the video, ready for the encoder.

        The AAC encoder starts one packet before its first sample. Cutting off the same number of
        samples, with unchanged timestamps, gives every sample its correct time in a file without an
        edit list.
        """
        part = self.span
        last = int(part.duration_s * SAMPLE_RATE_HZ) // AAC_PACKET * AAC_PACKET
        starts_at = round(part.start_s * SAMPLE_RATE_HZ)
        if self.info.audio is None:
            silence = ffmpeg.input(f"anullsrc=r={SAMPLE_RATE_HZ}:cl=stereo", f="lavfi")
            audio = silence.filter("asetpts", f"PTS+{starts_at}")
        else:
            audio = (
                source[str(self.info.audio.index)]
                .filter("aresample", SAMPLE_RATE_HZ, **{"async": 1, "first_pts": starts_at})
                .filter("aformat", sample_fmts="fltp", channel_layouts="stereo")
            )
            if loudness is not None:
                audio = adjusted(audio, loudness).filter("aresample", SAMPLE_RATE_HZ)
            audio = audio.filter("apad")
        return audio.filter("atrim", start_sample=AAC_PACKET, end_sample=last)

    def _aac(self) -> dict[str, Any]:
        return {"c:a": "aac", "b:a": self.spec.target_audio_bps, "ar": SAMPLE_RATE_HZ}


def decode(path: Path, *, video: bool) -> list[str]:
    """Return the command that decodes a file, or without video decodes its audio and prints the video's digest."""
    source = ffmpeg.input(f"file:{path}", **DECODE_ONLY, **ONLY_THIS_FILE)
    if video:
        output = ffmpeg.output(source.video, source.audio, "-", f="null")
    else:
        digest = ffmpeg.output(
            source.video, "-", f="streamhash", c="copy", hash=DIGEST, **{"bsf:v": SAME_PACKETS}
        )
        output = ffmpeg.merge_outputs(digest, ffmpeg.output(source.audio, "-", f="null"))
    return arguments(output.global_args("-xerror"))


def arguments(stream: Any) -> list[str]:
    """Return the arguments of ffmpeg for an output, with errors on standard error."""
    words: list[str] = (
        stream.global_args("-nostdin", "-v", "error", "-nostats").overwrite_output().get_args()
    )
    return words


def _in_ffmpeg(colour: str) -> str:
    """Return a colour as numbers, because ffmpeg knows other names than CSS."""
    return "#{:02x}{:02x}{:02x}".format(*rgb(colour))


def _on_background(stream: Any, background: str) -> Any:
    """Overlay a transparent video on the colour. Without it, the colour would depend on the player."""
    copies = stream.filter_multi_output("split", 2)
    canvas = copies[0].filter(
        "drawbox", 0, 0, "iw", "ih", color=background, thickness="fill", replace=1
    )
    return ffmpeg.filter([canvas, copies[1]], "overlay", format="rgb").filter("format", "rgb24")


def _over_blurred_copy(stream: Any, video: Video, layout: Layout) -> Any:
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


def _x264(numbers: Encoding) -> dict[str, Any]:
    return {
        "c:v": "libx264",
        "preset": PRESET,
        "profile:v": "high",
        "refs": REFERENCE_FRAMES,
        "b:v": numbers.video_bps,
        "maxrate": numbers.peak_bps,
        # one second: less starves short clips, and with it the mean holds even for noise
        "bufsize": numbers.peak_bps,
        "g": round(numbers.fps * 2),
        # NUT takes the parameter sets from the header, but tee does not ask for them
        "flags:v": "+cgop+global_header",
        "pix_fmt": "yuv420p",
        "color_range": "tv",
        "colorspace": "bt709",
        "color_trc": "bt709",
        "color_primaries": "bt709",
    }


def _timescale(fps: Fraction) -> dict[str, int]:
    """Return the timescale in which each frame has a whole number of ticks."""
    return {"video_track_timescale": fps.numerator * ceil(Fraction(10_000, fps.numerator))}


def scaled(stream: Any, video: Video, size: Size) -> Any:
    """Scale a video and convert its colours. Scaling comes first, because it leaves less to convert.

    :return: The stream, in bt709 and limited range.
    """
    if video.is_hdr:
        return _from_high_dynamic_range(
            stream.filter("scale", size.columns, size.rows, flags="bicubic"), video
        )
    if video.primaries in OTHER_PRIMARIES:
        curve = video.transfer if video.transfer in CURVES else "bt709"
        stream = stream.filter("scale", size.columns, size.rows, flags="bicubic")
        return stream.filter("zscale", **_source(video), transferin=curve, **BT709)
    return stream.filter(
        "scale",
        size.columns,
        size.rows,
        flags="bicubic",
        in_color_matrix=SCALER_MATRICES.get(video.matrix) or _usual_matrix(video),
        out_color_matrix="bt709",
        in_range="pc" if video.full_range else "tv",
        out_range="tv",
    )


def _from_high_dynamic_range(stream: Any, video: Video) -> Any:
    return (
        stream.filter(
            "zscale",
            **_source(video),
            transferin=video.transfer,
            transfer="linear",
            npl=WHITE_CD_M2,
        )
        .filter("format", "gbrpf32le")
        .filter("zscale", primaries="bt709")
        .filter("tonemap", "mobius", desat=0)
        .filter("zscale", **BT709)
    )


def _source(video: Video) -> dict[str, str]:
    """Return the colours of the source. The default of an HDR video is bt2020."""
    is_known = video.matrix in (*SCALER_MATRICES, "bt2020c", "gbr")
    return {
        "primariesin": video.primaries if video.primaries in OTHER_PRIMARIES else "bt2020",
        "matrixin": video.matrix if is_known else _usual_matrix(video),
        "rangein": "pc" if video.full_range else "tv",
    }


def _usual_matrix(video: Video) -> str:
    """Return the matrix that players assume if a file names none: bt709 for high definition, bt2020 for wide colour."""
    if video.primaries == "bt2020" or video.is_hdr:
        return "bt2020nc"
    return "bt709" if min(video.columns, video.rows) >= 720 else "smpte170m"
