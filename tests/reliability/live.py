"""Plays scenarios in a running Airflow, over its REST API as the UI does, with real processes that die and freeze.

A lane is an account with a sandbox and DAGs of its own; scenarios of different lanes run at the same time.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import signal
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from demo.stack import wait_until
from demo.ui import connect
from tests.reliability import disturbing
from tests.reliability.terms import (
    Fate,
    Freeze,
    Kill,
    MarkedFailed,
    Pause,
    Revocation,
    Rival,
    TriggererKill,
)
from tests.reliability.verdict import CAPTION, Outcome, Played, judged

if TYPE_CHECKING:
    from collections.abc import Callable

    from demo.stack import AirflowStack
    from instagram_sandbox.testing.handle import SandboxHandle
    from tests.reliability.terms import Disturbance, Plant, Scenario

ENDED: Final = ("success", "failed")
TASKS: Final = ("create", "wait", "publish")
#: Settling takes 150 s, and a client's patience 60 s, whatever the tests would like.
LIMIT_S: Final = 540
#: Longer than the client's patience.
TIMEOUT_S: Final = 63
LOOK_EVERY_S: Final = 1.0
#: How many days a backfill makes runs of, and among how many such periods it is drawn.
BACKFILLED: Final = 2
MOST_BACKFILLS: Final = 180
FIRST_DAY: Final = datetime(2024, 1, 1, tzinfo=timezone.utc)
#: A sandbox whose delays are seconds.
QUICK: Final = ("--processing-time", "0.5", "--visible-after", "2", "--new-ids-unknown", "0.5")
#: Airflow takes a worker for dead after this.
HEARTBEAT_TIMEOUT_S: Final = 20


def settings(lanes: int) -> dict[str, str]:
    """Give what an Airflow with lanes needs, beside the usual."""
    return {
        "RELIABILITY_LANES": str(lanes),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",  # what a try ended with is read from its log
        "AIRFLOW__CORE__PARALLELISM": str(lanes + 4),
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": str(HEARTBEAT_TIMEOUT_S),
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "120",
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
        "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "6",
    }


@dataclass
class Lane:
    """An account on which one scenario after the other is played.

    :param number: Which lane.
    :param airflow: The running Airflow.
    :param sandbox: The lane's own sandbox.
    :param video: A video that complies.
    :param notes: Where the tasks note their processes.
    :param closed: Set when nobody waits for its scenario any more.
    """

    number: int
    airflow: AirflowStack
    sandbox: SandboxHandle
    video: Path
    notes: Path
    closed: threading.Event = field(default_factory=threading.Event)

    @property
    def conn_id(self) -> str:
        """Id of the lane's connection."""
        return f"lane_{self.number}"

    def connect(self) -> None:
        """Put the sandbox's present token into the connection."""
        connect(self.airflow, self.sandbox, self.conn_id)

    def replace_token(self) -> None:
        """Give the account another token."""
        self.sandbox.token = self.sandbox.add_token(self.sandbox.user_id)
        self.connect()

    def play(self, scenario: Scenario) -> Outcome:
        """Play a scenario to its end."""
        first_token = self.sandbox.token
        self.sandbox.reset()
        self.sandbox.switch(processing={"after_s": 0.5, "outcome": "finished"})
        video_bytes = self.video.stat().st_size
        try:
            disturbing.plant(scenario.disturbance, self.sandbox, video_bytes, TIMEOUT_S)
            played = Performance(self, scenario).play()
            return judged(played, self.sandbox, video_bytes)
        finally:
            if self.sandbox.token != first_token:
                self.sandbox.token = first_token
                self.connect()


@dataclass
class Performance:
    """One scenario on its lane: the runs, what happens to their processes, and what a person does."""

    lane: Lane
    scenario: Scenario
    name: str = field(default_factory=lambda: secrets.token_hex(5))

    def __post_init__(self) -> None:
        self.airflow, self.sandbox, self.disturbance = self.lane.airflow, self.lane.sandbox, self.scenario.disturbance
        self.dag_id = f"{'retried' if self.scenario.then == 'retry' else 'once'}_{self.lane.number}"
        self.run_ids = [self.name]
        self.played = Played(self.scenario)

    def play(self) -> Played:
        """Play it, and say what came of it."""
        self._start(self.name)
        for plant in self.disturbance.plants:
            if (act := self._act(plant)) is not None:
                act()
                self.played.seen.add(plant)
        self._wait_for_end()
        self.played.first = self._first_failure()
        if self.scenario.then != "retry":
            disturbing.before_then(self.disturbance, self.sandbox, self.lane.replace_token)
            self._then()
        self._conclude()
        if self.played.told and self.scenario.expected.told:
            self._clear("create", "wait", "publish")
            self._conclude()
        self.played.events = self._events()
        return self.played

    def _wait(self, condition: Callable[[], Any], what: str, limit_s: float, pause_s: float = LOOK_EVERY_S) -> None:
        def holds_or_is_over() -> Any:
            if self.lane.closed.is_set():
                raise RuntimeError(f"The tests have ended before {what}.")
            return condition()

        wait_until(holds_or_is_over, what, limit_s, pause_s)

    # ---- runs

    def _start(self, run_id: str) -> None:
        signals = [one for plant in self.disturbance.plants if (one := _signal(plant, self.disturbance))]
        conf = self._conf() | {"signals": signals if run_id == self.name else []}
        self.airflow.call(
            "POST", f"/dags/{self.dag_id}/dagRuns", json={"dag_run_id": run_id, "logical_date": None, "conf": conf}
        )

    def _conf(self) -> dict[str, Any]:
        key = self.name if self.scenario.then in ("new run", "backfill") or self._has(Rival) else ""
        never = any(isinstance(one, Fate) and one.processing.get("never") for one in self.disturbance.plants)
        return {
            "video": str(self.lane.video),
            "caption": CAPTION,
            "post_key": key,
            "create_waits": self.disturbance.create_waits,
            "sensor_timeout": 12 if never else 1800,
            "notes": str(self.lane.notes),
            "signals": [],
        }

    def _has(self, kind: type) -> bool:
        return any(isinstance(one, kind) for one in self.disturbance.plants)

    def _wait_for_end(self) -> None:
        for run_id in self.run_ids:
            self._wait(
                partial(self._has_ended, run_id),
                f"the end of {self.scenario}, run {run_id}",
                LIMIT_S,
            )

    def _has_ended(self, run_id: str) -> bool:
        return self.airflow.run_state(self.dag_id, run_id) in ENDED

    def _then(self) -> None:
        then = self.scenario.then
        failed = next((task for task in TASKS if self._state(task) in ("failed", "upstream_failed")), "publish")
        if then == "clear the task":
            self._clear(*TASKS[TASKS.index(failed) :])
        elif then == "clear from create":
            self._clear(*TASKS)
        elif then == "clear the run":
            self.airflow.call("POST", f"{self._path()}/clear", json={"dry_run": False})
            self._wait_for_end()
        elif then == "new run":
            self.run_ids.append(f"{self.name}-again")
            self._start(self.run_ids[-1])
            self._wait_for_end()
        elif then == "backfill":
            self._backfill()

    def _clear(self, *tasks: str) -> None:
        """Clear tasks, as the UI does."""
        body = {
            "dry_run": False,
            "dag_run_id": self.run_ids[-1],
            "task_ids": list(tasks),
            "only_failed": False,
            "reset_dag_runs": True,
        }
        self.airflow.call("POST", f"/dags/{self.dag_id}/clearTaskInstances", json=body)
        self._wait_for_end()

    def _backfill(self) -> None:
        """Let a backfill make two more runs with the key."""
        first = FIRST_DAY + timedelta(days=BACKFILLED * random.randrange(MOST_BACKFILLS))  # noqa: S311
        body = {
            "dag_id": self.dag_id,
            "from_date": first.isoformat(),
            "to_date": (first + timedelta(days=BACKFILLED - 1)).isoformat(),
            "dag_run_conf": self._conf(),
            "max_active_runs": 2,
        }
        # Airflow takes one at a time for a DAG, and notices only now and then that the one before has ended.
        self._wait(lambda: not self._backfill_is_under_way(), f"the lane's last backfill is over: {self.scenario}", 120)
        self.airflow.call("POST", "/backfills", json=body)
        there = f"the runs of the backfill of {self.scenario}"
        self._wait(lambda: len(self._backfilled()) == BACKFILLED, there, 60)
        self.run_ids += self._backfilled()
        self._wait_for_end()

    def _backfill_is_under_way(self) -> bool:
        found = self.airflow.call("GET", "/backfills", params={"dag_id": self.dag_id})["backfills"]
        return any(one["completed_at"] is None for one in found)

    def _backfilled(self) -> list[str]:
        runs = self.airflow.call("GET", f"/dags/{self.dag_id}/dagRuns", params={"run_type": "backfill"})["dag_runs"]
        return [run["dag_run_id"] for run in runs if run["conf"].get("post_key") == self.name]

    # ---- what happens to processes

    def _act(self, plant: Plant) -> Callable[[], None] | None:
        if isinstance(plant, Kill):
            return partial(self._see_killed, plant)
        if isinstance(plant, Freeze):
            return partial(self._freeze, plant)
        if isinstance(plant, Revocation):
            return partial(self._while_held, plant, self._revoke(plant))
        if isinstance(plant, Pause):
            return partial(self._while_held, plant, lambda: self.sandbox.advance(3600 * plant.hours))
        if isinstance(plant, TriggererKill):
            return self._kill_triggerer
        if isinstance(plant, MarkedFailed):
            return partial(self._mark_failed, plant)
        if isinstance(plant, Rival):
            return self._start_rival
        return None

    def _note(self, plant: Plant) -> dict[str, int]:
        """Wait until a moment has come, and give the processes that were there."""
        task, moment = _task(plant, self.disturbance), _moment(plant).replace(" ", "_")
        path = self.lane.notes / f"{self.name}.{task}.1.{moment}.json"
        self._wait(path.exists, f"the moment {moment} of {self.scenario}", LIMIT_S, 0.2)
        return dict(json.loads(path.read_text()))

    def _see_killed(self, plant: Kill) -> None:
        pid = self._note(plant)[plant.process]
        self._wait(lambda: not _runs(pid), f"process {pid} is gone: {self.scenario}", 30, 0.2)

    def _freeze(self, plant: Freeze) -> None:
        """Wake the processes when the next try has come so far; they end by themselves then."""
        pids, task = self._note(plant), _task(plant, self.disturbance)
        stand_still = partial(_stand_still, *pids.values())
        self._wait(stand_still, f"the processes stand still: {self.scenario}", 10, 0.2)
        try:
            states = ("running",) if plant.woken == "during" else ENDED
            next_try = f"the next try of {self.scenario} is {' or '.join(states)}"
            self._wait(lambda: self._try(task) > 1 and self._state(task) in states, next_try, LIMIT_S)
            assert stand_still()
        finally:
            for pid in pids.values():
                os.kill(pid, signal.SIGCONT)
        self._wait(lambda: not _runs(pids["task"]), f"the zombie has ended: {self.scenario}", 90, 0.5)

    def _while_held(self, plant: Plant, act: Callable[[], object]) -> None:
        """Do something while the task stands at a moment, and let it go on."""
        pid = self._note(plant)["task"]
        self._wait(lambda: _stand_still(pid), f"the task stands still: {self.scenario}", 10, 0.1)
        act()
        os.kill(pid, signal.SIGCONT)

    def _revoke(self, plant: Revocation) -> Callable[[], None]:
        def act() -> None:
            self.sandbox.revoke(self.sandbox.token)
            if plant.replaced:
                self.lane.replace_token()

        return act

    def _kill_triggerer(self) -> None:
        self._wait(lambda: self._state("wait") == "deferred", f"{self.scenario} waits", 60)
        self.airflow.stop("triggerer", force=True)
        self.airflow.start("triggerer")

    def _mark_failed(self, plant: MarkedFailed) -> None:
        task = _task(plant, self.disturbance)
        if plant.call is None:
            self._wait(lambda: self._state(task) == "deferred", f"{self.scenario} waits", 60)
        else:
            self._wait(lambda: self.sandbox.journal(plant.call), f"{self.scenario} is at it", 60, 0.2)
        pid = json.loads((self.lane.notes / f"{self.name}.{task}.1.json").read_text())["task"]
        assert plant.call is None or _runs(pid)
        self.airflow.call("PATCH", f"{self._path()}/taskInstances/{task}", json={"new_state": "failed"})
        self._wait(lambda: not _runs(pid), f"process {pid} is gone: {self.scenario}", 30, 0.2)

    def _start_rival(self) -> None:
        """Start another run once there is a container: two that make one at the same moment make two, and post one."""
        self._wait(lambda: self._state("create") == "success", f"the container of {self.scenario}", 90, 0.2)
        self.run_ids.append(f"{self.name}-rival")
        self._start(self.run_ids[-1])

    # ---- what Airflow says

    def _path(self, run_id: str | None = None) -> str:
        return f"/dags/{self.dag_id}/dagRuns/{run_id or self.run_ids[-1]}"

    def _ti(self, task: str) -> dict[str, Any]:
        return dict(self.airflow.call("GET", f"{self._path()}/taskInstances/{task}"))

    def _state(self, task: str) -> str | None:
        state: str | None = self._ti(task)["state"]
        return state

    def _try(self, task: str) -> int:
        return int(self._ti(task)["try_number"])

    def _first_failure(self) -> str | None:
        """Name the error of the first try that failed."""
        for task in TASKS:
            tries = self.airflow.call("GET", f"{self._path(self.name)}/taskInstances/{task}/tries")["task_instances"]
            for one in sorted(tries, key=lambda ti: int(ti["try_number"])):
                if one["state"] in ("failed", "up_for_retry"):
                    return self._error(self.name, task, one["try_number"])[0]
        return None

    def _error(self, run_id: str, task: str, try_number: int) -> tuple[str, str]:
        """Read what a try ended with: the error's name, and what it says."""
        path = f"{self._path(run_id)}/taskInstances/{task}/logs/{try_number}"
        lines = self.airflow.call("GET", path, params={"full_content": True})["content"]
        details = [line["error_detail"] for line in lines if isinstance(line, dict) and line.get("error_detail")]
        if not details:
            return "Killed", ""
        return str(details[-1][0]["exc_type"]), str(details[-1][0]["exc_value"])

    def _conclude(self) -> None:
        """Note how the job has ended."""
        played, states = self.played, {run: self.airflow.run_state(self.dag_id, run) for run in self.run_ids}
        bad = [run for run, state in states.items() if state != "success" and run != self.name]
        if states[self.run_ids[-1]] != "success":
            bad = [self.run_ids[-1]]
        played.last, played.text = None, ""
        for run_id in bad[:1]:
            failed = next(ti for ti in self.airflow.tasks(self.dag_id, run_id) if ti["state"] == "failed")
            played.last, played.text = self._error(run_id, failed["task_id"], failed["try_number"])
        played.told = disturbing.asks_for_clear_of_create(played.text)
        if not bad:
            results = [self.airflow.xcom(self.dag_id, run, "publish") for run in self.run_ids[-1:]]
            played.result = results[0]

    def _events(self) -> int:
        """Count the events of a post that the runs emitted."""
        asset = f"instagram://{self.lane.conn_id}/posts"
        found = [
            event
            for run in self.run_ids
            for event in self.airflow.call("GET", "/assets/events", params={"source_run_id": run})["asset_events"]
        ]
        return sum(event["uri"] == asset for event in found)


def _signal(plant: Plant, disturbance: Disturbance) -> dict[str, Any] | None:
    """Say what the tasks are to do to their processes, as their DAG takes it."""
    if isinstance(plant, Kill):
        signal_name, processes = "SIGKILL", [plant.process]
    elif isinstance(plant, Freeze):
        signal_name, processes = "SIGSTOP", ["supervisor", "task"]
    elif isinstance(plant, (Revocation, Pause)):
        signal_name, processes = "SIGSTOP", ["task"]
    else:
        return None
    return {
        "task": _task(plant, disturbance),
        "moment": _moment(plant),
        "nth": getattr(plant, "nth", 1),
        "signal": signal_name,
        "processes": processes,
    }


def _moment(plant: Plant) -> str:
    if isinstance(plant, (Kill, Freeze)):
        return f"{plant.side} {plant.call or f'row {plant.row}'}"
    return f"before {plant.operation}" if isinstance(plant, Revocation) else "start"


def _task(plant: Plant, disturbance: Disturbance) -> str:
    """Tell in which task a plant's moment is."""
    if isinstance(plant, Pause):
        return plant.before
    at = (
        plant.operation
        if isinstance(plant, Revocation)
        else getattr(plant, "call", None) or getattr(plant, "row", None)
    )
    if at in ("create", "upload", "container", "containers") or disturbance.when.startswith("upload"):
        return "create"
    return "wait" if at in ("status", None) else "publish"


def _process_state(pid: int) -> str | None:
    """Read the state of a process from the kernel; None when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return None


def _stand_still(*pids: int) -> bool:
    return all(_process_state(pid) == "T" for pid in pids)


def _runs(pid: int) -> bool:
    return _process_state(pid) not in (None, "Z")
