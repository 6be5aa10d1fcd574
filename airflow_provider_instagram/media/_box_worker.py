"""Read the boxes of an MP4 or MOV file by their offsets, but not the media itself, and print them as JSON.

:mod:`~airflow_provider_instagram.media.boxes` runs this script with limits, because a file may be made to hold millions
of boxes, or boxes in boxes without end. Only headers and the first bytes of small boxes are read. The script imports
nothing of the provider, so that it starts fast.
"""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

MAX_BOXES = 100_000
#: A location in a track's metadata is at depth 4.
MAX_DEPTH = 8
#: In all tracks together.
MAX_EDITS = 10_000
#: More entries than that, of 12 or of 20 bytes.
EDIT_LIST_BYTES = 8 + (MAX_EDITS // 3 + 1) * 60
#: Enough of each other box.
HEAD_BYTES = 32
CONTAINERS = frozenset({b"moov", b"mdia", b"minf", b"stbl", b"edts", b"udta"})
#: The boxes that must be complete. After them, cameras write data that is not in boxes.
WHOLE_BOXES = frozenset({b"moov", b"mdat", b"moof"})
LOCATION_BOXES = frozenset({b"\xa9xyz", b"loci", b"uuid"})
#: The boxes to read, by the box that contains them. The first one in a movie or a track counts.
READ_BOXES = {
    (b"moov", b"mvhd"),
    (b"trak", b"tkhd"),
    (b"mdia", b"mdhd"),
    (b"mdia", b"hdlr"),
    (b"edts", b"elst"),
    (b"stbl", b"stsz"),
    (b"stbl", b"stz2"),
}


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
                length, content = struct.unpack(">Q", self.read(at + 8, 8))[0], at + 16
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


def layout(file: BinaryIO) -> dict[str, Any]:
    """Return the fields of an ``Mp4Layout``, as plain data."""
    reader = Reader(file)
    order: dict[bytes, int] = {}
    brand, missing, movie = b"qt  ", 0, None
    for box in reader.boxes(0, reader.size):
        order.setdefault(box.kind, len(order))
        if box.kind in WHOLE_BOXES:
            missing = max(missing, box.end - reader.size)
        if box.kind == b"ftyp":
            brand = reader.read(box.start, 4)
        elif box.kind == b"moov":
            movie = box
    tracks, places = _movie(reader, movie) if movie else ([], set())
    return {
        "brand": brand.decode("latin-1").strip(),
        "moov_first": b"moov" in order and order[b"moov"] < order.get(b"mdat", len(order)),
        "fragmented": b"moof" in order,
        "missing_bytes": missing,
        "tracks": tracks,
        "location_boxes": sorted({kind.decode("latin-1") for kind in places | ({b"uuid"} & set(order))}),
    }


def _movie(reader: Reader, movie: Box) -> tuple[list[dict[str, Any]], set[bytes]]:
    """Return the tracks of a movie, and the names of its boxes that may contain a location."""
    own, places = _contents(reader, movie)
    timescale = _timescale(own.get(b"mvhd", b""))
    tracks, edits = [], 0
    for box in reader.inside(movie):
        if box.kind == b"trak":
            contents, more = _contents(reader, box)
            tracks.append(_track(contents, timescale))
            edits += len(tracks[-1]["edits"])
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


def _track(boxes: dict[bytes, bytes], movie_timescale: int) -> dict[str, Any]:
    timescale = _timescale(boxes.get(b"mdhd", b""))
    header, sizes = boxes.get(b"tkhd"), boxes.get(b"stsz") or boxes.get(b"stz2")
    return {
        "number": struct.unpack_from(">I", header, 20 if header[:1] == b"\1" else 12)[0] if header else 0,
        "kind": boxes.get(b"hdlr", b"")[8:12].decode("latin-1"),
        "timescale": timescale,
        "samples": struct.unpack_from(">I", sizes, 8)[0] if sizes else 0,
        "edits": _edits(boxes.get(b"elst", b""), movie_timescale, timescale),
    }


def _timescale(header: bytes) -> int:
    """Return the ticks per second in an ``mvhd`` or ``mdhd`` box."""
    if not header:
        return 1
    return int(struct.unpack_from(">I", header, 20 if header[0] == 1 else 12)[0]) or 1


def _edits(elst: bytes, movie_timescale: int, timescale: int) -> list[tuple[float, float | None, float]]:
    if not elst:
        return []
    entry, count = struct.Struct(">Qqhh" if elst[0] == 1 else ">Iihh"), struct.unpack_from(">I", elst, 4)[0]
    entries = elst[8 : 8 + count * entry.size]
    return [
        (duration / movie_timescale, None if at < 0 else at / timescale, rate + rate_fraction / 65536)
        for duration, at, rate, rate_fraction in entry.iter_unpack(entries)
    ]


def main(path: str) -> None:
    """Print the layout of a file, or why it is not valid."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 -- pathlib would double the time to start
            answer = layout(file)
    except (DamagedError, struct.error) as error:
        why = str(error) if isinstance(error, DamagedError) else "its index is damaged"
        answer = {"error": why}
    print(json.dumps(answer))  # noqa: T201  the answer


if __name__ == "__main__":
    main(sys.argv[1])
