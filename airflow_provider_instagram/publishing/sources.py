"""The media of a post as they reach Instagram: as bytes, or as a link that it fetches; and fetches that failed."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from airflow_provider_instagram.exceptions import (
    InstagramError,
    MediaNotFetchedError,
    ValidationError,
)
from airflow_provider_instagram.files import storage
from airflow_provider_instagram.files.storage import check_public_prefix, public_link, why_no_link
from airflow_provider_instagram.graph.errors import Cause, cause_of
from airflow_provider_instagram.ledger.records import CONTAINER_LIFE
from airflow_provider_instagram.media.kind import HEAD_BYTES, format_of, kind_of
from airflow_provider_instagram.posts.kinds import OTHER_ENDINGS, ItemKind, kind_by_name
from airflow_provider_instagram.utils import urls
from airflow_provider_instagram.utils.local_files import file_digest

if TYPE_CHECKING:
    from airflow_provider_instagram.files.access import FileCheck
    from airflow_provider_instagram.ledger.ledger import Ledger
    from airflow_provider_instagram.posts.item import Item

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MediaSource:
    """A video or a picture to send to Instagram.

    :param name: The location that the user gave. May be a signed link, so it is shown without its
        query.
    :param path: The local file. The bytes of a video are sent; a picture is copied to where
        Instagram can fetch it.
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

        Approved media have another one, so that containers that were made before the approval are
        not reused.

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
        With ``copy``, bytes and ``[instagram] public_prefix`` take the place of links, unless that
        cannot be.
    :raises ValidationError: If Instagram cannot fetch a link, a file cannot be used, or its check
        fails.
    """
    with ExitStack() as files:
        checked = zip(items, checks or [None] * len(items), strict=True)
        yield [_source(item, upload, check, files) for item, check in checked]


def _source(item: Item, upload: str, check: FileCheck | None, files: ExitStack) -> MediaSource:
    opened = _picture if item.kind is ItemKind.PICTURE else _video
    try:
        return opened(item.location, upload, check, files)
    except InstagramError as error:
        if upload != "copy" or urls.is_local(item.location):
            raise
        log.warning("Sending the link again: %s", error.message)
    return opened(item.location, "auto", check, files)


def _video(location: str, upload: str, check: FileCheck | None, files: ExitStack) -> MediaSource:
    if upload == "url" or (upload == "auto" and urls.is_web(location)):
        hint = 'Send the bytes of a local file: upload="file". In a link, percent-encode all other characters.'
        return _linked(location, ItemKind.VIDEO, check, hint)
    path = files.enter_context(storage.as_local_file(location, check=check))
    if kind_of(path) is not ItemKind.VIDEO:
        raise ValidationError(
            f"{urls.shown(location)} is a picture, not a video.", hint="Use image= instead."
        )
    return MediaSource(location, path, sha256=check.sha256 if check else None)


def _picture(location: str, upload: str, check: FileCheck | None, files: ExitStack) -> MediaSource:
    if not urls.is_local(location) and (upload != "copy" or why_no_link() is not None):
        hint = "Use its public https address, with characters outside ASCII percent-encoded."
        return _linked(location, ItemKind.PICTURE, check, hint)
    path = files.enter_context(storage.as_local_file(location, check=check))
    with path.open("rb") as file:
        is_jpeg = format_of(file.read(HEAD_BYTES)) == "JPEG"
    if not is_jpeg:
        raise ValidationError(
            f"{path} is not a JPEG, the only format of pictures that Instagram takes.",
            hint="Run it through TranscodeOperator first. A video belongs in video=.",
        )
    check_public_prefix(path)
    return MediaSource(
        location, path, kind=ItemKind.PICTURE, sha256=check.sha256 if check else None
    )


def _linked(location: str, kind: ItemKind, check: FileCheck | None, hint: str) -> MediaSource:
    """Return what Instagram fetches itself. The digest of an approved object is checked before.

    A web address cannot be checked: its server knows who asks.
    """
    if check is not None:
        check.access.check(location)
    link = _link(location, hint)
    if check is None or check.sha256 is None or urls.is_web(location):
        return MediaSource(location, link=link, kind=kind)
    with storage.as_local_file(location, check=check):
        return MediaSource(location, link=link, kind=kind, sha256=check.sha256)


def _link(location: str, hint: str) -> str:
    if urls.ending(location) in OTHER_ENDINGS:
        raise ValidationError(
            f"{urls.shown(location)} is neither a picture nor a video.",
            hint="Name a picture or a video.",
        )
    is_object = not urls.is_web(location) and not urls.is_local(location)
    link = storage.presigned(location, CONTAINER_LIFE) if is_object else location
    if not urls.is_public_url(link):
        raise ValidationError(
            f"Instagram cannot fetch {urls.shown(location)}: a link must be https, in plain ASCII, and public.",
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
    kind = kind_of(urls.local_path(at)) if urls.is_local(at) else kind_by_name(at)
    if kind is None:
        raise ValidationError(
            f"The name of {urls.shown(at)} does not show whether it is a video or a picture.",
            hint='Write which it is: {"image": …} or {"video": …}.',
        )
    return item.model_copy(update={"kind": kind})


#: How long to wait before Instagram fetches a link again. Meta counts the containers: at most 400 a
#: day.
FIRST_PAUSE: Final = timedelta(seconds=20)
LONGEST_PAUSE: Final = timedelta(minutes=5)
#: In so many tries, about five minutes, a link may be missing: files are moved, and permissions
#: come late.
PATIENT_TRIES: Final = 5
#: After so many tries, copies take the place of links.
LINK_TRIES: Final = 2
_ANY_LINK: Final = "The link must be public, in ASCII, without redirects, and valid for 24 hours"
#: What a link must be like, by what it leads to.
HOW_TO_SERVE: Final = {
    ItemKind.PICTURE: f"{_ANY_LINK}. The picture must be served as image/jpeg.",
    ItemKind.VIDEO: f"{_ANY_LINK}. The video must be served with its content type and with Range support. Or send the "
    'bytes instead: upload="file".',
}


def not_fetched(
    failure: InstagramError, shows: ItemKind | None, *, is_fetched: bool
) -> InstagramError | None:
    """Return the error of a fetch that failed, or None if a container failed for another reason.

    :param shows: What Instagram fetches, if it is the same for all containers.
    :param is_fetched: Whether Instagram fetches the media. An error that may be that of the file
        counts only then.
    """
    causes = (Cause.NOT_FETCHED, Cause.NOT_FETCHED_OR_UNFIT) if is_fetched else (Cause.NOT_FETCHED,)
    if cause_of(failure) not in causes:
        return None
    hint = failure.hint if shows is None or not is_fetched else HOW_TO_SERVE[shows]
    return InstagramError.from_data(
        {**failure.as_data(), "error": MediaNotFetchedError.__name__, "hint": hint}
    )


def raise_if_not_fetched(
    ledger: Ledger, failure: InstagramError, container_ids: Iterable[str]
) -> None:
    """Raise the error of a fetch that failed, if one of these containers failed for that reason."""
    records = [record for one in container_ids if (record := ledger.container(one)) is not None]
    shows = records[0].shows if len({record.shows for record in records}) == 1 else None
    error = not_fetched(failure, shows, is_fetched=any(record.is_fetched for record in records))
    if error is not None:
        raise error from None


def pause_before_retry(ledger: Ledger, post_key: str, try_number: int) -> timedelta:
    """Return how long to wait before the next fetch.

    :param post_key: The key of the post. Each item of a carousel may need a container.
    :param try_number: Which try of its round has failed, from 1.
    """
    items = len({child.item for child in ledger.children(post_key)})
    return min(LONGEST_PAUSE * max(1, items), FIRST_PAUSE * int(2 ** min(try_number - 1, 10)))


def check_link(link: str, kind: ItemKind, try_number: int) -> None:
    """Check a link before it is fetched again. A refusal is believed when it has lasted.

    :raises MediaNotFetchedError: If its server fails at this moment.
    :raises ValidationError: If its server refuses.
    """
    from airflow_provider_instagram.files import download

    try:
        download.check_link(link, kind)
    except ValidationError as error:
        if try_number > PATIENT_TRIES:
            raise
        raise MediaNotFetchedError(error.message, hint=error.hint) from None
