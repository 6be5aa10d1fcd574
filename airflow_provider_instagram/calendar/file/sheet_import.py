"""The CSV export of a spreadsheet or another tool as posts of a calendar, with headings in English or German."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final, TypeAlias

from airflow_provider_instagram.calendar.file.columns import CALENDAR_FIELDS
from airflow_provider_instagram.calendar.file.entries import Row, Rows, row_of
from airflow_provider_instagram.calendar.file.post_parser import items_in
from airflow_provider_instagram.calendar.file.problems import InvalidValue, Problem
from airflow_provider_instagram.calendar.file.reader import Table, read_table
from airflow_provider_instagram.calendar.file.sheet_times import (
    AskedFor,
    ContradictedDates,
    DateOrder,
    TimeCells,
    read_time_cells,
)
from airflow_provider_instagram.posts.kinds import ItemKind, PostKind, kind_by_name
from airflow_provider_instagram.posts.post import MEDIA

#: A column such as "File" may hold a video, a picture or several of them.
ANY_MEDIA: Final = "media"
#: A column of hashtags, which follow the caption.
HASHTAGS: Final = "hashtags"
#: What columns mean that is no field of a post.
NOT_FIELDS: Final = (ANY_MEDIA, HASHTAGS, "publish_at", "date", "time")
FEED: Final = ("feed", "post", "feed post", "beitrag", "feed-beitrag")
#: What the words for the format of a post mean: its placement, and the field for its file. Empty
#: for what a word does not say.
FORMATS: Final = {
    **dict.fromkeys(FEED, ("feed", "")),
    **dict.fromkeys((PostKind.REEL, *PostKind.REEL.other_words), ("reels", "")),
    **dict.fromkeys((PostKind.STORY, *PostKind.STORY.other_words), ("story", "")),
    **dict.fromkeys((PostKind.PICTURE, *PostKind.PICTURE.other_words), ("", "image")),
    **dict.fromkeys((PostKind.CAROUSEL, *PostKind.CAROUSEL.other_words), ("", "carousel")),
    "video": ("", "video"),
}
#: The columns whose words must be known.
WORDS: Final = ("account", "placement")
#: The lines that have a word, by the column and the word.
AskedLines: TypeAlias = dict[tuple[str, str], list[int]]
#: Titles of columns in the exports of tools and in sheets, by field, in lower case and with single
#: spaces. Source of those of Buffer: its bulk upload (Text, Image URL, Tags, Posting Time). Later
#: and Planoly document no CSV of posts (November 2026), so the others are words that people use;
#: what a title does not say is chosen on the page.
MORE_NAMES: Final = {
    "title": ("title", "name", "post", "titel", "thema", "überschrift"),
    "date": (
        "date",
        "day",
        "publish date",
        "publishing date",
        "post date",
        "scheduled date",
        "datum",
        "termin",
    ),
    "time": (
        "time",
        "hour",
        "publish time",
        "publishing time",
        "post time",
        "scheduled time",
        "uhrzeit",
        "zeit",
    ),
    "publish_at": (
        "posting time",
        "scheduled at",
        "scheduled for",
        "schedule date",
        "date scheduled",
        "scheduled date and time",
        "datum und uhrzeit",
        "veröffentlichung",
        "veröffentlichen am",
        "geplant für",
        "zeitpunkt",
    ),
    "caption": (
        "message",
        "content",
        "post caption",
        "description",
        "bildunterschrift",
        "beschreibung",
        "beitragstext",
        "beitrag",
        "posttext",
    ),
    ANY_MEDIA: (
        "media",
        "file",
        "files",
        "asset",
        "assets",
        "creative",
        "link",
        "media url",
        "media urls",
        "media link",
        "filename",
        "file name",
        "datei",
        "dateien",
        "dateiname",
        "medien",
        "anhang",
    ),
    "account": (
        "accounts",
        "channels",
        "profile name",
        "social profile",
        "konto",
        "kanal",
        "profil",
    ),
    "placement": (
        "post type",
        "content type",
        "media type",
        "typ",
        "art",
        "beitragsart",
        "platzierung",
    ),
    "first_comment": ("1st comment", "erster kommentar", "kommentar"),
    "alt_text": ("alt-text", "alternativtext", "bildbeschreibung"),
    "tags": (
        "label",
        "category",
        "categories",
        "kategorie",
        "kampagne",
        "schlagwörter",
        "schlagworte",
    ),
    "timezone": ("zeitzone",),
    HASHTAGS: ("hashtags", "hashtag"),
}


def _fields_by_title() -> dict[str, str]:
    found = {}
    for name, titles in MORE_NAMES.items():
        found.update(dict.fromkeys(titles, name))
    for name, about in CALENDAR_FIELDS.items():
        found.update(dict.fromkeys(about.titles, name))
    return found


#: What a title of a column means.
COLUMNS: Final = _fields_by_title()
#: What a column of a sheet may mean.
MEANINGS: Final = frozenset((*COLUMNS.values(), *CALENDAR_FIELDS))


@dataclass(frozen=True)
class Imported:
    """The posts of a sheet.

    :param lines_with_dated_id: Lines of the rows whose ids contain their date, because their titles
        are not unique.
    :param asked: Words whose meaning only the user knows.
    :param needs: What else has to be said to read the sheet: ``dates``, their order, or ``time``,
        the time of day.
    """

    rows: Rows
    lines_with_dated_id: tuple[int, ...]
    problems: tuple[Problem, ...]
    asked: tuple[Asked, ...] = ()
    needs: frozenset[str] = frozenset()


@dataclass(frozen=True)
class SheetReading:
    """How a sheet is read, as far as it does not say that itself.

    :param columns: What columns mean, by their titles; empty for one that means nothing. Titles
        that are missing here mean what :data:`COLUMNS` says.
    :param order: How to read dates such as 3/4/2027.
    :param time: The time of day of dates without one.
    :param words: By field, what words of the sheet mean. Rows with a word that means nothing are
        left out.
    :param accounts: The connections that the rows may name. None for any.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    order: DateOrder | None = None
    time: str = ""
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    accounts: Collection[str] | None = None

    @cached_property
    def _own(self) -> dict[str, str]:
        return {folded(title): name for title, name in self.columns.items()}

    def field_of(self, title: str) -> str | None:
        """Return what a column means, or None."""
        known = folded(title)
        return (self._own[known] or None) if known in self._own else _column(known)

    def said(self, name: str, word: str) -> str | None:
        """Return what the user has said that a word in a column means, or None."""
        return self.words.get(name, {}).get(word)

    def meaning(self, name: str, word: str) -> str | None:
        """Return what a word in a column means, or None if that is not known. Empty means that its row is left out."""
        if (said := self.said(name, word)) is not None:
            return said
        if name == "account":
            return word if self.accounts is None else _account(word, self.accounts)
        return _format(word)


@dataclass(frozen=True)
class Asked:
    """A word in a column whose meaning only the user knows, and the lines of its rows.

    :param said: What the user has said that it means, which they may change until the posts are
        written.
    """

    field: str
    word: str
    lines: tuple[int, ...]
    said: str | None


def import_sheet(
    text: str, reading: SheetReading, defaults: Mapping[str, str] | None = None
) -> Imported:
    """Read the CSV export of a spreadsheet. If one date contradicts the order of dates, no row is read.

    :raises InvalidValue: If it cannot be read, or if a date contradicts the order and nobody is
        asked for another.
    """
    table = read_table(text, reading.field_of)
    if reading.accounts is None:
        _check_media(table)
    drafts, problems, needs = dict[int, dict[str, str]](), list(table.problems), set[str]()
    asked: AskedLines = defaultdict(list)
    contradiction = None
    for row in table.rows:
        problems += row.problems
        cells = {name: row.text(name) for name in row.values}
        meant = _meanings(cells, reading, asked, row.line)
        if meant is None:
            continue
        try:
            times = TimeCells(*(cells.get(name, "") for name in ("publish_at", "date", "time")))
            at = read_time_cells(times, reading.order, reading.time)
            drafts[row.line] = {"publish_at": at, **_with_media(meant)}
        except InvalidValue as invalid:
            problem = Problem(row.line, invalid.message, invalid.remedy)
            problems.append(problem)
            if isinstance(invalid, AskedFor):
                needs.add(invalid.what)
            if isinstance(invalid, ContradictedDates):
                contradiction = problem
    if contradiction is not None:
        if reading.accounts is None:
            message = f"in line {contradiction.line}, {contradiction.message}"
            raise InvalidValue(message, contradiction.remedy)
        drafts.clear()
    ids, lines_with_dated_id = _ids(drafts)
    broken = {row.line for row in table.rows if row.broken or row.problems}
    posts = _posts(drafts, ids, broken)
    return Imported(
        Rows(posts, row_of(0, defaults or {})),
        lines_with_dated_id=lines_with_dated_id,
        problems=tuple(problems),
        asked=tuple(
            Asked(*about, tuple(lines), reading.said(*about)) for about, lines in asked.items()
        ),
        needs=frozenset(needs),
    )


def _check_media(table: Table) -> None:
    if not {*MEDIA, ANY_MEDIA} & {*table.names}:
        raise InvalidValue(
            f"no column is named video, image or carousel. The columns are: {', '.join(table.titles) or 'none'}.",
            "Rename one of them.",
        )


def _posts(
    drafts: Mapping[int, Mapping[str, str]], ids: Mapping[int, str], broken: Collection[int]
) -> list[Row]:
    posts = []
    for line, cells in drafts.items():
        own = {name: cell for name, cell in cells.items() if cell and name not in ("id", "title")}
        posts.append(replace(row_of(line, {"id": ids[line], **own}), broken=line in broken))
    return posts


def _meanings(
    cells: Mapping[str, str],
    reading: SheetReading,
    asked: AskedLines,
    line: int,
) -> dict[str, str] | None:
    """Return a row with what its words mean. None if a word is not known, or means that the row is left out."""
    found = {name: reading.meaning(name, cells[name]) for name in WORDS if name in cells}
    if reading.accounts is None:  # nobody is asked, so an unknown word is a problem of the post
        found = {name: meaning or cells[name] for name, meaning in found.items()}
    for name, meaning in found.items():
        is_open = meaning is None and "" not in found.values()
        if is_open or reading.said(name, cells[name]) is not None:
            asked[name, cells[name]].append(line)
    known = {name: meaning for name, meaning in found.items() if meaning}
    return {**cells, **known} if len(known) == len(found) else None


def _account(word: str, accounts: Collection[str]) -> str | None:
    """Return the connection that a name of an account means: that name, also without ``instagram_`` or with an @."""
    names = {re.sub(r"[^a-z0-9]", "", one.lower()): one for one in accounts}
    short = {name.removeprefix("instagram"): one for name, one in names.items()}
    plain = re.sub(r"[^a-z0-9]", "", word.lower())
    return names.get(plain) or short.get(plain.removeprefix("instagram") or plain)


def _format(word: str) -> str | None:
    """Return the word of a calendar for the format of a post."""
    plain = re.sub(r"\b(instagram|ig)\b", "", folded(word)).strip(" -_")
    return plain if plain in FORMATS else None


def _ids(drafts: Mapping[int, Mapping[str, str]]) -> tuple[dict[int, str], tuple[int, ...]]:
    """Return the ids of the posts by line, and the lines of the rows whose ids contain their date.

    No id depends on the position of its row, because the id keeps a post from being published
    twice. Rows with the same title differ in their date, and those of one day in their time. Rows
    that differ in neither keep one id.
    """
    ids = {}
    lines_with_dated_id = set()
    for line, cells in drafts.items():
        given = cells.get("id", "")
        ids[line] = _slug(given) or given or _slug(cells.get("title", ""))
    for length in (len("2030-12-24"), len("2030-12-24 18:00")):
        times = Counter(ids.values())
        for line, cells in drafts.items():
            if "id" not in cells and (not ids[line] or times[ids[line]] > 1):
                text = cells.get("title") or cells.get("caption") or cells.get("note", "")
                ids[line] = _slug(f"{cells.get('publish_at', '')[:length].replace(':', '')} {text}")
                lines_with_dated_id.add(line)
    return ids, tuple(sorted(lines_with_dated_id))


def folded(title: str) -> str:
    """Return a title of a column, or a word, without what makes no difference."""
    plain = re.sub(
        r"\([^()]*\)|\[[^\[\]]*\]|[*:]", " ", unicodedata.normalize("NFC", title).lower()
    )
    return " ".join(plain.split())


def _column(folded: str) -> str | None:
    if folded in CALENDAR_FIELDS:
        return folded
    return COLUMNS.get(folded) or COLUMNS.get(folded.replace("_", " "))


def _with_media(cells: dict[str, str]) -> dict[str, str]:
    """Return a row in which a calendar's fields contain the media, and what was in the field ``media``."""
    row = {name: cell for name, cell in cells.items() if name not in NOT_FIELDS}
    if tags := cells.get(HASHTAGS):
        row["caption"] = f"{row['caption']}\n\n{tags}" if "caption" in row else tags
    word = " ".join(cells.get("placement", "").lower().split())
    placement, shown = FORMATS.get(word, ("", ""))
    if placement:
        row["placement"] = placement
    elif shown:
        del row["placement"]
    given = [name for name in (*MEDIA, ANY_MEDIA) if name in cells]
    if len(given) > 1 and ANY_MEDIA in given:
        raise InvalidValue(
            f"the row names {cells[ANY_MEDIA]!r}, and also {row[given[0]]!r} in a column for {given[0]}.",
            "Leave one of the two cells empty.",
        )
    if len(given) == 1:  # a column named "Image" may hold a video, or several files
        column = given[0]
        row.pop(column, None)
        name = _field_of(cells[column], column, is_carousel=shown == PostKind.CAROUSEL)
        row[shown if shown and column == ANY_MEDIA else name] = cells[column]
    return row


def _field_of(written: str, column: str, *, is_carousel: bool) -> str:
    """Return the field for a cell by the names in it. A name may contain a comma, as many links do.

    :param column: What its column means, for a name that does not show what it is.
    :param is_carousel: Whether the row says that it is one.
    """
    default = str(ItemKind.VIDEO) if column == ANY_MEDIA else column
    try:
        kinds = [kind_by_name(str(item)) for item in items_in(written)]
    except InvalidValue:
        return str(PostKind.CAROUSEL) if written.lstrip().startswith("[") else default
    if len(kinds) > 1 and (is_carousel or all(kinds)):
        return str(PostKind.CAROUSEL)
    return str(kind_by_name(written) or default)


def _slug(text: str) -> str:
    """Return an id made of a text, as the page makes one of a caption."""
    german = re.sub("[äöüÄÖÜ]", r"\g<0>e", unicodedata.normalize("NFC", text).replace("ß", "ss"))
    ascii_text = unicodedata.normalize("NFKD", german).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9._]+", "-", ascii_text).strip("-._").lower()[:40].rstrip("-._")
