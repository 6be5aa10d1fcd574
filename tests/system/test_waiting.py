"""How a deferred wait ends when it does not end well, and what a killed triggerer changes: nothing."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING

from demo.stack import wait_until

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from demo.stack import AirflowStack
    from instagram_sandbox.testing.handle import SandboxHandle
    from tests.system.conftest import Run

DAY_S = 24 * 3600
TIMEOUT_S = 60


def test_each_bad_end_of_a_container_is_said_in_words(
    start: Callable[..., Run], sandbox: SandboxHandle, new_container: Callable[..., str]
) -> None:
    """Rejected, failed in a phase, expired: the sensor, deferred by then, fails with the error of its own kind."""
    rejected = new_container(after_s=60, outcome="error", subcode=2207026)
    stuck = new_container(after_s=60, outcome="phase_error", subcode=2207076)
    forgotten = new_container(never=True)
    runs = {container: start("wait_for", container_id=container) for container in (rejected, stuck, forgotten)}
    for run in runs.values():
        run.wait_for_state("wait", "deferred")

    sandbox.advance(60)
    runs[rejected].wait("failed")
    runs[stuck].wait("failed")
    sandbox.advance(DAY_S)
    runs[forgotten].wait("failed")

    for container, subcode, what_to_do in (
        (rejected, "2207026", "nor can a new container with the same video"),
        (stuck, "2207076", "clear the create task"),
    ):
        log = runs[container].log("wait")
        assert "MediaRejectedError" in log
        assert subcode in log
        assert what_to_do in log
    log = runs[forgotten].log("wait")
    assert "ContainerExpiredError" in log
    assert "it was not published within 24 hours" in log
    assert [run.task("wait")["try_number"] for run in runs.values()] == [1, 1, 1], "waiting again cannot help"


def test_a_triggerer_that_is_killed_takes_no_wait_with_it_and_prolongs_none(
    airflow: AirflowStack,
    start: Callable[..., Run],
    sandbox: SandboxHandle,
    new_container: Callable[..., str],
    database: sqlite3.Connection,
) -> None:
    """One wait succeeds after the restart; the other asks until the deadline it was given, and ends in our error."""
    ready_later, never_ready = new_container(after_s=600), new_container(never=True)
    good = start("wait_for", container_id=ready_later)
    overdue = start("wait_for", container_id=never_ready, timeout_s=TIMEOUT_S)
    good.wait_for_state("wait", "deferred")
    deferred = overdue.wait_for_state("wait", "deferred")
    deadline = _deadline(database, deferred["trigger"]["id"])
    began = datetime.fromisoformat(deferred["start_date"]).timestamp()
    assert TIMEOUT_S <= deadline - began < TIMEOUT_S + 30

    airflow.stop("triggerer", force=True)
    airflow.start("triggerer")
    sandbox.advance(600)
    asked = len(sandbox.journal("status", container_id=never_ready))
    good.wait()
    assert _deadline(database, deferred["trigger"]["id"]) == deadline
    asked_again = lambda: len(sandbox.journal("status", container_id=never_ready)) > asked  # noqa: E731
    wait_until(asked_again, "the new triggerer asks about the overdue container", TIMEOUT_S)

    overdue.wait("failed")
    last_asked = sandbox.journal("status", container_id=never_ready)[-1].real_time
    assert deadline - 5 < last_asked < deadline + 1
    log = overdue.log("wait")
    assert "AirflowSensorTimeout" in log
    assert f"Container {never_ready} is still not ready. Last status: IN_PROGRESS" in log
    assert "Trigger timeout" not in log
    assert overdue.task("wait")["try_number"] == 1


def _deadline(database: sqlite3.Connection, trigger_id: int) -> float:
    (kwargs,) = database.execute("select kwargs from trigger where id = ?", (trigger_id,)).fetchone()
    found = json.loads(kwargs)
    return float(found.get("__var", found)["deadline"])
