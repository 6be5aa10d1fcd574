"""Uploads of videos and pictures into a calendar's folder."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, Final

from fastapi import HTTPException
from fastapi.concurrency import contextmanager_in_threadpool
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from airflow_provider_instagram.calendar.file.problems import InvalidValue
from airflow_provider_instagram.calendar.file.writer import scratch_file
from airflow_provider_instagram.exceptions import InstagramError
from airflow_provider_instagram.media.kind import HEAD_BYTES, kind_by_head
from airflow_provider_instagram.plugin.board import edits
from airflow_provider_instagram.plugin.board.airflow_rows import write_act
from airflow_provider_instagram.plugin.board.forms import writer_of
from airflow_provider_instagram.plugin.bodies import PageRequest, received
from airflow_provider_instagram.plugin.users import opened, sealed
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
#: Uploads at one time in an API server process, whose threads also answer all other requests; those
#: of one user, and of one calendar, so that places are left for others.
MOST_UPLOADS: Final = 8
MOST_OF_A_USER: Final = 2
MOST_OF_A_CALENDAR: Final = 4

#: The uploads at this time: of all, of each user, and of each calendar. Only the event loop counts
#: them.
_uploads: Final[Counter[str]] = Counter()


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


class UnusedRequest(PageRequest):
    """Files that a form has uploaded and no longer needs, as :func:`upload` has sealed them."""

    uploads: list[Annotated[str, Field(max_length=5_000)]] = Field(max_length=100)


async def upload(board: Board, user: PageUser, request: Request, given: str) -> dict[str, str]:
    """Write the body of a request into the calendar's folder, and return its name there, and what happened.

    The answer contains the file once more as a seal, with which this user can take it back.

    The bytes go through a scratch file in blocks, so that memory does not depend on the size. What
    may take long runs in a thread, so that the API server answers others meanwhile.

    :raises HTTPException: If the file is too large, or by its first bytes no video or picture, if
        one of this name exists, or if nobody knows whether it was written.
    """
    places = {
        "": MOST_UPLOADS,
        f"user {user.id}": MOST_OF_A_USER,
        f"calendar {board.calendar.dag_id}": MOST_OF_A_CALENDAR,
    }
    for whose, most in places.items():
        if _uploads[whose] >= most:
            of = f" by the {whose}" if whose else ""
            raise HTTPException(
                503, f"{most} files are being uploaded already{of}. Nothing was changed. Try again."
            )
    _uploads.update(places.keys())
    try:
        writer = await run_in_threadpool(writer_of, board)
        name = await run_in_threadpool(writer.free_name, stored_name(given))
        async with contextmanager_in_threadpool(scratch_file(name)) as file:
            await _received(request, file)
            await run_in_threadpool(_check_kind, file)
            number, unknown = await run_in_threadpool(writer.add_file, file)
    except InvalidValue as invalid:
        detail = f"{invalid.message} {invalid.remedy} Nothing was changed."
        raise HTTPException(422, {"detail": detail, "field": "media"}) from None
    except InstagramError as error:
        raise HTTPException(422, f"{shown(error.message)} Nothing was changed.") from None
    finally:
        _uploads.subtract(places.keys())
    await run_in_threadpool(
        write_act,
        user.name,
        board.calendar.dag_id,
        "upload",
        {"file": name, "outcome": unknown or None},
    )
    if unknown:
        raise HTTPException(503, f"{unknown} Look into the calendar's folder before you try again.")
    is_same = name == unicodedata.normalize("NFC", given)
    seal = sealed(
        "upload", {"dag_id": board.calendar.dag_id, "user": user.id, "name": name, "number": number}
    )
    return {
        "name": name,
        "done": "" if is_same else f"{given} is stored as {name}.",
        "upload": seal,
    }


def remove_unused(board: Board, user: PageUser, given: UnusedRequest) -> list[str]:
    """Remove the files that a form has uploaded and that no calendar in the folder names. Return their names.

    A seal that is forged, too old, of another user or of another calendar removes nothing.
    """
    writer, removed = writer_of(board), []
    for upload in filter(None, (opened("upload", seal) for seal in given.uploads)):
        if (upload["dag_id"], upload["user"]) == (given.dag_id, user.id):
            with edits.errors_as_answers():
                is_gone = writer.remove_file(upload["name"], upload["number"])
            if is_gone:
                removed.append(upload["name"])
                write_act(user.name, given.dag_id, "remove_upload", {"file": upload["name"]})
    return removed


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
