"""A calendar's file as rows: each value as the text that stands there, with its line. YAML, JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import yaml

from airflow_provider_instagram import storage
from airflow_provider_instagram.calendar.faults import Fault, Refusal

LARGEST_BYTES = 10_000_000
DEEPEST = 6
FORMATS = (".yaml", ".yml", ".json", ".csv")
#: An escaped character beyond the 16 bits of JSON's \u, and the doubled backslashes before it.
PAIR = re.compile(r"(?<!\\)((?:\\\\)*)(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})")
SETTINGS = ("defaults", "min_spacing", "posts")
_YAML = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Value:
    """A value as it stands in the file: text, a list or an object of texts, or None."""

    value: Any
    line: int


@dataclass
class Row:
    """What the file says about one post.

    :param line: Where it begins.
    :param values: Its values by their names.
    :param faults: What cannot be right in it, whatever the values mean.
    """

    line: int
    values: dict[str, Value] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


@dataclass
class Rows:
    """What a file says.

    :param rows: Its posts.
    :param defaults: What holds for all of them.
    :param min_spacing: The smallest distance of two posts, as it is written.
    :param faults: What is wrong beside the rows.
    """

    rows: list[Row] = field(default_factory=list)
    defaults: Row = field(default_factory=lambda: Row(0))
    min_spacing: Value | None = None
    faults: list[Fault] = field(default_factory=list)


def read_text(location: str) -> str:
    """Read a calendar's file: on local disk, or wherever ObjectStoragePath reaches.

    :raises Refusal: When it cannot be read.
    """
    try:
        if storage.is_local(location):
            data = storage.local_path(location).read_bytes()
        else:
            from airflow.sdk import ObjectStoragePath

            data = ObjectStoragePath(location).read_bytes()
    except FileNotFoundError:
        raise Refusal("there is no such file.", "Check the path, also upper and lower case.") from None
    except Exception as error:  # noqa: BLE001 -- every storage has errors of its own; a calendar must never break a DAG
        raise Refusal(
            f"the file cannot be read: {type(error).__name__}: {error}.",
            "Check the path, its rights and its connection.",
        ) from None
    if len(data) > LARGEST_BYTES:
        raise Refusal(f"the file has {len(data):,} bytes: at most {LARGEST_BYTES:,} are read.", "Split the calendar.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise Refusal(f"line {line} is not UTF-8 text.", "Save the file as UTF-8 (in Excel: CSV UTF-8).") from None


def parse(text: str, location: str) -> Rows:
    """Read the rows of a calendar.

    :param text: The file's text.
    :param location: Its name, whose ending tells the format.
    :return: The rows, and the faults of single ones.
    :raises Refusal: When nothing of it can be read.
    """
    ending = PurePosixPath(location.partition("?")[0]).suffix.lower()
    if ending not in FORMATS:
        raise Refusal(f"{ending or 'no ending'!r} is no format of a calendar.", f"Use one of {', '.join(FORMATS)}.")
    if ending == ".csv":
        return _csv(text)
    return _tree(PAIR.sub(_one_character, text) if ending == ".json" else text)


def _one_character(pair: re.Match[str]) -> str:
    """JSON writes an emoji as the two halves of UTF-16, which YAML does not know."""
    return f"{pair[1]}{json.loads(f'{chr(34)}{pair[2]}{chr(34)}')}"


def _csv(text: str) -> Rows:
    head, _, _ = text.partition("\n")
    separator = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    found = Rows()
    try:
        names = [name.strip() for name in next(reader, [])]
        if "id" not in names:
            raise Refusal(
                "the first line must name the columns, id among them.",
                "Put id,publish_at,timezone,account,video,caption,… there; for a sheet with columns of its own, use "
                "airflow instagram calendar import.",
            )
        while True:
            line = reader.line_num + 1
            if (cells := next(reader, None)) is None:
                return found
            if any(cell.strip() for cell in cells):
                found.rows.append(_csv_row(names, cells, line))
    except csv.Error as error:
        raise Refusal(f"line {reader.line_num} is not CSV: {error}.", "Look for a quotation mark too many.") from None


def _csv_row(names: list[str], cells: list[str], line: int) -> Row:
    named = zip(names, cells, strict=False)
    row = Row(line, {name: Value(cell, line) for name, cell in named if name and cell.strip()})
    if len(cells) > len(names):
        message = f"the row has {len(cells)} cells under {len(names)} columns."
        row.faults.append(Fault(line, message, 'Put a text that holds the separator between quotation marks: "…".'))
    return row


def _tree(text: str) -> Rows:
    try:
        root = yaml.compose(text, Loader=_YAML)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"line {mark.line + 1}" if mark else "the file"
        raise Refusal(
            f"{line} cannot be read: {error.problem or error.context}.",
            "Look at that line and the one above it: indentation, a missing quotation mark, a colon inside a text.",
        ) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise Refusal(f"the file cannot be read: {error}.", "Look for characters that do not belong there.") from None
    if root is None:
        raise Refusal("the file is empty.", "Begin it with posts: and a list.")
    if not isinstance(root, yaml.MappingNode):
        raise Refusal(
            "the file must be an object with posts: in it.", "Put posts: in the first line, the list below it."
        )
    return _document(root)


def _document(root: yaml.MappingNode) -> Rows:
    found = Rows()
    top = _pairs(root, found.faults)
    for name, (key, _) in top.items():
        if name not in SETTINGS:
            found.faults.append(
                Fault(_line(key), f"{name!r} is nothing a calendar has.", f"Use {', '.join(SETTINGS)}.")
            )
    if "min_spacing" in top:
        found.min_spacing = _value(top["min_spacing"][1])
    if "defaults" in top:
        found.defaults = _row(top["defaults"][1], "defaults")
    posts = top.get("posts", (None, None))[1]
    if not isinstance(posts, yaml.SequenceNode):
        raise Refusal("there is no list of posts.", "Write posts: and below it one entry each, beginning with a dash.")
    found.rows = [_row(node, "a post") for node in posts.value]
    return found


def _row(node: yaml.Node, what: str) -> Row:
    row = Row(_line(node))
    if isinstance(node, yaml.MappingNode):
        row.values = {name: _value(value, key) for name, (key, value) in _pairs(node, row.faults).items()}
    elif not (isinstance(node, yaml.ScalarNode) and node.tag.endswith(":null")):
        row.faults.append(Fault(row.line, f"{what} must be an object.", "Write names and values: id: …, video: …"))
    return row


def _pairs(node: yaml.MappingNode, faults: list[Fault], depth: int = 0) -> dict[str, tuple[yaml.Node, yaml.Node]]:
    """Give names and nodes of an object; what ``<<`` brings in is overridden by what stands beside it."""
    merged: dict[str, tuple[yaml.Node, yaml.Node]] = {}
    own: dict[str, tuple[yaml.Node, yaml.Node]] = {}
    for key, value in node.value:
        name = str(key.value)
        if key.tag.endswith(":merge") and depth < DEEPEST:
            for part in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                if isinstance(part, yaml.MappingNode):
                    merged |= _pairs(part, faults, depth + 1)
        elif name in own:
            faults.append(
                Fault(
                    _line(key), f"{name} stands here for the second time.", f"Keep this or line {_line(own[name][0])}."
                )
            )
        else:
            own[name] = key, value
    return merged | own


def _value(node: yaml.Node, key: yaml.Node | None = None) -> Value:
    return Value(_plain(node), _line(key or node))


def _plain(node: yaml.Node, depth: int = 0) -> Any:
    """Take every scalar as the text that stands there: ``no``, ``0123`` and a date are what the person wrote."""
    if isinstance(node, yaml.ScalarNode):
        return None if node.tag.endswith(":null") else node.value
    if depth > DEEPEST:
        return None
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, depth + 1) for item in node.value]
    return {str(key.value): _plain(value, depth + 1) for key, value in node.value}


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
