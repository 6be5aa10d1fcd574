"""The boxes of an MP4 file, for what ffprobe does not report: their order, edit lists, and location metadata."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO, Final

from airflow_provider_instagram.exceptions import ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

MAX_MOOV_BYTES: Final = 64 * 1024**2
MAX_UNITS: Final = 64
MAX_BOXES: Final = 100_000
CONTAINERS: Final = frozenset({b"trak", b"mdia", b"edts", b"udta", b"moov"})
#: The boxes that must be complete. After them, cameras write data that is not in boxes.
WHOLE_BOXES: Final = frozenset({b"moov", b"mdat", b"moof"})
FIRST_BOXES: Final = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip"})
LOCATION_BOXES: Final = frozenset({b"\xa9xyz", b"loci", b"uuid"})


@dataclass(frozen=True, slots=True)
class Edit:
    """One entry of a track's edit list.

    :param duration_s: Its duration in the presentation, in seconds. 0 means until the end of the track.
    :param media_time_s: Its start in the track, in seconds. None for an empty edit, which shows nothing.
    :param rate: Its playback rate.
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
    :param edits: Its edit list.
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
    :param moov_first: Whether the index comes before the media.
    :param fragmented: Whether the index is spread over the file.
    :param missing_bytes: The number of bytes of the index or the media that are missing.
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
        known = {track.number: track for track in self.tracks}
        if len(known) < len(self.tracks) or not set(known) <= set(numbers):
            return self
        return replace(self, tracks=tuple(known.get(number, Track(number, "", 1, 0, ())) for number in numbers))

    @property
    def shows_hidden(self) -> bool:
        """Whether ffmpeg shows what an edit list hides, because it only applies the start in a fragmented file.

        In this case, hidden packets are shown before 0. Source: ffmpeg, libavformat/mov.c.
        """
        return self.fragmented and any(track.edits for track in self.tracks)


def read_layout(path: Path) -> Mp4Layout:
    """Read the boxes of an MP4 or MOV file, but not the media itself.

    :param path: The file.
    :return: Its layout.
    :raises ValidationError: If the boxes are not well-formed.
    """
    size = path.stat().st_size
    order: list[bytes] = []
    brand, missing, moov = b"qt  ", 0, b""
    with path.open("rb") as file:
        for kind, start, end in _top_boxes(file, size):
            order.append(kind)
            if kind in WHOLE_BOXES:
                missing = max(missing, end - size)
            if kind == b"ftyp":
                file.seek(start)
                brand = file.read(4)
            elif kind == b"moov":
                if end - start > MAX_MOOV_BYTES:
                    raise _broken(path, f"its index has a size of {end - start} bytes")
                file.seek(start)
                moov = file.read(end - start)
    try:
        tracks, location_tags = _read_moov(moov)
    except (struct.error, IndexError, ZeroDivisionError, RecursionError) as error:
        raise _broken(path, "its index is damaged") from error
    return Mp4Layout(
        brand=brand.decode("latin-1").strip(),
        moov_first=b"moov" in order and (b"mdat" not in order or order.index(b"moov") < order.index(b"mdat")),
        fragmented=b"moof" in order,
        missing_bytes=missing,
        tracks=tracks,
        location_boxes=tuple(sorted({*location_tags, *(["uuid"] if b"uuid" in order else [])})),
    )


def begins_like_mp4(path: Path) -> bool:
    """Return whether a file starts like an MP4 or MOV file."""
    with path.open("rb") as file:
        return file.read(8)[4:] in FIRST_BOXES


def is_idr_frame(file: BinaryIO, at: int, length_bytes: int) -> bool:
    """Return whether an H.264 frame is an IDR frame, so that no later frame depends on a frame before it.

    :param file: The file.
    :param at: The position of the frame, in bytes.
    :param length_bytes: The size of the length field of each NAL unit, in bytes.
    :return: Whether its first slice is that of an IDR picture. Source: ITU-T H.264, table 7-1.
    """
    for _ in range(MAX_UNITS):
        file.seek(at)
        header = file.read(length_bytes + 1)
        if len(header) <= length_bytes:
            return False
        kind = header[-1] & 0x1F
        if 1 <= kind <= 5:
            return kind == 5
        at += length_bytes + int.from_bytes(header[:-1], "big")
    return False


def _broken(path: Path, why: str) -> ValidationError:
    return ValidationError(
        f"{path} is not a valid MP4 file: {why}.", hint="Export or copy it again, and check that it plays."
    )


def _top_boxes(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the type, and the start and end of the content, of each top-level box."""
    at = 0
    for _ in range(MAX_BOXES):
        file.seek(at)
        header = file.read(16)
        if len(header) < 8:
            return
        length, kind = struct.unpack(">I4s", header[:8])
        start = at + 8
        if length == 1 and len(header) == 16:
            length, start = struct.unpack(">Q", header[8:])[0], at + 16
        elif length == 0:
            length = size - at
        if length < 8:
            return
        yield kind, start, at + length
        at += length


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the boxes inside a box."""
    at = 0
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        start = at + 8
        if length == 1:
            length, start = struct.unpack_from(">Q", data, at + 8)[0], at + 16
        elif length == 0:
            length = len(data) - at
        if length < 8:
            return
        yield kind, data[start : at + length]
        at += length


def _find(data: bytes, *path: bytes) -> bytes:
    """Return the content of the first box at a path of boxes, or empty bytes if it does not exist."""
    for name in path:
        data = next((content for kind, content in _boxes(data) if kind == name), b"")
    return data


def _read_moov(moov: bytes) -> tuple[tuple[Track, ...], set[str]]:
    movie_timescale = _timescale(_find(moov, b"mvhd"))
    tracks: list[Track] = []
    for kind, trak in _boxes(moov):
        if kind == b"trak":
            timescale = _timescale(_find(trak, b"mdia", b"mdhd"))
            edits = tuple(_edits(_find(trak, b"edts", b"elst"), movie_timescale, timescale))
            handler = _find(trak, b"mdia", b"hdlr")[8:12].decode("latin-1")
            table = _find(trak, b"mdia", b"minf", b"stbl")
            sizes = _find(table, b"stsz") or _find(table, b"stz2")
            samples = struct.unpack_from(">I", sizes, 8)[0] if sizes else 0
            header = _find(trak, b"tkhd")
            number = struct.unpack_from(">I", header, 20 if header[:1] == b"\1" else 12)[0] if header else 0
            tracks.append(Track(number, handler, timescale, samples, edits))
    return tuple(tracks), set(_places(moov))


def _timescale(header: bytes) -> int:
    """Return the ticks per second in an ``mvhd`` or ``mdhd`` box."""
    if not header:
        return 1
    return int(struct.unpack_from(">I", header, 20 if header[0] == 1 else 12)[0]) or 1


def _edits(elst: bytes, movie_timescale: int, timescale: int) -> Iterator[Edit]:
    if not elst:
        return
    entry = ">Qqhh" if elst[0] == 1 else ">Iihh"
    count = struct.unpack_from(">I", elst, 4)[0]
    for duration, media_time, rate, rate_fraction in struct.iter_unpack(
        entry, elst[8 : 8 + count * struct.calcsize(entry)]
    ):
        yield Edit(
            duration / movie_timescale, None if media_time < 0 else media_time / timescale, rate + rate_fraction / 65536
        )


def _places(data: bytes) -> Iterator[str]:
    for kind, content in _boxes(data):
        if kind in LOCATION_BOXES:
            yield kind.decode("latin-1")
        elif kind in CONTAINERS:
            yield from _places(content)
