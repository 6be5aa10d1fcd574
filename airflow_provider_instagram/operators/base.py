"""The base classes of all our tasks, and of those that work with one Instagram account, and how they are retried."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias

from airflow.sdk import (
    AssetAlias,
    BaseOperator,
    BaseOperatorLink,
    Context,
    RetryDecision,
    RetryPolicy,
)
from airflow.sdk.bases.operator import TriggerFailureReason
from airflow.sdk.exceptions import XComNotFound
from airflow.sdk.log import mask_secret
from jinja2 import TemplateError

from airflow_provider_instagram.exceptions import InstagramError, RateLimitError, ValidationError
from airflow_provider_instagram.ledger.assets import ledger_asset
from airflow_provider_instagram.utils import arguments, urls
from airflow_provider_instagram.utils.connection import DEFAULT_CONN_ID, NoConnectionError

if TYPE_CHECKING:
    from airflow.sdk.types import TaskInstanceKey

    from airflow_provider_instagram.utils.time_limit import Cancel

#: What ends a wait: the event of a trigger, or the answer of a person.
Event: TypeAlias = dict[str, Any]

FIRST_DELAY = timedelta(seconds=15)
LONGEST_DELAY = timedelta(minutes=15)
#: How long a try waits for rate limits before that uses up retries.
LONGEST_WAIT = timedelta(days=1)
#: Mistakes in a DAG. A variable that Airflow does not find is not one of them, nor a connection
#: that may exist, because Airflow answers the same while a secrets backend is down.
MISTAKES = (XComNotFound, TemplateError, TypeError, NoConnectionError)


def send(request: Any) -> Any:
    """Send a request to Airflow's API for tasks, and return its answer.

    :raises AirflowRuntimeError: If Airflow refuses it.
    """
    from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

    return SUPERVISOR_COMMS.send(request)


class InstagramRetryPolicy(RetryPolicy):
    """Retry or fail a task, depending on the class of its error.

    * An error that a retry cannot fix (a broken video, an invalid token, a policy block, an outcome
      that only a person can settle) fails the task at once.
    * So does a mistake in the DAG: an XCom or a connection that does not exist, a template that
      cannot be rendered, a ``TypeError``.
    * An error with a waiting time from Instagram is retried after that time. From Airflow 3.4 on,
      waiting for a rate limit uses up no retry, for a day at most.
    * Other errors are retried with exponential backoff and jitter: 15 s, 30 s, 1 min … 15 min.

    The task's ``retries`` still limits the number of tries.
    """

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Context | None = None,
    ) -> RetryDecision:
        """Decide what follows a failed try.

        :param exception: The exception of the try. Other exceptions keep Airflow's standard
            behaviour.
        :param try_number: The number of the failed try, from 1.
        :param max_tries: The number of tries of the task. Not used, because a policy cannot extend
            it.
        :param context: The task's context. Not used.
        """
        name = type(exception).__name__
        if isinstance(exception, MISTAKES):
            return RetryDecision.fail(f"{name}: a mistake in the DAG, which a retry repeats")
        if not isinstance(exception, InstagramError):
            return RetryDecision.default()
        # that class says nothing about a retry
        if not exception.retryable and type(exception) is not InstagramError:
            return RetryDecision.fail(f"{name}: a retry cannot help")
        if exception.retry_after is not None:
            reschedule = getattr(RetryDecision, "reschedule", None)  # of Airflow 3.4
            if reschedule is not None and isinstance(exception, RateLimitError):
                reason = f"{name}: waiting for {exception.retry_after}"
                decision: RetryDecision = reschedule(
                    exception.retry_after, reschedule_timeout=LONGEST_WAIT, reason=reason
                )
                return decision
            return RetryDecision.retry(
                exception.retry_after, f"{name}: retrying after {exception.retry_after}"
            )
        backoff = min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(try_number - 1, 10))
        delay = backoff * random.uniform(0.75, 1.25)  # noqa: S311
        return RetryDecision.retry(delay, f"{name}: may be temporary")

    def serialize(self) -> dict[str, Any]:
        """Serialize the policy, which has no settings."""
        return {}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> InstagramRetryPolicy:
        """Create the policy from :meth:`serialize`."""
        return cls()


#: The weight of each task: which one gets a free slot first, whatever its DAG. What publishes comes
#: before what prepares. All other tasks have Airflow's weight, 1.
PUBLISH: Final = 100
PLAN: Final = 90
COMMENT: Final = 80
CREATE: Final = 60
APPROVE: Final = 40
TRANSCODE: Final = 20


class InstagramTask(BaseOperator):
    """Base class of our tasks: their retries, and how they are killed.

    A try that cannot even start, because Airflow's API server is down, uses up a retry, and no
    policy is asked. The retries therefore span an outage of 55 minutes: their delays are 1, 2, 4, 8
    and then 10 minutes.

    :param retry_delay: The delay before the first retry, if the policy sets none.
    :param retry_exponential_backoff: The factor by which each further delay is longer.
    :param retry_policy: Decides which failures of a running task are retried, and when.
    :param weight_rule: The rule of ``priority_weight``. ``absolute`` ignores the other tasks of the
        DAG.
    """

    #: Ends what the task does in other processes.
    cancel: Cancel | None = None

    def __init__(
        self,
        *,
        retries: int = 8,
        retry_delay: timedelta = timedelta(minutes=1),
        retry_exponential_backoff: float = 2,
        max_retry_delay: timedelta | None = timedelta(minutes=10),
        retry_policy: RetryPolicy | None = InstagramRetryPolicy(),  # noqa: B008
        weight_rule: str = "absolute",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            retries=retries,
            retry_delay=retry_delay,
            retry_exponential_backoff=retry_exponential_backoff,
            max_retry_delay=max_retry_delay,
            retry_policy=retry_policy,
            weight_rule=weight_rule,
            **kwargs,
        )

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute. In a field, mask the secret parts of web addresses: Airflow stores what it has rendered."""
        if name in self.template_fields:
            _mask_addresses(value)
        super().__setattr__(name, value)

    def on_kill(self) -> None:
        """Stop the programs that the task has started."""
        if self.cancel is not None:
            self.cancel.cancel()


class AccountTask(InstagramTask):
    """Base class of tasks that work with one account, which is a constant of the DAG.

    :param instagram_conn_id: The Airflow connection of the account, as plain text. It cannot be
        templated or mapped.
    :param inlets: Further inlets. The account's ledger is added to them.
    :param outlets: Further outlets. The account's aliases are added to them.
    """

    #: The aliases through which the task emits events: ``ledger_alias`` keeps the ledger after the
    #: DAG is deleted.
    aliases: ClassVar[tuple[Callable[[str], AssetAlias], ...]] = ()

    def __init__(
        self,
        *,
        instagram_conn_id: str = DEFAULT_CONN_ID,
        inlets: Any = None,
        outlets: Any = None,
        **kwargs: Any,
    ) -> None:
        self.instagram_conn_id = constant_conn_id(instagram_conn_id)
        super().__init__(**self.with_assets(instagram_conn_id, inlets, outlets), **kwargs)

    @classmethod
    def account_inlets(cls, conn_id: str) -> list[Any]:
        """Return the task's inlets: the account's ledger, which holds its state, and the assets that it emits."""
        return [ledger_asset(conn_id), *(alias(conn_id) for alias in cls.aliases)]

    @classmethod
    def with_assets(cls, conn_id: str, inlets: Any, outlets: Any) -> dict[str, Any]:
        """Return the inlets and the outlets that the author named, and ours."""
        aliases = [alias(conn_id) for alias in cls.aliases]
        return {
            "inlets": _joined(inlets, cls.account_inlets(conn_id)),
            "outlets": _joined(outlets, aliases),
        }

    def resume_execution(
        self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context
    ) -> Any:
        """Continue after a wait. After its timeout, the task begins again, and looks itself.

        The scheduler ends a wait by its timeout although no triggerer runs, or none has capacity
        left.
        """
        if (next_kwargs or {}).get("error") == TriggerFailureReason.TRIGGER_TIMEOUT:
            next_method = "execute"
            next_kwargs = None
        return super().resume_execution(next_method, next_kwargs, context)


def constant_conn_id(conn_id: object) -> str:
    """Return a connection id that is known when the DAG is parsed: no template, no XCom, no mapped argument."""
    if isinstance(conn_id, str) and conn_id.strip() and not arguments.TEMPLATE.search(conn_id):
        return conn_id
    raise ValidationError(
        f"instagram_conn_id must be the id of a connection as plain text, not {conn_id!r}.",
        hint="Airflow must know the connection when it parses the DAG, so it cannot be templated or mapped. For "
        "several accounts, create one task or one task group for each account in a Python loop.",
    )


def _joined(given: Any, ours: list[Any]) -> list[Any]:
    if not isinstance(given, (list, tuple)):
        given = [given] if given else []
    return [*given, *(asset for asset in ours if asset not in given)]


def _mask_addresses(value: Any) -> None:
    """Mask the query of each web address among a field's values.

    Airflow stores rendered fields and shows them to every user who may see the run, so they are
    masked before that. A text that only mentions an address, such as a caption, is not masked: it
    will be public.
    """
    for text in _texts(value):
        if urls.is_web(text) and not any(letter.isspace() for letter in text.strip()):
            for secret in urls.secrets_in(text.strip()):
                mask_secret(secret)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
        if value.lstrip().startswith("["):  # a list of files, as the text that a template gives
            with suppress(ValueError, RecursionError):
                yield from _texts(json.loads(value))
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, (list, tuple, set)):
        for part in value:
            yield from _texts(part)


class InstagramPostLink(BaseOperatorLink):
    """Link to the post on Instagram. Airflow reads the link in the worker when the task ends, and stores it."""

    name = "View on Instagram"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the post's permalink."""
        from airflow_provider_instagram.utils.urls import safe_link

        return safe_link(getattr(operator, "permalink", None)) or ""
