"""The media of a post as they reach Instagram: as bytes, or as a link that Instagram fetches."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.files import locations, storage
from airflow_provider_instagram.files.public_copy import public_link, public_prefix
from airflow_provider_instagram.ledger.records import CONTAINER_LIFE
from airflow_provider_instagram.media.files import file_digest, regular_file
from airflow_provider_instagram.media.kind import HEAD_BYTES, OTHER_FILES, format_of, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from airflow_provider_instagram.publishing.items import ItemKind, MediaItem

UPLOADS: Final = ("auto", "file", "url")
NO_UPLOAD: Final = "upload is file, but pictures reach Instagram by link."
NO_UPLOAD_REMEDY: Final = (
    "Remove upload. Instagram fetches a local picture from its copy below [instagram] public_prefix."
)


@dataclass(frozen=True)
class MediaSource:
    """A video or a picture to send to Instagram.

    :param name: The location that the user gave. May be a signed link, so it is shown without its query.
    :param path: The local file. The bytes of a video are sent; a picture is copied to where Instagram can fetch it.
    :param link: The link that Instagram fetches instead. May be presigned, so it is never shown.
    :param kind: Whether it is a video or a picture.
    """

    name: str = field(repr=False)
    path: Path | None = None
    link: str | None = field(default=None, repr=False)
    kind: ItemKind = "video"

    @property
    def video_file(self) -> Path | None:
        """The file whose bytes are sent, or None if Instagram fetches a link."""
        return self.path if self.kind == "video" else None

    def fetched_from(self) -> str | None:
        """Return the link that Instagram fetches, or None if bytes are sent. A local picture is copied first."""
        if self.kind == "image" and self.path is not None:
            return public_link(self.path, CONTAINER_LIFE)
        return self.link

    def fingerprint(self, options: str) -> str:
        """Return a digest of options and the media: of the bytes, or of the name if Instagram fetches the media.

        :param options: What belongs to the media in the post, as text.
        """
        prefix = options.encode()
        if self.path is None:
            return hashlib.sha256(prefix + self.name.encode()).hexdigest()
        return file_digest(self.path, prefix=prefix)


@contextmanager
def open_sources(items: Sequence[MediaItem], upload: str) -> Iterator[list[MediaSource]]:
    """Yield each item as it reaches Instagram. Copies of remote videos are removed afterwards.

    :param items: The items, with their kinds.
    :param upload: How videos are sent: ``file``, ``url`` or ``auto``. Pictures are always fetched.
    :raises ValidationError: If Instagram cannot fetch a link, or a file cannot be used.
    """
    with ExitStack() as files:
        yield [_picture(one.location) if one.kind == "image" else _video(one.location, upload, files) for one in items]


def _video(location: str, upload: str, files: ExitStack) -> MediaSource:
    if upload == "url" or (upload == "auto" and locations.is_web(location)):
        hint = 'Send the bytes of a local file: upload="file". In a link, percent-encode all other characters.'
        return MediaSource(location, link=_link(location, hint))
    path = files.enter_context(storage.as_local_file(location))
    if kind_of(path) != "video":
        raise ValidationError(f"{locations.shown(location)} is a picture, not a video.", hint="Use image= instead.")
    return MediaSource(location, path)


def _picture(location: str) -> MediaSource:
    if not locations.is_local(location):
        hint = "Use its public https address, with characters outside ASCII percent-encoded."
        return MediaSource(location, link=_link(location, hint), kind="image")
    path = locations.local_path(location)
    regular_file(path)
    with path.open("rb") as file:
        is_jpeg = format_of(file.read(HEAD_BYTES)) == "JPEG"
    if not is_jpeg:
        raise ValidationError(
            f"{path} is not a JPEG, the only format of pictures that Instagram takes.",
            hint="Run it through TranscodeOperator first. A video belongs in video=.",
        )
    public_prefix(path)
    return MediaSource(location, path, kind="image")


def _link(location: str, hint: str) -> str:
    if locations.ending(location) in OTHER_FILES:
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
