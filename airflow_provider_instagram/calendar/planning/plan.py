"""The plan of a calendar: its posts, and when the DAG processor first saw each of their versions."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING

from airflow_provider_instagram.calendar.file.model import Calendar  # noqa: TC001 -- pydantic resolves it
from airflow_provider_instagram.calendar.file.problems import Problem
from airflow_provider_instagram.calendar.planning.schedule import HOUR_S, run_time_of

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.model import ScheduledPost


class Arrival(Enum):
    """How a version of a post came into the calendar."""

    #: The version was there when the DAG was new, and its time was still to come.
    INITIAL = "initial"
    #: The version was there when the DAG was new, and its time had passed. This DAG does not publish it. An edit that
    #: keeps the time keeps this value.
    ALREADY_OVER = "already over"
    #: The post was added, or moved to another time while it could still be published. If the new time had passed by
    #: then, this is a mistake of the author, and no run publishes the post.
    ADDED = "added"
    #: The version replaced one of the same time that could still be published, or the author made the lead time longer
    #: within it. It may be published late.
    EDITED = "edited"
    #: The version replaced one that could no longer be published. It is published only if its time is still to come.
    EDITED_AFTERWARDS = "edited afterwards"
    #: The post has had a problem since it came into the calendar, so its time is not known yet.
    INVALID = "invalid"


@dataclass(frozen=True)
class Seen:
    """When the DAG processor first saw a version of a post.

    :param version: The version; None while the post has a problem. It also says whether the DAG is a dry run.
    :param due: When the version is to be published, in seconds since the epoch.
    :param at: When it was first seen, in seconds since the epoch; None if it was there when the DAG was new.
    """

    version: str | None
    due: float
    at: int | None
    arrival: Arrival

    def in_time(self, max_lateness: timedelta) -> bool:
        """Return whether the version came early enough to be published. An edit that keeps the time may be late."""
        may_be_late = self.arrival in (Arrival.EDITED, Arrival.ALREADY_OVER)
        return self.at is None or self.at <= self.due + (max_lateness.total_seconds() if may_be_late else 0.0)

    @property
    def too_late(self) -> bool:
        """Whether the post was added with, or moved to, a time that had passed. That is a mistake."""
        return self.arrival is Arrival.ADDED and self.at is not None and self.at > self.due

    def is_open(self, now: int, max_lateness: timedelta) -> bool:
        """Return whether the version can still be published, as far as the calendar knows."""
        return self.in_time(max_lateness) and now < self.due + max_lateness.total_seconds()

    def run_times(self, lead_time: timedelta) -> list[int]:
        """Return when runs begin for the post: a lead time ahead, or when the version was first seen.

        A version that was seen after its time has both. If Airflow missed the first run too, that includes the post.
        """
        planned = run_time_of(self.due, lead_time)
        begin = max(planned, self.at or 0)
        return [planned, begin] if self.at is not None and self.at > self.due else [begin]

    def with_longer_lead(self, lead_time: timedelta, max_lateness: timedelta, now: int) -> Seen:
        """Return the record after the lead time was made longer: an open version gets a run at once."""
        # Its own run would begin before runs that Airflow has made, to which it does not go back. The run leaves out a
        # version that another run has.
        is_wanted = self.version is not None and self.arrival is not Arrival.ALREADY_OVER
        if not is_wanted or run_time_of(self.due, lead_time) > now or not self.is_open(now, max_lateness):
            return self
        return replace(self, at=now + 1, arrival=Arrival.EDITED)  # a run may have begun in this second

    def prepared_at(self, lead_time: timedelta, prepare_ahead: timedelta, since: int | None) -> int | None:
        """Return when a run begins to prepare this version: ``prepare_ahead`` before its time, or when it was seen.

        :param since: When the calendar was first seen, in seconds since the epoch.
        :return: Seconds since the epoch. None if its own run begins by then, and prepares it.
        """
        if self.version is None or prepare_ahead <= lead_time:
            return None
        seen_at = (since or 0) if self.at is None else self.at
        begin = max(run_time_of(self.due, prepare_ahead, HOUR_S), seen_at)
        return begin if begin < run_time_of(self.due, lead_time) else None


@dataclass(frozen=True)
class Plan:
    """A calendar, with what the DAG processor has recorded about it.

    :param calendar: Its posts and problems. If the file cannot be read, those of its last readable version.
    :param seen: By post id, when its version was first seen. A task has only the records of the snapshot it can read.
    :param removed_accounts: Accounts without posts, and since when, in seconds since the epoch. Runs may still have
        their tasks.
    :param problems_seen: When each problem was first seen, in seconds since the epoch, by the problem's key.
    :param since: When the calendar was first seen, in seconds since the epoch; None if that is not stored. A DAG
        without earlier runs begins there.
    :param readable: Whether the file could be read. If not, the calendar is old, or empty if no snapshot exists.
    """

    calendar: Calendar
    seen: dict[str, Seen] = field(default_factory=dict)
    removed_accounts: dict[str, int] = field(default_factory=dict)
    problems_seen: dict[str, int] = field(default_factory=dict)
    since: int | None = None
    readable: bool = True

    @cached_property
    def timely(self) -> Calendar:
        """The calendar, in which the posts that were added with, or moved to, a time that had passed are problems."""
        calendar, seen = self.calendar, self.seen
        late = {post.id for post in calendar.posts if post.id in seen and seen[post.id].too_late}
        problems = [
            Problem(
                post.line,
                f"its time, {post.publish_at:%Y-%m-%d %H:%M}, had passed when Airflow read it in the file, so "
                "no run publishes it.",
                "If it has been published, leave or remove it. If not, give it a time in the future.",
                post.id,
            )
            for post in calendar.posts
            if post.id in late
        ]
        posts, left_out = tuple(post for post in calendar.posts if post.id not in late), calendar.left_out | late
        return replace(calendar, posts=posts, problems=(*calendar.problems, *problems), left_out=left_out)

    @property
    def accounts(self) -> list[str]:
        """The connections that the DAG has task groups for, sorted."""
        return sorted({*self.calendar.accounts, *self.removed_accounts})

    def has_run(self, post_id: str, begin: datetime, lead_time: timedelta) -> bool:
        """Return whether the run that begins at a time is a post's own."""
        seen = self.seen.get(post_id)
        return seen is not None and begin.timestamp() in seen.run_times(lead_time)

    def is_prepared_by(self, post_id: str, begin: datetime, lead_time: timedelta, prepare_ahead: timedelta) -> bool:
        """Return whether the run that begins at a time prepares a post, which a later run publishes."""
        seen = self.seen.get(post_id)
        return seen is not None and seen.prepared_at(lead_time, prepare_ahead, self.since) == begin.timestamp()

    def transcodes_at(self, post_id: str, lead_time: timedelta, prepare_ahead: timedelta) -> float:
        """Return when the run of a post begins that transcodes it, in seconds since the epoch."""
        if (seen := self.seen.get(post_id)) is None:
            return math.inf
        begin = seen.prepared_at(lead_time, prepare_ahead, self.since)
        return seen.run_times(lead_time)[-1] if begin is None else begin

    def is_new_enough(self, post: ScheduledPost, begin: datetime, lead_time: timedelta) -> bool:
        """Return whether a run may publish a post: any post, except one whose time had passed when the DAG was new.

        The own run of such a post may: only a DAG with earlier runs, whose snapshot was lost, has that run.
        """
        is_over = post.id in self.seen and self.seen[post.id].arrival is Arrival.ALREADY_OVER
        return not is_over or self.has_run(post.id, begin, lead_time)

    def runs(
        self, lead_time: timedelta, max_lateness: timedelta, prepare_ahead: timedelta = timedelta()
    ) -> dict[float, float]:
        """Return when runs begin, each with the earliest time of the posts that it publishes.

        A run begins ``lead_time`` before its posts, or when a post was seen that was added later. A post that was added
        after its time has no run. Only the run of an edit that was seen late publishes posts from before its own
        beginning. A run also reports a new problem, shows posts that are prepared ahead, and begins their preparation.

        :return: Both in seconds since the epoch, sorted.
        """
        earliest: dict[float, float] = {at: at for at in self.problems_seen.values()}
        for one in self.seen.values():
            if one.version is None or not one.in_time(max_lateness):
                continue
            for begin in one.run_times(lead_time):
                due = begin if one.arrival is Arrival.ALREADY_OVER else math.floor(one.due)
                earliest[begin] = min(earliest.get(begin, begin), due)
            seen_at = self.since if one.at is None else one.at
            prepared_at = one.prepared_at(lead_time, prepare_ahead, self.since)
            for at in () if prepared_at is None else (seen_at, prepared_at):  # it is shown before it is prepared
                if at is not None:
                    earliest.setdefault(at, at)
        return dict(sorted(earliest.items()))
