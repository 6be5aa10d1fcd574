"""The walk over an MP4's atoms, on files made byte by byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from instagram_sandbox.simulator.media import UnfitVideoError, VideoRules, check_atoms

if TYPE_CHECKING:
    from pathlib import Path


def box(kind: bytes, body: bytes = b"") -> bytes:
    return (8 + len(body)).to_bytes(4, "big") + kind + body


FTYP = box(b"ftyp", b"isom\0\0\2\0mp42")
EDIT_LIST = box(b"edts", box(b"elst", b"\0" * 20))
PLAIN = box(b"moov", box(b"trak", box(b"mdia")))
MDAT = box(b"mdat", b"x" * 40)


def problem(tmp_path: Path, data: bytes) -> str:
    path = tmp_path / "file.mp4"
    path.write_bytes(data)
    try:
        check_atoms(path, VideoRules())
    except UnfitVideoError as unfit:
        return str(unfit)
    return ""


def test_an_index_at_the_front_without_edit_lists_is_fit(tmp_path: Path) -> None:
    assert problem(tmp_path, FTYP + PLAIN + MDAT) == ""


def test_boxes_of_64_bits_and_boxes_to_the_end_are_read(tmp_path: Path) -> None:
    large = (1).to_bytes(4, "big") + b"free" + (24).to_bytes(8, "big") + b"\0" * 8
    to_the_end = (0).to_bytes(4, "big") + b"mdat" + b"x" * 9
    assert problem(tmp_path, FTYP + large + PLAIN + to_the_end) == ""


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (FTYP + MDAT + PLAIN, "not at the front"),
        (FTYP + box(b"moov", box(b"trak", EDIT_LIST)) + MDAT, "edit list"),
        (FTYP + PLAIN, "no media"),
        (FTYP + MDAT, "no index"),
        (FTYP + PLAIN + MDAT[:-5], "cut off"),
        (FTYP + (4).to_bytes(4, "big") + b"moov", "cut off"),
        (b"\x1aE\xdf\xa3" + b"\0" * 40, "neither MP4 nor MOV"),
        (b"", "neither MP4 nor MOV"),
    ],
    ids=["index last", "edit list", "no media", "no index", "cut off", "too small a box", "Matroska", "empty"],
)
def test_an_unfit_file_is_named(tmp_path: Path, data: bytes, says: str) -> None:
    assert says in problem(tmp_path, data)


def test_edit_lists_may_be_accepted(tmp_path: Path) -> None:
    data = FTYP + box(b"moov", box(b"trak", EDIT_LIST)) + MDAT
    assert "-use_editlist 0" in problem(tmp_path, data)
    check_atoms(tmp_path / "file.mp4", VideoRules(edit_lists="accept"))


def test_bytes_after_the_last_box_may_be_accepted_and_a_box_that_breaks_off_never(tmp_path: Path) -> None:
    data = FTYP + PLAIN + MDAT + b"x" * 20_000
    assert problem(tmp_path, data).startswith("the file is damaged or cut off: box xxxx at byte")
    assert "after its last box" in check_atoms(tmp_path / "file.mp4", VideoRules(tail="accept"))
    assert "box mdat at byte" in problem(tmp_path, FTYP + PLAIN + MDAT[:-5])
    with pytest.raises(UnfitVideoError):
        check_atoms(tmp_path / "file.mp4", VideoRules(tail="accept"))


def test_a_box_whose_name_is_no_text_is_named_without_pythons_notation(tmp_path: Path) -> None:
    said = problem(tmp_path, FTYP + b"\xff" * 8)
    assert said == "the file is damaged or cut off: box \\xff\\xff\\xff\\xff at byte 20"
