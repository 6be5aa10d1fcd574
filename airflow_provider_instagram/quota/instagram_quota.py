"""When an account has free quota at Instagram again, computed from its media and stories."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from airflow_provider_instagram.exceptions import InstagramError
from airflow_provider_instagram.graph.listing import media_since, stories_since

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_provider_instagram.graph.client import GraphClient

# Source: Meta, IG User Content Publishing Limit reference: the quota is for a moving period of 24 hours.
QUOTA_PERIOD: Final = timedelta(hours=24)
#: Instagram's clock and ours differ.
MARGIN: Final = timedelta(seconds=10)

log = logging.getLogger(__name__)


def time_until_quota_frees(client: GraphClient, ig_user_id: str, now: datetime) -> timedelta | None:
    """Return the time until the oldest post of the last 24 hours stops counting."""
    since, times = now - QUOTA_PERIOD, []
    try:
        for listed in (media_since, stories_since):  # a story is not among the media, but counts as well
            times += [media.timestamp for media in listed(client, ig_user_id, since) if media.timestamp]
    except InstagramError as error:
        log.warning("Could not determine when the account may post again: %s", error)
        return None
    return min(times) + QUOTA_PERIOD + MARGIN - now if times else None
