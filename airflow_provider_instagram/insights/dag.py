"""The DAG that reads the metrics of posts and accounts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk import DAG, Context
from airflow.sdk.exceptions import AirflowSkipException

from airflow_provider_instagram.exceptions import PermissionDeniedError, ValidationError
from airflow_provider_instagram.insights.schema import DEFAULT_AGES, TABLES, checked_ages, name_of
from airflow_provider_instagram.insights.targets import SqlTarget
from airflow_provider_instagram.ledger.assets import (
    insights_alias,
    insights_asset,
    ledger_alias,
    posts_asset,
)
from airflow_provider_instagram.ledger.events import become_first_emitter, pin_ledger_asset
from airflow_provider_instagram.ledger.insights import record_refusal
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.operators.authored import InstagramBaseOperator
from airflow_provider_instagram.utils import arguments

if TYPE_CHECKING:
    from pydantic import JsonValue

    from airflow_provider_instagram.insights.collector import Batch
    from airflow_provider_instagram.insights.discovery import PostEvent


class CollectInsights(InstagramBaseOperator):
    """Read the metrics of an account that are due, and write them to the target.

    The task sends what the calls for insights allow, and leaves the rest to the next run, so it
    never waits. An account without the scope for insights is skipped. Returns how many rows of each
    kind are written.

    :param ages: The ages at which each post is read, in their order.
    """

    ui_color = "#e9f3fb"
    aliases = (insights_alias, ledger_alias)

    def __init__(
        self,
        *,
        target: SqlTarget,
        ages: Sequence[timedelta],
        look_every: timedelta,
        retries: int = 2,  # the next run reads what this one could not
        retry_delay: timedelta = timedelta(minutes=1),
        execution_timeout: timedelta | None = timedelta(minutes=15),
        max_active_tis_per_dag: int | None = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            retries=retries,
            retry_delay=retry_delay,
            execution_timeout=execution_timeout,
            max_active_tis_per_dag=max_active_tis_per_dag,
            **kwargs,
        )
        self.target = target
        self.ages = ages
        self.look_every = arguments.duration("look_every", look_every) or timedelta()

    @classmethod
    def account_inlets(cls, conn_id: str) -> list[Any]:
        """Return the ledger, and the posts of the account, whose events name what to read."""
        return [*super().account_inlets(conn_id), posts_asset(conn_id)]

    def execute(self, context: Context) -> dict[str, int]:
        """Read and write what is due, and emit the event of the batch."""
        from airflow_provider_instagram.graph.capabilities import INSIGHTS
        from airflow_provider_instagram.graph.errors import Cause, cause_of
        from airflow_provider_instagram.hooks.scopes import known_scopes

        ledger = Ledger.of(context, self.instagram_conn_id, is_lenient=True)
        scopes = known_scopes(self.instagram_conn_id)
        try:
            scopes.require(INSIGHTS)
            batch = self._collect(context, ledger)
            counts = batch.counts()
            self.log.info(
                "%s: %s",
                self.instagram_conn_id,
                ", ".join(f"{name} {n}" for name, n in counts.items()),
            )
            if batch.error is not None:
                raise batch.error
        except PermissionDeniedError as error:
            if (ended := scopes.end_of_access(ledger.clock())) is not None:
                raise ended from None
            if error.code is not None and cause_of(error) is not Cause.NO_PERMISSION:
                raise
            record_refusal(ledger.store, str(error), ledger.clock(), INSIGHTS.name)
            raise AirflowSkipException(str(error)) from error
        record_refusal(ledger.store, None, ledger.clock(), INSIGHTS.name)
        self._emit(context, ledger, batch)
        return counts

    def _collect(self, context: Context, ledger: Ledger) -> Batch:
        from airflow_provider_instagram.hooks.instagram import InstagramHook
        from airflow_provider_instagram.insights.collector import Collector
        from airflow_provider_instagram.quota.call_budget import InsightsBudget

        self.target.prepare()  # a target that fails spends no calls
        hook = InstagramHook(self.instagram_conn_id)
        budget = InsightsBudget(ledger.store, ledger.clock, hook.settings.limits.calls_per_hour)
        with hook.get_conn() as client:
            user_id = hook.ig_user_id(client)
            collector = Collector(
                client,
                ledger,
                user_id,
                self.target,
                budget,
                ages=self.ages,
                look_every=self.look_every,
                login=hook.settings.login,
            )
            return collector.run(self._events(context, collector.events_since()))

    def _events(self, context: Context, since: datetime) -> Iterator[PostEvent]:
        from airflow_provider_instagram.insights.discovery import PostEvent

        events = cast("Any", context["inlet_events"])[posts_asset(self.instagram_conn_id)]
        for event in events.after(since.isoformat()):
            extra = event.extra or {}
            if media_id := extra.get("media_id"):
                yield PostEvent(
                    str(media_id),
                    event.timestamp,
                    extra.get("post_key"),
                    event.source_dag_id,
                    extra.get("origin"),
                )

    def _emit(self, context: Context, ledger: Ledger, batch: Batch) -> None:
        """Emit the event of the rows that no event has announced yet: of this batch, and of tries that failed later.

        If the process dies between the end of this method and that of the task, the event is lost.
        """
        from airflow_provider_instagram.insights.discovery import Progress

        progress = Progress.of(ledger.store, self.target.identity)
        if not (progress.unnamed["read"] or progress.unnamed["days"]):
            return
        pin_ledger_asset(context, ledger)
        alias = insights_alias(self.instagram_conn_id)
        become_first_emitter(context, ledger, alias)
        extra: dict[str, JsonValue] = {
            **progress.unnamed,
            "left": batch.left,
            "target": self.target.name,
        }
        context["outlet_events"][alias].add(insights_asset(self.instagram_conn_id), extra=extra)
        progress.unnamed.clear()
        progress.save(ledger.store, self.target.identity)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Return the lineage of the task, for OpenLineage: the account in, the tables out."""
        from airflow_provider_instagram.operators.lineage import operator_lineage

        account = (f"instagram://{self.instagram_conn_id}", "insights")
        return operator_lineage([account], [self.target.location(table) for table in TABLES])


def open_target(target: str | SqlTarget) -> SqlTarget:
    """Return a target from the text that the author of a DAG writes, or from itself."""
    if not isinstance(target, str):
        return target
    if not target.strip():
        raise ValidationError("The target is empty.", hint="Use the id of a database's connection.")
    return SqlTarget(target.strip())


#: Twice an hour, not at the full hour, when posts are published.
SCHEDULE = "12,42 * * * *"
START_DATE = datetime(2010, 10, 6, tzinfo=timezone.utc)


def insights_dag(
    dag_id: str,
    accounts: Sequence[str],
    target: str | SqlTarget,
    *,
    ages: Sequence[timedelta] = DEFAULT_AGES,
    look_every: timedelta = timedelta(hours=20),
    **dag_arguments: Any,
) -> DAG:
    """Return the DAG that reads the metrics of each post at certain ages, and those of each account daily.

    Every account has a task of its own. A run reads what is due as far as the calls suffice, the
    next run the rest.

    :param accounts: The connections of the accounts.
    :param target: Where to write: the id of a database's connection, or a :class:`SqlTarget`.
    :param ages: The ages at which each post is read. A story is read at those up to 22.5 hours, and
        at 23 hours.
    :param look_every: How often to look for posts and stories that were not made by this provider.
    :param dag_arguments: More arguments of the DAG, for example ``schedule``, ``default_args`` or
        ``tags``.
    """
    opened = open_target(target)
    ordered = checked_ages(ages)
    names = ", ".join(name_of(age) for age in ordered)
    with DAG(
        dag_id,
        **{
            "schedule": SCHEDULE,
            "start_date": START_DATE,
            "catchup": False,
            "max_active_runs": 2,  # a task that is retried does not hold back the others' next run
            "tags": ["instagram"],
            "doc_md": f"Reads the metrics of posts at the ages {names}, and of accounts daily, into {opened.name}.",
            **dag_arguments,
        },
    ) as dag:
        for conn_id in dict.fromkeys(arguments.sequence("accounts", accounts)):
            CollectInsights(
                task_id=f"read_{conn_id}",
                target=opened,
                ages=ordered,
                look_every=look_every,
                instagram_conn_id=conn_id,
            )
    return dag
