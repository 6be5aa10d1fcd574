"""Workers whose clocks are wrong, by 90 seconds in either direction: Instagram's time counts."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from airflow_provider_instagram.utils import clock
from tests.integration.calendar.runs import made, planned, run_post

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_mock import MockerFixture

    from instagram_sandbox.testing.handle import SandboxHandle

BEHIND, AHEAD = timedelta(seconds=-90), timedelta(seconds=90)


@pytest.fixture
def worker_clock(mocker: MockerFixture) -> Callable[[timedelta], None]:
    """Set the clock by which the tasks of this process decide."""

    def set_to(wrong_by: timedelta) -> None:
        class Wrong(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> Any:
                return datetime.now(tz) + wrong_by

        mocker.patch.object(clock, "datetime", Wrong)
        mocker.patch.object(clock.CLOCK, "_offset", None)

    return set_to


def due_at(file: Path) -> float:
    text = yaml.safe_load(file.read_text())["posts"][0]["publish_at"]
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S UTC").replace(tzinfo=timezone.utc).timestamp()


@pytest.mark.parametrize(("name", "wrong_by"), [("behind", BEHIND), ("ahead", AHEAD)])
def test_a_post_is_published_at_its_time(
    instagram_sandbox: SandboxHandle,
    run_dag: Any,
    calendar: Callable[..., Path],
    worker_clock: Callable[[timedelta], None],
    name: str,
    wrong_by: timedelta,
    caplog: pytest.LogCaptureFixture,
) -> None:
    worker_clock(wrong_by)
    file = calendar({f"clock-{name}": 12})
    result = run_post(run_dag, made(file, late="skip"), f"clock-{name}")
    assert result.state == "success"
    (request,) = instagram_sandbox.journal("publish")
    assert 0 <= request.at - due_at(file) < 45  # on a busy machine; 90 s is what the clock is wrong by
    published = datetime.fromisoformat(result.xcom("publish")["published_at"]).timestamp()
    assert abs(published - request.at) < 10
    assert re.search(rf"clock is (8[5-9]|9[0-5]) s {name}", caplog.text)


def test_a_post_that_is_too_late_is_not_taken_for_a_punctual_one(
    instagram_sandbox: SandboxHandle,
    run_dag: Any,
    calendar: Callable[..., Path],
    worker_clock: Callable[[timedelta], None],
) -> None:
    worker_clock(BEHIND)
    dag = made(calendar({"clock-late": -120}), late="skip")
    planned(dag, datetime.now(timezone.utc) - timedelta(hours=1))
    result = run_post(run_dag, dag, "clock-late")
    assert result.states()["publish"] == "skipped"
    assert result.xcom("publish", "outcome")["mark"] == "skipped: late"
    assert instagram_sandbox.calls("publish") == 0
