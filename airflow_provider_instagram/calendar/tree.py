"""YAML and JSON as rows: every scalar as the text that stands there, with its line."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

from airflow_provider_instagram.calendar.faults import Fault, Refusal
from airflow_provider_instagram.calendar.rows import Row, Rows, Value

DEEPEST = 6
#: An escaped character beyond the 16 bits of JSON's \u, and the doubled backslashes before it.
PAIR = re.compile(r"(?<!\\)((?:\\\\)*)(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})")
SETTINGS = ("defaults", "min_spacing", "posts")
_YAML = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_json(text: str) -> Rows:
    """Read the rows of a JSON file.

    :raises Refusal: When nothing of it can be read.
    """
    return read_yaml(PAIR.sub(_one_character, text))


def _one_character(pair: re.Match[str]) -> str:
    """JSON writes an emoji as the two halves of UTF-16, which YAML does not know."""
    return f"{pair[1]}{json.loads(f'{chr(34)}{pair[2]}{chr(34)}')}"


def read_yaml(text: str) -> Rows:
    """Read the rows of a YAML file.

    :raises Refusal: When nothing of it can be read.
    """
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
