"""Measure how the time for a hostile text grows with its length: ten times as long should take ten times as much.

Run it with ``python -m benchmarks.hostile_text``. It exits with 1 if a growth is over the limit.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from airflow_provider_instagram.graph.errors import error_from_answer
from airflow_provider_instagram.graph.redaction import quoted, redact
from airflow_provider_instagram.plugin.board.forms import public_lines
from airflow_provider_instagram.utils.urls import shown_in
from benchmarks.program import as_program

LIMIT = 12
RUNS = 3
#: Letters at which one pattern or another begins.
LETTERS = ("https://", "//", "//a:b@", "?!", "a", " ", "%3A%2F%2F", "&#0", '"', "sig=", "<a ")


def answer(text: str) -> object:
    """Read an error answer."""
    body = json.dumps({"error": {"message": text, "error_user_msg": text}}).encode()
    return error_from_answer("read", 400, {}, body, changes=False)


#: What reads text of others, and the shorter of its two lengths.
READERS: dict[str, tuple[Callable[[str], object], int]] = {
    "redact, for logs": (redact, 8_000),
    "shown_in, for messages": (shown_in, 8_000),
    "quoted, for what a server says": (quoted, 8_000),
    "an error answer": (answer, 8_000),
    "the lines of an edit": (lambda text: [*public_lines([text] * 500)], 200),
}


def seconds(read: Callable[[str], object], text: str, runs: int = RUNS) -> float:
    """Return the processor time of the quickest run."""
    spent = []
    for _ in range(runs):
        begun = time.process_time()
        read(text)
        spent.append(time.process_time() - begun)
    return min(spent)


def main() -> int:
    """Print the slowest text of each reader, and by which factor ten times the text takes longer."""
    over = 0
    for name, (read, size) in READERS.items():
        short_s, letter = max((seconds(read, one * (size // len(one))), one) for one in LETTERS)
        long_s = seconds(read, letter * (10 * size // len(letter)))
        factor = long_s / short_s
        over += factor > LIMIT
        print(
            f"{name:32} {10 * size:9,} x {letter!r:12} {1000 * long_s:8.1f} ms   x {factor:5.1f}  (limit x {LIMIT})"
        )
    return 1 if over else 0


if __name__ == "__main__":
    as_program(main)
