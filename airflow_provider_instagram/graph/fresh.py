"""Read a container or post that was just created. Instagram may not know its id yet."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from airflow_provider_instagram.exceptions import NotReadyError

if TYPE_CHECKING:
    from airflow_provider_instagram.graph.calls import Call
    from airflow_provider_instagram.graph.client import GraphClient

T = TypeVar("T")
_TRIES: Final = 7
_PAUSE: Final = timedelta(seconds=3)


def read_after_create(client: GraphClient, call: Call[T]) -> T:
    """Send a read of a container or post that was just created, and repeat it while its id is unknown.

    Source: reported, 100/33 on fresh ids.

    :raises NotReadyError: If the id is still unknown after about 20 seconds.
    """
    retrying = Retrying(
        retry=retry_if_exception_type(NotReadyError),
        stop=stop_after_attempt(_TRIES),
        wait=wait_fixed(_PAUSE),
        sleep=client.sleep,
        reraise=True,
    )
    answer: T = retrying(client.send, call)
    return answer
