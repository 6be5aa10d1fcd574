"""The valid posts of a calendar."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from airflow_provider_instagram.posts.kinds import ItemKind, PostKind
from airflow_provider_instagram.utils.locations import shown

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.problems import Problem
    from airflow_provider_instagram.calendar.file.slots import Slot, SlotUser
    from airflow_provider_instagram.files.pins import Pin

DEFAULT_SPACING = timedelta(minutes=5)
VERSION = "^[0-9a-f]{16}$"
#: Fields that posts did not have at first.
LATER_FIELDS = ("image", "carousel", "first_comment")


class CarouselItem(BaseModel):
    """One item of a carousel.

    :param location: The location of its file.
    :param kind: What the calendar says that it is. None if the calendar only names the file.
    :param alt_text: A description of a picture, for people who cannot see it.
    :param user_tags: User names to tag.
    """

    model_config = ConfigDict(frozen=True)

    location: str
    kind: ItemKind | None = None
    alt_text: str | None = None
    user_tags: tuple[JsonValue, ...] = ()


class Post(BaseModel):
    """One valid post of a calendar. It has a video, an image or a carousel.

    :param id: Its id, unique in the calendar.
    :param publish_at: When it is published, in its own time zone.
    :param account: Its account's connection.
    :param video: The location of its video, if it has one.
    :param options: Its caption, and the other options of CreateContainerOperator that are set.
    :param upload: How a video is uploaded.
    :param approval: Whether a person has to approve it.
    :param dry_run: Whether everything but the publication is done.
    :param tags: Words for the reader of the calendar.
    :param line: Its line in the file.
    :param known_version: The version of the complete post, if the links of this one lack their signatures.
    :param image: The location of its picture, if it has one.
    :param carousel: The items of its carousel, if it has one.
    :param first_comment: A comment that the account adds once the post is published.
    :param in_slot: Whether its time was chosen among the slots of its account.
    :param repetition: How often it is published up to here: 1, unless it is a repetition of a post.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    publish_at: datetime
    account: str
    video: str | None = None
    options: dict[str, JsonValue]
    upload: Literal["auto", "file", "url"] = "auto"
    approval: Literal["none", "required"] = "none"
    dry_run: bool = False
    tags: tuple[str, ...] = ()
    line: int = 0
    known_version: str | None = Field(default=None, pattern=VERSION)
    image: str | None = None
    carousel: tuple[CarouselItem, ...] = ()
    first_comment: str | None = None
    in_slot: bool = False
    repetition: int = 1

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
        """``reels``, ``feed`` or ``story``. A picture or a carousel that is not a story appears in the feed."""
        placement = str(self.options.get("placement") or "reels")
        return placement if self.video is not None or placement == "story" else "feed"

    @property
    def kind(self) -> PostKind:
        """What the post is."""
        if self.placement == "story":
            return PostKind.STORY
        return PostKind.CAROUSEL if self.carousel else PostKind.PICTURE if self.image is not None else PostKind.REEL

    @property
    def media(self) -> tuple[str, ...]:
        """The locations of its video, its picture, or the items of its carousel."""
        items = tuple(item.location for item in self.carousel)
        return items or tuple(location for location in (self.video, self.image) if location is not None)

    @property
    def is_complete(self) -> bool:
        """Whether its links have their signatures, if any."""
        return self.known_version is None

    def without_signatures(self) -> Post:
        """Return the post as it may be stored and shown. The query of a link may be a signature, which is a secret."""
        links = {name: self.options[name] for name in ("cover_url",) if name in self.options}
        changes = {
            "video": None if self.video is None else shown(self.video),
            "image": None if self.image is None else shown(self.image),
            "carousel": tuple(item.model_copy(update={"location": shown(item.location)}) for item in self.carousel),
            "options": self.options | {name: shown(str(link)) for name, link in links.items()},
        }
        if all(getattr(self, name) == value for name, value in changes.items()):
            return self
        return self.model_copy(update={**changes, "known_version": self.version})

    @cached_property
    def version(self) -> str:
        """A digest of the content and the time, which changes with every edit."""
        if self.known_version is not None:
            return self.known_version
        content = (self.id, self.publish_at.timestamp(), self.account, self.video, self.options, self.upload)
        digested: list[object] = [*content, self.approval, self.dry_run]
        # What came later counts only where it is set, so that the versions of older posts stay as they were stored.
        if any(getattr(self, name) for name in LATER_FIELDS):
            digested.append(self.model_dump(mode="json", include=set(LATER_FIELDS), exclude_defaults=True))
        return hashlib.sha256(json.dumps(digested, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class InvalidPost:
    """A post with a problem, as far as it can be shown.

    :param id: Its id.
    :param publish_at: When it would be published.
    :param account: Its account's connection; empty if that has a problem.
    :param line: Its line in the file.
    :param in_slot: Whether its time was chosen among the slots of its account.
    """

    id: str
    publish_at: datetime
    account: str
    line: int
    in_slot: bool = False


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
    :param slots: The slots by account.
    :param slot_users: The posts that use slots, by line.
    :param pin: Where its file was found; None in object storage.
    """

    location: str
    posts: tuple[Post, ...] = ()
    problems: tuple[Problem, ...] = ()
    min_spacing: timedelta = DEFAULT_SPACING
    is_self_contained: bool = True
    left_out: frozenset[str] = frozenset()
    invalid: tuple[InvalidPost, ...] = ()
    slots: dict[str, tuple[Slot, ...]] = field(default_factory=dict)
    slot_users: tuple[SlotUser, ...] = ()
    pin: Pin | None = None

    @property
    def accounts(self) -> list[str]:
        """The connections of the posts, sorted."""
        return sorted({post.account for post in self.posts})

    def post(self, post_id: str) -> Post | None:
        """Return the post with an id, if the calendar has it."""
        return next((post for post in self.posts if post.id == post_id), None)
