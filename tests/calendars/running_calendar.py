"""A running Airflow with a calendar's DAG, and a sandbox with its accounts."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import yaml

from demo.scene import airflow_settings
from demo.stack import AirflowStack, airflow_stack
from demo.ui import connect
from instagram_sandbox.testing.handle import SandboxHandle, sandbox_process
from tests.reliability.postgres import postgres

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path
    from typing import Any

DAG_ID = "content"
REEL_WIDTH = 540
#: The administrator of an Airflow with logins: name and password.
ADMIN = ("admin", "admin")
#: A lead time is minutes here and not an hour: the accounts are asked, and publish, so much more often.
CALLS_PER_HOUR = 5000
POSTS = {"posts_per_hour": 100, "posts_per_day": 100}
SETTINGS = {
    "AIRFLOW__CORE__PARALLELISM": "9",
    "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "120",  # many tasks start at once, on a machine that may be busy
    "AIRFLOW__SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "3",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "2",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "6",
}


def dag_file(
    dag_id: str, calendar: str, accounts: Iterable[str], *, lead_s: int, ahead_s: int = 0, more: str = ""
) -> str:
    """Return the text of a DAG file.

    :param ahead_s: How long ahead posts are prepared; a lead time, if that is longer. Here, they are due in minutes.
    :param more: Further arguments of the calendar, as they stand in the file.
    """
    return f"""\
from datetime import timedelta

from airflow_provider_instagram.calendar import content_calendar_dag

dag = content_calendar_dag(
    {dag_id!r}, {calendar!r}, accounts={[*accounts]!r}, lead_time=timedelta(seconds={lead_s}),
    prepare_ahead=timedelta(seconds={ahead_s}), {more}
)
"""


def queue_file(tasks: int, least_s: int, slots: int) -> str:
    """Return the text of the DAG ``queue``, whose tasks take all slots. Its weight is between ours.

    :param least_s: How long a task takes, in seconds. The first ones take up to twice as long, so that not all slots
        are free at once, later.
    """
    return f"""\
import time

from airflow.sdk import DAG, task

with DAG("queue", schedule=None):

    @task(priority_weight=50, weight_rule="absolute")
    def work(number):
        time.sleep({least_s} * (1 + max(0, {slots} - number) / {slots}))

    work.expand(number=list(range({tasks})))
"""


@dataclass
class RunningCalendar:
    """A calendar in a running Airflow.

    :param airflow: The running Airflow.
    :param sandbox: The sandbox.
    :param folder: Where the calendar and its video are.
    :param users: The accounts' Instagram user ids, by connection.
    :param tokens: Their access tokens, likewise.
    """

    airflow: AirflowStack
    sandbox: SandboxHandle
    folder: Path
    users: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)

    def write(self, posts: Sequence[dict[str, Any]], dag_id: str = DAG_ID, **settings: Any) -> None:
        """Write the calendar of a DAG, whole or not at all."""
        part = self.folder / f"{dag_id}.part"
        document = {"min_spacing": "0 s", "defaults": {"video": "reel.mp4"}, **settings, "posts": list(posts)}
        part.write_text(yaml.safe_dump(document, sort_keys=False))
        part.replace(self._calendar(dag_id))

    def add_dag(self, lead_s: int, dag_id: str = DAG_ID, more: str = "", ahead_s: int = 0, plan: str = "") -> None:
        """Write a DAG file of the calendar into Airflow's folder.

        :param plan: Where the plan is, if it is not the file that was written last: a sheet, or an object.
        """
        calendar = str(self._calendar(dag_id))
        text = dag_file(dag_id, plan or calendar, self.users, lead_s=lead_s, ahead_s=ahead_s, more=more)
        (self.airflow.home / "dags" / f"{dag_id}.py").write_text(text)

    def requests(self) -> dict[str, list[float]]:
        """Return the times at which publish requests reached the sandbox, by the post's caption."""
        return publish_requests(self.sandbox)

    def states(self, dag_id: str = DAG_ID) -> dict[tuple[str, str], str]:
        """Return the states of the tasks of each post's latest version, by task and post."""
        instances = sorted(task_instances(self.airflow, dag_id), key=lambda one: version_of(one["dag_run_id"]))
        return {(one["task_id"], version_of(one["dag_run_id"])[0]): one["state"] for one in instances}

    def failed(self, dag_id: str = DAG_ID) -> list[str]:
        """Return the task instances that failed, each with its log."""
        return [
            f"{one['dag_run_id']}/{one['task_id']}: {self._log(one)}"
            for one in task_instances(self.airflow, dag_id)
            if one["state"] == "failed"
        ]

    def _log(self, ti: dict[str, Any]) -> str:
        path = f"/dags/{ti['dag_id']}/dagRuns/{ti['dag_run_id']}/taskInstances/{ti['task_id']}/logs/{ti['try_number']}"
        return str(self.airflow.call("GET", path))

    def _calendar(self, dag_id: str) -> Path:
        return self.folder / f"{dag_id}.yaml"


def version_of(run_id: str) -> tuple[str, int]:
    """Return the post that a run is about, and the number of its version: ``monday``, ``monday~v2``."""
    post_id, _, number = run_id.partition("~v")
    return post_id, int(number or 1)


def publish_requests(sandbox: SandboxHandle) -> dict[str, list[float]]:
    """Return the times at which publish requests reached a sandbox, by the post's caption."""
    captions = {container.container_id: container.caption for container in sandbox.containers}
    times: dict[str, list[float]] = {}
    for request in sandbox.journal("publish"):
        times.setdefault(captions[str(request.container_id)], []).append(request.at)
    return times


def task_instances(airflow: AirflowStack, dag_id: str) -> list[dict[str, Any]]:
    """Read all task instances of a DAG, page by page. A DAG that does not exist yet has none."""
    instances: list[dict[str, Any]] = []
    if not airflow.has(f"/dags/{dag_id}"):
        return instances
    path = f"/dags/{dag_id}/dagRuns/~/taskInstances"
    while True:
        page = airflow.call("GET", path, params={"limit": 100, "offset": len(instances), "order_by": "id"})
        instances += page["task_instances"]
        if not page["task_instances"] or len(instances) >= page["total_entries"]:
            return instances


def entry(post_id: str, at: datetime, account: str, **more: Any) -> dict[str, Any]:
    """Return a post as the calendar's file has it; its caption is its id."""
    written = at.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
    return {"id": post_id, "publish_at": written, "account": account, "caption": post_id, **more}


def form_of(question: dict[str, Any]) -> str:
    """Return the path of the form in Airflow's UI in which a question is answered.

    :param question: The task instance that asks.
    """
    return f"/dags/{question['dag_id']}/runs/{question['dag_run_id']}/tasks/{question['task_id']}/required_actions"


def whole_second(after: timedelta) -> datetime:
    """Return a whole second, so long from now."""
    return datetime.now(timezone.utc).replace(microsecond=0) + after


def make_reel(path: Path) -> None:
    """Make 3 s of video that comply as they are."""
    command = [
        *("ffmpeg", "-v", "error"),
        *("-f", "lavfi", "-i", f"testsrc2=size={REEL_WIDTH}x960:rate=30:duration=3"),
        *("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=3"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-b:v", "1M", "-maxrate", "2M", "-bufsize", "2M", "-bf", "0"),
        *("-flags", "+cgop", "-pix_fmt", "yuv420p", "-color_range", "tv"),
        *("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"),
        *("-c:a", "aac", "-ac", "2", "-movflags", "+faststart", "-use_editlist", "0", str(path)),
    ]
    subprocess.run(command, check=True)


@contextmanager
def running_calendar(folder: Path, accounts: Sequence[str], **settings: str) -> Iterator[RunningCalendar]:
    """Start an Airflow and a sandbox for a calendar.

    :param folder: An empty folder.
    :param accounts: The connections to make, each with an account of its own in the sandbox.
    :param settings: More of Airflow's environment.
    """
    home, posts = folder / "airflow", folder / "calendar"
    for made in (home / "dags", posts):
        made.mkdir(parents=True)
    make_reel(posts / "reel.mp4")
    with (
        postgres() as database,
        sandbox_process("--processing-time", "1", "--visible-after", "1") as sandbox,
        airflow_stack(
            airflow_settings(home, posts)
            | {"AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags")}
            | database
            | SETTINGS
            | settings,
            starts=2,
            admin=ADMIN if "AIRFLOW__CORE__AUTH_MANAGER" in settings else None,
        ) as airflow,
    ):
        users, tokens = {}, {}
        for number, conn_id in enumerate(accounts):
            users[conn_id] = f"1784149900000{number:04}"
            tokens[conn_id] = sandbox.add_account(users[conn_id], conn_id)
            account = SandboxHandle(sandbox.url, tokens[conn_id], users[conn_id])
            connect(airflow, account, conn_id, calls_per_hour=CALLS_PER_HOUR, **POSTS)
            account.close()
        yield RunningCalendar(airflow, sandbox, posts, users, tokens)


def distribution(lateness_s: Sequence[float]) -> str:
    """Describe how late the requests were."""
    ordered = sorted(lateness_s)
    at = {name: ordered[min(len(ordered) - 1, int(share * len(ordered)))] for name, share in SHARES}
    return f"{len(ordered)} requests, " + ", ".join(f"{name} {value:+.2f} s" for name, value in at.items())


SHARES = (("first", 0.0), ("median", 0.5), ("95 %", 0.95), ("last", 1.0))
