"""Eight weeks in which accounts learn the hours of their followers, as the docs tell of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.loop import play

PAGE = Path(__file__).parents[3] / "docs/calendars/best-times.md"


@pytest.mark.long
@pytest.mark.timeout(900)
def test_accounts_reach_more_in_their_eighth_week_than_in_their_first_as_the_docs_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same seed plays the same weeks: a table that is not in the docs means that they are out of date."""
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", "")  # is set for each account, and restored here
    result = play(seed=2026, accounts=6)
    reach, missed = result.reach["auto"], result.missed
    assert reach[-1] > 1.2 * reach[0]
    assert missed["auto"][-1] < missed["fixed"][-1] / 2
    assert "\n".join(result.rows()) in PAGE.read_text()
