"""Reads that take several calls: lists page by page, as far back as a time, and what was just created."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from airflow_provider_instagram.exceptions import NotReadyError, PermissionDeniedError
from airflow_provider_instagram.graph import calls

if TYPE_CHECKING:
    from airflow_provider_instagram.graph.client import GraphClient
    from airflow_provider_instagram.graph.models import (
        Comment,
        Dated,
        FacebookPage,
        Media,
        Page,
        TokenInfo,
    )

A = TypeVar("A")
P = TypeVar("P", bound="Page[Any]")
log = logging.getLogger(__name__)

#: The longest page of the media list. Source: Meta, IG User Media reference.
LONGEST_PAGE: Final = 100
#: The permission to list business portfolios and their Pages.
PORTFOLIOS: Final = "business_management"
_TRIES: Final = 7
_PAUSE: Final = timedelta(seconds=3)


def newest_media(client: GraphClient, ig_user_id: str) -> Iterator[Media]:
    """Read the account's media, the newest first."""
    return _items(client, partial(calls.media_list, ig_user_id, limit=LONGEST_PAGE))


def media_since(client: GraphClient, ig_user_id: str, since: datetime) -> Iterator[Media]:
    """Read the account's media that were published at a time or later."""
    return _newest_since(client, partial(calls.media_list, ig_user_id, since=since), since)


def stories_since(client: GraphClient, ig_user_id: str, since: datetime) -> Iterator[Media]:
    """Read the account's stories that were published at a time or later, at most 24 hours ago."""
    for page in pages(client, partial(calls.stories, ig_user_id)):
        yield from page.since(since)


def comments(client: GraphClient, media_id: str) -> Iterator[Comment]:
    """Read the comments on a post, the newest first."""
    return _items(client, partial(calls.comment_list, media_id))


def comments_since(client: GraphClient, media_id: str, since: datetime) -> Iterator[Comment]:
    """Read the comments on a post that were written at a time or later."""
    return _newest_since(client, partial(calls.comment_list, media_id), since)


def replies_since(client: GraphClient, comment_id: str, since: datetime) -> Iterator[Comment]:
    """Read the replies to a comment that were written at a time or later. Meta does not document their order."""
    for page in pages(client, partial(calls.reply_list, comment_id)):
        yield from page.since(since)


def facebook_pages(client: GraphClient, info: TokenInfo) -> Iterator[list[FacebookPage]]:
    """Yield the Facebook Pages of a person: those that Meta lists, then those of business portfolios.

    Meta's list lacks Pages that the person reaches through a portfolio only. The token may name
    them; only the lists of the portfolios have all of them. Source: reported by two clients, fixed
    live in August 2026.

    :param info: What Meta tells of the person's token, which the client has.
    """
    listed = list(_items(client, calls.facebook_pages))
    yield listed
    further = set(info.page_ids) - {page.id for page in listed}
    yield list(_readable_pages(client, sorted(further)))
    if PORTFOLIOS in info.scopes:
        for portfolio_id in _items(client, calls.portfolios):
            for edge in ("owned_pages", "client_pages"):
                yield list(_items(client, partial(calls.facebook_pages, portfolio_id, edge)))


def _readable_pages(client: GraphClient, page_ids: Sequence[str]) -> Iterator[FacebookPage]:
    """Yield the Pages that a token names, but for those that were deleted or that the person has left."""
    for page_id in page_ids:
        try:
            yield client.send(calls.facebook_page(page_id))
        except (NotReadyError, PermissionDeniedError) as error:  # noqa: PERF203 -- each page may fail
            log.warning("Facebook Page %s is left out: %s", page_id, error)


def _items(client: GraphClient, call: Callable[..., calls.Call[Page[A]]]) -> Iterator[A]:
    for page in pages(client, call):
        yield from page.items


def _newest_since(
    client: GraphClient, call: Callable[..., calls.Call[Page[Dated]]], since: datetime
) -> Iterator[Dated]:
    """Yield the items of a list, the newest first, up to the first page whose items are all older than a time."""
    for page in pages(client, call):
        recent = page.since(since)
        yield from recent
        if not recent:
            return


def pages(client: GraphClient, call: Callable[..., calls.Call[P]]) -> Iterator[P]:
    """Yield the pages of a list.

    :param call: Returns the call for the page ``after`` a cursor.
    """
    after: str | None = None
    while True:
        page = client.send(call(after=after))
        yield page
        if (after := page.after) is None:
            return


def read_after_create(client: GraphClient, call: calls.Call[A]) -> A:
    """Send a read of a container or post that was just created, and repeat it while its id is unknown.

    Source: reported, 100/33 on fresh ids.

    :raises NotReadyError: If the id is still unknown after about 20 seconds.
    """
    retrying = Retrying(
        retry=retry_if_exception_type(NotReadyError),
        stop=stop_after_attempt(_TRIES),
        wait=wait_fixed(_PAUSE),
        sleep=client.sleep,
        reraise=True,
    )
    answer: A = retrying(client.send, call)
    return answer
