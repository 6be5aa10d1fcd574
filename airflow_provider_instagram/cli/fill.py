"""``airflow instagram calendar fill``: propose times for the posts of a calendar, and write them on a yes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Final

from airflow_provider_instagram.calendar.file.media_paths import CalendarFiles
from airflow_provider_instagram.calendar.file.parser import Rules
from airflow_provider_instagram.calendar.file.problems import InvalidValue
from airflow_provider_instagram.calendar.file.reader import read_text
from airflow_provider_instagram.calendar.file.writer import CalendarWriter
from airflow_provider_instagram.calendar.planning.fill import proposal_for
from airflow_provider_instagram.insights.hours import Tables
from airflow_provider_instagram.utils.locations import shown

OPEN: Final = 1
NOT_WRITTEN: Final = 2


def fill_calendar(args: argparse.Namespace) -> None:
    """Print what is proposed, and write it on a yes.

    Exit code 0: each post has a time; 1: a post has none, or the answer was no; 2: the file was not read or written.
    """
    now, rules = datetime.now(timezone.utc), Rules()
    tables = Tables(now, None if args.by_results else ())
    with _exit_if_invalid(args.file):
        writer = CalendarWriter(args.file, None, read_text(args.file))
        text = writer.text()
        found = proposal_for(
            text, args.file, CalendarFiles(args.file), now, rules, order_of=tables.of,
            more_slots=args.slots, repeats_within=timedelta(days=args.days),
        )  # fmt: skip
        if found.fill is None:
            print(*found.lines, "Nothing is to be written.", sep="\n")
            raise SystemExit(OPEN if found.still_open else 0)
        diff = writer.in_text(text, found.fill, now, rules).diff
        print(*tables.text(), *found.lines, "", *diff, sep="\n")
        if not args.yes and input(f"Write this into {args.file}? [y/N] ").strip().lower() not in ("y", "yes"):
            print("Nothing was written.")
            raise SystemExit(OPEN)
        written = writer.write(found.fill, now, rules)
    if why := written.refused or written.unknown:
        print(why, file=sys.stderr)
        raise SystemExit(NOT_WRITTEN)
    print(f"Written into {args.file}.")
    raise SystemExit(OPEN if found.still_open else 0)


@contextmanager
def _exit_if_invalid(what: str) -> Iterator[None]:
    try:
        yield
    except InvalidValue as invalid:
        print(f"{shown(what)}: {invalid}", file=sys.stderr)
        raise SystemExit(NOT_WRITTEN) from None
