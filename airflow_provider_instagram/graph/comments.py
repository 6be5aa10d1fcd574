"""Comments on a post, as Meta's answers describe them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_instagram.graph.fields import read_id, read_text, read_time

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment. Every field but the id may be missing.

    :param text: Its text.
    :param timestamp: When it was written, with its time zone.
    :param username: The name of the account that wrote it.
    """

    id: str
    text: str | None = None
    timestamp: datetime | None = None
    username: str | None = None

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Comment:
        """Read a comment.

        :raises ValueError: If the answer contains no id.
        """
        return cls(read_id(data), read_text(data, "text"), read_time(data, "timestamp"), read_text(data, "username"))
