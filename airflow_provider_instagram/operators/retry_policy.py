"""The retry policy: what to do after a failed try, and how long to wait."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

from airflow.sdk import Context, RetryDecision, RetryPolicy
from airflow.sdk.exceptions import XComNotFound
from jinja2 import TemplateError

from airflow_provider_instagram.exceptions import InstagramError

FIRST_DELAY = timedelta(seconds=15)
LONGEST_DELAY = timedelta(minutes=15)
#: Mistakes in the code of a DAG. A connection or a variable that Airflow does not find is not one of them, because
#: Airflow answers the same while a secrets backend is down.
MISTAKES = (XComNotFound, TemplateError, TypeError)


class InstagramRetryPolicy(RetryPolicy):
    """Retry or fail a task, depending on the class of its error.

    * An error that a retry cannot fix (a broken video, an invalid token, a policy block, an outcome that only a person
      can settle) fails the task at once.
    * So does a mistake in the DAG: an XCom that does not exist, a template that cannot be rendered, a ``TypeError``.
    * An error with a waiting time from Instagram is retried after that time.
    * Other errors are retried with exponential backoff and jitter: 15 s, 30 s, 1 min … 15 min.

    The task's ``retries`` still limits the number of tries.
    """

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """Decide what follows a failed try.

        :param exception: The exception of the try. Other exceptions keep Airflow's standard behaviour.
        :param try_number: The number of the failed try, from 1.
        :param max_tries: The number of tries of the task. Not used, because a policy cannot extend it.
        :param context: The task's context. Not used.
        """
        name = type(exception).__name__
        if isinstance(exception, MISTAKES):
            return RetryDecision.fail(f"{name}: a mistake in the DAG, which a retry repeats")
        if not isinstance(exception, InstagramError):
            return RetryDecision.default()
        if not exception.retryable:
            return RetryDecision.fail(f"{name}: a retry cannot help")
        if exception.retry_after is not None:
            return RetryDecision.retry(exception.retry_after, f"{name}: retrying after {exception.retry_after}")
        backoff = min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(try_number - 1, 10))
        return RetryDecision.retry(backoff * random.uniform(0.75, 1.25), f"{name}: may be temporary")  # noqa: S311

    def serialize(self) -> dict[str, Any]:
        """Serialize the policy, which has no settings."""
        return {}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> InstagramRetryPolicy:
        """Create the policy from :meth:`serialize`."""
        return cls()
