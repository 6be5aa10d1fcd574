"""A real triggerer that holds thousands of deferred tasks, and its resource usage.

Airflow's own process with its supervisor, its log file for each trigger, and an SQLite database.
Only the tasks' rows are written directly through Airflow's models, because 5,000 runs up to their
deferral would take an hour.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import statistics
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cryptography.fernet import Fernet

from demo.stack import AIRFLOW, free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CAPACITY: Final = 6000
OPEN_FILES: Final = 2 * CAPACITY
START_LIMIT_S: Final = 300
ROOT: Final = Path(__file__).parents[1]
DAG_ID: Final = "waits"
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_PAGE_KB: Final = os.sysconf("SC_PAGE_SIZE") // 1024


@dataclass(frozen=True)
class Figures:
    """The resource usage of a triggerer over a period.

    :param cpu: Of one core, by the process with the triggers.
    :param supervisor_cpu: Of one core, by the process that reads and writes the database.
    :param memory_kb: Of the process with the triggers, at the end.
    :param supervisor_memory_kb: Of the other one.
    :param lags_ms: How late the event loop was, each time it was looked at.
    :param files: Open in the process with the triggers.
    :param supervisor_files: Open in the other one.
    :param log_lines: Lines in the logs of the triggers since the start, without Airflow's own first
        line of each.
    """

    cpu: float
    supervisor_cpu: float
    memory_kb: int
    supervisor_memory_kb: int
    lags_ms: list[float]
    files: int
    supervisor_files: int
    log_lines: list[str]

    @property
    def median_lag_ms(self) -> float:
        """The event loop's lag, median."""
        return statistics.median(self.lags_ms)

    @property
    def p99_lag_ms(self) -> float:
        """The event loop's lag, 99th percentile."""
        return statistics.quantiles(self.lags_ms, n=100)[98]


class Triggerer:
    """An Airflow that runs only its triggerer.

    :param home: Its AIRFLOW_HOME, new.
    :param connections: Its connections by id.
    """

    def __init__(self, home: Path, connections: Mapping[str, Mapping[str, Any]]) -> None:
        self.home = home
        self.probe_file = home / "probe.jsonl"
        self.settings = {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__FERNET_KEY": Fernet.generate_key().decode(),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
            "AIRFLOW__TRIGGERER__CAPACITY": str(CAPACITY),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
            "PYTHONPATH": str(ROOT),
        }
        # this process writes the rows
        os.environ.update(self.settings, AIRFLOW__LOGGING__LOGGING_LEVEL="ERROR")
        self._logs = home / "logs"
        self._process: subprocess.Popen[bytes] | None = None
        self._expected = 0
        _make_database(connections)

    def defer(self, triggers: Iterable[Any]) -> None:
        """Replace all deferred tasks: create one for each trigger, and one for a probe of the event loop."""
        from benchmarks.triggers import LoopProbe

        self._expected = _write_rows([*triggers, LoopProbe(str(self.probe_file))])

    def start(self) -> float:
        """Start the triggerer, and return the seconds until all triggers run."""
        began = time.monotonic()
        self._logs = self.home / f"logs-{time.time_ns()}"
        self.probe_file.unlink(missing_ok=True)
        logging = {"BASE_LOG_FOLDER": str(self._logs), "LOGGING_LEVEL": "INFO"}
        environment = (
            os.environ
            | self.settings
            | {f"AIRFLOW__LOGGING__{name}": text for name, text in logging.items()}
        )
        with (self.home / "triggerer.log").open("ab") as log:
            self._process = subprocess.Popen(
                [AIRFLOW, "triggerer"],
                env=environment,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_raise_open_files,
            )
        wait_until(self._all_run, f"{self._expected} triggers run", START_LIMIT_S, pause_s=0.5)
        return time.monotonic() - began

    def stop(self, signum: signal.Signals = signal.SIGTERM) -> None:
        """Stop the triggerer. If it is killed, its children end with it."""
        if self._process is None:
            return
        process, self._process = self._process, None
        if signum == signal.SIGKILL:
            os.killpg(process.pid, signum)
        else:
            process.send_signal(signum)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def measure(self, seconds: float) -> Figures:
        """Measure the triggerer for a period."""
        runner, supervisor = self._processes()
        cpu, supervisor_cpu, began = _cpu_s(runner), _cpu_s(supervisor), time.time()
        time.sleep(seconds)
        passed_s = time.time() - began
        return Figures(
            cpu=(_cpu_s(runner) - cpu) / passed_s,
            supervisor_cpu=(_cpu_s(supervisor) - supervisor_cpu) / passed_s,
            memory_kb=_rss_kb(runner),
            supervisor_memory_kb=_rss_kb(supervisor),
            lags_ms=[
                late_ms for at, late_ms, *_ in self._probed() if began <= at <= began + passed_s
            ],
            files=_files(runner),
            supervisor_files=_files(supervisor),
            log_lines=self._log_lines(),
        )

    def _all_run(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise RuntimeError(
                f"The triggerer ended: {(self.home / 'triggerer.log').read_text()[-2000:]}"
            )
        return self.running() >= self._expected and self.probe_file.exists()

    def running(self) -> int:
        """Return the number of triggers that were started: Airflow writes a first line into the log of each."""
        return sum(1 for _ in self._logs.rglob("*.trigger.*.log"))

    def _log_lines(self) -> list[str]:
        logs = (file.read_text().splitlines() for file in self._logs.rglob("*.trigger.*.log"))
        return [line for lines in logs for line in lines[1:]]

    def _probed(self) -> list[list[float]]:
        return [json.loads(line) for line in self.probe_file.read_text().splitlines()[:-1]]

    def _processes(self) -> tuple[int, int]:
        wait_until(lambda: len(self._probed()) > 1, "the probe runs", START_LIMIT_S)
        _, _, runner, supervisor = self._probed()[-1]
        return int(runner), int(supervisor)


def _raise_open_files() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, most))


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def _rss_kb(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_KB


def _files(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def _make_database(connections: Mapping[str, Mapping[str, Any]]) -> None:
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.collection import update_dag_parsing_results_in_db
    from airflow.models.connection import Connection
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import DAG
    from airflow.serialization.serialized_objects import LazyDeserializedDAG
    from airflow.utils.db import initdb
    from airflow.utils.session import create_session

    initdb()
    with DAG(DAG_ID, schedule=None) as dag:
        EmptyOperator(task_id="wait")
    with create_session() as session:
        session.connection().exec_driver_sql("pragma journal_mode = wal")
        DagBundlesManager().sync_bundles_to_db(session=session)
        for conn_id, fields in connections.items():
            session.add(
                Connection(conn_id=conn_id, **{**fields, "extra": json.dumps(fields["extra"])})
            )
    with create_session() as session:
        stored = LazyDeserializedDAG.from_dag(dag)
        update_dag_parsing_results_in_db(
            "dags-folder", None, [stored], {}, None, set(), session=session
        )


def _write_rows(triggers: list[Any]) -> int:
    from airflow.models.dag_version import DagVersion
    from airflow.models.dagrun import DagRun
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.trigger import Trigger
    from airflow.utils.session import create_session
    from airflow.utils.state import DagRunState, TaskInstanceState
    from airflow.utils.types import DagRunType
    from sqlalchemy import delete

    now, run_id = datetime.now(timezone.utc), f"run-{time.time_ns()}"
    with create_session() as session:
        for model in (TaskInstance, Trigger):
            session.execute(delete(model))
        version = DagVersion.get_latest_version(DAG_ID, session=session)
        dag = SerializedDagModel.get_dag(DAG_ID, session=session)
        assert version is not None
        assert dag is not None
        task = dag.get_task("wait")
        run = DagRun(
            dag_id=DAG_ID, run_id=run_id, run_type=DagRunType.MANUAL, state=DagRunState.RUNNING
        )
        run.run_after, run.start_date, run.created_dag_version = now, now, version
        session.add(run)
        session.flush()
        for index, trigger in enumerate(triggers):
            row = Trigger.from_object(trigger)
            session.add(row)
            ti = TaskInstance(task, version.id, run_id, TaskInstanceState.DEFERRED, map_index=index)
            ti.trigger, ti.try_number, ti.start_date = row, 1, now
            ti.trigger_timeout, ti.next_method = now + timedelta(hours=6), "execute_complete"
            session.add(ti)
    return len(triggers)
