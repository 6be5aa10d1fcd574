"""What CreateContainerOperator checks before it creates anything, beside the limits of a post."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from airflow_provider_instagram.exceptions import InstagramError, ValidationError
from airflow_provider_instagram.ledger.records import CONTAINER_LIFE, EXPIRY_MARGIN

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from airflow_provider_instagram.graph.client import GraphClient
    from airflow_provider_instagram.posts.post import Post

log = logging.getLogger(__name__)

#: The types of accounts that cannot publish stories. Source: Meta, content publishing guide.
CREATOR_ACCOUNTS = ("MEDIA_CREATOR", "CREATOR")


def check_account_type(conn_id: str, client: GraphClient) -> None:
    """Check that the account can publish stories. An account whose type cannot be read is not refused.

    :raises ValidationError: If it is a creator's account.
    """
    from airflow_provider_instagram.hooks.instagram import InstagramHook

    try:
        account = InstagramHook(conn_id).read_account(client)
    except InstagramError as error:
        log.warning("Could not read the type of the account: %s", error)
        return
    if (account.account_type or "").upper() in CREATOR_ACCOUNTS:
        raise ValidationError(
            f"@{account.username} is a creator's account. Instagram publishes stories for business accounts only.",
            hint="Change the account's type to business in the Instagram app, or use placement='feed'.",
        )


def check_expiry(publish_at: datetime | None) -> None:
    """Check that a container that is created now lives until the post is published.

    :raises ValidationError: If it expires before.
    """
    longest_s = (CONTAINER_LIFE - EXPIRY_MARGIN).total_seconds()
    if publish_at is None or publish_at.timestamp() - time.time() <= longest_s:
        return
    raise ValidationError(
        f"A container created now expires before publish_at, {publish_at.isoformat()}.",
        hint="Create it at most 23.5 hours ahead: schedule the run closer to publish_at.",
    )


def check_cover(video: Path, post: Post) -> None:
    """Check that the frame of the cover is in the video.

    :raises ValidationError: If it is not.
    """
    if not post.video_cover_timestamp_ms:
        return
    from airflow.sdk import conf

    from airflow_provider_instagram.media.probe import probe

    duration_ms = 1000 * probe(video, ffprobe=conf.get("instagram", "ffprobe")).duration_s
    if post.video_cover_timestamp_ms > duration_ms:
        raise ValidationError(
            f"video_cover_timestamp_ms is {post.video_cover_timestamp_ms}, but {video.name} ends at "
            f"{duration_ms:.0f} ms.",
            hint="Use a time within the video.",
        )
