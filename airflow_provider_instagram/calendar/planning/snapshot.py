"""The snapshot of a calendar: its last readable text, and when the DAG processor first saw each edit.

The keys of the stored file never change, so that every release reads the snapshots of the others.
"""

from __future__ import annotations

import hashlib
import json
import logging
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta, timezone
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from airflow.sdk import conf
from pydantic import TypeAdapter

from airflow_provider_instagram.calendar.file import loader
from airflow_provider_instagram.calendar.file.model import DEFAULT_SPACING, Calendar, InvalidPost, Post
from airflow_provider_instagram.calendar.file.parser import parse_calendar
from airflow_provider_instagram.calendar.file.problems import InvalidValue, Problem
from airflow_provider_instagram.calendar.planning.plan import Arrival, Plan, Seen
from airflow_provider_instagram.calendar.planning.schedule import utc_now
from airflow_provider_instagram.exceptions import TransientError, ValidationError
from airflow_provider_instagram.files import storage
from airflow_provider_instagram.files.locations import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The longest that a run may still have tasks of an account that has no posts any more.
GROUP_LIFE = timedelta(days=2)
#: Why a snapshot cannot be read until a person changes something. Until then, the calendar works without it.
LASTING = (PermissionError, NotADirectoryError, IsADirectoryError, ValidationError)
_POSTS = TypeAdapter(list[Post])
_INVALID = TypeAdapter(list[InvalidPost])

log = logging.getLogger(__name__)


def read_plan(
    location: str,
    file: str,
    *,
    min_spacing: timedelta | None,
    max_lateness: timedelta,
    dry_run: bool = False,
    now: datetime | None = None,
) -> Plan:
    """Read a calendar, whatever state its file is in.

    :param location: The calendar's file.
    :param file: Where the snapshot is kept.
    :param min_spacing: Overrides the calendar's own.
    :param max_lateness: How late a post may still be published.
    :param dry_run: Whether the DAG only makes dry runs.
    :param now: The current time, in the DAG processor, which records what it sees. A task passes None and records
        nothing, because it may be the first on its machine to see an edit that is old.
    :raises TransientError: If the DAG processor cannot reach the snapshot, without which each post would count as
        new. If a storage fails that has caption files.
    """
    stored, at = _load(file, may_be_missing=now is None), now or utc_now()
    try:
        text = loader.read_text(location)
        fingerprint = _fingerprint(text, location, min_spacing, dry_run)
        if stored is not None and stored.get("made_of") == fingerprint:
            return _from_snapshot(location, stored, at)
        calendar = parse_calendar(text, location, min_spacing=min_spacing)
    except InvalidValue as invalid:
        return _last_readable(location, stored, invalid, min_spacing, at)
    except TransientError:
        raise
    except Exception as error:  # not even a defect of the provider may keep posts from being published
        log.exception("The calendar %s cannot be understood", location)
        defect = InvalidValue(f"the file cannot be understood: {type(error).__name__}: {error}.", "Please report this.")
        return _last_readable(location, stored, defect, min_spacing, at)
    removed = _removed_accounts(calendar, stored, at)
    if now is None:
        return Plan(calendar, _unchanged(calendar, stored, dry_run), removed)
    seen = _seen(calendar, stored, max_lateness, now, dry_run)
    if stored is None or stored.get("made_of") != fingerprint or stored["seen"] != seen:
        _store(file, _as_data(text, calendar, fingerprint, seen, removed, now))
    return Plan(calendar, seen, removed)


def snapshot_file(folder: str, dag_id: str, location: str) -> str:
    """Return the file that keeps a DAG's snapshot, in a folder or below a prefix of object storage."""
    return f"{folder.rstrip('/')}/{hashlib.sha256(f'{dag_id} {location}'.encode()).hexdigest()[:32]}.json"


def snapshot_problems(file: str) -> list[Problem]:
    """Return a problem if the snapshot cannot be written, or an empty list.

    :param file: Where the snapshot is kept.
    """
    folder = file.rpartition("/")[0]
    try:
        storage.write(f"{folder}/.write-test", b"")
        with suppress(Exception):  # the right to write is enough
            storage.remove(f"{folder}/.write-test")
    except Exception as error:  # noqa: BLE001 -- each storage has errors of its own
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        what = (
            f"the folder {shown(folder)} cannot be written to ({shown(str(reason))}): edits made within the lead time "
            "are not published."
        )
        remedy = "Make it writable for Airflow, or name another in [instagram] calendar_snapshots."
        return [Problem(0, what, remedy)]
    return []


def _fingerprint(text: str, location: str, min_spacing: timedelta | None, dry_run: bool) -> str:
    """Return a digest of everything on which the posts and problems of a calendar depend."""
    roots = conf.get("instagram", "media_roots")
    parts = (text, location, str(min_spacing), str(dry_run), roots, version("airflow-provider-instagram"))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _from_snapshot(location: str, stored: dict[str, Any], now: datetime) -> Plan:
    """Return the plan of an unchanged text from its snapshot: DAG files are parsed far more often than edited."""
    posts = tuple(_POSTS.validate_python(stored["posts"]))
    problems = tuple(Problem(**problem) for problem in stored["faults"])
    spacing, left_out = timedelta(seconds=stored["min_spacing_s"]), frozenset(stored.get("left_out", ()))
    invalid = tuple(_INVALID.validate_python(stored.get("invalid", [])))
    calendar = Calendar(location, posts, problems, spacing, left_out=left_out, invalid=invalid)
    return Plan(calendar, stored["seen"], _recently_removed(stored, now))


@dataclass(frozen=True)
class Stored:
    """What a snapshot contains, for a page that cannot read the calendar's file.

    :param plan: The calendar as the DAG processor last read it. Without the present problem of a file that has become
        unreadable, which the DAG's task ``calendar`` reports.
    :param text: Its text.
    :param at: When the DAG processor last stored it, as ISO 8601.
    """

    plan: Plan
    text: str
    at: str


def read_stored(location: str, content: bytes, now: datetime) -> Stored | None:
    """Read a snapshot, or return None if it was stored by a release that did not store what a page needs.

    :param location: The calendar's file.
    :param content: The content of the snapshot.
    :param now: The current time.
    """
    stored = _decoded(content)
    if "posts" not in stored:
        return None
    return Stored(_from_snapshot(location, stored, now), stored["text"], stored["at"])


def _last_readable(
    location: str, stored: dict[str, Any] | None, invalid: InvalidValue, spacing: timedelta | None, now: datetime
) -> Plan:
    """Return the plan of the last readable text, with the problem of the present one."""
    if stored is None:
        problem = Problem(0, invalid.message, invalid.remedy)
        spacing = DEFAULT_SPACING if spacing is None else spacing
        return Plan(Calendar(location, problems=(problem,), min_spacing=spacing), readable=False)
    problem = Problem(0, invalid.message, f"{invalid.remedy} Until then, its version of {stored['at']} is used.")
    calendar = parse_calendar(stored["text"], location, min_spacing=spacing)
    calendar = replace(calendar, problems=(problem, *calendar.problems))
    return Plan(calendar, stored["seen"], _recently_removed(stored, now), readable=False)


def _removed_accounts(calendar: Calendar, stored: dict[str, Any] | None, now: datetime) -> dict[str, int]:
    """Return the accounts that had posts until recently, and since when they have none."""
    if stored is None:
        return {}
    since = _recently_removed(stored, now)
    return {
        account: since.get(account, int(now.timestamp()))
        for account in sorted({*stored.get("accounts", ()), *since})
        if account not in calendar.accounts
    }


def _recently_removed(stored: dict[str, Any], now: datetime) -> dict[str, int]:
    oldest = (now - GROUP_LIFE).timestamp()
    return {account: at for account, at in stored.get("gone", {}).items() if at > oldest}


def _seen_version(post: Post, dry_run: bool) -> str:
    """Return a post's version, marked in a DAG that only makes dry runs.

    So the post counts as edited, and is published, when the DAG is no longer a dry run.
    """
    # The stored mark "rehearsed" keeps its name: with another, each post of a dry-run DAG would count as edited.
    return f"{post.version} rehearsed" if dry_run else post.version


def _unchanged(calendar: Calendar, stored: dict[str, Any] | None, dry_run: bool) -> dict[str, Seen]:
    """Return the records of unchanged posts."""
    known = stored["seen"] if stored else {}
    return {
        post.id: known[post.id]
        for post in calendar.posts
        if post.id in known and known[post.id].version == _seen_version(post, dry_run)
    }


def _seen(
    calendar: Calendar, stored: dict[str, Any] | None, max_lateness: timedelta, now: datetime, dry_run: bool
) -> dict[str, Seen]:
    """Return the records of all posts, with those that are seen for the first time now."""
    known, found, now_s = stored["seen"] if stored else {}, _unchanged(calendar, stored, dry_run), int(now.timestamp())
    for post in calendar.posts:
        if post.id in found:
            continue
        post_version, due = _seen_version(post, dry_run), post.publish_at.timestamp()
        if stored is None:
            arrival = Arrival.ALREADY_OVER if due <= now_s else Arrival.INITIAL
            found[post.id] = Seen(post_version, due, None, arrival)
        else:
            arrival = _arrival(known.get(post.id), due, now_s, max_lateness)
            found[post.id] = Seen(post_version, due, now_s, arrival)
    # A post that has a problem for a while keeps its record, so that it does not count as added when it is corrected.
    first_seen = Seen(None, 0.0, now_s, Arrival.INVALID)
    return found | {post_id: replace(known.get(post_id, first_seen), version=None) for post_id in calendar.left_out}


def _arrival(before: Seen | None, due: float, now: int, max_lateness: timedelta) -> Arrival:
    """Return how a new version of a post came into the calendar.

    :param before: The record of the previous version.
    :param due: When the new version is to be published.
    :param now: The current time.
    :param max_lateness: How late a post may still be published.
    """
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


def _as_data(
    text: str, calendar: Calendar, fingerprint: str, seen: Mapping[str, Seen], removed: dict[str, int], now: datetime
) -> dict[str, Any]:
    """Return what a snapshot stores.

    A calendar with caption files is parsed again each time, as they may change, so it has no fingerprint.
    """
    parsed = {
        # Snapshots exist already. So the stored names "made_of", "faults" and "gone" stay.
        "posts": _POSTS.dump_python(list(calendar.posts), mode="json"),
        "faults": [asdict(problem) for problem in calendar.problems],
        "min_spacing_s": calendar.min_spacing.total_seconds(),
        "left_out": sorted(calendar.left_out),
        "invalid": _INVALID.dump_python(list(calendar.invalid), mode="json"),
    }
    return {
        "text": text,
        "seen": {post_id: _seen_as_data(one) for post_id, one in seen.items()},
        "accounts": calendar.accounts,
        "gone": removed,
        **parsed,
        **({"made_of": fingerprint} if calendar.is_self_contained else {}),
        "at": now.astimezone(timezone.utc).isoformat(timespec="seconds"),
    }


def _seen_as_data(seen: Seen) -> dict[str, Any]:
    return {
        "version": seen.version or "",
        "due": seen.due,
        "at": seen.at,
        "edited": seen.arrival is Arrival.EDITED,
        "new": seen.arrival is Arrival.ADDED,
        "over": seen.arrival is Arrival.ALREADY_OVER,
    }


def _read_seen(row: Mapping[str, Any]) -> Seen:
    """Read a record. A stored ``due`` of 0 means that the post has had a problem from the start."""
    at, due = row.get("at"), row["due"]
    if row.get("over"):
        arrival = Arrival.ALREADY_OVER
    elif not due:
        arrival = Arrival.INVALID
    elif at is None:
        arrival = Arrival.INITIAL
    elif row.get("edited"):
        arrival = Arrival.EDITED
    else:
        arrival = Arrival.ADDED if row.get("new") else Arrival.EDITED_AFTERWARDS
    return Seen(row["version"] or None, due, at, arrival)


def _load(file: str, *, may_be_missing: bool) -> dict[str, Any] | None:
    """Read a snapshot. A damaged one counts as none, and must not break the DAG.

    :param file: Where it is kept.
    :param may_be_missing: Whether a snapshot whose storage does not answer counts as none, too.
    :raises TransientError: If its storage does not answer.
    """
    try:
        content = storage.read(file)
    except Exception as error:  # each storage has errors of its own
        why = f"{type(error).__name__}: {shown(str(error))}"
        if may_be_missing or isinstance(error, LASTING):
            log.warning("The snapshot %s cannot be read (%s)", shown(file), why)
            return None
        raise TransientError(
            f"The snapshot {shown(file)} cannot be read ({why}).",
            hint="Check the storage that [instagram] calendar_snapshots names. The DAG goes on when it answers again.",
        ) from error
    try:
        stored = None if content is None else _decoded(content)
        return stored if stored is None or isinstance(stored["text"], str) else None
    except Exception as error:  # noqa: BLE001 -- whatever is wrong with it
        log.warning("The snapshot %s is damaged: %s", shown(file), shown(str(error)))
        return None


def _decoded(content: bytes) -> dict[str, Any]:
    stored: dict[str, Any] = json.loads(content)
    stored["seen"] = {post_id: _read_seen(row) for post_id, row in stored["seen"].items()}
    return stored


def _store(file: str, data: dict[str, Any]) -> None:
    try:
        storage.write(file, json.dumps(data).encode())
    except Exception as error:  # noqa: BLE001 -- each storage has errors of its own; the task "calendar" reports them
        log.warning("The snapshot %s cannot be written: %s", shown(file), shown(str(error)))
