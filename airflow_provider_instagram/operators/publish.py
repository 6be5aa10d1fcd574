"""The operator that publishes a container, exactly once."""

from __future__ import annotations

import shlex
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow_provider_instagram.exceptions import QuotaExhaustedError, ValidationError
from airflow_provider_instagram.ledger.assets import ledger_alias, posts_alias
from airflow_provider_instagram.ledger.events import emit_post_event
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.ledger.owners import is_at_work
from airflow_provider_instagram.ledger.records import Owner
from airflow_provider_instagram.operators.base import InstagramBaseOperator
from airflow_provider_instagram.operators.link import InstagramPostLink
from airflow_provider_instagram.operators.priority import PUBLISH
from airflow_provider_instagram.utils import arguments
from airflow_provider_instagram.utils.deferral import shortest_deferral, timeouts_checked_every
from airflow_provider_instagram.utils.server_clock import CLOCK

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow.sdk import Context, XComArg
    from airflow.triggers.base import BaseTrigger

    from airflow_provider_instagram.ledger.records import ContainerRecord, PublishedPost
    from airflow_provider_instagram.publishing.publisher import Publication

#: How long before ``publish_at`` the task resumes, so that its worker starts in time. It waits the last seconds there.
WAKE_UP_AHEAD = timedelta(seconds=20)
#: The same if no triggerer has resumed it.
LATEST_WAKE_UP_AHEAD = timedelta(seconds=10)

#: A task that resumes so long before it has to waits in its worker, because the triggerer's clock is ahead.
LONGEST_WAIT_HERE = timedelta(minutes=2)

#: The fields of a post that the task returns.
RESULT = ("media_id", "permalink", "container_id", "post_key", "published_at")
#: When to check for free quota again, if the time at which the account may post again is unknown.
QUOTA_CHECKED_AGAIN_AFTER = timedelta(minutes=30)


class PublishOperator(InstagramBaseOperator):
    """Publish a container: one ``post_key``, one post.

    * If the account has no free quota, the task is deferred until it has, unless the container expires before.
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
    :param multiple_outputs: Whether each part of the result is an XCom too, as in ``publish.output["media_id"]``.
    :param instagram_conn_id: The Airflow connection of the account, as plain text.
    """

    template_fields: Sequence[str] = ("container_id", "post_key", "publish_at", "max_lateness", "is_dry_run")
    template_field_aliases: ClassVar[dict[str, str]] = {"dry_run": "is_dry_run"}
    argument_readers: ClassVar[dict[str, Callable[[str, Any], Any]]] = {
        "container_id": arguments.required_text,
        "post_key": arguments.text,
        "publish_at": arguments.moment,
        "max_lateness": arguments.duration,
        "dry_run": arguments.boolean,
    }
    operator_extra_links = (InstagramPostLink(),)
    ui_color = "#fbdce9"
    #: The calendar that the post is from, for its event. A subclass sets it.
    calendar: str | None = None
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
        """Publish at the given time, unless the post exists.

        :param context: The task's context.
        :param event: The event that ended the wait for ``publish_at``. The time is checked again.
        """
        container_id = arguments.required_text("container_id", self.container_id)
        ledger = Ledger.of(context, self.instagram_conn_id)
        post_key = self._post_key(context, ledger, container_id)
        if (post := ledger.post(post_key)) is not None:
            return self._existing(context, ledger, post, container_id)
        publish_at = arguments.moment("publish_at", self.publish_at)
        if publish_at is not None:
            self.compare_clock()
        is_open = bool(ledger.open_intents(post_key, Owner.of(context)))
        if not is_open:  # an open outcome is settled first, however late it is
            publish_at = self.publication_time(context)
        if arguments.boolean("dry_run", self.is_dry_run):
            return self._dry_run(post_key, container_id, publish_at)
        if not is_open:
            self._wait_for_time(ledger.container(container_id), publish_at, is_resumed=event is not None)
        try:
            publication = self._publish(context, ledger, post_key, container_id, publish_at, is_open=is_open)
        except QuotaExhaustedError as error:
            available_at = ledger.clock() + (error.retry_after or QUOTA_CHECKED_AGAIN_AFTER)
            self.before_quota_wait(context, available_at, error)
            self._wait_for_quota(available_at, error, ledger.container(container_id))
            raise
        post = publication.post
        self.check_publisher(context, post)
        if publication.already_published:
            self._refuse_another_post(ledger, post, container_id)
        emit_post_event(context, ledger, post, self.calendar)
        if not publication.already_published and publish_at is not None:
            self._measure_lateness(post, publish_at)
        self.log.info("Published %s: %s", post_key, post.permalink or post.media_id or "live")
        return self._result(post, already_published=publication.already_published)

    def publication_time(self, context: Context) -> datetime | None:
        """Return when to publish a post that does not exist, or None to publish it now. By default, ``publish_at``.

        A subclass may override this method. It is called at most once in an execution, before the task waits for the
        time. If an earlier try left its outcome open, it is called once the outcome is settled and there is no post.
        It may raise: no request was sent for the post, and nothing is open.

        :param context: The task's context.
        """
        return arguments.moment("publish_at", self.publish_at)

    def before_quota_wait(self, context: Context, available_at: datetime, error: QuotaExhaustedError) -> None:
        """Do nothing. Called before the task is deferred until the account has free quota.

        A subclass may override this method, and raise to end the task instead. Nothing was sent for the post.

        :param context: The task's context.
        :param available_at: When the account has free quota.
        :param error: The reason for the wait.
        """

    def check_publisher(self, context: Context, post: PublishedPost) -> None:
        """Do nothing. Called before anything is logged, emitted or returned of a post that is live.

        A subclass may override this method, and raise if the post is not its own.

        :param context: The task's context.
        :param post: The post.
        """

    def _existing(self, context: Context, ledger: Ledger, post: PublishedPost, container_id: str) -> dict[str, Any]:
        """Return the post that the ledger has, once its event is emitted."""
        self.check_publisher(context, post)
        self._refuse_another_post(ledger, post, container_id)
        self._refuse_another_account(ledger, post)
        post = self._read_permalink(post)
        emit_post_event(context, ledger, post, self.calendar)
        self.log.info("%s is already published: %s", post.post_key, post.permalink or post.media_id or "live")
        return self._result(post, already_published=True)

    def _dry_run(self, post_key: str, container_id: str, publish_at: datetime | None) -> dict[str, Any]:
        """Read the container as a publication would, and send nothing."""
        from airflow_provider_instagram.graph import calls
        from airflow_provider_instagram.hooks.instagram import InstagramHook

        with InstagramHook(self.instagram_conn_id).get_conn() as client:
            status = client.send(calls.container_status(container_id))
        if (failure := status.failure()) is not None:
            raise failure
        when = publish_at.isoformat() if publish_at else "now"
        self.log.info("Dry run: would publish %s %s; container %s: %s", post_key, when, container_id, status.summary())
        nothing: dict[str, Any] = dict.fromkeys(RESULT)
        return {**nothing, "container_id": container_id, "post_key": post_key, "already_published": False}

    def _publish(
        self,
        context: Context,
        ledger: Ledger,
        post_key: str,
        container_id: str,
        publish_at: datetime | None,
        *,
        is_open: bool,
    ) -> Publication:
        """Settle what is open, check the time again, and publish the post if it does not exist."""
        from airflow_provider_instagram.hooks.instagram import InstagramHook
        from airflow_provider_instagram.publishing.publisher import Publication, Publisher

        hook, ti, owner = InstagramHook(self.instagram_conn_id), context["ti"], Owner.of(context)
        is_alive, is_last_try = partial(is_at_work, ti), ti.try_number > ti.max_tries
        with hook.get_conn() as client:
            user_id, quotas = hook.ig_user_id(client), hook.settings.limits.quotas
            publisher = Publisher(
                client, ledger, user_id, owner, is_alive, quotas=quotas, is_last_try=is_last_try, calendar=self.calendar
            )
            reconciled = publisher.reconcile(post_key, container_id)
            if isinstance(reconciled, Publication):
                return reconciled
            if is_open:
                publish_at = self.publication_time(context)
            self._wait_for_time(ledger.container(reconciled.container_id), publish_at, is_resumed=not is_open)
            return publisher.publish_new(reconciled, publish_at)

    def _post_key(self, context: Context, ledger: Ledger, container_id: str) -> str:
        if (given := arguments.text("post_key", self.post_key)) is not None:
            return given
        record = ledger.container(container_id)
        return record.post_key if record else str(Owner.of(context))

    def _refuse_another_post(self, ledger: Ledger, post: PublishedPost, container_id: str) -> None:
        """Raise an error if the post is not the one that the container was created for."""
        record = ledger.container(container_id)
        if post.container_id != container_id and record is not None and record.post_key != post.post_key:
            raise ValidationError(
                f"The post with the post_key {post.post_key!r} was published from container {post.container_id}, but "
                f"container {container_id} was created for {record.post_key!r}.",
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

    def _read_permalink(self, post: PublishedPost) -> PublishedPost:
        """Read the permalink of a post that was recorded without one. A failure to read it changes nothing."""
        if not post.lacks_permalink:
            return post
        from airflow_provider_instagram.hooks.instagram import InstagramHook
        from airflow_provider_instagram.publishing.outcome import with_permalink

        try:
            with InstagramHook(self.instagram_conn_id).get_conn() as client:
                return with_permalink(client, post)
        except Exception as error:  # noqa: BLE001 -- the post is live, even if its connection cannot be read
            self.log.warning("Could not read the permalink of %s: %s", post.media_id, error)
            return post

    def _wait_for_time(self, record: ContainerRecord | None, publish_at: datetime | None, *, is_resumed: bool) -> None:
        """Defer until shortly before the time. The worker waits the last seconds, with everything prepared.

        :raises ValidationError: If the container expires before, or the post has become too late.
        """
        if publish_at is None:
            return
        if record is not None and not record.lives_until(publish_at):
            raise ValidationError(
                f"Container {record.container_id} expires at {record.expires.isoformat()}, which is before or too "
                f"close to publish_at, {publish_at.isoformat()}.",
                hint="Create it at most 23.5 hours ahead: clear create and the tasks downstream of it later.",
            )
        now = CLOCK.now()
        timeout_at = publish_at - LATEST_WAKE_UP_AHEAD - timeouts_checked_every()
        longest = LONGEST_WAIT_HERE if is_resumed else shortest_deferral()
        if min(timeout_at, publish_at - WAKE_UP_AHEAD) - now > longest:
            self.log.info("Publishing at %s", publish_at.isoformat())
            self._defer(publish_at - WAKE_UP_AHEAD, timeout_at)
        lateness = arguments.duration("max_lateness", self.max_lateness)
        if lateness is not None and now - publish_at > lateness:
            raise ValidationError(
                f"publish_at, {publish_at.isoformat()}, was {now - publish_at} ago; max_lateness is {lateness}.",
                hint="Set a later publish_at or a larger max_lateness, and clear this task.",
            )

    def _wait_for_quota(
        self, available_at: datetime, error: QuotaExhaustedError, record: ContainerRecord | None
    ) -> None:
        """Defer until the account has free quota, unless the container expires before."""
        if record is not None and not record.lives_until(available_at):
            raise ValidationError(
                f"{error.message} Container {record.container_id} expires at {record.expires.isoformat()}, before "
                "that.",
                hint=f"After {available_at.isoformat()}, "
                f"clear create and the tasks downstream of it. {error.hint or ''}",
            ) from error
        moment = max(available_at, CLOCK.now() + shortest_deferral())
        self.log.warning("%s Publishing again at %s", error, moment.isoformat(timespec="seconds"))
        self._defer(moment, moment)

    def _defer(self, moment: datetime, timeout_at: datetime) -> NoReturn:
        """Defer until a moment, whether or not a triggerer runs or has capacity left.

        The triggerer resumes the task at the moment. The timeout needs no triggerer: the scheduler resumes the task
        when it next looks for waits that have timed out.
        """
        timeout = timeout_at - CLOCK.now()
        self.defer(trigger=self.wait_trigger(moment), method_name="execute", timeout=timeout)

    def wait_trigger(self, moment: datetime) -> BaseTrigger:
        """Return the trigger that ends a wait. A subclass may override this method.

        :param moment: When the wait ends at the latest.
        """
        from airflow.providers.standard.triggers.temporal import DateTimeTrigger

        return DateTimeTrigger(moment=moment)

    def _measure_lateness(self, post: PublishedPost, publish_at: datetime) -> None:
        from airflow.sdk.observability.stats import Stats

        late = datetime.fromisoformat(post.published_at) - publish_at
        tags = {"conn_id": self.instagram_conn_id}
        Stats.timing("instagram.published_late", 1000 * late.total_seconds(), tags=tags)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Return the lineage of the task, for OpenLineage: the container in, the post out."""
        from airflow_provider_instagram.operators.lineage import operator_lineage

        account = f"instagram://{self.instagram_conn_id}"
        outputs = [(account, f"posts/{self.media_id}")] if self.media_id else []
        return operator_lineage([(account, f"containers/{self.container_id}")], outputs)

    def _result(self, post: PublishedPost, *, already_published: bool) -> dict[str, Any]:
        self.permalink, self.media_id = post.permalink, post.media_id
        return {**{name: getattr(post, name) for name in RESULT}, "already_published": already_published}
