"""The plan of a calendar: its posts, and what is known of each."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from airflow_provider_instagram.calendar.file.problems import Problem
from airflow_provider_instagram.calendar.planning.schedule import reaching_back, run_moment

if TYPE_CHECKING:
    from datetime import timedelta

    from airflow_provider_instagram.calendar.file.parser import Calendar


@dataclass(frozen=True)
class Seen:
    """When a version of a post came into the calendar.

    :param version: The version, and whether the DAG only rehearses it; empty as long as something is wrong with it.
    :param due: When it is to be published, in seconds since the epoch; 0 where something has been wrong from the start.
    :param at: When it was first seen, likewise; None for what was there when the DAG was new.
    :param edited: Whether it took the place of a version of the same time that could still be published then.
    :param new: Whether its post was not in the calendar before, or at another time.
    :param over: Whether its time was over when the DAG was new: others have brought it.
    """

    version: str
    due: float
    at: int | None = None
    edited: bool = False
    new: bool = False
    over: bool = False

    def in_time(self, max_lateness: timedelta) -> bool:
        """Return whether the post was added before its time. An edit that keeps the time may go out late."""
        allowed_s = max_lateness.total_seconds() if self.edited else 0.0
        return self.at is None or self.at <= self.due + allowed_s

    @property
    def too_late(self) -> bool:
        """Whether it came, or was moved, to a time that was over: that is a mistake."""
        return self.new and self.at is not None and self.at > self.due

    def open(self, at: int, max_lateness: timedelta) -> bool:
        """Return whether the post can still be published, as far as the calendar knows."""
        return self.in_time(max_lateness) and at < self.due + max_lateness.total_seconds()

    def beginnings(self, lead_time: timedelta) -> list[int]:
        """Return when runs begin for the post: a lead time ahead, or when it was first seen.

        An edit that was seen after its time has both. If the first run was missed too, it includes the post.
        """
        planned_for = run_moment(self.due, lead_time)
        begins = [max(planned_for, self.at or 0)]
        return [planned_for, *begins] if self.at is not None and self.at > self.due else begins


@dataclass(frozen=True)
class Plan:
    """A calendar as a DAG goes by it.

    :param calendar: Its posts and faults; when the file cannot be read, those of the last good snapshot.
    :param seen: By post id, when its version was first seen, as far as the DAG processor has written it down here.
    :param gone: Accounts that have no post since then, in seconds since the epoch: runs may still have tasks of theirs.
    :param readable: Whether the file could be read: else the calendar is old, or empty where there is no snapshot.
    """

    calendar: Calendar
    seen: dict[str, Seen] = field(default_factory=dict)
    gone: dict[str, int] = field(default_factory=dict)
    readable: bool = True

    @property
    def timely(self) -> Calendar:
        """The calendar without the posts that came, or were moved, to a time that was over: that was a mistake."""
        return without_late_arrivals(self.calendar, self.seen)

    @property
    def accounts(self) -> list[str]:
        """The connections that the DAG has groups for, sorted."""
        return sorted({*self.calendar.accounts, *self.gone})

    def moments(self, lead_time: timedelta, max_lateness: timedelta) -> list[float]:
        """Return when runs begin, in seconds since the epoch: ``lead_time`` before each post.

        The run of a post that was added later begins when the post was seen. A post that was added after its time has
        no run.
        """
        since: dict[int, float] = {}
        for one in self.seen.values():
            if one.version and one.in_time(max_lateness):
                for moment in one.beginnings(lead_time):
                    since[moment] = min(since.get(moment, moment), moment if one.over else one.due)
        return sorted(reaching_back(*begins) if begins[1] < begins[0] else begins[0] for begins in since.items())


def without_late_arrivals(calendar: Calendar, seen: dict[str, Seen]) -> Calendar:
    """Leave out the posts that came, or were moved, to a time that was over: that was a mistake."""
    late = {post.id for post in calendar.posts if post.id in seen and seen[post.id].too_late}
    faults = [
        Problem(
            post.line,
            f"its time, {post.publish_at.strftime('%Y-%m-%d %H:%M')}, had passed when the post was added or moved, "
            "so no run publishes it.",
            "If it has been published, leave or remove it. If not, give it a time in the future.",
            post.id,
        )
        for post in calendar.posts
        if post.id in late
    ]
    posts = tuple(post for post in calendar.posts if post.id not in late)
    return replace(calendar, posts=posts, faults=(*calendar.faults, *faults), left_out=calendar.left_out | late)
