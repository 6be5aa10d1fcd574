"""The pages of the documentation, and the code blocks in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[3]
PAGES: Final = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
FENCE: Final = re.compile(r"^( *)```(.*?)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    :param page: The path of the page, from the root of the repository.
    :param line: The line of its opening fence, from 1.
    :param language: What the opening fence names.
    :param code: The text between the fences.
    """

    page: str
    line: int
    language: str
    code: str

    @property
    def id(self) -> str:
        return f"{self.page}:{self.line}"


def blocks_of(path: Path) -> list[Block]:
    """Return the blocks of a page."""
    text = path.read_text()
    return [
        Block(
            str(path.relative_to(ROOT)),
            text.count("\n", 0, found.start()) + 1,
            found[2].strip(),
            re.sub(rf"^{found[1]}", "", found[3], flags=re.MULTILINE),
        )
        for found in FENCE.finditer(text)
    ]


BLOCKS: Final = [block for path in PAGES for block in blocks_of(path)]


def commands_of(block: Block) -> str:
    """Return the shell commands of a block, without prompts and output."""
    if block.language != "console":
        return block.code
    kept, goes_on = [], False
    for line in block.code.splitlines():
        if goes_on or line.startswith("$ "):
            kept.append(line.removeprefix("$ "))
            goes_on = line.endswith("\\")
    return "\n".join(kept)


def run(block: Block, **names: Any) -> dict[str, Any]:
    """Execute a Python block, and return its names."""
    namespace: dict[str, Any] = {"__name__": "example", **names}
    exec(compile(block.code, block.id, "exec"), namespace)  # noqa: S102 -- our own examples
    return namespace
