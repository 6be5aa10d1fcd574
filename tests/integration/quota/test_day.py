"""A day of two accounts on one simulated clock, by the real classes over real HTTP; benchmarks/day.py plays 500."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.day import simulate

if TYPE_CHECKING:
    import pytest


def test_no_post_of_a_day_is_late_and_none_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate(accounts=2, posts=10) == 0
    assert "20 of 20" in capsys.readouterr().out
