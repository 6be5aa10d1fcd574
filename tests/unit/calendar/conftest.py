from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.calendar.simulated_runs import Stage

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A calendar on its stage, with snapshots of its own."""
    monkeypatch.setattr("airflow_provider_instagram.calendar.tasks.base.LOOK_AGAIN_S", 0)
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", str(tmp_path / "snapshots"))
    return Stage(tmp_path / "posts.yaml")
