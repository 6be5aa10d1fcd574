"""What a publication needs around :class:`~airflow_provider_instagram.publishing.publisher.Publisher`.

How long to wait for its time or for quota, whether a post that is live may be returned, and what a
task returns.
"""

from __future__ import annotations

import logging
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_instagram.exceptions import QuotaExhaustedError, ValidationError
from airflow_provider_instagram.graph import calls
from airflow_provider_instagram.publishing.outcome import key_of_another, with_permalink
from airflow_provider_instagram.publishing.publisher import Live, Publisher
from airflow_provider_instagram.publishing.use_case import Account, WaitUntil
from airflow_provider_instagram.quota.reservations import post_quotas

if TYPE_CHECKING:
    from airflow_provider_instagram.ledger.ledger import Ledger
    from airflow_provider_instagram.ledger.records import PublishedPost, Try

log = logging.getLogger(__name__)

#: How long before ``publish_at`` the task resumes, so that its worker starts in time. It waits the
#: last seconds there.
WAKE_UP_AHEAD = timedelta(seconds=20)
#: The same if no triggerer has resumed it.
LATEST_WAKE_UP_AHEAD = timedelta(seconds=10)
#: A task that resumes so long before it has to waits in its worker, because the triggerer's clock
#: is ahead.
LONGEST_WAIT_HERE = timedelta(minutes=2)
#: When to check for free quota again, if the time at which the account may post again is unknown.
QUOTA_CHECKED_AGAIN_AFTER = timedelta(minutes=30)
#: The fields of a post that a task returns.
RESULT: Final = (
    "media_id",
    "permalink",
    "container_id",
    "post_key",
    "published_at",
    "planned_at",
    "late_s",
)


@dataclass(frozen=True)
class Publish:
    """The publication of a container by a task. The task decides when, and whether at all.

    1. If the ledger has the post, :meth:`checked` returns it.
    2. If nothing is open, the task waits as :meth:`wait_for_time` says. An open outcome is settled
       first, however late.
    3. The two halves of :meth:`publisher` settle what is open, and send the request.

    :param shortest_wait: The shortest wait that a task can be deferred for.
    :param resumes_late_by: How much later than at its timeout a deferred task resumes, at most.
    :param origin: Where the DAG took the post from, if its author did not write it there.
    """

    account: Account
    ledger: Ledger
    attempt: Try
    post_key: str
    container_id: str
    shortest_wait: timedelta = timedelta()
    resumes_late_by: timedelta = timedelta()
    origin: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether an earlier request may have made the post."""
        return bool(self.ledger.open_intents(self.post_key, self.attempt.owner))

    @contextmanager
    def publisher(self) -> Iterator[Publisher]:
        """Open the connection, and yield what settles and sends."""
        attempt = self.attempt
        with self.account.get_conn() as client:
            yield Publisher(
                client,
                self.ledger,
                self.account.ig_user_id(client),
                attempt.owner,
                attempt.is_alive,
                quotas=post_quotas(*self.account.most_posts),
                is_last_try=attempt.is_last,
                origin=self.origin,
                cleared_since=attempt.cleared_since,
            )

    def checked(self, post: PublishedPost) -> PublishedPost:
        """Return a post that the ledger has, with its permalink.

        :raises ValidationError: If it was deleted, or is another post or another account's.
        """
        if post.deleted_at is not None:
            raise ValidationError(
                f"{post.post_key!r} was published on {post.published_at} and deleted on {post.deleted_at}.",
                hint="A key is published once. Use another post_key, or, to publish this one again, run "
                f"`{self.ledger.command('forget')} -- {shlex.quote(post.post_key)}` and clear create and publish.",
            )
        self.refuse_another_post(post)
        self._refuse_another_account(post)
        return self._read_permalink(post)

    def result(self, live: Live) -> dict[str, Any]:
        """Return the fields of a post that is live."""
        post, planned = live.post, ""
        if post.late_s is not None:
            word = "late" if post.late_s >= 0 else "early"
            planned = f", planned for {post.planned_at}, {abs(post.late_s):.1f} s {word}"
        what = "is already published" if live.already_published else "is published"
        where = post.permalink or post.media_id or "live"
        log.info("%s %s: %s, %s%s", self.post_key, what, where, post.in_words, planned)
        result = {name: getattr(post, name) for name in RESULT}
        return {**result, "already_published": live.already_published}

    def dry_run(self, publish_at: datetime | None) -> dict[str, Any]:
        """Read the container as a publication would, and send nothing."""
        with self.account.get_conn() as client:
            status = client.send(calls.container_status(self.container_id))
        if (failure := status.failure()) is not None:
            raise failure
        log.info(
            "Dry run: would publish %s %s; container %s: %s",
            self.post_key,
            publish_at.isoformat() if publish_at else "now",
            self.container_id,
            status.summary(),
        )
        nothing: dict[str, Any] = dict.fromkeys(RESULT)
        return {
            **nothing,
            "container_id": self.container_id,
            "post_key": self.post_key,
            "planned_at": publish_at and publish_at.astimezone(timezone.utc).isoformat(),
            "already_published": False,
        }

    def refuse_another_post(self, post: PublishedPost) -> None:
        """Raise an error if the post is not the one that the container was created for."""
        record = self.ledger.container(self.container_id)
        if record is None:
            return
        published = self.ledger.container(post.container_id)
        own = self.attempt.owner.dag_id
        is_of_another_dag = self.origin is None and post.dag_id not in (None, own)
        has_other_content = published is not None and record.content != published.content
        if is_of_another_dag and has_other_content:
            raise key_of_another(post, own)
        if post.container_id != self.container_id and record.post_key != post.post_key:
            raise ValidationError(
                f"The post with the post_key {post.post_key!r} was published from container {post.container_id}, but "
                f"container {self.container_id} was created for {record.post_key!r}.",
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

    def wait_for_time(
        self, container_id: str, publish_at: datetime | None, *, is_resumed: bool
    ) -> WaitUntil | None:
        """Return the wait until shortly before the time. The worker waits the last seconds, with everything prepared.

        The wait ends whether or not a triggerer runs or has capacity left: its timeout needs none.

        :param is_resumed: Whether a wait has ended.
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
        wait = WaitUntil(
            publish_at - WAKE_UP_AHEAD, publish_at - LATEST_WAKE_UP_AHEAD - self.resumes_late_by
        )
        left = min(wait.moment, wait.timeout_at) - self.ledger.clock()
        longest_here = LONGEST_WAIT_HERE if is_resumed else self.shortest_wait
        if left <= longest_here:
            return None
        log.info("Publishing at %s", publish_at.isoformat())
        return wait

    def quota_frees_at(self, error: QuotaExhaustedError) -> datetime:
        """Return when to ask again for free quota."""
        return self.ledger.clock() + (error.retry_after or QUOTA_CHECKED_AGAIN_AFTER)

    def wait_for_quota(self, error: QuotaExhaustedError, available_at: datetime) -> WaitUntil:
        """Return the wait until the account has free quota.

        :raises ValidationError: If the container expires before.
        """
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
