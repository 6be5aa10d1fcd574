"""The words of code and docs: plain English that a newcomer understands at first reading."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]
CODE: Final = ("airflow_provider_instagram", "sandbox/instagram_sandbox", "tests", "sandbox/tests")
DOCS: Final = ("README.md", "CONTRIBUTING.md", "docs/**/*.md", "sandbox/*.md")
FILES: Final = sorted(
    [path for folder in CODE for path in (ROOT / folder).rglob("*.py") if path != Path(__file__).resolve()]
    + [path for pattern in DOCS for path in ROOT.glob(pattern)]
)

#: How no docstring begins.
BEGINNING: Final = re.compile(r"\s*((?:Tell|Give|Let|Say|Put|Bring|Ask|Note)s?|Writes? down|Who(?:ever)?)\b")
#: Docstrings of the media room that still begin so.
BEGIN: Final = "begin with what it does: Return, Check, Read, Record, Raise, Send, Write, List …"

THINGS: Final = (
    "task|owner|process|processe|trigger|worker|operator|run|hook|scheduler|client|server|post|container|claim"
)
#: What stands nowhere, with what to write instead. A text may go on in the next line, even of a comment.
#: Old words that stored rows contain end at a quotation mark, and are left alone.
WORDS: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), remedy)
    for pattern, remedy in (
        (
            r"\b(?:he(?!-AAC)|him|his|himself|she|hers|herself)\b",
            "write 'it' for a task or a process, 'they' for a person",
        ),
        (rf"\b(?:{THINGS})s?,?[\s#]+(?:who|whom)\b", "write 'that' or 'which': only a person is a 'who'"),
        (r"\b(?:somebody|someone|anybody|anyone|nobody|everybody|everyone)'s\b", "name the user or the program"),
        (r"\btakings?\b", "write 'assignment'"),
        (r"\brehears(?:e|es|ed|al|als)\b(?!\")", "write 'dry run'"),
        (r"\buntold\b(?!\")", "write 'event pending'"),
    )
)


class Finding(NamedTuple):
    """Words to replace.

    :param line: The line that they begin in, from 1.
    :param words: The words.
    :param remedy: What to write instead.
    """

    line: int
    words: str
    remedy: str


def findings(text: str, *, is_python: bool) -> list[Finding]:
    found = [
        Finding(text.count("\n", 0, match.start()) + 1, " ".join(match.group().split()), remedy)
        for pattern, remedy in WORDS
        for match in pattern.finditer(text)
    ]
    if is_python:
        found += [
            Finding(line, match[1], BEGIN)
            for line, docstring in docstrings(text)
            if (match := BEGINNING.match(docstring))
        ]
    return sorted(found)


def docstrings(source: str) -> Iterator[tuple[int, str]]:
    """Yield each docstring and the line that it begins in."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            match node.body[:1]:
                case [ast.Expr(value=ast.Constant(value=str() as docstring), lineno=line)]:
                    yield line, docstring


def test_code_and_docs_are_in_plain_english() -> None:
    assert len(FILES) > 350
    found = [
        f"{path.relative_to(ROOT)}:{finding.line}: {finding.words!r}: {finding.remedy}"
        for path in FILES
        for finding in findings(path.read_text(), is_python=path.suffix == ".py")
    ]
    assert not found, "\n".join(["These words are not plain English:", *found])
