"""``make lint``: count what the house is made of, and fail where a number is above its limit.

A limit is the number that was reached. A change may lower it. Only a commit of its own raises it,
and names the user for whom. Code is counted in syntax nodes, because a limit of lines makes code
dense.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import grimp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Set

ROOT: Final = Path(__file__).parents[1]
#: Tokens that make no line a line of code.
LAYOUT: Final = frozenset(
    {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    }
)
DOCUMENTED: Final = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
#: What a script of the page imports, or exports again.
SCRIPT_IMPORT: Final = re.compile(r'\bfrom "\./([\w.]+)"')


@dataclass(frozen=True)
class House:
    """A package, with the sandbox and the tests beside it. Its rooms are the packages and modules right below it."""

    folder: Path

    @cached_property
    def modules(self) -> dict[str, str]:
        """The text of each module, by its path below the package."""
        return _texts(self.folder)

    @cached_property
    def imports(self) -> dict[str, set[str]]:
        """The modules that each module imports, for type checkers only as well."""
        graph = grimp.build_graph(
            self.folder.name, exclude_type_checking_imports=False, cache_dir=None
        )
        return {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}

    def nodes(self, room: str = "") -> int:
        """Count the syntax nodes, of one room if it is named."""
        return sum(_nodes(text) for name, text in self.modules.items() if name.startswith(room))

    def nodes_of_sandbox(self) -> int:
        """Count the syntax nodes of the sandbox."""
        return sum(
            map(_nodes, _texts(self.folder.parent / "sandbox" / "instagram_sandbox").values())
        )

    def nodes_of_tests(self) -> int:
        """Count the syntax nodes of the provider's tests."""
        return sum(map(_nodes, _texts(self.folder.parent / "tests").values()))

    def lines_of_tests(self, folder: str = "tests") -> int:
        """Count the lines of tests."""
        return sum(len(text.splitlines()) for text in _texts(self.folder.parent / folder).values())

    def lines_of_scripts(self) -> int:
        """Count the lines of the page's scripts, without the vendored chart."""
        return sum(len(text.splitlines()) for text in self.scripts.values())

    def module_count(self) -> int:
        """Count the modules, without each ``__init__``."""
        return sum(not name.endswith("__init__.py") for name in self.modules)

    def arrow_count(self) -> int:
        """Count the pairs of rooms of which one imports the other."""
        arrows = {
            (_room(module), _room(imported))
            for module, all_imported in self.imports.items()
            for imported in all_imported
            if "." in module and "." in imported
        }
        return sum(room != imported for room, imported in arrows)

    def modules_in_circles(self) -> int:
        """Count the modules that import themselves by way of others."""
        return len(_in_circles(self.imports))

    def scripts_in_circles(self) -> int:
        """Count the scripts of the page that import themselves by way of others."""
        return len(
            _in_circles(
                {name: set(SCRIPT_IMPORT.findall(text)) for name, text in self.scripts.items()}
            )
        )

    @cached_property
    def scripts(self) -> dict[str, str]:
        """The text of each script of the page, by its name."""
        return {
            file.name: file.read_text(encoding="utf-8")
            for file in sorted(self.folder.rglob("static/*.js"))
        }

    def tenths_of_nodes_a_line(self) -> int:
        """Return ten times the number of syntax nodes a line of code."""
        lines = sum(len(_lines_of_code(text)) for text in self.modules.values())
        return round(10 * self.nodes() / max(1, lines))

    def skipped_formats(self) -> int:
        """Count the places that keep the formatter out."""
        return sum(len(re.findall(r"# fmt: (?:skip|off)", text)) for text in self.modules.values())


def _texts(folder: Path) -> dict[str, str]:
    files = sorted(folder.rglob("*.py"))
    return {file.relative_to(folder).as_posix(): file.read_text(encoding="utf-8") for file in files}


def _nodes(text: str) -> int:
    return sum(1 for _ in ast.walk(ast.parse(text)))


def _lines_of_code(text: str) -> Set[int]:
    """Return the numbers of the lines that hold code: neither comments nor docstrings alone."""
    lines = set[int]()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in LAYOUT:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            docstring = node.body[0]
            lines.difference_update(
                range(docstring.lineno, (docstring.end_lineno or docstring.lineno) + 1)
            )
    return lines


def _in_circles(imports: Mapping[str, Set[str]]) -> set[str]:
    return {name for name in imports if name in _reached_from(name, imports)}


def _reached_from(name: str, imports: Mapping[str, Set[str]]) -> set[str]:
    reached, waiting = set[str](), list(imports[name])
    while waiting:
        imported = waiting.pop()
        if imported not in reached:
            reached.add(imported)
            waiting.extend(imports.get(imported, ()))
    return reached


def _room(module: str) -> str:
    return module.split(".")[1]


class Measure(NamedTuple):
    """A number of the house.

    :param limit: The number of the day on which it was last changed. A higher one fails.
    """

    name: str
    count: Callable[[House], int]
    limit: int
    goal: int


def _rooms(limits: Mapping[str, tuple[int, int]]) -> Iterator[Measure]:
    """Yield the measure of the syntax nodes of each room that has a limit and a goal of its own."""
    for room, (limit, goal) in limits.items():
        yield Measure(f"nodes of {room}", partial(House.nodes, room=f"{room}/"), limit, goal)


MEASURES: Final = (
    Measure("nodes of the provider", House.nodes, 223_583, 212_000),
    *_rooms(
        {
            "calendar": (60_770, 46_000),
            "plugin": (29_282, 28_000),
            "insights": (9_301, 9_500),
            "graph": (17_323, 17_500),
            "utils": (5_566, 6_000),
            "files": (6_274, 6_300),
        }
    ),
    Measure("tenths of nodes a line of code", House.tenths_of_nodes_a_line, 82, 80),
    Measure("modules", House.module_count, 174, 165),
    Measure("arrows between rooms", House.arrow_count, 99, 92),
    Measure("modules in circles", House.modules_in_circles, 0, 0),
    Measure("lines of the page's scripts", House.lines_of_scripts, 4_737, 4_500),
    Measure("scripts in circles", House.scripts_in_circles, 0, 0),
    Measure("places without the formatter", House.skipped_formats, 0, 0),
    Measure("nodes of the sandbox", House.nodes_of_sandbox, 71_235, 70_872),
    Measure("lines of tests", House.lines_of_tests, 56_600, 38_000),
    Measure("nodes of tests", House.nodes_of_tests, 418_784, 285_000),
    Measure(
        "lines of the sandbox's tests",
        lambda house: house.lines_of_tests("sandbox/tests"),
        8_818,
        6_500,
    ),
)


def main() -> int:
    """Print each number with its limit and its goal, and return 1 if one is above its limit."""
    house, broken = House(ROOT / "airflow_provider_instagram"), False
    for name, count, limit, goal in MEASURES:
        number = count(house)
        broken |= number > limit
        verdict = f"goal {goal:,}" if number > goal else ""
        if number > limit:
            verdict = f"ABOVE ITS LIMIT of {limit:,}"
        print(f"{number:9,}  {name:<42}{verdict}".rstrip())
    if broken:
        print(
            "\nLook for what your change makes unnecessary, then read *The size of the code* in CONTRIBUTING.md."
        )
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
