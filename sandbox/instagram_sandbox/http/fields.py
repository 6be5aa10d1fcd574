"""The parameter ``fields``: names, modifiers and nested fields, as in ``id,children.limit(2){id,media_url}``.

.. code-block:: text

    fields   = [field *("," field)]
    field    = name *("." modifier) ["{" fields "}"]
    modifier = "fields(" fields ")" | name "(" argument ")"

``.fields(…)`` is another spelling of the braces, and ``.as(…)`` another name in the answer. Source:
Meta, Graph API, Field Expansion; the errors of the syntax are captured by authors of clients.
"""

from __future__ import annotations

import json
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from instagram_sandbox.simulator.errors import GraphError, invalid

if TYPE_CHECKING:
    from instagram_sandbox.http.pipeline import Call

DEEPEST: Final = 6
PAGING: Final = frozenset({"after", "before", "limit"})
TIMES: Final = frozenset({"since", "until"})
_PICTURE: Final = frozenset({"height", "redirect", "type", "width"})
MODIFIERS: Final[dict[str, frozenset[str]]] = {
    **dict.fromkeys(("accounts", "businesses", "children", "collaborators", "comments"), PAGING),
    **dict.fromkeys(("replies", "stories", "tags"), PAGING),
    "business_discovery": frozenset({"username"}),
    "insights": frozenset({"breakdown", "metric", "period"}),
    "media": PAGING | TIMES,
    "mentioned_comment": frozenset({"comment_id"}),
    "mentioned_media": frozenset({"media_id"}),
    "picture": _PICTURE,
}
"""The modifiers that each field takes, beside ``fields`` and ``as``, which the parser reads."""
_NAME: Final = frozenset(string.ascii_letters + string.digits + "_")


@dataclass(frozen=True, slots=True)
class Field:
    """One field that is asked for.

    :param arguments: Its modifiers, such as ``limit``.
    :param alias: Its name in the answer.
    """

    name: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    inner: tuple[Field, ...] = ()
    alias: str = ""

    @property
    def key(self) -> str:
        """The field's name in the answer."""
        return self.alias or self.name

    def __str__(self) -> str:
        """Return the field as it is asked for."""
        arguments = "".join(f".{name}({value})" for name, value in self.arguments.items())
        alias = f".as({self.alias})" if self.alias else ""
        return f"{self.name}{arguments}{alias}" + (
            f"{{{written(self.inner)}}}" if self.inner else ""
        )


Value: TypeAlias = Callable[[Field], Any]


@dataclass(frozen=True, slots=True)
class Node:
    """An object of the Graph API.

    :param type: Its type, as errors name it.
    :param values: How to read each field. None and an empty list are left out of the answer.
    :param unset: Fields that the type has, but this sandbox has no value for.
    :param default: The fields of an answer when none is asked for.
    """

    type: str
    values: Mapping[str, Value]
    unset: frozenset[str] = frozenset()
    default: tuple[str, ...] = ("id",)

    def read(self, asked: tuple[Field, ...]) -> dict[str, Any]:
        """Return the fields that are asked for, and the id.

        :raises GraphError: 100: a field does not exist, or does not take a modifier.
        """
        wanted = asked or tuple(Field(name) for name in self.default)
        if "id" in self.values and all(one.name != "id" for one in wanted):
            wanted = (*wanted, Field("id"))
        row = {}
        for one in wanted:
            if one.name not in self.values and one.name not in self.unset:
                raise invalid(
                    f"Tried accessing nonexisting field ({one.name}) on node type ({self.type})"
                )
            for modifier in one.arguments:
                if modifier not in MODIFIERS.get(one.name, ()):
                    raise invalid(f"Unexpected parameter {modifier} of the field {one.name}")
            value = None if one.name in self.unset else self.values[one.name](one)
            if value not in (None, {"data": []}):
                row[one.key] = value
        return row


def computed(read: Callable[[], Any]) -> Value:
    """Return a reader of a field whose value is no object of the Graph API, but may have fields of its own."""

    def value(asked: Field) -> Any:
        found = read()
        if not asked.inner or found is None:
            return found
        if not isinstance(found, dict):
            raise GraphError(2500, None, f"(#2500) Subfields are not supported by {asked.name}")
        return Node(asked.name, {name: constant(one) for name, one in found.items()}).read(
            asked.inner
        )

    return value


def constant(value: Any) -> Value:
    """Return a reader of a field that always has the same value."""
    return computed(lambda: value)


def row_node(type_name: str, row: Mapping[str, Any], default: tuple[str, ...]) -> Node:
    """Return an object whose fields are all known."""
    return Node(type_name, {name: constant(value) for name, value in row.items()}, default=default)


def fields_of(call: Call) -> tuple[Field, ...]:
    """Return the fields that a call asks for: names with commas between them, or an array, also as JSON text."""
    asked = call.params.get("fields", "")
    if isinstance(asked, str) and asked.lstrip().startswith("["):
        try:
            asked = json.loads(asked)
        except ValueError:
            asked = str(asked)  # the parser says where it is wrong
    found = parse(",".join(map(str, asked)) if isinstance(asked, list) else str(asked))
    if any(_has_alias(one) for one in found):
        call.retired("field aliases")
    return found


def _has_alias(one: Field) -> bool:
    return bool(one.alias) or any(_has_alias(inner) for inner in one.inner)


def written(fields: tuple[Field, ...]) -> str:
    """Return fields as the parameter ``fields`` writes them."""
    return ",".join(map(str, fields))


def parse(text: str) -> tuple[Field, ...]:
    """Read the parameter ``fields``.

    :raises GraphError: 2500: the text does not follow the syntax.
    """
    return _Parser(text).fields("", 0)


class _Parser:
    """Reads a text from left to right.

    :param text: The text. Between names, space and empty fields mean nothing.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def fields(self, end: str, depth: int) -> tuple[Field, ...]:
        """Read fields and what ends them; nothing is the end of the text."""
        if depth > DEEPEST:
            raise GraphError(
                2500, None, f"The parameter fields is nested more than {DEEPEST} times"
            )
        found: dict[str, Field] = {}
        while True:
            while self._next() == ",":
                self._at += 1
            if self._next() == end:
                self._at += len(end)
                return tuple(found.values())
            one = self._field(depth)
            if one.key in found:
                what = f"Field {one.key} specified more than once. This is only possible before version 2.1"
                raise self._error(what)
            found[one.key] = one
            if self._next() not in {",", end}:
                raise self._expected(f'"{end}"' if end else "end of string")

    def _field(self, depth: int) -> Field:
        name = self._name()
        alias = ""
        arguments: dict[str, str] = {}
        inner: tuple[Field, ...] = ()
        while self._next() == ".":
            self._at += 1
            modifier = self._name()
            if self._next() != "(":
                raise self._expected('"("')
            self._at += 1
            if modifier in arguments or (modifier == "fields" and inner):
                raise self._error(f"Modifier {modifier} specified more than once")
            if modifier == "fields":
                inner = self.fields(")", depth + 1)
            elif modifier == "as":
                alias = self._argument()
            else:
                arguments[modifier] = self._argument()
        if self._next() == "{" and not inner:
            self._at += 1
            inner = self.fields("}", depth + 1)
        return Field(name, arguments, inner, alias)

    def _name(self) -> str:
        self._next()
        start = self._at
        while self._text[self._at : self._at + 1] in _NAME:
            self._at += 1
        if start == self._at:
            raise self._error("Expected name.")
        return self._text[start : self._at]

    def _argument(self) -> str:
        """Read a text up to the bracket that closes it. It may contain brackets in pairs."""
        start = self._at
        opened = 1
        while opened:
            found = self._text[self._at : self._at + 1]
            if not found:
                raise self._expected('")"')
            opened += {"(": 1, ")": -1}.get(found, 0)
            self._at += 1
        return self._text[start : self._at - 1].strip()

    def _next(self) -> str:
        """Skip space, and return the next character; nothing at the end of the text."""
        while self._text[self._at : self._at + 1].isspace():
            self._at += 1
        return self._text[self._at : self._at + 1]

    def _expected(self, what: str) -> GraphError:
        found = self._text[self._at : self._at + 1]
        return self._error(
            f'Expected {what} instead of "{found}".' if found else f"Expected {what}."
        )

    def _error(self, what: str) -> GraphError:
        return GraphError(
            2500, None, f'Syntax error "{what}" at character {self._at}: {self._text}'
        )
