"""Comments on a post, as Meta's answers describe them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_instagram.graph.fields import read_id, read_integer, read_rows, read_text, read_time

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment. Every field but the id may be missing.

    :param timestamp: When it was written, with its time zone.
    """

    id: str
    text: str | None = None
    timestamp: datetime | None = None
    username: str | None = None

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Comment:
        """Read a comment."""
        return cls(read_id(data), read_text(data, "text"), read_time(data, "timestamp"), read_text(data, "username"))


@dataclass(frozen=True, slots=True)
class CommentCount:
    """How many comments a post has.

    :param count: The number of its comments and replies, or None if Instagram does not tell it.
    """

    media_id: str
    count: int | None = None
    username: str | None = None

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> CommentCount:
        """Read the count of one post."""
        return cls(read_id(data), read_integer(data, "comments_count"), read_text(data, "username"))


def read_comment_counts(data: Mapping[str, Any]) -> tuple[CommentCount, ...]:
    """Read the counts of a page of posts."""
    return tuple(map(CommentCount.read, read_rows(data, "media")))
