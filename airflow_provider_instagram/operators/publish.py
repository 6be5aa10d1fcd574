"""The operator that publishes a container, exactly once."""

from __future__ import annotations

import shlex
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, cast

from airflow_provider_instagram.exceptions import QuotaExhaustedError, ValidationError
from airflow_provider_instagram.ledger.assets import ledger_alias, posts_alias, posts_asset
from airflow_provider_instagram.ledger.events import become_first_emitter, pin_ledger_asset
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.ledger.records import Owner
from airflow_provider_instagram.links.instagram import InstagramPostLink
from airflow_provider_instagram.operators.base import InstagramBaseOperator
from airflow_provider_instagram.retry_policy import InstagramRetryPolicy
from airflow_provider_instagram.utils import arguments
from airflow_provider_instagram.utils.deferral import shortest_deferral

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context, RetryPolicy, XComArg
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
    from airflow.sdk.types import RuntimeTaskInstanceProtocol
    from pydantic import JsonValue

    from airflow_provider_instagram.ledger.records import ContainerRecord, PublishedPost

#: How long before ``publish_at`` the task resumes, so that its worker starts in time. It waits the last seconds there.
WAKE_UP_AHEAD = timedelta(seconds=20)

#: When to check for room again, if the time at which the account may post again is unknown.
ROOM_LOOKED_FOR_AGAIN_AFTER = timedelta(minutes=30)

#: States of a task instance that may still send a request, now or in a later try.
AT_WORK = frozenset(
    {"scheduled", "queued", "running", "restarting", "deferred", "up_for_retry", "up_for_reschedule", "awaiting_input"}
)


class PublishOperator(InstagramBaseOperator):
    """Publish a container: one ``post_key``, one post.

    * If the account has no room for a post, the task is deferred until it has, unless the container expires before.
    * If the post already exists, the task returns it and publishes nothing.
    * If the answer to a request was lost, the task reads the account to find out what happened. It never sends the
      request again without knowing. If the outcome cannot be determined, it fails with ``OutcomeUnknownError``.

    Returns ``media_id``, ``permalink``, ``container_id``, ``post_key``, ``published_at`` and ``already_published``.
    ``media_id`` and ``permalink`` are null if the post is certainly live, but cannot be told apart from other posts, or
    if the account's media cannot be listed in the last try. A publication emits an event of the asset
    ``instagram://<conn_id>/posts``.

    :param container_id: The container's id, as returned by CreateContainerOperator.
    :param post_key: The key under which the post is published exactly once. Default: the key that create recorded for
        the container, or else ``dag_id/run_id/task_id/map_index``, followed by the pass in a loop.
    :param publish_at: When to publish: a datetime or ISO 8601 text, with a time zone. The task is deferred until half
        a minute before.
    :param max_lateness: How late the post may be published, in seconds or as a timedelta. After that, the task fails.
    :param dry_run: Read the container, log what would be published, and stop without waiting.
    :param instagram_conn_id: The Airflow connection of the account, as plain text.
    :param retries: The number of retries.
    :param retry_policy: Decides which failures are retried, and when.
    """

    template_fields: Sequence[str] = ("container_id", "post_key", "publish_at", "max_lateness", "is_dry_run")
    template_field_aliases: ClassVar[dict[str, str]] = {"dry_run": "is_dry_run"}
    operator_extra_links = (InstagramPostLink(),)
    ui_color = "#fbdce9"

    def __init__(
        self,
        *,
        container_id: str | XComArg,
        post_key: str | XComArg | None = None,
        publish_at: datetime | str | XComArg | None = None,
        max_lateness: timedelta | float | str | XComArg | None = None,
        dry_run: bool | str | XComArg = False,
        retries: int = 3,
        retry_policy: RetryPolicy | None = InstagramRetryPolicy(),  # noqa: B008
        **kwargs: Any,
    ) -> None:
        super().__init__(retries=retries, retry_policy=retry_policy, **kwargs)
        self.container_id = container_id
        self.post_key = post_key
        self.publish_at = publish_at
        self.max_lateness = max_lateness
        self.is_dry_run = dry_run
        self.permalink: str | None = None

    @classmethod
    def account_outlets(cls, conn_id: str) -> list[Any]:
        """Return the aliases that emit the event of a publication and keep the ledger after the DAG is deleted."""
        return [posts_alias(conn_id), ledger_alias(conn_id)]

    def execute(self, context: Context, event: Any = None) -> dict[str, Any]:
        """Publish at the given time, unless the post exists.

        :param context: The task's context.
        :param event: The event that ended the wait for ``publish_at``. The time is checked again.
        """
        container_id = arguments.required_text("container_id", self.container_id)
        ledger = Ledger.of(context, self.instagram_conn_id)
        post_key = self._post_key(context, ledger, container_id)
        if (post := ledger.post(post_key)) is not None:
            self._refuse_another_post(ledger, post, container_id)
            self._refuse_another_account(ledger, post)
            post = self._with_permalink(post)
            self._emit_event(context, ledger, post)
            self.log.info("%s is already published: %s", post_key, post.permalink or post.media_id or "live")
            return self._result(post, already_published=True)
        publish_at = arguments.moment("publish_at", self.publish_at)
        if arguments.boolean("dry_run", self.is_dry_run):
            return self._rehearsed(post_key, container_id, publish_at)
        if not ledger.open_intents(post_key, Owner.of(context)):  # an open one is settled first, however late
            self._see_whether_it_is_time(ledger, container_id, publish_at)
        try:
            post, made = self._published(context, ledger, post_key, container_id, publish_at)
        except QuotaExhaustedError as error:
            available_at = ledger.clock() + (error.retry_after or ROOM_LOOKED_FOR_AGAIN_AFTER)
            self._wait_for_room(available_at, error, ledger.container(container_id))
            raise
        if not made:
            self._refuse_another_post(ledger, post, container_id)
        self._emit_event(context, ledger, post)
        if made and publish_at is not None:
            self._measure_lateness(post, publish_at)
        self.log.info("Published %s: %s", post_key, post.permalink or post.media_id or "live")
        return self._result(post, already_published=not made)

    def _rehearsed(self, post_key: str, container_id: str, publish_at: datetime | None) -> dict[str, Any]:
        """Read the container as a publication would, and stop there."""
        from airflow_provider_instagram.graph import calls
        from airflow_provider_instagram.hooks.instagram import InstagramHook

        with InstagramHook(self.instagram_conn_id).get_conn() as client:
            status = client.send(calls.container_status(container_id))
        if (failure := status.failure()) is not None:
            raise failure
        when = publish_at.isoformat() if publish_at else "now"
        self.log.info("Dry run: would publish %s %s; container %s: %s", post_key, when, container_id, status.summary())
        return _nothing_published(post_key, container_id)

    def _published(
        self, context: Context, ledger: Ledger, post_key: str, container_id: str, publish_at: datetime | None
    ) -> tuple[PublishedPost, bool]:
        from airflow_provider_instagram.hooks.instagram import InstagramHook
        from airflow_provider_instagram.publishing.publisher import Publisher

        hook = InstagramHook(self.instagram_conn_id)
        with hook.get_conn() as client:
            publisher = Publisher(
                client, ledger, hook.ig_user_id(client), Owner.of(context), partial(_is_at_work, context["ti"])
            )
            publisher.quotas = hook.settings.limits.quotas
            publisher.is_last_try = context["ti"].try_number > context["ti"].max_tries
            publisher.see_whether_it_is_time = partial(self._see_whether_it_is_time, ledger, container_id, publish_at)
            return publisher.publish(post_key, container_id, publish_at)

    def _post_key(self, context: Context, ledger: Ledger, container_id: str) -> str:
        if (given := arguments.text("post_key", self.post_key)) is not None:
            return given
        made = ledger.container(container_id)
        return made.post_key if made else str(Owner.of(context))

    def _refuse_another_post(self, ledger: Ledger, post: PublishedPost, container_id: str) -> None:
        made = ledger.container(container_id)
        if post.container_id != container_id and made is not None and made.post_key != post.post_key:
            raise ValidationError(
                f"The post with the post_key {post.post_key!r} was published from container {post.container_id}, but "
                f"container {container_id} was created for {made.post_key!r}.",
                hint="Use one post_key in the create and publish tasks of a post, and a different one for each post.",
            )

    def _refuse_another_account(self, ledger: Ledger, post: PublishedPost) -> None:
        """Raise an error if the post was published on another account, such as a sandbox, of the same connection."""
        if (user_id := self.another_account(post)) is not None:
            raise ValidationError(
                f"{post.post_key!r} was published on account {post.ig_user_id}, but connection "
                f"{self.instagram_conn_id!r} now belongs to account {user_id}.",
                hint="Use a separate connection for each account, because posts are recorded by connection id. To "
                f"publish the post on this account as well, run `{ledger.command('forget')} -- "
                f"{shlex.quote(post.post_key)}`, then clear create and the tasks downstream of it.",
            )

    def _with_permalink(self, post: PublishedPost) -> PublishedPost:
        """Read the permalink of a post that was recorded without one. A failure to read it changes nothing."""
        if post.media_id is None or post.permalink is not None:
            return post
        from airflow_provider_instagram.hooks.instagram import InstagramHook
        from airflow_provider_instagram.publishing.publisher import with_permalink

        try:
            with InstagramHook(self.instagram_conn_id).get_conn() as client:
                return with_permalink(client, post)
        except Exception as error:  # noqa: BLE001 -- the post is live, even if its permalink cannot be read
            self.log.warning("Could not read the permalink of %s: %s", post.media_id, error)
            return post

    def _see_whether_it_is_time(self, ledger: Ledger, container_id: str, publish_at: datetime | None) -> None:
        self._refuse_to_outlive(ledger.container(container_id), publish_at)
        self._wait_for(publish_at)

    def _refuse_to_outlive(self, made: ContainerRecord | None, publish_at: datetime | None) -> None:
        if made is None or publish_at is None:
            return
        if not made.lives_until(publish_at):
            raise ValidationError(
                f"Container {made.container_id} expires at {made.expires.isoformat()}, which is before or too close to "
                f"publish_at, {publish_at.isoformat()}.",
                hint="Create it at most 23.5 hours ahead: clear create and the tasks downstream of it later.",
            )

    def _wait_for(self, publish_at: datetime | None) -> None:
        """Defer until shortly before the time. The worker waits the last seconds, with everything prepared."""
        if publish_at is None:
            return
        now = datetime.now(timezone.utc)
        if publish_at - now > WAKE_UP_AHEAD + shortest_deferral():
            from airflow.providers.standard.triggers.temporal import DateTimeTrigger

            self.log.info("Publishing at %s", publish_at.isoformat())
            self.defer(trigger=DateTimeTrigger(moment=publish_at - WAKE_UP_AHEAD), method_name="execute")
        lateness = arguments.duration("max_lateness", self.max_lateness)
        if lateness is not None and now - publish_at > lateness:
            raise ValidationError(
                f"publish_at, {publish_at.isoformat()}, was {now - publish_at} ago; max_lateness is {lateness}.",
                hint="Set a later publish_at or a larger max_lateness, and clear this task.",
            )

    def _wait_for_room(self, available_at: datetime, error: QuotaExhaustedError, made: ContainerRecord | None) -> None:
        """Defer until the account has room for a post, unless the container expires before."""
        from airflow.providers.standard.triggers.temporal import DateTimeTrigger

        if made is not None and not made.lives_until(available_at):
            raise ValidationError(
                f"{error.message} Container {made.container_id} expires at {made.expires.isoformat()}, before that.",
                hint=f"After {available_at.isoformat()}, "
                f"clear create and the tasks downstream of it. {error.hint or ''}",
            ) from error
        moment = max(available_at, datetime.now(timezone.utc) + shortest_deferral())
        self.log.warning("%s Publishing again at %s", error, moment.isoformat(timespec="seconds"))
        self.defer(trigger=DateTimeTrigger(moment=moment), method_name="execute")

    def _measure_lateness(self, post: PublishedPost, publish_at: datetime) -> None:
        from airflow.sdk.observability.stats import Stats

        late = datetime.fromisoformat(post.published_at) - publish_at
        tags = {"conn_id": self.instagram_conn_id}
        Stats.timing("instagram.published_late", 1000 * late.total_seconds(), tags=tags)

    def _emit_event(self, context: Context, ledger: Ledger, post: PublishedPost) -> None:
        """Emit the event of a post, also of one that an earlier try published before it died.

        The task that published the post emits its event. If that task is no longer at work, the claim's owner does. If
        that one is not either, any task with this key does.
        """
        if not post.event_pending:
            return
        me, intent, claim = Owner.of(context), ledger.intent(post.post_key), ledger.claim(post.post_key)
        if intent is None or intent.claim.owner != me:
            others = {one.owner for one in (claim, intent and intent.claim) if one} - {me}
            if any(_is_at_work(context["ti"], other) for other in others):
                return
            if (now := ledger.post(post.post_key)) is not None and not now.event_pending:
                return  # another task has emitted the event in the meantime, and ended
        pin_ledger_asset(context, ledger)
        alias = posts_alias(self.instagram_conn_id)
        become_first_emitter(context, ledger, alias)
        ledger.record_post(replace(post, event_pending=False))
        told: dict[str, JsonValue] = {"media_id": post.media_id, "permalink": post.permalink, "post_key": post.post_key}
        context["outlet_events"][alias].add(posts_asset(self.instagram_conn_id), extra=told)

    def _result(self, post: PublishedPost, *, already_published: bool) -> dict[str, Any]:
        self.permalink = post.permalink
        return {
            "media_id": post.media_id,
            "permalink": post.permalink,
            "container_id": post.container_id,
            "post_key": post.post_key,
            "published_at": post.published_at,
            "already_published": already_published,
        }


def _is_at_work(ti: RuntimeTaskInstanceProtocol, owner: Owner) -> bool:
    """Ask Airflow whether another task instance may still publish."""
    if owner.loop_index is not None:
        return _is_pass_at_work(ti, owner)
    mapped = owner.map_index >= 0
    states = ti.get_task_states(
        owner.dag_id,
        map_index=owner.map_index if mapped else None,
        task_ids=[owner.task_id],
        run_ids=[owner.run_id],
    )
    name = f"{owner.task_id}_{owner.map_index}" if mapped else owner.task_id
    return any(tasks.get(name) in AT_WORK for tasks in states.values())


def _is_pass_at_work(ti: RuntimeTaskInstanceProtocol, owner: Owner) -> bool:
    """Ask Airflow whether a pass of a loop may still publish.

    Of a task in a loop, ``get_task_states`` tells the latest pass only, and an earlier one may have been cleared since.
    So a pass counts as at work until Airflow says that it has ended, or its whole run has.
    """
    if not ti.get_dr_count(owner.dag_id, run_ids=[owner.run_id], states=["queued", "running"]):
        return False  # also when the run is deleted
    if owner.map_index >= 0:
        return True  # the ended instances of a mapped task do not say in which pass they were
    ended = cast("RuntimeTaskInstance", ti).get_task_breadcrumbs(owner.dag_id, owner.run_id)
    places = ((one["task_id"], one["map_index"], one.get("region_index")) for one in ended)
    return (owner.task_id, -1, owner.loop_index) not in places


def _nothing_published(post_key: str, container_id: str) -> dict[str, Any]:
    return {
        "media_id": None,
        "permalink": None,
        "container_id": container_id,
        "post_key": post_key,
        "published_at": None,
        "already_published": False,
    }
