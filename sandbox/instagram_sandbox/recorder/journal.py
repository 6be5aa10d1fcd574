"""The journal of a recording: one line of JSON for each call, without secrets, names and texts."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from pydantic import Field

from instagram_sandbox.simulator.state import Record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Recorded(Record):
    """One call and its answer, redacted.

    ``at_s`` is when it came, in seconds since the recording began, and ``took_s`` how long the answer took. ``sent``
    has the parameters, and ``sent_bytes`` the size of a body that is not kept. ``status`` is None if no answer came.
    """

    number: int
    at_s: float
    took_s: float = 0.0
    host: str
    method: str
    path: str
    authorization: str = ""  # its scheme
    sent: dict[str, Any] = Field(default_factory=dict)
    headers: dict[str, str] = Field(default_factory=dict)
    sent_bytes: int = 0
    status: int | None = None
    answer: Any = None
    usage: dict[str, Any] = Field(default_factory=dict)
    note: str = ""


class Writer:
    """Writes a journal that only its owner may read.

    :param path: The file, which must not exist.
    :raises FileExistsError: It exists.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8")

    def write(self, call: Recorded) -> None:
        """Write a call at once, so that nothing is lost when the recording is interrupted."""
        self._file.write(call.model_dump_json() + "\n")
        self._file.flush()


def read(path: Path) -> Iterator[Recorded]:
    """Yield the calls of a journal.

    :raises ValueError: A line is no call.
    """
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield Recorded.model_validate_json(line)
