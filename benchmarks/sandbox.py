"""Measure how fast the sandbox answers status reads of 500 containers, each read every 5 s, during uploads.

Run ``python benchmarks/sandbox.py``. Exit code 1: a call failed, or the median is 20 ms or more.
The baseline is the same reads without uploads, in the same run. New ids are visible at once here,
because a read that the sandbox refuses on purpose does not measure its speed.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from benchmarks.program import as_program
from instagram_sandbox.testing.handle import SandboxHandle, sandbox_process

CONTAINERS, ACCOUNTS, POLL_EVERY_S, UPLOADERS, VIDEO_S = 500, 10, 5.0, 2, 30
MEDIAN_LIMIT_MS = 20.0
OPTIONS = ("--processing-time", "3600", "--new-ids-unknown", "0")
# the reads of 500 containers would soon use up what Meta allows to ten accounts
CALLS_PER_DAY = 1_000_000


@dataclass(slots=True)
class Figures:
    """The measurements of one phase."""

    latencies_ms: list[float] = field(default_factory=list)
    uploads: int = 0
    uploaded_bytes: int = 0
    errors: list[str] = field(default_factory=list)

    @property
    def median_ms(self) -> float:
        """Return the median of the status reads."""
        return statistics.median(self.latencies_ms)

    def percentile_ms(self, percent: int) -> float:
        """Return a percentile of the status reads."""
        return statistics.quantiles(self.latencies_ms, n=100)[percent - 1]


class Load:
    """Accounts, their containers, and the calls on them.

    :param sandbox: The sandbox under load.
    :param video: The bytes that are uploaded.
    """

    def __init__(self, sandbox: SandboxHandle, video: bytes) -> None:
        self._video = video
        sandbox.switch(calls_per_24_h=CALLS_PER_DAY)
        self._tokens = [
            sandbox.add_account(str(17841400000000100 + n), f"account_{n}", resumable=True)
            for n in range(ACCOUNTS)
        ]
        limits = httpx.Limits(max_connections=CONTAINERS)
        self._http = httpx.AsyncClient(
            base_url=sandbox.url, timeout=30, trust_env=False, limits=limits
        )

    async def create(self, token: str) -> tuple[str, str]:
        """Create a container; return its id and where its video goes."""
        headers = {"Authorization": f"Bearer {token}"}
        data = {"media_type": "REELS", "upload_type": "resumable", "caption": "benchmark"}
        body = (
            (await self._http.post("/v27.0/me/media", data=data, headers=headers))
            .raise_for_status()
            .json()
        )
        return body["id"], body["uri"]

    async def run(self, seconds: float, *, uploads: bool) -> Figures:
        """Read the status of all containers for a while.

        :param seconds: How long.
        :param uploads: Whether videos are uploaded meanwhile.
        """
        figures = Figures()
        made = [
            (token, (await self.create(token))[0])
            for n in range(CONTAINERS)
            for token in [self._tokens[n % ACCOUNTS]]
        ]
        ends = time.monotonic() + seconds
        tasks = [
            self._poll(figures, token, made_id, ends, n) for n, (token, made_id) in enumerate(made)
        ]
        if uploads:
            tasks += [self._upload(figures, self._tokens[n], ends) for n in range(UPLOADERS)]
        await asyncio.gather(*tasks)
        return figures

    async def _poll(
        self, figures: Figures, token: str, container_id: str, ends: float, number: int
    ) -> None:
        await asyncio.sleep(POLL_EVERY_S * number / CONTAINERS)
        headers = {"Authorization": f"Bearer {token}"}
        while time.monotonic() < ends:
            began = time.perf_counter()
            answer = await self._http.get(
                f"/v27.0/{container_id}",
                params={"fields": "status_code,status,video_status"},
                headers=headers,
            )
            took_s = time.perf_counter() - began
            figures.latencies_ms.append(took_s * 1000)
            if answer.is_error:
                figures.errors.append(answer.text[:200])
            await asyncio.sleep(max(0.0, POLL_EVERY_S - took_s))

    async def _upload(self, figures: Figures, token: str, ends: float) -> None:
        while time.monotonic() < ends:
            _, uri = await self.create(token)
            headers = {
                "Authorization": f"OAuth {token}",
                "offset": "0",
                "file_size": str(len(self._video)),
            }
            answer = await self._http.post(uri, content=self._video, headers=headers)
            if answer.is_error:
                figures.errors.append(answer.text[:200])
            figures.uploads += 1
            figures.uploaded_bytes += len(self._video)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()


def make_video(folder: Path) -> bytes:
    """Create a compliant video of some megabytes."""
    path = folder / "video.mp4"
    source = f"testsrc2=size=720x1280:rate=30:duration={VIDEO_S}"
    encode = "-c:v libx264 -preset ultrafast -b:v 4M -pix_fmt yuv420p -bf 0"
    command = f"ffmpeg -v error -f lavfi -i {source} {encode} -movflags +faststart -use_editlist 0"
    subprocess.run([*command.split(), str(path)], check=True)
    return path.read_bytes()


async def measure(sandbox: SandboxHandle, video: bytes, seconds: float) -> tuple[Figures, Figures]:
    """Measure without uploads, then with them."""
    load = Load(sandbox, video)
    try:
        return await load.run(seconds, uploads=False), await load.run(seconds, uploads=True)
    finally:
        await load.close()


def main() -> int:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=20, help="length of each of the two phases"
    )
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder, sandbox_process(*OPTIONS) as sandbox:
        quiet, busy = asyncio.run(measure(sandbox, make_video(Path(folder)), seconds))
    print(f"{CONTAINERS} containers, each read every {POLL_EVERY_S:g} s, {seconds:g} s per phase\n")
    print("| phase | reads | median | p99 | median / quiet | uploads | MB/s uploaded | errors |")
    print("|---|---|---|---|---|---|---|---|")
    for name, figures in (("quiet", quiet), ("with uploads", busy)):
        rate = figures.uploaded_bytes / seconds / 1e6
        print(
            f"| {name} | {len(figures.latencies_ms)} | {figures.median_ms:.1f} ms | {figures.percentile_ms(99):.1f} ms"
            f" | {figures.median_ms / quiet.median_ms:.1f} | {figures.uploads} | {rate:.0f} | {len(figures.errors)} |"
        )
    for error in {*quiet.errors, *busy.errors}:
        print(error, file=sys.stderr)
    return int(
        bool(quiet.errors or busy.errors) or max(quiet.median_ms, busy.median_ms) >= MEDIAN_LIMIT_MS
    )


if __name__ == "__main__":
    as_program(main)
