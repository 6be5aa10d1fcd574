"""The cluster: its services and Airflow's components, each a process of its own, and the workers' machines."""

from __future__ import annotations

import json
import mimetypes
import os
import shutil
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from demo.scene import ROOT, airflow_settings
from demo.stack import AIRFLOW, AirflowStack, free_port, wait_until
from demo.ui import connect
from instagram_sandbox.testing.handle import SandboxHandle, sandbox_process
from tests.calendars.running_calendar import CALLS_PER_HOUR
from tests.cluster.process import Machine, Process, kept_running, program, require_namespaces, wrong_clock
from tests.reliability.postgres import POOL_SIZE, USER, make_database, server_command, wait_for_database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

BUCKET = "clips"
STORAGE = f"s3://media@{BUCKET}"
WORKERS = ("worker-1", "worker-2")
#: How many tasks the workers can run at a time.
SLOTS_OF_WORKER = 4
SLOTS = SLOTS_OF_WORKER * len(WORKERS)
CELERY, LOCAL = EXECUTORS = ("CeleryExecutor", "LocalExecutor")
START_LIMIT_S = 180
#: How many programs share one processor with a component that has little of it.
BURNERS = 2
#: What can be disturbed, and the processes that it is.
GROUPS = {
    "api-server": ("api-server-1", "api-server-2"),
    "scheduler": ("scheduler",),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer-1", "triggerer-2"),
    "worker": WORKERS,
    "redis": ("redis",),
    "postgres": ("postgres",),
    "s3": ("s3",),
}
#: The file that says whom S3 refuses.
REFUSED = "s3-refuses"
SERVICES = ("redis", "postgres", "moto", "s3", "balancer")
#: What docs/operate/workers.md recommends, so that a killed component is missed within seconds.
PROMPT = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "5",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "60",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "10",
    "AIRFLOW__SCHEDULER__NUM_STUCK_IN_QUEUED_RETRIES": "1000",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "20",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
}


@dataclass
class Cluster:
    """A running cluster.

    :param folder: Where its files and logs are.
    :param airflow: Its REST API, by the load balancer.
    :param sandbox: The sandbox.
    :param machines: The workers' machines, by name.
    :param processes: All its processes, by name, in the order in which they start.
    :param users: The accounts' Instagram user ids, by connection.
    """

    folder: Path
    airflow: AirflowStack
    sandbox: SandboxHandle
    machines: dict[str, Machine]
    processes: dict[str, Process]
    users: dict[str, str] = field(default_factory=dict)
    s3: Any = None

    def group(self, name: str) -> list[Process]:
        """Return the processes of what can be disturbed: none if this cluster has no such component."""
        return [self.processes[each] for each in GROUPS[name] if each in self.processes]

    def upload(self, key: str, body: bytes) -> str:
        """Write an object to S3 past its front, and return its URI for Airflow."""
        kind = mimetypes.guess_type(key)[0] or "application/octet-stream"
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body, ContentType=kind)
        return f"{STORAGE}/{key}"

    @contextmanager
    def refusing(self, whom: str) -> Iterator[None]:
        """Answer requests for S3 with 503.

        :param whom: A text of the requests that it refuses.
        """
        refused = self.folder / REFUSED
        refused.write_text(whom)
        try:
            yield
        finally:
            refused.unlink()

    @contextmanager
    def skewed(self, name: str, skew_s: float) -> Iterator[None]:
        """Start the processes of a component again with wrong clocks, in turn slow and fast.

        :param name: A key of ``GROUPS``.
        :param skew_s: By how much.
        """
        group, wrong = self.group(name), (-skew_s, skew_s)
        right = [process.env for process in group]
        for number, process in enumerate(group):
            process.restart_with({**process.env, **wrong_clock(wrong[number % 2])})
        try:
            yield
        finally:
            for process, env in zip(group, right, strict=True):
                process.restart_with(env)

    @contextmanager
    def starving(self, name: str) -> Iterator[None]:
        """Leave a component, and all that it starts, a share of one processor.

        :param name: A key of ``GROUPS``.
        """
        group, every = self.group(name), os.sched_getaffinity(0)
        burners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(BURNERS)]
        try:
            for burner in burners:
                os.sched_setaffinity(burner.pid, {min(every)})
            for process in group:
                process.bind({min(every)})
            yield
        finally:
            for burner in burners:
                burner.kill()
                burner.wait()
            for process in group:
                process.bind(every)

    def trigger(self, dag_id: str, run_id: str, conf: dict[str, Any]) -> None:
        """Start a run, also if Airflow is still recovering from a disturbance."""

        def started() -> bool:
            try:
                if not self.airflow.has(f"/dags/{dag_id}/dagRuns/{run_id}"):
                    self.airflow.trigger(dag_id, run_id, conf)
            except (httpx.HTTPError, RuntimeError):
                return False
            return True

        wait_until(started, f"a run of {dag_id} is started", START_LIMIT_S, 1.0)

    def left_behind(self) -> dict[str, int]:
        """Return how many bytes are on each machine's disk, without Airflow's configuration."""
        return {
            name: sum(file.stat().st_size for file in machine.own.rglob("*") if _is_left(file, machine.own))
            for name, machine in self.machines.items()
        }


def _is_left(file: Path, disk: Path) -> bool:
    parts = file.relative_to(disk).parts
    return file.is_file() and parts[0] != "airflow"


@contextmanager
def cluster(accounts: Sequence[str], say: Callable[[str], None], executor: str = CELERY) -> Iterator[Cluster]:
    """Run a cluster. At the end, whatever the reason, all its processes are ended.

    :param accounts: The connections to make, each with an account of its own in the sandbox.
    :param say: Is told of components that end by themselves.
    :param executor: With LocalExecutor, there is one component of each kind, and tasks run on the scheduler's machine.
    """
    require_namespaces()
    folder = ROOT / ".cluster"
    shutil.rmtree(folder, ignore_errors=True)
    for made in ("dags", "logs", "task-logs", "server/tmp", "disk", "postgres"):
        (folder / made).mkdir(parents=True)
    folder.chmod(0o755)
    with ExitStack() as running:
        sandbox = running.enter_context(sandbox_process("--processing-time", "1", "--visible-after", "1"))
        ports = {name: free_port() for name in ("redis", "postgres", "moto", "s3", "balancer")}
        settings = _settings(folder, ports, executor)
        machines = {name: _machine(folder, name) for name in (WORKERS if executor == CELERY else ("scheduler",))}
        processes = _services(folder, ports, executor) | _components(folder, settings, ports, machines)
        url = f"http://localhost:{ports['balancer']}"
        made_cluster = Cluster(
            folder, AirflowStack(url, folder / "server", settings), sandbox, machines, processes,
        )  # fmt: skip
        running.callback(_end, processes)
        _start(made_cluster, ports)
        _connect(made_cluster, accounts, ports["s3"])
        running.enter_context(kept_running(list(processes.values()), say))
        yield made_cluster


def _end(processes: dict[str, Process]) -> None:
    for process in reversed(processes.values()):
        process.thaw()
        process.kill()


def _start(made: Cluster, ports: dict[str, int]) -> None:
    make_database(made.folder / "postgres")
    for name, process in made.processes.items():
        if name in SERVICES:
            process.start()
    wait_for_database(ports["postgres"])
    made.s3 = _bucket(ports["moto"])
    with (made.folder / "logs" / "migrate.log").open("wb") as log:
        subprocess.run(
            [AIRFLOW, "db", "migrate"], env=os.environ | made.airflow.settings, stdout=log, stderr=log, check=True
        )
    for name, process in made.processes.items():
        if name not in SERVICES:
            process.start()
    wait_until(lambda: _workers_ready(made), "the workers are ready", START_LIMIT_S)
    made.airflow.wait_until_healthy()


def _workers_ready(made: Cluster) -> bool:
    if ended := [name for name, process in made.processes.items() if not process.runs]:
        raise RuntimeError(f"{', '.join(ended)} ended; see the logs in {made.folder / 'logs'}")
    return all(" ready." in each.log.read_text() for each in made.group("worker"))


def _bucket(port: int) -> Any:
    import boto3

    client = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
    )
    wait_until(lambda: _created(client), "S3 answers", START_LIMIT_S)
    return client


def _created(client: Any) -> bool:
    from botocore.exceptions import BotoCoreError

    try:
        client.create_bucket(Bucket=BUCKET)
    except BotoCoreError:
        return False
    return True


def _connect(made: Cluster, accounts: Sequence[str], s3_port: int) -> None:
    extra = {"endpoint_url": f"http://127.0.0.1:{s3_port}", "region_name": "us-east-1"}
    media = {"connection_id": "media", "conn_type": "aws", "login": "key", "password": "secret"}
    made.airflow.call("POST", "/connections", json={**media, "extra": json.dumps(extra)})
    for number, conn_id in enumerate(accounts):
        user = made.users[conn_id] = f"1784149900000{number:04}"
        account = SandboxHandle(made.sandbox.url, made.sandbox.add_account(user, conn_id), user)
        connect(made.airflow, account, conn_id, calls_per_hour=CALLS_PER_HOUR)
        account.close()


def _machine(folder: Path, name: str) -> Machine:
    own = folder / "machines" / name
    (own / "tmp").mkdir(parents=True)
    return Machine(name, own, folder / "disk")


def _settings(folder: Path, ports: dict[str, int], executor: str) -> dict[str, str]:
    """Return the environment of the components that are not on a machine of their own."""
    database = f"postgresql+psycopg2://airflow@127.0.0.1:{ports['postgres']}/airflow"
    url = f"http://localhost:{ports['balancer']}"
    return {
        **airflow_settings(folder / "server"),
        **PROMPT,
        "TMPDIR": str(folder / "server" / "tmp"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
        "AIRFLOW__CORE__EXECUTOR": executor,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "120",  # workers may be busy
        "AIRFLOW__CORE__PARALLELISM": str(SLOTS if executor == CELERY else 6),  # the broker knows no weights
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__CELERY__BROKER_URL": f"redis://127.0.0.1:{ports['redis']}/0",
        "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{database}",
        "AIRFLOW__CELERY__WORKER_CONCURRENCY": str(SLOTS_OF_WORKER),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_POOL_SIZE": str(POOL_SIZE),
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "10",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(folder / "task-logs"),  # shared, as a team's log storage is
        "AIRFLOW__INSTAGRAM__MEDIA_ROOTS": f"{STORAGE}/raw/",
        "AIRFLOW__INSTAGRAM__WORK_PREFIX": f"{STORAGE}/work/",
        "AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS": f"{STORAGE}/snapshots/",
    }


def _services(folder: Path, ports: dict[str, int], executor: str) -> dict[str, Process]:
    logs = folder / "logs"
    redis = [program("redis-server", "redis-server"), "--port", str(ports["redis"]), "--bind", "127.0.0.1"]
    moto = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(ports["moto"])]
    # moto keeps its objects in memory, so the way to it is what fails.
    front = [sys.executable, "-m", "tests.cluster.front", str(ports["s3"]), str(ports["moto"]), str(folder / REFUSED)]
    made = [
        Process("redis", [*redis, "--dir", str(folder)], logs / "redis.log"),
        Process(
            "postgres",
            server_command(folder / "postgres", ports["postgres"]),
            logs / "postgres.log",
            options={"cwd": folder / "postgres", **USER},
        ),
        Process("moto", moto, logs / "moto.log"),
        Process("s3", front, logs / "s3.log", options={"cwd": ROOT}),
    ]
    return {process.name: process for process in made if executor == CELERY or process.name != "redis"}


def _components(
    folder: Path, settings: dict[str, str], ports: dict[str, int], machines: dict[str, Machine]
) -> dict[str, Process]:
    def component(name: str, *words: str, machine: Machine | None = None, **more: str) -> Process:
        return Process(name, [AIRFLOW, *words], folder / "logs" / f"{name}.log", settings | more, machine)

    def on(machine: Machine) -> dict[str, Any]:
        return {"machine": machine, "TMPDIR": f"{machine.disk}/tmp", "AIRFLOW_HOME": f"{machine.disk}/airflow"}

    of_each_kind = len(machines)
    api_ports = {name: free_port() for name in GROUPS["api-server"][:of_each_kind]}
    forward = [sys.executable, "-m", "tests.cluster.forward", str(ports["balancer"]), *map(str, api_ports.values())]
    made = [Process("balancer", forward, folder / "logs" / "balancer.log", options={"cwd": ROOT})]
    made += [component(name, "api-server", AIRFLOW__API__PORT=str(port)) for name, port in api_ports.items()]
    made.append(component("dag-processor", "dag-processor"))
    if "scheduler" in machines:
        made.append(component("scheduler", "scheduler", "--skip-serve-logs", **on(machines["scheduler"])))
    else:
        made.append(component("scheduler", "scheduler"))
    made += [
        component(name, "triggerer", AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT=str(free_port()))
        for name in GROUPS["triggerer"][:of_each_kind]
    ]
    made += [
        component(name, "celery", "worker", "--queues", f"default,{name}", "--skip-serve-logs", **on(machine))
        for name, machine in machines.items()
        if name in WORKERS
    ]
    return {process.name: process for process in made}
