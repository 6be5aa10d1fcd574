"""The boxes of an MP4 file, for what ffprobe does not tell: their order, edit lists, and where it was filmed."""

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
#: What has to be there to its end; cameras write other things behind, which are no boxes at all.
WHOLE_BOXES: Final = frozenset({b"moov", b"mdat", b"moof"})
FIRST_BOXES: Final = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip"})
PLACE_BOXES: Final = frozenset({b"\xa9xyz", b"loci", b"uuid"})


@dataclass(frozen=True, slots=True)
class Edit:
    """One entry of a track's edit list.

    :param duration_s: How long it lasts when shown, in seconds; 0 means to the end of the track.
    :param media_time_s: Where in the track it starts, in seconds; None means that nothing is shown.
    :param rate: The speed at which it is shown.
    """

    duration_s: float
    media_time_s: float | None
    rate: float


@dataclass(frozen=True, slots=True)
class Track:
    """One track.

    :param number: Its own number, which ffprobe calls the stream's id.
    :param kind: Its handler, such as ``vide`` or ``soun``.
    :param timescale: Ticks a second of its own clock.
    :param samples: How many pictures or packets of sound it holds, shown or not; 0 in a fragmented file.
    :param edits: Its edit list.
    """

    number: int
    kind: str
    timescale: int
    samples: int
    edits: tuple[Edit, ...]

    @property
    def delay_s(self) -> float:
        """How long nothing of it is shown at first, in seconds."""
        return sum(edit.duration_s for edit in self.edits[:1] if edit.media_time_s is None)

    @property
    def start_s(self) -> float:
        """Where in the track it starts when it is shown, in seconds."""
        return next((edit.media_time_s for edit in self.edits if edit.media_time_s is not None), 0.0)

    @property
    def is_rearranged(self) -> bool:
        """Whether it is shown in pieces, or at another speed."""
        return sum(edit.media_time_s is not None for edit in self.edits) > 1 or any(e.rate != 1 for e in self.edits)


@dataclass(frozen=True, slots=True)
class Mp4Layout:
    """How an MP4 or MOV file is laid out.

    :param brand: The major brand of its ``ftyp`` box; ``qt`` is QuickTime's.
    :param moov_first: Whether the index stands before the media.
    :param fragmented: Whether the index is spread over the file.
    :param missing_bytes: How much of the index or the media is not there.
    :param tracks: The tracks, in the order of ffprobe's streams once :meth:`ordered_as` has put them so.
    :param place_boxes: Names of the boxes that tell a place, or may.
    """

    brand: str
    moov_first: bool
    fragmented: bool
    missing_bytes: int
    tracks: tuple[Track, ...]
    place_boxes: tuple[str, ...]

    def ordered_as(self, numbers: Sequence[int]) -> Mp4Layout:
        """Put each track where ffprobe has its stream: ffprobe may count a cover picture as a stream before them.

        :param numbers: The number of the track of each stream; 0 for a stream that is no track.
        """
        known = {track.number: track for track in self.tracks}
        if len(known) < len(self.tracks) or not set(known) <= set(numbers):
            return self
        return replace(self, tracks=tuple(known.get(number, Track(number, "", 1, 0, ())) for number in numbers))

    @property
    def shows_hidden(self) -> bool:
        """Whether ffmpeg shows what an edit list hides: of a fragmented file's, it takes the start and nothing else.

        What is hidden is shown before 0 then. Source: ffmpeg, libavformat/mov.c.
        """
        return self.fragmented and any(track.edits for track in self.tracks)


def read_layout(path: Path) -> Mp4Layout:
    """Walk the boxes of an MP4 or MOV file; the media itself is not read.

    :param path: The file.
    :return: Its layout.
    :raises ValidationError: When the boxes do not fit into each other.
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
                    raise _broken(path, f"its index claims {end - start} bytes")
                file.seek(start)
                moov = file.read(end - start)
    try:
        tracks, places = _read_moov(moov)
    except (struct.error, IndexError, ZeroDivisionError, RecursionError) as error:
        raise _broken(path, "its index is damaged") from error
    return Mp4Layout(
        brand=brand.decode("latin-1").strip(),
        moov_first=b"moov" in order and (b"mdat" not in order or order.index(b"moov") < order.index(b"mdat")),
        fragmented=b"moof" in order,
        missing_bytes=missing,
        tracks=tracks,
        place_boxes=tuple(sorted({*places, *(["uuid"] if b"uuid" in order else [])})),
    )


def begins_like_mp4(path: Path) -> bool:
    """Whether a file starts with a box that MP4 and MOV files start with."""
    with path.open("rb") as file:
        return file.read(8)[4:] in FIRST_BOXES


def starts_anew(file: BinaryIO, at: int, length_bytes: int) -> bool:
    """Whether a picture of H.264 is one that nothing after it looks back over.

    :param file: The file.
    :param at: Where the picture stands in it, in bytes.
    :param length_bytes: How long the length before each of its units is, in bytes.
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
        f"{path} is not a whole MP4 file: {why}.", hint="Export or copy it again, and check that it plays."
    )


def _top_boxes(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int, int]]:
    """The kind, and the first and last byte of the content, of each box of the file."""
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
    """The boxes inside a box."""
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
    """The content of the first box at the end of a path of boxes; empty when there is none."""
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
    """Ticks a second, out of an ``mvhd`` or ``mdhd`` box."""
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
        if kind in PLACE_BOXES:
            yield kind.decode("latin-1")
        elif kind in CONTAINERS:
            yield from _places(content)
