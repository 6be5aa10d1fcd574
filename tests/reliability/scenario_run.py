"""Plays one scenario in a running Airflow, over its REST API as the UI does."""

from __future__ import annotations

import json
import random
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from demo.stack import wait_until
from tests.processes import alive, is_stopped, kill
from tests.reliability import sandbox_injection
from tests.reliability.live_injection import Injector, signal_to_send
from tests.reliability.machine import MachineError
from tests.reliability.main_job import media_conf
from tests.reliability.scenario import ConcurrentRun, ContainerOutcome
from tests.reliability.verdict import Observation

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.reliability.live import Account
    from tests.reliability.scenario import Scenario

ENDED: Final = ("success", "failed")
TASKS: Final = ("create", "wait", "publish")
#: Settling takes 150 s, and a client waits 60 s for an answer, whatever the tests would like.
LIMIT_S: Final = 540
#: Airflow starts the first task of a run within seconds.
FIRST_TASK_LIMIT_S: Final = 180
LOOK_EVERY_S: Final = 1.0
#: How many days a backfill makes runs of, and among how many such periods it is drawn.
BACKFILLED: Final = 2
MOST_BACKFILLS: Final = 180
FIRST_DAY: Final = datetime(2024, 1, 1, tzinfo=timezone.utc)


@dataclass
class ScenarioRun:
    """One scenario on its account: the runs of its DAG, and what a person does in between.

    :param account: The account.
    :param scenario: The scenario.
    :param name: The first run's id.
    """

    account: Account
    scenario: Scenario
    name: str = field(default_factory=lambda: secrets.token_hex(5))

    def __post_init__(self) -> None:
        self.airflow, self.sandbox = self.account.airflow, self.account.sandbox
        self.disturbance = self.scenario.disturbance
        self.dag_id = f"{'retried' if self.scenario.recovery == 'retry' else 'once'}_{self.account.number}"
        self.run_ids: list[str] = []

    def play(self) -> Observation:
        """Play the scenario, and return what Airflow says of it."""
        observed, injector = Observation(self.scenario), Injector(self)
        self.start(self.name)
        self._wait_for_first_task()
        for injection in self.disturbance.injections:
            if injector.inject(injection):
                observed.injected.add(injection)
        self._wait_for_end()
        observed.first = self._first_failure()
        if self.scenario.recovery != "retry":
            sandbox_injection.before_recovery(self.disturbance, self.sandbox, self.account.replace_token)
            self._recover()
        self._conclude(observed)
        if observed.asks_for_clear and self.scenario.expected.asks_for_clear:
            self._clear(*TASKS)
            self._conclude(observed)
        observed.events = self._events()
        return observed

    def end(self) -> None:
        """End runs that are still under way, so that nothing disturbs the account's next scenario."""
        left = [run_id for run_id in self.run_ids if not self._has_ended(run_id)]
        for run_id in left:
            self.airflow.call("PATCH", self.path(run_id), json={"state": "failed"})
        pids = {pid for run_id in left for pid in self._noted_pids(run_id)}
        for pid in filter(is_stopped, pids):
            kill(pid)
        if pids:
            wait_until(lambda: not any(map(alive, pids)), f"the tasks of {self.scenario} are gone", 60)

    def _noted_pids(self, run_id: str) -> set[int]:
        notes = self.account.notes.glob(f"{run_id}.*.json")
        return {int(pid) for note in notes for pid in json.loads(note.read_text()).values()}

    def wait(self, condition: Callable[[], Any], what: str, limit_s: float, pause_s: float = LOOK_EVERY_S) -> None:
        """Wait for a condition, but no longer than the tests run."""

        def holds_or_is_over() -> Any:
            if self.account.closed.is_set():
                raise RuntimeError(f"The tests have ended before {what}.")
            return condition()

        wait_until(holds_or_is_over, f"{what} ({self.scenario})", limit_s, pause_s)

    # ---- runs

    def start(self, run_id: str) -> None:
        """Start a run. The processes of the first one are sent the signals of the scenario."""
        signals = [
            one for injection in self.disturbance.injections if (one := signal_to_send(injection, self.disturbance))
        ]
        conf = self._conf() | {"signals": signals if run_id == self.name else []}
        self.airflow.trigger(self.dag_id, run_id, conf)
        self.run_ids.append(run_id)

    def _conf(self) -> dict[str, Any]:
        one_key = self.scenario.recovery in ("new run", "backfill") or self._has(ConcurrentRun)
        never = any(
            isinstance(one, ContainerOutcome) and one.processing.get("never") for one in self.disturbance.injections
        )
        return {
            **media_conf(self.disturbance.media, self.account.video),
            "post_key": self.name if one_key else "",
            "create_waits": self.disturbance.create_waits,
            "sensor_timeout": 12 if never else 1800,
            "notes": str(self.account.notes),
            "signals": [],
        }

    def _has(self, kind: type) -> bool:
        return any(isinstance(one, kind) for one in self.disturbance.injections)

    def _wait_for_first_task(self) -> None:
        """Wait until the first task runs: nothing of ours can keep Airflow from starting it."""
        try:
            self.wait(lambda: self._task_instance("create")["start_date"], "create has started", FIRST_TASK_LIMIT_S)
        except TimeoutError as error:
            raise MachineError(str(error)) from error

    def _wait_for_end(self) -> None:
        for run_id in self.run_ids:
            self.wait(partial(self._has_ended, run_id), f"run {run_id} has ended", LIMIT_S)

    def _has_ended(self, run_id: str) -> bool:
        return self.airflow.run_state(self.dag_id, run_id) in ENDED

    def _recover(self) -> None:
        recovery = self.scenario.recovery
        failed = next((task for task in TASKS if self.state(task) in ("failed", "upstream_failed")), "publish")
        if recovery == "clear the task":
            self._clear(*TASKS[TASKS.index(failed) :])
        elif recovery == "clear from create":
            self._clear(*TASKS)
        elif recovery == "clear the run":
            self.airflow.call("POST", f"{self.path()}/clear", json={"dry_run": False})
            self._wait_for_end()
        elif recovery == "new run":
            self.start(f"{self.name}-again")
            self._wait_for_end()
        elif recovery == "backfill":
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
        """Make two more runs with the key, by a backfill."""
        first = FIRST_DAY + timedelta(days=BACKFILLED * random.randrange(MOST_BACKFILLS))  # noqa: S311
        body = {
            "dag_id": self.dag_id,
            "from_date": first.isoformat(),
            "to_date": (first + timedelta(days=BACKFILLED - 1)).isoformat(),
            "dag_run_conf": self._conf(),
            "max_active_runs": 2,
        }
        # Airflow takes one at a time for a DAG, and notices only now and then that the one before has ended.
        self.wait(lambda: not self._backfill_is_under_way(), "the account's last backfill is over", 120)
        self.airflow.call("POST", "/backfills", json=body)
        self.wait(lambda: len(self._backfilled()) == BACKFILLED, "the runs of the backfill are there", 60)
        self.run_ids += self._backfilled()
        self._wait_for_end()

    def _backfill_is_under_way(self) -> bool:
        found = self.airflow.call("GET", "/backfills", params={"dag_id": self.dag_id})["backfills"]
        return any(one["completed_at"] is None for one in found)

    def _backfilled(self) -> list[str]:
        runs = self.airflow.call("GET", f"/dags/{self.dag_id}/dagRuns", params={"run_type": "backfill"})["dag_runs"]
        return [run["dag_run_id"] for run in runs if run["conf"].get("post_key") == self.name]

    # ---- what Airflow says

    def path(self, run_id: str | None = None) -> str:
        """Return the path of a run in Airflow's REST API: the last one, unless another is named."""
        return f"/dags/{self.dag_id}/dagRuns/{run_id or self.run_ids[-1]}"

    def _task_instance(self, task: str) -> dict[str, Any]:
        return dict(self.airflow.call("GET", f"{self.path()}/taskInstances/{task}"))

    def state(self, task: str) -> str | None:
        """Return the state of a task in the last run."""
        state: str | None = self._task_instance(task)["state"]
        return state

    def try_number(self, task: str) -> int:
        """Return the number of a task's try in the last run."""
        return int(self._task_instance(task)["try_number"])

    def _first_failure(self) -> str | None:
        """Return the name of the error of the first try that failed."""
        for task in TASKS:
            tries = self.airflow.call("GET", f"{self.path(self.name)}/taskInstances/{task}/tries")["task_instances"]
            for one in sorted(tries, key=lambda ti: int(ti["try_number"])):
                if one["state"] in ("failed", "up_for_retry"):
                    return self._error(self.name, task, one["try_number"])[0]
        return None

    def _error(self, run_id: str, task: str, try_number: int) -> tuple[str, str]:
        """Return the name and the message of the error that a try ended with."""
        path = f"{self.path(run_id)}/taskInstances/{task}/logs/{try_number}"
        lines = self.airflow.call("GET", path, params={"full_content": True})["content"]
        details = [line["error_detail"] for line in lines if isinstance(line, dict) and line.get("error_detail")]
        if not details:
            return "Killed", ""
        return str(details[-1][0]["exc_type"]), str(details[-1][0]["exc_value"])

    def _conclude(self, observed: Observation) -> None:
        """Record how the job has ended."""
        states = {run: self.airflow.run_state(self.dag_id, run) for run in self.run_ids}
        bad = [run for run, state in states.items() if state != "success" and run != self.name]
        if states[self.run_ids[-1]] != "success":
            bad = [self.run_ids[-1]]
        observed.last, observed.text = None, ""
        for run_id in bad[:1]:
            failed = next(ti for ti in self.airflow.tasks(self.dag_id, run_id) if ti["state"] == "failed")
            observed.last, observed.text = self._error(run_id, failed["task_id"], failed["try_number"])
        observed.asks_for_clear = sandbox_injection.asks_for_clear_of_create(observed.text)
        if not bad:
            observed.result = self.airflow.xcom(self.dag_id, self.run_ids[-1], "publish")

    def _events(self) -> int:
        """Count the events of a post that the runs emitted."""
        asset = f"instagram://{self.account.conn_id}/posts"
        found = [
            event
            for run in self.run_ids
            for event in self.airflow.call("GET", "/assets/events", params={"source_run_id": run})["asset_events"]
        ]
        return sum(event["uri"] == asset for event in found)
