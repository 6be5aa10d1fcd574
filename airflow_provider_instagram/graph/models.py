"""Containers, posts, comments, numbers, limits, tokens and accounts, as Meta's answers describe them."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Annotated, Any, Final, Generic, Literal, TypeAlias, TypeVar

from pydantic import AliasPath, BeforeValidator, Field, PlainValidator
from pydantic.dataclasses import dataclass

from airflow_provider_instagram.exceptions import (
    ContainerExpiredError,
    InstagramError,
    MediaRejectedError,
    PermissionDeniedError,
)
from airflow_provider_instagram.graph.capabilities import MetaLogin
from airflow_provider_instagram.graph.errors import Rule, rule_for
from airflow_provider_instagram.graph.fields import (
    Count,
    Data,
    Duration,
    Figure,
    Flag,
    Id,
    Link,
    Model,
    Moment,
    Name,
    Names,
    Reader,
    Text,
    Time,
    as_mapping,
    cut,
    read_cursor,
    read_names,
    read_number,
    read_rows,
    read_text,
)
from airflow_provider_instagram.graph.redaction import quoted
from airflow_provider_instagram.posts.kinds import PostKind
from airflow_provider_instagram.utils.urls import web_address

#: The most errors of a phase that are read.
MOST_ERRORS: Final = 10
_SUBCODE: Final = re.compile(r"\b(?:2207\d{3}|1363008)\b")


@dataclass(frozen=True, slots=True)
class Container(Model):
    """A container of a video, a picture or a carousel. Without ``upload_uri``, Instagram fetches its media."""

    id: Id
    upload_uri: Text = Field(default=None, validation_alias="uri")


class ContainerState(str, Enum):
    """The state of a container, derived from all fields of its status."""

    IN_PROGRESS = "IN_PROGRESS"
    FINISHED = "FINISHED"
    PUBLISHED = "PUBLISHED"
    ERROR = "ERROR"
    EXPIRED = "EXPIRED"


_Lower = Annotated[str, PlainValidator(lambda value: (read_text(value) or "").lower())]


def _errors(value: object) -> tuple[str, ...]:
    errors = value if isinstance(value, list) else [value]
    found = filter(None, errors[:MOST_ERRORS])
    texts = (error if isinstance(error, str) else json.dumps(error) for error in found)
    return tuple(map(quoted, texts))


@dataclass(frozen=True, slots=True)
class Phase(Model):
    """One phase of a container: uploading or processing.

    :param status: Meta's status: not_started, in_progress, complete or error. Empty if Meta sends
        none.
    """

    status: _Lower = ""
    errors: Annotated[tuple[str, ...], PlainValidator(_errors)] = ()


@dataclass(frozen=True, slots=True)
class CopyrightCheck(Model):
    """Where the search for another's work in a video stands. Source: Meta, IG Container reference.

    :param status: Meta's status: not_started, in_progress, completed or error. Empty if it was not
        asked for. Meta's table says ``completed``, its sample ``complete``.
    """

    status: _Lower = ""
    matches_found: Flag = False

    @property
    def finding(self) -> str | None:
        """What a person should know before the video is published, or None."""
        if self.matches_found:
            return "Instagram's copyright check has found the work of somebody else in the video."
        if self.status in ("complete", "completed"):
            return None
        if self.status == "error":
            return "Instagram's copyright check of the video has failed."
        return "Instagram's copyright check of the video has not ended."


_UNKNOWN_FAILURE: Final = Rule(
    None,
    None,
    MediaRejectedError,
    "Instagram could not use the media",
    "Run the media through TranscodeOperator first. If you already did, use others.",
)
_UPLOADING: Final = ("video_status", "uploading_phase")
#: In place of an object, anything else is read as an empty one.
_Phase = Annotated[Phase, BeforeValidator(as_mapping)]
_Copyright = Annotated[CopyrightCheck, BeforeValidator(as_mapping)]


@dataclass(frozen=True, slots=True)
class ContainerStatus(Model):
    """The status of a container. Every field but the id may be missing. Source: Meta, IG Container reference.

    :param status_code: May be empty although the container has failed.
    :param bytes_transferred: Bytes of an upload that Instagram has, or None if unknown.
    """

    id: Id
    status_code: Name = ""
    status: Annotated[str, PlainValidator(lambda value: quoted(read_text(value) or ""))] = ""
    uploading: _Phase = Field(default=Phase(), validation_alias=AliasPath(*_UPLOADING))
    processing: _Phase = Field(
        default=Phase(), validation_alias=AliasPath("video_status", "processing_phase")
    )
    bytes_transferred: Count = Field(
        default=None, validation_alias=AliasPath(*_UPLOADING, "bytes_transferred")
    )
    source_file_size_bytes: Count = Field(
        default=None, validation_alias=AliasPath(*_UPLOADING, "source_file_size")
    )
    copyright: _Copyright = Field(
        default=CopyrightCheck(), validation_alias="copyright_check_status"
    )

    @property
    def state(self) -> ContainerState:
        """The actual state of the container.

        Meta leaves ``status_code`` at IN_PROGRESS for ever after a phase has failed, and empty
        after a download has failed. So a failure in any field counts.
        """
        if (
            self.status_code in ContainerState.__members__
            and self.status_code != ContainerState.IN_PROGRESS
        ):
            return ContainerState(self.status_code)
        status_text = self.status.lower()
        phases = (self.uploading.status, self.processing.status)
        if "error" in phases or status_text.startswith("error") or "has failed" in status_text:
            return ContainerState.ERROR
        # The text begins with the state, such as "Finished: Media has been uploaded".
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
    def _texts(self) -> tuple[str, ...]:
        # what Meta says of the container, in any field
        return (self.status, *self.uploading.errors, *self.processing.errors)

    @property
    def subcode(self) -> int | None:
        """Meta's subcode of the failure, if the status or a phase contains one."""
        match = _SUBCODE.search(" ".join(self._texts))
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
        rule = rule_for(None, self.subcode) or _UNKNOWN_FAILURE
        # A failed container stays failed, so its error does not ask for a retry.
        error = MediaRejectedError if rule.error.retryable else rule.error
        details = cut("; ".join(filter(None, self._texts)))
        said = f" (Meta: {details})" if details else ""
        message = f"Container {self.id} has failed: {rule.meaning}{said}."
        return error(message, hint=rule.hint, subcode=self.subcode)


def kind_of(media_type: str | None, media_product_type: str | None) -> PostKind:
    """Return what a post is. One without a type, and an old feed video, count as pictures, whose insights they have."""
    if media_product_type == "STORY":
        return PostKind.STORY
    if media_product_type == "REELS":
        return PostKind.REEL
    if media_type == "CAROUSEL_ALBUM":
        return PostKind.CAROUSEL
    return PostKind.PICTURE


@dataclass(frozen=True, slots=True)
class Media(Model):
    """A post. Every field but the id may be missing, because Instagram omits fields that it does not know.

    :param permalink: Its address. Always http or https; any other address in the answer is dropped.
    :param timestamp: When it was published, with its time zone.
    """

    id: Id
    permalink: Annotated[
        str | None, PlainValidator(lambda value: web_address(read_text(value)))
    ] = None
    shortcode: Text = None
    caption: Text = None
    timestamp: Time = None
    media_type: Text = None
    media_product_type: Text = None
    username: Text = None

    @property
    def kind(self) -> PostKind:
        """What the post is."""
        return kind_of(self.media_type, self.media_product_type)


@dataclass(frozen=True, slots=True)
class PublishingLimit(Model):
    """How many posts the account has published in a period, and how many Instagram allows.

    An answer that lacks one of the figures is refused. Source: Meta, content_publishing_limit.
    """

    quota_usage: Figure
    quota_total: Figure = Field(validation_alias=AliasPath("config", "quota_total"))
    quota_duration: Duration = Field(validation_alias=AliasPath("config", "quota_duration"))

    @property
    def remaining(self) -> int:
        """Posts that Instagram still allows in the period. The connection's own limits may allow fewer."""
        return max(0, self.quota_total - self.quota_usage)


@dataclass(frozen=True, slots=True)
class Comment(Model):
    """A comment, or a reply to one. Every field but the id may be missing.

    :param media_id: The post that it is on.
    :param parent_id: The comment that it replies to.
    """

    id: Id
    text: Text = None
    timestamp: Time = None
    username: Text = None
    hidden: Flag = False
    media_id: Text = Field(default=None, validation_alias=AliasPath("media", "id"))
    parent_id: Text = None


@dataclass(frozen=True, slots=True)
class CommentCount(Model):
    """How many comments and replies a post has; None if Instagram does not tell it."""

    media_id: Id = Field(validation_alias="id")
    count: Count = Field(default=None, validation_alias="comments_count")
    username: Text = None


A = TypeVar("A")
Dated = TypeVar("Dated", Media, Comment)


@dataclasses.dataclass(frozen=True, slots=True)
class Page(Generic[A]):
    """A page of a list, such as that of the posts, newest first. Without ``after``, it is the last one."""

    items: tuple[A, ...]
    after: str | None = None

    def since(self: Page[Dated], since: datetime) -> list[Dated]:
        """Return the items that were published at a time or later, and those whose time is unknown."""
        return [item for item in self.items if item.timestamp is None or item.timestamp >= since]


def page_of(read: Reader[A], what: str) -> Reader[Page[A]]:
    """Return a function that reads a page of a list.

    :param read: Reads an item.
    :param what: What the items are, for an error.
    """

    def read_page(data: Data) -> Page[A]:
        return Page(tuple(map(read, read_rows(data, what))), read_cursor(data))

    return read_page


#: Users report ``reposts`` of pictures, carousels and stories, too (2026-10-08). If Meta refuses them
#: to an account, they are asked for only once a day.
_OF_EACH: Final = ("views", "reach", "shares", "total_interactions", "reposts")
_OF_POSTS: Final = (*_OF_EACH, "likes", "comments", "saved")
_OF_PROFILE: Final = ("follows", "profile_visits", "profile_activity")
#: With ads, beside the organic numbers of the same names. Source: Meta, Instagram API Updates,
#: 2026-04-22.
_WITH_ADS: Final = ("total_views", "total_likes", "total_comments")
_OF_FEED: Final = (*_OF_POSTS, *_OF_PROFILE, *_WITH_ADS)
#: Where a reel is shown as well. Source: Meta, Instagram API Updates, 2025-12-03.
_ELSEWHERE: Final = ("facebook_views", "crossposted_views")
#: What a login on Facebook's host has alone.
_OF_FACEBOOK: Final = frozenset({*_WITH_ADS, *_ELSEWHERE})
#: The metrics of each kind of medium. Source: Meta, Instagram Media Insights.
MEDIA_METRICS: Final[Mapping[PostKind, tuple[str, ...]]] = {
    PostKind.PICTURE: _OF_FEED,
    PostKind.CAROUSEL: _OF_FEED,
    PostKind.REEL: (
        *_OF_POSTS,
        "ig_reels_avg_watch_time",
        "ig_reels_video_view_total_time",
        "reels_skip_rate",
        *_WITH_ADS,
        *_ELSEWHERE,
    ),
    PostKind.STORY: (
        *_OF_EACH,
        "follows",
        "profile_visits",
        "navigation",
        "replies",
        "link_clicks",
    ),
}
#: The metrics of an account for a day. Source: Meta, Instagram User Insights.
ACCOUNT_METRICS: Final = (
    "views",
    "reach",
    "accounts_engaged",
    "total_interactions",
    "likes",
    "comments",
    "saves",
    "shares",
    "replies",
    "reposts",
    "profile_links_taps",
)


def metrics_of(kind: PostKind, login: MetaLogin) -> tuple[str, ...]:
    """Return the metrics of a kind of medium that a login has."""
    metrics = MEDIA_METRICS[kind]
    if login is MetaLogin.INSTAGRAM:
        return tuple(name for name in metrics if name not in _OF_FACEBOOK)
    return metrics


#: Numbers by their metrics.
Numbers: TypeAlias = dict[str, int | float]


def read_insights(data: Data) -> Numbers:
    """Read numbers by their metrics. A metric without a number is missing: it has none yet, which is not zero."""
    rows = read_rows(data, "insights")
    numbers = {read_text(row.get("name")): _number(row) for row in rows}
    return {name: number for name, number in numbers.items() if name and number is not None}


def _number(row: Data) -> int | float | None:
    # the last value of a metric over time, or its total
    values = row.get("values")
    if isinstance(values, list) and values and isinstance(values[-1], Mapping):
        return read_number(values[-1].get("value"))
    return read_number(as_mapping(row.get("total_value")).get("value"))


#: The logins, by the types of their tokens.
_LOGINS: Final = {
    "PAGE": MetaLogin.FACEBOOK,
    "USER": MetaLogin.FACEBOOK,
    "SYSTEM_USER": MetaLogin.UNIFIED,
}
_BASIC: Final = "instagram_basic"
_PAGES: Final = "pages_show_list"
_LINKED: Final = "instagram_business_account"


@dataclass(frozen=True, slots=True)
class Token(Model):
    """An access token. Its ``repr`` does not show the token itself.

    :param expires_in: Its remaining lifetime, or None if unknown.
    :param user_id: The account that it belongs to. Known only after a login.
    :param permissions: Its scopes. Known only after a login.
    """

    access_token: str = Field(repr=False, min_length=1)
    expires_in: Duration | None = None
    user_id: Id | None = None
    permissions: Names = ()


def _targets(value: object) -> Mapping[str, tuple[str, ...]]:
    """Return the ids that each scope reaches."""
    scopes = map(as_mapping, value if isinstance(value, list) else ())
    return {str(one.get("scope")): read_names(one.get("target_ids")) for one in scopes}


@dataclass(frozen=True, slots=True)
class TokenInfo(Model):
    """What Meta tells of a token. Instagram Login has no call for it. Source: Meta, Access Tokens, debug_token.

    :param expires_at: When it expires, or None if it does not.
    :param data_access_ends_at: When Meta stops answering it, 90 days after the person last used the
        app, or None.
    :param granular_scopes: The ids that its scopes reach, if Meta names them.
    """

    is_valid: Literal[True]
    type: Name = ""
    expires_at: Moment = None
    scopes: Names = ()
    granular_scopes: Annotated[Mapping[str, tuple[str, ...]], PlainValidator(_targets)] = Field(
        default_factory=dict
    )
    data_access_ends_at: Moment = Field(default=None, validation_alias="data_access_expires_at")

    @property
    def login(self) -> MetaLogin | None:
        """The login that the token comes from, or None if its type is unknown."""
        return _LOGINS.get(self.type)

    @property
    def account_ids(self) -> tuple[str, ...]:
        """The Instagram accounts that it reaches, if Meta names them."""
        return self.granular_scopes.get(_BASIC, ())

    @property
    def page_ids(self) -> tuple[str, ...]:
        """The Facebook Pages that it reaches, if Meta names them."""
        return self.granular_scopes.get(_PAGES, ())


@dataclass(frozen=True, slots=True)
class Account(Model):
    """The Instagram account that a token belongs to.

    :param account_type: Its type, such as BUSINESS or MEDIA_CREATOR, or None if unknown.
    :param picture_url: The address of its picture, if the call requested it and a page may show it.
    """

    user_id: Id
    username: Text = None
    account_type: Text = None
    picture_url: Link = Field(default=None, validation_alias="profile_picture_url")

    @classmethod
    def read_of_id(cls, data: Data) -> Account:
        """Read the account that was asked for by its id."""
        return cls.read({**data, "user_id": data.get("id")})

    @classmethod
    def read_of_page(cls, data: Data) -> Account:
        """Read the account that a Facebook Page is linked to.

        :raises PermissionDeniedError: If the Page is not linked to an account.
        """
        if (linked := _linked(data.get(_LINKED))) is None:
            raise PermissionDeniedError(
                "The token's Facebook Page is not linked to a professional Instagram account.",
                hint="Link them in the Page's settings, under Linked accounts.",
            )
        return linked


def _linked(value: object) -> Account | None:
    return Account.read_of_id(row) if (row := as_mapping(value)) else None


@dataclass(frozen=True, slots=True)
class FacebookPage(Model):
    """A Facebook Page that a person manages.

    :param access_token: Its token, or None if the person has no task on the Page.
    :param account: The professional Instagram account that it is linked to, or None.
    """

    id: Id
    name: Name = ""
    access_token: Text = Field(default=None, repr=False)
    account: Annotated[Account | None, PlainValidator(_linked)] = Field(
        default=None, validation_alias=_LINKED
    )


@dataclass(frozen=True, slots=True)
class Audio(Model):
    """Music of an artist, or the sound of a user's reel. Source: Meta, Instagram Audio API, 2026-06-16."""

    audio_id: Id
    title: Name = ""
    display_artist: Name = ""
    ig_username: Name = ""
    duration_in_ms: Count = None

    def as_row(self) -> dict[str, Any]:
        """Return what a table shows."""
        return {
            "audio_id": self.audio_id,
            "title": self.title,
            "creator": self.display_artist or self.ig_username,
            "duration_s": None if self.duration_in_ms is None else self.duration_in_ms / 1000,
        }


def read_audio(data: Data) -> tuple[Audio, ...]:
    """Read the answer to a search, which has a list of audio."""
    return tuple(map(Audio.read, read_rows({"data": data.get("audio")}, "audio")))


def _address(location: object) -> str:
    parts = (
        read_text(as_mapping(location).get(name)) for name in ("street", "zip", "city", "country")
    )
    return ", ".join(filter(None, parts))


@dataclass(frozen=True, slots=True)
class Place(Model):
    """A Facebook Page with a location. Source: Meta, Pages Search; IG User Media, location_id."""

    id: Id
    name: Name = ""
    location: Annotated[str, PlainValidator(_address)] = ""

    def as_row(self) -> dict[str, str]:
        """Return what a table shows."""
        return {"location_id": self.id, "name": self.name, "address": self.location}


def read_places(data: Data) -> tuple[Place, ...]:
    """Read the answer to a search. A Page without a location is left out, because no post can name it."""
    return tuple(
        Place.read(row) for row in read_rows(data, "Pages") if as_mapping(row.get("location"))
    )
