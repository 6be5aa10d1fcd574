"""``airflow instagram calendar …`` and ``airflow instagram pools``: a calendar in the hands of who writes it."""

from __future__ import annotations

import shutil
import sys
from datetime import date, datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pendulum

from airflow_provider_instagram.accounts.connections import read_as_server
from airflow_provider_instagram.calendar import render
from airflow_provider_instagram.calendar.file import csv_import
from airflow_provider_instagram.calendar.file.loader import read_text
from airflow_provider_instagram.calendar.file.parser import parse_rows, read_calendar
from airflow_provider_instagram.calendar.file.problems import InvalidValue
from airflow_provider_instagram.calendar.file.spacing import within_limits
from airflow_provider_instagram.calendar.file.times import length, zone
from airflow_provider_instagram.calendar.planning.schedule import pool_name, publishers_needed
from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.hooks.instagram import account_limits
from airflow_provider_instagram.quota.limits import Limits

if TYPE_CHECKING:
    import argparse
    from datetime import tzinfo

    from airflow_provider_instagram.calendar.file.parser import Calendar

FAULTY, UNREADABLE = 1, 2


def check_calendar(args: argparse.Namespace) -> None:
    """Name every fault of a calendar; exit code 0: none, 1: some, 2: it cannot be read."""
    read_as_server()
    now = None if args.allow_past else datetime.now(timezone.utc)
    try:
        spacing = length("--min-spacing", args.min_spacing) if args.min_spacing else None
        plan = read_calendar(args.file, now=now, min_spacing=spacing, check_files=not args.skip_files)
    except InvalidValue as refusal:
        _refused(args.file, refusal)
    limits = {account: _limits(account) for account in plan.accounts}
    plan = within_limits(plan, {account: found for account, (found, _) in limits.items()})
    for fault in plan.faults:
        print(fault.text(args.file))
    for account, (found, source) in limits.items():
        print(f"{account}: at most {found.posts_per_hour} posts an hour and {found.posts_per_day} a day ({source}).")
    for account in _without_pool(plan):
        print(f"{args.file}: {account} has no pool, so its posts wait. Run: airflow instagram pools {args.file}")
    good, bad = len(plan.posts), len(plan.faults)
    print(f"{_count(good, 'post')} for {', '.join(plan.accounts) or 'nobody'}; {_count(bad, 'fault')}.")
    raise SystemExit(FAULTY if plan.faults else 0)


def _limits(account: str) -> tuple[Limits, str]:
    """Return how many posts an account allows itself, and where that is said."""
    try:
        found = account_limits(account)
    except ValidationError as error:
        return Limits(), f"the defaults: {error}"
    if found is None:
        return Limits(), f"the defaults: there is no connection {account} here"
    return found, f"connection {account}"


def _without_pool(plan: Calendar) -> list[str]:
    """Name the accounts whose pool is missing: Airflow itself says so only in the scheduler's log."""
    from airflow.models import Pool
    from airflow.utils.session import create_session
    from sqlalchemy import select
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with create_session() as session:
            there = set(session.scalars(select(Pool.pool)))
    except SQLAlchemyError:
        return []  # no database here: the calendar can be checked all the same
    return [account for account in plan.accounts if pool_name(account) not in there]


def show_calendar(args: argparse.Namespace) -> None:
    """Draw a month of a calendar."""
    plan = _read(args.file)
    try:
        viewers: tzinfo = zone(args.timezone) if args.timezone else (pendulum.now().timezone or timezone.utc)
    except InvalidValue as refusal:
        _refused("--timezone", refusal)
    first = _month(args.month) if args.month else render.month_to_show(plan.posts, datetime.now(timezone.utc), viewers)
    for line in render.month(plan.posts, first, viewers, shutil.get_terminal_size((120, 24)).columns):
        print(line)
    _say_faults(plan)


def import_calendar(args: argparse.Namespace) -> None:
    """Convert a spreadsheet's CSV export into a calendar."""
    read_as_server()
    try:
        made = csv_import.imported(read_text(args.file), timezone=args.timezone, account=args.account, order=args.dates)
    except InvalidValue as refusal:
        _refused(args.file, refusal)
    for title in made.left_out:
        print(f"Ignored column {title!r}: a post has no such field.", file=sys.stderr)
    if made.dated:
        lines = ", ".join(str(line) for line in made.dated)
        print(
            f"{args.file}: the ids of the posts in line {lines} contain their dates, because the title is missing or "
            "used twice. If such a row moves to another day, it becomes another post. Add a column id to the sheet.",
            file=sys.stderr,
        )
    plan = parse_rows(made.rows, args.output or str(Path(args.file).with_suffix(".yaml")))
    faults = sorted((*made.faults, *plan.faults), key=lambda fault: fault.line)
    for fault in faults:
        print(fault.text(args.file), file=sys.stderr)
    written = "; nothing was written" if made.faults else ""  # what posts are missing from would be taken for all
    print(f"{_count(len(made.rows.rows), 'post')}; {_count(len(faults), 'fault')}{written}.", file=sys.stderr)
    if made.faults:
        raise SystemExit(UNREADABLE)
    _write(args.output, made.text)
    raise SystemExit(FAULTY if plan.faults else 0)


def export_calendar(args: argparse.Namespace) -> None:
    """Export a calendar for other programs."""
    if not args.ics:
        raise SystemExit("Give a format: --ics writes iCalendar.")
    plan = _read(args.file)
    _write(args.output, render.ics(plan, datetime.now(timezone.utc)))
    _say_faults(plan)


def _read(location: str) -> Calendar:
    read_as_server()
    try:
        return read_calendar(location)
    except InvalidValue as refusal:
        _refused(location, refusal)


def _refused(what: str, refusal: InvalidValue) -> NoReturn:
    print(f"{what}: {refusal}", file=sys.stderr)
    raise SystemExit(UNREADABLE)


def _say_faults(plan: Calendar) -> None:
    if plan.faults:
        print(f"{_count(len(plan.faults), 'fault')}: airflow instagram calendar check {plan.location}", file=sys.stderr)


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
    """Make the pool of each account of the calendars, or of each connection of this provider."""
    from sqlalchemy.exc import SQLAlchemyError

    needed: dict[str, int] = {}
    for file in args.files:
        for account, publishers in publishers_needed(_read(file).posts).items():
            needed[account] = needed.get(account, 0) + publishers
    try:
        _make_pools(needed if args.files else _one_for_each_connection())
    except SQLAlchemyError as error:
        raise SystemExit(
            f"Airflow's database cannot be used ({type(error).__name__}). Run this where Airflow runs, after airflow "
            "db migrate, and check [database] sql_alchemy_conn."
        ) from None


def _one_for_each_connection() -> dict[str, int]:
    from airflow.models import Connection
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        return dict.fromkeys(session.scalars(select(Connection.conn_id).where(Connection.conn_type == "instagram")), 1)


def _make_pools(needed: dict[str, int]) -> None:
    from airflow.models import Pool
    from airflow.utils.session import create_session
    from sqlalchemy import select

    if not needed:
        raise SystemExit("There is no connection of the type instagram. Create one, or name a calendar.")
    with create_session() as session:
        there = {pool.pool: pool.slots for pool in session.scalars(select(Pool))}
    for account, publishers in needed.items():
        name = pool_name(account)
        if there.get(name, 0) >= publishers:
            print(f"{name}: exists, with {_count(there[name], 'publisher')}.")
            continue
        Pool.create_or_update_pool(name, publishers, f"Publishers of {account}", include_deferred=False)
        print(f"{name}: {'widened to' if name in there else 'created, with'} {_count(publishers, 'publisher')}.")
