"""Measure what the sandbox bears: many clients with pictures, reels among them, a link that hangs, and a day of calls.

Run ``python benchmarks/sandbox_load.py``. It prints what was measured beside what is wanted, and
asserts nothing. The seconds of CPU are those of the sandbox and of its ffmpeg: they depend less
than times on what else the machine does.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from benchmarks.program import as_program
from instagram_sandbox.testing.handle import SandboxHandle, sandbox_process

if TYPE_CHECKING:
    from collections.abc import Iterator

PICTURES, CLIENTS, CONTAINERS, REELS_IN_100, ACCOUNTS = 500, 50, 500, 20, 10
HANGING, DAY_CALLS = 40, 24_000
DAY_S = 86_400


class Load:
    """Accounts of one sandbox, and the calls on them.

    :param sandbox: The sandbox under load, whose own samples are what is published.
    """

    def __init__(self, sandbox: SandboxHandle) -> None:
        self.sandbox = sandbox
        self.tokens = [
            sandbox.add_account(str(17841400000000100 + n), f"account_{n}") for n in range(ACCOUNTS)
        ]
        sandbox.switch(calls_per_24_h=1_000_000, quota_total=1_000_000)
        limits = httpx.Limits(max_connections=CLIENTS + HANGING)
        self.http = httpx.AsyncClient(
            base_url=f"{sandbox.url}/v27.0", timeout=120, trust_env=False, limits=limits
        )

    async def call(self, method: str, path: str, number: int, **params: str) -> dict[str, str]:
        """Make a call as one of the accounts, and return its answer."""
        headers = {"Authorization": f"Bearer {self.tokens[number % ACCOUNTS]}"}
        sent = {"params" if method == "GET" else "data": params}
        answer = await self.http.request(method, path, headers=headers, **sent)  # type: ignore[arg-type]
        answer.raise_for_status()
        found: dict[str, str] = answer.json()
        return found

    async def picture(self, number: int) -> str:
        """Create a container of the sample picture."""
        url = f"{self.sandbox.url}/samples/picture.jpg"
        return (await self.call("POST", "/me/media", number, image_url=url))["id"]

    async def reel(self, number: int, url: str) -> str:
        """Create a container of a reel."""
        return (await self.call("POST", "/me/media", number, media_type="REELS", video_url=url))[
            "id"
        ]

    async def publish(self, number: int) -> None:
        """Publish the sample picture."""
        await self.call("POST", "/me/media_publish", number, creation_id=await self.picture(number))

    async def ready(self, number: int, container_id: str) -> None:
        """Wait until a container is FINISHED."""
        while (await self.call("GET", f"/{container_id}", number, fields="status_code"))[
            "status_code"
        ] != "FINISHED":
            await asyncio.sleep(5)


async def in_turns(load: Load) -> float:
    """Publish all pictures by the clients, and return how long it took."""
    began = time.perf_counter()

    async def client(first: int) -> None:
        for number in range(first, PICTURES, CLIENTS):
            await load.publish(number)

    await asyncio.gather(*(client(n) for n in range(CLIENTS)))
    return time.perf_counter() - began


async def mixed(load: Load, reels: str) -> float:
    """Create pictures and reels, each reel another file, and return when the last one was ready."""
    began = time.perf_counter()

    async def one(number: int) -> None:
        is_reel = number % 100 < REELS_IN_100
        made = await (
            load.reel(number, f"{reels}/{number}.mp4") if is_reel else load.picture(number)
        )
        await load.ready(number, made)

    await asyncio.gather(*(one(n) for n in range(CONTAINERS)))
    return time.perf_counter() - began


async def beside_hanging_links(load: Load) -> float:
    """Return how long a picture takes while more links hang than a host has places."""

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for number in range(HANGING):
        await load.reel(number, f"http://127.0.0.1:{port}/{number}.mp4")
    began = time.perf_counter()
    await load.publish(0)
    took = time.perf_counter() - began
    server.close()
    return took


async def day(load: Load) -> None:
    """Make the calls of a simulated day, an hour at a time."""

    async def client(first: int) -> None:
        for number in range(first, DAY_CALLS // 24, CLIENTS):
            await load.call("GET", "/me/media", number, limit="1")

    for _ in range(24):
        await asyncio.gather(*(client(n) for n in range(CLIENTS)))
        load.sandbox.advance(DAY_S / 24)


def memory_mb(process_id: int) -> float:
    """Return the memory that a process holds, in MB."""
    lines = Path(f"/proc/{process_id}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1000


def cpu_s(process_id: int) -> tuple[float, float]:
    """Return how many seconds of CPU a process and its children that have ended took."""
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    user, system, of_children, system_of_children = (
        int(ticks) / os.sysconf("SC_CLK_TCK") for ticks in fields[11:15]
    )
    return user + system, of_children + system_of_children


@contextmanager
def different_reels(sandbox: SandboxHandle) -> Iterator[str]:
    """Serve the sample reel with another end under each number, so that each is inspected; yield the address."""
    sample = httpx.get(f"{sandbox.url}/samples/reel.mp4").content

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Answer with the file, as to a request for a range."""
            is_file = self.path.endswith(".mp4")
            body = (
                sample + (24).to_bytes(4, "big") + b"free" + self.path.encode().ljust(16)[:16]
                if is_file
                else b""
            )
            self.send_response(206 if is_file else 404)
            self.send_header("Content-Type", "video/mp4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()


async def measure(sandbox: SandboxHandle, process_id: int) -> None:
    """Make each measurement and print its row."""
    load = Load(sandbox)
    used = cpu_s(process_id)

    def row(what: str, result: str, wanted: str) -> None:
        nonlocal used
        before, used = used, cpu_s(process_id)
        own, ffmpeg = used[0] - before[0], used[1] - before[1]
        print(f"| {what} | {result} | {wanted} | {own:.1f} + {ffmpeg:.1f} s |", flush=True)

    print("| measured | result | wanted | CPU |")
    print("|---|---|---|---|")
    row("memory at the start", f"{memory_mb(process_id):.0f} MB", "")
    row(
        f"{PICTURES} pictures published by {CLIENTS} clients",
        f"{await in_turns(load):.1f} s",
        "10 s",
    )
    with different_reels(sandbox) as reels:
        row(
            f"{CONTAINERS} containers, {REELS_IN_100} % reels, all ready",
            f"{await mixed(load, reels):.1f} s",
            "60 s",
        )
    took = await beside_hanging_links(load)
    row(f"a picture beside {HANGING} links that hang", f"{took * 1000:.0f} ms", "as without")
    row("memory before the day", f"{memory_mb(process_id):.0f} MB", "")
    await day(load)
    row(f"memory after a day of {DAY_CALLS} calls", f"{memory_mb(process_id):.0f} MB", "90 MB")
    await load.http.aclose()


def main() -> int:
    """Run the benchmark and print its table. It has no limits."""
    before = set(children_of_this_process())
    with sandbox_process(strict=False) as sandbox:
        (process_id,) = set(children_of_this_process()) - before
        asyncio.run(measure(sandbox, process_id))
    return 0


def children_of_this_process() -> list[int]:
    """Return the ids of this process's children."""
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    return [int(child) for child in children]


if __name__ == "__main__":
    as_program(main)
