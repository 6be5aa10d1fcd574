"""Compare thousands of containers that wait in one triggerer: our triggers, bare date triggers, and a naive sensor.

Each kind waits in a real ``airflow triggerer`` with a capacity of 6,000, against one sandbox, one
kind after the other. Then the triggerer with this provider's triggers is stopped, once with TERM
and once with KILL, and started again. Run ``python -m benchmarks.scale``; exit code 1: a limit was
exceeded.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections import Counter
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx

from benchmarks.program import as_program
from benchmarks.triggerer import Figures, Triggerer
from demo.stack import wait_until
from instagram_sandbox.testing.handle import SandboxHandle, sandbox_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KINDS = ("date", "ours", "naive")
CALLS_PER_HOUR = 200
#: What a poller spends of it steadily.
ASKING_PER_S: Final = 0.5 * CALLS_PER_HOUR / 3600
CPU_LIMIT, MEMORY_LIMIT_KB, LAG_LIMIT_MS, EXTRA_CALLS_LIMIT, ALL_WAIT_LIMIT_S = (
    0.5,
    20.0,
    100.0,
    3,
    60.0,
)
#: And what it may spend at once, in a new process.
CALLS_AT_ONCE: Final = 3
ASKED_LIMIT_S: Final = 300
RESTARTS = {"TERM": signal.SIGTERM, "kill -9": signal.SIGKILL}

Waits = list[tuple[str, str]]


class Scale:
    """The measurement.

    :param options: The options of the command line.
    :param sandbox: The sandbox that all waits poll.
    :param home: The AIRFLOW_HOME of the triggerer.
    """

    def __init__(self, options: argparse.Namespace, sandbox: SandboxHandle, home: Path) -> None:
        self.options, self.sandbox = options, sandbox
        self.connections, self.waits = _accounts_with_containers(sandbox, options)
        self.triggerer = Triggerer(home, self.connections)
        self.figures: dict[str, Figures] = {}
        self.began_in_s: dict[str, float] = {}
        self.calls: dict[str, int] = {}
        self.passed_s: dict[str, float] = {}
        self.again_s: dict[str, float] = {}
        self.asked_s: dict[str, float] = {}
        self.extra_calls: dict[str, float] = {}

    def kind(self, kind: str) -> None:
        """Measure one kind of wait for a period."""
        self.triggerer.defer(self._triggers(kind))
        before, since = self._last_call(), time.time()
        self.began_in_s[kind] = self.triggerer.start()
        if kind == "ours":
            self._until_all_are_asked_about(before)
        time.sleep(self.options.settle)
        self.figures[kind] = self.triggerer.measure(self.options.seconds)
        self.calls[kind] = max(self._calls(before).values(), default=0)
        self.passed_s[kind] = time.time() - since
        for line in self.figures[kind].log_lines[:3]:
            print(f"{kind}: a log line: {line}", file=sys.stderr)

    def restart(self, name: str) -> None:
        """Stop the triggerer and start it again, with the same waits."""
        self.triggerer.stop(RESTARTS[name])
        before, since = self._last_call(), time.time()
        self.again_s[name] = self.triggerer.start()
        self._until_all_are_asked_about(before)
        self.asked_s[name] = time.time() - since
        time.sleep(self.options.settle)
        calls, passed_s = self._calls(before), time.time() - since
        self.extra_calls[name] = max(calls.values()) - passed_s * ASKING_PER_S

    def _until_all_are_asked_about(self, before: int) -> None:
        all_asked = lambda: len(self._calls(before)) == self.options.accounts  # noqa: E731
        wait_until(all_asked, "every account is asked about", ASKED_LIMIT_S, pause_s=1)

    def _triggers(self, kind: str) -> Iterator[Any]:
        from airflow.providers.standard.triggers.temporal import DateTimeTrigger

        from airflow_provider_instagram.triggers.container import ContainerStatusTrigger
        from benchmarks.triggers import NaiveTrigger

        now = time.time()
        later = datetime.now(timezone.utc) + timedelta(hours=5)
        for conn_id, container_id in self._waits(kind):
            if kind == "date":
                yield DateTimeTrigger(moment=later)
            elif kind == "ours":
                yield ContainerStatusTrigger(conn_id, container_id, 5, later.timestamp(), since=now)
            else:
                connection = self.connections[conn_id]
                yield NaiveTrigger(connection["host"], connection["password"], container_id)

    def _waits(self, kind: str) -> Waits:
        return (
            self.waits[:: self.options.containers // self.options.naive]
            if kind == "naive"
            else self.waits
        )

    def _calls(self, after: int) -> Counter[str]:
        return Counter(str(entry.account) for entry in self.sandbox.journal("status", after=after))

    def _last_call(self) -> int:
        return max((entry.number for entry in self.sandbox.journal("status")), default=0)

    def memory_kb(self, kind: str) -> float:
        """Return the cost of a wait above that of a bare date trigger, both measured in the process that runs them."""
        above = self.figures[kind].memory_kb - self.figures["date"].memory_kb
        return above / len(self._waits(kind))

    def report(self) -> int:
        """Print the table, and return the exit code: 0 if all limits hold."""
        figures = self.figures
        rows: dict[str, Callable[[str], str]] = {
            "waits": lambda kind: f"{len(self._waits(kind))}",
            "processor, of a core": lambda kind: f"{figures[kind].cpu:.2f}",
            "processor, supervisor": lambda kind: f"{figures[kind].supervisor_cpu:.2f}",
            "memory, MB": lambda kind: f"{figures[kind].memory_kb / 1024:.0f}",
            "memory above bare, KB a wait": lambda kind: f"{self.memory_kb(kind):.1f}",
            "memory, supervisor, MB": lambda kind: (
                f"{figures[kind].supervisor_memory_kb / 1024:.0f}"
            ),
            "loop lag, median / p99, ms": lambda kind: (
                f"{figures[kind].median_lag_ms:.1f} / {figures[kind].p99_lag_ms:.1f}"
            ),
            "calls of the worst account": lambda kind: (
                f"{self.calls[kind]} in {self.passed_s[kind]:.0f} s"
            ),
            "log lines of the waits": lambda kind: f"{len(figures[kind].log_lines)}",
            "open files": lambda kind: f"{figures[kind].files}",
            "open files, supervisor": lambda kind: f"{figures[kind].supervisor_files}",
            "all wait after, s": lambda kind: f"{self.began_in_s[kind]:.0f}",
        }
        print("| | bare date triggers | this provider | naive, every 5 s |\n|---|---|---|---|")
        for name, cell in rows.items():
            print(f"| {name} | " + " | ".join(cell(kind) for kind in figures) + " |")
        for name, seconds in self.again_s.items():
            print(
                f"\nafter {name}, from the start of the new triggerer on: all wait again after {seconds:.0f} s,"
            )
            print(f"every account is asked about after {self.asked_s[name]:.0f} s,")
            print(f"worst account: {max(0.0, self.extra_calls[name]):.1f} extra calls")
        return 0 if self._is_good() else 1

    def _is_good(self) -> bool:
        ours = self.figures["ours"]
        return (
            ours.cpu < CPU_LIMIT
            and self.memory_kb("ours") < MEMORY_LIMIT_KB
            and ours.p99_lag_ms < LAG_LIMIT_MS
            and not ours.log_lines
            and self.calls["ours"] <= CALLS_AT_ONCE + self.passed_s["ours"] * ASKING_PER_S
            and max(self.extra_calls.values()) <= EXTRA_CALLS_LIMIT
            and max(self.again_s.values()) < ALL_WAIT_LIMIT_S
        )


def _accounts_with_containers(
    sandbox: SandboxHandle, options: argparse.Namespace
) -> tuple[dict[str, Any], Waits]:
    sandbox.switch(
        processing={"never": True, "outcome": "finished"},
        calls_per_24_h=1_000_000,
        containers_per_24_h=9999,
    )
    connections, made = {}, []
    for number in range(options.accounts):
        user_id = str(17841400000001000 + number)
        token = sandbox.add_account(user_id, f"account_{number}")
        connection = {
            "conn_type": "instagram",
            "login": user_id,
            "password": token,
            "host": sandbox.url,
        }
        connections[f"ig_{number}"] = connection | {"extra": {"calls_per_hour": CALLS_PER_HOUR}}
        with httpx.Client(
            base_url=sandbox.url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=60,
            trust_env=False,
        ) as http:
            for _ in range(options.containers // options.accounts):
                wanted = {"media_type": "REELS", "video_url": "https://example.com/a.mp4"}
                answer = http.post(f"/v27.0/{user_id}/media", data=wanted).raise_for_status()
                made.append((f"ig_{number}", answer.json()["id"]))
    return connections, made


def main() -> int:
    """Measure the three kinds one after the other, with the restarts, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--containers", type=int, default=5000)
    parser.add_argument("--accounts", type=int, default=200)
    parser.add_argument(
        "--naive", type=int, default=1000, help="how many the naive sensor waits for"
    )
    parser.add_argument("--seconds", type=float, default=60, help="length of each measurement")
    parser.add_argument("--settle", type=float, default=30, help="seconds before each measurement")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="scale-") as folder,
        sandbox_process("--processing-time", "9999") as sandbox,
    ):
        scale = Scale(options, sandbox, Path(folder))
        try:
            for kind in KINDS:
                scale.kind(kind)
                for name in RESTARTS if kind == "ours" else ():
                    scale.restart(name)
                scale.triggerer.stop(signal.SIGKILL)
            return scale.report()
        finally:
            scale.triggerer.stop(signal.SIGKILL)


if __name__ == "__main__":
    as_program(main)
