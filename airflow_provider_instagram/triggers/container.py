"""The trigger that waits until Instagram has processed a container."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowException
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_instagram.exceptions import InstagramError
from airflow_provider_instagram.utils.deferral import shortest_deferral

if TYPE_CHECKING:
    from airflow_provider_instagram.graph.client import AsyncGraphClient


class ContainerStatusTrigger(BaseTrigger):
    """Trigger that fires when containers can be published, when one of them never can be, or at the deadline.

    The trigger has no state beside its arguments, so that it continues with the same deadline after
    a restart of the triggerer. All triggers of an account share a poller, which stays within the
    account's budget of calls.

    :param instagram_conn_id: The Airflow connection of the account. Only the triggerer reads its
        token.
    :param container_id: The container, or several. Several are waited for one after the other,
        which needs fewer calls.
    :param poll_interval_s: Seconds between two reads while the container is new.
    :param deadline: When to give up, in seconds since the epoch.
    :param since: When the wait began, in seconds since the epoch. Default: now.
    :param known: What the task knows already and gets back with the event. ``dag.test()`` drops
        what a task passes to itself in another way.
    """

    def __init__(
        self,
        instagram_conn_id: str,
        container_id: str | list[str],
        poll_interval_s: float,
        deadline: float,
        since: float | None = None,
        known: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.instagram_conn_id = instagram_conn_id
        self.container_id = container_id
        self.poll_interval_s = poll_interval_s
        self.deadline = deadline
        self.since = time.time() if since is None else since
        self.known = known

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Serialize the trigger. Airflow stores its arguments as plain text, so none of them is a token."""
        names = (
            "instagram_conn_id",
            "container_id",
            "poll_interval_s",
            "deadline",
            "since",
            "known",
        )
        return f"{type(self).__module__}.{type(self).__qualname__}", {
            name: getattr(self, name) for name in names
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait until the container's outcome is known, and yield one event: with the error, if there is one."""
        from airflow_provider_instagram.triggers.poller import Wait, poller_of

        error: InstagramError | None = None
        try:
            poller = poller_of(self.instagram_conn_id, self._open_client)
            for container_id in (
                [self.container_id] if isinstance(self.container_id, str) else self.container_id
            ):
                await poller.wait(
                    Wait(container_id, self.deadline, self.since, self.poll_interval_s)
                )
        except InstagramError as failure:
            error = failure
        except AirflowException as failure:
            error = InstagramError(
                f"The triggerer could not read connection {self.instagram_conn_id!r}: {failure}",
                hint="Check that the connection exists and that the triggerer has access to it, then clear this task.",
            )
        await asyncio.sleep(
            max(0.0, self.since + shortest_deferral().total_seconds() - time.time())
        )
        data = error.as_data() if error else None
        yield TriggerEvent({"container_id": self.container_id, "error": data, "known": self.known})

    async def _open_client(self) -> tuple[AsyncGraphClient, float]:
        from airflow_provider_instagram.hooks.instagram import InstagramHook

        hook = InstagramHook(self.instagram_conn_id)
        client = await hook.get_async_conn()
        return client, hook.settings.limits.calls_per_hour
