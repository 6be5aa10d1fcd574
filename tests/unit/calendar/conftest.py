from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from airflow.sdk.execution_time import task_runner

from airflow_provider_instagram.hooks.instagram import InstagramHook
from airflow_provider_instagram.utils.clock import CLOCK
from tests.unit.calendar.simulated_runs import SimulatedCalendar, after_noon

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def calendar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimulatedCalendar:
    """Return a simulated calendar with a plan of its own, whose time is that of all its tasks."""
    monkeypatch.setenv("AIRFLOW_CONN_INSTAGRAM_DEFAULT", '{"conn_type": "instagram", "password": "IGAA-token"}')
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", str(tmp_path / "snapshots"))
    simulated = SimulatedCalendar(tmp_path / "posts.yaml")
    monkeypatch.setattr(CLOCK, "now", lambda: after_noon(simulated.now))
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", simulated.airflow, raising=False)
    monkeypatch.setattr(InstagramHook, "compare_clock", lambda _: None)
    return simulated
