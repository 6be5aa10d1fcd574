"""Thousands of containers that wait in one process: this provider's triggers, bare date triggers, and a naive sensor.

Each kind runs in a process and an event loop of its own, as in a triggerer, against one sandbox. What a triggerer does
around them, a log file and a row for each, is left out: it is the same for all three.
Run ``python -m benchmarks.scale``; exit code 1 when a limit does not hold.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from airflow_provider_instagram.sandbox.handle import SandboxHandle, sandbox_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KINDS = ("date", "ours", "naive")
CALLS_PER_HOUR = 200
TICK_S = 0.05
CPU_LIMIT, MEMORY_LIMIT_KB, LAG_LIMIT_MS, EXTRA_CALLS_LIMIT, ALL_WAIT_LIMIT_S = 0.5, 20.0, 100.0, 3, 60.0


class Naive:
    """What everybody writes first: a client for each trigger, and a call every 5 s."""

    def __init__(self, connection: dict[str, Any], container_id: str) -> None:
        self.connection, self.container_id = connection, container_id

    async def run(self) -> None:
        """Ask until it is ready."""
        headers = {"Authorization": f"Bearer {self.connection['password']}"}
        async with httpx.AsyncClient(base_url=self.connection["host"], headers=headers, trust_env=False) as http:
            while True:
                with suppress(httpx.HTTPError):
                    answer = await http.get(f"/v26.0/{self.container_id}", params={"fields": "status_code"})
                    if answer.is_success and answer.json()["status_code"] == "FINISHED":
                        return
                await asyncio.sleep(5)


class Counting(logging.Handler):
    """Counts log lines."""

    lines = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Count one."""
        self.lines += record.levelno >= logging.INFO and not record.name.startswith("httpx")


def work(kind: str, seconds: float, plan: Path) -> None:
    """Hold all waits of a kind for a while, and print what that cost."""
    waits = json.loads(plan.read_text())
    counting = Counting()
    logging.getLogger().addHandler(counting)
    for conn_id, connection in waits["connections"].items():
        os.environ[f"AIRFLOW_CONN_{conn_id.upper()}"] = json.dumps(connection)
    asyncio.run(_hold(kind, seconds, waits, counting))


async def _hold(kind: str, seconds: float, waits: dict[str, Any], counting: Counting) -> None:
    triggers = _triggers(kind, waits)
    tasks = [asyncio.create_task(_first(next(triggers)))]  # with the imports, which are no part of the waiting
    began = time.monotonic()
    tasks += [asyncio.create_task(_first(trigger)) for trigger in triggers]
    await asyncio.sleep(0)
    all_wait_s = time.monotonic() - began
    await asyncio.sleep(waits["settle_s"])
    cpu, since, lags = _cpu_s(), time.monotonic(), []
    while time.monotonic() < since + seconds:
        tick = time.perf_counter()
        await asyncio.sleep(TICK_S)
        lags.append(1000 * (time.perf_counter() - tick - TICK_S))
    figures = {
        "cpu": (_cpu_s() - cpu) / (time.monotonic() - since),
        "memory_kb": _rss_kb(),
        "lag_p50_ms": statistics.median(lags),
        "lag_p99_ms": statistics.quantiles(lags, n=100)[98],
        "log_lines": counting.lines,
        "files": len(list(Path("/proc/self/fd").iterdir())),
        "ended": sum(task.done() for task in tasks),
        "all_wait_s": all_wait_s,
    }
    print(json.dumps(figures), flush=True)
    os._exit(0)


async def _first(trigger: Any) -> Any:
    run = trigger.run()
    return await (anext(run) if hasattr(run, "__anext__") else run)


def _triggers(kind: str, waits: dict[str, Any]) -> Iterator[Any]:
    from airflow.providers.standard.triggers.temporal import DateTimeTrigger

    from airflow_provider_instagram.triggers.container import ContainerStatusTrigger

    later = datetime.now(timezone.utc) + timedelta(hours=5)
    for conn_id, container_id in waits["containers"]:
        if kind == "date":
            yield DateTimeTrigger(moment=later)
        elif kind == "ours":
            yield ContainerStatusTrigger(conn_id, container_id, 5, later.timestamp(), since=waits["since"])
        else:
            yield Naive(waits["connections"][conn_id], container_id)


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _rss_kb() -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1])


def plan(sandbox: SandboxHandle, options: argparse.Namespace, path: Path) -> None:
    """Open the accounts, make the containers, and write down who waits for what."""
    sandbox.switch(
        processing={"never": True, "outcome": "finished"}, calls_per_24_h=1_000_000, containers_per_24_h=9999
    )
    connections, made = {}, []
    for number in range(options.accounts):
        user_id = str(17841400000001000 + number)
        token = sandbox.add_account(user_id, f"account_{number}")
        connection = {"conn_type": "instagram", "login": user_id, "password": token, "host": sandbox.url}
        connections[f"ig_{number}"] = connection | {"extra": {"calls_per_hour": CALLS_PER_HOUR}}
        with httpx.Client(
            base_url=sandbox.url, headers={"Authorization": f"Bearer {token}"}, timeout=60, trust_env=False
        ) as http:
            for _ in range(options.containers // options.accounts):
                wanted = {"media_type": "REELS", "video_url": "https://example.com/a.mp4"}
                answer = http.post(f"/v26.0/{user_id}/media", data=wanted).raise_for_status()
                made.append((f"ig_{number}", answer.json()["id"]))
    waits = {"connections": connections, "containers": made, "since": time.time(), "settle_s": options.settle}
    path.write_text(json.dumps(waits))


def _run(kind: str, seconds: float, path: Path, *, kill_after_s: float | None = None) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.scale", "--work", kind, "--seconds", str(seconds), "--plan", str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    if kill_after_s is not None:
        time.sleep(kill_after_s)
        process.send_signal(signal.SIGKILL)
        process.wait()
        return {}
    out, _ = process.communicate()
    figures: dict[str, float] = json.loads(out.splitlines()[-1])
    return figures


def _calls(sandbox: SandboxHandle, after: int) -> Counter[str]:
    return Counter(str(entry.account) for entry in sandbox.journal("status", after=after))


def _last(sandbox: SandboxHandle) -> int:
    return max((entry.number for entry in sandbox.journal()), default=0)


def main() -> int:
    """Measure the three kinds one after the other, then a restart, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--containers", type=int, default=5000)
    parser.add_argument("--accounts", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60, help="length of each measurement")
    parser.add_argument("--settle", type=float, default=20, help="seconds before each measurement")
    parser.add_argument("--work", choices=KINDS, help=argparse.SUPPRESS)
    parser.add_argument("--plan", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.work, options.seconds, options.plan)
    with tempfile.TemporaryDirectory() as folder, sandbox_process("--processing-time", "9999") as sandbox:
        os.environ["AIRFLOW_HOME"] = folder
        path = Path(folder) / "plan.json"
        plan(sandbox, options, path)
        return _measure(sandbox, path, options)


def _measure(sandbox: SandboxHandle, path: Path, options: argparse.Namespace) -> int:
    figures: dict[str, dict[str, float]] = {}
    took_h = (options.seconds + options.settle) / 3600
    worst: dict[str, float] = {}
    for kind in KINDS:
        before = _last(sandbox)
        figures[kind] = _run(kind, options.seconds, path)
        worst[kind] = max(_calls(sandbox, before).values(), default=0)
    _run("ours", options.seconds, path, kill_after_s=20)
    before, since = _last(sandbox), time.time()
    again = _run("ours", 20, path)
    passed_s = time.time() - since
    extra = max(_calls(sandbox, before).values()) - passed_s * CALLS_PER_HOUR * 0.5 / 3600
    print(f"{options.containers} waits, {options.accounts} accounts, {options.seconds:g} s each\n")
    print("| | bare date triggers | this provider | naive, every 5 s |\n|---|---|---|---|")
    base_kb = figures["date"]["memory_kb"]
    above = {kind: (figures[kind]["memory_kb"] - base_kb) / options.containers for kind in KINDS}
    rows: dict[str, Callable[[str], str]] = {
        "processor, of a core": lambda kind: f"{figures[kind]['cpu']:.2f}",
        "memory above bare, KB a wait": lambda kind: f"{above[kind]:.1f}",
        "loop lag, median / p99, ms": lambda kind: (
            f"{figures[kind]['lag_p50_ms']:.1f} / {figures[kind]['lag_p99_ms']:.1f}"
        ),
        "calls of the worst account": lambda kind: f"{worst[kind]:.0f}",
        "that is, an hour": lambda kind: f"{worst[kind] / took_h:.0f}",
        "log lines": lambda kind: f"{figures[kind]['log_lines']:.0f}",
        "open files": lambda kind: f"{figures[kind]['files']:.0f}",
    }
    for name, cell in rows.items():
        print(f"| {name} | " + " | ".join(cell(kind) for kind in KINDS) + " |")
    print(
        f"\nafter kill -9: all wait again in {again['all_wait_s']:.1f} s, {max(0.0, extra):.1f} extra calls an account"
    )
    ours = figures["ours"]
    good = (
        ours["cpu"] - figures["date"]["cpu"] < CPU_LIMIT
        and above["ours"] < MEMORY_LIMIT_KB
        and ours["lag_p99_ms"] < LAG_LIMIT_MS
        and ours["log_lines"] == 0
        and ours["ended"] == 0
        and extra <= EXTRA_CALLS_LIMIT
        and again["all_wait_s"] < ALL_WAIT_LIMIT_S
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
