"""Whether a container is ready to be published, and how to wait for it."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from airflow_provider_instagram.exceptions import (
    InstagramError,
    NotReadyError,
)
from airflow_provider_instagram.graph import calls

if TYPE_CHECKING:
    from datetime import timedelta

    from airflow_provider_instagram.graph.client import GraphClient
    from airflow_provider_instagram.graph.models import ContainerStatus


log = logging.getLogger(__name__)


def is_ready(answer: ContainerStatus | InstagramError) -> bool:
    """Check the result of reading a container.

    :param answer: The container's status, or the error of the read.
    :return: Whether the container can be published, or has been. If False, read it again.
    :raises InstagramError: If the container can never be published, or another read makes no sense.
    """
    if isinstance(answer, InstagramError):
        if not answer.retryable:
            raise answer
        return False
    if (failure := answer.failure()) is not None:
        raise failure
    return answer.is_terminal


def wait_until_ready(client: GraphClient, container_id: str, timeout: timedelta, poll_interval: timedelta) -> None:
    """Wait in this process until a container can be published.

    :param client: An open client of its account.
    :param container_id: The container.
    :param timeout: How long to wait.
    :param poll_interval: The pause between two reads.
    :raises NotReadyError: If the wait times out.
    :raises InstagramError: If the container can never be published, or another read makes no sense.
    """
    deadline_s = time.monotonic() + timeout.total_seconds()
    while True:
        answer: ContainerStatus | InstagramError
        try:
            answer = client.send(calls.container_status(container_id))
        except InstagramError as error:
            answer = error
        if is_ready(answer):
            return
        pause = poll_interval
        if isinstance(answer, InstagramError):
            log.warning("%s", answer)
            pause = max(pause, answer.retry_after or pause)
        left_s = deadline_s - time.monotonic()
        if left_s <= 0:
            raise not_ready_error(container_id, answer)
        time.sleep(min(pause.total_seconds(), left_s))


def not_ready_error(container_id: str, answer: ContainerStatus | InstagramError | None) -> NotReadyError:
    """Return the error of a wait that timed out, with the last known status of the container."""
    last_status = answer.message if isinstance(answer, InstagramError) else answer.summary() if answer else "never read"
    return NotReadyError(
        f"Container {container_id} is still not ready. Last status: {last_status}",
        hint="Clear this task to continue waiting. Instagram may still finish.",
    )
