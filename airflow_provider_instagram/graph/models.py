"""Containers, posts, comments, numbers and limits, as Meta's answers describe them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Final, TypeVar

from airflow_provider_instagram.exceptions import ContainerExpiredError, InstagramError, MediaRejectedError
from airflow_provider_instagram.graph.errors import rule_for
from airflow_provider_instagram.graph.fields import (
    MOST_SECONDS,
    ListPage,
    cut,
    first_row,
    read_cursor,
    read_id,
    read_integer,
    read_mapping,
    read_number,
    read_rows,
    read_text,
    read_time,
)
from airflow_provider_instagram.graph.redaction import quoted
from airflow_provider_instagram.posts.kinds import PostKind
from airflow_provider_instagram.utils.urls import web_address

#: The most errors of a phase that are read.
MOST_ERRORS: Final = 10
_SUBCODE: Final = re.compile(r"\b(?:2207\d{3}|1363008)\b")


@dataclass(frozen=True, slots=True)
class Container:
    """A container of a video, a picture or a carousel. Without ``upload_uri``, Instagram fetches its media."""

    id: str
    upload_uri: str | None = None

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Container:
        """Read the answer to a creation."""
        return cls(read_id(data), read_text(data, "uri"))


class ContainerState(str, Enum):
    """The state of a container, derived from all fields of its status."""

    IN_PROGRESS = "IN_PROGRESS"
    FINISHED = "FINISHED"
    PUBLISHED = "PUBLISHED"
    ERROR = "ERROR"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase of a container: uploading or processing.

    :param status: Meta's status: not_started, in_progress, complete or error. Empty if Meta sends none.
    """

    status: str = ""
    errors: tuple[str, ...] = ()

    @classmethod
    def read(cls, data: object) -> Phase:
        """Read one phase. Anything that is not a phase becomes an empty one."""
        if not isinstance(data, Mapping):
            return cls()
        errors = data.get("errors")
        errors = errors if isinstance(errors, list) else [errors] if errors else []
        parts = tuple(quoted(error if isinstance(error, str) else json.dumps(error)) for error in errors[:MOST_ERRORS])
        return cls((read_text(data, "status") or "").lower(), parts)


@dataclass(frozen=True, slots=True)
class CopyrightCheck:
    """Where the search for another's work in a video stands. Source: Meta, IG Container reference.

    :param status: Meta's status: not_started, in_progress, completed or error. Empty if it was not asked for.
    """

    status: str = ""
    matches_found: bool = False

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> CopyrightCheck:
        """Read the check of a container. Meta's table says ``completed``, its sample ``complete``."""
        status = (read_text(data, "status") or "").lower()
        return cls("completed" if status == "complete" else status, data.get("matches_found") is True)

    @property
    def finding(self) -> str | None:
        """What a person should know before the video is published, or None."""
        if self.matches_found:
            return "Instagram's copyright check has found the work of somebody else in the video."
        if self.status == "completed":
            return None
        if self.status == "error":
            return "Instagram's copyright check of the video has failed."
        return "Instagram's copyright check of the video has not ended."


@dataclass(frozen=True, slots=True)
class ContainerStatus:
    """The status of a container. Source: Meta, IG Container reference.

    :param status_code: May be empty although the container has failed.
    :param bytes_transferred: Bytes of an upload that Instagram has, or None if unknown.
    """

    id: str
    status_code: str = ""
    status: str = ""
    uploading: Phase = Phase()
    processing: Phase = Phase()
    bytes_transferred: int | None = None
    source_file_size_bytes: int | None = None
    copyright: CopyrightCheck = CopyrightCheck()

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> ContainerStatus:
        """Read a container's status. Every field but the id may be missing."""
        video = read_mapping(data, "video_status")
        uploading = read_mapping(video, "uploading_phase")
        return cls(
            id=read_id(data),
            status_code=(read_text(data, "status_code") or "").upper(),
            status=quoted(read_text(data, "status") or ""),
            uploading=Phase.read(uploading),
            processing=Phase.read(video.get("processing_phase")),
            bytes_transferred=read_integer(uploading, "bytes_transferred"),
            source_file_size_bytes=read_integer(uploading, "source_file_size"),
            copyright=CopyrightCheck.read(read_mapping(data, "copyright_check_status")),
        )

    @property
    def state(self) -> ContainerState:
        """The actual state of the container.

        Meta leaves ``status_code`` at IN_PROGRESS for ever after a phase has failed, and empty after a download has
        failed. So a failure in any field counts.
        """
        if self.status_code in ContainerState.__members__ and self.status_code != ContainerState.IN_PROGRESS:
            return ContainerState(self.status_code)
        status_text = self.status.lower()
        phases = (self.uploading.status, self.processing.status)
        if "error" in phases or status_text.startswith("error") or "has failed" in status_text:
            return ContainerState.ERROR
        if not self.status_code:
            named = status_text.partition(":")[0].strip().replace(" ", "_").upper()
            if named in ContainerState.__members__:
                return ContainerState(named)
        return ContainerState.IN_PROGRESS

    @property
    def is_terminal(self) -> bool:
        """Whether waiting makes no difference. This includes FINISHED and PUBLISHED containers."""
        return self.state is not ContainerState.IN_PROGRESS

    @property
    def subcode(self) -> int | None:
        """Meta's subcode of the failure, if the status or a phase contains one."""
        match = _SUBCODE.search(" ".join((self.status, *self.uploading.errors, *self.processing.errors)))
        return int(match.group()) if match else None

    @property
    def new_containers(self) -> int:
        """How many new containers are worth creating in place of this one: 0 if it is usable or would fail again."""
        if self.state is ContainerState.EXPIRED:
            return 3
        if self.state is not ContainerState.ERROR:
            return 0
        if self.subcode is None:
            return 1  # a failure without a cause is as likely the network's as the video's
        rule = rule_for(None, self.subcode)
        return rule.new_containers if rule else 0

    def summary(self) -> str:
        """Describe the container in words, for a log line."""
        parts = [self.state.value]
        if self.status:
            parts.append(f"“{self.status}”")
        for name, phase in (("upload", self.uploading), ("processing", self.processing)):
            if phase.status:
                parts.append(f"{name} {phase.status.replace('_', ' ')}")
        if self.bytes_transferred is not None:
            of = f" of {self.source_file_size_bytes:,}" if self.source_file_size_bytes else ""
            parts.append(f"{self.bytes_transferred:,}{of} bytes received")
        return ", ".join(parts)

    def failure(self) -> InstagramError | None:
        """Return the error of a container that can never be published."""
        if self.state is ContainerState.EXPIRED:
            return ContainerExpiredError(
                f"Container {self.id} has expired: it was not published within 24 hours.",
                hint="Clear the create task and the tasks downstream of it to create a new container.",
            )
        if self.state is not ContainerState.ERROR:
            return None
        rule = rule_for(None, self.subcode) if self.subcode else None
        error = rule.error if rule and not rule.error.retryable else MediaRejectedError
        details = cut("; ".join(filter(None, (self.status, *self.uploading.errors, *self.processing.errors))))
        meaning = rule.meaning if rule else "Instagram could not use the media"
        return error(
            f"Container {self.id} has failed: {meaning}{f' (Meta: {details})' if details else ''}.",
            hint=rule.hint
            if rule
            else "Run the media through TranscodeOperator first. If you already did, use others.",
            subcode=self.subcode,
        )


@dataclass(frozen=True, slots=True)
class Media:
    """A post. Every field but the id may be missing, because Instagram omits fields that it does not know.

    :param permalink: Its address. Always http or https; any other address in the answer is dropped.
    :param timestamp: When it was published, with its time zone.
    """

    id: str
    permalink: str | None = None
    shortcode: str | None = None
    caption: str | None = None
    timestamp: datetime | None = None
    media_type: str | None = None
    media_product_type: str | None = None
    username: str | None = None

    @property
    def kind(self) -> PostKind:
        """What the post is. One of which Meta tells no kind, and an old feed video, have the insights of a picture."""
        of_products = {"STORY": PostKind.STORY, "REELS": PostKind.REEL}
        in_feed = PostKind.CAROUSEL if self.media_type == "CAROUSEL_ALBUM" else PostKind.PICTURE
        return of_products.get(self.media_product_type or "", in_feed)

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Media:
        """Read a post."""
        plain = ("shortcode", "caption", "media_type", "media_product_type", "username")
        return cls(
            id=read_id(data),
            permalink=web_address(read_text(data, "permalink")),
            timestamp=read_time(data, "timestamp"),
            **{name: read_text(data, name) for name in plain},
        )


@dataclass(frozen=True, slots=True)
class PublishingLimit:
    """How many posts the account has published in a period, and how many Instagram allows.

    Source: Meta, content_publishing_limit.
    """

    quota_usage: int
    quota_total: int
    quota_duration: timedelta

    @property
    def remaining(self) -> int:
        """Posts that Instagram still allows in the period. The connection's own limits may allow fewer."""
        return max(0, self.quota_total - self.quota_usage)

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> PublishingLimit:
        """Read the limit.

        :raises ValueError: If the answer lacks one of the three figures, because none is safe to assume.
        """
        row = first_row(data)
        config = read_mapping(row, "config")
        usage, total = read_integer(row, "quota_usage"), read_integer(config, "quota_total")
        duration_s = read_integer(config, "quota_duration", MOST_SECONDS)
        if usage is None or total is None or duration_s is None:
            raise ValueError("no quota_usage, quota_total or quota_duration")
        return cls(usage, total, timedelta(seconds=duration_s))


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment, or a reply to one. Every field but the id may be missing.

    :param media_id: The post that it is on.
    :param parent_id: The comment that it replies to.
    """

    id: str
    text: str | None = None
    timestamp: datetime | None = None
    username: str | None = None
    hidden: bool = False
    media_id: str | None = None
    parent_id: str | None = None

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Comment:
        """Read a comment."""
        return cls(
            read_id(data),
            timestamp=read_time(data, "timestamp"),
            hidden=data.get("hidden") is True,
            media_id=read_text(read_mapping(data, "media"), "id"),
            **{name: read_text(data, name) for name in ("text", "username", "parent_id")},
        )


@dataclass(frozen=True, slots=True)
class CommentCount:
    """How many comments and replies a post has; None if Instagram does not tell it."""

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


T = TypeVar("T", Media, Comment)


@dataclass(frozen=True, slots=True)
class Page(ListPage[T]):
    """A page of posts or comments, newest first."""

    def since(self, since: datetime) -> list[T]:
        """Return the items that were published at a time or later, and those whose time is unknown."""
        return [item for item in self.items if item.timestamp is None or item.timestamp >= since]


def read_media_page(data: Mapping[str, Any]) -> Page[Media]:
    """Read a page of posts."""
    return Page(tuple(map(Media.read, read_rows(data, "media"))), read_cursor(data))


def read_comment_page(data: Mapping[str, Any]) -> Page[Comment]:
    """Read a page of comments."""
    return Page(tuple(map(Comment.read, read_rows(data, "comments"))), read_cursor(data))


#: ``reposts`` of pictures, carousels and stories are reported (2026-10-08): a refusal decides, once for an account.
_OF_EACH: Final = ("views", "reach", "shares", "total_interactions", "reposts")
_OF_POSTS: Final = (*_OF_EACH, "likes", "comments", "saved")
_OF_PROFILE: Final = ("follows", "profile_visits", "profile_activity")
#: With ads, beside the organic numbers of the same names. Source: Meta, Instagram API Updates, 2026-04-22.
_WITH_ADS: Final = ("total_views", "total_likes", "total_comments")
#: Where a reel is shown as well. Source: Meta, Instagram API Updates, 2025-12-03.
_ELSEWHERE: Final = ("facebook_views", "crossposted_views")
#: What a login on Facebook's host has alone.
_OF_FACEBOOK: Final = frozenset({*_WITH_ADS, *_ELSEWHERE})
#: The metrics of each kind of medium. Source: Meta, Instagram Media Insights.
MEDIA_METRICS: Final[Mapping[PostKind, tuple[str, ...]]] = {
    PostKind.PICTURE: (*_OF_POSTS, *_OF_PROFILE, *_WITH_ADS),
    PostKind.CAROUSEL: (*_OF_POSTS, *_OF_PROFILE, *_WITH_ADS),
    PostKind.REEL: (
        *(*_OF_POSTS, "ig_reels_avg_watch_time", "ig_reels_video_view_total_time"),
        *("reels_skip_rate", *_WITH_ADS, *_ELSEWHERE),
    ),
    PostKind.STORY: (*_OF_EACH, "follows", "profile_visits", "navigation", "replies", "link_clicks"),
}
#: The metrics of an account for a day. Source: Meta, Instagram User Insights.
ACCOUNT_METRICS: Final = (
    *("views", "reach", "accounts_engaged", "total_interactions", "likes", "comments", "saves", "shares", "replies"),
    *("reposts", "profile_links_taps"),
)


def metrics_of(kind: PostKind, *, of_facebook: bool) -> tuple[str, ...]:
    """Return the metrics of a kind of medium.

    :param of_facebook: Whether the login is on Facebook's host.
    """
    return tuple(name for name in MEDIA_METRICS[kind] if of_facebook or name not in _OF_FACEBOOK)


def read_insights(data: Mapping[str, Any]) -> dict[str, int | float]:
    """Read numbers by their metrics. A metric without a number is missing: it has none yet, which is not zero."""
    rows = read_rows(data, "insights")
    return {name: one for row in rows if (name := read_text(row, "name")) and (one := _number(row)) is not None}


def _number(row: Mapping[str, Any]) -> int | float | None:
    values = row.get("values")
    last = values[-1] if isinstance(values, list) and values else None
    value = last.get("value") if isinstance(last, Mapping) else read_mapping(row, "total_value").get("value")
    return read_number(value, str(row.get("name")))
