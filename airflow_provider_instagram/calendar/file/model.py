"""The valid posts of a calendar."""

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
    """One valid post of a calendar.

    :param id: Its id, unique in the calendar.
    :param publish_at: When it is published, in its own time zone.
    :param account: Its account's connection.
    :param video: The location of its video.
    :param options: Its caption, and the other options of CreateContainerOperator that are set.
    :param upload: How the video is uploaded.
    :param approval: Whether a person has to approve it.
    :param dry_run: Whether everything but the publication is done.
    :param tags: Words for the reader of the calendar.
    :param line: Its line in the file.
    :param known_version: The version of the complete post, if the links of this one lack their signatures.
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
        """The post key, under which the post is published once, whatever happens to its file, its DAG and its runs."""
        return f"{self.account}/{self.id}"

    @property
    def caption(self) -> str:
        """The post's caption."""
        return str(self.options.get("caption") or "")

    @property
    def placement(self) -> str:
        """``reels`` or ``feed``."""
        return str(self.options.get("placement") or "reels")

    @property
    def is_complete(self) -> bool:
        """Whether its links have their signatures, if any."""
        return self.known_version is None

    def without_signatures(self) -> Post:
        """Return the post as it may be stored and shown. The query of a link may be a signature, which is a secret."""
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
        content = (self.id, self.publish_at.timestamp(), self.account, self.video, self.options, self.upload)
        conditions = (self.approval, self.dry_run)
        return hashlib.sha256(json.dumps((*content, *conditions), sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class InvalidPost:
    """A post with a problem, as far as it can be shown.

    :param id: Its id.
    :param publish_at: When it would be published.
    :param account: Its account's connection; empty if that has a problem.
    :param line: Its line in the file.
    """

    id: str
    publish_at: datetime
    account: str
    line: int


@dataclass(frozen=True)
class Calendar:
    """A calendar as it was read.

    :param location: Its file.
    :param posts: The posts without problems, by time.
    :param problems: The problems, by line.
    :param min_spacing: The smallest distance between two posts of an account.
    :param is_self_contained: Whether its file contains all of it. If not, some captions are in files of their own.
    :param left_out: The ids of the posts in the file that have problems.
    :param invalid: Those of them whose time is known.
    """

    location: str
    posts: tuple[Post, ...] = ()
    problems: tuple[Problem, ...] = ()
    min_spacing: timedelta = DEFAULT_SPACING
    is_self_contained: bool = True
    left_out: frozenset[str] = frozenset()
    invalid: tuple[InvalidPost, ...] = ()

    @property
    def accounts(self) -> list[str]:
        """The connections of the posts, sorted."""
        return sorted({post.account for post in self.posts})

    def post(self, post_id: str) -> Post | None:
        """Return the post with an id, if the calendar has it."""
        return next((post for post in self.posts if post.id == post_id), None)
