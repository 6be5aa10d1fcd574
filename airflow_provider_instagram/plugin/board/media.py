"""The videos and pictures that the Posts page shows: of a calendar's folder, and what runs have made."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Final

from fastapi import HTTPException
from starlette.responses import Response

from airflow_provider_instagram.calendar.file.media_paths import CalendarFiles
from airflow_provider_instagram.calendar.file.writer import scratch_file
from airflow_provider_instagram.exceptions import InstagramError, ValidationError
from airflow_provider_instagram.media.kind import HEAD_BYTES, format_of
from airflow_provider_instagram.media.spec import PictureSpec
from airflow_provider_instagram.plugin.board.questions import prepared_of
from airflow_provider_instagram.utils.time_limit import within_small_file_timeout
from airflow_provider_instagram.utils.urls import is_local, is_web

if TYPE_CHECKING:
    from airflow_provider_instagram.plugin.board.board import Board
    from airflow_provider_instagram.plugin.board.states import Facts

#: The most that one answer contains of a video. A browser asks for the next part by itself.
PART_BYTES: Final = 2 * 1024 * 1024
RANGE: Final = re.compile(r"bytes=([0-9]{1,19})-([0-9]{0,19})")
#: Pictures that each browser shows. A JPEG is made of the others.
SHOWN_AS: Final[dict[str | None, str]] = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
}
VIDEO: Final = re.compile(rb"....ftyp", re.DOTALL)
#: A picture is not larger than a camera's.
MOST_PICTURE_BYTES: Final = 30_000_000
#: What a JPEG for the page is made as: in its own shape, and as wide as a preview on a sharp
#: screen.
PREVIEW: Final = PictureSpec(
    "preview", 1 / 100, 100, min_columns=1, max_columns=1080, max_size_bytes=2_000_000
)
#: Pictures are decoded one after the other in an API server process, whose threads also answer other
#: requests. A picture waits this long for its turn.
LONGEST_WAIT_S: Final = 20.0
#: Nothing of ours may run as a page of its own.
HARMLESS: Final = {"Content-Security-Policy": "default-src 'none'; sandbox"}
#: A video that is replaced under the same name has another cover soon.
COVER_CACHE: Final = "private, max-age=60"


_turn: Final = threading.Lock()


def video_part(board: Board, facts: Facts, place: int, asked: str) -> Response:
    """Return a part of the video that was made for a post.

    :param place: The place of the video in a carousel, from 1.
    :param asked: The header ``Range``.
    :raises HTTPException: 404 if there is no such video on this machine, 416 if it has no such
        part.
    """
    location = _result(facts, place)
    try:
        return _answer(location, _files_of(board), asked)
    except (OSError, ValidationError):
        raise HTTPException(404, "This video is not on this machine.") from None


def file_part(board: Board, name: str, asked: str) -> Response:
    """Return a picture, or a part of a video, that is in the calendar's folder.

    :raises HTTPException: 404 if there is no such file, or none that a browser shows.
    """
    files = _files_of(board)
    location = f"{board.location.rpartition('/')[0]}/{name}"
    try:
        files.own.check(location)
        return _answer(location, files, asked)
    except (OSError, ValidationError):
        raise HTTPException(404, "The calendar's folder has no such file.") from None


def _files_of(board: Board) -> CalendarFiles:
    return CalendarFiles(board.location, board.stored.plan.calendar.pin)


def _answer(location: str, files: CalendarFiles, asked: str) -> Response:
    """Return a picture, or a part of a video, which is read in bounds.

    The API server itself decodes neither. A JPEG is made of a HEIC in a process of its own, with
    limits. A storage that does not answer would hold one of the few threads that answer all users
    of Airflow, so each read has a time limit.
    """
    with _opened(location, files) as (file, size):
        head = within_small_file_timeout(lambda: file.read(HEAD_BYTES))
        kind = format_of(head)
        is_video = kind is None and VIDEO.match(head) is not None
        if not is_video and (kind is None or size > MOST_PICTURE_BYTES):
            raise HTTPException(404, "A browser cannot show this file.")
        first, last = _part(asked, size) if is_video else (0, size - 1)
        content = within_small_file_timeout(lambda: _read(file, first, last))
    if is_video:
        headers = {
            **HARMLESS,
            "Accept-Ranges": "bytes",
            "Content-Range": f"bytes {first}-{last}/{size}",
        }
        return Response(content, 206, media_type="video/mp4", headers=headers)
    headers = {**HARMLESS, "Cache-Control": COVER_CACHE}
    picture = content if kind in SHOWN_AS else _as_jpeg(content)
    return Response(picture, media_type=SHOWN_AS.get(kind, "image/jpeg"), headers=headers)


def _as_jpeg(content: bytes) -> bytes:
    """Return a picture as a small JPEG, which a process with limits makes of it."""
    from airflow_provider_instagram.media.picture import PictureItem

    if not _turn.acquire(timeout=LONGEST_WAIT_S):
        raise HTTPException(503, "Other pictures are being decoded. Try again.")
    try:
        with scratch_file("picture.heic") as source:  # its content says what it is
            made = source.with_name("preview.jpg")
            source.write_bytes(content)
            PictureItem.read(source, PREVIEW, is_written_next=True).write(made)
            return made.read_bytes()
    except InstagramError:
        raise HTTPException(404, "This picture cannot be decoded.") from None
    finally:
        _turn.release()


def _result(facts: Facts, place: int) -> str:
    made = prepared_of(facts).media
    if place > len(made) or is_web(made[place - 1]):
        raise HTTPException(404, "There is no transcoded video of this post.")
    return made[place - 1]


@contextmanager
def _opened(location: str, files: CalendarFiles) -> Iterator[tuple[IO[bytes], int]]:
    """Open a file that may be shown, and yield its size, too.

    The file must be where the calendar's files or transcodes are.

    :raises ValidationError: If it is not.
    """
    access = files.access_to(location)
    access.check(location)
    if not is_local(location):
        from airflow.sdk import ObjectStoragePath

        path = ObjectStoragePath(location)
        path.fs  # noqa: B018 -- the connection is looked up here, in the thread that talks with Airflow
        size = within_small_file_timeout(lambda: path.stat().st_size)
        # With its cache, s3fs would read 50 MB for each part.
        with within_small_file_timeout(lambda: path.open("rb", cache_type="none")) as remote:
            yield remote, size
        return
    with access.opened(location) as file:
        yield file, os.fstat(file.fileno()).st_size


def _read(file: IO[bytes], first: int, last: int) -> bytes:
    file.seek(first)
    return file.read(last - first + 1)


def _part(asked: str, size: int) -> tuple[int, int]:
    """Return the first and the last byte of the part to send, at most ``PART_BYTES`` of it.

    :raises HTTPException: 416.
    """
    found = RANGE.fullmatch(asked or "bytes=0-")
    first = int(found[1]) if found else size
    last = int(found[2] or size) if found else size
    if first >= size or last < first:
        headers = {"Content-Range": f"bytes */{size}"}
        raise HTTPException(416, "Ask for one range of bytes of the video.", headers)
    return first, min(last, size - 1, first + PART_BYTES - 1)
