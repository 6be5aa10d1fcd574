"""A whole Airflow on this machine: API server, scheduler, DAG processor and triggerer, driven over its REST API."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import warnings
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")
HEALTHY = ("metadatabase", "scheduler", "triggerer", "dag_processor")
START_LIMIT_S = 180
#: What Airflow's API answers if SQLite was locked for too long. Airflow has then changed nothing.
#: This happens when it writes to its audit log while a task starts: both wait for each other, until
#: SQLite's timeout.
LOCKED = "Database error"
AIRFLOW = str(Path(sys.executable).with_name("airflow"))


class StartTimeoutError(TimeoutError):
    """Airflow's components were not all healthy in time. None of them had ended."""


class AirflowStack:
    """A running Airflow.

    :param url: Where its UI and API are.
    :param home: Its AIRFLOW_HOME, where each component logs to ``<component>.log``.
    :param settings: Its environment.
    :param login: The name and the password of the user who calls its REST API. None if it asks
        nobody for a login.
    :param limit_s: How long its start and its first look at a DAG may take, in seconds.
    """

    def __init__(
        self,
        url: str,
        home: Path,
        settings: dict[str, str],
        login: tuple[str, str] | None = None,
        limit_s: float = START_LIMIT_S,
    ) -> None:
        self.url = url
        self.home = home
        self.settings = settings
        self.login = login
        self.limit_s = limit_s
        self._http = httpx.Client(base_url=url, timeout=180, trust_env=False)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, *components: str) -> None:
        """Start components, each in a process group of its own."""
        for component in components or COMPONENTS:
            with (self.home / f"{component}.log").open("ab") as log:
                self._processes[component] = subprocess.Popen(
                    [AIRFLOW, component],
                    env=os.environ | self.settings,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )

    def stop(self, *components: str, force: bool = False) -> None:
        """Stop components with all their children: first by SIGTERM, unless ``force`` is set."""
        ended = [
            self._processes.pop(component) for component in components or tuple(self._processes)
        ]
        for signum in (signal.SIGKILL,) if force else (signal.SIGTERM, signal.SIGKILL):
            for process in ended:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signum)
            for process in ended:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(10)

    def wait_until_healthy(self) -> None:
        """Wait until all components report that they are healthy, and log in.

        :raises StartTimeoutError: If they are not healthy in time.
        """
        try:
            wait_until(self._is_healthy, "Airflow is healthy", self.limit_s)
        except TimeoutError as error:
            raise StartTimeoutError(str(error)) from error
        self._log_in()

    def _log_in(self) -> None:
        if self.login is None:
            answer = self._http.get("/auth/token")
        else:
            name, password = self.login
            answer = self._http.post("/auth/token", json={"username": name, "password": password})
        token = answer.raise_for_status().json()["access_token"]
        self._http.headers["Authorization"] = f"Bearer {token}"

    def as_user(self, name: str, password: str) -> AirflowStack:
        """Return the same Airflow, whose REST API another user calls."""
        other = AirflowStack(self.url, self.home, self.settings, (name, password))
        other._log_in()
        return other

    def _is_healthy(self) -> bool:
        if dead := [
            name for name, process in self._processes.items() if process.poll() is not None
        ]:
            raise RuntimeError(f"{', '.join(dead)} ended; see the logs in {self.home}")
        try:
            health = self._http.get("/api/v2/monitor/health").json()
        except httpx.HTTPError:
            return False
        return all((health.get(name) or {}).get("status") == "healthy" for name in HEALTHY)

    def call(self, method: str, path: str, **request: Any) -> Any:
        """Call Airflow's REST API.

        :param method: HTTP method.
        :param path: Path below ``/api/v2``.
        :param request: Arguments for httpx, such as ``json=…``.
        :return: The answer.
        """
        return self._call(method, f"/api/v2{path}", **request)

    def auth(self, method: str, path: str, **request: Any) -> Any:
        """Call the REST API of FAB, which has users and roles.

        :param path: Path below its root.
        """
        return self._call(method, f"/auth/fab/v1/{path}", **request)

    def _call(self, method: str, path: str, **request: Any) -> Any:
        answer = self._http.request(method, path, **request)
        if answer.status_code == 500 and LOCKED in answer.text:
            answer = self._http.request(method, path, **request)
        if answer.is_error:
            raise RuntimeError(f"{method} {path}: HTTP {answer.status_code} {answer.text[:500]}")
        return answer.json() if answer.content else None

    def page(self, path: str) -> str:
        """Return the page that Airflow shows at a path, as an administrator."""
        return self._http.get(path).text

    def download(self, path: str) -> bytes:
        """Return the answer of a plugin's page, as the user of the session."""
        return self._http.get(path).raise_for_status().content

    def wait_for_dag(self, dag_id: str) -> None:
        """Wait until the DAG processor has read a DAG."""
        wait_until(
            lambda: self.has(f"/dags/{dag_id}"), f"Airflow has read the DAG {dag_id}", self.limit_s
        )

    def has(self, path: str) -> bool:
        """Return whether the REST API has something at a path."""
        return self._http.get(f"/api/v2{path}").is_success

    def trigger(self, dag_id: str, run_id: str, conf: dict[str, Any] | None = None) -> None:
        """Start a run."""
        body = {"dag_run_id": run_id, "logical_date": None, "conf": conf or {}}
        self.call("POST", f"/dags/{dag_id}/dagRuns", json=body)

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return the state of a run."""
        return str(self.call("GET", f"/dags/{dag_id}/dagRuns/{run_id}")["state"])

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return the task instances of a run."""
        return list(
            self.call("GET", f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances")["task_instances"]
        )

    def xcom(
        self, dag_id: str, run_id: str, task_id: str, key: str = "return_value", map_index: int = -1
    ) -> Any:
        """Read an XCom."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        return self.call("GET", path, params={"map_index": map_index, "deserialize": False})[
            "value"
        ]

    def task_log(
        self, dag_id: str, run_id: str, task_id: str, try_number: int = 1, map_index: int = -1
    ) -> str:
        """Read the log of a try."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{try_number}"
        return str(self.call("GET", path, params={"map_index": map_index, "full_content": True}))


def wait_until(
    condition: Callable[[], Any], what: str, limit_s: float, pause_s: float = 0.25
) -> Any:
    """Wait for a condition.

    :param condition: Returns a true value once it holds.
    :param what: The condition in words, for the error message.
    :param limit_s: How long to wait, in seconds.
    :param pause_s: Pause between two checks, in seconds.
    :return: The true value.
    :raises TimeoutError: If the condition does not hold in time.
    """
    deadline_s = time.monotonic() + limit_s
    while not (found := condition()):
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"Not within {limit_s:.0f} s: {what}")
        time.sleep(pause_s)
    return found


@contextmanager
def airflow_stack(
    settings: dict[str, str],
    port: int = 0,
    starts: int = 1,
    admin: tuple[str, str] | None = None,
    limit_s: float = START_LIMIT_S,
) -> Iterator[AirflowStack]:
    """Run a whole Airflow. It ends with the block, also if SIGTERM ends this process.

    :param settings: The environment, as :func:`~demo.scene.airflow_settings` returns it.
    :param port: Port of the UI. 0 means any free port.
    :param starts: How often to start it, at most, while its start takes too long.
    :param admin: The name and the password of an administrator, if Airflow asks for a login.
    :param limit_s: How long the start may take, in seconds.
    """
    port, log_ports = port or free_port(), (free_port(), free_port())
    url = f"http://localhost:{port}"
    settings = {
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "5",
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(log_ports[0]),
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(log_ports[1]),
        **settings,
    }
    home = Path(settings["AIRFLOW_HOME"])
    end_on_sigterm()
    with (home / "migrate.log").open("wb") as log:
        subprocess.run(
            [AIRFLOW, "db", "migrate"],
            env=os.environ | settings,
            stdout=log,
            stderr=log,
            check=True,
        )
    if (database := home / "airflow.db").exists():
        _enable_write_ahead_log(database)
    if admin is not None:
        _create_admin(settings, *admin)
    stack = AirflowStack(url, home, settings, admin, limit_s)
    try:
        _start(stack, starts)
        yield stack
    finally:
        stack.stop()


def end_on_sigterm() -> None:
    """Have SIGTERM end this process as Ctrl-C does, so that it stops all that it has started.

    Whoever starts processes calls this first. Only the first SIGTERM counts, because another one
    would interrupt the stopping. In a thread other than the main one, nothing is changed: Python
    delivers no signals there.
    """

    def end(*_: object) -> None:
        signal.signal(signal.SIGTERM, lambda *_: None)
        raise KeyboardInterrupt

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, end)


def _start(stack: AirflowStack, starts: int) -> None:
    for start in range(1, starts + 1):
        stack.start()
        try:
            stack.wait_until_healthy()
        except StartTimeoutError:
            if start == starts:
                raise
            warnings.warn(
                "MACHINE: Airflow took too long to start, and is started again.", stacklevel=3
            )
            stack.stop()
        else:
            break


def _create_admin(settings: dict[str, str], name: str, password: str) -> None:
    person = ("--firstname", name, "--lastname", name, "--email", f"{name}@example.com")
    command = [
        AIRFLOW,
        "users",
        "create",
        "--role",
        "Admin",
        "--username",
        name,
        "--password",
        password,
        *person,
    ]
    subprocess.run(command, env=os.environ | settings, stdout=subprocess.DEVNULL, check=True)


def _enable_write_ahead_log(database: Path) -> None:
    """Switch SQLite to its write-ahead log. Without it, runs that start together find the database locked."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("pragma journal_mode = wal")


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
