"""What the posts of an account reached, each at the same age: what its calendars choose times by.

One file for each account, beside the calendars' snapshots: the DAG processor reads no database.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

#: How long a post counts. An account's followers change.
KEPT_DAYS: Final = 365


class Reached(BaseModel):
    """What a post reached.

    :param at: When it was published, in seconds since the epoch.
    :param kind: The kind of the post.
    :param value: Its reach at the age at which all posts are compared.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    at: int
    kind: str
    value: float


class Results(BaseModel):
    """The content of an account's file.

    :param form: The form of the file. From 0.2.0 on, two later releases read each form.
    :param posts: What each post reached, by media id.
    """

    model_config = ConfigDict(frozen=True)

    form: int = 1
    posts: dict[str, Reached] = {}

    @classmethod
    def of(cls, content: bytes | None) -> Results:
        """Read the content of a file. A missing or damaged one has no posts."""
        try:
            return cls() if content is None else cls.model_validate_json(content)
        except ValueError:
            return cls()

    def with_new(self, posts: Mapping[str, Reached], now: datetime) -> Results:
        """Return the results with more posts, and without those that no longer count."""
        oldest = now.timestamp() - KEPT_DAYS * 86_400
        return Results(posts={key: one for key, one in {**posts, **self.posts}.items() if one.at > oldest})

    def as_content(self) -> bytes:
        """Return the content of a file."""
        return json.dumps(self.model_dump(mode="json"), separators=(",", ":"), sort_keys=True).encode()


def results_file(folder: str, conn_id: str) -> str:
    """Return the file of an account.

    :param folder: The folder, or the prefix of object storage, of the calendars' snapshots.
    """
    return f"{folder.rstrip('/')}/{hashlib.sha256(f'results {conn_id}'.encode()).hexdigest()[:32]}.results.json"
