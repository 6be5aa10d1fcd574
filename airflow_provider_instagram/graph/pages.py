"""The pages of Meta's lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from airflow_provider_instagram.graph.comments import Comment
from airflow_provider_instagram.graph.fields import read_cursor, read_rows
from airflow_provider_instagram.graph.models import Media

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

T = TypeVar("T", Media, Comment)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A page of posts or comments, newest first."""

    items: tuple[T, ...]
    after: str | None = None

    def since(self, since: datetime) -> list[T]:
        """Return the items that were published at a time or later, and those whose time is unknown."""
        return [item for item in self.items if item.timestamp is None or item.timestamp >= since]


def read_media_page(data: Mapping[str, Any]) -> Page[Media]:
    """Read a page of posts."""
    return Page(tuple(map(Media.read, read_rows(data, "media"))), read_cursor(data))


def read_comment_page(data: Mapping[str, Any]) -> Page[Comment]:
    """Read a page of comments."""
    return Page(tuple(map(Comment.read, read_rows(data, "comments"))), read_cursor(data))
