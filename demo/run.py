"""``make demo``: one real video through Airflow, from a file to a post on the sandbox."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from airflow_provider_instagram.sandbox.handle import SandboxHandle, connection_json, sandbox_process
from demo.scene import CAPTION, FOLDER, VIDEOS, airflow_settings, source_video

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.models.dagrun import DagRun

STEPS = ("transcode", "create", "wait", "publish")
LOG = FOLDER / "airflow.log"


def main() -> int:
    """Run the job and show the result.

    :return: The exit code.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    started_s = time.monotonic()
    video = source_video()
    print(f"Source: {video}")
    home = Path(tempfile.mkdtemp(prefix="airflow-", dir=FOLDER))
    try:
        with sandbox_process("--processing-time", "3") as sandbox:
            os.environ.update(airflow_settings(home, *{VIDEOS, video.parent}))
            os.environ["AIRFLOW_CONN_INSTAGRAM_DEFAULT"] = connection_json(sandbox)
            print(f"Sandbox: {sandbox.url}\nAirflow: running the DAG publish_reel, its log is in {LOG}", flush=True)
            with _output_to(LOG):
                run = _run_dag(video)
            succeeded = _show(run, sandbox)
    finally:
        shutil.rmtree(home)
    print(
        f"\n{'Done' if succeeded else 'FAILED'} in {time.monotonic() - started_s:.0f} s. `make ui` leaves it running."
    )
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
    xcoms = {step: tasks[step].xcom_pull(task_ids=step) for step in STEPS}
    report = tasks["transcode"].xcom_pull(task_ids="transcode", key="report") or {}
    post = xcoms["publish"] or {}
    decided = {
        "transcode": "; ".join([f"tier {report.get('tier', '?')}", *report.get("reasons", [])]),
        "create": f"container {xcoms['create']}",
        "wait": "deferred until Instagram had processed it",
        "publish": f"media {post.get('media_id')}",
    }
    print(f"\n{'step':<10} {'state':<8} {'time':>6}  decided")
    for step in STEPS:
        ti = tasks[step]
        print(f"{step:<10} {ti.state!s:<8} {ti.duration or 0:>4.1f} s  {_wrapped(decided[step])}")
    calls = [entry.operation for entry in sandbox.journal()]
    print(f"\ncalls      {', '.join(_folded(calls))}")
    served = bool(post) and httpx.get(post["permalink"], trust_env=False).is_success
    print(f"permalink  {post.get('permalink')} ({'served by the sandbox' if served else 'NOT served'})")
    print(f"video      {xcoms['transcode']}")
    return str(run.state) == "success" and served


def _wrapped(text: str) -> str:
    width = max(40, shutil.get_terminal_size((120, 24)).columns - 28)
    return f"\n{'':<28}".join(text[start : start + width] for start in range(0, len(text), width))


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
