"""How a failed task goes on: fail now, or try again after the time that the error knows."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import RetryDecision, RetryPolicy

from airflow_provider_instagram.exceptions import InstagramError

if TYPE_CHECKING:
    from airflow.sdk import Context

FIRST_DELAY = timedelta(seconds=15)
LONGEST_DELAY = timedelta(minutes=15)


class InstagramRetryPolicy(RetryPolicy):
    """Turn the class of an error into a decision.

    What cannot get better by itself (a broken video, a dead token, a policy block, an outcome that only a person can
    settle) fails at once. What Instagram gave a waiting time for is tried again after that time. The rest backs off
    exponentially with jitter: 15 s, 30 s, 1 min … 15 min. The number of tries stays the task's ``retries``.
    """

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Context | None = None,
    ) -> RetryDecision:
        """Decide what follows a failed try.

        :param exception: What the try raised. Errors that are not ours keep Airflow's standard behaviour.
        :param try_number: The try that failed, from 1.
        :param max_tries: How many tries the task has. Not used: a policy cannot extend them.
        :param context: The task's context. Not used.
        """
        if not isinstance(exception, InstagramError):
            return RetryDecision.default()
        name = type(exception).__name__
        if not exception.retryable:
            return RetryDecision.fail(f"{name}: trying again cannot help")
        if exception.retry_after is not None:
            return RetryDecision.retry(exception.retry_after, f"{name}: again after {exception.retry_after}")
        backoff = min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(try_number - 1, 10))
        return RetryDecision.retry(backoff * random.uniform(0.75, 1.25), f"{name}: may pass")  # noqa: S311

    def serialize(self) -> dict[str, Any]:
        """Describe the policy to the DAG serializer: it has no settings."""
        return {}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> InstagramRetryPolicy:
        """Rebuild the policy that :meth:`serialize` described."""
        return cls()
