"""What the posts of an account reached, each at the same age: what its calendars choose times by.

One file for each account, beside the calendars' plans: a task reads no database.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from airflow_provider_instagram.posts.kinds import PostKind

#: How long a post counts. An account's followers change.
KEPT_DAYS: Final = 365
#: More posts would make the estimate slower, and hardly better.
MOST_POSTS: Final = 2000


class Reached(BaseModel):
    """What a post reached.

    :param at: When it was published, in seconds since the epoch.
    :param value: Its reach at the age at which all posts are compared.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    at: Annotated[int, Field(ge=1_262_304_000, lt=4_102_444_800)]  # 2010 to 2099
    kind: PostKind
    value: Annotated[float, Field(ge=0, le=1e12)]


class ReachFile(BaseModel):
    """The content of an account's file.

    :param form: The form of the file. From 0.2.0 on, two later releases read each form.
    :param posts: What each post reached, by media id.
    """

    model_config = ConfigDict(frozen=True)

    form: int = 1
    posts: Annotated[dict[str, Reached], Field(max_length=MOST_POSTS)] = {}

    @classmethod
    def of(cls, content: bytes | None) -> ReachFile:
        """Read the content of a file. A missing or damaged one has no posts."""
        try:
            return cls() if content is None else cls.model_validate_json(content)
        except ValueError:
            return cls()

    def with_new(self, posts: Mapping[str, Reached], now: datetime) -> ReachFile:
        """Return the content with more posts, and without those that no longer count."""
        kept = sorted({**posts, **self.posts}.items(), key=lambda entry: entry[1].at, reverse=True)[:MOST_POSTS]
        oldest = now.timestamp() - KEPT_DAYS * 86_400
        return ReachFile(posts={key: one for key, one in kept if one.at > oldest})

    def as_content(self) -> bytes:
        """Return the content of a file."""
        return json.dumps(self.model_dump(mode="json"), separators=(",", ":"), sort_keys=True).encode()


def reach_file(folder: str, conn_id: str) -> str:
    """Return the file of an account."""
    return f"{folder.rstrip('/')}/{hashlib.sha256(f'reach {conn_id}'.encode()).hexdigest()[:32]}.reach.json"
