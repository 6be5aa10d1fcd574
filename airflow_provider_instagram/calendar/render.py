"""A calendar for people and other programs: a month in the terminal, and an iCalendar file."""

from __future__ import annotations

import calendar
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING, Final

from airflow_provider_instagram.posts.kinds import PostKind

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.model import Calendar, ScheduledPost

NARROWEST = 14
MARKS: Final[tuple[tuple[str, Callable[[ScheduledPost], object]], ...]] = (
    ("?", lambda post: post.approval == "required"),
    ("~", lambda post: post.dry_run),
    ("■", lambda post: post.kind is PostKind.PICTURE),
    ("▤", lambda post: post.kind is PostKind.CAROUSEL),
    ("○", lambda post: post.kind is PostKind.STORY),
    ("◷", lambda post: post.in_slot),
)
LEGEND = "? a person has to approve it   ~ dry run: not published   ■ picture   ▤ carousel   ○ story   ◷ in a slot"
#: Everything that a program may read as the end of a line. Escaped, so that a caption cannot add an iCalendar property.
LINE_END = re.compile("\r\n|[\n\r\x0b\x0c\x85\u2028\u2029]")
CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f]")
FOLD_OCTETS = 74  # RFC 5545, 3.1: 75 including the space at the beginning


def month(posts: Iterable[ScheduledPost], first: date, zone: tzinfo, width: int) -> Iterator[str]:
    """Return a month as lines of text."""
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
    yield _cells([day[:3] for day in calendar.day_name], column)
    yield rule
    for week in calendar.Calendar().monthdatescalendar(first.year, first.month):
        inside = [day if day.month == first.month else None for day in week]
        yield _cells([str(day.day) if day else "" for day in inside], column)
        for row in range(max(len(days[day]) if day else 0 for day in inside)):
            yield _cells([days[day][row] if day and row < len(days[day]) else "" for day in inside], column)
        yield rule
    if marked:
        yield LEGEND


def slots(posts: Iterable[ScheduledPost], stored: frozenset[str], now: datetime) -> Iterator[str]:
    """Return the slots to come as lines of text."""
    for post in posts:
        if post.in_slot and post.publish_at > now:
            chosen = "chosen by Airflow" if post.key in stored else "as Airflow would choose now"
            yield f"post {post.id!r}: slot {post.publish_at:%a %Y-%m-%d %H:%M %Z} ({post.in_slot}), {chosen}."


def _cells(texts: list[str], column: int) -> str:
    return "|" + "|".join(f" {_cut(text, column - 1):{column - 1}}" for text in texts) + "|"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def month_to_show(posts: Iterable[ScheduledPost], now: datetime, zone: tzinfo) -> date:
    """Return the month of the next post, or of the last post if no post is to come."""
    times = sorted(post.publish_at for post in posts)
    shown = next((at for at in times if at >= now), times[-1] if times else now)
    return shown.astimezone(zone).date().replace(day=1)


def ics(content: Calendar, now: datetime) -> str:
    """Return a calendar as iCalendar (RFC 5545)."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//airflow-provider-instagram//calendar//EN"]
    for post in content.posts:
        lines += [
            "BEGIN:VEVENT",
            f"UID:{_escaped(post.key)}@airflow-provider-instagram",
            f"DTSTAMP:{_utc(now)}",
            f"DTSTART:{_utc(post.publish_at)}",
            f"DTEND:{_utc(post.publish_at + timedelta(minutes=1))}",
            f"SUMMARY:{_escaped(f'{post.id} ({post.account}, {post.kind})')}",
            f"DESCRIPTION:{_escaped(_description(post))}",
            *([f"CATEGORIES:{','.join(_escaped(tag) for tag in post.tags)}"] if post.tags else []),
            "END:VEVENT",
        ]
    return "".join(f"{folded}\r\n" for line in [*lines, "END:VCALENDAR"] for folded in _folded(line))


def _description(post: ScheduledPost) -> str:
    comment = f"First comment: {post.first_comment}" if post.first_comment else ""
    return "\n\n".join(filter(None, (post.caption, comment)))


def _utc(at: datetime) -> str:
    return at.astimezone(timezone.utc).strftime("%Y%m%dT%H%M%SZ")


def _escaped(text: str) -> str:
    """Return a text as a value: line ends are escaped, and control characters removed (RFC 5545, 3.3.11)."""
    for sign in ("\\", ";", ","):
        text = text.replace(sign, f"\\{sign}")
    return CONTROL.sub("", LINE_END.sub("\\\\n", text))


def _folded(line: str) -> Iterator[str]:
    """Return a line in parts of at most 75 octets, broken only between characters."""
    part, octets = "", 0
    for character in line:
        size = len(character.encode())
        if octets + size > FOLD_OCTETS:
            yield part
            part, octets = " ", 1
        part, octets = part + character, octets + size
    yield part
