"""An account of its own for each scenario that is played in a running Airflow, and the settings of that Airflow."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from demo.ui import connect
from tests.reliability import sandbox_injection
from tests.reliability.machine import MachineError, StallWatch, machine_faults_named
from tests.reliability.scenario_run import ScenarioRun
from tests.reliability.verdict import Outcome, compare, not_played

if TYPE_CHECKING:
    from pathlib import Path

    from demo.stack import AirflowStack
    from instagram_sandbox.testing.handle import SandboxHandle
    from tests.reliability.scenario import Scenario

#: Longer than the 60 s that a client waits for an answer.
TIMEOUT_S: Final = 63
#: A sandbox whose delays are seconds.
QUICK: Final = ("--processing-time", "0.5", "--visible-after", "2", "--new-ids-unknown", "0.5")
#: Airflow takes a worker for dead after this.
HEARTBEAT_TIMEOUT_S: Final = 20


def settings(accounts: int) -> dict[str, str]:
    """Return the settings of an Airflow that plays scenarios on so many accounts, beside the usual ones."""
    return {
        "RELIABILITY_ACCOUNTS": str(accounts),
        "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "180",  # a slow machine must not fail a try of its own
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",  # what a try ended with is read from its log
        "AIRFLOW__CORE__PARALLELISM": str(accounts + 4),
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": str(HEARTBEAT_TIMEOUT_S),
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "120",
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
        "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "6",
    }


@dataclass
class Account:
    """An account with a sandbox and DAGs of its own, on which one scenario after the other is played.

    :param number: Its number, which is in the ids of its DAGs and of its connection.
    :param airflow: The running Airflow.
    :param sandbox: Its sandbox.
    :param video: A video that complies.
    :param notes: The folder in which the tasks note their processes.
    :param stalls: Measures when the machine stands still.
    :param closed: Set when no test waits for a scenario any more.
    """

    number: int
    airflow: AirflowStack
    sandbox: SandboxHandle
    video: Path
    notes: Path
    stalls: StallWatch
    closed: threading.Event = field(default_factory=threading.Event)

    @property
    def conn_id(self) -> str:
        """Id of the account's connection."""
        return f"account_{self.number}"

    def connect(self) -> None:
        """Store the sandbox's present token in the connection."""
        connect(self.airflow, self.sandbox, self.conn_id)

    def replace_token(self) -> None:
        """Create another token, and put it into the connection."""
        self.sandbox.token = self.sandbox.add_token(self.sandbox.user_id)
        self.connect()

    def play(self, scenario: Scenario) -> Outcome:
        """Play a scenario to its end, and return what came of it."""
        first_token = self.sandbox.token
        self.sandbox.reset()
        self.sandbox.switch(processing={"after_s": 0.5, "outcome": "finished"})
        video_bytes = self.video.stat().st_size
        run = ScenarioRun(self, scenario)
        try:
            with machine_faults_named(self.stalls):
                sandbox_injection.prepare(scenario.disturbance, self.sandbox, video_bytes, TIMEOUT_S)
                observed = run.play()
            return compare(observed, self.sandbox, video_bytes)
        except MachineError as fault:
            return not_played(scenario, fault)
        finally:
            if not self.closed.is_set():
                run.end()
            if self.sandbox.token != first_token:
                self.sandbox.token = first_token
                self.connect()
