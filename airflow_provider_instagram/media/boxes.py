"""The boxes of an MP4 file, for what ffprobe does not report: their order, edit lists, and location metadata.

A file may be made to hold millions of boxes, or boxes in boxes without end. So the reader counts
what it reads, and reads only headers and the first bytes of small boxes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from airflow_provider_instagram.exceptions import ValidationError

MAX_BOXES: Final = 100_000
#: A location in a track's metadata is at depth 4.
MAX_DEPTH: Final = 8
#: In all tracks together.
MAX_EDITS: Final = 10_000
#: More entries than that, of 12 or of 20 bytes.
EDIT_LIST_BYTES: Final = 8 + (MAX_EDITS // 3 + 1) * 60
#: Enough of each other box.
HEAD_BYTES: Final = 32
CONTAINERS: Final = frozenset({b"moov", b"mdia", b"minf", b"stbl", b"edts", b"udta"})
#: The boxes that must be complete. After them, cameras write data that is not in boxes.
WHOLE_BOXES: Final = frozenset({b"moov", b"mdat", b"moof"})
LOCATION_BOXES: Final = frozenset({b"\xa9xyz", b"loci", b"uuid"})
#: The boxes to read, by the box that contains them. The first one in a movie or a track counts.
READ_BOXES: Final = {
    (b"moov", b"mvhd"),
    (b"trak", b"tkhd"),
    (b"mdia", b"mdhd"),
    (b"edts", b"elst"),
    (b"stbl", b"stsz"),
    (b"stbl", b"stz2"),
}


@dataclass(frozen=True, slots=True)
class Edit:
    """One entry of a track's edit list.

    :param duration_s: Its duration in the presentation, in seconds. 0 means until the end of the
        track.
    :param media_time_s: Its start in the track, in seconds. None for an empty edit, which shows
        nothing.
    """

    duration_s: float
    media_time_s: float | None
    rate: float


@dataclass(frozen=True, slots=True)
class Track:
    """One track.

    :param number: The track id, which ffprobe reports as the stream's id.
    :param samples: The number of its samples, shown or not. 0 in a fragmented file.
    """

    number: int
    samples: int
    edits: tuple[Edit, ...]

    @property
    def delay_s(self) -> float:
        """The duration of the empty edit at the start, in seconds."""
        return sum(edit.duration_s for edit in self.edits[:1] if edit.media_time_s is None)

    @property
    def start_s(self) -> float:
        """The start of the presentation in the track, in seconds."""
        return next(
            (edit.media_time_s for edit in self.edits if edit.media_time_s is not None), 0.0
        )

    @property
    def is_rearranged(self) -> bool:
        """Whether the edit list has several parts, or another playback rate."""
        return sum(edit.media_time_s is not None for edit in self.edits) > 1 or any(
            e.rate != 1 for e in self.edits
        )


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

        :param numbers: The track id of each stream. 0 for a stream that is not a track, such as a
            cover picture.
        """
        by_number = {track.number: track for track in self.tracks}
        if len(by_number) < len(self.tracks) or not set(by_number) <= set(numbers):
            return self
        return replace(
            self,
            tracks=tuple(by_number.get(number, Track(number, 0, ())) for number in numbers),
        )

    @property
    def shows_hidden(self) -> bool:
        """Whether ffmpeg shows what an edit list hides, because it only applies the start in a fragmented file.

        In this case, hidden packets are shown before 0. Source: ffmpeg, libavformat/mov.c.
        """
        return self.fragmented and any(track.edits for track in self.tracks)


def read_layout(path: Path) -> Mp4Layout:
    """Read the well-formed boxes of an MP4 or MOV file, but not the media itself.

    :raises ValidationError: If they are not well-formed, or too many.
    """
    try:
        with path.open("rb") as file:
            return _layout(file)
    except DamagedError as error:
        raise _broken(path, str(error)) from None
    except struct.error:
        raise _broken(path, "its index is damaged") from None


def _broken(path: Path, why: str) -> ValidationError:
    return ValidationError(
        f"{path} is not a valid MP4 file: {why}.",
        hint="Export or copy it again, and check that it plays.",
    )


class DamagedError(Exception):
    """The boxes are not well-formed."""


class Box(NamedTuple):
    """A box, with the start and the end of its content, and the kind of the box that contains it."""

    kind: bytes
    start: int
    end: int
    parent: bytes = b""
    depth: int = 0


class Reader:
    """Walks through the boxes of a file."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.size = file.seek(0, 2)
        self._boxes = 0

    def read(self, start: int, count: int) -> bytes:
        """Return bytes of the file, fewer at its end."""
        self.file.seek(start)
        return self.file.read(count)

    def boxes(self, start: int, end: int) -> Iterator[Box]:
        """Yield the boxes side by side between two offsets. The last one may end later, if it lacks its end."""
        at = start
        while at + 8 <= end:
            self._boxes += 1
            if self._boxes > MAX_BOXES:
                raise DamagedError(f"it has more than {MAX_BOXES:,} boxes")
            length, kind = struct.unpack(">I4s", self.read(at, 8))
            content = at + 8
            if length == 1 and at + 16 <= end:
                length = struct.unpack(">Q", self.read(at + 8, 8))[0]
                content = at + 16
            elif length == 0:
                length = end - at
            if length < content - at:
                return
            yield Box(kind, content, at + length)
            at += length

    def inside(self, box: Box) -> Iterator[Box]:
        """Yield the boxes in a box, cut off at its end."""
        if box.depth == MAX_DEPTH:
            raise DamagedError(f"its boxes are nested more than {MAX_DEPTH} deep")
        end = min(box.end, self.size)
        for inner in self.boxes(box.start, end):
            yield Box(inner.kind, inner.start, min(inner.end, end), box.kind, box.depth + 1)

    def below(self, box: Box) -> Iterator[Box]:
        """Yield the boxes in a box and in the containers among them, but not those of tracks."""
        for inner in self.inside(box):
            yield inner
            if inner.kind in CONTAINERS:
                yield from self.below(inner)


def _layout(file: BinaryIO) -> Mp4Layout:
    """Return the layout of an open file.

    :raises DamagedError: If its boxes are not well-formed.
    """
    reader = Reader(file)
    order: dict[bytes, int] = {}
    brand = b"qt  "
    missing = 0
    movie = None
    for box in reader.boxes(0, reader.size):
        order.setdefault(box.kind, len(order))
        if box.kind in WHOLE_BOXES:
            missing = max(missing, box.end - reader.size)
        if box.kind == b"ftyp":
            brand = reader.read(box.start, 4)
        elif box.kind == b"moov":
            movie = box
    tracks: list[Track] = []
    places = {b"uuid"} & set(order)
    if movie is not None:
        tracks, places_in_movie = _movie(reader, movie)
        places |= places_in_movie
    return Mp4Layout(
        brand=brand.decode("latin-1").strip(),
        moov_first=b"moov" in order and order[b"moov"] < order.get(b"mdat", len(order)),
        fragmented=b"moof" in order,
        missing_bytes=missing,
        tracks=tuple(tracks),
        location_boxes=tuple(sorted(kind.decode("latin-1") for kind in places)),
    )


def _movie(reader: Reader, movie: Box) -> tuple[list[Track], set[bytes]]:
    """Return the tracks of a movie, and the names of its boxes that may contain a location."""
    own, places = _contents(reader, movie)
    timescale = _timescale(own.get(b"mvhd", b""))
    tracks = list[Track]()
    edits = 0
    for box in reader.inside(movie):
        if box.kind == b"trak":
            contents, more = _contents(reader, box)
            tracks.append(_track(contents, timescale))
            edits += len(tracks[-1].edits)
            if edits > MAX_EDITS:
                raise DamagedError(f"it has edit lists of more than {MAX_EDITS:,} entries")
            places |= more
    return tracks, places


def _contents(reader: Reader, owner: Box) -> tuple[dict[bytes, bytes], set[bytes]]:
    """Return the content of the boxes to read in a movie or a track, and the boxes that may contain a location."""
    contents: dict[bytes, bytes] = {}
    places: set[bytes] = set()
    for box in reader.below(owner):
        if box.kind in LOCATION_BOXES:
            places.add(box.kind)
        elif (box.parent, box.kind) in READ_BOXES and box.kind not in contents:
            wanted = EDIT_LIST_BYTES if box.kind == b"elst" else HEAD_BYTES
            contents[box.kind] = reader.read(box.start, min(box.end - box.start, wanted))
    return contents, places


def _track(boxes: dict[bytes, bytes], movie_timescale: int) -> Track:
    timescale = _timescale(boxes.get(b"mdhd", b""))
    header = boxes.get(b"tkhd")
    number = 0
    if header:
        number = _number_at(header, 20 if header[0] == 1 else 12)
    sizes = boxes.get(b"stsz") or boxes.get(b"stz2")
    return Track(
        number=number,
        samples=_number_at(sizes, 8) if sizes else 0,
        edits=_edits(boxes.get(b"elst", b""), movie_timescale, timescale),
    )


def _number_at(content: bytes, offset: int) -> int:
    return int(struct.unpack_from(">I", content, offset)[0])


def _timescale(header: bytes) -> int:
    """Return the ticks per second in an ``mvhd`` or ``mdhd`` box."""
    if not header:
        return 1
    return _number_at(header, 20 if header[0] == 1 else 12) or 1


def _edits(elst: bytes, movie_timescale: int, timescale: int) -> tuple[Edit, ...]:
    if not elst:
        return ()
    entry = struct.Struct(">Qqhh" if elst[0] == 1 else ">Iihh")
    entries = elst[8 : 8 + _number_at(elst, 4) * entry.size]
    edits = []
    for duration, at, rate, rate_fraction in entry.iter_unpack(entries):
        media_time_s = None if at < 0 else at / timescale
        edits.append(Edit(duration / movie_timescale, media_time_s, rate + rate_fraction / 65536))
    return tuple(edits)
