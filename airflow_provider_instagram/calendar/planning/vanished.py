"""Whether a reading of a calendar has lost most of its posts, as an empty sheet and half a file have.

Nothing in such a reading says whether a person wanted it. So the last version stays for a while,
and people are told. A post that a person removes on the Posts page is not lost: the page records
its id beside the plan.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import conf
from pydantic import BaseModel, ConfigDict

from airflow_provider_instagram.calendar.file.problems import Problem
from airflow_provider_instagram.files import storage
from airflow_provider_instagram.utils.urls import shown

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.model import Calendar

#: The planner has read the file by then that the page has written.
REMOVAL_KEPT: Final = timedelta(hours=1)
MOST_NAMED: Final = 3

log = logging.getLogger(__name__)


class Vanished(BaseModel):
    """Posts that have vanished from the file, together with others.

    :param to_come: The ids of the posts that were to come.
    :param lost: Those of them that the file no longer has.
    :param since: When that was first seen, in seconds since the epoch.
    """

    model_config = ConfigDict(frozen=True)

    to_come: tuple[str, ...]
    lost: tuple[str, ...]
    since: int

    def until(self, kept_for: timedelta) -> datetime:
        """Return from when on the file counts as it is."""
        return datetime.fromtimestamp(self.since, timezone.utc) + kept_for

    def problem(self, until: datetime) -> Problem:
        """Return what people are told."""
        named, more = ", ".join(self.lost[:MOST_NAMED]), len(self.lost) - MOST_NAMED
        return Problem(
            0,
            f"{len(self.lost)} of its {len(self.to_come)} posts to come have vanished at once: "
            f"{named}{f' and {more} more' if more > 0 else ''}.",
            f"They stay planned until {until:%Y-%m-%d %H:%M %Z}, and the calendar as it was before. If they were lost, "
            "bring them back. From then on, or once a person starts the planner, the file counts as it is.",
        )


def vanished_now(
    known: Vanished | None,
    before: Calendar,
    after: Calendar,
    now: datetime,
    removed: Callable[[], Collection[str]],
) -> Vanished | None:
    """Return which posts a reading has lost, or None if these are not most of those that were to come.

    :param known: What the last reading had lost, if it does not count yet. The posts that were to
        come then still do.
    :param before: The last version that counts.
    :param now: Only posts after this time were to come.
    :param removed: Returns the ids of posts that a person has removed on the page. It is asked only
        if posts are gone.
    """
    planned = {post.id for post in before.posts if post.publish_at > now}
    to_come = planned | {post.id for post in before.invalid if post.publish_at > now}
    to_come |= {*known.to_come} if known is not None else set()
    lost = to_come - {post.id for post in after.posts} - after.left_out
    if known is None and not lost & planned:
        return None
    if _are_most(lost, to_come):
        on_page = {*removed()}
        to_come, lost = to_come - on_page, lost - on_page
    if not _are_most(lost, to_come):
        return None
    if known is not None and lost <= {*known.lost}:
        return known
    return Vanished(
        to_come=tuple(sorted(to_come)), lost=tuple(sorted(lost)), since=int(now.timestamp())
    )


def _are_most(lost: Collection[str], to_come: Collection[str]) -> bool:
    """Return whether posts are most of those to come: half of them or more, but one of two is an edit."""
    kept = len(to_come) - len(lost)
    return len(lost) > kept or len(lost) == kept > 1


def kept_for() -> timedelta:
    """Return how long the last version of a file that has lost most of its posts stays."""
    return timedelta(minutes=conf.getint("instagram", "calendar_loss_minutes"))


def record_removal(plan_file: str, post_id: str, now: datetime) -> None:
    """Record that a person has removed a post on the page. If that fails, the removal waits as a loss does."""
    try:
        storage.write(
            _removals(plan_file),
            json.dumps({**_recent(plan_file, now), post_id: now.timestamp()}).encode(),
        )
    except Exception as error:  # noqa: BLE001 -- each storage has errors of its own
        log.warning("The removal of %s is not recorded: %s", post_id, shown(str(error)))


def removed_on_page(plan_file: str, now: datetime) -> Collection[str]:
    """Return the ids of the posts that persons have just removed on the page."""
    try:
        return _recent(plan_file, now).keys()
    except Exception as error:  # noqa: BLE001 -- each storage has errors of its own
        log.warning("What was removed on the page cannot be read: %s", shown(str(error)))
        return ()


def _recent(plan_file: str, now: datetime) -> dict[str, Any]:
    rows = json.loads(storage.read(_removals(plan_file)) or b"{}")
    return {
        post_id: at
        for post_id, at in rows.items()
        if now.timestamp() - at < REMOVAL_KEPT.total_seconds()
    }


def _removals(plan_file: str) -> str:
    return f"{plan_file}.removed"
