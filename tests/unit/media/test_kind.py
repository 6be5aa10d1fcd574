"""The kind of a file by its content, whatever its name says."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.media.kind import HEAD_BYTES, kind_by_head, kind_of

JPEG = b"\xff\xd8\xff\xe0" + bytes(60)
TIFF = b"II*\x00" + bytes(60)


def _boxed(*brands: bytes) -> bytes:
    content = brands[0] + bytes(4) + b"".join(brands[1:])
    return (len(content) + 8).to_bytes(4, "big") + b"ftyp" + content + bytes(40)


def test_a_relative_name_that_is_not_found_says_from_where_it_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValidationError) as missing:
        kind_of(Path("videos/teaser.mp4"))
    assert f"The file {tmp_path}/videos/teaser.mp4 does not exist" in missing.value.message
    assert "write it whole" in str(missing.value.hint)


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.jpg", JPEG, "image"),
        ("a.mp4", JPEG, "image"),
        ("a", JPEG, "image"),
        ("named.bmp", JPEG, "image"),
        ("a.png", b"\x89PNG\r\n\x1a\n" + bytes(60), "image"),
        ("a.tif", TIFF, "image"),
        ("a.tif", b"MM\x00+" + bytes(60), "image"),
        ("a.webp", b"RIFF\0\0\0\0WEBPVP8 " + bytes(60), "image"),
        ("a.heic", _boxed(b"heic", b"mif1"), "image"),
        ("a.avif", _boxed(b"avif", b"mif1"), "image"),
        ("a.avif", _boxed(b"mif1", b"avif"), "image"),
        ("a.mp4", _boxed(b"isom", b"avc1"), "video"),
        ("a.jpg", _boxed(b"qt  "), "video"),
        ("a.pdf", _boxed(b"mp42"), "video"),
        ("a.avi", b"RIFF\0\0\0\0AVI LIST" + bytes(60), "video"),
        ("a.mkv", b"\x1a\x45\xdf\xa3" + bytes(60), "video"),
        ("a.jpg", b"GIF89a" + bytes(60), "video"),
        ("a", b"", "video"),
    ],
)
def test_the_content_decides(name: str, content: bytes, kind: str, tmp_path: Path) -> None:
    (path := tmp_path / name).write_bytes(content)
    assert kind_of(path) == kind


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (JPEG, "image"),
        (_boxed(b"heic", b"mif1"), "image"),
        (_boxed(b"isom", b"avc1"), "video"),
        (b"\0\0\0\x08wide\0\0\0\0mdat" + bytes(40), "video"),  # QuickTime before 2001
        (b"RIFF\0\0\0\0AVI LIST" + bytes(40), "video"),
        (b"\x1a\x45\xdf\xa3" + bytes(60), "video"),
        (b"\0\0\x01\xba" + bytes(60), "video"),
        (b"\x47" + bytes(187) + b"\x47", "video"),
        (bytes(4) + b"\x47" + bytes(191) + b"\x47", "video"),  # of a camera, .mts
        (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11" + bytes(56), "video"),
        (b"GIF89a" + bytes(60), "video"),
        (b"", None),
        (b"Go" + bytes(60), None),
        (b"Great" * 60, None),
        (b"<!DOCTYPE html><title>ftyp</title>", None),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', None),
        (b"RIFF\0\0\0\0WAVEfmt " + bytes(40), None),
    ],
)
def test_first_bytes_that_are_of_neither_are_known(content: bytes, kind: str | None) -> None:
    assert kind_by_head(content[:HEAD_BYTES]) == kind


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("old.bmp", b"BM" + bytes(60), "is a picture in a format that cannot be opened (.bmp). Export it as a JPEG"),
        ("raw.DNG", TIFF, "is a picture in a format that cannot be opened (.dng). Export it as a JPEG"),
        ("a.jpg", b"hello", "is not a picture, although its name says so. Use a JPEG"),
        ("notes.txt", b"hello", "is neither a picture nor a video. Use a video, or a JPEG"),
        ("song.mp3", b"ID3" + bytes(60), "is neither a picture nor a video."),
    ],
)
def test_a_picture_that_cannot_be_opened_is_refused(name: str, content: bytes, words: str, tmp_path: Path) -> None:
    """A camera's raw file starts like a TIFF, whose first picture is a thumbnail."""
    (path := tmp_path / name).write_bytes(content)
    with pytest.raises(ValidationError, match=re.escape(f"{name} {words}")):
        kind_of(path)


@pytest.mark.parametrize(
    ("kind", "words"), [("missing", "does not exist"), ("folder", "not a regular"), ("pipe", "not a regular")]
)
def test_what_is_not_a_file_is_refused(kind: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "picture.jpg"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    with pytest.raises(ValidationError, match=words):
        kind_of(path)
