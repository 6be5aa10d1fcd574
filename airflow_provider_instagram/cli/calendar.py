"""``airflow instagram calendar …`` and ``airflow instagram pools``: commands for the authors of calendars."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Mapping
from datetime import date, datetime, timezone, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pendulum
from airflow.models import Connection, Pool
from airflow.sdk import conf
from airflow.utils.session import create_session
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from airflow_provider_instagram.accounts.connections import read_as_server
from airflow_provider_instagram.calendar import render
from airflow_provider_instagram.calendar.file import csv_import
from airflow_provider_instagram.calendar.file.parser import parse_rows, read_calendar, read_text
from airflow_provider_instagram.calendar.file.problems import InvalidValue, Problem
from airflow_provider_instagram.calendar.file.schema import schema_text
from airflow_provider_instagram.calendar.file.spacing import within_limits
from airflow_provider_instagram.calendar.file.times import read_duration, zone
from airflow_provider_instagram.calendar.planning.schedule import publishers_needed
from airflow_provider_instagram.calendar.planning.settings import CalendarSettings
from airflow_provider_instagram.calendar.planning.slot_choices import preview
from airflow_provider_instagram.calendar.tasks.report_problems import account_problems, local_pictures
from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.hooks.instagram import Limits, account_limits
from airflow_provider_instagram.posts.limits import caption_warning
from airflow_provider_instagram.utils.connection import CONN_TYPE, DEFAULT_CONN_ID, pool_name
from airflow_provider_instagram.utils.locations import shown

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.model import Calendar
    from airflow_provider_instagram.calendar.file.slots import Chosen

HAS_PROBLEMS, UNREADABLE = 1, 2


def check_calendar(args: argparse.Namespace) -> None:
    """Print every problem of a calendar. Exit code 0: no problems; 1: some; 2: it cannot be read."""
    read_as_server()
    now = None if args.allow_past else datetime.now(timezone.utc)
    named = getattr(args, "accounts", None)
    accounts = [name.strip() for name in named.split(",")] if named else None
    try:
        spacing = read_duration("--min-spacing", args.min_spacing) if args.min_spacing else None
        calendar, stored = _with_slots(
            args.file,
            lambda times: read_calendar(
                args.file, now=now, min_spacing=spacing, check_files=not args.skip_files, times=times, accounts=accounts
            ),
        )
    except InvalidValue as invalid:
        _exit_invalid(args.file, invalid)
    limits = {account: _limits(account) for account in calendar.accounts}
    calendar = within_limits(calendar, {account: limit for account, (limit, _) in limits.items()})
    for problem in calendar.problems:
        print(problem.text(args.file))
    not_allowed = list(account_problems(calendar, datetime.now(timezone.utc)))
    for problem in not_allowed:
        print(problem.text(args.file))
    for post in calendar.posts:
        if (warning := caption_warning(post.caption)) is not None:
            print(Problem(post.line, f"Warning: {warning}", "The post is published.", post.id).text(args.file))
    for account, (limit, source) in limits.items():
        print(f"{account}: at most {limit.posts_per_hour} posts an hour and {limit.posts_per_day} a day ({source}).")
    for line in render.slots(calendar.posts, stored, datetime.now(timezone.utc)):
        print(line)
    if local := sum(bool(local_pictures(post)) for post in calendar.posts):
        print(
            f"{args.file}: {_count(local, 'post')} with local pictures, which Instagram fetches by link. [instagram] "
            "public_prefix is not set here: set it where the posts are published, or these posts fail."
        )
    for account in _without_pool(calendar):
        print(f"{args.file}: {account} has no pool, so its posts wait. Run: airflow instagram pools {args.file}")
    if accounts is None and calendar.accounts not in ([], [DEFAULT_CONN_ID]):
        print(f"The DAG file must name the accounts: accounts={json.dumps(calendar.accounts)}")
    good, bad = len(calendar.posts), len(calendar.problems) + len(not_allowed)
    print(f"{_count(good, 'post')} for {', '.join(calendar.accounts) or 'nobody'}; {_count(bad, 'problem')}.")
    raise SystemExit(HAS_PROBLEMS if bad else 0)


def _with_slots(location: str, parse: Callable[[Mapping[str, Chosen]], Calendar]) -> tuple[Calendar, frozenset[str]]:
    folder, now = conf.get("instagram", "calendar_snapshots"), datetime.now(timezone.utc)
    return preview(location, folder, parse, now, CalendarSettings.lead_time)


def _limits(account: str) -> tuple[Limits, str]:
    try:
        limits = account_limits(account)
    except ValidationError as error:
        return Limits(), f"the defaults: {error}"
    if limits is None:
        return Limits(), f"the defaults: there is no connection {account} here"
    return limits, f"connection {account}"


def _without_pool(calendar: Calendar) -> list[str]:
    """Return the accounts without a pool. Airflow itself reports a missing pool only in the scheduler's log."""
    try:
        with create_session() as session:
            there = set(session.scalars(select(Pool.pool)))
    except SQLAlchemyError:
        return []  # without a database, the calendar is checked all the same
    return [account for account in calendar.accounts if pool_name(account) not in there]


def show_calendar(args: argparse.Namespace) -> None:
    """Print a month of a calendar."""
    calendar, stored = _read(args.file)
    try:
        viewer_zone: tzinfo = zone(args.timezone) if args.timezone else (pendulum.now().timezone or timezone.utc)
    except InvalidValue as invalid:
        _exit_invalid("--timezone", invalid)
    now = datetime.now(timezone.utc)
    first = _month(args.month) if args.month else render.month_to_show(calendar.posts, now, viewer_zone)
    for line in render.month(calendar.posts, first, viewer_zone, shutil.get_terminal_size((120, 24)).columns):
        print(line)
    if open_choices := sum(bool(post.in_slot) and post.key not in stored for post in calendar.posts):
        print(f"{_count(open_choices, 'slot')} not yet chosen: shown as Airflow would choose now.")
    _print_problem_count(calendar)


def import_calendar(args: argparse.Namespace) -> None:
    """Convert a spreadsheet's CSV export into a calendar."""
    read_as_server()
    try:
        text = read_text(args.file)
        given = {"timezone": args.timezone, "account": args.account}
        defaults = {name: value for name, value in given.items() if value}
        sheet = csv_import.import_sheet(text, defaults=defaults, order=args.dates)
    except InvalidValue as invalid:
        _exit_invalid(args.file, invalid)
    for title in sheet.ignored_columns:
        print(f"Ignored column {title!r}: a post has no such field.", file=sys.stderr)
    if sheet.lines_with_dated_id:
        lines = ", ".join(str(line) for line in sheet.lines_with_dated_id)
        print(
            f"{args.file}: the ids of the posts in line {lines} contain their dates, because the title is missing or "
            "used twice. If such a row moves to another day, it becomes another post. Add a column id to the sheet.",
            file=sys.stderr,
        )
    calendar = parse_rows(sheet.rows, args.output or str(Path(args.file).with_suffix(".yaml")))
    problems = sorted((*sheet.problems, *calendar.problems), key=lambda problem: problem.line)
    for problem in problems:
        print(problem.text(args.file), file=sys.stderr)
    # an incomplete calendar would be taken for a complete one
    written = "; nothing was written" if sheet.problems else ""
    print(f"{_count(len(sheet.rows.rows), 'post')}; {_count(len(problems), 'problem')}{written}.", file=sys.stderr)
    if sheet.problems:
        raise SystemExit(UNREADABLE)
    _write(args.output, sheet.text)
    raise SystemExit(HAS_PROBLEMS if calendar.problems else 0)


def export_calendar(args: argparse.Namespace) -> None:
    """Export a calendar for other programs."""
    if not args.ics:
        raise SystemExit("Give a format: --ics writes iCalendar.")
    calendar, _ = _read(args.file)
    _write(args.output, render.ics(calendar, datetime.now(timezone.utc)))
    _print_problem_count(calendar)


def print_schema(args: argparse.Namespace) -> None:
    """Print the JSON Schema of a calendar."""
    _write(args.output, schema_text())


def _read(location: str) -> tuple[Calendar, frozenset[str]]:
    """Return a calendar, and the keys of the posts whose slots Airflow has chosen."""
    read_as_server()
    try:
        return _with_slots(location, lambda times: read_calendar(location, times=times))
    except InvalidValue as invalid:
        _exit_invalid(location, invalid)


def _exit_invalid(what: str, invalid: InvalidValue) -> NoReturn:
    print(f"{shown(what)}: {invalid}", file=sys.stderr)
    raise SystemExit(UNREADABLE)


def _print_problem_count(calendar: Calendar) -> None:
    if calendar.problems:
        problems = _count(len(calendar.problems), "problem")
        print(f"{problems}: airflow instagram calendar check {calendar.location}", file=sys.stderr)


def _write(output: str | None, text: str) -> None:
    if output is None:
        sys.stdout.write(text)
        return
    try:
        with Path(output).open("w", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as error:
        print(f"{output} cannot be written: {error.strerror}. Check the folder and its rights.", file=sys.stderr)
        raise SystemExit(UNREADABLE) from None


def _month(written: str) -> date:
    try:
        return date.fromisoformat(f"{written}-01")
    except ValueError:
        raise SystemExit(f"--month {written}: write it like 2026-12.") from None


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def make_pools(args: argparse.Namespace) -> None:
    """Create the pool of each account of the calendars, or of each connection of this provider."""
    needed: dict[str, int] = {}
    for file in args.files:
        calendar, _ = _read(file)
        _print_problem_count(calendar)
        if not calendar.posts:
            print(f"{file}: the calendar has no valid posts, so no account needs a pool for it.")
        for account, publishers in publishers_needed(calendar.posts).items():
            needed[account] = needed.get(account, 0) + publishers
    try:
        _make_pools(needed if args.files else _one_for_each_connection())
    except SQLAlchemyError as error:
        raise SystemExit(
            f"Airflow's database cannot be used ({type(error).__name__}). Run this where Airflow runs, after airflow "
            "db migrate, and check [database] sql_alchemy_conn."
        ) from None


def _one_for_each_connection() -> dict[str, int]:
    with create_session() as session:
        conn_ids = session.scalars(select(Connection.conn_id).where(Connection.conn_type == CONN_TYPE)).all()
    if not conn_ids:
        raise SystemExit("There is no connection of the type instagram. Create one, or name a calendar.")
    return dict.fromkeys(conn_ids, 1)


def _make_pools(needed: dict[str, int]) -> None:
    with create_session() as session:
        there = {pool.pool: pool.slots for pool in session.scalars(select(Pool))}
    for account, publishers in needed.items():
        name = pool_name(account)
        if there.get(name, 0) >= publishers:
            print(f"{name}: exists, with {_count(there[name], 'publisher')}.")
            continue
        Pool.create_or_update_pool(name, publishers, f"Publishers of {account}", include_deferred=False)
        print(f"{name}: {'widened to' if name in there else 'created, with'} {_count(publishers, 'publisher')}.")
