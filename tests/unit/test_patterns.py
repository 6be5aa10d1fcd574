"""Each regular expression of both packages takes ten times as long for ten times as much text, whatever the text.

Text of strangers reaches many of them: answers of servers, calendars, files, requests. A pattern that begins anew at
each letter and runs to the end each time takes a hundred times as long, which stops a triggerer or an API server.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from benchmarks.hostile_text import seconds

try:
    from re import _parser as parser  # type: ignore[attr-defined]
except ImportError:  # Python 3.10
    import sre_parse as parser

ROOT: Final = Path(__file__).parents[2]
PACKAGES: Final = (ROOT / "airflow_provider_instagram", ROOT / "sandbox" / "instagram_sandbox")
FUNCTIONS: Final = ("match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer")
#: A client's process imports this module, which then sends all of its requests to a sandbox: so no test imports it.
REDIRECT: Final = "sandbox_redirect"
#: How a text ends, so that nothing fits in the end.
ENDS: Final = ("\0", "\n!", "")
SHORT: Final = 1_000
#: Below this, in seconds of the processor, 10 kB take no time that matters. A quadratic pattern takes far more.
FLOOR_S: Final = 0.004
MOST_GROWTH: Final = 30


@dataclass
class Pattern:
    """A pattern, and by which functions the code uses it."""

    pattern: re.Pattern[str]
    used: set[str] = field(default_factory=set)

    @property
    def begins_anywhere(self) -> bool:
        return not self.used or bool(self.used - {"match", "fullmatch"})


def modules() -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for file in sorted(package.rglob("*.py")):
            if file.stem == REDIRECT:
                continue
            parts = file.relative_to(package.parent).with_suffix("").parts
            yield ".".join(part for part in parts if part != "__init__"), ast.parse(file.read_text())


def patterns_in(value: object) -> Iterator[re.Pattern[str]]:
    if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from patterns_in(part)
    elif isinstance(value, (tuple, list, set, frozenset)):
        for part in value:
            yield from patterns_in(part)


def collected() -> dict[str, Pattern]:
    """Return all patterns by their text: attributes of modules, and what functions compile or pass to ``re``."""
    found: dict[str, Pattern] = {}
    uses: dict[str, set[str]] = defaultdict(set)
    named: dict[str, list[Pattern]] = defaultdict(list)
    for name, tree in modules():
        uses_re = any(isinstance(node, ast.Name) and node.id == "re" for node in ast.walk(tree))
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in FUNCTIONS:
                owner = node.value
                uses[owner.id if isinstance(owner, ast.Name) else getattr(owner, "attr", "")].add(node.attr)
        if not uses_re:
            continue
        module = importlib.import_module(name)
        for attribute, value in vars(module).items():
            for pattern in patterns_in(value):
                named[attribute].append(found.setdefault(pattern.pattern, Pattern(pattern)))
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
                and (node.func.value.id, node.func.attr in (*FUNCTIONS, "compile")) == ("re", True)
            ):
                try:
                    text = eval(compile(ast.Expression(node.args[0]), name, "eval"), vars(module))  # noqa: S307
                except NameError:  # a local variable, which the tests of that function cover
                    continue
                flags = re.IGNORECASE if "IGNORECASE" in ast.dump(node) else re.NOFLAG if hasattr(re, "NOFLAG") else 0
                if isinstance(text, str):
                    of = found.setdefault(text, Pattern(re.compile(text, flags)))
                    if node.func.attr != "compile":
                        of.used.add(node.func.attr)
    for attribute, patterns in named.items():
        for one in patterns:
            one.used |= uses[attribute]
    return found


PATTERNS: Final = collected()


def letters(members: list[tuple[Any, Any]]) -> list[str]:
    """Return some letters of a class."""
    chosen = [
        chr(value) if str(op) == "LITERAL" else chr(value[0])
        for op, value in members
        if str(op) in ("LITERAL", "RANGE")
    ]
    of_category = {"SPACE": " ", "DIGIT": "1", "WORD": "a", "NOT_SPACE": "a", "NOT_DIGIT": "a", "NOT_WORD": "/"}
    chosen += [of_category[str(value).removeprefix("CATEGORY_")] for op, value in members if str(op) == "CATEGORY"]
    if str(members[0][0]) == "NEGATE":
        return [sign for sign in "a/ :?=1\0" if sign not in chosen][:4]
    return chosen[:6]


def sample(items: Any) -> str:
    """Return a text that fits a part of a pattern, or nearly."""
    return "".join(map(sample_of, items))


def sample_of(item: tuple[Any, Any]) -> str:
    op, value = str(item[0]), item[1]
    if op == "LITERAL":
        return chr(int(value))
    if op in ("NOT_LITERAL", "ANY"):
        return "a" if value != ord("a") else "b"
    if op == "IN":
        return letters(value)[0]
    if op == "BRANCH":
        return sample(value[1][0])
    if op in ("SUBPATTERN", "ATOMIC_GROUP"):
        return sample(value[-1] if op == "SUBPATTERN" else value)
    if op in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        return sample(value[2]) * max(1, min(int(value[0]), 30))
    return ""


def parts(items: Any) -> Iterator[str]:
    """Return what a hostile text may repeat: the beginnings of each part, its letters and its alternatives."""
    listed = list(items)
    for end in range(1, len(listed) + 1):
        yield sample(listed[:end])
        yield sample(listed[end - 1 :])
    for item in listed:
        op, value = str(item[0]), item[1]
        if op == "IN":
            yield from letters(value)
        nested: Callable[[Any], Any] = {
            "BRANCH": lambda of: of[1],
            "SUBPATTERN": lambda of: [of[-1]],
            "MAX_REPEAT": lambda of: [of[2]],
            "MIN_REPEAT": lambda of: [of[2]],
            "ASSERT": lambda of: [of[1]],
            "ASSERT_NOT": lambda of: [of[1]],
        }.get(op, lambda of: [])
        for one in nested(value):
            yield sample(one)
            yield from parts(one)


def attacks(pattern: re.Pattern[str]) -> Iterator[Callable[[int], str]]:
    """Return hostile texts, as functions of their length."""
    top: list[Any] = list(parser.parse(pattern.pattern, pattern.flags))
    units = [unit for unit in dict.fromkeys(parts(top)) if unit]
    beginnings = list(dict.fromkeys(sample(top[:end]) for end in range(min(len(top), 4))))
    for unit in units:
        for begin in beginnings:
            for end in ENDS:
                yield lambda size, begin=begin, unit=unit, end=end: begin + unit * (size // len(unit)) + end  # type: ignore[misc]


def growth(one: Pattern) -> tuple[float, str]:
    """Return by which factor a text of ten times the length takes longer, and how that text begins."""
    pattern = one.pattern
    runs: list[Callable[[str], object]] = [pattern.match, pattern.fullmatch]
    if one.begins_anywhere:
        runs = [lambda text: sum(1 for _ in pattern.finditer(text))]
    for attack in attacks(pattern):
        for run in runs:
            long_s = seconds(run, text := attack(10 * SHORT), 1)
            if long_s > FLOOR_S and (long_s := min(long_s, seconds(run, text, 2))) > FLOOR_S:
                factor = long_s / max(1e-6, seconds(run, attack(SHORT), 9))
                if factor > MOST_GROWTH:
                    return factor, text[:40]
    return 0, ""


@pytest.mark.timeout(120)
@pytest.mark.parametrize("text", PATTERNS, ids=lambda text: text[:60])
def test_no_pattern_takes_a_hundred_times_as_long_for_ten_times_the_text(text: str) -> None:
    factor, attack = growth(PATTERNS[text])
    assert factor < MOST_GROWTH, f"{factor:.0f} times as long for a text that begins with {attack!r}"


@pytest.mark.parametrize("text", [r"(https?://[^\s?]+\?)[^\s]+", r"[^\s,\"']+@", r"(?<=//)[^\s]+@", r"\s+$"])
def test_a_quadratic_pattern_is_found(text: str) -> None:
    assert growth(Pattern(re.compile(text)))[0] > MOST_GROWTH


def test_a_quadratic_beginning_is_found() -> None:
    assert growth(Pattern(re.compile(r"\s*(?:-\s|[-\s{}]*$)"), {"match"}))[0] > MOST_GROWTH
