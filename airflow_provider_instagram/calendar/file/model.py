"""The posts of a calendar, right in themselves."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from airflow_provider_instagram.files.locations import shown

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.problems import Problem

DEFAULT_SPACING = timedelta(minutes=5)
VERSION = "^[0-9a-f]{16}$"


class Post(BaseModel):
    """One post of a calendar, right in itself.

    :param id: Its name, alone in the calendar.
    :param publish_at: When it is published, in its own time zone.
    :param account: Its account's connection.
    :param video: Where its video is.
    :param options: The caption and what else CreateContainerOperator takes, where it is set.
    :param upload: How the video is brought to Instagram.
    :param approval: Whether a person has to say yes.
    :param dry_run: Whether everything but the publication happens.
    :param tags: For the reader.
    :param line: Where it stands in the file.
    :param known_version: The version of the post in full, where this one lacks the signatures of its links.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    publish_at: datetime
    account: str
    video: str
    options: dict[str, JsonValue]
    upload: Literal["auto", "file", "url"] = "auto"
    approval: Literal["none", "required"] = "none"
    dry_run: bool = False
    tags: tuple[str, ...] = ()
    line: int = 0
    known_version: str | None = Field(default=None, pattern=VERSION)

    @property
    def key(self) -> str:
        """What the post is known by, exactly once, whatever happens to its file, its DAG and its runs."""
        return f"{self.account}/{self.id}"

    @property
    def caption(self) -> str:
        """The post's text."""
        return str(self.options.get("caption") or "")

    @property
    def placement(self) -> str:
        """``reels`` or ``feed``."""
        return str(self.options.get("placement") or "reels")

    @property
    def is_in_full(self) -> bool:
        """Whether its links have their signatures."""
        return self.known_version is None

    def without_signatures(self) -> Post:
        """Return the post as it may be stored and shown: the query of a link may be a signature, which is a secret."""
        links = {name: self.options[name] for name in ("cover_url",) if name in self.options}
        options = self.options | {name: shown(str(link)) for name, link in links.items()}
        if (shown(self.video), options) == (self.video, self.options):
            return self
        changes = {"video": shown(self.video), "options": options, "known_version": self.version}
        return self.model_copy(update=changes)

    @cached_property
    def version(self) -> str:
        """A digest of the content and the time, which changes with every edit."""
        if self.known_version is not None:
            return self.known_version
        said = (self.id, self.publish_at.timestamp(), self.account, self.video, self.options, self.upload)
        asked = (self.approval, self.dry_run)
        return hashlib.sha256(json.dumps((*said, *asked), sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Calendar:
    """A calendar as it was read.

    :param location: Its file.
    :param posts: The posts that nothing is wrong with, by time.
    :param problems: What is wrong, by line.
    :param min_spacing: The smallest distance of two posts of an account.
    :param whole: Whether all of it stands in the one file, and no caption in another.
    :param left_out: The ids of posts that stand in the file, but something is wrong with them.
    """

    location: str
    posts: tuple[Post, ...] = ()
    problems: tuple[Problem, ...] = ()
    min_spacing: timedelta = DEFAULT_SPACING
    whole: bool = True
    left_out: frozenset[str] = frozenset()

    @property
    def accounts(self) -> list[str]:
        """The connections that posts are for, sorted."""
        return sorted({post.account for post in self.posts})

    def post(self, post_id: str) -> Post | None:
        """Find a post by its id."""
        return next((post for post in self.posts if post.id == post_id), None)
