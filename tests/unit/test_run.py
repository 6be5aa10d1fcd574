"""Which parts of ``make test-all`` a run plays, and what becomes of them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tests import run
from tests.run import REST, Part, fits, order

if TYPE_CHECKING:
    import pytest

COMMITS = [f"{number:040x}" for number in range(20)]


def test_an_order_has_every_part_once_and_changes_with_the_seed() -> None:
    for commit in COMMITS:
        assert sorted(part.name for part in order(REST, commit)) == sorted(part.name for part in REST)
        assert order(REST, commit) == order(REST, commit)
    assert len({tuple(part.name for part in order(REST, commit)) for commit in COMMITS}) > len(COMMITS) / 2


def test_a_few_commits_begin_with_every_part() -> None:
    """In the 55 minutes that make test leaves of CI, also on a slow machine, twenty commits leave out nothing."""
    played = set()
    for commit in COMMITS:
        left = 55.0
        for part in order(REST, commit):
            if fits(part, left):
                left -= part.minutes * 1.3
                played.add(part.name)
    assert played == {part.name for part in REST}


def _main(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["run", *arguments])
    return run.main()


def test_a_part_that_fails_fails_the_run_and_one_that_is_left_out_does_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    long, good, bad = (
        Part("long", 60, (sys.executable, "-c", "1")),
        Part("good", 1, (sys.executable, "-c", "1")),
        Part("bad", 1, (sys.executable, "-c", "1 / 0")),
    )
    monkeypatch.setattr(run, "REST", (long, good))
    assert _main(monkeypatch, "--rest", "--minutes", "5", "--seed", "a") == 0
    said = capsys.readouterr().out
    assert "left out  long" in said
    assert "passed    good" in said

    monkeypatch.setattr(run, "REST", (bad, good))
    assert _main(monkeypatch, "--rest", "--minutes", "5", "--seed", "a") == 1
    said = capsys.readouterr().out
    assert "FAILED    bad" in said
    assert "passed    good" in said


def test_a_part_that_hangs_is_ended_and_has_failed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "GRACE_S", -0.5)
    monkeypatch.setattr(run, "PATIENCE_S", 0.2)
    monkeypatch.setattr(run, "REST", (Part("hangs", 0.01, (sys.executable, "-c", "import time; time.sleep(60)")),))
    assert _main(monkeypatch, "--rest", "--minutes", "0.02") == 1
    assert "FAILED    hangs" in capsys.readouterr().out
