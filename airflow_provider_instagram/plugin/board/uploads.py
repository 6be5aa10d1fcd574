"""Uploads of videos and pictures into a calendar's folder."""

from __future__ import annotations

import re
import threading
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from fastapi import HTTPException
from fastapi.concurrency import contextmanager_in_threadpool
from starlette.concurrency import run_in_threadpool

from airflow_provider_instagram.calendar.file.problems import InvalidValue
from airflow_provider_instagram.calendar.file.writer import scratch_file
from airflow_provider_instagram.exceptions import InstagramError
from airflow_provider_instagram.media.kind import HEAD_BYTES, kind_by_head
from airflow_provider_instagram.plugin.board.forms import writer_of
from airflow_provider_instagram.plugin.board.queries import write_act
from airflow_provider_instagram.plugin.bodies import received
from airflow_provider_instagram.posts.kinds import kind_by_name
from airflow_provider_instagram.utils.owned_folder import lack_of_space
from airflow_provider_instagram.utils.urls import shown

if TYPE_CHECKING:
    from starlette.requests import Request

    from airflow_provider_instagram.plugin.board.board import Board
    from airflow_provider_instagram.plugin.users import PageUser

#: What is replaced in the name of a file: anything that a list of files, a link or a program could
#: read otherwise.
UNUSUAL: Final = re.compile(r"[^\w .()-]+")
BRACKETS: Final = str.maketrans("[]{}", "()()")
LONGEST_NAME_BYTES: Final = 150
#: More than any file that Instagram takes, as it comes from a camera.
MAX_UPLOAD_BYTES: Final = 2_000_000_000
BLOCK_BYTES: Final = 1 << 20
#: Uploads at one time in an API server process, whose threads also answer all other requests.
MOST_UPLOADS: Final = 8
_places: Final = threading.BoundedSemaphore(MOST_UPLOADS)


def stored_name(given: str) -> str:
    """Return the name under which a file is stored: letters of any script, digits, spaces and round brackets stay.

    :raises InvalidValue: If it could hide the file, lead out of the folder, or has too little that
        stays.
    """
    # macOS has a narrow space in names of screenshots
    name = unicodedata.normalize("NFC", re.sub(r"\s", " ", given))
    if not name.isprintable() or re.search(r"[/\\]", name) or name.startswith("."):
        why = "it begins with a dot, has a slash, or has a character that nobody sees"
        raise InvalidValue(f"{given!r} is not a name of a file: {why}.", "Rename it.")
    stem, dot, ending = name.translate(BRACKETS).rpartition(".")
    stem = (
        UNUSUAL.sub("_", stem).encode()[:LONGEST_NAME_BYTES].decode(errors="ignore").strip(" .-_")
    )
    if not (stem and dot):
        raise InvalidValue(f"{given!r} has no letter or digit before its ending.", "Rename it.")
    return f"{stem}.{ending.strip()}"


async def upload(board: Board, user: PageUser, request: Request, given: str) -> dict[str, str]:
    """Write the body of a request into the calendar's folder, and return its name there, and what happened.

    The bytes go through a scratch file in blocks, so that memory does not depend on the size. What
    may take long runs in a thread, so that the API server answers others meanwhile.

    :raises HTTPException: If the file is too large, or by its first bytes no video or picture, if
        one of this name exists, or if nobody knows whether it was written.
    """
    if not _places.acquire(blocking=False):
        raise HTTPException(
            503, f"{MOST_UPLOADS} files are being uploaded already. Nothing was changed. Try again."
        )
    try:
        writer = await run_in_threadpool(writer_of, board)
        name = await run_in_threadpool(writer.free_name, stored_name(given))
        async with contextmanager_in_threadpool(scratch_file(name)) as file:
            await _received(request, file)
            await run_in_threadpool(_check_kind, file)
            unknown = await run_in_threadpool(writer.add_file, file)
    except InvalidValue as invalid:
        detail = f"{invalid.message} {invalid.remedy} Nothing was changed."
        raise HTTPException(422, {"detail": detail, "field": "media"}) from None
    except InstagramError as error:
        raise HTTPException(422, f"{shown(error.message)} Nothing was changed.") from None
    finally:
        _places.release()
    dag_id = board.dag_id
    about = {"file": name, "outcome": unknown}
    await run_in_threadpool(write_act, user.name, dag_id, "upload", about)
    if unknown:
        raise HTTPException(503, f"{unknown} Look into the calendar's folder before you try again.")
    is_same = name == unicodedata.normalize("NFC", given)
    return {"name": name, "done": "" if is_same else f"{given} is stored as {name}."}


async def _received(request: Request, file: Path) -> None:
    with file.open("wb") as out:
        block = bytearray()
        async for part in received(request, MAX_UPLOAD_BYTES, "file"):
            block += part
            if len(block) >= BLOCK_BYTES:
                await run_in_threadpool(_write_block, out, bytes(block))
                block.clear()
        await run_in_threadpool(_write_block, out, bytes(block))


def _check_kind(file: Path) -> None:
    """Check that a file starts as what its name says.

    :raises InvalidValue: If it does not.
    """
    with file.open("rb") as opened_file:
        kind = kind_by_head(opened_file.read(HEAD_BYTES))
    if kind is None:
        raise InvalidValue(
            f"{file.name} is neither a video nor a picture, although its name says so.",
            "Choose another file.",
        )
    if kind is not kind_by_name(file.name):
        raise InvalidValue(
            f"{file.name} is {kind.in_words}, but its name says something else.", "Rename it."
        )


def _write_block(out: BinaryIO, block: bytes) -> None:
    if lack_of_space(Path(out.name).parent, len(block)):
        raise HTTPException(
            503, "The disk of the API server is full. Nothing was changed. Try again later."
        )
    out.write(block)
