"""Reading lists of posts page by page, as far back as a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_instagram.graph import calls

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from airflow_provider_instagram.graph.client import GraphClient
    from airflow_provider_instagram.graph.models import Media


def media_since(client: GraphClient, ig_user_id: str, since: datetime) -> Iterator[Media]:
    """Read the account's media that were published at a time or later.

    :param client: An open client of the account.
    :param ig_user_id: The account's Instagram user id.
    :param since: The time.
    """
    after = None
    while True:
        page = client.send(calls.media_list(ig_user_id, since=since, after=after))
        yield from (media for media in page.items if media.timestamp is None or media.timestamp >= since)
        after = page.after
        if after is None or any(media.timestamp is not None and media.timestamp < since for media in page.items):
            return


def stories_since(client: GraphClient, ig_user_id: str, since: datetime) -> Iterator[Media]:
    """Read the account's stories that were published at a time or later, at most 24 hours ago.

    :param client: An open client of the account.
    :param ig_user_id: The account's Instagram user id.
    :param since: The time.
    """
    after = None
    while True:
        page = client.send(calls.stories(ig_user_id, after=after))
        yield from (story for story in page.items if story.timestamp is None or story.timestamp >= since)
        if (after := page.after) is None:
            return
