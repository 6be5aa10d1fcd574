"""A snapshot as its file contains it, and what it records of the versions of posts."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from airflow_provider_instagram.calendar.file.problems import Problem
from airflow_provider_instagram.calendar.planning.plan import Arrival, Plan, Seen
from airflow_provider_instagram.calendar.planning.vanished import Vanished

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.model import Calendar, ScheduledPost
    from airflow_provider_instagram.calendar.planning.settings import CalendarSettings
    from airflow_provider_instagram.calendar.planning.slot_choices import SlotChoices
    from airflow_provider_instagram.files.pins import Pin

#: The longest that a run may still have tasks of an account that has no posts any more.
GROUP_LIFE = timedelta(days=2)


class Snapshot(BaseModel):
    """The last readable text of a calendar, and its plan, which says when each version of its posts was first seen.

    :param form: The form of the file. From 0.2.0 on, two later releases read each form.
    :param is_whole: Whether the plan has the posts of the text. If not, another release has stored them in its form.
    :param lead_s: The DAG's ``lead_time`` in seconds, by which the moments of runs were planned.
    :param made_of: A digest of all that the posts depend on; None if they must be read from the text each time.
    :param choose_again_at: When slots must be chosen again, in seconds since the epoch.
    :param headers: The headers that ask the server of a sheet for another version only.
    :param outage: Why the sheet could not be read at the last look, or what the file has lost. Tasks read it here.
    :param vanished: The posts that have vanished from the file, which does not count for a while.
    """

    model_config = ConfigDict(
        frozen=True, allow_inf_nan=False, hide_input_in_errors=True
    )  # the text may contain signed links

    form: int
    text: str
    at: AwareDatetime
    plan: Plan
    is_whole: bool = True
    accounts: tuple[str, ...] = ()
    lead_s: float = 0
    made_of: str | None = None
    choose_again_at: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    outage: Problem | None = None
    vanished: Vanished | None = None

    @classmethod
    def read(cls, content: bytes) -> Snapshot:
        """Read the content of a file.

        :raises ValueError, TypeError, KeyError, RecursionError: If it is damaged.
        """
        try:
            return cls.model_validate_json(content)
        except ValidationError:
            row = json.loads(content)
            calendar = row["plan"]["calendar"] | {"posts": (), "problems": (), "invalid": ()}
            return cls(**{**row, "plan": row["plan"] | {"calendar": calendar}, "is_whole": False})

    def as_content(self) -> bytes:
        """Return the content of a file."""
        unused = {"plan": {"calendar": {"slots", "slot_users"}}}
        return self.model_dump_json(exclude=unused, exclude_defaults=True).encode()

    def plan_at(self, now: datetime) -> Plan:
        """Return the plan, with the accounts of which runs may still have tasks."""
        return replace(self.plan, removed_accounts=self.recently_removed(now))

    def recently_removed(self, now: datetime) -> dict[str, int]:
        """Return the accounts without posts of which runs may still have tasks, and since when they have none."""
        oldest = (now - GROUP_LIFE).timestamp()
        return {account: at for account, at in self.plan.removed_accounts.items() if at > oldest}

    def is_current(self, made_of: str, now: datetime | None, pin: Pin | None) -> bool:
        """Return whether the posts still hold and no slot must be chosen. A task chooses none, so it passes no time."""
        known = self.plan.calendar.pin
        if known != pin and not (known and pin and known.holds(pin)):
            return False  # the folder is a new one, which the tasks have to expect
        chooses = now is not None and self.choose_again_at is not None and now.timestamp() >= self.choose_again_at
        return self.is_whole and self.made_of == made_of and not chooses


def read_stored(content: bytes) -> Snapshot | None:
    """Read a snapshot for a page, or return None if another release has stored the posts in its form."""
    snapshot = Snapshot.read(content)
    return snapshot if snapshot.is_whole else None


def read_versions(content: bytes) -> dict[str, str]:
    """Return the version of each post in the content of a snapshot; empty for one with a problem. Nothing else is read.

    :raises ValueError: If the content is damaged.
    :raises TypeError: If it is no object.
    """
    try:
        return {post_id: str(row["version"] or "") for post_id, row in json.loads(content)["plan"]["seen"].items()}
    except (KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"It is damaged ({type(error).__name__}).") from None


def _seen_version(post: ScheduledPost, settings: CalendarSettings) -> str:
    """Return a post's version, marked in a DAG that only makes dry runs.

    So the post counts as edited, and is published, when the DAG is no longer a dry run.
    """
    return f"{post.version} dry run" if settings.dry_run else post.version


def unchanged_seen(calendar: Calendar, stored: Snapshot | None, settings: CalendarSettings) -> dict[str, Seen]:
    """Return the records of unchanged posts."""
    known = stored.plan.seen if stored else {}
    return {
        post.id: known[post.id]
        for post in calendar.posts
        if post.id in known and known[post.id].version == _seen_version(post, settings)
    }


def seen_now(
    calendar: Calendar, stored: Snapshot | None, settings: CalendarSettings, choices: SlotChoices, now: datetime
) -> dict[str, Seen]:
    """Return the records of all posts, with those that are seen for the first time now."""
    known, now_s = stored.plan.seen if stored else {}, int(now.timestamp())
    found = unchanged_seen(calendar, stored, settings)
    for post in calendar.posts:
        if post.id in found:
            continue
        post_version, due = _seen_version(post, settings), post.publish_at.timestamp()
        if stored is None:
            arrival = Arrival.ALREADY_OVER if due <= now_s else Arrival.INITIAL
            found[post.id] = Seen(post_version, due, None, arrival)
        elif post.in_slot and post.id not in known:
            found[post.id] = _seen_in_slot(post, post_version, choices.chosen[post.key].chosen_at, stored, now_s)
        else:
            arrival = _arrival(known.get(post.id), due, now_s, settings.max_lateness)
            found[post.id] = Seen(post_version, due, now_s, arrival)
    # A post that has a problem for a while keeps its record, so that it does not count as added when it is corrected.
    first_seen = Seen(None, 0.0, now_s, Arrival.INVALID)
    return found | {post_id: replace(known.get(post_id, first_seen), version=None) for post_id in calendar.left_out}


def problems_seen_now(calendar: Calendar, stored: Snapshot | None, now: datetime) -> dict[str, int]:
    """Return when each problem of the calendar was first seen, in seconds since the epoch, by the problem's key."""
    before = stored.plan.problems_seen if stored else {}
    return {problem.key: before.get(problem.key, int(now.timestamp())) for problem in calendar.problems}


def _seen_in_slot(post: ScheduledPost, post_version: str, chosen_at: int, stored: Snapshot, now_s: int) -> Seen:
    """Return the record of a post in a slot that has none.

    Usually, its slot has just been chosen. If the DAG processor died before it could store the record, the post counts
    as seen when the slot was chosen. Otherwise, the post was removed for a while and returned. A former repetition of
    it is not a mistake of the author.
    """
    due = post.publish_at.timestamp()
    if chosen_at > stored.at.timestamp():
        return Seen(post_version, due, chosen_at, Arrival.ADDED)
    if post.repetition > 1 and due <= now_s:
        return Seen(post_version, due, None, Arrival.ALREADY_OVER)
    return Seen(post_version, due, now_s, Arrival.ADDED)


def _arrival(before: Seen | None, due: float, now: int, max_lateness: timedelta) -> Arrival:
    """Return how a new version of a post came into the calendar."""
    if before is None:
        return Arrival.ADDED
    if before.arrival is Arrival.INVALID:  # its time is known only now that it is corrected
        return Arrival.EDITED if before.at is not None and before.at <= due else Arrival.ADDED
    if before.arrival is Arrival.ALREADY_OVER and before.due == due:
        return Arrival.ALREADY_OVER
    if before.too_late:
        return Arrival.ADDED
    if not before.is_open(now, max_lateness):
        return Arrival.EDITED_AFTERWARDS
    return Arrival.EDITED if before.due == due else Arrival.ADDED
