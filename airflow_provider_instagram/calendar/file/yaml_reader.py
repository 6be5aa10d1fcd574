"""YAML and JSON as rows: each scalar as the text in the file, with its line."""

from __future__ import annotations

import json
import re
from itertools import islice
from typing import Any

import yaml

from airflow_provider_instagram.calendar.file.problems import InvalidValue, Problem
from airflow_provider_instagram.calendar.file.rows import MAX_POSTS, Row, Rows, Value, check_count, public_name

MAX_DEPTH = 6
SLOTS_EXAMPLE = "{instagram_default: [Mon 08:30, Thu 19:00]}"
#: A character that JSON escapes in two halves, because it exceeds 16 bits, and the doubled backslashes before it.
SURROGATE_PAIR = re.compile(r"(?<!\\)((?:\\\\)*)(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})")
#: What a file may contain, each with its meaning.
SETTINGS = {
    "defaults": "The values of posts that have none of their own.",
    "min_spacing": "The smallest distance between two posts of an account: 15 minutes. A number alone counts minutes.",
    "slots": "The weekly times of each account at which it publishes posts without publish_at: [Mon 08:30, Thu 19:00].",
    "posts": "The posts.",
}
#: How a JSON file names its schema, for editors.
SCHEMA = "$schema"
#: More than the largest file contains in useful entries, and few enough to read in a second.
MAX_VALUES = 1_000_000
#: The names and values of that many posts. A long text is counted before it is composed, which takes minutes for 10 MB.
MAX_EVENTS = 30 * MAX_POSTS
LONG_TEXT = 500_000
#: Characters that end a line in YAML but in no editor, for example in a text pasted from Word. While the file is read,
#: characters without a meaning replace them.
STAND_INS = {0x85: 0xFDD0, 0x2028: 0xFDD1, 0x2029: 0xFDD2}
ORIGINALS = {held: sign for sign, held in STAND_INS.items()}
#: All characters that are not printable in YAML 1.1.
UNPRINTABLE = re.compile("[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
INDENTED_BY_TAB = re.compile(r"[ -]*\t\s*")
LOOK_THERE = "Check that line and the one above it for indentation, a missing quotation mark, or a colon inside a text."
QUOTE = 'Put the text between quotation marks: "…".'
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_json(text: str) -> Rows:
    """Read the rows of a JSON file."""
    return read_yaml(SURROGATE_PAIR.sub(_one_character, text))


def _one_character(pair: re.Match[str]) -> str:
    """Return the character of a surrogate pair: JSON may escape an emoji as two halves, which YAML cannot read."""
    return f"{pair[1]}{json.loads(f'{chr(34)}{pair[2]}{chr(34)}')}"


def read_yaml(text: str) -> Rows:
    """Read the rows of a YAML file, with the problems of each."""
    readable = text.translate(STAND_INS) if any(chr(sign) in text for sign in STAND_INS) else text
    try:
        if len(readable) > LONG_TEXT and any(islice(yaml.parse(readable, Loader=LOADER), MAX_EVENTS, None)):
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
            "the file must be an object with posts: in it.", "Put posts: in the first line, the list below it."
        )
    return _Tree(has_stand_ins=readable is not text).document(root)


def _invalid_yaml(text: str, error: yaml.MarkedYAMLError) -> InvalidValue:
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return InvalidValue(f"the file cannot be read: {error.problem or error.context}.", LOOK_THERE)
    line, sign = f"line {mark.line + 1}", text[mark.index : mark.index + 1]
    if sign == "\t" or INDENTED_BY_TAB.fullmatch(text, text.rfind("\n", 0, mark.index) + 1, mark.index):
        return InvalidValue(f"{line} begins with a tab.", "Use spaces: YAML does not allow tabs.")
    if "cannot start any token" in str(error.problem):
        return InvalidValue(f"{line} cannot be read: a text cannot begin with {sign}.", QUOTE)
    return InvalidValue(f"{line} cannot be read: {error.problem or error.context}.", LOOK_THERE)


def _unprintable(text: str, error: yaml.reader.ReaderError) -> InvalidValue:
    if (found := UNPRINTABLE.search(text)) is None:
        return InvalidValue(f"the file cannot be read: {error.reason}.", LOOK_THERE)
    line, number = text.count("\n", 0, found.start()) + 1, ord(found[0])
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
            if name not in SETTINGS and name != SCHEMA:
                found.problems.append(
                    Problem(_line(key), f"Unknown setting {name!r}.", f"The settings are {', '.join(SETTINGS)}.")
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
        elif not _is_null(posts):  # posts: with nothing below it means that all of them were removed
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
            row.problems.append(Problem(row.line, f"{what} must be an object.", f"Write names and values: {example}"))
        return row

    def _pairs(
        self, node: yaml.MappingNode, problems: list[Problem], depth: int = 0
    ) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """Return the names and nodes of an object. Its own names override those that ``<<`` adds."""
        merged: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        own: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        self._count(len(node.value))
        for key, value in node.value:
            name = self._name(key)
            if key.tag.endswith(":merge") and depth < MAX_DEPTH:
                for part in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                    if isinstance(part, yaml.MappingNode):
                        merged |= self._pairs(part, problems, depth + 1)
            elif name is None:
                message = "a list or an object cannot be the name of a field."
                problems.append(Problem(_line(key), message, "Write a name before the colon, without ? and brackets."))
            elif name in own:
                message = f"{name} is given twice."
                problems.append(
                    Problem(_line(key), message, f"Keep this one or the one in line {_line(own[name][0])}.")
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
