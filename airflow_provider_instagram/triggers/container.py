"""Waiting for Instagram to process a container."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowException
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_instagram.exceptions import InstagramError, NotReadyError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from airflow_provider_instagram.graph.client import AsyncGraphClient
    from airflow_provider_instagram.graph.models import ContainerStatus

#: How much later Airflow's own time-out comes, so that the error with the cause in words is the one that is seen.
HEAD_START = timedelta(seconds=30)


class ContainerStatusTrigger(BaseTrigger):
    """Fires when a container can be published, can never be, or the deadline has come.

    It keeps nothing but its arguments: after a restart of the triggerer it goes on, with the deadline it was given.

    :param instagram_conn_id: The account's connection; the token is read from it here, and travels nowhere.
    :param container_id: The container.
    :param poll_interval_s: Seconds between two readings.
    :param deadline: When to give up, in seconds since the epoch.
    """

    def __init__(self, instagram_conn_id: str, container_id: str, poll_interval_s: float, deadline: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.instagram_conn_id = instagram_conn_id
        self.container_id = container_id
        self.poll_interval_s = poll_interval_s
        self.deadline = deadline

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Describe the trigger to Airflow. Its arguments are stored as plain text: no token is among them."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "instagram_conn_id": self.instagram_conn_id,
                "container_id": self.container_id,
                "poll_interval_s": self.poll_interval_s,
                "deadline": self.deadline,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Ask about the container until its fate is known, and say it in one event for :func:`processed_container`."""
        from airflow_provider_instagram.hooks.instagram import InstagramHook

        error: InstagramError | None
        try:
            async with await InstagramHook(self.instagram_conn_id).get_async_conn() as client:
                error = await self._overdue(client)
        except InstagramError as failure:
            error = failure
        except AirflowException as failure:
            error = InstagramError(
                f"Connection {self.instagram_conn_id!r} could not be read in the triggerer: {failure}",
                hint="Check that the connection exists and that the triggerer sees it, then clear this task.",
            )
        yield TriggerEvent({"container_id": self.container_id, "error": error.as_data() if error else None})

    async def _overdue(self, client: AsyncGraphClient) -> NotReadyError | None:
        """Wait for the end of the processing.

        :return: None when the container can be published, the error to raise when the deadline came first.
        :raises InstagramError: When it can never be published, or asking makes no sense.
        """
        from airflow_provider_instagram import containers
        from airflow_provider_instagram.graph import calls

        answer: ContainerStatus | InstagramError | None = None
        while time.time() < self.deadline or answer is None:
            pause_s = self.poll_interval_s
            try:
                answer = await client.send(calls.container_status(self.container_id))
            except InstagramError as error:
                answer = error
                if error.retry_after is not None and not isinstance(error, NotReadyError):
                    pause_s = max(pause_s, error.retry_after.total_seconds())
            if containers.is_ready(answer):
                return None
            await asyncio.sleep(min(pause_s, max(0.0, self.deadline - time.time())))
        return containers.not_ready(self.container_id, answer)


def processed_container(event: dict[str, Any]) -> str:
    """Read the trigger's event.

    :param event: What the trigger said.
    :return: The id of the container, which can be published.
    :raises NotReadyError: When the deadline came first.
    :raises InstagramError: When it can never be published, or asking made no sense.
    """
    if event["error"] is not None:
        raise InstagramError.from_data(event["error"])
    return str(event["container_id"])
