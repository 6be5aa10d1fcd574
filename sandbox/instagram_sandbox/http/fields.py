"""The parameter ``fields``: names, modifiers and nested fields, as in ``id,children.limit(2){id,media_url}``.

Source: Meta, Graph API, Field Expansion.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from instagram_sandbox.simulator.errors import GraphError

DEEPEST: Final = 6


@dataclass(frozen=True, slots=True)
class Field:
    """One field that is asked for.

    :param arguments: Its modifiers, such as ``limit``.
    """

    name: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    inner: tuple[Field, ...] = ()


Value: TypeAlias = Callable[[Field], Any]


@dataclass(frozen=True, slots=True)
class Node:
    """An object of the Graph API.

    :param type: Its type, as errors name it.
    :param values: How to read each field. A field whose value is None is left out of the answer.
    :param unset: Fields that the type has, but this sandbox has no value for.
    :param default: The fields of an answer when none is asked for.
    """

    type: str
    values: Mapping[str, Value]
    unset: frozenset[str] = frozenset()
    default: tuple[str, ...] = ("id",)

    def read(self, asked: tuple[Field, ...]) -> dict[str, Any]:
        """Return the fields that are asked for, and the id.

        :raises GraphError: 100: a field does not exist.
        """
        wanted = asked or tuple(Field(name) for name in self.default)
        if "id" in self.values and all(one.name != "id" for one in wanted):
            wanted = (*wanted, Field("id"))
        row = {}
        for one in wanted:
            if one.name in self.unset:
                continue
            if one.name not in self.values:
                what = f"(#100) Tried accessing nonexisting field ({one.name}) on node type ({self.type})"
                raise GraphError(100, None, what)
            value = self.values[one.name](one)
            if value is not None:
                row[one.name] = value
        return row


def edge(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the rows of an edge, with the cursors of this page."""
    return {"data": rows} | (
        {"paging": {"cursors": {"before": rows[0]["id"], "after": rows[-1]["id"]}}} if rows else {}
    )


def constant(value: Any) -> Value:
    """Return a reader of a field that always has the same value."""
    return lambda _: value


def parse(text: str) -> tuple[Field, ...]:
    """Read the parameter ``fields``.

    :raises GraphError: 2500: the text does not follow the syntax.
    """
    reader = _Reader(text)
    found = reader.fields(0)
    if reader.rest():
        raise reader.error()
    return found


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def rest(self) -> str:
        self._take(r"\s*")
        return self._text[self._at :]

    def error(self) -> GraphError:
        found = f'"{self._text[self._at]}"' if self._at < len(self._text) else "the end"
        return GraphError(
            2500, None, f'Syntax error "Expected name instead of {found}." at character {self._at}: fields'
        )

    def fields(self, depth: int) -> tuple[Field, ...]:
        if depth > DEEPEST:
            raise GraphError(2500, None, f"The parameter fields is nested more than {DEEPEST} times")
        found: dict[str, Field] = {}
        while True:
            self._take(r"[\s,]*")
            name = self._take(r"[A-Za-z_]\w*")
            if not name:
                return tuple(found.values())
            arguments = {}
            while (modifier := self._match(r"\s*\.\s*(\w+)\(([^()]*)\)")) is not None:
                arguments[modifier[1]] = modifier[2]
            inner: tuple[Field, ...] = ()
            if self._take(r"\s*\{"):
                inner = self.fields(depth + 1)
                if not self._take(r"\s*\}"):
                    raise self.error()
            found[name] = Field(name, arguments, inner)
            self._take(r"\s*")
            if self._at < len(self._text) and self._text[self._at] not in ",}":
                raise self.error()

    def _match(self, pattern: str) -> re.Match[str] | None:
        found = re.compile(pattern, re.ASCII).match(self._text, self._at)
        if found is not None:
            self._at = found.end()
        return found

    def _take(self, pattern: str) -> str:
        found = self._match(pattern)
        return found[0] if found else ""
