"""Change one post in the text of a CSV calendar. Every other row stays as it is."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from airflow_provider_instagram.calendar.file.problems import InvalidValue
from airflow_provider_instagram.calendar.file.reader import split_csv
from airflow_provider_instagram.calendar.file.texts import GONE, Changes, NewPost

#: The end of a row as Python writes it: what looks like one within a text is put between quotation marks.
END_OF_ROW: Final = "\r\n"


class TableText:
    """The text of a CSV calendar, whose rows can be read."""

    def __init__(self, text: str) -> None:
        self._head, self._separator, records = split_csv(text)
        self._newline = "\r\n" if "\r\n" in text[len(self._head) :] else "\n"
        self._rows = [(record.text, record.cells) for record in records]
        self._title_row = next(at for at, (_, cells) in enumerate(self._rows) if any(cell.strip() for cell in cells))
        self._titles = [title.strip() for title in self._rows[self._title_row][1]]

    def change(self, changes: Changes, new: Sequence[NewPost] = ()) -> str:
        """Return the text with other values of posts, and with new posts. A field without a column gets one."""
        for post_id, fields in changes.items():
            at = self._row(post_id)
            self._add_columns(fields)
            cells = dict(zip(self._titles, self._rows[at][1], strict=False))
            self._rows[at] = self._written(at, cells | {name: cell(value) for name, value in fields.items()})
        for after, post in reversed(new):
            self._insert(post, after)
        return self._text()

    def remove(self, post_id: str) -> tuple[str, str]:
        """Return the text without a post, and what was removed."""
        removed, _ = self._rows.pop(self._row(post_id))
        return self._text(), removed

    def _insert(self, post: str | Mapping[str, Any], after: str | None) -> None:
        at = self._row(after) if after is not None else self._title_row
        if not isinstance(post, str):
            self._add_columns(post)
            post, _ = self._written(at, {name: cell(value) for name, value in post.items()})
        before, cells = self._rows[at]
        self._rows[at] = (before if before.endswith(("\n", "\r")) else before + self._newline), cells
        self._rows.insert(at + 1, (post if post.endswith(("\n", "\r")) else post + self._newline, []))

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
        csv.writer(out, delimiter=self._separator, quoting=quoting, lineterminator=END_OF_ROW).writerow(cells)
        return out.getvalue().removesuffix(END_OF_ROW)

    def _text(self) -> str:
        return self._head + "".join(row for row, _ in self._rows)


def cell(value: Any) -> str:
    """Return a value as a cell contains it."""
    if value is None or value is GONE or isinstance(value, str):
        return value if isinstance(value, str) else ""
    if not isinstance(value, list) or any(isinstance(one, dict) for one in value):
        return json.dumps(value, ensure_ascii=False)
    if any("," in str(one) for one in value):
        raise InvalidValue("a word of a list contains a comma, which a cell cannot hold.", "Leave the comma out.")
    return ", ".join(map(str, value))
