"""The journal of a recording: one line of JSON for each call, without secrets, ids, names and texts."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from pydantic import Field

from instagram_sandbox.simulator.state import LONGEST_S, Record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


Method = Literal["GET", "HEAD", "POST", "DELETE"]
METHODS: Final = frozenset(get_args(Method))
Scheme = Literal["", "***", "Bearer", "OAuth", "Basic"]


class Recorded(Record):
    """One call and its answer, redacted.

    ``at_s`` is when it came, in seconds since the recording began, and ``took_s`` how long the
    answer took. ``sent`` has the parameters, and ``sent_bytes`` the size of a body that is not
    kept. ``status`` is None if no answer came. A recording may come from somebody else: its bounds
    keep ``compare`` on the sandbox.
    """

    number: int = Field(ge=1, le=10**9)
    at_s: float = Field(ge=0, le=LONGEST_S, allow_inf_nan=False)
    took_s: float = Field(0.0, ge=0, le=LONGEST_S, allow_inf_nan=False)
    host: str
    method: Method
    path: str = Field(pattern=r"^/([A-Za-z0-9][A-Za-z0-9_.-]*/?)*$")
    authorization: Scheme = ""
    sent: dict[str, Any] = Field(default_factory=dict)
    headers: dict[str, str] = Field(default_factory=dict)
    sent_bytes: int = Field(0, ge=0, le=10**12)
    status: int | None = Field(None, ge=100, le=999)
    answer: Any = None
    usage: dict[str, Any] = Field(default_factory=dict)
    note: str = ""


class Writer:
    """Writes a journal that only its owner may read.

    :param path: The file, which must not exist.
    :raises FileExistsError: It exists.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.fdopen(
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
        )

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
