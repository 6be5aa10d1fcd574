"""The sensor that waits until a container can be published."""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator, PokeReturnValue
from airflow.sdk.exceptions import AirflowSensorTimeout, AirflowSkipException

from airflow_provider_instagram import arguments
from airflow_provider_instagram.account_task import AccountTask
from airflow_provider_instagram.exceptions import InstagramError, MediaRejectedError, NotReadyError, ValidationError
from airflow_provider_instagram.ledger import Ledger
from airflow_provider_instagram.retry_policy import InstagramRetryPolicy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow.sdk import Context, RetryPolicy, XComArg

    from airflow_provider_instagram.graph.models import ContainerStatus

#: Airflow 3.3 may fail a rescheduled sensor that comes back while its former process is still ending.
SHORTEST_RESCHEDULE_S = 30.0
#: Stands in for a template until it is rendered: Airflow's constructor takes numbers only.
UNRENDERED_S = 60.0

CLEAR_CREATE = "Waiting cannot heal it: clear the create task and those downstream of it, which makes a new container."
OTHER_VIDEO = "Waiting cannot heal it, nor can a new container of the same video with the same options."


class ContainerStatusSensor(AccountTask, BaseSensorOperator):
    """Wait until Instagram has processed a container.

    Deferred by default: no worker slot is held while Instagram works. With ``deferrable=False`` it works in the modes
    ``poke`` and ``reschedule``. Returns the container's id.

    A container that failed cannot be healed by waiting: the error says so, and that *create and the tasks downstream
    of it* are to be cleared, which makes a new one.

    :param container_id: The container, as CreateContainerOperator returned it.
    :param deferrable: Whether to wait in the triggerer.
    :param poke_interval: Seconds between two readings, or a timedelta. In ``reschedule`` mode at least 30. A deferred
        wait keeps to it while the container is fresh, asks less often as it ages, and never more than the account's
        calls per hour allow. It lasts ten seconds at least, twice ``[workers] min_heartbeat_interval``.
    :param timeout: Seconds until the wait fails, or a timedelta.
    :param instagram_conn_id: The account's connection, as plain text.
    :param retries: Tries after the first. A time-out is final, as in every sensor.
    :param retry_policy: Which failures are tried again, and when.
    """

    template_fields: Sequence[str] = ("container_id", "deferrable", "poke_interval", "timeout")
    ui_color = "#fdf1f6"

    def __init__(
        self,
        *,
        container_id: str | XComArg,
        deferrable: bool | str | XComArg = True,
        poke_interval: timedelta | float | str | XComArg = 5,
        timeout: timedelta | float | str | XComArg = 1800,
        retries: int = 3,
        retry_policy: RetryPolicy | None = InstagramRetryPolicy(),  # noqa: B008
        **kwargs: Any,
    ) -> None:
        super().__init__(
            poke_interval=UNRENDERED_S if isinstance(poke_interval, str) else poke_interval,
            timeout=UNRENDERED_S if isinstance(timeout, str) else timeout,
            retries=retries,
            retry_policy=retry_policy,
            **kwargs,
        )
        self.container_id: Any = container_id
        self.deferrable = deferrable
        if isinstance(poke_interval, str):
            self.poke_interval = poke_interval  # type: ignore[assignment]
        if isinstance(timeout, str):
            self.timeout = timeout  # type: ignore[assignment]

    def execute(self, context: Context) -> Any:
        """Look once, then wait in the way that was chosen; what is published already is not asked about."""
        self._read_arguments()
        ledger = Ledger.of(context, self.instagram_conn_id)
        made = ledger.container(self.container_id)
        if made is not None and ledger.post(made.post_key) is not None:
            self.log.info("%s is published already", made.post_key)
            return self.container_id
        with self._explained():
            if not self.deferrable:
                return super().execute(context)
            if ready := self.poke(context):
                return ready.xcom_value
        from airflow_provider_instagram.triggers.container import HEAD_START, ContainerStatusTrigger

        now = time.time()
        deadline = datetime.fromtimestamp(now + self.timeout, timezone.utc)
        self.log.info("Waiting in the triggerer until %s at most", deadline.isoformat(timespec="seconds"))
        return self.defer(
            trigger=ContainerStatusTrigger(
                self.instagram_conn_id, self.container_id, self.poke_interval, deadline.timestamp(), since=now
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=self.timeout) + HEAD_START,
        )

    def execute_complete(self, context: Context, event: dict[str, Any]) -> str:
        """Go on where the trigger ended."""
        from airflow_provider_instagram.triggers.container import processed_container

        with self._explained():
            try:
                return processed_container(event)
            except NotReadyError as error:
                raise AirflowSensorTimeout(str(error)) from error

    def poke(self, context: Context) -> PokeReturnValue | None:  # type: ignore[override]
        """Read the container once.

        :return: The container's id when it can be published, None while Instagram is at work.
        :raises InstagramError: When it can never be published, or reading it makes no sense.
        """
        from airflow_provider_instagram import containers
        from airflow_provider_instagram.graph import calls
        from airflow_provider_instagram.hooks.instagram import InstagramHook

        answer: ContainerStatus | InstagramError
        try:
            with InstagramHook(self.instagram_conn_id).get_conn() as client:
                answer = client.send(calls.container_status(self.container_id))
        except InstagramError as error:
            answer = error
        ready = containers.is_ready(answer)
        self._last_word = answer.message if isinstance(answer, InstagramError) else answer.summary()
        self.log.info("Container %s: %s", self.container_id, self._last_word)
        return PokeReturnValue(True, self.container_id) if ready else None

    def _read_arguments(self) -> None:
        self.container_id = arguments.required_text("container_id", self.container_id)
        self.deferrable = arguments.boolean("deferrable", self.deferrable) is not False
        self.poke_interval = _seconds("poke_interval", self.poke_interval)
        self.timeout = _seconds("timeout", self.timeout)
        self._last_word = "not read yet"
        if self.reschedule and not self.deferrable and self.poke_interval < SHORTEST_RESCHEDULE_S:
            self.log.warning(
                "poke_interval=%.0f is raised to %.0f s: Airflow 3.3 may fail a sensor that is rescheduled sooner. "
                "deferrable=True waits without a slot at any interval.",
                self.poke_interval,
                SHORTEST_RESCHEDULE_S,
            )
            self.poke_interval = SHORTEST_RESCHEDULE_S

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Make failures say what to do in a chain of tasks, and honour ``soft_fail`` and ``never_fail`` for them."""
        try:
            yield
        except InstagramError as error:
            if self.soft_fail or self.never_fail:
                raise AirflowSkipException(str(error)) from error
            if isinstance(error, MediaRejectedError):
                error.hint = f"{error.hint or ''} {CLEAR_CREATE if _is_curable(error) else OTHER_VIDEO}".strip()
            raise


def _is_curable(error: MediaRejectedError) -> bool:
    from airflow_provider_instagram.graph.errors import rule_for

    rule = rule_for(error.code, error.subcode)
    return rule is None or rule.new_containers > 0


def _seconds(name: str, value: Any) -> float:
    found = arguments.duration(name, value)
    if found is None:
        raise ValidationError(f"{name} is empty.", hint="Give seconds or a timedelta.")
    return found.total_seconds()
