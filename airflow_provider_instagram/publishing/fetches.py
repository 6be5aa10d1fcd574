"""Media that Instagram could not fetch from their link: which failures are of this kind, and when to try again."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from airflow_provider_instagram.exceptions import InstagramError, MediaNotFetchedError, ValidationError
from airflow_provider_instagram.graph.errors import Cause, cause_of
from airflow_provider_instagram.posts.kinds import ItemKind

if TYPE_CHECKING:
    from airflow_provider_instagram.ledger.ledger import Ledger

#: How long to wait before Instagram fetches a link again. Meta counts the containers: at most 400 a day.
FIRST_PAUSE: Final = timedelta(seconds=20)
LONGEST_PAUSE: Final = timedelta(minutes=5)
#: In so many tries, about five minutes, a link may be missing: files are moved, and permissions come late.
PATIENT_TRIES: Final = 5
_ANY_LINK: Final = "The link must be public, in ASCII, without redirects, and valid for 24 hours"
#: What a link must be like, by what it leads to.
HOW_TO_SERVE: Final = {
    ItemKind.PICTURE: f"{_ANY_LINK}. The picture must be served as image/jpeg.",
    ItemKind.VIDEO: f"{_ANY_LINK}. The video must be served with its content type and with Range support. Or send the "
    'bytes instead: upload="file".',
}


def not_fetched(failure: InstagramError, shows: ItemKind | None, *, is_fetched: bool) -> InstagramError | None:
    """Return the error of a fetch that failed, or None if a container failed for another reason.

    :param shows: What Instagram fetches, if it is the same for all containers.
    :param is_fetched: Whether Instagram fetches the media. An error that may be that of the file counts only then.
    """
    cause = cause_of(failure)
    if cause is not Cause.NOT_FETCHED and not (is_fetched and cause is Cause.NOT_FETCHED_OR_UNFIT):
        return None
    hint = failure.hint if shows is None or not is_fetched else HOW_TO_SERVE[shows]
    return InstagramError.from_data({**failure.as_data(), "error": MediaNotFetchedError.__name__, "hint": hint})


def raise_if_not_fetched(ledger: Ledger, failure: InstagramError, container_ids: Iterable[str]) -> None:
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
