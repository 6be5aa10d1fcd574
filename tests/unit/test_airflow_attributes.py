"""What the provider takes from Airflow: only public names."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "airflow_provider_instagram"
MODULES = sorted(PACKAGE.rglob("*.py"))
#: A name such as ``_state`` or ``_internal``, but not ``__name__``.
PRIVATE = re.compile(r"_(?!_)")
OURS = ("self", "cls")
#: What Python itself documents under such a name: of named tuples, of enums and of processes.
OF_PYTHON = ("_replace", "_asdict", "_value_", "_exit")
#: What looks up an attribute whose name is a text.
BY_NAME = ("getattr", "setattr", "hasattr")


def private_names(node: ast.AST) -> Iterator[str]:
    """Yield the private names of others that a piece of code uses."""
    match node:
        case ast.Attribute(value=owner, attr=name) if ast.unparse(owner) not in OURS and name not in OF_PYTHON:
            yield name
        case ast.ImportFrom(module=str(module), names=names) if module.split(".")[0] == "airflow":
            yield from module.split(".")
            yield from (name.name for name in names)
        case ast.Import(names=names):
            yield from (part for name in names if name.name.startswith("airflow.") for part in name.name.split("."))
        case ast.Call(func=ast.Name(id=function), args=[_, ast.Constant(value=str(name)), *_]) if function in BY_NAME:
            yield name


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_no_module_names_a_private_attribute_of_airflow(file: Path) -> None:
    private = [
        f"{name} in line {getattr(node, 'lineno', 0)}: {ast.unparse(node)}"
        for node in ast.walk(ast.parse(file.read_text()))
        for name in private_names(node)
        if PRIVATE.match(name)
    ]
    assert private == []


def classes() -> Iterator[type]:
    """Yield the classes of the provider that inherit from one of Airflow's."""
    for file in MODULES:
        if "airflow.sdk" in (text := file.read_text()) or "airflow.triggers" in text or "operators.base" in text:
            module = import_module(".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts))
            for one in vars(module).values():
                if inspect.isclass(one) and one.__module__ == module.__name__ and any(map(_is_airflows, one.mro())):
                    yield one


def _is_airflows(one: type) -> bool:
    return one.__module__.split(".")[0] == "airflow"


def test_no_class_replaces_a_private_method_of_airflow() -> None:
    found = {one.__name__: one for one in classes()}
    assert {"InstagramBaseOperator", "ContainerStatusTrigger", "InstagramHook", "PublishPost"} <= found.keys()
    for one in found.values():
        private = {name for name, value in vars(one).items() if PRIVATE.match(name) and inspect.isfunction(value)}
        assert not private.intersection(*map(vars, filter(_is_airflows, one.mro()))), one
