"""Classes and functions as Markdown, from their docstrings and signatures, so that a checkout shows them, too."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, get_type_hints

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_FIELD: Final = re.compile(r"^:(\w+)(?: ([\w.]+))?:", re.MULTILINE)
_ROLE: Final = re.compile(r":[\w:]+:`[.~]*([^`]+)`")


def plain(text: str) -> str:
    """Return a text with the roles and literals of reST as Markdown."""
    return _ROLE.sub(r"`\1`", text).replace("``", "`")


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a table, with each cell in one line."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in line) + " |"
        for line in lines
    )


def members(*names: str, prefix: str = "airflow_provider_instagram.") -> str:
    """Return classes and functions by the names with which they are imported, and the methods that follow a colon."""
    return "\n\n".join(part for name in names for part in _member(prefix + name))


def _member(name: str) -> Iterator[str]:
    path, _, methods = name.partition(":")
    module, _, attribute = path.rpartition(".")
    shown = getattr(import_module(module), attribute)
    yield f"## {attribute}"
    yield f"`from {module} import {attribute}`"
    yield from _described(shown)
    for method in filter(None, methods.split(",")):
        yield f"### {attribute}.{method}"
        yield from _described(getattr(shown, method))


def _described(shown: Any) -> Iterator[str]:
    """Yield the text of a docstring, and a table of the arguments. Of a class, only those that it documents."""
    text = inspect.getdoc(shown) or ""
    found = list(_FIELD.finditer(text))
    ends = [*(each.start() for each in found[1:]), len(text)]
    fields = {
        each[2] or each[1]: plain(text[each.end() : end])
        for each, end in zip(found, ends, strict=False)
    }
    yield plain(text[: found[0].start() if found else None].strip())
    if not callable(shown):
        return
    signature = inspect.signature(shown)
    taken = {**_of_bases(shown), **_parameters(shown)}
    # operators inherit BaseOperator's
    is_whole = not inspect.isclass(shown) or "__dataclass_fields__" in vars(shown)
    own = [
        name
        for name, one in _parameters(shown).items()
        if name in fields or (is_whole and _is_shown(one))
    ]
    named = dict.fromkeys([*own, *(name for name in fields if name in taken)])
    rows = [
        (f"`{name}`", _type(taken[name]), _default(taken[name]), fields.get(name, ""))
        for name in named
    ]
    if rows:
        yield table(("name", "type", "default", "meaning"), rows)
    if not inspect.isclass(shown):
        yield f"Returns `{signature.return_annotation}`. {' '.join(fields.get('return', '').split())}".rstrip()


def _parameters(shown: Any) -> dict[str, inspect.Parameter]:
    """Return the arguments of a call. A model of Meta's answers has the types of its values, not of their readers."""
    if not hasattr(shown, "__pydantic_fields__"):
        return dict(inspect.signature(shown).parameters)
    hints, found = get_type_hints(shown), dict[str, inspect.Parameter]()
    for name, field in shown.__pydantic_fields__.items():
        default = (
            inspect.Parameter.empty
            if field.is_required()
            else field.get_default(call_default_factory=True)
        )
        hint = inspect.formatannotation(hints[name]).replace("datetime.", "")
        found[name] = inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint
        )
    return found


def _of_bases(shown: Any) -> dict[str, inspect.Parameter]:
    """Return the arguments of the constructors to which a constructor passes on its ``kwargs``."""
    bases = reversed(inspect.getmro(shown)[1:]) if inspect.isclass(shown) else ()
    signatures = (inspect.signature(base.__init__) for base in bases)  # type: ignore[misc]
    return {name: value for signature in signatures for name, value in signature.parameters.items()}


def _is_shown(parameter: inspect.Parameter) -> bool:
    return parameter.name != "self" and parameter.kind is not parameter.VAR_KEYWORD


def _type(parameter: inspect.Parameter) -> str:
    return f"`{parameter.annotation}`".replace("Templated", "str")


def _default(parameter: inspect.Parameter) -> str:
    return (
        ""
        if parameter.default is parameter.empty
        else f"`{parameter.default!r}`".replace("datetime.", "")
    )
