"""The operator that publishes a container, exactly once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, cast

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.ledger.assets import ledger_alias, posts_alias
from airflow_provider_instagram.ledger.events import emit_post_event
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.ledger.records import Owner, PublishedPost, Try
from airflow_provider_instagram.operators.base import PUBLISH, AccountTask, InstagramPostLink
from airflow_provider_instagram.operators.lineage import publication_lineage
from airflow_provider_instagram.operators.mapped import InstagramBaseOperator
from airflow_provider_instagram.utils import arguments
from airflow_provider_instagram.utils.deferral import shortest_deferral, timeouts_checked_every

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg
    from airflow.triggers.base import BaseTrigger

    from airflow_provider_instagram.publishing.use_case import Skipped


class PublishOperator(InstagramBaseOperator):
    """Publish a container: one ``post_key``, one post.

    * If the account has no free quota, the task is deferred until it has, unless the container expires before.
    * If the post already exists, the task returns it and publishes nothing.
    * If the answer to a request was lost, the task reads the account to find out what happened. It never sends the
      request again without knowing. If the outcome cannot be determined, it fails with ``OutcomeUnknownError``.

    Returns ``media_id``, ``permalink``, ``container_id``, ``post_key``, ``published_at``, ``planned_at``, ``late_s``
    and ``already_published``. ``planned_at`` is ``publish_at`` in UTC, and ``late_s`` how many seconds later the post
    was published: both are null if it had no time. ``media_id`` and ``permalink`` are null if the post is certainly
    live, but cannot be told apart from other posts, or if the account's media cannot be listed in the last try. A
    publication emits an event of the asset ``instagram://<conn_id>/posts``.

    :param container_id: The container's id, as returned by CreateContainerOperator.
    :param post_key: The key under which the post is published exactly once. Default: the key that create recorded for
        the container, or else ``dag_id/run_id/task_id/map_index``, followed by the pass in a loop.
    :param publish_at: When to publish: a datetime or ISO 8601 text, with a time zone. The task is deferred until half
        a minute before.
    :param max_lateness: How late the post may be published, in seconds or as a timedelta. After that, the task fails.
    :param dry_run: Read the container, log what would be published, and stop without waiting.
    :param multiple_outputs: Whether each part of the result is an XCom too, as in ``publish.output["media_id"]``.
    :param instagram_conn_id: The Airflow connection of the account, as plain text.
    """

    template_fields: Sequence[str] = ("container_id", "post_key", "publish_at", "max_lateness", "is_dry_run")
    template_field_aliases: ClassVar[dict[str, str]] = {"dry_run": "is_dry_run"}
    argument_readers: ClassVar[dict[str, Callable[[str, Any], Any]]] = {
        "container_id": arguments.container_id,
        "post_key": arguments.text,
        "publish_at": arguments.moment,
        "max_lateness": arguments.duration,
        "dry_run": arguments.boolean,
    }
    operator_extra_links = (InstagramPostLink(),)
    ui_color = "#fbdce9"
    aliases = (posts_alias, ledger_alias)

    def __init__(
        self,
        *,
        container_id: str | XComArg,
        post_key: str | XComArg | None = None,
        publish_at: datetime | str | XComArg | None = None,
        max_lateness: timedelta | float | str | XComArg | None = None,
        dry_run: bool | str | XComArg = False,
        priority_weight: int = PUBLISH,
        multiple_outputs: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(priority_weight=priority_weight, multiple_outputs=multiple_outputs, **kwargs)
        self.container_id = container_id
        self.post_key = post_key
        self.publish_at = publish_at
        self.max_lateness = max_lateness
        self.is_dry_run = dry_run
        self.permalink: str | None = None
        self.media_id: str | None = None

    def execute(self, context: Context, event: Any = None) -> dict[str, Any]:
        """Publish at the given time, unless the post exists."""
        container_id = arguments.container_id("container_id", self.container_id)
        record = Ledger.of(context, self.instagram_conn_id).container(container_id)
        default_key = record.post_key if record else str(Owner.of(context))
        result = publish(
            self,
            context,
            arguments.text("post_key", self.post_key) or default_key,
            container_id,
            publication_time=partial(self.publication_time, context),
            is_dry_run=arguments.boolean("dry_run", self.is_dry_run) is True,
            is_resumed=event is not None,
        )
        fields = cast("dict[str, Any]", result)  # nothing makes this task skip a post
        self.permalink, self.media_id = fields["permalink"], fields["media_id"]
        return fields

    def publication_time(self, context: Context) -> datetime | None:
        """Return when to publish the post, which must not be longer ago than ``max_lateness``, or None for at once."""
        publish_at = arguments.moment("publish_at", self.publish_at)
        max_lateness = arguments.duration("max_lateness", self.max_lateness)
        if publish_at is None:
            return None
        from airflow_provider_instagram.hooks.instagram import InstagramHook

        InstagramHook(self.instagram_conn_id).compare_clock()
        late = Ledger.of(context, self.instagram_conn_id).clock() - publish_at
        if max_lateness is not None and late > max_lateness:
            raise ValidationError(
                f"publish_at, {publish_at.isoformat()}, was {late} ago; max_lateness is {max_lateness}.",
                hint="Set a later publish_at or a larger max_lateness, and clear this task.",
            )
        return publish_at

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Return the lineage of the task, for OpenLineage: the container in, the post out."""
        return publication_lineage(self.instagram_conn_id, self.container_id, self.media_id)


def publish(
    task: AccountTask,
    context: Context,
    post_key: str,
    container_id: str,
    *,
    is_resumed: bool,
    trigger: Callable[[datetime], BaseTrigger] | None = None,
    calendar: str | None = None,
    **more: Any,
) -> dict[str, Any] | Skipped:
    """Run :class:`~airflow_provider_instagram.publishing.publish.Publish` in a task, which is deferred while it waits.

    :param trigger: Returns the trigger that ends a wait.
    """
    from airflow_provider_instagram.hooks.instagram import InstagramHook
    from airflow_provider_instagram.publishing.publish import Publish
    from airflow_provider_instagram.publishing.use_case import WaitUntil
    from airflow_provider_instagram.quota.reservations import post_quotas

    hook, ledger = InstagramHook(task.instagram_conn_id), Ledger.of(context, task.instagram_conn_id)
    result = Publish(
        hook,
        ledger,
        Try.of(task, context),
        post_key,
        container_id,
        shortest_wait=shortest_deferral(),
        resumes_late_by=timeouts_checked_every(),
        quotas=lambda: post_quotas(hook.settings.limits.posts_per_hour, hook.settings.limits.posts_per_day),
        report=partial(_report, context, ledger, calendar),
        calendar=calendar,
        **more,
    ).run(is_resumed=is_resumed)
    if not isinstance(result, WaitUntil):
        return result
    timeout = result.timeout_at - ledger.clock()
    return task.defer(trigger=(trigger or at_moment)(result.moment), method_name="execute", timeout=timeout)


def at_moment(moment: datetime) -> BaseTrigger:
    """Return the trigger that ends a wait at a moment."""
    from airflow.providers.standard.triggers.temporal import DateTimeTrigger

    return DateTimeTrigger(moment=moment)


def _report(context: Context, ledger: Ledger, calendar: str | None, post: PublishedPost, is_new: bool) -> None:
    from airflow.sdk.observability.stats import Stats

    emit_post_event(context, ledger, post, calendar)
    if is_new and post.late_s is not None:
        Stats.timing("instagram.published_late", 1000 * max(0.0, post.late_s), tags={"conn_id": ledger.conn_id})
