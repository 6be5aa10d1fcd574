"""What an edit changes in the text of a file, line by line."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final

CONTEXT_LINES: Final = 3
#: In more lines than those of some 10,000 posts, a comparison may take half a minute of a
#: processor.
MOST_LINES: Final = 60_000
#: As the readers count lines. A caption may contain other ends of lines, such as U+2028.
END_OF_LINE: Final = re.compile(r"\r\n|\r|\n")
#: The numbers of lines in the head of a part of a diff.
HUNK: Final = re.compile(r"(?<=[-+])\d+")


def unified_diff(
    before: str, after: str, name: str, public: Callable[[list[str]], Iterable[str]] = list
) -> Iterator[str]:
    """Return what an edit changes, in the form that ``patch`` reads. Only the lines around it are compared.

    :param public: Returns all lines of a text as they may be shown: what must be hidden depends on
        those above.
    """
    old, new = (END_OF_LINE.split(text.removesuffix("\n")) for text in (before, after))
    first = 0
    while first < min(len(old), len(new)) and old[first] == new[first]:
        first += 1
    last = 0
    while last < min(len(old), len(new)) - first and old[-1 - last] == new[-1 - last]:
        last += 1
    begin, kept = max(0, first - CONTEXT_LINES), max(0, last - CONTEXT_LINES)
    parts = old[begin : len(old) - kept], new[begin : len(new) - kept]
    if max(map(len, parts)) > MOST_LINES:
        yield f"The first and the last change are more than {MOST_LINES:,} lines apart, too many to compare."
        return
    lines = difflib.unified_diff(*parts, f"a/{name}", f"b/{name}", lineterm="", n=CONTEXT_LINES)
    yield from islice(lines, 2)
    old, new = [*public(old)], [*public(new)]
    removed = added = 0
    for line in lines:
        if line.startswith("@@ "):
            head = HUNK.sub(lambda number: str(int(number[0]) + begin), line)
            removed, added = (int(number) - 1 for number in HUNK.findall(head))
            yield head
        else:
            yield line[0] + (new[added] if line[0] == "+" else old[removed])
            removed, added = removed + (line[0] != "+"), added + (line[0] != "-")
