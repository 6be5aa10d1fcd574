"""Whether a container is ready to be published, and how to wait for it."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from airflow_provider_instagram.exceptions import InstagramError, NotReadyError, RateLimitError
from airflow_provider_instagram.graph import calls
from airflow_provider_instagram.graph.usage import SLOW_FROM_PERCENT

if TYPE_CHECKING:
    from airflow_provider_instagram.graph.client import GraphClient
    from airflow_provider_instagram.graph.models import ContainerStatus


log = logging.getLogger(__name__)

#: Pauses between the first reads of a picture, in seconds. Source: clients report that it is ready
#: within a second.
LOOK_PAUSES_S: Final = (0.7, 1.0, 1.5, 2.0)
#: Pauses between the reads of a copyright check, which may end after the processing, in seconds.
COPYRIGHT_PAUSES_S: Final = (5.0, 10.0, 20.0, 25.0)


def is_ready(answer: ContainerStatus | InstagramError) -> bool:
    """Check the result of reading a container.

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


def still_processing(
    client: GraphClient, container_ids: Sequence[str], pauses_s: Sequence[float] = LOOK_PAUSES_S
) -> list[str]:
    """Read containers for a few seconds, because a deferral takes longer than the processing of a picture.

    :param pauses_s: The pauses before a container is read again, for all containers together.
        Empty: none is.
    :raises InstagramError: If a container can never be published, or another read makes no sense.
    """
    left, pauses = list(container_ids), iter(pauses_s)
    while left:
        answer = _read(client, left[0])
        log.info("Container %s: %s", left[0], _in_words(answer))
        if is_ready(answer):
            del left[0]
            continue
        is_short_of_calls = client.usage is not None and client.usage.percent >= SLOW_FROM_PERCENT
        if is_short_of_calls or isinstance(answer, RateLimitError):
            break
        pause_s = next(pauses, None)
        if pause_s is None:
            break
        client.sleep(pause_s)
    return left


def _read(client: GraphClient, container_id: str) -> ContainerStatus | InstagramError:
    try:
        return client.send(calls.container_status(container_id))
    except InstagramError as error:
        return error


def _in_words(answer: ContainerStatus | InstagramError | None) -> str:
    if answer is None:
        return "never read"
    return answer.message if isinstance(answer, InstagramError) else answer.summary()


def copyright_finding(client: GraphClient, container_id: str) -> str | None:
    """Read the copyright check of a video that is processed, for up to a minute until the check has ended.

    :return: What a person should know before the video is published, or None.
    """
    for pause_s in (*COPYRIGHT_PAUSES_S, None):
        check = client.send(calls.container_status(container_id, with_copyright=True)).copyright
        log.info("Container %s: copyright check %s", container_id, check.status or "unknown")
        if check.status in ("completed", "error") or check.matches_found or pause_s is None:
            break
        client.sleep(pause_s)
    return check.finding


def wait_until_ready(
    client: GraphClient, container_id: str, timeout: timedelta, poll_interval: timedelta
) -> None:
    """Wait in this process until a container can be published.

    :raises NotReadyError: If the wait times out.
    :raises InstagramError: If the container can never be published, or another read makes no sense.
    """
    deadline_s = time.monotonic() + timeout.total_seconds()
    while True:
        answer = _read(client, container_id)
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


def not_ready_error(
    container_id: str, answer: ContainerStatus | InstagramError | None
) -> NotReadyError:
    """Return the error of a wait that timed out, with the last known status of the container."""
    return NotReadyError(
        f"Container {container_id} is still not ready. Last status: {_in_words(answer)}",
        hint="Clear this task to continue waiting. Instagram may still finish.",
    )
