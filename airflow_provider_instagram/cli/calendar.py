"""``airflow instagram calendar …``: commands for the authors of calendars."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Final

from airflow.configuration import conf

from airflow_provider_instagram.calendar.file.parser import EMPTY, Rules, parse_rows, read_calendar
from airflow_provider_instagram.calendar.file.problems import InvalidValue, Problem
from airflow_provider_instagram.calendar.file.reader import is_table, read_text, sheet_text
from airflow_provider_instagram.calendar.file.schema import schema_text
from airflow_provider_instagram.calendar.file.sheet_import import SheetReading, import_sheet
from airflow_provider_instagram.calendar.file.spacing import within_limits
from airflow_provider_instagram.calendar.file.times import ADD_ZONE, read_duration
from airflow_provider_instagram.calendar.file.writer import CalendarWriter
from airflow_provider_instagram.calendar.planning.fill import proposal_for
from airflow_provider_instagram.calendar.tasks.problems import (
    account_problems,
    local_pictures,
    pictures_without_link,
)
from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.hooks.instagram import Limits, account_limits
from airflow_provider_instagram.posts.limits import caption_warning
from airflow_provider_instagram.utils.connection import DEFAULT_CONN_ID
from airflow_provider_instagram.utils.urls import shown

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from airflow_provider_instagram.calendar.file.model import Calendar

#: The exit codes of what is done but not all well, and of what cannot be read or written.
HAS_PROBLEMS, OPEN, FAILED = 1, 1, 2
#: So many drafts are named.
MOST_DRAFTS: Final = 10


def check_calendar(args: argparse.Namespace) -> None:
    """Print every problem of a calendar. Exit code 0: no problems; 1: some; 2: it cannot be read."""
    now = datetime.now(timezone.utc)
    named = getattr(args, "accounts", None)
    accounts = [name.strip() for name in named.split(",")] if named else None
    with _exit_if_invalid(args.file):
        spacing = read_duration("--min-spacing", args.min_spacing) if args.min_spacing else None
        earliest, check_files = None if args.allow_past else now, not args.skip_files
        calendar = _read(
            args.file, now=earliest, min_spacing=spacing, check_files=check_files, accounts=accounts
        )
    limits = {account: _limits(account) for account in calendar.accounts}
    calendar = within_limits(calendar, {account: limit for account, (limit, _) in limits.items()})
    problems = [*calendar.problems, *account_problems(calendar, now)]
    has_public_prefix = bool(conf.get("instagram", "public_prefix", fallback=""))
    if has_public_prefix:
        problems += pictures_without_link(calendar, now, has_keys=False)
    for problem in problems:
        print(problem.text(args.file))
    for post in calendar.posts:
        if (warning := caption_warning(post.caption)) is not None:
            said = Problem(post.line, f"Warning: {warning}", "The post is published.", post.id)
            print(said.text(args.file))
    for account, (limit, source) in limits.items():
        most = f"{limit.posts_per_hour} posts an hour and {limit.posts_per_day} a day"
        print(f"{account}: at most {most} ({source}).")
    local = sum(bool(local_pictures(post)) for post in calendar.posts)
    if local and not has_public_prefix:
        print(
            f"{args.file}: {_count(local, 'post')} with local pictures, which Instagram fetches by link. [instagram] "
            "public_prefix is not set here: set it where the posts are published, or these posts fail."
        )
    if accounts is None and calendar.accounts not in ([], [DEFAULT_CONN_ID]):
        print(f"The DAG file must name the accounts: accounts={json.dumps(calendar.accounts)}")
    if calendar.drafts:
        named = ", ".join(f"{draft.id} ({draft.lacks})" for draft in calendar.drafts[:MOST_DRAFTS])
        if (more := len(calendar.drafts) - MOST_DRAFTS) > 0:
            named += f" and {more} more"
        print(f"{_count(len(calendar.drafts), 'draft')}, not published yet: {named}.")
    owners = f" for {', '.join(calendar.accounts)}" if calendar.accounts else ""
    print(f"{_count(len(calendar.posts), 'post')}{owners}; {_count(len(problems), 'problem')}.")
    raise SystemExit(HAS_PROBLEMS if problems else 0)


def _read(location: str, **rules: Unpack[Rules]) -> Calendar:
    with _exit_if_invalid(location):
        return read_calendar(location, **rules)


def _limits(account: str) -> tuple[Limits, str]:
    try:
        limits = account_limits(account)
    except ValidationError as error:
        return Limits(), f"the defaults: {error}"
    if limits is None:
        return Limits(), f"the defaults: there is no connection {account} here"
    return limits, f"connection {account}"


def import_calendar(args: argparse.Namespace) -> None:
    """Convert a spreadsheet's CSV export into a calendar."""
    given = {"timezone": args.timezone, "account": args.account}
    defaults = {name: value for name, value in given.items() if value}
    with _exit_if_invalid(args.file):
        text = read_text(args.file, decode=sheet_text)
        sheet = import_sheet(text, defaults=defaults, reading=SheetReading(order=args.dates))
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
    add_zone = "Give --timezone Europe/Berlin, or put the zones into a column timezone."
    found = [
        replace(one, remedy=add_zone) if one.remedy == ADD_ZONE else one
        for one in calendar.problems
    ]
    found = [one for one in found if one != EMPTY or not sheet.problems]
    problems = sorted((*sheet.problems, *found), key=lambda problem: problem.line)
    for problem in problems:
        print(problem.text(args.file), file=sys.stderr)
    # an incomplete calendar would be taken for a complete one
    written = "; nothing was written" if sheet.problems else ""
    print(
        f"{_count(len(sheet.rows.rows), 'post')}; {_count(len(problems), 'problem')}{written}.",
        file=sys.stderr,
    )
    if sheet.problems:
        raise SystemExit(FAILED)
    _write(args.output, sheet.text)
    raise SystemExit(HAS_PROBLEMS if calendar.problems else 0)


def fill_calendar(args: argparse.Namespace) -> None:
    """Print what is proposed, and write it if confirmed.

    Exit code 0: each post has a time; 1: a post has none, or the answer was no; 2: the file was not
    read or written.
    """
    now, rules = datetime.now(timezone.utc), Rules()
    with _exit_if_invalid(args.file):
        if is_table(args.file):
            raise InvalidValue("a sheet is not written.", "Give its rows a time there.")
        writer = CalendarWriter(args.file, None, read_text(args.file))
        text = writer.text()
        found = proposal_for(text, args.file, writer.files, now, rules, more_slots=args.slots)
        if found.fill is None:
            print(*found.lines, "Nothing is to be written.", sep="\n")
            raise SystemExit(OPEN if found.still_open else 0)
        diff = writer.in_text(text, found.fill, now, rules).diff
        print(*found.lines, "", *diff, sep="\n")
        question = f"Write this into {args.file}? [y/N] "
        if not args.yes and input(question).strip().lower() not in ("y", "yes"):
            print("Nothing was written.")
            raise SystemExit(OPEN)
        written = writer.write(found.fill, now, rules)
    if why := written.refused or written.unknown:
        print(why, file=sys.stderr)
        raise SystemExit(FAILED)
    print(f"Written into {args.file}.")
    raise SystemExit(OPEN if found.still_open else 0)


def schema(args: argparse.Namespace) -> None:
    """Print the JSON Schema of a calendar."""
    _write(args.output, schema_text())


@contextmanager
def _exit_if_invalid(what: str) -> Iterator[None]:
    try:
        yield
    except InvalidValue as invalid:
        print(f"{shown(what)}: {invalid}", file=sys.stderr)
        raise SystemExit(FAILED) from None


def _write(output: str | None, text: str) -> None:
    if output is None:
        sys.stdout.write(text)
        return
    try:
        with Path(output).open("w", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as error:
        print(
            f"{output} cannot be written: {error.strerror}. Check the folder and its rights.",
            file=sys.stderr,
        )
        raise SystemExit(FAILED) from None


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
