"""The sensor that waits until a container can be published."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, ClassVar

from airflow.sdk import BaseSensorOperator, Context, PokeReturnValue
from airflow.sdk.exceptions import AirflowSensorTimeout, AirflowSkipException

from airflow_provider_instagram.exceptions import InstagramError, MediaRejectedError, NotReadyError
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.operators.authored import InstagramBaseOperator, Readers, Templated
from airflow_provider_instagram.operators.base import CREATE, Event
from airflow_provider_instagram.utils import arguments
from airflow_provider_instagram.utils.clock import CLOCK
from airflow_provider_instagram.utils.deferral import is_deferrable, until_next_look

#: Airflow 3.3 may fail a rescheduled sensor that starts again while its former process is still
#: ending.
SHORTEST_RESCHEDULE_S = 30.0
#: Replaces what is not known yet, because Airflow's constructor accepts numbers only.
UNRENDERED_S = 60.0
KNOWN = (int, float, timedelta)

CLEAR_CREATE = "Waiting cannot fix it: clear the create task and the tasks downstream of it to create a new container."
OTHER_VIDEO = "Waiting cannot fix it, nor can a new container with the same video and options."


class ContainerStatusSensor(InstagramBaseOperator, BaseSensorOperator):
    """Wait until Instagram has processed a container.

    By default, the sensor is deferred and holds no worker slot. A picture or a carousel is ready
    within seconds, so the sensor reads it for about five seconds before it is deferred. With
    ``deferrable=False``, it supports the modes ``poke`` and ``reschedule``. Returns the container's
    id.

    If the container fails, waiting cannot fix it. To create a new container, clear *the create task
    and the tasks downstream of it*.

    :param container_id: The container's id, as returned by CreateContainerOperator.
    :param deferrable: Whether to wait in the triggerer. None does what ``[operators]
        default_deferrable`` says, if it is set in the environment, and else waits in the triggerer.
    :param poke_interval: Time between two reads, in seconds or as a timedelta. In ``reschedule``
        mode, at least 30 seconds. A deferred sensor reads less often as the container ages, and
        never more often than the account's calls per hour allow. It stays deferred for at least ten
        seconds (twice ``[workers] min_heartbeat_interval``).
    :param timeout: Time until the sensor fails, in seconds or as a timedelta.
    :param instagram_conn_id: The Airflow connection of the account, as plain text.
    """

    argument_readers: ClassVar[Readers] = {
        "container_id": arguments.container_id,
        "deferrable": arguments.boolean,
        "poke_interval": arguments.positive_duration,
        "timeout": arguments.positive_duration,
    }
    template_fields: Sequence[str] = tuple(argument_readers)
    ui_color = "#fdf1f6"

    def __init__(
        self,
        *,
        container_id: Templated,
        deferrable: bool | Templated | None = None,
        poke_interval: timedelta | float | Templated = 5,
        timeout: timedelta | float | Templated = 1800,
        priority_weight: int = CREATE,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            poke_interval=poke_interval if isinstance(poke_interval, KNOWN) else UNRENDERED_S,
            timeout=timeout if isinstance(timeout, KNOWN) else UNRENDERED_S,
            priority_weight=priority_weight,
            **kwargs,
        )
        self.container_id: Any = container_id
        self.deferrable = deferrable
        if not isinstance(poke_interval, KNOWN):
            self.poke_interval = poke_interval  # type: ignore[assignment]
        if not isinstance(timeout, KNOWN):
            self.timeout = timeout  # type: ignore[assignment]
        self.check()

    def execute(self, context: Context) -> Any:
        """Read the container once, then wait in the chosen mode. A published container is not read."""
        self._read_arguments()
        ledger = Ledger.of(context, self.instagram_conn_id)
        record = ledger.container(self.container_id)
        if record is not None and ledger.post(record.post_key) is not None:
            self.log.info("%s is already published", record.post_key)
            return self.container_id
        with self._add_hints():
            if not self.deferrable:
                return super().execute(context)
            if self._is_ready(looks_longer=record is not None and record.is_ready_soon):
                return self.container_id
        from airflow_provider_instagram.triggers.container import ContainerStatusTrigger

        now = CLOCK.now()
        began = context["ti"].start_date or now
        deadline = began + timedelta(seconds=self.timeout)
        if now >= deadline:
            raise AirflowSensorTimeout(f"Container {self.container_id} is still not ready.")
        self.log.info(
            "Waiting in the triggerer until %s at most", deadline.isoformat(timespec="seconds")
        )
        wait = (self.container_id, self.poke_interval, deadline.timestamp(), now.timestamp())
        trigger = ContainerStatusTrigger(self.instagram_conn_id, *wait)
        return self.defer(
            trigger=trigger, method_name="execute_complete", timeout=until_next_look(now - began)
        )

    def execute_complete(self, context: Context, event: Event) -> str:
        """Continue after the wait in the triggerer."""
        if event["error"] is None:
            return str(event["container_id"])
        from airflow_provider_instagram.graph import readiness

        error = InstagramError.from_data(event["error"])
        with self._add_hints():
            if readiness.is_not_shown(error):
                self._check_not_gone()
                return str(event["container_id"])
            if not isinstance(error, NotReadyError):
                raise error
        raise AirflowSensorTimeout(str(error)) from error

    def _check_not_gone(self) -> None:
        """Check that Instagram does not show the container because it shows none."""
        from airflow_provider_instagram.graph.readiness import check_not_gone
        from airflow_provider_instagram.hooks.instagram import InstagramHook

        hook = InstagramHook(self.instagram_conn_id)
        with hook.get_conn() as client:
            check_not_gone(client, hook.ig_user_id(client), self.container_id)

    def poke(self, context: Context) -> PokeReturnValue | None:  # type: ignore[override]
        """Read the container once, and return its id if it can be published, or None while it is processed."""
        return PokeReturnValue(True, self.container_id) if self._is_ready() else None

    def _is_ready(self, *, looks_longer: bool = False) -> bool:
        """Read the container, for a few seconds if it will be ready soon: a deferral takes at least ten."""
        from airflow_provider_instagram.graph import readiness
        from airflow_provider_instagram.hooks.instagram import InstagramHook

        pauses_s = readiness.LOOK_PAUSES_S if looks_longer else ()
        try:
            with InstagramHook(self.instagram_conn_id).get_conn() as client:
                return not readiness.still_processing(client, [self.container_id], pauses_s)
        except InstagramError as error:
            return readiness.is_ready(error)

    def _read_arguments(self) -> None:
        self.container_id = arguments.container_id("container_id", self.container_id)
        self.deferrable = is_deferrable(self.deferrable)
        self.poke_interval = _seconds("poke_interval", self.poke_interval)
        self.timeout = _seconds("timeout", self.timeout)
        if self.reschedule and not self.deferrable and self.poke_interval < SHORTEST_RESCHEDULE_S:
            self.log.warning(
                "poke_interval=%.0f is raised to %.0f s: Airflow 3.3 may fail a sensor that is rescheduled sooner. "
                "deferrable=True waits without a slot at any interval.",
                self.poke_interval,
                SHORTEST_RESCHEDULE_S,
            )
            self.poke_interval = SHORTEST_RESCHEDULE_S

    @contextmanager
    def _add_hints(self) -> Iterator[None]:
        """Add to failures what to do in a chain of tasks, and apply ``soft_fail`` and ``never_fail`` to them."""
        try:
            yield
        except InstagramError as error:
            if self.soft_fail or self.never_fail:
                raise AirflowSkipException(str(error)) from error
            if isinstance(error, MediaRejectedError):
                from airflow_provider_instagram.graph.errors import rule_for

                rule = rule_for(error.code, error.subcode)
                to_do = CLEAR_CREATE if rule is None or rule.new_containers > 0 else OTHER_VIDEO
                error.hint = f"{error.hint or ''} {to_do}".strip()
            raise


def _seconds(name: str, value: Any) -> float:
    return arguments.positive_duration(name, value).total_seconds()
