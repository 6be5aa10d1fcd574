"""Whether a container is ready to be published, and how to wait for it."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from airflow_provider_instagram.exceptions import (
    ContainerExpiredError,
    InstagramError,
    NotReadyError,
    RateLimitError,
)
from airflow_provider_instagram.graph import calls
from airflow_provider_instagram.graph.errors import Cause, cause_of
from airflow_provider_instagram.graph.listing import read_after_create
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
#: A container that is not shown may not be visible yet, for at most this long. Source: Meta's error
#: table, 100/33.
VISIBLE_WITHIN: Final = timedelta(minutes=2)


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


def is_not_shown(answer: ContainerStatus | InstagramError | None) -> bool:
    """Return whether Instagram does not show a container: it is too new, or gone, or none is shown."""
    return isinstance(answer, InstagramError) and cause_of(answer) is Cause.NO_SUCH_OBJECT


def shows_none(client: GraphClient, ig_user_id: str) -> bool:
    """Create a container, and return whether Instagram shows not even that one.

    Then one that it does not show may exist. The new container is of a video that is never sent, and
    expires by itself. It counts among the 400 that an account may create a day. Source: reported of May
    and June 2026, when no container was shown for two weeks, and all could be published.
    """
    new = {"media_type": "REELS", "upload_type": "resumable"}
    made = client.send(calls.create_container(ig_user_id, new))
    try:
        read_after_create(client, calls.container_status(made.id))
    except NotReadyError as error:
        log.warning(
            "Instagram shows no containers, not even a new one (%s), so this one may exist all the same.",
            error.message,
        )
        return True
    return False


def check_not_gone(client: GraphClient, ig_user_id: str, container_id: str) -> None:
    """Check that Instagram does not show a container because it shows none.

    :raises ContainerExpiredError: If Instagram shows other containers.
    """
    if not shows_none(client, ig_user_id):
        raise ContainerExpiredError(
            f"Container {container_id} no longer exists: Instagram shows a new one, but not this one.",
            hint="Clear the create task and the tasks downstream of it to create a new container.",
        )


def still_processing(
    client: GraphClient, container_ids: Sequence[str], pauses_s: Sequence[float] = LOOK_PAUSES_S
) -> list[str]:
    """Read containers for a few seconds, because a deferral takes longer than the processing of a picture.

    :param pauses_s: The pauses before a container is read again, for all containers together.
        Empty: none is.
    :raises InstagramError: If a container can never be published, or another read makes no sense.
    """
    left = list(container_ids)
    pauses = iter(pauses_s)
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

    :raises NotReadyError: If the wait times out, or the container is not shown.
    :raises InstagramError: If the container can never be published, or another read makes no sense.
    """
    began_s = time.monotonic()
    deadline_s = began_s + timeout.total_seconds()
    while True:
        answer = _read(client, container_id)
        if is_ready(answer):
            return
        pause = poll_interval
        if isinstance(answer, InstagramError):
            if is_not_shown(answer) and time.monotonic() > began_s + VISIBLE_WITHIN.total_seconds():
                raise answer
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
