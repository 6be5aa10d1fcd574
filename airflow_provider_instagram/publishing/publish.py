"""Publish a container at its time, once."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_instagram.exceptions import QuotaExhaustedError, ValidationError
from airflow_provider_instagram.graph import calls
from airflow_provider_instagram.publishing.outcome import with_permalink
from airflow_provider_instagram.publishing.publisher import Publication, Publisher
from airflow_provider_instagram.publishing.use_case import Account, Skipped, WaitUntil

if TYPE_CHECKING:
    from airflow_provider_instagram.ledger.ledger import Ledger
    from airflow_provider_instagram.ledger.records import PublishedPost, Try
    from airflow_provider_instagram.quota.reservations import Quota

log = logging.getLogger(__name__)

#: How long before ``publish_at`` the task resumes, so that its worker starts in time. It waits the last seconds there.
WAKE_UP_AHEAD = timedelta(seconds=20)
#: The same if no triggerer has resumed it.
LATEST_WAKE_UP_AHEAD = timedelta(seconds=10)
#: A task that resumes so long before it has to waits in its worker, because the triggerer's clock is ahead.
LONGEST_WAIT_HERE = timedelta(minutes=2)
#: When to check for free quota again, if the time at which the account may post again is unknown.
QUOTA_CHECKED_AGAIN_AFTER = timedelta(minutes=30)
#: The fields of a post that a task returns.
RESULT: Final = ("media_id", "permalink", "container_id", "post_key", "published_at", "planned_at", "late_s")


@dataclass(frozen=True)
class Publish:
    """Publishes a container at its time, unless the post exists.

    :param shortest_wait: The shortest wait that a task can be deferred for.
    :param resumes_late_by: How much later than at its timeout a deferred task resumes, at most.
    :param quotas: Returns the account's own limits of posts per period.
    :param report: Emits the event of a post that is live. Is also told whether this try is the first to record it.
    :param publication_time: Returns when to publish a post that does not exist, or why not to; None for at once. It is
        called at most once, before the wait for the time, when nothing is open: an open outcome is settled first.
    :param planned_at: When the post was planned for, if that is not the time of its publication.
    :param objection: Returns why a post that is live is not the caller's, so that nothing of it is told.
    :param too_late: Returns why not to wait for the moment at which the account has free quota.
    """

    account: Account
    ledger: Ledger
    attempt: Try
    post_key: str
    container_id: str
    is_dry_run: bool = False
    shortest_wait: timedelta = timedelta()
    resumes_late_by: timedelta = timedelta()
    quotas: Callable[[], tuple[Quota, ...]] = tuple
    report: Callable[[PublishedPost, bool], None] = field(default=lambda *_: None)
    publication_time: Callable[[], datetime | Skipped | None] = field(default=lambda: None)
    planned_at: datetime | None = None
    objection: Callable[[PublishedPost], Skipped | None] = field(default=lambda _: None)
    too_late: Callable[[datetime, QuotaExhaustedError], Skipped | None] = field(default=lambda *_: None)
    calendar: str | None = None

    def run(self, *, is_resumed: bool = False) -> dict[str, Any] | WaitUntil | Skipped:
        """Return the fields of the post, or those of a dry run.

        :param is_resumed: Whether a wait has ended. The time is checked again.
        :raises OutcomeUnknownError: If the post may be live, and no read can determine that.
        :raises InstagramError: If the post is not live. The error contains the reason.
        """
        if (post := self.ledger.post(self.post_key)) is not None:
            return self._existing(post)
        is_open = not self.is_dry_run and bool(self.ledger.open_intents(self.post_key, self.attempt.owner))
        if not is_open:  # an open outcome is settled first, however late it is
            if isinstance(publish_at := self.publish_at, Skipped):
                return publish_at
            if self.is_dry_run:
                return self._dry_run(publish_at)
            if wait := self._wait_for_time(self.container_id, publish_at, is_resumed=is_resumed):
                return wait
        try:
            publication = self._publish(is_open=is_open)
        except QuotaExhaustedError as error:
            return self._wait_for_quota(error)
        if not isinstance(publication, Publication):
            return publication
        post, is_new = publication.post, not publication.already_published
        if (objection := self.objection(post)) is not None:
            return objection
        if not is_new:
            self._refuse_another_post(post)
        return self._reported(post, is_new=is_new)

    @cached_property
    def publish_at(self) -> datetime | Skipped | None:
        """When to publish the post, or why not to."""
        return self.publication_time()

    def _existing(self, post: PublishedPost) -> dict[str, Any] | Skipped:
        """Return the post that the ledger has, once its event is emitted."""
        if (objection := self.objection(post)) is not None:
            return objection
        if post.deleted_at is not None:
            raise ValidationError(
                f"{post.post_key!r} was published on {post.published_at} and deleted on {post.deleted_at}.",
                hint="A key is published once. Use another post_key, or, to publish this one again, run "
                f"`{self.ledger.command('forget')} -- {shlex.quote(post.post_key)}` and clear create and publish.",
            )
        self._refuse_another_post(post)
        self._refuse_another_account(post)
        post = self._read_permalink(post)
        return self._reported(post, is_new=False)

    def _reported(self, post: PublishedPost, *, is_new: bool) -> dict[str, Any]:
        """Report a post that is live, and return its fields."""
        self.report(post, is_new)
        late_s, planned = post.late_s, ""
        if late_s is not None:
            planned = f", planned for {post.planned_at}, {abs(late_s):.1f} s {'late' if late_s >= 0 else 'early'}"
        what = "is published" if is_new else "is already published"
        where = post.permalink or post.media_id or "live"
        log.info("%s %s: %s, %s%s", self.post_key, what, where, post.origin, planned)
        return {**{name: getattr(post, name) for name in RESULT}, "already_published": not is_new}

    def _dry_run(self, publish_at: datetime | None) -> dict[str, Any]:
        """Read the container as a publication would, and send nothing."""
        with self.account.get_conn() as client:
            status = client.send(calls.container_status(self.container_id))
        if (failure := status.failure()) is not None:
            raise failure
        key, container_id, when = self.post_key, self.container_id, publish_at.isoformat() if publish_at else "now"
        log.info("Dry run: would publish %s %s; container %s: %s", key, when, container_id, status.summary())
        nothing: dict[str, Any] = dict.fromkeys(RESULT)
        return {
            **nothing,
            "container_id": container_id,
            "post_key": key,
            "planned_at": publish_at and publish_at.astimezone(timezone.utc).isoformat(),
            "already_published": False,
        }

    def _publish(self, *, is_open: bool) -> Publication | WaitUntil | Skipped:
        """Settle what is open, check the time again, and publish the post if it does not exist."""
        with self.account.get_conn() as client:
            attempt, user_id = self.attempt, self.account.ig_user_id(client)
            who = (client, self.ledger, user_id, attempt.owner, attempt.is_alive)
            quotas, is_last_try = self.quotas(), attempt.is_last
            more: dict[str, Any] = {"calendar": self.calendar, "cleared_since": attempt.cleared_since}
            publisher = Publisher(*who, quotas=quotas, is_last_try=is_last_try, **more)
            reconciled = publisher.reconcile(self.post_key, self.container_id)
            if isinstance(reconciled, Publication):
                return reconciled
            if isinstance(at := self.publish_at, Skipped):
                return at
            wait = self._wait_for_time(reconciled.container_id, at, is_resumed=not is_open)
            return wait or publisher.publish_new(reconciled, at, self.planned_at)

    def _refuse_another_post(self, post: PublishedPost) -> None:
        """Raise an error if the post is not the one that the container was created for."""
        container_id, record = self.container_id, self.ledger.container(self.container_id)
        if post.container_id != container_id and record is not None and record.post_key != post.post_key:
            raise ValidationError(
                f"The post with the post_key {post.post_key!r} was published from container {post.container_id}, but "
                f"container {container_id} was created for {record.post_key!r}.",
                hint="Use one post_key in the create and publish tasks of a post, and a different one for each post.",
            )

    def _refuse_another_account(self, post: PublishedPost) -> None:
        """Raise an error if the post was published on another account, such as a sandbox, of the same connection."""
        if (user_id := self.account.another_user_id(post.ig_user_id)) is not None:
            raise ValidationError(
                f"{post.post_key!r} was published on account {post.ig_user_id}, but connection "
                f"{self.ledger.conn_id!r} now belongs to account {user_id}.",
                hint="Use a separate connection for each account, because posts are recorded by connection id. To "
                f"publish the post on this account as well, run `{self.ledger.command('forget')} -- "
                f"{shlex.quote(post.post_key)}`, then clear create and the tasks downstream of it.",
            )

    def _read_permalink(self, post: PublishedPost) -> PublishedPost:
        """Read the permalink of a post that was recorded without one. A failure to read it changes nothing."""
        if not post.lacks_permalink:
            return post
        try:
            with self.account.get_conn() as client:
                return with_permalink(client, post)
        except Exception as error:  # noqa: BLE001 -- the post is live, even if its connection cannot be read
            log.warning("Could not read the permalink of %s: %s", post.media_id, error)
            return post

    def _wait_for_time(self, container_id: str, publish_at: datetime | None, *, is_resumed: bool) -> WaitUntil | None:
        """Return the wait until shortly before the time. The worker waits the last seconds, with everything prepared.

        The wait ends whether or not a triggerer runs or has capacity left: its timeout needs none.

        :raises ValidationError: If the container expires before.
        """
        if publish_at is None:
            return None
        record = self.ledger.container(container_id)
        if record is not None and not record.lives_until(publish_at):
            raise ValidationError(
                f"Container {record.container_id} expires at {record.expires.isoformat()}, which is before or too "
                f"close to publish_at, {publish_at.isoformat()}.",
                hint="Create it at most 23.5 hours ahead: clear create and the tasks downstream of it later.",
            )
        now = self.ledger.clock()
        wait = WaitUntil(publish_at - WAKE_UP_AHEAD, publish_at - LATEST_WAKE_UP_AHEAD - self.resumes_late_by)
        if min(wait.moment, wait.timeout_at) - now > (LONGEST_WAIT_HERE if is_resumed else self.shortest_wait):
            log.info("Publishing at %s", publish_at.isoformat())
            return wait
        return None

    def _wait_for_quota(self, error: QuotaExhaustedError) -> WaitUntil | Skipped:
        """Return the wait until the account has free quota, unless the container expires before."""
        available_at = self.ledger.clock() + (error.retry_after or QUOTA_CHECKED_AGAIN_AFTER)
        if (reason := self.too_late(available_at, error)) is not None:
            return reason
        record = self.ledger.container(self.container_id)
        if record is not None and not record.lives_until(available_at):
            raise ValidationError(
                f"{error.message} Container {record.container_id} expires at {record.expires.isoformat()}, before "
                "that.",
                hint=f"After {available_at.isoformat()}, "
                f"clear create and the tasks downstream of it. {error.hint or ''}",
            ) from error
        moment = max(available_at, self.ledger.clock() + self.shortest_wait)
        log.warning("%s Publishing again at %s", error, moment.isoformat(timespec="seconds"))
        return WaitUntil(moment, moment)
