"""A snapshot as its file contains it, and what it records of the versions of posts."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from airflow_provider_instagram.calendar.file.model import Calendar, InvalidPost, ScheduledPost
from airflow_provider_instagram.calendar.file.problems import Problem
from airflow_provider_instagram.calendar.planning.plan import Arrival, Seen
from airflow_provider_instagram.files.pins import Pin

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.planning.slot_choices import SlotChoices

#: The longest that a run may still have tasks of an account that has no posts any more.
GROUP_LIFE = timedelta(days=2)


def _checked_time(text: str) -> str:
    datetime.fromisoformat(text)
    return text


class Snapshot(BaseModel):
    """The last readable text of a calendar, and when the DAG processor first saw each version of its posts.

    :param form: The form of the file. From 0.2.0 on, two later releases read each form.
    :param gone: The accounts without posts, and since when, in seconds since the epoch.
    :param problems_seen: When each of its problems was first seen, in seconds since the epoch, by the problem's key.
    :param since: When the calendar was first seen, in seconds since the epoch. Later snapshots keep it.
    :param lead_s: The DAG's ``lead_time`` in seconds, by which the moments of runs were planned.
    :param made_of: A digest of all that the posts depend on; None if they must be read from the text each time.
    :param choose_again_at: When slots must be chosen again, in seconds since the epoch.
    :param posts: The posts of the text; None if this release cannot read them as another has stored them.
    :param pin: Where its file was found; None in object storage.
    :param headers: The headers that ask the server of a sheet for another version only.
    :param outage: Why the sheet could not be read at the last look. Tasks read the snapshot only.
    """

    model_config = ConfigDict(
        frozen=True, allow_inf_nan=False, hide_input_in_errors=True
    )  # the text may contain signed links

    form: int = 1
    text: str
    at: Annotated[str, AfterValidator(_checked_time)]
    seen: dict[str, Seen]
    accounts: tuple[str, ...] = ()
    gone: dict[str, int] = {}
    problems_seen: dict[str, int] = {}
    since: int | None = None
    lead_s: float = 0
    made_of: str | None = None
    choose_again_at: int | None = None
    posts: tuple[ScheduledPost, ...] | None = None
    faults: tuple[Problem, ...] = ()
    min_spacing_s: float = 0
    left_out: tuple[str, ...] = ()
    invalid: tuple[InvalidPost, ...] = ()
    pin: Pin | None = None
    headers: tuple[tuple[str, str], ...] | None = None
    outage: Problem | None = None

    @classmethod
    def read(cls, content: bytes) -> Snapshot:
        """Read the content of a file.

        :raises ValueError: If it is damaged.
        :raises TypeError: If it is no object.
        """
        try:
            row = json.loads(content)
        except RecursionError:
            raise ValueError("It is nested too deeply.") from None
        try:
            return cls(**row)
        except ValidationError:
            return cls(**{**row, "posts": None, "faults": (), "invalid": ()})

    def as_content(self) -> bytes:
        """Return the content of a file."""
        absent = {name for name, value in self if value is None}
        posts = [post.model_dump(mode="json", exclude_defaults=True) for post in self.posts or ()]
        row = self.model_dump(mode="json", exclude={*absent, "posts"})
        return json.dumps(row if self.posts is None else {**row, "posts": posts}).encode()

    def recently_removed(self, now: datetime) -> dict[str, int]:
        """Return the accounts without posts of which runs may still have tasks, and since when they have none."""
        oldest = (now - GROUP_LIFE).timestamp()
        return {account: at for account, at in self.gone.items() if at > oldest}

    def is_current(self, made_of: str, now: datetime | None, pin: Pin | None) -> bool:
        """Return whether the posts still hold and no slot must be chosen. A task chooses none, so it passes no time."""
        if self.pin != pin and not (self.pin and pin and self.pin.holds(pin)):
            return False  # the folder is a new one, which the tasks have to expect
        chooses = now is not None and self.choose_again_at is not None and now.timestamp() >= self.choose_again_at
        return self.posts is not None and self.made_of == made_of and not chooses

    def calendar(self, location: str) -> Calendar:
        """Return the posts and problems as the calendar of a file."""
        spacing, left_out = timedelta(seconds=self.min_spacing_s), frozenset(self.left_out)
        return Calendar(
            location, self.posts or (), self.faults, spacing, left_out=left_out, invalid=self.invalid, pin=self.pin
        )


def read_versions(content: bytes) -> dict[str, str]:
    """Return the version of each post in the content of a snapshot; empty for one with a problem. Nothing else is read.

    :raises ValueError: If the content is damaged.
    :raises TypeError: If it is no object.
    """
    try:
        return {post_id: str(row["version"] or "") for post_id, row in json.loads(content)["seen"].items()}
    except (KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"It is damaged ({type(error).__name__}).") from None


def _seen_version(post: ScheduledPost, dry_run: bool) -> str:
    """Return a post's version, marked in a DAG that only makes dry runs.

    So the post counts as edited, and is published, when the DAG is no longer a dry run.
    """
    return f"{post.version} dry run" if dry_run else post.version


def unchanged_seen(calendar: Calendar, stored: Snapshot | None, dry_run: bool) -> dict[str, Seen]:
    """Return the records of unchanged posts."""
    known = stored.seen if stored else {}
    return {
        post.id: known[post.id]
        for post in calendar.posts
        if post.id in known and known[post.id].version == _seen_version(post, dry_run)
    }


def seen_now(
    calendar: Calendar,
    stored: Snapshot | None,
    max_lateness: timedelta,
    now: datetime,
    dry_run: bool,
    choices: SlotChoices,
) -> dict[str, Seen]:
    """Return the records of all posts, with those that are seen for the first time now."""
    known, now_s = stored.seen if stored else {}, int(now.timestamp())
    found = unchanged_seen(calendar, stored, dry_run)
    for post in calendar.posts:
        if post.id in found:
            continue
        post_version, due = _seen_version(post, dry_run), post.publish_at.timestamp()
        if stored is None:
            arrival = Arrival.ALREADY_OVER if due <= now_s else Arrival.INITIAL
            found[post.id] = Seen(post_version, due, None, arrival)
        elif post.in_slot and post.id not in known:
            found[post.id] = _seen_in_slot(post, post_version, choices.chosen[post.key].chosen_at, stored, now_s)
        else:
            arrival = _arrival(known.get(post.id), due, now_s, max_lateness)
            found[post.id] = Seen(post_version, due, now_s, arrival)
    # A post that has a problem for a while keeps its record, so that it does not count as added when it is corrected.
    first_seen = Seen(None, 0.0, now_s, Arrival.INVALID)
    return found | {post_id: replace(known.get(post_id, first_seen), version=None) for post_id in calendar.left_out}


def problems_seen_now(calendar: Calendar, stored: Snapshot | None, now: datetime) -> dict[str, int]:
    """Return when each problem of the calendar was first seen, in seconds since the epoch, by the problem's key."""
    before = stored.problems_seen if stored else {}
    return {problem.key: before.get(problem.key, int(now.timestamp())) for problem in calendar.problems}


def _seen_in_slot(post: ScheduledPost, post_version: str, chosen_at: int, stored: Snapshot, now_s: int) -> Seen:
    """Return the record of a post in a slot that has none.

    Usually, its slot has just been chosen. If the DAG processor died before it could store the record, the post counts
    as seen when the slot was chosen. Otherwise, the post was removed for a while and returned. A former repetition of
    it is not a mistake of the author.
    """
    due = post.publish_at.timestamp()
    if chosen_at > datetime.fromisoformat(stored.at).timestamp():
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
