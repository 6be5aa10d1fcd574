"""Read CSV strictly: a caption cut off here would be published cut off."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from airflow_provider_instagram.calendar.file.problems import InvalidValue, Problem
from airflow_provider_instagram.calendar.file.rows import Row, Value, check_count, public_name

MAX_COLUMNS = 200
#: Excel's own first line, which names the separator.
SEPARATOR = re.compile(r'"?sep=([,;\t|])"?\r?\n', re.IGNORECASE)
QUOTATION = 'Check the quotation marks: one is missing, or there is one too many. Inside a text, write it twice: "".'
#: The errors of Python's reader, in plain words.
WORDS = {
    "unexpected end": "a quotation mark is not closed",
    "expected after": "a text goes on after its closing quotation mark",
    "field larger": f"a cell has more than {csv.field_size_limit():,} characters",
}


@dataclass
class Table:
    """A CSV file.

    :param names: The field that each column contains, or None.
    """

    line: int
    titles: list[str]
    names: list[str | None]
    rows: list[Row]
    problems: list[Problem]


def read_table(text: str, field_of: Callable[[str], str | None]) -> Table:
    """Read a CSV file.

    :param field_of: Returns the field of a column by its title, or None.
    :raises InvalidValue: If it is not CSV.
    """
    records = _records(text)
    line, titles = next(records, (1, []))
    titles = [*map(public_name, titles)]
    while titles and not titles[-1].strip():
        titles.pop()
    if len(titles) > MAX_COLUMNS:
        raise InvalidValue(f"the file has {len(titles):,} columns; at most {MAX_COLUMNS} are allowed.", "Remove some.")
    names = [field_of(title) for title in titles]
    lines = list(records)
    check_count(len(lines))
    rows = [_row(names, cells, begins) for begins, cells in lines]
    return Table(line, titles, names, rows, _duplicate_columns(line, titles, names))


def separator_of(text: str) -> str:
    """Return the separator of a table that does not name it: the most frequent one in its first line."""
    return max(",;\t", key=text.lstrip().partition("\n")[0].count)


def _records(text: str) -> Iterator[tuple[int, list[str]]]:
    """Return the rows that are not empty, each with the line where it begins."""
    first_line = SEPARATOR.match(text)
    body = text[first_line.end() :] if first_line else text
    separator = first_line[1] if first_line else separator_of(body)
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=separator, strict=True)
    while True:
        line = reader.line_num + (2 if first_line else 1)
        try:
            cells = next(reader, None)
        except csv.Error as error:
            why = next((words for part, words in WORDS.items() if part in str(error)), str(error))
            raise InvalidValue(f"the row that begins in line {line} is not CSV: {why}.", QUOTATION) from None
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield line, cells


def _row(names: list[str | None], cells: list[str], line: int) -> Row:
    row = Row(line)
    for name, cell in zip(names, cells, strict=False):
        if name and cell.strip():
            row.broken = row.broken or name in row.values
            row.values[name] = Value(cell, line)
    if any(cell.strip() for cell in cells[len(names) :]):
        message = f"the row has {len(cells)} cells, but there are {len(names)} columns."
        row.problems.append(Problem(line, message, 'Put a text that holds the separator between quotation marks: "…".'))
    return row


def _duplicate_columns(line: int, titles: list[str], names: list[str | None]) -> list[Problem]:
    problems = []
    for name in dict.fromkeys(name for name in names if name and names.count(name) > 1):
        those = ", ".join(title.strip() for title, other in zip(titles, names, strict=True) if other == name)
        problems.append(Problem(line, f"several columns mean {name}: {those}.", "Keep one of them."))
    return problems
