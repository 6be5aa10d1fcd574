"""The lines of a calendar's file that make a post, without the queries of links.

A viewer may not see a query, because it may be a signature. What must be hidden is decided on the
text, not on what was read from it: the file may be broken, a link may be in a comment, and a query
may end in a line that belongs to another post. In doubt, text is hidden.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from airflow_provider_instagram.calendar.file.parser import KEYS
from airflow_provider_instagram.utils.urls import QUESTION_MARK, SLASH

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.model import AnyPost

MOST_LINES: Final = 200
LONGEST_LINE: Final = 2_000
HIDDEN: Final = "…"
FIELDS: Final = "|".join(KEYS)
#: The beginning of a field, where no query continues.
FIELD: Final = re.compile(rf"""[\s{{,]*(?:-\s+)?(?:(?:{FIELDS})\s*:(?:\s|$)|"(?:{FIELDS})"\s*:)""")
#: Another beginning of a post in YAML or JSON. If a post begins elsewhere in a line, a query may
#: end in that line.
BEGINNING: Final = re.compile(r"\s*-\s|[-\s{}\[\],]*$")
#: The ends of lines by which posts are counted. A caption may contain others, such as U+2028.
END: Final = re.compile(r"\r\n|\r|\n")
WORD: Final = re.compile(r"\S+")
A_SLASH: Final = re.compile(SLASH, re.IGNORECASE)
#: Where a query or a fragment begins in a word that has a slash before.
AFTER_SLASH: Final = re.compile(rf"\#|{QUESTION_MARK}", re.IGNORECASE)
#: Where a query may begin or continue in any word, such as the second line of a link. A question
#: mark ends most words, with a few other signs.
ANYWHERE: Final = re.compile(
    rf"""(?!\?)(?:{QUESTION_MARK})|\?(?=[%&=./~+:;@$*-]|[^\s\w"\\]{{0,20}}(?:\w|\\(?![nrt"]))|[^\s\w"\\]{{21}})|"""
    r"""(?:=|%(?:25)*3d|\\x3d|\\u003d)(?=[^"',]{12})""",
    re.IGNORECASE,
)
#: A word that may contain a user name and a password, up to its last ``@``.
MAY_HAVE_LOGIN: Final = re.compile(r"[^\s,\"']+")
#: The same in a link as it is, where a password may contain commas and apostrophes.
LINK: Final = re.compile(r"[^\s\"]+")
LOGIN_BEGINS: Final = re.compile(rf"(?:\\|{SLASH}){{2}}|\w:", re.IGNORECASE)


def lines_of(post: AnyPost, text: str, location: str, beginnings: Iterable[int]) -> str:
    """Return the lines of a post as they are in the file, between the lines in which posts begin."""
    lines = END.split(text)
    first = post.line - 1
    if not 0 <= first < len(lines):
        return ""
    last = min((line - 1 for line in beginnings if line > post.line), default=len(lines))
    chosen = lines[first : min(last, first + MOST_LINES)]
    kind, before = PurePosixPath(location).suffix.lower(), first
    if kind in (".yaml", ".yml"):
        chosen = _of_yaml_item(chosen)
    while chosen and not chosen[-1].strip():
        chosen.pop()
    if kind != ".csv":
        while before > max(0, first - MOST_LINES) and not (
            FIELD.match(lines[before]) or BEGINNING.match(lines[before])
        ):
            before -= 1
    return "\n".join([*without_queries([*lines[before:first], *chosen])][first - before :])


def without_queries(lines: Iterable[str]) -> Iterator[str]:
    """Return lines without what may be the query of a link, until a line that begins another field."""
    is_hidden = False
    for line in lines:
        if is_hidden and FIELD.match(line) is None:
            yield HIDDEN
            continue
        public = MAY_HAVE_LOGIN.sub(_without_login, line[:LONGEST_LINE])
        public = LINK.sub(_without_login_of_link, public)
        begins = _query_begins(public)
        is_hidden = begins is not None
        yield (
            public if begins is None and len(line) <= LONGEST_LINE else f"{public[:begins]}{HIDDEN}"
        )


def _query_begins(line: str) -> int | None:
    """Return where a query may begin in a line: after its question mark."""
    for word in WORD.finditer(line):
        slash = A_SLASH.search(word[0])
        places = [ANYWHERE.search(word[0]), slash and AFTER_SLASH.search(word[0], slash.end())]
        if ends := [place.end() for place in places if place]:
            return word.start() + min(ends)
    return None


def _without_login(word: re.Match[str]) -> str:
    login, at, host = word[0].rpartition("@")
    begins = LOGIN_BEGINS.search(login) if at else None
    return (
        word[0] if begins is None else login[: begins.end()] + _hidden(login[begins.end() :]) + host
    )


def _without_login_of_link(link: re.Match[str]) -> str:
    scheme, slashes, rest = link[0].partition("//")
    login, at, host = rest.rpartition("@")
    return f"{scheme}{slashes}{_hidden(login)}{host}" if at and login else link[0]


def _hidden(login: str) -> str:
    # If a query begins before the last @, that is no end of a login, and the query goes on behind
    # it.
    return f"{HIDDEN}@/?" if AFTER_SLASH.search(login) else f"{HIDDEN}@"


def _of_yaml_item(lines: list[str]) -> list[str]:
    """Return the lines of one item of a list: until a line that is not indented more than its dash."""
    indent = len(lines[0]) - len(lines[0].lstrip(" "))
    for index, line in enumerate(lines[1:], 1):
        if line.strip() and len(line) - len(line.lstrip(" ")) <= indent:
            return lines[:index]
    return lines
