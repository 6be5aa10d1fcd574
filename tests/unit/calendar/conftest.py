from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.calendar.simulated_runs import SimulatedCalendar

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def losses_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a file count at once that has lost most of its posts."""
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_LOSS_MINUTES", "0")


@pytest.fixture
def calendar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimulatedCalendar:
    """Return a simulated calendar with snapshots of its own, and an account whose token seals its approvals."""
    monkeypatch.setenv("AIRFLOW_CONN_INSTAGRAM_DEFAULT", '{"conn_type": "instagram", "password": "IGAA-token"}')
    monkeypatch.setattr("airflow_provider_instagram.calendar.tasks.base.SECOND_LOOK_AFTER_S", 0)
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", str(tmp_path / "snapshots"))
    return SimulatedCalendar(tmp_path / "posts.yaml")
