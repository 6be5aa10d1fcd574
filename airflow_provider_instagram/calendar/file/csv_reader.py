"""Read CSV strictly, because a caption cut off here would be published cut off, and change one row in its text."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

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
    """A CSV file. A column that is not a field has None as its name."""

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


#: The end of a row as Python writes it: what looks like one within a text is put between quotation marks.
END: Final = "\r\n"


class TableText:
    """The text of a CSV calendar, whose rows can be read."""

    def __init__(self, text: str) -> None:
        found = SEPARATOR.match(text)
        self._head = found[0] if found else ""
        body = text[len(self._head) :]
        self._separator = found[1] if found and found[1] else separator_of(body)
        self._newline = "\r\n" if "\r\n" in body else "\n"
        lines, begin = [*io.StringIO(body, newline="")], 0
        reader = csv.reader(lines, delimiter=self._separator, strict=True)
        #: Each row as it is written, and its cells. Rows without cells are kept.
        self._rows: list[tuple[str, list[str]]] = []
        for cells in reader:
            self._rows.append(("".join(lines[begin : reader.line_num]), cells))
            begin = reader.line_num
        self._title_row = next(at for at, (_, cells) in enumerate(self._rows) if any(cell.strip() for cell in cells))
        self._titles = [title.strip() for title in self._rows[self._title_row][1]]

    def change(self, post_id: str, fields: Mapping[str, Any]) -> str:
        """Return the text with other values of a post. A field without a column gets one."""
        at = self._row(post_id)
        self._add_columns(fields)
        cells = dict(zip(self._titles, self._rows[at][1], strict=False))
        self._rows[at] = self._written(at, cells | {name: _cell(value) for name, value in fields.items()})
        return self._text()

    def remove(self, post_id: str) -> tuple[str, str]:
        """Return the text without a post, and what was removed."""
        removed, _ = self._rows.pop(self._row(post_id))
        return self._text(), removed

    def insert(self, post: str | Mapping[str, Any], after: str | None) -> str:
        """Return the text with one more post."""
        at = self._row(after) if after is not None else self._title_row
        if not isinstance(post, str):
            self._add_columns(post)
            post, _ = self._written(at, {name: _cell(value) for name, value in post.items()})
        before, cells = self._rows[at]
        self._rows[at] = (before if before.endswith(("\n", "\r")) else before + self._newline), cells
        self._rows.insert(at + 1, (post if post.endswith(("\n", "\r")) else post + self._newline, []))
        return self._text()

    def _row(self, post_id: str) -> int:
        column = self._titles.index("id")
        ids = [cells[column].strip() if len(cells) > column else "" for _, cells in self._rows]
        return ids.index(post_id, self._title_row + 1)

    def _add_columns(self, fields: Mapping[str, Any]) -> None:
        new = [name for name, value in fields.items() if name not in self._titles and value is not None]
        if not new:
            return
        text, cells = self._rows[self._title_row]
        self._titles += new
        self._rows[self._title_row] = self._dumped([*cells, *new], like=text)

    def _written(self, at: int, values: Mapping[str, str]) -> tuple[str, list[str]]:
        cells = [values.get(title, "") for title in self._titles]
        return self._dumped(cells, like=self._rows[at][0])

    def _dumped(self, cells: list[str], like: str) -> tuple[str, list[str]]:
        """Return a row as it is written, with as many quotation marks and the same end as another one."""
        ending = like[len(like.rstrip("\r\n")) :]
        before = next(csv.reader([*io.StringIO(like, newline="")], delimiter=self._separator), [])
        is_quoted = bool(before) and self._dump(before, csv.QUOTE_ALL) == like.rstrip("\r\n")
        return self._dump(cells, csv.QUOTE_ALL if is_quoted else csv.QUOTE_MINIMAL) + ending, cells

    def _dump(self, cells: list[str], quoting: Any) -> str:
        out = io.StringIO(newline="")
        csv.writer(out, delimiter=self._separator, quoting=quoting, lineterminator=END).writerow(cells)
        return out.getvalue().removesuffix(END)

    def _text(self) -> str:
        return self._head + "".join(row for row, _ in self._rows)


def _cell(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    if any("," in str(one) for one in value):
        raise InvalidValue("a word of a list contains a comma, which a cell cannot hold.", "Leave the comma out.")
    return ", ".join(map(str, value))
