"""Covers and videos for the page, read in bounded parts and never decoded here."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Final

from airflow.utils.session import create_session
from fastapi import HTTPException
from starlette.responses import Response

from airflow_provider_instagram.calendar.file.media_paths import CalendarFiles
from airflow_provider_instagram.calendar.tasks.covers import read_cover
from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.plugin.board.source import read_xcom
from airflow_provider_instagram.utils.locations import is_local, is_web
from airflow_provider_instagram.utils.time_limit import within_small_file_timeout

if TYPE_CHECKING:
    from airflow_provider_instagram.plugin.board.board import Board
    from airflow_provider_instagram.plugin.board.states import PostRun

#: The most that one answer contains of a video. A browser asks for the next part by itself.
PART_BYTES: Final = 2 * 1024 * 1024
RANGE: Final = re.compile(r"bytes=([0-9]{0,19})-([0-9]{0,19})")
#: Nothing of ours may run as a page of its own.
HARMLESS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "no-store",
}
#: A video that is replaced under the same name has another cover soon.
COVER_CACHE: Final = "private, max-age=60"


def has_cover(board: Board, name: str) -> bool:
    """Return whether a cover is that of a post of this calendar."""
    version = name.partition("-")[0]
    return any(card.version == version for card in board.cards.values())


def cover(board: Board, name: str, *, is_small: bool) -> Response:
    """Return the cover of a post of this calendar."""
    if not has_cover(board, name):
        raise HTTPException(404, "This calendar has no post with this cover.")
    content = None
    with suppress(ValidationError):  # something else is in its place
        content = read_cover(name, is_small=is_small)
    if content is None:
        raise HTTPException(404, "[instagram] calendar_snapshots does not contain this cover on this machine.")
    return Response(content, media_type="image/jpeg", headers={**HARMLESS, "Cache-Control": COVER_CACHE})


def video(board: Board, account: str, run: PostRun, place: int, asked: str) -> Response:
    """Return a part of the video that a run has made for a post.

    :param place: The place of the video in a carousel, from 1.
    :param asked: The header ``Range``.
    :raises HTTPException: 404 if there is no such video on this machine, 416 if it has no such part.
    """
    location = _result(board.calendar.dag_id, run, f"{account}.transcode", place)
    pin = board.stored.plan.calendar.pin if board.stored is not None else None
    try:
        with _opened(location, CalendarFiles(board.calendar.location, pin)) as (file, size):
            first, last = _part(asked, size)
            # A storage that does not answer would hold one of the few threads that answer all users of Airflow.
            content, kind = within_small_file_timeout(lambda: _read(file, first, last))
    except (OSError, ValidationError):
        raise HTTPException(404, "This video is not on this machine.") from None
    if kind != b"ftyp":
        raise HTTPException(404, "This is not an MP4.")
    headers = {**HARMLESS, "Accept-Ranges": "bytes", "Content-Range": f"bytes {first}-{last}/{size}"}
    return Response(content, 206, media_type="video/mp4", headers=headers)


def _result(dag_id: str, run: PostRun, task_id: str, place: int) -> str:
    with create_session(scoped=False) as session:
        made = read_xcom(session, dag_id, run, task_id)
    if isinstance(made, list):
        made = made[place - 1] if place <= len(made) else None
    if not isinstance(made, str) or is_web(made):
        raise HTTPException(404, "There is no transcoded video of this post.")
    return made


@contextmanager
def _opened(location: str, files: CalendarFiles) -> Iterator[tuple[IO[bytes], int]]:
    """Open a file that may be shown, and yield its size, too.

    An XCom is data, which a user may have edited. So the file must be where the calendar's files or transcodes are.

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


def _read(file: IO[bytes], first: int, last: int) -> tuple[bytes, bytes]:
    """Return a part of a file, and what its beginning says that it is."""
    file.seek(first)
    content = file.read(last - first + 1)
    file.seek(4)
    return content, file.read(4)


def _part(asked: str, size: int) -> tuple[int, int]:
    """Return the first and the last byte of the part to send, at most ``PART_BYTES`` of it.

    :raises HTTPException: 416.
    """
    found = RANGE.fullmatch(asked or "bytes=0-")
    first_text, last_text = found.groups() if found else ("", "")
    if not (first_text or last_text) or size == 0:
        raise HTTPException(416, "Ask for one range of bytes.", {"Content-Range": f"bytes */{size}"})
    first = int(first_text) if first_text else max(0, size - int(last_text))
    last = int(last_text) if first_text and last_text else size - 1
    if first >= size or last < first:
        raise HTTPException(416, "The video is shorter.", {"Content-Range": f"bytes */{size}"})
    return first, min(last, size - 1, first + PART_BYTES - 1)
