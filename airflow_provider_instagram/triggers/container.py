"""Waiting for Instagram to process a container."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowException
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_instagram.deferral import shortest_deferral
from airflow_provider_instagram.exceptions import InstagramError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from airflow_provider_instagram.graph.client import AsyncGraphClient

#: How much later Airflow's own time-out comes. A triggerer that is full starts a trigger when a place is free, and
#: Airflow's time-out does not wait for that: the container is to be asked about at least once before.
HEAD_START = timedelta(hours=1)


class ContainerStatusTrigger(BaseTrigger):
    """Fires when a container can be published, can never be, or the deadline has come.

    It keeps nothing but its arguments: after a restart of the triggerer it goes on, with the deadline it was given. All
    triggers of an account share a poller, which asks within the account's budget of calls.

    :param instagram_conn_id: The account's connection; the token is read from it here, and travels nowhere.
    :param container_id: The container.
    :param poll_interval_s: Seconds between two readings while the container is fresh.
    :param deadline: When to give up, in seconds since the epoch.
    :param since: When the wait began, in seconds since the epoch; default: now.
    """

    def __init__(
        self,
        instagram_conn_id: str,
        container_id: str,
        poll_interval_s: float,
        deadline: float,
        since: float | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.instagram_conn_id = instagram_conn_id
        self.container_id = container_id
        self.poll_interval_s = poll_interval_s
        self.deadline = deadline
        self.since = time.time() if since is None else since

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Describe the trigger to Airflow. Its arguments are stored as plain text: no token is among them."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "instagram_conn_id": self.instagram_conn_id,
                "container_id": self.container_id,
                "poll_interval_s": self.poll_interval_s,
                "deadline": self.deadline,
                "since": self.since,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait until the container's fate is known, and say it in one event for :func:`processed_container`."""
        from airflow.sdk.observability.stats import Stats

        from airflow_provider_instagram.triggers.poller import Wait, poller_of

        error: InstagramError | None = None
        try:
            poller = poller_of(self.instagram_conn_id, self._open_client, Stats)
            await poller.wait(Wait(self.container_id, self.deadline, self.since, self.poll_interval_s))
        except InstagramError as failure:
            error = failure
        except AirflowException as failure:
            error = InstagramError(
                f"Connection {self.instagram_conn_id!r} could not be read in the triggerer: {failure}",
                hint="Check that the connection exists and that the triggerer sees it, then clear this task.",
            )
        await asyncio.sleep(max(0.0, self.since + shortest_deferral().total_seconds() - time.time()))
        yield TriggerEvent({"container_id": self.container_id, "error": error.as_data() if error else None})

    async def _open_client(self) -> tuple[AsyncGraphClient, float]:
        from airflow_provider_instagram.hooks.instagram import InstagramHook

        hook = InstagramHook(self.instagram_conn_id)
        client = await hook.get_async_conn()
        return client, hook.settings.limits.calls_per_hour


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
