"""What is wrong with a calendar, in words that let its author correct it."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

#: The remedy for what an edit on the page cannot write.
EDIT_THE_FILE: Final = "Edit the file itself."


@dataclass(frozen=True, order=True)
class Problem:
    """A problem of a calendar that keeps a post, or all of them, from being published.

    :param line: The line of the file, from 1; 0 if the problem concerns the whole file.
    :param post_id: The post, if the problem concerns one post whose id is known.
    :param field: The field, if the problem concerns one. A form shows the problem beside it.
    """

    line: int
    message: str
    remedy: str
    post_id: str | None = None
    field: str = dataclasses.field(default="", compare=False)

    @property
    def key(self) -> str:
        """The same for the same problem of the same post, wherever it stands in the file."""
        return hashlib.sha256(f"{self.post_id}\0{self.message}".encode()).hexdigest()[:16]

    def text(self, location: str) -> str:
        """Return the problem in one line, in the form that editors turn into a link: ``file:line: …``."""
        where = f"{location}:{self.line}" if self.line else location
        post = f"post {self.post_id!r}: " if self.post_id else ""
        text = f"{where}: {post}{self.message} {self.remedy}"
        return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


def sorted_problems(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return problems in the order of the file, each once."""
    return tuple(sorted({*problems}, key=lambda problem: (problem.line, problem.message)))


def remedy_for_name(name: str, known: Collection[str], *, suggest: bool = True) -> str:
    """Return what to do about a name that a calendar does not know.

    :param suggest: Whether to look for a similar name, which is slow.
    """
    plain = name.strip().lower().replace("-", "_").replace(" ", "_")
    close = difflib.get_close_matches(plain, known, 1) if suggest else []
    return f"Did you mean {close[0]}?" if close else f"Use one of {', '.join(known)}."


class InvalidValue(Exception):  # noqa: N818 -- about one value; the caller, which knows its line, makes a Problem of it
    """A value that cannot be used. ``field`` is the field that has it, if that is known."""

    def __init__(self, message: str, remedy: str, field: str = "") -> None:
        super().__init__(f"{message} {remedy}")
        self.message = message
        self.remedy = remedy
        self.field = field
