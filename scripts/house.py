"""``make lint``: count what the provider is made of, and fail where a number is above its limit.

Whoever lowers a number lowers its limit here. A feature that needs more raises it, with the reason in its commit. The
goals are those of the next release.
"""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import grimp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT: Final = Path(__file__).parents[1]
#: Whatever names two of these in one statement defines the kinds of posts once more.
KINDS: Final = frozenset({"reel", "reels", "picture", "image", "carousel", "story", "stories"})
DOCUMENTED: Final = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class House:
    """A package. Its rooms are the packages and modules right below it."""

    folder: Path

    @cached_property
    def modules(self) -> dict[str, str]:
        """The text of each module, by its path below the package."""
        return {
            file.relative_to(self.folder).as_posix(): file.read_text(encoding="utf-8")
            for file in sorted(self.folder.rglob("*.py"))
        }

    @cached_property
    def arrows(self) -> dict[str, set[str]]:
        """The rooms that each room imports, for type checkers only as well."""
        graph = grimp.build_graph(self.folder.name, exclude_type_checking_imports=False, cache_dir=None)
        arrows: dict[str, set[str]] = {_room(module): set() for module in graph.modules if "." in module}
        for module in graph.modules:
            for imported in graph.find_modules_directly_imported_by(module):
                if "." in module and "." in imported and _room(module) != _room(imported):
                    arrows[_room(module)].add(_room(imported))
        return arrows

    def lines(self, room: str = "") -> int:
        """Count the lines of Python, of one room if it is named."""
        return sum(len(text.splitlines()) for name, text in self.modules.items() if name.startswith(room))

    def lines_of_sandbox(self) -> int:
        """Count the lines of the sandbox beside the package."""
        return _lines_below(self.folder.parent / "sandbox" / "instagram_sandbox")

    def lines_of_tests(self) -> int:
        """Count the lines of the tests beside the package."""
        return _lines_below(self.folder.parent / "tests")

    def module_count(self) -> int:
        """Count the modules, without each ``__init__``."""
        return sum(not name.endswith("__init__.py") for name in self.modules)

    def rooms(self) -> int:
        """Count the rooms."""
        return len(self.arrows)

    def arrow_count(self) -> int:
        """Count the pairs of rooms of which one imports the other."""
        return sum(map(len, self.arrows.values()))

    def circles(self) -> int:
        """Count the rooms that import themselves by way of others."""
        return sum(room in self._reached_from(room) for room in self.arrows)

    def floors(self) -> int:
        """Count the rooms of the longest chain in which each imports the next. Each circle counts as endless."""
        if self.circles():
            return sys.maxsize
        heights: dict[str, int] = {}

        def height(room: str) -> int:
            if room not in heights:
                heights[room] = 1 + max(map(height, self.arrows[room]), default=0)
            return heights[room]

        return max(map(height, self.arrows), default=0)

    def docstring_lines(self) -> int:
        """Count the lines of all docstrings."""
        return sum(
            len(docstring.splitlines())
            for node in self._nodes("")
            if isinstance(node, DOCUMENTED) and (docstring := ast.get_docstring(node, clean=False)) is not None
        )

    def setattrs(self) -> int:
        """Count the calls of ``setattr`` in operators and calendars."""
        return sum(
            isinstance(node, ast.Call) and ast.unparse(node.func) == "setattr"
            for node in self._nodes("operators/", "calendar/")
        )

    def inheriting_tasks(self) -> int:
        """Count the classes of ``calendar/tasks`` that inherit from an operator of the public API."""
        public = {
            name
            for node in self._nodes("operators/__init__.py")
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
            for name in ast.literal_eval(node.value)
        }
        return sum(
            isinstance(node, ast.ClassDef)
            and any(ast.unparse(base).rpartition(".")[2] in public for base in node.bases)
            for node in self._nodes("calendar/tasks/")
        )

    def definitions_of_kinds(self) -> int:
        """Count the enums, and the tables and types of a module, that name the kinds of posts."""
        statements = [statement for text in self.modules.values() for statement in ast.parse(text).body]
        return sum(len(KINDS.intersection(_words(statement))) >= 2 for statement in statements)

    def _reached_from(self, room: str) -> set[str]:
        reached, waiting = set[str](), list(self.arrows[room])
        while waiting:
            if (room := waiting.pop()) not in reached:
                reached.add(room)
                waiting.extend(self.arrows[room])
        return reached

    def _nodes(self, *prefixes: str) -> Iterator[ast.AST]:
        for name, text in self.modules.items():
            if name.startswith(prefixes):
                yield from ast.walk(ast.parse(text))


def _lines_below(folder: Path) -> int:
    return sum(len(file.read_text(encoding="utf-8").splitlines()) for file in folder.rglob("*.py"))


def _room(module: str) -> str:
    return module.split(".")[1]


def _words(statement: ast.stmt) -> Iterator[str]:
    """Yield the texts that a table, a type or an enum consists of."""
    if isinstance(statement, ast.ClassDef) and "Enum" in " ".join(map(ast.unparse, statement.bases)):
        for part in statement.body:
            yield from _words(part)
    elif isinstance(statement, ast.Assign | ast.AnnAssign):
        for node in ast.walk(statement):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value.lower()


class Measure(NamedTuple):
    """A number of the house.

    :param limit: The number of the day on which it was last changed. A higher one fails.
    """

    name: str
    count: Callable[[House], int]
    limit: int
    goal: int


MEASURES: Final = (
    Measure("lines of Python", House.lines, 37_059, 31_500),
    Measure("lines of the calendar", lambda house: house.lines("calendar/"), 8_791, 5_500),
    Measure("lines of the plugin", lambda house: house.lines("plugin/"), 4_306, 2_600),
    Measure("lines of the sandbox", House.lines_of_sandbox, 10_035, 9_000),
    Measure("lines of tests", House.lines_of_tests, 56_118, 45_000),
    Measure("modules", House.module_count, 201, 175),
    Measure("rooms", House.rooms, 20, 23),
    Measure("floors", House.floors, 9, 9),
    Measure("arrows", House.arrow_count, 103, 92),
    Measure("rooms in circles", House.circles, 0, 0),
    Measure("lines of docstrings", House.docstring_lines, 5_166, 4_788),
    Measure("setattr in operators and calendars", House.setattrs, 0, 0),
    Measure("calendar tasks that are public operators", House.inheriting_tasks, 0, 0),
    Measure("places that list the kinds of posts", House.definitions_of_kinds, 1, 1),
)


def main() -> int:
    """Print each number with its limit and its goal, and return 1 if one is above its limit."""
    house, broken = House(ROOT / "airflow_provider_instagram"), False
    for name, count, limit, goal in MEASURES:
        number = count(house)
        broken |= number > limit
        verdict = f"ABOVE ITS LIMIT of {limit:,}" if number > limit else "" if number <= goal else f"goal {goal:,}"
        print(f"{number:7,}  {name:<42}{verdict}".rstrip())
    if broken:
        print("\nLook for what your change makes unnecessary, then read *Code-size limits* in CONTRIBUTING.md.")
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
