"""The rows of a calendar's file: each value as the text in YAML or JSON, with its line; and the cells of a table.

CSV is read strictly, because a caption cut off here would be published cut off.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import yaml

from airflow_provider_instagram.calendar.file.entries import (
    MAX_POSTS,
    Row,
    Rows,
    Value,
    check_count,
    public_name,
)
from airflow_provider_instagram.calendar.file.media_paths import read_or_invalid
from airflow_provider_instagram.calendar.file.problems import InvalidValue, Problem, remedy_for_name
from airflow_provider_instagram.utils.urls import is_web

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.media_paths import CalendarFiles

#: The names and the values of an object, by their names.
Pairs: TypeAlias = dict[str, tuple[yaml.Node, yaml.Node]]

MAX_BYTES = 10_000_000
FORMATS = (".yaml", ".yml", ".json")
#: What a file may contain.
SETTINGS = ("defaults", "min_spacing", "slots", "posts")
TABLE = ".csv"
MAX_DEPTH = 6
SLOTS_EXAMPLE = "{instagram_default: [Mon 08:30, Thu 19:00]}"
#: A character that JSON escapes in two halves, because it exceeds 16 bits, and the doubled
#: backslashes before it.
SURROGATE_PAIR = re.compile(
    r"(?<!\\)((?:\\\\)*)(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
)
#: More than the largest file contains in useful entries, and few enough to read in a second.
MAX_VALUES = 1_000_000
#: The names and values of that many posts. A long text is counted before it is composed, which
#: takes minutes for 10 MB.
MAX_EVENTS = 30 * MAX_POSTS
LONG_TEXT = 500_000
#: Characters that end a line in YAML but in no editor, for example in a text pasted from Word.
#: While the file is read, characters without a meaning replace them.
STAND_INS = {0x85: 0xFDD0, 0x2028: 0xFDD1, 0x2029: 0xFDD2}
ORIGINALS = {held: sign for sign, held in STAND_INS.items()}
#: All characters that are not printable in YAML 1.1.
UNPRINTABLE = re.compile("[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
INDENTED_BY_TAB = re.compile(r"[ -]*\t\s*")
LOOK_THERE = "Check that line and the one above it for indentation, a missing quotation mark, or a colon inside a text."
QUOTE = 'Put the text between quotation marks: "…".'
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
#: More than a calendar has posts: spreadsheets save the empty rows below a table, too. A million
#: take seconds to read.
MOST_RECORDS = 12 * MAX_POSTS
#: Excel's own first line, which names the separator.
SEPARATOR = re.compile(r'"?sep=([,;\t|])"?\r?\n', re.IGNORECASE)
QUOTATION = 'Check the quotation marks: one is missing, or there is one too many. Inside a text, write it twice: "".'
#: The errors of Python's reader, in plain words.
WORDS = {
    "unexpected end": "a quotation mark is not closed",
    "expected after": "a text goes on after its closing quotation mark",
    "field larger": f"a cell has more than {csv.field_size_limit():,} characters",
}


def read_text(location: str, files: CalendarFiles) -> str:
    """Read a calendar's file."""
    if is_web(location):
        raise InvalidValue("only its DAG reads a sheet at a web address.", "Download it.")
    return as_text(read_or_invalid(location, lambda: files.text(location, MAX_BYTES)))


def as_text(data: bytes) -> str:
    """Return the text of a file, which must be UTF-8."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InvalidValue(
            f"line {line} is not UTF-8 text.", "Save the file as UTF-8 (in Excel: CSV UTF-8)."
        ) from None


def sheet_text(data: bytes) -> str:
    """Return the text of a sheet, as spreadsheets save it: UTF-8, UTF-16 with its mark, or Windows-1252."""
    is_wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    for encoding in ("utf-16",) if is_wide else ("utf-8-sig", "cp1252"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    kind = "is an Excel file" if data.startswith(b"PK") else "is not text"
    raise InvalidValue(
        f"the sheet {kind}.", "Save it as CSV (in Excel: CSV UTF-8), and choose that file."
    )


def is_table(location: str) -> bool:
    """Return whether a calendar is a table, which is edited where it is: a sheet on the web, or a CSV file."""
    return is_web(location) or _ending(location) == TABLE


def is_edited_elsewhere(location: str) -> bool:
    """Return whether neither the page nor a command writes a calendar: all but YAML."""
    return is_table(location) or _ending(location) == ".json"


def _ending(location: str) -> str:
    return PurePosixPath(location.partition("?")[0]).suffix.lower()


def read_rows(text: str, location: str) -> Rows:
    """Read the rows of a calendar in YAML or JSON."""
    ending = _ending(location)
    if ending not in FORMATS:
        known = ", ".join((*FORMATS, TABLE))
        raise InvalidValue(
            f"{ending or 'no ending'!r} is not a calendar format.", f"Use one of {known}."
        )
    if ending == ".json":  # JSON may escape an emoji as two halves, which YAML cannot read
        text = SURROGATE_PAIR.sub(lambda pair: pair[1] + json.loads(f'"{pair[2]}"'), text)
    return _read_yaml(text)


def _read_yaml(text: str) -> Rows:
    readable = text.translate(STAND_INS) if any(chr(sign) in text for sign in STAND_INS) else text
    try:
        if len(readable) > LONG_TEXT and any(
            islice(yaml.parse(readable, Loader=LOADER), MAX_EVENTS, None)
        ):
            raise InvalidValue("the file holds more than a calendar can.", "Split the calendar.")
        root = yaml.compose(readable, Loader=LOADER)
    except yaml.MarkedYAMLError as error:
        raise _invalid_yaml(text, error) from None
    except yaml.reader.ReaderError as error:
        raise _unprintable(text, error) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise InvalidValue(
            f"the file cannot be read: {error}.", "Look for characters that do not belong in YAML."
        ) from None
    if root is None:
        raise InvalidValue("the file is empty.", "Begin it with posts: and a list.")
    if not isinstance(root, yaml.MappingNode):
        raise InvalidValue(
            "the file must be an object with posts: in it.",
            "Put posts: in the first line, the list below it.",
        )
    return _Tree(has_stand_ins=readable is not text).document(root)


def _invalid_yaml(text: str, error: yaml.MarkedYAMLError) -> InvalidValue:
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return InvalidValue(
            f"the file cannot be read: {error.problem or error.context}.", LOOK_THERE
        )
    line = f"line {mark.line + 1}"
    sign = text[mark.index : mark.index + 1]
    if sign == "\t" or INDENTED_BY_TAB.fullmatch(
        text, text.rfind("\n", 0, mark.index) + 1, mark.index
    ):
        return InvalidValue(f"{line} begins with a tab.", "Use spaces: YAML does not allow tabs.")
    if "cannot start any token" in str(error.problem):
        return InvalidValue(f"{line} cannot be read: a text cannot begin with {sign}.", QUOTE)
    return InvalidValue(f"{line} cannot be read: {error.problem or error.context}.", LOOK_THERE)


def _unprintable(text: str, error: yaml.reader.ReaderError) -> InvalidValue:
    if (found := UNPRINTABLE.search(text)) is None:
        return InvalidValue(f"the file cannot be read: {error.reason}.", LOOK_THERE)
    line = text.count("\n", 0, found.start()) + 1
    number = ord(found[0])
    return InvalidValue(
        f"line {line} holds an invisible control character, number {number}.",
        "Delete it, or type the words around it again.",
    )


class _Tree:
    """Reads the nodes of a document, which may contain characters that replace unusual ends of lines."""

    def __init__(self, *, has_stand_ins: bool) -> None:
        self._has_stand_ins = has_stand_ins
        self._left = MAX_VALUES

    def document(self, root: yaml.MappingNode) -> Rows:
        """Return the content of a whole file."""
        found = Rows()
        top = self._pairs(root, found.problems)
        for name, (key, _) in top.items():
            if name not in SETTINGS:
                found.problems.append(
                    Problem(
                        _line(key), f"Unknown setting {name!r}.", remedy_for_name(name, SETTINGS)
                    )
                )
        if "min_spacing" in top:
            key, value = top["min_spacing"]
            found.min_spacing = self._value(value, key)
        if "defaults" in top:
            found.defaults = self._row(top["defaults"][1], "defaults")
        if "slots" in top:
            found.slots = self._row(top["slots"][1], "slots", SLOTS_EXAMPLE)
        posts = top.get("posts", (None, None))[1]
        if isinstance(posts, yaml.SequenceNode):
            check_count(len(posts.value))
            found.rows = [self._row(node, "a post") for node in posts.value]
        elif not _is_null(posts):
            # posts: with nothing below it means that all of them were removed
            raise InvalidValue(
                "the file has no list of posts.",
                "Write posts: and one entry for each post below it, beginning with a dash.",
            )
        return found

    def _row(self, node: yaml.Node, what: str, example: str = "id: …, video: …") -> Row:
        row = Row(_line(node))
        if isinstance(node, yaml.MappingNode):
            pairs = self._pairs(node, row.problems)
            row.values = {name: self._value(value, key) for name, (key, value) in pairs.items()}
        elif not _is_null(node):
            row.problems.append(
                Problem(
                    row.line, f"{what} must be an object.", f"Write names and values: {example}"
                )
            )
        return row

    def _pairs(self, node: yaml.MappingNode, problems: list[Problem], depth: int = 0) -> Pairs:
        """Return the names and nodes of an object. Its own names override those that ``<<`` adds."""
        merged: Pairs = {}
        own: Pairs = {}
        self._count(len(node.value))
        for key, value in node.value:
            name = self._name(key)
            if key.tag.endswith(":merge") and depth < MAX_DEPTH:
                for part in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                    if isinstance(part, yaml.MappingNode):
                        merged |= self._pairs(part, problems, depth + 1)
            elif name is None:
                message = "a list or an object cannot be the name of a field."
                problems.append(
                    Problem(
                        _line(key),
                        message,
                        "Write a name before the colon, without ? and brackets.",
                    )
                )
            elif name in own:
                message = f"{name} is given twice."
                problems.append(
                    Problem(
                        _line(key),
                        message,
                        f"Keep this one or the one in line {_line(own[name][0])}.",
                    )
                )
            else:
                own[name] = key, value
        return merged | own

    def _value(self, node: yaml.Node, key: yaml.Node) -> Value:
        lines = tuple(map(_line, node.value)) if isinstance(node, yaml.SequenceNode) else ()
        return Value(self._plain(node), _line(key), lines)

    def _plain(self, node: yaml.Node, depth: int = 0) -> Any:
        """Return a node's value. Each scalar is the text in the file: ``no``, ``0123`` and dates are not converted."""
        if isinstance(node, yaml.ScalarNode):
            return None if node.tag.endswith(":null") else self._text(node)
        if depth > MAX_DEPTH:
            return None
        self._count(len(node.value))
        if isinstance(node, yaml.SequenceNode):
            return [self._plain(item, depth + 1) for item in node.value]
        return {self._name(key): self._plain(value, depth + 1) for key, value in node.value}

    def _name(self, key: yaml.Node) -> str | None:
        return public_name(self._text(key)) if isinstance(key, yaml.ScalarNode) else None

    def _text(self, node: yaml.ScalarNode) -> str:
        text: str = node.value
        return text.translate(ORIGINALS) if self._has_stand_ins else text

    def _count(self, values: int) -> None:
        """Check that aliases of aliases do not expand to too many values."""
        self._left -= values
        if self._left < 0:
            raise InvalidValue(
                f"the aliases in the file expand to more than {MAX_VALUES:,} values.",
                "Write the values out where an alias (*name) contains other aliases, or split the calendar.",
            )


def _is_null(node: yaml.Node | None) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag.endswith(":null")


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


@dataclass
class Table:
    """A CSV file. A column that is not a field has None as its name."""

    line: int
    titles: list[str]
    names: list[str | None]
    rows: list[Row]
    problems: list[Problem]


def read_table(text: str, field_of: Callable[[str], str | None]) -> Table:
    """Read a CSV file.

    :param field_of: Returns the field of a column by its title, or None.
    """
    records = split_csv(text)
    line, written = records[0] if records else Record(1, [])
    titles = [*map(public_name, written)]
    while titles and not titles[-1].strip():
        titles.pop()
    check_count(len(records) - 1)
    names = [field_of(title) for title in titles]
    titles_of = defaultdict[str, list[str]](list)
    for title, name in zip(titles, names, strict=True):
        if name:
            titles_of[name].append(title.strip())
    problems = [
        Problem(line, f"several columns mean {name}: {', '.join(those)}.", "Keep one of them.")
        for name, those in titles_of.items()
        if len(those) > 1
    ]
    return Table(line, titles, names, [_row(names, record) for record in records[1:]], problems)


class Record(NamedTuple):
    """A row of a CSV file, with the line where it begins."""

    line: int
    cells: list[str]


def split_csv(text: str) -> list[Record]:
    """Return the rows that are not empty, without Excel's own first line."""
    found = SEPARATOR.match(text)
    head = found[0] if found else ""
    separator = found[1] if found else max(",;\t", key=text.lstrip().partition("\n")[0].count)
    rows = io.StringIO(text[len(head) :], newline="")
    reader = csv.reader(rows, delimiter=separator, strict=True)
    first_line = 2 if head else 1
    records = list[Record]()
    line = first_line
    try:
        for number, cells in enumerate(reader):
            if number == MOST_RECORDS:
                raise InvalidValue(
                    f"the file has more than {MOST_RECORDS:,} rows, also empty ones.",
                    "Delete those.",
                )
            if any(cell.strip() for cell in cells):
                records.append(Record(line, cells))
            line = reader.line_num + first_line
    except csv.Error as error:
        why = next((words for part, words in WORDS.items() if part in str(error)), str(error))
        raise InvalidValue(
            f"the row that begins in line {line} is not CSV: {why}.", QUOTATION
        ) from None
    return records


def _row(names: list[str | None], record: Record) -> Row:
    row = Row(record.line)
    for name, cell in zip(names, record.cells, strict=False):
        if name and cell.strip():
            row.broken = row.broken or name in row.values
            row.values[name] = Value(cell, record.line)
    if any(cell.strip() for cell in record.cells[len(names) :]):
        message = f"the row has {len(record.cells)} cells, but there are {len(names)} columns."
        remedy = 'Put a text that holds the separator between quotation marks: "…".'
        row.problems.append(Problem(record.line, message, remedy))
    return row
