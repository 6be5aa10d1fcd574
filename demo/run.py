"""``make demo``: one real video through Airflow, from a file to a post on the sandbox."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import textwrap
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from demo.scene import CAPTION, FOLDER, VIDEOS, airflow_settings, source_video
from demo.stack import end_on_sigterm
from instagram_sandbox.testing.handle import SandboxHandle, connection_json, sandbox_process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance

STEPS = ("transcode", "create", "wait", "publish")
LOG = FOLDER / "airflow.log"


def main() -> int:
    """Run the job and show the result.

    :return: The exit code.
    """
    end_on_sigterm()
    started_s = time.monotonic()
    video = source_video()
    print(f"Source: {video}")
    home = Path(tempfile.mkdtemp(prefix="airflow-", dir=FOLDER))
    try:
        with sandbox_process("--processing-time", "3") as sandbox:
            os.environ.update(airflow_settings(home, *{VIDEOS, video.parent}))
            os.environ["AIRFLOW_CONN_INSTAGRAM_DEFAULT"] = connection_json(sandbox)
            print(
                f"Sandbox: {sandbox.url}\nAirflow: running the DAG publish_reel, its log is in {LOG}",
                flush=True,
            )
            with _output_to(LOG):
                run = _run_dag(video)
            succeeded = _show(run, sandbox)
    finally:
        shutil.rmtree(home)
    print(f"\n{'Done' if succeeded else 'FAILED'} in {time.monotonic() - started_s:.0f} s.")
    return 0 if succeeded else 1


def _run_dag(video: Path) -> DagRun:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.utils.db import initdb

    initdb()
    dag = DagBag().dags["publish_reel"]
    run: DagRun = dag.test(run_conf={"video": str(video), "caption": CAPTION})
    return run


def _show(run: DagRun, sandbox: SandboxHandle) -> bool:
    tasks = {ti.task_id: ti for ti in run.get_task_instances()}
    print(f"\n{'step':<10} {'state':<15} {'time':>6}  decided")
    for step in STEPS:
        ti = tasks[step]
        decided = _decided(ti) if str(ti.state) == "success" else ""
        print(f"{step:<10} {ti.state!s:<15} {ti.duration or 0:>4.1f} s  {_wrapped(decided)}")
    print(f"\ncalls      {', '.join(_folded([entry.operation for entry in sandbox.journal()]))}")
    if str(run.state) != "success":
        print(f"\n{_last_error()}")
        return False
    permalink = tasks["publish"].xcom_pull(task_ids="publish")["permalink"]
    served = bool(permalink) and httpx.get(permalink, trust_env=False).is_success
    print(
        f"permalink  {permalink} ({'the sandbox served it' if served else 'NOT served'}; `make ui` keeps one running)"
    )
    print(f"video      {tasks['transcode'].xcom_pull(task_ids='transcode')}")
    return served


def _decided(ti: TaskInstance) -> str:
    found = ti.xcom_pull(task_ids=ti.task_id)
    if ti.task_id == "transcode":
        report = ti.xcom_pull(task_ids=ti.task_id, key="report")
        return "; ".join([f"tier {report['tier']}", *report["reasons"]])
    if ti.task_id == "publish":
        return f"media {found['media_id']}"
    return f"container {found}" + (", waited for in the triggerer" if ti.task_id == "wait" else "")


def _last_error() -> str:
    """Return the last error of the provider that Airflow logged: what was wrong, and what to do."""
    lines = LOG.read_text(errors="replace").splitlines()
    ours = [line for line in lines if line.startswith("airflow_provider_instagram.exceptions.")]
    return ours[-1].partition("exceptions.")[2] if ours else f"See {LOG}"


def _wrapped(text: str) -> str:
    width = max(40, shutil.get_terminal_size((120, 24)).columns - 35)
    return f"\n{'':<35}".join(textwrap.wrap(text, width) or [""])


def _folded(calls: list[str]) -> Iterator[str]:
    start = 0
    for end in range(1, len(calls) + 1):
        if end == len(calls) or calls[end] != calls[start]:
            yield calls[start] + (f" x{end - start}" if end - start > 1 else "")
            start = end


@contextmanager
def _output_to(log: Path) -> Iterator[None]:
    """Send everything that this process prints into a file."""
    sys.stdout.flush()
    kept = os.dup(1), os.dup(2)
    with log.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            sys.stdout.flush()
            os.dup2(kept[0], 1)
            os.dup2(kept[1], 2)


if __name__ == "__main__":
    sys.exit(main())
