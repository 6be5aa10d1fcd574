"""``airflow instagram calendar …``: commands for the authors of calendars."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from airflow.configuration import conf

from airflow_provider_instagram.calendar.file.parser import Rules, read_calendar
from airflow_provider_instagram.calendar.file.problems import InvalidValue, Problem
from airflow_provider_instagram.calendar.file.reader import is_edited_elsewhere
from airflow_provider_instagram.calendar.file.times import read_duration
from airflow_provider_instagram.calendar.file.writer import CalendarWriter
from airflow_provider_instagram.calendar.planning.fill import proposal_for
from airflow_provider_instagram.calendar.tasks.problems import (
    account_problems,
    local_pictures,
    pictures_without_link,
)
from airflow_provider_instagram.posts.limits import caption_warning
from airflow_provider_instagram.utils.clock import utc_now
from airflow_provider_instagram.utils.connection import DEFAULT_CONN_ID
from airflow_provider_instagram.utils.urls import shown

#: The exit codes of what is done but not all well, and of what cannot be read or written.
HAS_PROBLEMS = 1
OPEN = 1
FAILED = 2
#: So many drafts are named.
MOST_DRAFTS: Final = 10


def check_calendar(args: argparse.Namespace) -> None:
    """Print every problem of a calendar. Exit code 0: no problems; 1: some; 2: it cannot be read."""
    now = utc_now()
    named = getattr(args, "accounts", None)
    accounts = [name.strip() for name in named.split(",")] if named else None
    with _exit_if_invalid(args.file):
        spacing = read_duration("--min-spacing", args.min_spacing) if args.min_spacing else None
        earliest = None if args.allow_past else now
        check_files = not args.skip_files
        calendar = read_calendar(
            args.file, now=earliest, min_spacing=spacing, check_files=check_files, accounts=accounts
        )
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


def fill_calendar(args: argparse.Namespace) -> None:
    """Print what is proposed, and write it if confirmed.

    Exit code 0: each post has a time; 1: a post has none, or the answer was no; 2: the file was not
    read or written.
    """
    now = utc_now()
    rules = Rules()
    with _exit_if_invalid(args.file):
        if is_edited_elsewhere(args.file):
            raise InvalidValue("only YAML is written.", "Give the posts a time in the file.")
        writer = CalendarWriter(args.file)
        text = writer.text()
        found = proposal_for(text, args.file, writer.files, now, rules)
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
    if written.unknown:
        print(written.unknown, file=sys.stderr)
        raise SystemExit(FAILED)
    print(f"Written into {args.file}.")
    raise SystemExit(OPEN if found.still_open else 0)


@contextmanager
def _exit_if_invalid(what: str) -> Iterator[None]:
    try:
        yield
    except InvalidValue as invalid:
        print(f"{shown(what)}: {invalid}", file=sys.stderr)
        raise SystemExit(FAILED) from None


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
