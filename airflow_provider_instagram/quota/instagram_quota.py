"""When an account has free quota at Instagram again, computed from its media and stories."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from airflow_provider_instagram.exceptions import InstagramError
from airflow_provider_instagram.graph import calls

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from airflow_provider_instagram.graph.client import GraphClient
    from airflow_provider_instagram.graph.models import Media

# Source: Meta, IG User Content Publishing Limit reference: the quota is for a moving period of 24 hours.
QUOTA_PERIOD: Final = timedelta(hours=24)
#: Instagram's clock and ours differ.
MARGIN: Final = timedelta(seconds=10)

log = logging.getLogger(__name__)


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


def time_until_quota_frees(client: GraphClient, ig_user_id: str, now: datetime) -> timedelta | None:
    """Return the time until the oldest post of the last 24 hours stops counting.

    :param client: An open client of the account.
    :param ig_user_id: The account's Instagram user id.
    :param now: The current time, in UTC.
    :return: The time until then, or None if it cannot be determined.
    """
    since, times = now - QUOTA_PERIOD, []
    try:
        for listed in (media_since, stories_since):  # a story is not among the media, but counts as well
            times += [media.timestamp for media in listed(client, ig_user_id, since) if media.timestamp]
    except InstagramError as error:
        log.warning("Could not determine when the account may post again: %s", error)
        return None
    return min(times) + QUOTA_PERIOD + MARGIN - now if times else None
