"""What a DAG remembers of its calendar: the last text that could be read, and when each edit was first seen."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
from dataclasses import asdict, replace
from datetime import datetime, timedelta, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

from airflow.sdk import conf
from pydantic import TypeAdapter

from airflow_provider_instagram.calendar.file import loader
from airflow_provider_instagram.calendar.file.model import DEFAULT_SPACING
from airflow_provider_instagram.calendar.file.parser import Calendar, Post, parse_calendar
from airflow_provider_instagram.calendar.file.problems import InvalidValue, Problem
from airflow_provider_instagram.calendar.planning.plan import Plan, Seen
from airflow_provider_instagram.calendar.planning.schedule import utc_now

#: The longest that a run may still have tasks of an account which has no post any more.
GROUPS_STAY = timedelta(days=2)
_POSTS = TypeAdapter(list[Post])

log = logging.getLogger(__name__)


def planned(
    location: str,
    file: Path,
    *,
    min_spacing: timedelta | None,
    max_lateness: timedelta,
    dry_run: bool = False,
    now: datetime | None = None,
) -> Plan:
    """Read a calendar, whatever state its file is in.

    :param location: The calendar's file.
    :param file: Where the snapshot is kept.
    :param min_spacing: Wins over the calendar's own.
    :param max_lateness: How late a post may still be published.
    :param dry_run: Whether the DAG only rehearses its posts.
    :param now: The time, for the DAG processor, which remembers what it sees. A task only reads: that it is the first
        to see an edit on its machine says nothing about the edit.
    """
    stored, at = _load(file), now or utc_now()
    try:
        text = loader.read_text(location)
        made_of = _fingerprint(text, location, min_spacing, dry_run)
        if stored is not None and stored.get("made_of") == made_of:
            return _as_before(location, stored, at)
        calendar = parse_calendar(text, location, min_spacing=min_spacing)
    except InvalidValue as refusal:
        return _last_good(location, stored, refusal, min_spacing, at)
    except Exception as error:  # a mistake of ours takes nobody's posts away either
        log.exception("The calendar %s cannot be understood", location)
        mistake = InvalidValue(
            f"the file cannot be understood: {type(error).__name__}: {error}.", "Please report this."
        )
        return _last_good(location, stored, mistake, min_spacing, at)
    gone = _gone(calendar, stored, at)
    if now is None:
        return Plan(calendar, _still_so(calendar, stored, dry_run), gone)
    seen = _seen(calendar, stored, max_lateness, now, dry_run)
    said = {"text": text, "seen": seen, "accounts": calendar.accounts, "gone": gone}
    if stored is None or stored.get("made_of") != made_of or stored["seen"] != seen:
        as_of = now.astimezone(timezone.utc).isoformat(timespec="seconds")
        understood_as = _as_data(calendar, made_of) if calendar.whole else {}
        _store(file, said | understood_as | {"at": as_of})
    return Plan(calendar, seen, gone)


def _fingerprint(text: str, location: str, min_spacing: timedelta | None, dry_run: bool) -> str:
    """Name everything that a calendar of one file is understood by."""
    roots = conf.get("instagram", "media_roots")
    parts = (text, location, str(min_spacing), str(dry_run), roots, version("airflow-provider-instagram"))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _as_data(calendar: Calendar, made_of: str) -> dict[str, Any]:
    return {
        "made_of": made_of,
        "posts": _POSTS.dump_python(list(calendar.posts), mode="json"),
        "faults": [asdict(fault) for fault in calendar.faults],
        "min_spacing_s": calendar.min_spacing.total_seconds(),
        "left_out": sorted(calendar.left_out),
    }


def _gone(calendar: Calendar, stored: dict[str, Any] | None, now: datetime) -> dict[str, int]:
    """Return the accounts that had posts until recently, and since when they have none."""
    if stored is None:
        return {}
    since = _still_gone(stored, now)
    return {
        account: since.get(account, int(now.timestamp()))
        for account in sorted({*stored.get("accounts", ()), *since})
        if account not in calendar.accounts
    }


def _still_gone(stored: dict[str, Any], now: datetime) -> dict[str, int]:
    oldest = (now - GROUPS_STAY).timestamp()
    return {account: at for account, at in stored.get("gone", {}).items() if at > oldest}


def _as_before(location: str, stored: dict[str, Any], now: datetime) -> Plan:
    """Return the plan of an unchanged text from its snapshot: DAG files are parsed far more often than edited."""
    posts = tuple(_POSTS.validate_python(stored["posts"]))
    faults = tuple(Problem(**fault) for fault in stored["faults"])
    spacing, left_out = timedelta(seconds=stored["min_spacing_s"]), frozenset(stored.get("left_out", ()))
    calendar = Calendar(location, posts, faults, spacing, left_out=left_out)
    return Plan(calendar, stored["seen"], _still_gone(stored, now))


def snapshot_file(folder: str, dag_id: str, location: str) -> Path:
    """Name the file that keeps a DAG's snapshot."""
    return Path(folder) / f"{hashlib.sha256(f'{dag_id} {location}'.encode()).hexdigest()[:32]}.json"


def _last_good(
    location: str, stored: dict[str, Any] | None, refusal: InvalidValue, spacing: timedelta | None, now: datetime
) -> Plan:
    if stored is None:
        fault = Problem(0, refusal.message, refusal.remedy)
        spacing = DEFAULT_SPACING if spacing is None else spacing
        return Plan(Calendar(location, faults=(fault,), min_spacing=spacing), readable=False)
    fault = Problem(0, refusal.message, f"{refusal.remedy} Until then, its version of {stored['at']} is used.")
    calendar = parse_calendar(stored["text"], location, min_spacing=spacing)
    faulty = replace(calendar, faults=(fault, *calendar.faults))
    return Plan(faulty, stored["seen"], _still_gone(stored, now), readable=False)


def _version(post: Post, dry_run: bool) -> str:
    """Return a post's version, marked if it is only rehearsed, so that a DAG that goes live publishes the post."""
    return f"{post.version} rehearsed" if dry_run else post.version


def _still_so(calendar: Calendar, stored: dict[str, Any] | None, dry_run: bool) -> dict[str, Seen]:
    """Return the records of unchanged posts."""
    known = stored["seen"] if stored else {}
    return {
        post.id: known[post.id]
        for post in calendar.posts
        if post.id in known and known[post.id].version == _version(post, dry_run)
    }


def _seen(
    calendar: Calendar, stored: dict[str, Any] | None, max_lateness: timedelta, now: datetime, dry_run: bool
) -> dict[str, Seen]:
    known, found = stored["seen"] if stored else {}, _still_so(calendar, stored, dry_run)
    now_s = int(now.timestamp())
    at = now_s if stored else None
    for post in calendar.posts:
        if post.id not in found:
            before, due = known.get(post.id), post.publish_at.timestamp()
            over = due <= now_s if stored is None else before is not None and before.over and before.due == due
            after = _as_seen_after(before, due, at, max_lateness)
            found[post.id] = Seen(_version(post, dry_run), due, at, over=over, **after)
    # A post that is faulty for a while is not new when it is right again.
    faulty = Seen("", 0.0, now_s)
    return found | {post_id: replace(known.get(post_id, faulty), version="") for post_id in calendar.left_out}


def _as_seen_after(before: Seen | None, due: float, at: int | None, max_lateness: timedelta) -> dict[str, bool]:
    """Return how a version of a post relates to the previous one."""
    if before is None or at is None:
        return {"edited": False, "new": before is None}
    if not before.due:  # it was faulty from the start: whether that was in time shows now
        came_in_time = before.at is not None and before.at <= due
        return {"edited": came_in_time, "new": not came_in_time}
    still_open = before.open(at, max_lateness)
    if due != before.due:
        return {"edited": False, "new": still_open or before.too_late}
    return {"edited": still_open, "new": before.too_late}


def _load(file: Path) -> dict[str, Any] | None:
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
        stored["seen"] = {post_id: Seen(**one) for post_id, one in stored["seen"].items()}
        return stored if isinstance(stored["text"], str) else None
    except FileNotFoundError:
        return None
    except Exception as error:  # noqa: BLE001 -- a damaged snapshot is as good as none, and must not break the DAG
        log.warning("The snapshot %s cannot be read: %s", file, error)
        return None


def cannot_keep(file: Path) -> list[Problem]:
    """Return a fault if the snapshot cannot be written, or an empty list.

    :param file: Where the snapshot is kept.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=file.parent):
            return []
    except OSError as error:
        what = (
            f"the folder {file.parent} cannot be written to ({error.strerror}): edits made within the lead time are "
            "not published."
        )
        remedy = "Make it writable for Airflow, or name another in [instagram] calendar_snapshots."
        return [Problem(0, what, remedy)]


def _store(file: Path, said: dict[str, Any]) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=file.parent, suffix=".part")
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(json.dumps(said, default=vars))
        Path(part).replace(file)
    except OSError as error:
        log.warning("The snapshot %s cannot be written: %s", file, error)
