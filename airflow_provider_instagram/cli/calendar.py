"""``airflow instagram calendar …``: commands for the authors of calendars."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from calendar import Calendar as Weeks
from calendar import day_name
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pendulum

from airflow_provider_instagram.calendar.file.parser import EMPTY, Rules, parse_rows, read_calendar
from airflow_provider_instagram.calendar.file.problems import InvalidValue, Problem
from airflow_provider_instagram.calendar.file.reader import read_text, sheet_text
from airflow_provider_instagram.calendar.file.schema import schema_text
from airflow_provider_instagram.calendar.file.sheet_import import SheetReading, import_sheet
from airflow_provider_instagram.calendar.file.spacing import within_limits
from airflow_provider_instagram.calendar.file.times import ADD_ZONE, read_duration, zone
from airflow_provider_instagram.calendar.file.writer import CalendarWriter
from airflow_provider_instagram.calendar.planning.fill import proposal_for
from airflow_provider_instagram.calendar.tasks.problems import account_problems, local_pictures
from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.hooks.instagram import Limits, account_limits
from airflow_provider_instagram.insights.hours import read_table
from airflow_provider_instagram.posts.kinds import PostKind
from airflow_provider_instagram.posts.limits import caption_warning
from airflow_provider_instagram.utils.connection import DEFAULT_CONN_ID
from airflow_provider_instagram.utils.locations import shown

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from airflow_provider_instagram.calendar.file.model import Calendar, ScheduledPost

#: The exit codes of what is done but not all well, and of what cannot be read or written.
HAS_PROBLEMS, OPEN, FAILED = 1, 1, 2
NARROWEST = 14
#: So many ideas are named.
MOST_IDEAS: Final = 10
MARKS: Final[tuple[tuple[str, Callable[[ScheduledPost], object]], ...]] = (
    ("?", lambda post: post.approval == "required"),
    ("■", lambda post: post.kind is PostKind.PICTURE),
    ("▤", lambda post: post.kind is PostKind.CAROUSEL),
    ("○", lambda post: post.kind is PostKind.STORY),
)
LEGEND = "? a person has to approve it   ■ picture   ▤ carousel   ○ story"


def check_calendar(args: argparse.Namespace) -> None:
    """Print every problem of a calendar. Exit code 0: no problems; 1: some; 2: it cannot be read."""
    now = datetime.now(timezone.utc)
    named = getattr(args, "accounts", None)
    accounts = [name.strip() for name in named.split(",")] if named else None
    with _exit_if_invalid(args.file):
        spacing = read_duration("--min-spacing", args.min_spacing) if args.min_spacing else None
        earliest, check_files = None if args.allow_past else now, not args.skip_files
        calendar = _read(args.file, now=earliest, min_spacing=spacing, check_files=check_files, accounts=accounts)
    limits = {account: _limits(account) for account in calendar.accounts}
    calendar = within_limits(calendar, {account: limit for account, (limit, _) in limits.items()})
    problems = [*calendar.problems, *account_problems(calendar, now)]
    for problem in problems:
        print(problem.text(args.file))
    for post in calendar.posts:
        if (warning := caption_warning(post.caption)) is not None:
            print(Problem(post.line, f"Warning: {warning}", "The post is published.", post.id).text(args.file))
    for account, (limit, source) in limits.items():
        print(f"{account}: at most {limit.posts_per_hour} posts an hour and {limit.posts_per_day} a day ({source}).")
    if local := sum(bool(local_pictures(post)) for post in calendar.posts):
        print(
            f"{args.file}: {_count(local, 'post')} with local pictures, which Instagram fetches by link. [instagram] "
            "public_prefix is not set here: set it where the posts are published, or these posts fail."
        )
    if accounts is None and calendar.accounts not in ([], [DEFAULT_CONN_ID]):
        print(f"The DAG file must name the accounts: accounts={json.dumps(calendar.accounts)}")
    if calendar.ideas:
        named = ", ".join(f"{idea.id} ({idea.lacks})" for idea in calendar.ideas[:MOST_IDEAS])
        more = f" and {len(calendar.ideas) - MOST_IDEAS} more" if len(calendar.ideas) > MOST_IDEAS else ""
        print(f"{_count(len(calendar.ideas), 'idea')}, not published yet: {named}{more}.")
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


def show_calendar(args: argparse.Namespace) -> None:
    """Print a month of a calendar."""
    calendar = _read(args.file)
    with _exit_if_invalid("--timezone"):
        viewer_zone: tzinfo = zone(args.timezone) if args.timezone else (pendulum.now().timezone or timezone.utc)
    now = datetime.now(timezone.utc)
    first = _month(args.month) if args.month else _month_to_show(calendar.posts, now, viewer_zone)
    for line in _lines_of_month(calendar.posts, first, viewer_zone, shutil.get_terminal_size((120, 24)).columns):
        print(line)
    _print_problem_count(calendar)


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
    found = [replace(one, remedy=add_zone) if one.remedy == ADD_ZONE else one for one in calendar.problems]
    found = [one for one in found if one != EMPTY or not sheet.problems]
    problems = sorted((*sheet.problems, *found), key=lambda problem: problem.line)
    for problem in problems:
        print(problem.text(args.file), file=sys.stderr)
    # an incomplete calendar would be taken for a complete one
    written = "; nothing was written" if sheet.problems else ""
    print(f"{_count(len(sheet.rows.rows), 'post')}; {_count(len(problems), 'problem')}{written}.", file=sys.stderr)
    if sheet.problems:
        raise SystemExit(FAILED)
    _write(args.output, sheet.text)
    raise SystemExit(HAS_PROBLEMS if calendar.problems else 0)


def fill_calendar(args: argparse.Namespace) -> None:
    """Print what is proposed, and write it if confirmed.

    Exit code 0: each post has a time; 1: a post has none, or the answer was no; 2: the file was not read or written.
    """
    now, rules = datetime.now(timezone.utc), Rules()
    with _exit_if_invalid(args.file):
        writer = CalendarWriter(args.file, None, read_text(args.file))
        text = writer.text()
        found = proposal_for(
            text, args.file, writer.files, now, rules, more_slots=args.slots,
            repeats_within=timedelta(days=args.days), **({"preference_of": read_table} if args.by_results else {}),
        )  # fmt: skip
        if found.fill is None:
            print(*found.lines, "Nothing is to be written.", sep="\n")
            raise SystemExit(OPEN if found.still_open else 0)
        diff = writer.in_text(text, found.fill, now, rules).diff
        print(*found.tables, *found.lines, "", *diff, sep="\n")
        if not args.yes and input(f"Write this into {args.file}? [y/N] ").strip().lower() not in ("y", "yes"):
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
        raise SystemExit(FAILED) from None


def _month(written: str) -> date:
    try:
        return date.fromisoformat(f"{written}-01")
    except ValueError:
        raise SystemExit(f"--month {written}: write it like 2026-12.") from None


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _lines_of_month(posts: Iterable[ScheduledPost], first: date, zone: tzinfo, width: int) -> Iterator[str]:
    column = max(NARROWEST, (width - 8) // 7)
    days: dict[date, list[str]] = defaultdict(list)
    marked = False
    for post in posts:
        at = post.publish_at.astimezone(zone)
        mark = "".join(sign for sign, has_it in MARKS if has_it(post))
        marked = marked or (bool(mark) and (at.year, at.month) == (first.year, first.month))
        days[at.date()].append(f"{at:%H:%M} {mark}{post.id}")
    rule = "+" + "+".join(["-" * column] * 7) + "+"
    yield f"{first:%B %Y}, times in {getattr(zone, 'key', None) or datetime.now(zone).tzname()}"
    yield rule
    yield _cells([day[:3] for day in day_name], column)
    yield rule
    for week in Weeks().monthdatescalendar(first.year, first.month):
        inside = [day if day.month == first.month else None for day in week]
        yield _cells([str(day.day) if day else "" for day in inside], column)
        for row in range(max(len(days[day]) if day else 0 for day in inside)):
            yield _cells([days[day][row] if day and row < len(days[day]) else "" for day in inside], column)
        yield rule
    if marked:
        yield LEGEND


def _cells(texts: list[str], column: int) -> str:
    shown = (text if len(text) < column else f"{text[: column - 2]}…" for text in texts)
    return "|" + "|".join(f" {text:{column - 1}}" for text in shown) + "|"


def _month_to_show(posts: Iterable[ScheduledPost], now: datetime, zone: tzinfo) -> date:
    """Return the month of the next post, or of the last post if no post is to come."""
    times = sorted(post.publish_at for post in posts)
    shown = next((at for at in times if at >= now), times[-1] if times else now)
    return shown.astimezone(zone).date().replace(day=1)
