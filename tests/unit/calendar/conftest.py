from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from airflow.sdk.execution_time import task_runner

from airflow_provider_instagram.hooks.instagram import InstagramHook
from airflow_provider_instagram.utils.clock import CLOCK
from tests.unit.calendar.simulated_runs import SimulatedCalendar, after_noon

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mock import MockerFixture


@pytest.fixture
def calendar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mocker: MockerFixture) -> SimulatedCalendar:
    """Return a simulated calendar with a plan of its own, whose time is that of all its tasks."""
    monkeypatch.setenv("AIRFLOW_CONN_INSTAGRAM_DEFAULT", '{"conn_type": "instagram", "password": "IGAA-token"}')
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", str(tmp_path / "snapshots"))
    simulated = SimulatedCalendar(tmp_path / "posts.yaml")
    mocker.patch.object(CLOCK, "now", side_effect=lambda: after_noon(simulated.now))
    mocker.patch.object(task_runner, "SUPERVISOR_COMMS", simulated.airflow, create=True)
    mocker.patch.object(InstagramHook, "compare_clock", return_value=None)
    return simulated
