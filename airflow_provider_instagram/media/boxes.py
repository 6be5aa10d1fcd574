"""The boxes of an MP4 file, for what ffprobe does not report: their order, edit lists, and location metadata."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.utils.process import Cancel, ProcessLimits, run

WORKER: Final = str(Path(__file__).with_name("_box_worker.py"))
#: The CPU time bounds a hostile file. On a busy machine, the process of a good one may take long to start.
LIMITS: Final = ProcessLimits(wall_s=30, cpu_s=4, memory_bytes=256 * 1024**2, stdout_bytes=64 * 1024**2)
#: The units of all keyframes. A frame has about five.
MAX_UNITS: Final = 500_000
FIRST_BOXES: Final = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip"})


@dataclass(frozen=True, slots=True)
class Edit:
    """One entry of a track's edit list.

    :param duration_s: Its duration in the presentation, in seconds. 0 means until the end of the track.
    :param media_time_s: Its start in the track, in seconds. None for an empty edit, which shows nothing.
    """

    duration_s: float
    media_time_s: float | None
    rate: float


@dataclass(frozen=True, slots=True)
class Track:
    """One track.

    :param number: The track id, which ffprobe reports as the stream's id.
    :param kind: Its handler, such as ``vide`` or ``soun``.
    :param timescale: Ticks per second of its timestamps.
    :param samples: The number of its samples, shown or not. 0 in a fragmented file.
    """

    number: int
    kind: str
    timescale: int
    samples: int
    edits: tuple[Edit, ...]

    @property
    def delay_s(self) -> float:
        """The duration of the empty edit at the start, in seconds."""
        return sum(edit.duration_s for edit in self.edits[:1] if edit.media_time_s is None)

    @property
    def start_s(self) -> float:
        """The start of the presentation in the track, in seconds."""
        return next((edit.media_time_s for edit in self.edits if edit.media_time_s is not None), 0.0)

    @property
    def is_rearranged(self) -> bool:
        """Whether the edit list has several parts, or another playback rate."""
        return sum(edit.media_time_s is not None for edit in self.edits) > 1 or any(e.rate != 1 for e in self.edits)


@dataclass(frozen=True, slots=True)
class Mp4Layout:
    """The layout of an MP4 or MOV file.

    :param brand: The major brand in its ``ftyp`` box. ``qt`` is QuickTime's.
    :param fragmented: Whether the index is spread over the file.
    :param tracks: The tracks. After :meth:`ordered_as`, in the order of ffprobe's streams.
    :param location_boxes: The names of the boxes that may contain a location.
    """

    brand: str
    moov_first: bool
    fragmented: bool
    missing_bytes: int
    tracks: tuple[Track, ...]
    location_boxes: tuple[str, ...]

    def ordered_as(self, numbers: Sequence[int]) -> Mp4Layout:
        """Return the layout with its tracks in the order of ffprobe's streams, of which some may not be tracks.

        :param numbers: The track id of each stream. 0 for a stream that is not a track, such as a cover picture.
        """
        by_number = {track.number: track for track in self.tracks}
        if len(by_number) < len(self.tracks) or not set(by_number) <= set(numbers):
            return self
        return replace(self, tracks=tuple(by_number.get(number, Track(number, "", 1, 0, ())) for number in numbers))

    @property
    def shows_hidden(self) -> bool:
        """Whether ffmpeg shows what an edit list hides, because it only applies the start in a fragmented file.

        In this case, hidden packets are shown before 0. Source: ffmpeg, libavformat/mov.c.
        """
        return self.fragmented and any(track.edits for track in self.tracks)


def read_layout(path: Path, cancel: Cancel | None = None) -> Mp4Layout:
    """Read the well-formed boxes of an MP4 or MOV file in a process with limits, but not the media itself."""
    finished = run([sys.executable, "-I", "-S", WORKER, str(path)], LIMITS, cancel=cancel)
    if not finished.ok:
        raise _broken(path, f"its boxes could not be read ({finished.complaint})")
    fields: dict[str, Any] = json.loads(finished.stdout)
    if "error" in fields:
        raise _broken(path, fields["error"])
    tracks = [Track(**{**track, "edits": tuple(Edit(*edit) for edit in track["edits"])}) for track in fields["tracks"]]
    return Mp4Layout(**{**fields, "tracks": tuple(tracks), "location_boxes": tuple(fields["location_boxes"])})


def begins_like_mp4(path: Path) -> bool:
    """Return whether a file starts like an MP4 or MOV file."""
    with path.open("rb") as file:
        return file.read(8)[4:] in FIRST_BOXES


def has_only_idr_frames(path: Path, positions: Iterable[int], length_bytes: int) -> bool:
    """Return whether each H.264 frame is an IDR frame, so that no later frame depends on a frame before it.

    :param length_bytes: The size of the length field of each NAL unit, in bytes.
    :return: Whether the first slice of each is that of an IDR picture. Source: ITU-T H.264, table 7-1. False also for a
        file in which it takes too long to find out.
    """
    units = 0
    with path.open("rb") as file:
        for at in positions:
            kind = 0
            while not 1 <= kind <= 5:
                file.seek(at)
                header = file.read(length_bytes + 1)
                units += 1
                if len(header) <= length_bytes or units > MAX_UNITS:
                    return False
                kind = header[-1] & 0x1F
                at += length_bytes + int.from_bytes(header[:-1], "big")
            if kind != 5:
                return False
    return True


def _broken(path: Path, why: str) -> ValidationError:
    return ValidationError(
        f"{path} is not a valid MP4 file: {why}.", hint="Export or copy it again, and check that it plays."
    )
