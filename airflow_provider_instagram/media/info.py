"""The properties of videos and pictures, as values."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_instagram.utils.local_files import FileInfo

if TYPE_CHECKING:
    from airflow_provider_instagram.media.boxes import Mp4Layout
    from airflow_provider_instagram.media.packets import Timeline

#: ffmpeg's names of RGB pixel formats with an alpha channel.
ALPHA_FORMATS: Final = ("argb", "rgba", "abgr", "bgra")
#: The rotations and reflections of EXIF that exchange columns and rows. Source: CIPA DC-008, tag
#: Orientation.
SIDEWAYS: Final = frozenset({5, 6, 7, 8})
UPRIGHT: Final = 1


@dataclass(frozen=True, slots=True)
class Video:
    """The video stream.

    :param columns: The stored columns, without those that players crop.
    :param sample_aspect_ratio: The width of a pixel over its height.
    :param rotation: The clockwise rotation that players apply: 0, 90, 180 or 270 degrees.
    :param is_upright: Whether players show the frames as stored, neither rotated by any angle nor
        mirrored.
    :param full_range: Whether the levels are 0 to 255.
    :param matrix: The colour matrix, as ffmpeg names it. Empty if unknown.
    """

    index: int
    codec: str
    columns: int
    rows: int
    is_cropped: bool
    sample_aspect_ratio: Fraction
    rotation: int
    is_upright: bool
    pixel_format: str
    interlaced: bool
    full_range: bool
    matrix: str
    transfer: str
    primaries: str
    nominal_fps: Fraction
    timeline: Timeline

    @property
    def is_hdr(self) -> bool:
        """Whether the video is HDR: PQ (HDR10) or HLG."""
        return self.transfer in ("smpte2084", "arib-std-b67")

    @property
    def has_alpha(self) -> bool:
        """Whether the video has an alpha channel."""
        return self.pixel_format in ALPHA_FORMATS

    @property
    def aspect_ratio(self) -> Fraction:
        """The aspect ratio as shown: width over height."""
        stored = Fraction(self.columns, self.rows) * self.sample_aspect_ratio
        return 1 / stored if self.is_sideways else stored

    @property
    def is_sideways(self) -> bool:
        """Whether players show the stored columns as rows."""
        return self.rotation in (90, 270)

    @property
    def shown_columns(self) -> int:
        """The columns as shown, for at least the stored number of rows."""
        across = self.columns
        down = self.rows
        if self.is_sideways:
            across, down = down, across
        if self.sample_aspect_ratio == 1:
            return across
        return max(across, round(down * self.aspect_ratio))


@dataclass(frozen=True, slots=True)
class Audio:
    """The audio stream.

    :param profile: The codec's profile, such as ``LC``. Empty if unknown.
    :param channels: 1 for mono, 2 for stereo, 6 for surround 5.1.
    """

    index: int
    codec: str
    profile: str
    sample_rate_hz: int
    channels: int
    timeline: Timeline


@dataclass(frozen=True, slots=True)
class VideoInfo(FileInfo):
    """The properties of a video file.

    :param start_s: The start of the first stream in the file's timestamps, in seconds.
    :param extra_streams: Other streams, in words, such as ``subtitle mov_text``.
    :param location_tags: Metadata that may reveal where the video was filmed.
    :param layout: The boxes of the file, if it is an MP4 or MOV.
    """

    container: str
    start_s: float
    video: Video
    audio: Audio | None
    extra_streams: tuple[str, ...]
    location_tags: tuple[str, ...]
    layout: Mp4Layout | None

    @property
    def duration_s(self) -> float:
        """The duration until the end of the last stream, in seconds."""
        return (
            max(stream.timeline.end_s for stream in (self.video, self.audio) if stream)
            - self.start_s
        )

    @property
    def aspect_ratio(self) -> Fraction:
        """The aspect ratio as shown: width over height."""
        return self.video.aspect_ratio


@dataclass(frozen=True, slots=True)
class PictureInfo(FileInfo):
    """The properties of a picture file.

    :param format: The format, as Pillow names it. ``MPO`` is a JPEG with several pictures.
    :param columns: The columns as shown.
    :param orientation: EXIF's orientation, which viewers apply. 1 is upright.
    :param colour_profile: The name of the ICC profile. Empty without one.
    :param is_srgb: Whether the colours are sRGB, which is also the meaning of a missing profile.
    :param has_extra_data: Whether other data follows the picture, such as the video of a motion
        photo.
    """

    format: str
    mode: str
    columns: int
    rows: int
    orientation: int
    colour_profile: str
    is_srgb: bool
    has_alpha: bool
    frames: int
    location_tags: tuple[str, ...]
    has_extra_data: bool

    @property
    def aspect_ratio(self) -> float:
        """The aspect ratio as shown: width over height."""
        return self.columns / self.rows

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> PictureInfo:
        """Return the properties that :func:`dataclasses.asdict` and JSON made into plain data."""
        return cls(
            **{**data, "path": Path(data["path"]), "location_tags": tuple(data["location_tags"])}
        )


#: The properties of a file of either kind.
Info = VideoInfo | PictureInfo
