"""Instagram's answers as values: strict about ids, tolerant of variations in Meta's answers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from airflow_provider_instagram.exceptions import (
    ContainerExpiredError,
    InstagramError,
    MediaRejectedError,
    PermissionDeniedError,
)
from airflow_provider_instagram.graph.addresses import safe_link, web_address
from airflow_provider_instagram.graph.errors import rule_for

_SUBCODE: Final = re.compile(r"\b(?:2207\d{3}|1363008)\b")


@dataclass(frozen=True, slots=True)
class Container:
    """A container of a video.

    :param id: The container's id.
    :param upload_uri: Where to send its bytes. None if Instagram fetches them from a URL.
    """

    id: str
    upload_uri: str | None = None

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Container:
        """Read the answer to a creation.

        :raises ValueError: If the answer contains no id.
        """
        return cls(_id(data), _text(data, "uri"))


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
    :param errors: Meta's error messages.
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
        words = tuple(error if isinstance(error, str) else json.dumps(error) for error in errors)
        return cls((_text(data, "status") or "").lower(), words)


@dataclass(frozen=True, slots=True)
class ContainerStatus:
    """The status of a container. Source: Meta, IG Container reference.

    :param id: The container's id.
    :param status_code: Meta's status code. May be empty although the container has failed.
    :param status: Meta's description of the status.
    :param uploading: The upload phase.
    :param processing: The processing phase.
    :param bytes_transferred: Bytes of an upload that Instagram has, or None if unknown.
    :param source_file_size_bytes: Size of the whole upload, or None if unknown.
    """

    id: str
    status_code: str = ""
    status: str = ""
    uploading: Phase = Phase()
    processing: Phase = Phase()
    bytes_transferred: int | None = None
    source_file_size_bytes: int | None = None

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> ContainerStatus:
        """Read a container's status. Every field but the id may be missing.

        :raises ValueError: If the answer contains no id.
        """
        video = _mapping(data, "video_status")
        uploading = _mapping(video, "uploading_phase")
        return cls(
            id=_id(data),
            status_code=(_text(data, "status_code") or "").upper(),
            status=_text(data, "status") or "",
            uploading=Phase.read(uploading),
            processing=Phase.read(video.get("processing_phase")),
            bytes_transferred=_integer(uploading, "bytes_transferred"),
            source_file_size_bytes=_integer(uploading, "source_file_size"),
        )

    @property
    def state(self) -> ContainerState:
        """The actual state of the container.

        Meta leaves ``status_code`` at IN_PROGRESS for ever after a phase has failed, and empty after a download has
        failed. So a failure in any field counts.
        """
        if self.status_code in ContainerState.__members__ and self.status_code != ContainerState.IN_PROGRESS:
            return ContainerState(self.status_code)
        sentence = self.status.lower()
        phases = (self.uploading.status, self.processing.status)
        if "error" in phases or sentence.startswith("error") or "has failed" in sentence:
            return ContainerState.ERROR
        if not self.status_code:
            said = sentence.partition(":")[0].strip().replace(" ", "_").upper()
            if said in ContainerState.__members__:
                return ContainerState(said)
        return ContainerState.IN_PROGRESS

    @property
    def is_terminal(self) -> bool:
        """Whether waiting makes no difference. This includes FINISHED and PUBLISHED containers."""
        return self.state is not ContainerState.IN_PROGRESS

    @property
    def subcode(self) -> int | None:
        """Meta's subcode of the failure, if the status or a phase contains one."""
        found = _SUBCODE.search(" ".join((self.status, *self.uploading.errors, *self.processing.errors)))
        return int(found.group()) if found else None

    @property
    def new_containers(self) -> int:
        """How many new containers are worth creating in place of this one.

        0 for a usable container, and for a failure that a new container would repeat.
        """
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
        words = [self.state.value]
        if self.status:
            words.append(f"“{self.status}”")
        for name, phase in (("upload", self.uploading), ("processing", self.processing)):
            if phase.status:
                words.append(f"{name} {phase.status.replace('_', ' ')}")
        if self.bytes_transferred is not None:
            of = f" of {self.source_file_size_bytes:,}" if self.source_file_size_bytes else ""
            words.append(f"{self.bytes_transferred:,}{of} bytes received")
        return ", ".join(words)

    def failure(self) -> InstagramError | None:
        """Return the error of a container that can never be published.

        :return: The error to raise, or None if the container is usable or may become usable.
        """
        if self.state is ContainerState.EXPIRED:
            return ContainerExpiredError(
                f"Container {self.id} has expired: it was not published within 24 hours.",
                hint="Clear the create task and the tasks downstream of it to create a new container.",
            )
        if self.state is not ContainerState.ERROR:
            return None
        rule = rule_for(None, self.subcode) if self.subcode else None
        error = rule.error if rule and not rule.error.retryable else MediaRejectedError
        said = "; ".join(filter(None, (self.status, *self.uploading.errors, *self.processing.errors)))
        meaning = rule.meaning if rule else "Instagram could not use the video"
        return error(
            f"Container {self.id} has failed: {meaning}{f' (Meta: {said})' if said else ''}.",
            hint=rule.hint if rule else "Run the video through TranscodeOperator first.",
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

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Media:
        """Read a post.

        :raises ValueError: If the answer contains no id.
        """
        return cls(
            id=_id(data),
            permalink=web_address(_text(data, "permalink")),
            shortcode=_text(data, "shortcode"),
            caption=_text(data, "caption"),
            timestamp=_time(data, "timestamp"),
            media_type=_text(data, "media_type"),
            media_product_type=_text(data, "media_product_type"),
            username=_text(data, "username"),
        )


@dataclass(frozen=True, slots=True)
class MediaPage:
    """A page of an account's posts, newest first.

    :param items: The posts.
    :param after: Cursor of the next page, or None on the last page.
    """

    items: tuple[Media, ...]
    after: str | None = None

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> MediaPage:
        """Read a page.

        :raises ValueError: If the answer contains no list, or a post without an id.
        """
        rows = data.get("data")
        if not isinstance(rows, list):
            raise ValueError("no list of media")
        paging = _mapping(data, "paging")
        after = None
        if following := _text(paging, "next"):
            # the link itself is never followed, because Meta puts the access token into it
            after = (
                _text(_mapping(paging, "cursors"), "after") or parse_qs(urlsplit(following).query).get("after", [""])[0]
            )
        return cls(tuple(Media.read(row) for row in rows), after or None)


@dataclass(frozen=True, slots=True)
class PublishingLimit:
    """How many posts the account may still publish. Source: Meta, content_publishing_limit.

    :param quota_usage: Posts published within the rolling window.
    :param quota_total: Posts that fit into the window.
    :param quota_duration: Length of the window.
    """

    quota_usage: int
    quota_total: int
    quota_duration: timedelta

    @property
    def remaining(self) -> int:
        """Posts that the account may publish now."""
        return max(0, self.quota_total - self.quota_usage)

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> PublishingLimit:
        """Read the limit.

        :raises ValueError: If the answer lacks one of the three figures, because none is safe to assume.
        """
        row = _first(data)
        config = _mapping(row, "config")
        usage, total = _integer(row, "quota_usage"), _integer(config, "quota_total")
        duration_s = _integer(config, "quota_duration")
        if usage is None or total is None or duration_s is None:
            raise ValueError("no quota_usage, quota_total or quota_duration")
        return cls(usage, total, timedelta(seconds=duration_s))


@dataclass(frozen=True, slots=True)
class Token:
    """An access token. Its ``repr`` does not show the token itself.

    :param access_token: The token.
    :param expires_in: Its remaining lifetime, or None if unknown.
    :param user_id: The account that it belongs to. Known only after a login.
    :param permissions: Its scopes. Known only after a login.
    """

    access_token: str = field(repr=False)
    expires_in: timedelta | None = None
    user_id: str | None = None
    permissions: tuple[str, ...] = ()

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Token:
        """Read a token from the flat answer, or from the nested one that Meta documents.

        :raises ValueError: If the answer contains no token.
        """
        row = _first(data)
        access_token = _text(row, "access_token")
        if not access_token:
            raise ValueError("no access_token")
        expires_in_s = _integer(row, "expires_in")
        return cls(
            access_token=access_token,
            expires_in=None if expires_in_s is None else timedelta(seconds=expires_in_s),
            user_id=_id(row, "user_id") if row.get("user_id") else None,
            permissions=_names(row.get("permissions")),
        )


@dataclass(frozen=True, slots=True)
class Account:
    """The Instagram account that a token belongs to.

    :param user_id: The professional account's id.
    :param username: Its name.
    :param account_type: Its type, such as BUSINESS or MEDIA_CREATOR, or None if unknown.
    :param picture_url: The address of its picture, if the call requested it and a page may show it.
    """

    user_id: str
    username: str | None = None
    account_type: str | None = None
    picture_url: str | None = None

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Account:
        """Read the account from the flat answer, or from the nested one that Meta documents.

        :raises ValueError: If the answer contains no id.
        """
        row = _first(data)
        return cls(
            _id(row, "user_id"),
            _text(row, "username"),
            _text(row, "account_type"),
            safe_link(_text(row, "profile_picture_url")),
        )

    @classmethod
    def read_of_page(cls, data: Mapping[str, Any]) -> Account:
        """Read the account that a Facebook Page is linked to.

        :raises PermissionDeniedError: If the Page is not linked to an account.
        """
        if not (row := _mapping(data, "instagram_business_account")):
            raise PermissionDeniedError(
                "The token's Facebook Page is not linked to a professional Instagram account.",
                hint="Link them in the Page's settings, under Linked accounts.",
            )
        return cls(_id(row), _text(row, "username"), None, safe_link(_text(row, "profile_picture_url")))


def _first(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Unwrap ``{"data": [{…}]}``, which Meta documents but does not always send."""
    rows = data.get("data", data)
    row = rows[0] if isinstance(rows, list) and rows else rows
    return row if isinstance(row, Mapping) else {}


def _id(data: Mapping[str, Any], key: str = "id") -> str:
    """Read an id. Ids are decimal strings, or at login, numbers that are too large for a float."""
    value = data.get(key)
    text = str(value) if isinstance(value, int) else value
    if not isinstance(text, str) or not (text.isascii() and text.isdigit()):
        raise ValueError(f"no {key}")
    return text


def _text(data: Mapping[str, Any], key: str) -> str | None:
    value = data.get(key)
    # Half of a surrogate pair, which JSON can spell, is no text that could be written anywhere.
    return value.encode(errors="replace").decode() if isinstance(value, str) else None


def _integer(data: Mapping[str, Any], key: str) -> int | None:
    value = data.get(key)
    text = str(value) if isinstance(value, (int, str)) else ""
    return int(text) if text.isascii() and text.isdigit() else None


def _mapping(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = data.get(key)
    return value if isinstance(value, Mapping) else {}


def _names(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(value.split(","))
    return tuple(str(name) for name in value) if isinstance(value, Sequence) else ()


def _time(data: Mapping[str, Any], key: str) -> datetime | None:
    try:
        return datetime.strptime(_text(data, key) or "", "%Y-%m-%dT%H:%M:%S%z")
    except ValueError:
        return None
