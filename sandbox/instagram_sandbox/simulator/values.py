"""The values of parameters: text, booleans, lists and objects, as a form or JSON has them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from instagram_sandbox.simulator.errors import invalid

if TYPE_CHECKING:
    from collections.abc import Mapping


def text(params: Mapping[str, Any], name: str) -> str:
    """Return a parameter that is text or a number; nothing if it is missing."""
    value = params.get(name, "")
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise invalid(f"Param {name} must be a string")
    if "\0" in str(value):
        raise invalid(f"Param {name} must not hold a NUL character")
    return str(value)


def flag(params: Mapping[str, Any], name: str) -> bool | None:
    """Return a parameter that is a boolean; None if it is missing."""
    value = params.get(name)
    if value is None or value == "":
        return None
    said = str(value).lower()
    if said not in {"true", "false", "1", "0"}:
        raise invalid(f"Param {name} must be a boolean")
    return said in {"true", "1"}


def json_object(params: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Read a required object, which a form has as JSON."""
    found: dict[str, Any] | None = json_value(params, name, dict)
    if not found:
        raise invalid(f"The parameter {name} is required")
    return found


def json_value(params: Mapping[str, Any], name: str, form: type) -> Any:
    """Return a list or an object, which a form has as JSON; None if it is missing."""
    value = params.get(name)
    if value == "":
        return None
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise invalid(
                f"Param {name} must be {'an array' if form is list else 'an object'} in JSON"
            ) from None
    if value is not None and not isinstance(value, form):
        raise invalid(f"Param {name} must be {'an array' if form is list else 'an object'}")
    return value
