"""What happens to the processes of a scenario in a running Airflow: they are killed, stopped, and marked as failed."""

from __future__ import annotations

import json
import os
import signal
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from tests.processes import alive, is_stopped
from tests.reliability.scenario import (
    ConcurrentRun,
    Delay,
    MarkedAsFailed,
    ProcessFreeze,
    ProcessKill,
    TokenRevocation,
    TriggererKill,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.reliability.scenario import Disturbance, Injection
    from tests.reliability.scenario_run import ScenarioRun

#: A moment comes when Airflow has started the tasks before it. A next try begins when Airflow has given the first one
#: up, and may need 150 s to settle the answer of the first.
LIMIT_S: Final = 540

#: The task that sends a call or writes a row; a moment that is neither is in the wait.
_TASK_OF: Final[dict[str | None, str]] = {
    **dict.fromkeys(("create", "upload", "container", "children", "containers"), "create"),
    "status": "wait",
    None: "wait",
    **dict.fromkeys(("publish", "media", "claim", "intent", "done"), "publish"),
}


class Injector:
    """Runs the injections of a scenario in a running Airflow.

    :param run: The scenario that is played.
    """

    def __init__(self, run: ScenarioRun) -> None:
        self.run = run

    def inject(self, injection: Injection) -> bool:
        """Run an injection, and return whether it was seen to take place.

        The sandbox brings about the others.
        """
        if isinstance(injection, ProcessKill):
            self._see_killed(injection)
        elif isinstance(injection, ProcessFreeze):
            self._freeze(injection)
        elif isinstance(injection, TokenRevocation):
            self._while_stopped(injection, partial(self._revoke, injection))
        elif isinstance(injection, Delay):
            self._while_stopped(injection, partial(self.run.sandbox.advance, 3600 * injection.hours))
        elif isinstance(injection, TriggererKill):
            self._kill_triggerer()
        elif isinstance(injection, MarkedAsFailed):
            self._mark_as_failed(injection)
        elif isinstance(injection, ConcurrentRun):
            self._start_concurrent_run()
        else:
            return False
        return True

    def _processes_at_moment(self, injection: Injection) -> dict[str, int]:
        """Wait until a moment has come, and return the process ids that the task noted then."""
        task, moment = _task(injection, self.run.disturbance), _moment(injection)
        path = self.run.account.notes / f"{self.run.name}.{task}.1.{moment.replace(' ', '_')}.json"
        self.run.wait(path.exists, f"{task} has come to the moment {moment!r}", LIMIT_S, 0.2)
        return dict(json.loads(path.read_text()))

    def _wait_until_deferred(self, task: str) -> None:
        """Wait until a task is deferred, and fail when it has ended without that."""

        def is_deferred() -> bool:
            state = self.run.state(task)
            assert state not in ("success", "failed"), f"{task} is {state}, and was not seen to be deferred"
            return state == "deferred"

        self.run.wait(is_deferred, f"{task} is deferred", LIMIT_S)

    def _see_killed(self, injection: ProcessKill) -> None:
        pid = self._processes_at_moment(injection)[injection.process]
        self.run.wait(lambda: not alive(pid), f"process {pid} is gone", 30, 0.2)

    def _freeze(self, injection: ProcessFreeze) -> None:
        """Wake the processes when the next try has come so far; they end by themselves then."""
        pids, task = self._processes_at_moment(injection), _task(injection, self.run.disturbance)
        all_stopped = partial(is_stopped, *pids.values())
        self.run.wait(all_stopped, "the processes are stopped", 10, 0.2)
        try:
            states = ("running",) if injection.woken == "during" else ("success", "failed")
            has_come = lambda: self.run.try_number(task) > 1 and self.run.state(task) in states  # noqa: E731
            self.run.wait(has_come, f"the next try is {' or '.join(states)}", LIMIT_S)
            assert all_stopped()
        finally:
            for pid in pids.values():
                os.kill(pid, signal.SIGCONT)
        self.run.wait(lambda: not alive(pids["task"]), "the process that was woken has ended", 90, 0.5)

    def _while_stopped(self, injection: Injection, act: Callable[[], object]) -> None:
        """Do something while the task is stopped at a moment, and let it go on."""
        pid = self._processes_at_moment(injection)["task"]
        self.run.wait(lambda: is_stopped(pid), "the task is stopped", 10, 0.1)
        act()
        os.kill(pid, signal.SIGCONT)

    def _revoke(self, injection: TokenRevocation) -> None:
        self.run.sandbox.revoke(self.run.sandbox.token)
        if injection.replaced:
            self.run.account.replace_token()

    def _kill_triggerer(self) -> None:
        self._wait_until_deferred("wait")
        self.run.airflow.stop("triggerer", force=True)
        self.run.airflow.start("triggerer")

    def _mark_as_failed(self, injection: MarkedAsFailed) -> None:
        task = _task(injection, self.run.disturbance)
        if injection.call is None:
            self._wait_until_deferred(task)
        else:
            self.run.wait(
                lambda: self.run.sandbox.journal(injection.call), f"{task} has sent its request", LIMIT_S, 0.2
            )
        note = self.run.account.notes / f"{self.run.name}.{task}.1.json"
        pid = json.loads(note.read_text())["task"]
        assert injection.call is None or alive(pid)
        self.run.airflow.call("PATCH", f"{self.run.path()}/taskInstances/{task}", json={"new_state": "failed"})
        self.run.wait(lambda: not alive(pid), f"process {pid} is gone", 30, 0.2)

    def _start_concurrent_run(self) -> None:
        """Start another run once there is a container: two that make one at the same moment make two, and post one."""
        self.run.wait(lambda: self.run.state("create") == "success", "the container is made", LIMIT_S, 0.2)
        self.run.start(f"{self.run.name}-concurrent")


def signal_to_send(injection: Injection, disturbance: Disturbance) -> dict[str, Any] | None:
    """Return the signal that a task sends to its own processes, as its DAG takes it; None without one."""
    if isinstance(injection, ProcessKill):
        signal_name, processes = "SIGKILL", [injection.process]
    elif isinstance(injection, ProcessFreeze):
        signal_name, processes = "SIGSTOP", ["supervisor", "task"]
    elif isinstance(injection, (TokenRevocation, Delay)):
        signal_name, processes = "SIGSTOP", ["task"]
    else:
        return None
    return {
        "task": _task(injection, disturbance),
        "moment": _moment(injection),
        "nth": getattr(injection, "nth", 1),
        "signal": signal_name,
        "processes": processes,
    }


def _moment(injection: Injection) -> str:
    if isinstance(injection, (ProcessKill, ProcessFreeze)):
        return f"{injection.side} {injection.call or f'row {injection.row}'}"
    return f"before {injection.operation}" if isinstance(injection, TokenRevocation) else "start"


def _task(injection: Injection, disturbance: Disturbance) -> str:
    """Return the task in which the moment of an injection is."""
    if isinstance(injection, Delay):
        return injection.before
    if disturbance.when.startswith("upload"):
        return "create"
    at = (
        injection.operation
        if isinstance(injection, TokenRevocation)
        else getattr(injection, "call", None) or getattr(injection, "row", None)
    )
    return _TASK_OF[at]
