"""Compare an upload with curl's of the same file, and measure its memory and several uploads at the same time.

Both send to one sandbox, in turns, each time to a new container. Then several processes send at the
same time, as tasks do, while another one makes a small call every 100 ms. ``python -m
benchmarks.upload --mb 300``
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_instagram.graph import calls
from airflow_provider_instagram.graph.client import GraphClient
from airflow_provider_instagram.graph.upload import VideoUpload
from benchmarks.program import as_program
from instagram_sandbox.testing.handle import SandboxHandle, sandbox_process

if TYPE_CHECKING:
    from airflow_provider_instagram.graph.models import Container

MEMORY_LIMIT_MB = 32
THROUGHPUT_LIMIT = 0.9
#: Of several uploads at once, the slowest against the fastest.
FAIRNESS_LIMIT = 0.5
ASK_EVERY_S = 0.1
#: Nobody who asks meanwhile waits longer, in the median.
ANSWER_LIMIT_S = 0.5


def main() -> int:
    """Measure and print, and return the exit code: 0 if all limits hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mb", type=int, default=100, help="size of the file in megabytes")
    parser.add_argument("--rounds", type=int, default=9, help="uploads of each kind")
    parser.add_argument("--at-once", type=int, default=4, help="so many uploads at the same time")
    parser.add_argument(
        "--worker", nargs=3, metavar=("URL", "TOKEN", "VIDEO"), help=argparse.SUPPRESS
    )
    options = parser.parse_args()
    if options.worker:
        url, token, video = options.worker
        print(*_measured_upload(SandboxHandle(url, token), Path(video)))
        return 0
    with tempfile.TemporaryDirectory(prefix="upload-") as folder, sandbox_process() as sandbox:
        video = Path(folder) / "video.mp4"
        with video.open("wb") as file:
            for _ in range(options.mb):
                file.write(os.urandom(1_000_000))
        failed = _compare(sandbox, video, options.rounds)
        return _crowd(sandbox, video, options.at_once) or failed


def _crowd(sandbox: SandboxHandle, video: Path, at_once: int) -> int:
    """Upload several at the same time, and make small calls meanwhile."""
    command = _worker(sandbox, video)
    asked_s: list[float] = []
    with GraphClient(sandbox.token, base_url=sandbox.url) as client:
        sandbox.settle()
        began = time.perf_counter()
        uploads = [
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(at_once)
        ]
        try:
            while any(process.poll() is None for process in uploads):
                asks = time.perf_counter()
                client.send(calls.publishing_limit(sandbox.user_id))
                asked_s.append(time.perf_counter() - asks)
                time.sleep(ASK_EVERY_S)
        except BaseException:
            for process in uploads:
                process.terminate()
            raise
        took_s = time.perf_counter() - began
    figures = [
        [float(figure) for figure in process.communicate()[0].split()] for process in uploads
    ]
    seconds, megabytes = zip(*figures, strict=True)
    print(f"\n{at_once} at once: {_list(list(seconds))} s, all in {took_s:.2f} s")
    print(
        f"the fastest to the slowest: {min(seconds) / max(seconds):.2f} (limit: at least {FAIRNESS_LIMIT})"
    )
    print(
        f"another call meanwhile: {statistics.median(asked_s):.3f} s in the median (limit {ANSWER_LIMIT_S}), "
        f"{max(asked_s):.3f} s at most"
    )
    print(
        f"peak memory above the idle worker: {max(megabytes):.1f} MB (limit: less than {MEMORY_LIMIT_MB})"
    )
    fair = (
        min(seconds) / max(seconds) >= FAIRNESS_LIMIT
        and statistics.median(asked_s) <= ANSWER_LIMIT_S
    )
    return 0 if fair and max(megabytes) < MEMORY_LIMIT_MB else 1


def _worker(sandbox: SandboxHandle, video: Path) -> list[str]:
    """Return the command of a process that uploads once, and prints its seconds and its megabytes."""
    program = [sys.executable, "-m", "benchmarks.upload"]
    return [*program, "--worker", sandbox.url, sandbox.token, str(video)]


def _compare(sandbox: SandboxHandle, video: Path, rounds: int) -> int:
    ours_s, curls_s, memory_mb = [], [], []
    for number in range(rounds):
        for kind in ("curl", "ours") if number % 2 else ("ours", "curl"):
            if kind == "curl":
                curls_s.append(_curl(sandbox, video))
                continue
            worker = subprocess.run(
                _worker(sandbox, video), check=True, capture_output=True, text=True
            )
            seconds, megabytes = worker.stdout.split()
            ours_s.append(float(seconds))
            memory_mb.append(float(megabytes))
    ours, curls = statistics.median(ours_s), statistics.median(curls_s)
    ratio = statistics.median(curl_s / our_s for curl_s, our_s in zip(curls_s, ours_s, strict=True))
    size_mb = video.stat().st_size / 1_000_000
    print(
        f"{size_mb:.0f} MB, median of {rounds} (all: ours {_list(ours_s)}; curl {_list(curls_s)})"
    )
    print(f"ours   {ours:6.2f} s   {size_mb / ours:6.0f} MB/s")
    print(f"curl   {curls:6.2f} s   {size_mb / curls:6.0f} MB/s")
    print(
        f"throughput, ours to curl's, median of the rounds: {ratio:.2f} (limit: at least {THROUGHPUT_LIMIT})"
    )
    print(
        f"peak memory above the idle worker: {max(memory_mb):.1f} MB (limit: less than {MEMORY_LIMIT_MB})"
    )
    return 0 if max(memory_mb) < MEMORY_LIMIT_MB and ratio >= THROUGHPUT_LIMIT else 1


def _measured_upload(sandbox: SandboxHandle, video: Path) -> tuple[float, float]:
    """Upload in this process and return the seconds and the peak growth of its memory in megabytes."""
    with GraphClient(sandbox.token, base_url=sandbox.url) as client:
        container = _container(client, sandbox)
        # the peak from now on, not that of the imports
        Path("/proc/self/clear_refs").write_text("5")
        idle_kb = _status_kb("VmRSS")
        begin = time.perf_counter()
        VideoUpload(client, str(container.upload_uri), video, container.id).send()
        return time.perf_counter() - begin, (_status_kb("VmHWM") - idle_kb) / 1000


def _curl(sandbox: SandboxHandle, video: Path) -> float:
    with GraphClient(sandbox.token, base_url=sandbox.url) as client:
        container = _container(client, sandbox)
    config = (
        f'url = "{container.upload_uri}"\nrequest = "POST"\nupload-file = "{video}"\nfail\nsilent\nshow-error\n'
        f'output = "/dev/null"\nwrite-out = "%{{time_total}}"\nheader = "Authorization: OAuth {sandbox.token}"\n'
        f'header = "offset: 0"\nheader = "file_size: {video.stat().st_size}"\nheader = "Expect:"\n'
    )
    command = ["curl", "--noproxy", "*", "--config", "-"]
    return float(
        subprocess.run(command, input=config, check=True, capture_output=True, text=True).stdout
    )


def _container(client: GraphClient, sandbox: SandboxHandle) -> Container:
    sandbox.settle()  # the inspection of the last upload takes a processor of its own
    os.sync()  # and writing it to the disk would slow down whoever is next
    return client.send(
        calls.create_container(sandbox.user_id, {"media_type": "REELS", "upload_type": "resumable"})
    )


def _status_kb(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise LookupError(name)


def _list(values: list[float]) -> str:
    return " ".join(f"{value:.2f}" for value in values)


if __name__ == "__main__":
    as_program(main)
