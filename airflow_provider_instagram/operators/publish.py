"""The operator that publishes a container, exactly once."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from time import sleep
from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn

from airflow.sdk.exceptions import TaskDeferred

from airflow_provider_instagram.exceptions import QuotaExhaustedError, ValidationError
from airflow_provider_instagram.ledger.assets import ledger_alias, posts_alias
from airflow_provider_instagram.ledger.events import emit_post_event
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.ledger.records import Owner, PublishedPost, Try
from airflow_provider_instagram.operators.authored import (
    Arguments,
    InstagramBaseOperator,
    Readers,
    Templated,
)
from airflow_provider_instagram.operators.base import PUBLISH, AccountTask, InstagramPostLink
from airflow_provider_instagram.operators.lineage import publication_lineage
from airflow_provider_instagram.utils import arguments
from airflow_provider_instagram.utils.clock import CLOCK
from airflow_provider_instagram.utils.deferral import (
    is_deferrable,
    shortest_deferral,
    timeouts_checked_every,
)

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.triggers.base import BaseTrigger

    from airflow_provider_instagram.publishing.publish import Free, Live, Publish, Publisher
    from airflow_provider_instagram.publishing.use_case import WaitUntil


#: How late a post may be published if its author does not say that.
LATEST: Final = timedelta(days=1)


class PublishingTask(AccountTask):
    """A task that publishes a container. It decides the time, and may raise an error or skip itself instead."""

    container_id: Any = None
    permalink: str | None = None
    media_id: str | None = None
    operator_extra_links = (InstagramPostLink(),)
    ui_color = "#fbdce9"
    aliases = (posts_alias, ledger_alias)

    @abstractmethod
    def publication_time(self, context: Context) -> datetime | None:
        """Return when to publish a post that does not exist, or None for at once. Nothing is open then."""

    def check_live(self, context: Context, post: PublishedPost) -> None:
        """Check that a post that is live is the task's own, before anything of it is told."""

    def check_quota_wait(
        self, context: Context, available_at: datetime, error: QuotaExhaustedError
    ) -> None:
        """Check that it is worth waiting for the moment at which the account has free quota."""

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Return the lineage of the task, for OpenLineage: the container in, the post out."""
        return publication_lineage(self.instagram_conn_id, self.container_id, self.media_id)


class PublishOperator(InstagramBaseOperator, PublishingTask):
    """Publish a container: one ``post_key``, one post.

    * If the account has no free quota, the task is deferred until it has, unless the container
      expires before.
    * If the post already exists, the task returns it and publishes nothing.
    * If the answer to a request was lost, the task reads the account to find out what happened. It
      never sends the request again without knowing. If the outcome cannot be determined, it fails
      with ``OutcomeUnknownError``.

    Returns ``media_id``, ``permalink``, ``container_id``, ``post_key``, ``published_at``,
    ``planned_at``, ``late_s`` and ``already_published``. ``planned_at`` is ``publish_at`` in UTC,
    and ``late_s`` how many seconds later the post was published: both are null if it had no time.
    ``media_id`` and ``permalink`` are null if the post is certainly live, but cannot be told apart
    from other posts, or if the account's media cannot be listed in the last try. A publication
    emits an event of the asset ``instagram://<conn_id>/posts``.

    :param container_id: The container's id, as returned by CreateContainerOperator.
    :param post_key: The key under which the post is published exactly once. Default: the key that
        create recorded for the container, or else ``dag_id/run_id/task_id/map_index``, followed by
        the pass in a loop.
    :param publish_at: When to publish: a datetime or ISO 8601 text, with a time zone. The task is
        deferred until about 20 s before.
    :param max_lateness: How late the post may be published: ``15 minutes``, seconds, or a
        timedelta. After that, the task fails. Default: a day.
    :param deferrable: Whether to wait for ``publish_at`` and for quota in the triggerer. With
        False, the task waits itself, as a place without a triggerer needs it: it holds a worker
        slot for all that time, and a worker that stops meanwhile costs a retry. None does what
        ``[operators] default_deferrable`` says, if it is set in the environment, and else waits in
        the triggerer.
    :param dry_run: Read the container, log what would be published, and stop without waiting.
    :param multiple_outputs: Whether each part of the result is an XCom too, as in
        ``publish.output["media_id"]``.
    :param instagram_conn_id: The Airflow connection of the account, as plain text.
    """

    template_fields: Sequence[str] = (
        "container_id",
        "post_key",
        "publish_at",
        "max_lateness",
        "deferrable",
        "is_dry_run",
    )
    template_field_aliases: ClassVar[dict[str, str]] = {"dry_run": "is_dry_run"}
    argument_readers: ClassVar[Readers] = {
        "container_id": arguments.container_id,
        "post_key": arguments.key,
        "publish_at": arguments.moment,
        "max_lateness": arguments.duration,
        "deferrable": arguments.boolean,
        "dry_run": arguments.boolean,
    }

    def __init__(
        self,
        *,
        container_id: Templated,
        post_key: Templated = arguments.NOT_GIVEN,
        publish_at: datetime | Templated | None = None,
        max_lateness: timedelta | float | Templated | None = None,
        deferrable: bool | Templated | None = None,
        dry_run: bool | Templated = False,
        priority_weight: int = PUBLISH,
        multiple_outputs: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            priority_weight=priority_weight, multiple_outputs=multiple_outputs, **kwargs
        )
        self.container_id = container_id
        self.post_key = post_key
        self.publish_at = publish_at
        self.max_lateness = max_lateness
        self.deferrable = deferrable
        self.is_dry_run = dry_run
        self.check()

    @classmethod
    def check_arguments(cls, known: Arguments) -> None:
        """Check that a time that is written in the DAG has not passed by more than a day, unless the post may be so."""
        super().check_arguments(known)
        publish_at = arguments.moment("publish_at", known.get("publish_at"))
        if publish_at is None or "max_lateness" not in known:
            return
        max_lateness = arguments.duration("max_lateness", known["max_lateness"]) or LATEST
        late = CLOCK.now() - publish_at
        if late > max(max_lateness, LATEST):
            raise too_late(publish_at, late, max_lateness)

    def execute(self, context: Context, event: Any = None) -> dict[str, Any]:
        """Publish at the given time, unless the post exists."""
        container_id = arguments.container_id("container_id", self.container_id)
        post_key = arguments.key("post_key", self.post_key)
        if post_key is None:
            record = Ledger.of(context, self.instagram_conn_id).container(container_id)
            post_key = record.post_key if record else str(Owner.of(context))
        is_dry_run = arguments.boolean("dry_run", self.is_dry_run) is True
        is_resumed = event is not None
        while True:
            try:
                result = publish(
                    self,
                    context,
                    post_key,
                    container_id,
                    is_dry_run=is_dry_run,
                    is_resumed=is_resumed,
                )
            except TaskDeferred as wait:  # noqa: PERF203 -- a wait of minutes
                if is_deferrable(self.deferrable):
                    raise
                trigger: Any = wait.trigger
                sleep(max(0.0, (trigger.moment - CLOCK.now()).total_seconds()))
                is_resumed = True
            else:
                self.permalink = result["permalink"]
                self.media_id = result["media_id"]
                return result

    def publication_time(self, context: Context) -> datetime | None:
        """Return when to publish the post, which must not be longer ago than ``max_lateness``, or None for at once.

        :raises ValidationError: If that has passed, or the container, whose id may be in an XCom
            that users edit, was created under another key. One that no operator has created, such
            as a hook's, counts.
        """
        self._refuse_container_of_another_key(context)
        publish_at = arguments.moment("publish_at", self.publish_at)
        max_lateness = arguments.duration("max_lateness", self.max_lateness)
        if publish_at is None:
            return None
        if max_lateness is None:
            max_lateness = LATEST
        from airflow_provider_instagram.hooks.instagram import InstagramHook

        InstagramHook(self.instagram_conn_id).compare_clock()
        late = Ledger.of(context, self.instagram_conn_id).clock() - publish_at
        if late > max_lateness:
            raise too_late(publish_at, late, max_lateness)
        return publish_at

    def _refuse_container_of_another_key(self, context: Context) -> None:
        post_key = arguments.key("post_key", self.post_key)
        container_id = arguments.container_id("container_id", self.container_id)
        record = Ledger.of(context, self.instagram_conn_id).container(container_id)
        if post_key is not None and record is not None and record.post_key != post_key:
            raise ValidationError(
                f"Container {container_id} was created for {record.post_key!r}, not for {post_key!r}.",
                hint="Give create and publish the same post_key, and clear create with all downstream tasks.",
            )


def too_late(publish_at: datetime, late: timedelta, max_lateness: timedelta) -> ValidationError:
    """Return the error of a post whose time has passed."""
    return ValidationError(
        f"publish_at, {publish_at.isoformat()}, was {late} ago; max_lateness is {max_lateness}.",
        hint="Set a later publish_at or a larger max_lateness, and clear this task.",
    )


def publish(
    task: PublishingTask,
    context: Context,
    post_key: str,
    container_id: str,
    *,
    is_dry_run: bool,
    is_resumed: bool,
    planned_at: datetime | None = None,
    origin: str | None = None,
) -> dict[str, Any]:
    """Publish a container at its time, unless the post exists, and return the post. A task that waits is deferred.

    :param is_resumed: Whether a wait has ended.
    :param planned_at: When the post was planned for, if that is not the time of its publication.
    :param origin: Where the DAG took the post from, if its author did not write it there.
    :raises OutcomeUnknownError: If the post may be live, and no read can determine that.
    :raises InstagramError: If the post is not live. The error contains the reason.
    """
    from airflow_provider_instagram.hooks.instagram import InstagramHook
    from airflow_provider_instagram.publishing.publish import Free, Live, Publish

    what = Publish(
        InstagramHook(task.instagram_conn_id),
        Ledger.of(context, task.instagram_conn_id),
        Try.of(task, context),
        post_key,
        container_id,
        shortest_wait=shortest_deferral(),
        resumes_late_by=timeouts_checked_every(),
        origin=origin,
    )
    if (post := what.ledger.post(post_key)) is not None:
        task.check_live(context, post)
        return _reported(context, what, Live(what.checked(post), already_published=True))
    at, checked_at = None, CLOCK.now()
    is_open = not is_dry_run and what.is_open
    if not is_open:
        at = task.publication_time(context)
        if is_dry_run:
            return what.dry_run(at)
        if wait := what.wait_for_time(container_id, at, is_resumed=is_resumed):
            _defer(task, what, wait)
    with what.publisher() as publisher:
        found = publisher.settle(post_key, container_id)
        if isinstance(found, Free):
            if is_open:
                checked_at = CLOCK.now()
                at = _next_time(task, context, what, found.container_id)
            found = _sent(task, context, what, publisher, found, at, checked_at, planned_at)
    task.check_live(context, found.post)
    if found.already_published:
        what.refuse_another_post(found.post)
    return _reported(context, what, found)


def _sent(
    task: PublishingTask,
    context: Context,
    what: Publish,
    publisher: Publisher,
    free: Free,
    at: datetime | None,
    checked_at: datetime,
    planned_at: datetime | None,
) -> Live:
    """Send the request, or defer the task until the account has free quota, or the post's next time.

    :param checked_at: When ``at`` was read.
    """
    check_again = partial(_next_time, task, context, what, free.container_id)
    try:
        return publisher.send(free, at, checked_at, planned_at, check_again)
    except QuotaExhaustedError as error:
        available_at = what.quota_frees_at(error)
        task.check_quota_wait(context, available_at, error)
        _defer(task, what, what.wait_for_quota(error, available_at))


def _next_time(
    task: PublishingTask, context: Context, what: Publish, container_id: str
) -> datetime | None:
    """Return when the post is wanted now, or defer the task if that is later."""
    at = task.publication_time(context)
    if wait := what.wait_for_time(container_id, at, is_resumed=False):
        _defer(task, what, wait)
    return at


def _defer(task: PublishingTask, what: Publish, wait: WaitUntil) -> NoReturn:
    timeout = wait.timeout_at - what.ledger.clock()
    task.defer(trigger=at_moment(wait.moment), method_name="execute", timeout=timeout)


def at_moment(moment: datetime) -> BaseTrigger:
    """Return the trigger that ends a wait at a moment."""
    from airflow.providers.standard.triggers.temporal import DateTimeTrigger

    return DateTimeTrigger(moment=moment)


def _reported(context: Context, what: Publish, live: Live) -> dict[str, Any]:
    """Emit the event of a post that is live, and return its fields."""
    from airflow.sdk.observability.stats import Stats

    post = live.post
    ledger = what.ledger
    emit_post_event(context, ledger, post, what.origin)
    if not live.already_published and post.late_s is not None:
        Stats.timing(
            "instagram.published_late",
            1000 * max(0.0, post.late_s),
            tags={"conn_id": ledger.conn_id},
        )
    return what.result(live)
