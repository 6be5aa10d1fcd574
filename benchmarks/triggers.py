"""Triggers to compare this provider's triggers with: those of a naive sensor, and a probe of the event loop."""

from __future__ import annotations

import asyncio
import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
from airflow.triggers.base import BaseTrigger, TriggerEvent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TICK_S: Final = 0.05
EVERY_S: Final = 5


class NaiveTrigger(BaseTrigger):
    """The naive implementation: a client for each trigger, and a call every 5 s.

    :param host: Address of the sandbox.
    :param token: The account's token.
    :param container_id: The container.
    """

    def __init__(self, host: str, token: str, container_id: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.host, self.token, self.container_id = host, token, container_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Serialize the trigger."""
        arguments = {"host": self.host, "token": self.token, "container_id": self.container_id}
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll until the container is ready."""
        headers = {"Authorization": f"Bearer {self.token}"}
        async with httpx.AsyncClient(base_url=self.host, headers=headers, trust_env=False) as http:
            while True:
                with suppress(httpx.HTTPError):
                    answer = await http.get(
                        f"/v27.0/{self.container_id}", params={"fields": "status_code"}
                    )
                    if answer.is_success and answer.json()["status_code"] == "FINISHED":
                        break
                await asyncio.sleep(EVERY_S)
        yield TriggerEvent(self.container_id)


class LoopProbe(BaseTrigger):
    """Records how late the triggerer's event loop resumes a sleep of 50 ms, and in which process.

    :param file: The file to write: one line of JSON for each sleep, with time, lateness in ms,
        process and parent.
    """

    def __init__(self, file: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.file = file

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Serialize the trigger."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {"file": self.file}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Measure until the folder of the file is removed."""
        with Path(self.file).open("a", buffering=1) as out:
            while Path(self.file).parent.exists():
                tick = time.perf_counter()
                await asyncio.sleep(TICK_S)
                late_ms = 1000 * (time.perf_counter() - tick - TICK_S)
                out.write(json.dumps([time.time(), late_ms, os.getpid(), os.getppid()]) + "\n")
        yield TriggerEvent(None)
