"""The figures of ``benchmarks/README.md`` are those of the last run of each benchmark, which it has stored."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks/results"
PAGE = ROOT / "benchmarks/README.md"
BENCHMARK = re.compile(r"python -m benchmarks\.(\w+)")
NUMBER = re.compile(r"(?<![\w.,])[-+]?\d[\d,]*(?:\.\d+)?(?![\w]*\d)")
#: Columns that are not measured.
GIVEN = ("limit",)


class Table(NamedTuple):
    """A table with measured figures.

    :param benchmark: The last one that its section names before it.
    :param rows: The cells of each row, without those that are given.
    """

    benchmark: str
    rows: list[list[str]]


def tables() -> list[Table]:
    """Return the tables of measured figures."""
    found = []
    benchmark, rows, given = "", list[list[str]](), set[int]()
    for line in [*PAGE.read_text().splitlines(), ""]:
        if line.startswith("#"):
            benchmark = ""
        benchmark = (BENCHMARK.findall(line) or [benchmark])[-1]
        if line.startswith("|"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if not rows:
                given = {0, *(place for place, cell in enumerate(cells) if cell.startswith(GIVEN))}
            rows.append([cell for place, cell in enumerate(cells) if place not in given])
            continue
        if rows and benchmark:
            found.append(Table(benchmark, rows[2:]))
        rows = []
    return found


def figures(text: str) -> list[str]:
    """Return the numbers of a text, without the commas of thousands."""
    return [number.replace(",", "").lstrip("+") for number in NUMBER.findall(text)]


def is_in(figure: str, measured: list[str]) -> bool:
    """Return whether a figure is one of the measured ones, rounded as it is."""
    places = len(figure.partition(".")[2])
    return any(abs(float(one) - float(figure)) <= 0.501 * 10**-places for one in measured)


def stored(benchmark: str) -> str:
    return (RESULTS / f"{benchmark}.txt").read_text()


TABLES = tables()


def test_the_page_has_tables_of_these_benchmarks() -> None:
    assert {table.benchmark for table in TABLES} == {
        *("scale", "late_edits", "preparation", "upload", "media", "pictures", "page")
    }
    assert {path.stem for path in RESULTS.iterdir()} >= {table.benchmark for table in TABLES}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: f"{table.benchmark}-{len(table.rows)}")
def test_each_figure_of_a_table_was_measured_by_the_last_run(table: Table) -> None:
    measured = figures(stored(table.benchmark))
    for row in table.rows:
        for figure in figures(" ".join(row)):
            assert is_in(figure, measured), (table.benchmark, row, figure)


@pytest.mark.parametrize("result", sorted(RESULTS.glob("*.txt")), ids=lambda result: result.stem)
def test_a_limit_that_did_not_hold_in_the_last_run_is_admitted(result: Path) -> None:
    command, about, load = result.read_text().splitlines()[:3]
    assert command.startswith(f"$ python -m benchmarks.{result.stem}")
    assert about.startswith("# 20")
    page = PAGE.read_text()
    about_it = page[page.rindex(f"benchmarks.{result.stem}") :][:1500] if result.stem in page else ""
    assert load.endswith("exit code 0") or "does not hold" in about_it
