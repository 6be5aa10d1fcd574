"""What is wrong with a calendar, said so that the person who wrote it can put it right."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Problem:
    """Something in a calendar that keeps a post, or all of them, from being published.

    :param line: The line of the file, from 1; 0 when the whole file is meant.
    :param message: What is wrong.
    :param remedy: What to change.
    :param post_id: The post, where one is meant and its id is known.
    """

    line: int
    message: str
    remedy: str
    post_id: str | None = None

    def text(self, location: str) -> str:
        """Return the problem in one line, in the form that editors turn into a link: ``file:line: …``.

        :param location: The calendar's file.
        """
        where = f"{location}:{self.line}" if self.line else location
        whose = f"post {self.post_id!r}: " if self.post_id else ""
        said = f"{where}: {whose}{self.message} {self.remedy}"
        return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in said)


class InvalidValue(Exception):  # noqa: N818 -- an answer about one value, turned into a Fault by who knows its line
    """A value that cannot be taken: what is wrong with it, and what to write instead."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(f"{message} {remedy}")
        self.message = message
        self.remedy = remedy
