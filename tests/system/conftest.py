"""One whole Airflow and one sandbox for all system tests, and how they use them."""

from __future__ import annotations

import json
import secrets
import shutil
import sqlite3
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from playwright.sync_api import sync_playwright

from demo.scene import ROOT, airflow_settings
from demo.stack import AirflowStack, airflow_stack, wait_until
from demo.ui import connect
from instagram_sandbox.testing.handle import SandboxHandle, sandbox_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

RUN_LIMIT_S = 90
ENDED = ("success", "failed")

#: An additional secret, so that everything runs with one.
TOKEN_KEY = "markedTokenKeyOfTheTests"
#: How often Airflow forgets what no DAG refers to any more.
ASSET_CLEANUP_S = 5

#: Everything that Airflow can log is logged, so that a leaked token is found in it.
LOUD = {
    "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
    "AIRFLOW__LOGGING__NAMESPACE_LEVELS": "httpx=DEBUG httpcore=DEBUG",
}
#: Airflow misses a killed component after seconds instead of minutes.
PROMPT = {
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "120",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "6",
    "AIRFLOW__SCHEDULER__PARSING_CLEANUP_INTERVAL": str(ASSET_CLEANUP_S),
}


@dataclass(frozen=True, slots=True)
class Videos:
    """What the runs read.

    :param reel: 3 s that comply as they are.
    :param long_landscape: More than a minute that has to be encoded.
    """

    reel: Path
    long_landscape: Path


class Run:
    """A run of a DAG, seen over Airflow's REST API."""

    def __init__(self, airflow: AirflowStack, dag_id: str, run_id: str) -> None:
        self.airflow = airflow
        self.dag_id = dag_id
        self.run_id = run_id
        self.path = f"/dags/{dag_id}/dagRuns/{run_id}"

    def task(self, task_id: str, map_index: int = -1) -> dict[str, Any]:
        """Read a task instance as the REST API describes it."""
        found = [
            ti
            for ti in self.airflow.tasks(self.dag_id, self.run_id)
            if (ti["task_id"], ti["map_index"]) == (task_id, map_index)
        ]
        return found[0] if found else {"state": None}

    def states(self) -> dict[str, str]:
        """Return the state of each task instance, mapped ones as ``task[index]``."""
        return {
            ti["task_id"] + ("" if ti["map_index"] < 0 else f"[{ti['map_index']}]"): ti["state"]
            for ti in self.airflow.tasks(self.dag_id, self.run_id)
        }

    def wait_for_state(self, task_id: str, *states: str, map_index: int = -1) -> dict[str, Any]:
        """Wait until a task instance is seen in one of these states, and return it."""

        def reached() -> dict[str, Any] | None:
            ti = self.task(task_id, map_index)
            assert ti["state"] in states or ti["state"] not in ENDED, self.log(task_id, map_index=map_index)
            return ti if ti["state"] in states else None

        what = f"{self.dag_id}.{task_id} is {' or '.join(states)}"
        return dict(wait_until(reached, what, RUN_LIMIT_S))

    def end(self) -> str:
        """Wait for the end of the run, and return its state."""

        def ended() -> str | None:
            state = self.airflow.run_state(self.dag_id, self.run_id)
            return state if state in ENDED else None

        return str(wait_until(ended, f"the run of {self.dag_id} has ended", RUN_LIMIT_S))

    def wait(self, expected: str = "success") -> None:
        """Wait for the end of the run, and check its state."""
        state = self.end()
        failed = [ti for ti in self.airflow.tasks(self.dag_id, self.run_id) if ti["state"] == "failed"]
        logs = "\n".join(self.log(ti["task_id"], ti["try_number"], ti["map_index"])[-4000:] for ti in failed)
        assert state == expected, f"{self.dag_id} {self.run_id} is {state}: {self.states()}\n{logs}"

    def result(self, task_id: str, map_index: int = -1) -> Any:
        """Return what a task returned."""
        return self.airflow.xcom(self.dag_id, self.run_id, task_id, map_index=map_index)

    def log(self, task_id: str, try_number: int = 1, map_index: int = -1) -> str:
        """Read the log of a try."""
        return self.airflow.task_log(self.dag_id, self.run_id, task_id, try_number, map_index)


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Videos:
    folder = tmp_path_factory.mktemp("videos")
    reel, scene, landscape = folder / "reel.mp4", folder / "scene.mp4", folder / "landscape.mp4"
    faithful = ("-bf", "0", "-flags", "+cgop", "-pix_fmt", "yuv420p", "-movflags", "+faststart", "-use_editlist", "0")
    colours = ("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv")
    _make_video(reel, "540x960", seconds=3, extra=(*faithful, *colours))
    _make_video(scene, "1280x720", seconds=4)
    command = ["ffmpeg", "-v", "error", "-stream_loop", "19", "-i", str(scene), "-c", "copy", str(landscape)]
    subprocess.run(command, check=True)
    return Videos(reel, landscape)


def _make_video(path: Path, size: str, *, seconds: int, extra: tuple[str, ...] = ()) -> None:
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"testsrc2=size={size}:rate=30:duration={seconds}"]
    command += ["-f", "lavfi", "-i", f"sine=frequency=440:sample_rate=48000:duration={seconds}"]
    command += ["-c:v", "libx264", "-preset", "ultrafast", "-b:v", "2M", "-maxrate", "3M", "-bufsize", "3M"]
    subprocess.run([*command, "-c:a", "aac", "-ac", "2", *extra, str(path)], check=True)


@pytest.fixture(scope="session")
def token() -> str:
    """The account's access token: found anywhere but in the connection, it has leaked."""
    return f"IGAA{secrets.token_hex(24)}"


@pytest.fixture(scope="session")
def sandbox(token: str) -> Iterator[SandboxHandle]:
    with sandbox_process("--processing-time", "1", "--visible-after", "1", token=token) as running:
        yield running


@pytest.fixture(scope="session")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a secrets backend: connections that are in it, and nowhere else. It holds tokens, as a vault does."""
    file = tmp_path_factory.mktemp("vault") / "connections.json"
    file.write_text("{}")
    return file


def vault_settings(file: Path) -> dict[str, str]:
    """Return the settings of Airflow's own secrets backend that reads a file."""
    return {
        "AIRFLOW__SECRETS__BACKEND": "airflow.secrets.local_filesystem.LocalFilesystemBackend",
        "AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps({"connections_file_path": str(file)}),
    }


@pytest.fixture(scope="session")
def airflow(
    sandbox: SandboxHandle, videos: Videos, vault: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AirflowStack]:
    """A whole Airflow with the example DAGs, those of these tests, and the connection to the sandbox."""
    home = tmp_path_factory.mktemp("airflow")
    for name in ("dags", "tmp"):
        (home / name).mkdir()
    for folder in (ROOT / "dags", Path(__file__).with_name("dags")):
        shutil.copytree(folder, home / "dags", dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    places = {"AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"), "TMPDIR": str(home / "tmp")}
    settings = airflow_settings(home, videos.reel.parent) | places | LOUD | PROMPT
    settings["AIRFLOW__INSTAGRAM__MEDIA_ROOTS"] += ",s3://media@renders/"  # of the gallery of DAGs
    settings |= vault_settings(vault) | {"AIRFLOW__INSTAGRAM__TOKEN_KEY": TOKEN_KEY}
    with airflow_stack(settings, starts=2) as running:
        connect(running, sandbox, calls_per_hour=20_000)  # many tests wait on the one account
        for dag_file in (home / "dags").glob("*.py"):
            wait_for_file(running, dag_file.name)
        yield running


def wait_for_file(airflow: AirflowStack, name: str) -> None:
    """Wait until the DAG processor has read a DAG file."""
    read = lambda: any(  # noqa: E731
        dag["relative_fileloc"] == name for dag in airflow.call("GET", "/dags", params={"limit": 100})["dags"]
    )
    wait_until(read, f"Airflow has read {name}", RUN_LIMIT_S)


@pytest.fixture
def run_of(airflow: AirflowStack) -> Callable[[str, str], Run]:
    """Return a run that something else has started."""
    return lambda dag_id, run_id: Run(airflow, dag_id, run_id)


@pytest.fixture
def start(airflow: AirflowStack, videos: Videos) -> Callable[..., Run]:
    """Start a run of a DAG, with the reel as its video unless the conf names another."""

    def started(dag_id: str, **conf: Any) -> Run:
        run_id = secrets.token_hex(6)
        if dag_id != "wait_for":
            conf = {"video": str(videos.reel), **conf}
        airflow.trigger(dag_id, run_id, conf)
        return Run(airflow, dag_id, run_id)

    return started


@pytest.fixture
def new_container(sandbox: SandboxHandle, videos: Videos) -> Callable[..., str]:
    """Make a container with its video, by plain HTTP, and set how the sandbox processes it."""

    def made(**processing: Any) -> str:
        sandbox.process_next(**processing)
        bearer = {"Authorization": f"Bearer {sandbox.token}"}
        with httpx.Client(base_url=sandbox.url, headers=bearer, timeout=30, trust_env=False) as http:
            wanted = {"media_type": "REELS", "upload_type": "resumable"}
            container = http.post(f"/v27.0/{sandbox.user_id}/media", data=wanted).raise_for_status().json()
            video = videos.reel.read_bytes()
            sent = {"Authorization": f"OAuth {sandbox.token}", "offset": "0", "file_size": str(len(video))}
            http.post(container["uri"], content=video, headers=sent).raise_for_status()
        sandbox.settle()
        return str(container["id"])

    return made


@pytest.fixture
def database(airflow: AirflowStack) -> Iterator[sqlite3.Connection]:
    """Airflow's database, to read from."""
    connection = sqlite3.connect(f"file:{airflow.home}/airflow.db?mode=ro", uri=True, timeout=30)
    yield connection
    connection.close()


@pytest.fixture(scope="session")
def posts_of(sandbox: SandboxHandle) -> Callable[[str], list[str]]:
    """List the permalinks of the real posts that have a caption."""
    return lambda caption: [post.permalink for post in sandbox.posts if post.caption == caption]


@pytest.fixture(scope="session")
def command_lines() -> Callable[[], Iterator[tuple[int, str]]]:
    """Read the command lines of all processes."""

    def read() -> Iterator[tuple[int, str]]:
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with suppress(OSError):  # it ended between the two looks
                    command = (entry / "cmdline").read_bytes()
                    yield int(entry.name), command.replace(b"\0", b" ").decode(errors="replace")

    return read


@pytest.fixture(scope="session")
def processes(command_lines: Callable[[], Iterator[tuple[int, str]]]) -> Callable[[str], list[int]]:
    """Find the processes whose command line holds a text."""
    return lambda text: [pid for pid, command in command_lines() if text in command]


@pytest.fixture
def browser() -> Iterator[Browser]:
    """A browser that ends with its test: while one runs, Playwright's event loop bars others from running their own."""
    options = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(options))
        yield running
        running.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page of a browser."""
    opened = browser.new_page(viewport={"width": 1300, "height": 1000})
    yield opened
    opened.close()
