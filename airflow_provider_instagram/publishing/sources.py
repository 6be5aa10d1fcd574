"""The media of a post as they reach Instagram: as bytes, or as a link that Instagram fetches."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.files import storage
from airflow_provider_instagram.files.storage import public_link, public_prefix
from airflow_provider_instagram.ledger.records import CONTAINER_LIFE
from airflow_provider_instagram.media.kind import HEAD_BYTES, format_of, kind_of
from airflow_provider_instagram.posts.kinds import OTHER_ENDINGS, ItemKind, kind_by_name
from airflow_provider_instagram.utils import locations
from airflow_provider_instagram.utils.local_files import file_digest

if TYPE_CHECKING:
    from airflow_provider_instagram.files.access import FileCheck
    from airflow_provider_instagram.posts.item import Item


@dataclass(frozen=True)
class MediaSource:
    """A video or a picture to send to Instagram.

    :param name: The location that the user gave. May be a signed link, so it is shown without its query.
    :param path: The local file. The bytes of a video are sent; a picture is copied to where Instagram can fetch it.
    :param link: The link that Instagram fetches instead. May be presigned, so it is never shown.
    :param sha256: The digest of its content, if that was approved. The content has it.
    """

    name: str = field(repr=False)
    path: Path | None = None
    link: str | None = field(default=None, repr=False)
    kind: ItemKind = ItemKind.VIDEO
    sha256: str | None = None

    @property
    def video_file(self) -> Path | None:
        """The file whose bytes are sent, or None if Instagram fetches a link."""
        return self.path if self.kind is ItemKind.VIDEO else None

    @property
    def is_read(self) -> bool:
        """Whether its content is known, and not only its name."""
        return self.path is not None or self.sha256 is not None

    def fetched_from(self) -> str:
        """Return the link that Instagram fetches. A local picture is copied first."""
        return self.link or public_link(cast("Path", self.path), CONTAINER_LIFE)

    def fingerprint(self, options: str) -> str:
        """Return a digest of options and the media: of the bytes, or of the name if Instagram fetches the media.

        Approved media have another one, so that containers that were made before the approval are not reused.

        :param options: What belongs to the media in the post, as text.
        """
        prefix = options.encode()
        if self.sha256 is not None:
            return hashlib.sha256(prefix + f"approved {self.sha256}".encode()).hexdigest()
        if self.path is None:
            return hashlib.sha256(prefix + self.name.encode()).hexdigest()
        return file_digest(self.path, prefix=prefix)


@contextmanager
def open_sources(
    items: Sequence[Item], upload: str, checks: Sequence[FileCheck | None] = ()
) -> Iterator[list[MediaSource]]:
    """Yield each item as it reaches Instagram. Copies of videos are removed afterwards.

    :param upload: How videos are sent: ``file``, ``url`` or ``auto``. Pictures are always fetched.
    :param checks: What must be true of each item's file. Empty if the author of a DAG named them.
    :raises ValidationError: If Instagram cannot fetch a link, a file cannot be used, or its check fails.
    """
    with ExitStack() as files:
        yield [
            _picture(item.location, check, files)
            if item.kind is ItemKind.PICTURE
            else _video(item.location, upload, check, files)
            for item, check in zip(items, checks or [None] * len(items), strict=True)
        ]


def _video(location: str, upload: str, check: FileCheck | None, files: ExitStack) -> MediaSource:
    if upload == "url" or (upload == "auto" and locations.is_web(location)):
        hint = 'Send the bytes of a local file: upload="file". In a link, percent-encode all other characters.'
        return _linked(location, ItemKind.VIDEO, check, hint)
    path = files.enter_context(storage.as_local_file(location, check=check))
    if kind_of(path) is not ItemKind.VIDEO:
        raise ValidationError(f"{locations.shown(location)} is a picture, not a video.", hint="Use image= instead.")
    return MediaSource(location, path, sha256=check.sha256 if check else None)


def _picture(location: str, check: FileCheck | None, files: ExitStack) -> MediaSource:
    if not locations.is_local(location):
        hint = "Use its public https address, with characters outside ASCII percent-encoded."
        return _linked(location, ItemKind.PICTURE, check, hint)
    path = files.enter_context(storage.as_local_file(location, check=check and replace(check, as_copy=True)))
    with path.open("rb") as file:
        is_jpeg = format_of(file.read(HEAD_BYTES)) == "JPEG"
    if not is_jpeg:
        raise ValidationError(
            f"{path} is not a JPEG, the only format of pictures that Instagram takes.",
            hint="Run it through TranscodeOperator first. A video belongs in video=.",
        )
    public_prefix(locations.local_path(location))
    return MediaSource(location, path, kind=ItemKind.PICTURE, sha256=check.sha256 if check else None)


def _linked(location: str, kind: ItemKind, check: FileCheck | None, hint: str) -> MediaSource:
    """Return what Instagram fetches itself. The digest of an approved object is checked before.

    A web address cannot be checked: its server knows who asks.
    """
    if check is not None:
        check.access.check(location)
    link = _link(location, hint)
    if check is None or check.sha256 is None or locations.is_web(location):
        return MediaSource(location, link=link, kind=kind)
    with storage.as_local_file(location, check=check):
        return MediaSource(location, link=link, kind=kind, sha256=check.sha256)


def _link(location: str, hint: str) -> str:
    if locations.ending(location) in OTHER_ENDINGS:
        raise ValidationError(
            f"{locations.shown(location)} is neither a picture nor a video.", hint="Name a picture or a video."
        )
    is_object = not locations.is_web(location) and not locations.is_local(location)
    link = storage.presigned(location, CONTAINER_LIFE) if is_object else location
    if not locations.is_public_url(link):
        raise ValidationError(
            f"Instagram cannot fetch {locations.shown(location)}: a link must be https, in plain ASCII, and public.",
            hint=hint,
        )
    return link


def with_kind(item: Item) -> Item:
    """Return an item with its kind: as written, or by its content if the file is local, or else by its name.

    :raises ValidationError: If the kind cannot be determined, or a local file cannot be read.
    """
    if item.kind is not None:
        return item
    at = item.location
    kind = kind_of(locations.local_path(at)) if locations.is_local(at) else kind_by_name(at)
    if kind is None:
        raise ValidationError(
            f"The name of {locations.shown(at)} does not show whether it is a video or a picture.",
            hint='Write which it is: {"image": …} or {"video": …}.',
        )
    return item.model_copy(update={"kind": kind})
