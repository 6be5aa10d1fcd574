"""Writes MP4 boxes that are made to do harm, in place of the metadata of a whole video."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MEGABYTES: Final = 2 * 1024**2


def box(kind: bytes, content: bytes = b"", *, size: int | None = None) -> bytes:
    """A box. Its size may be a lie."""
    return struct.pack(">I4s", 8 + len(content) if size is None else size, kind) + content


def nested(kind: bytes, depth: int, *, each: bytes = b"") -> bytes:
    """Boxes in boxes, each with the same content beside the next one. Sizes are written from the inside out."""
    heads = [struct.pack(">I4s", (8 + len(each)) * (depth - level), kind) + each for level in range(depth)]
    return b"".join(heads)


def edits(entries: int, claimed: int, *, version: int = 0) -> bytes:
    """An edit list that claims another number of entries than it has."""
    entry = struct.pack(">Qqhh" if version else ">Iihh", 1000, 0, 1, 0)
    return box(b"edts", box(b"elst", struct.pack(">B3xI", version, claimed) + entry * entries))


#: What stands in the index of an otherwise whole video.
IN_MOVIE: Final[Mapping[str, Callable[[], bytes]]] = {
    "boxes in boxes": lambda: nested(b"udta", MEGABYTES // 8),
    "boxes in boxes with a file in each": lambda: nested(b"udta", 2000, each=box(b"free", bytes(1000))),
    "boxes in boxes of several kinds": lambda: box(b"udta", box(b"mdia", nested(b"edts", MEGABYTES // 16))),
    "tracks in tracks": lambda: nested(b"trak", MEGABYTES // 8),
    "a quarter of a million boxes": lambda: box(b"free") * (MEGABYTES // 8),
    "a quarter of a million boxes in metadata": lambda: box(b"udta", box(b"udta") * (MEGABYTES // 8)),
    "a quarter of a million tracks": lambda: box(b"trak") * (MEGABYTES // 8),
    "boxes of 64 bits": lambda: struct.pack(">I4sQ", 1, b"udta", 16) * (MEGABYTES // 16),
    "a box of 64 bits that ends nowhere": lambda: struct.pack(">I4sQ", 1, b"udta", 2**64 - 1),
    "a box of 64 bits that is too short": lambda: struct.pack(">I4sQ", 1, b"udta", 8),
    "a box without an end": lambda: box(b"udta", nested(b"udta", 4), size=0),
    "a box that is longer than its parent": lambda: box(b"udta", box(b"udta", box(b"loci"), size=2**31)),
    "a box that is shorter than its head": lambda: box(b"udta", size=7),
    "an edit list of 2**32 entries": lambda: box(b"trak", edits(1, 2**32 - 1)),
    "an edit list of 100,000 entries": lambda: box(b"trak", edits(100_000, 100_000)),
    "edit lists in many tracks": lambda: box(b"trak", edits(9_000, 9_000)) * 20,
    "a list of 2**32 samples": lambda: box(
        b"trak", box(b"mdia", box(b"minf", box(b"stbl", box(b"stsz", struct.pack(">III", 0, 0, 2**32 - 1)))))
    ),
    "empty heads": lambda: box(b"mvhd") + box(b"trak", box(b"tkhd") + edits(0, 1)),
    "short heads": lambda: box(b"trak", box(b"tkhd", b"\1\0") + box(b"mdia", box(b"mdhd", b"\0"))),
}
#: What stands behind the video.
BEHIND: Final[Mapping[str, Callable[[], bytes]]] = {
    "a million boxes": lambda: box(b"free") * 1_000_000,
    "a million fragments": lambda: box(b"moof", box(b"mfhd", bytes(8))) * 500_000,
    "a second index of boxes in boxes": lambda: box(b"moov", nested(b"udta", MEGABYTES // 8)),
    "zeros": lambda: bytes(MEGABYTES),
    "noise": lambda: bytes(range(1, 255)) * 8000,
}


def with_boxes(video: bytes, *, in_movie: bytes = b"", behind: bytes = b"") -> bytes:
    """A video whose index is its last box, with more boxes in it or behind it."""
    at = video.rindex(b"moov") - 4
    assert struct.unpack_from(">I", video, at)[0] == len(video) - at, "the index is not the last box"
    return video[:at] + box(b"moov", video[at + 8 :] + in_movie) + behind
