"""Publish one container as one post: settle what is open, then send one request; and the steps around it."""

from __future__ import annotations

import logging
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from airflow_provider_instagram.exceptions import (
    AuthenticationError,
    ContainerExpiredError,
    InstagramError,
    NotReadyError,
    OutcomeUnknownError,
    QuotaExhaustedError,
    RateLimitError,
    ValidationError,
)
from airflow_provider_instagram.graph import calls
from airflow_provider_instagram.graph.models import ContainerState, ContainerStatus
from airflow_provider_instagram.graph.readiness import is_not_shown, shows_none, still_processing
from airflow_provider_instagram.ledger.records import PublishedPost
from airflow_provider_instagram.publishing.claims import PostClaims
from airflow_provider_instagram.publishing.outcome import (
    CLOCK_TOLERANCE,
    POST_VISIBLE_WITHIN,
    READ_AGAIN_AFTER,
    OutcomeReader,
    Sleep,
    as_post,
    key_of_another,
    with_permalink,
)
from airflow_provider_instagram.publishing.use_case import Account, WaitUntil
from airflow_provider_instagram.quota.reservations import (
    Quota,
    QuotaReservations,
    post_quotas,
    time_until_quota_frees,
)

if TYPE_CHECKING:
    from airflow_provider_instagram.graph.client import GraphClient
    from airflow_provider_instagram.graph.models import Media
    from airflow_provider_instagram.ledger.ledger import Ledger
    from airflow_provider_instagram.ledger.records import Claim, Intent, Owner, Try

log = logging.getLogger(__name__)

#: How often a request is sent that Instagram calls not ready. To settle the outcome takes a pause.
NOT_READY_TRIES = 5
#: How long it counts that a post is wanted. The task may have waited since: for another one, for its
#: time, or for a slow write.
CHECKED_FOR: Final = timedelta(seconds=25)
#: How long before its time a post is checked for the last time.
LAST_CHECK: Final = timedelta(seconds=5)
#: Checks that a post may still be published, and returns when it may be sent. None: at once.
CheckAgain: TypeAlias = Callable[[], datetime | None]


@dataclass(frozen=True)
class Live:
    """A post that is live.

    :param already_published: Whether the ledger had it, or another task or a person published it.
        False if this task published it, or settles what a former one had sent.
    """

    post: PublishedPost
    already_published: bool


@dataclass(frozen=True)
class Free:
    """A post that is not live, and that this owner has claimed. Only this may be sent.

    :param container_id: The container to publish. If an earlier request may still take effect, this
        is its container, so that there is one post in either case.
    """

    post_key: str
    container_id: str
    claim: Claim


@dataclass(frozen=True)
class Publisher:
    """Publishes the containers of one account, each at most once.

    1. :meth:`settle` claims the post, and settles what earlier tries left open. It sends no request
       to publish.
    2. The caller decides whether the post may be published now. It may wait, give up, or start
       again later: nothing is open at this point.
    3. :meth:`send` publishes the post.

    :class:`PostClaims` describes how several owners of one ``post_key`` exclude each other.

    :param quotas: The account's own limits of posts per period, the longest period last.
    :param origin: Where the DAG took the post from, if its author did not write it there.
    """

    client: GraphClient
    ledger: Ledger
    ig_user_id: str
    attempt: Try
    sleep: Sleep = time.sleep
    quotas: tuple[Quota, ...] = ()
    origin: str | None = None

    def settle(self, post_key: str, container_id: str) -> Live | Free:
        """Find out whether a post exists, and claim it if it does not.

        1. Wait until no other owner works on the post, and claim it.
        2. If the ledger has the post, return it.
        3. For each open intent, read its container until the outcome is certain. If the intent led
           to a post, record the post and return it. If not, withdraw the intent.
        4. If the task was cleared, and the ledger has no row of its former tries, look for their
           post on the account.

        If the process dies at any step, the next try finds the same open intents.

        :param container_id: The container to publish if nothing is open.
        :raises OutcomeUnknownError: If the post may be live, and no read can determine that.
        :raises TransientError: If another owner works on the post.
        """
        claim = self._claims.acquire(post_key)
        if (post := self.ledger.post(post_key)) is not None:
            return Live(with_permalink(self.client, post), already_published=True)
        for intent in self.ledger.open_intents(post_key, self.attempt.owner):
            self._claims.check_abandoned(intent)
            log.info(
                "%s started to publish container %s at %s",
                intent.claim.owner,
                intent.container_id,
                intent.at,
            )
            try:
                if (post := self._outcomes.settle(intent, sent_by=intent.when)) is not None:
                    return Live(self._record(post, intent.claim.owner), already_published=False)
                # if Instagram still executes that request, it is the same container
                container_id = intent.container_id
            except ContainerExpiredError as error:
                log.info("%s", error.message)
            self.ledger.withdraw(intent)
        if (lost := self._lost_post(post_key, container_id, claim)) is not None:
            return Live(self._record(lost), already_published=True)
        return Free(post_key, container_id, claim)

    def _lost_post(self, post_key: str, container_id: str, claim: Claim) -> PublishedPost | None:
        """Return the post that a former try has made if the ledger has lost its rows, or None if there is none.

        :raises OutcomeUnknownError: If posts of the account may be it, and no caption tells which.
        """
        record = self.ledger.container(container_id)
        since = self.attempt.cleared_since
        if since is None or record is None:
            return None
        rounds = {made.round for made in self.ledger.containers(post_key)}
        if len(rounds) != 1 or any(
            self.ledger.intent(post_key, one) for one in (None, self.attempt.owner)
        ):
            return None  # the ledger has rows of former tries
        created = datetime.fromisoformat(record.created_at)
        # A lost post is older than this container: had create known its container, it would have
        # used that again. What this container became, its own state says.
        while not (found := self._outcomes.candidates(record, since, created)):
            if self.ledger.clock() >= created + POST_VISIBLE_WITHIN:
                return None
            self.sleep(READ_AGAIN_AFTER.total_seconds())
        if len(found) == 1 and record.has_caption and self._is_certain(found[0]):
            log.warning(
                "The ledger has no row of %s, and the account has it: %s",
                post_key,
                found[0].permalink,
            )
            post = PublishedPost(
                post_key, container_id, self.ledger.now(), ig_user_id=self.ig_user_id
            )
            return as_post(post, found[0])
        # Nothing is sent: the intent stays open, so that no later try publishes before a person
        # has looked.
        self.ledger.leave_for_manual_resolution(
            self._claims.record_intent(post_key, container_id, claim)
        )
        links = ", ".join(str(media.permalink or media.id) for media in found[:5])
        raise OutcomeUnknownError(
            "This task was cleared, the ledger has no row of what it did before, and it cannot be told whether one of "
            f"these posts of the account is {post_key!r}: {links}",
            hint=self.ledger.how_to_settle(post_key),
        )

    def _is_certain(self, media: Media) -> bool:
        """Return whether a post is certainly the run's, and not older than a run that a user has dated back."""
        since = self.attempt.certain_since
        if since is None:
            return True
        return media.timestamp is not None and media.timestamp >= since - CLOCK_TOLERANCE

    def send(
        self,
        free: Free,
        not_before: datetime | None = None,
        checked_at: datetime | None = None,
        planned_at: datetime | None = None,
        check_again: CheckAgain = lambda: None,
    ) -> Live:
        """Publish a post that does not exist.

        1. Read the container. If it is already published, record its post and return it.
        2. Reserve quota.
        3. Wait until the time. If the last check is long ago, check again just before it.
        4. Write the intent. This write is the fence: from here on, a post may exist.
        5. Send the request, and record the post.

        If the process dies before step 4, nothing was sent, and the reservation lapses by itself.
        If it dies after step 4, the next try settles the intent.

        :param free: The post, as :meth:`settle` returned it.
        :param not_before: When to send the request. Everything else is done before.
        :param checked_at: When the post was known to be wanted. Default: now.
        :param planned_at: When the post was planned for. Default: ``not_before``.
        :param check_again: Is called before the request is repeated, or sent after a long wait: the
            post may no longer be wanted.
        :raises OutcomeUnknownError: If the post may be live, and no read can determine that.
        :raises QuotaExhaustedError: If the account has no free quota. Nothing was sent.
        :raises InstagramError: If the post is not live. The error contains the reason.
        """
        checked_at = checked_at or self.ledger.clock()
        status = self._status(free.container_id)
        if status.state is ContainerState.PUBLISHED:
            return self._adopt(free)
        if (failure := status.failure()) is not None:
            raise failure
        reservations = QuotaReservations(self.ledger, self.quotas, self.sleep)
        self._reserve_quota(reservations, free)
        try:
            # not after its time: a post may be allowed no lateness
            self._sleep_until(not_before and not_before - LAST_CHECK)
            if self.ledger.clock() - checked_at > CHECKED_FOR:
                not_before = check_again()
            self._sleep_until(not_before)
            return self._send(free, planned_at or not_before, check_again)
        finally:
            # an open intent may have led to a post, which counts
            intent = self.ledger.intent(free.post_key, self.attempt.owner)
            if intent is None or intent.claim != free.claim or intent.withdrawn:
                reservations.release(free.claim.nonce)

    def _status(self, container_id: str) -> ContainerStatus:
        """Read the container, for a few seconds if it is still processed and will be ready soon.

        If Instagram shows no container at all, the request to publish tells whether it is ready.
        """
        try:
            status = self.client.send(calls.container_status(container_id))
        except NotReadyError as error:
            if is_not_shown(error) and shows_none(self.client, self.ig_user_id):
                return ContainerStatus(container_id)
            raise
        record = self.ledger.container(container_id)
        if status.is_terminal or record is None or not record.is_ready_soon:
            return status
        still_processing(self.client, [container_id])  # waits a few seconds
        return self.client.send(calls.container_status(container_id))

    def _adopt(self, free: Free) -> Live:
        """Record the post of a container that was published outside this task, and that is no other key's post."""
        post_key = free.post_key
        container_id = free.container_id
        record = self.ledger.container(container_id)
        other_key = record.post_key if record is not None else post_key
        if other_key != post_key and self.ledger.post(other_key) is not None:
            raise ValidationError(
                f"Container {container_id} is the published post of {other_key!r}, not of {post_key!r}.",
                hint="Use one post_key in the create and publish tasks of a post, and a different one for each post.",
            )
        log.warning(
            "Container %s was already published outside this task: using that post", container_id
        )
        now = self.ledger.clock()
        post = self._outcomes.find_post(post_key, container_id, now - timedelta(days=1), now)
        return Live(self._record(post), already_published=True)

    def _reserve_quota(self, reservations: QuotaReservations, free: Free) -> None:
        """Reserve a post under the account's own limits, and check that Instagram has free quota as well."""
        if not self.quotas:
            return
        nonce = free.claim.nonce
        reservations.reserve(free.post_key, nonce)
        try:
            left = self.client.send(calls.publishing_limit(self.ig_user_id)).remaining
        except RateLimitError:
            reservations.release(nonce)
            raise
        except InstagramError as error:  # Instagram enforces the limit itself when it publishes
            log.warning("Could not read the publishing limit: %s", error)
            return
        # with more left, there is room for all that the shortest period allows
        is_scarce = left < self.quotas[0].posts
        if left <= 0 or (is_scarce and left <= reservations.pending_before(nonce)):
            reservations.release(nonce)
            raise QuotaExhaustedError(
                "The account has used up its posts for the last 24 hours, by Instagram's count.",
                hint="Publish the same container again later. A container stays valid for 24 hours.",
                retry_after=time_until_quota_frees(
                    self.client, self.ig_user_id, self.ledger.clock()
                ),
            )

    def _sleep_until(self, moment: datetime | None) -> None:
        if moment is not None:
            self.sleep(max(0.0, (moment - self.ledger.clock()).total_seconds()))

    def _send(self, free: Free, planned_at: datetime | None, check_again: CheckAgain) -> Live:
        """Send the request. Repeat it if Instagram was not ready, or if a refused token has a successor."""
        post_key = free.post_key
        container_id = free.container_id
        planned = planned_at.astimezone(timezone.utc).isoformat() if planned_at else None
        tries_left = NOT_READY_TRIES
        while True:
            if (post := self.ledger.post(post_key)) is not None:
                return Live(with_permalink(self.client, post), already_published=True)
            intent = self._written_intent(free, planned, check_again)
            try:
                media_id = self.client.send(calls.publish(self.ig_user_id, container_id))
            except InstagramError as error:
                if (settled := self._outcomes.settle_failed_request(intent, error)) is not None:
                    return Live(self._record(settled), already_published=False)
                self.ledger.withdraw(intent)
                if isinstance(error, AuthenticationError) and self.client.renew():
                    continue
                tries_left -= 1
                if not isinstance(error, NotReadyError) or error.outcome_unknown or not tries_left:
                    error.outcome_unknown = False  # it is settled: there is no post
                    raise
                self._sleep_until(check_again())
            else:
                post = self._record(
                    PublishedPost(
                        post_key,
                        container_id,
                        self.ledger.now(),
                        media_id,
                        self.ig_user_id,
                        event_pending=True,
                        planned_at=planned,
                    )
                )
                permalink = with_permalink(self.client, post).permalink
                return Live(
                    self.ledger.change_post(post, permalink=permalink), already_published=False
                )

    def _written_intent(
        self, free: Free, planned_at: str | None, check_again: CheckAgain
    ) -> Intent:
        """Write the intent. If that took long, check that the post is still wanted."""
        began = self.ledger.clock()
        intent = self._claims.record_intent(
            free.post_key, free.container_id, free.claim, planned_at=planned_at
        )
        if self.ledger.clock() - began > CHECKED_FOR:
            try:
                self._sleep_until(check_again())
            except BaseException:
                self.ledger.withdraw(intent)
                raise
        return intent

    @property
    def _claims(self) -> PostClaims:
        return PostClaims(self.ledger, self.attempt, self.sleep)

    @property
    def _outcomes(self) -> OutcomeReader:
        return OutcomeReader(
            self.client, self.ledger, self.ig_user_id, self.sleep, self.attempt.is_last
        )

    def _record(self, post: PublishedPost, owner: Owner | None = None) -> PublishedPost:
        """Record a post, and who published it: this owner, or the one whose request led to it."""
        own = self.attempt.owner
        owner = owner or own
        origin = self.origin if owner.dag_id == own.dag_id else None
        post = replace(post, dag_id=owner.dag_id, run_id=owner.run_id, origin=origin)
        self.ledger.record_post(post)
        return post


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

    1. If the ledger has the post, :meth:`checked` refuses it, or adds its permalink.
    2. If nothing is open, the task waits as :meth:`wait_for_time` says. An open outcome is settled
       first, however late.
    3. What :meth:`publisher` yields settles what is open, and sends the request.

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
        with self.account.get_conn() as client:
            yield Publisher(
                client,
                self.ledger,
                self.account.ig_user_id(client),
                self.attempt,
                quotas=post_quotas(*self.account.most_posts),
                origin=self.origin,
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
        post = live.post
        planned = ""
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
