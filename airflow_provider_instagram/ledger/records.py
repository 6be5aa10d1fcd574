"""The records of the ledger: containers, claims, intents and posts; and the tries of tasks that write them."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from airflow_provider_instagram.posts.kinds import ItemKind, PostKind
from airflow_provider_instagram.utils.clock import CLOCK

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
    from airflow.sdk.types import RuntimeTaskInstanceProtocol

# Source: Meta, IG Container reference: a container that is not published within 24 hours expires.
CONTAINER_LIFE = timedelta(hours=24)
#: How long before it expires a container is no longer published or reused.
EXPIRY_MARGIN = timedelta(minutes=30)
#: The digest of no caption.
NO_CAPTION = hashlib.sha256(b"").hexdigest()
#: A row with a field that a record does not have was written by another version.
AS_WRITTEN = ConfigDict(extra="forbid", hide_input_in_errors=True)


@dataclass(frozen=True, config=AS_WRITTEN)
class ContainerRecord:
    """A container that was created for a post.

    :param content: Digest of its video and options. A container is reused only for the same
        content.
    :param caption: Digest of its caption, to find its post among the account's media.
    :param upload_uri: Where to send the rest of an interrupted upload.
    :param shows: What the container is of. None for the parent of a carousel.
    :param item: Its place in a carousel, from 0. None for the container of a whole post.
    :param round: In which round of tries of its task it was created.
    """

    container_id: str
    post_key: str
    created_at: str
    content: str
    caption: str | None = None
    upload_uri: str | None = None
    kind: PostKind = PostKind.REEL
    shows: ItemKind | None = ItemKind.VIDEO
    item: int | None = None
    round: str | None = None

    @property
    def is_fetched(self) -> bool:
        """Whether Instagram fetches its media from a link."""
        return self.upload_uri is None and self.shows is not None

    @property
    def has_caption(self) -> bool:
        """Whether its post has a caption that tells it from others."""
        return self.kind is not PostKind.STORY and self.caption not in (None, NO_CAPTION)

    @property
    def is_ready_soon(self) -> bool:
        """Whether Instagram is done with it within seconds: a picture, or a carousel whose items are ready."""
        return self.shows is not ItemKind.VIDEO

    @property
    def expires(self) -> datetime:
        """When the container expires unless it is published."""
        return datetime.fromisoformat(self.created_at) + CONTAINER_LIFE

    def age(self, now: datetime) -> timedelta:
        """Return how long ago the container was created."""
        return now - datetime.fromisoformat(self.created_at)

    def lives_until(self, publish_at: datetime) -> bool:
        """Return whether the container can still be published at a time."""
        return publish_at <= self.expires - EXPIRY_MARGIN


@dataclass(frozen=True, config=AS_WRITTEN)
class Owner:
    """The task instance that works on a post, in all its tries.

    :param map_index: The map index, or -1 if the task is not mapped.
    :param loop_index: The pass of a loop of Airflow 3.4, from 0, or None outside of loops.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    loop_index: int | None = None

    @classmethod
    def of(cls, context: Context) -> Owner:
        """Return the task instance of a context."""
        ti = context["ti"]
        loop = cast("Mapping[str, Any]", context).get("loop")
        # After a Clear of the loop's gate, the later passes have a new region. Only their index
        # stays the same.
        loop_index = None if loop is None else loop.index
        return cls(
            ti.dag_id,
            ti.run_id,
            ti.task_id,
            -1 if ti.map_index is None else ti.map_index,
            loop_index,
        )

    def __str__(self) -> str:
        return f"{self.dag_id}/{self.run_id}/{self.task_id}/{self.map_index}{self.pass_suffix}"

    @property
    def pass_suffix(self) -> str:
        """What names the pass of a loop at the end of a key."""
        return "" if self.loop_index is None else f"/pass-{self.loop_index}"


@dataclass(frozen=True, config=AS_WRITTEN)
class Claim:
    """The right to publish a post. The last claim written counts.

    :param nonce: A random value for this attempt, so that no two claims are equal.
    :param undecided: Earlier owners that started to publish, and whose outcome is unknown.
    """

    owner: Owner
    nonce: str
    undecided: list[Owner] = dataclasses.field(default_factory=list)


@dataclass(frozen=True, config=AS_WRITTEN)
class Intent:
    """The record of an owner that is about to send a request: to publish, or to write a comment.

    Its outcome is open: the request may have been sent or not. A withdrawn intent certainly led to
    no post, and to no comment.

    :param container_id: The container of the post. For a comment, the media id of the post that it
        is on, and for what is done to a comment, this comment's id.
    :param at: The time just before the request, as ISO 8601 in UTC.
    :param text: Digest of a comment's text. None for a post.
    :param planned_at: When the post was planned for, as ISO 8601. None if it had no time.
    """

    post_key: str
    container_id: str
    at: str
    claim: Claim
    withdrawn: bool = False
    needs_manual_resolution: bool = False
    text: str | None = None
    planned_at: str | None = None

    @property
    def when(self) -> datetime:
        """The time just before the request."""
        return datetime.fromisoformat(self.at)


@dataclass(frozen=True, config=AS_WRITTEN)
class PublishedPost:
    """A post that is live.

    :param published_at: When it was published, as ISO 8601 in UTC.
    :param media_id: Its id. None if the post could not be identified.
    :param ig_user_id: The account that published it. None if a person settled the post as live.
    :param permalink: Its address. None if the post could not be identified or read.
    :param event_pending: Whether the asset event of the post is still to be emitted.
    :param origin: Where its DAG took it from, such as a file of many posts. None if its author wrote
        it into the DAG.
    :param run_id: The run that published it. None if no task of this provider did.
    :param planned_at: When it was planned for, as ISO 8601. None if it had no time.
    :param deleted_at: When it was deleted by a task, as ISO 8601 in UTC. Its key stays used.
    :param deleted_by: Who agreed to that.
    """

    post_key: str
    container_id: str
    published_at: str
    media_id: str | None = None
    ig_user_id: str | None = None
    permalink: str | None = None
    event_pending: bool = False
    dag_id: str | None = None
    origin: str | None = None
    deleted_at: str | None = None
    deleted_by: str | None = None
    run_id: str | None = None
    planned_at: str | None = None

    @property
    def late_s(self) -> float | None:
        """How many seconds after its planned time it was published, or None if it had no time."""
        if self.planned_at is None:
            return None
        late = datetime.fromisoformat(self.published_at) - datetime.fromisoformat(self.planned_at)
        return round(late.total_seconds(), 3)

    @property
    def in_words(self) -> str:
        """When it was published and by which run, as words of a message."""
        by = f" by run {self.run_id} of DAG {self.dag_id}" if self.run_id else ""
        return f"published at {self.published_at}{by}"

    def other_publisher(self, dag_id: str, origin: str) -> str | None:
        """Return who published the post. None if that was this DAG, or one that took the post from the same place."""
        if self.dag_id in (None, dag_id) or self.origin == origin:
            return None
        where = f" ({self.origin})" if self.origin else ""
        return f"the DAG {self.dag_id}{where}"

    @property
    def lacks_permalink(self) -> bool:
        """Whether the post is identified, and its permalink is still to be read."""
        return self.media_id is not None and self.permalink is None


@dataclass(frozen=True, config=AS_WRITTEN)
class CommentRecord:
    """The record that a comment was written, or that something else was done to a comment or a post.

    :param media_id: The post that it is on. For what is done to a comment, this comment's id.
    :param written_at: When it was written or found, as ISO 8601 in UTC.
    :param text: Digest of its text.
    """

    comment_key: str
    media_id: str
    comment_id: str
    written_at: str
    text: str | None = None


@dataclass(frozen=True, config=AS_WRITTEN)
class Deletion:
    """The record that a request to delete a post may have been sent.

    :param ig_user_id: The account. None if the request certainly deleted nothing.
    :param by: Who agreed to it.
    """

    at: str
    ig_user_id: str | None
    by: str | None


#: States of a task instance that may still send a request, now or in a later try.
AT_WORK = frozenset(
    {
        "scheduled",
        "queued",
        "running",
        "restarting",
        "deferred",
        "up_for_retry",
        "up_for_reschedule",
        "awaiting_input",
    }
)


#: The types of runs whose date a user chooses.
DATED_BY_USERS: Final = ("manual", "backfill")


@dataclasses.dataclass(frozen=True)
class Try:
    """The running try of a task.

    :param is_alive: Returns whether another task instance may still be at work.
    :param round: The name of its round: of the tries since the task was last cleared.
    :param number: Which try of its round this is, from 1.
    :param is_last: Whether no retry follows.
    :param cleared_since: From when on the run may have posted before the task was cleared. None if
        it was not cleared.
    :param certain_since: From when on such a post is certainly the run's: a user may have dated the
        run long before it began.
    """

    owner: Owner
    is_alive: Callable[[Owner], bool]
    round: str = ""
    number: int = 1
    is_last: bool = False
    cleared_since: datetime | None = None
    certain_since: datetime | None = None

    @classmethod
    def of(cls, task: BaseOperator, context: Context) -> Try:
        """Return the try that runs.

        Airflow counts all tries of a task instance, and begins none after ``max_tries`` + 1. A Clear
        sets ``max_tries`` to the number of tries before it plus the retries of the task.
        """
        ti = context["ti"]
        owner = Owner.of(context)
        tries_before = int(ti.max_tries) - (task.retries or 0)
        cleared_since = certain_since = None
        if tries_before > 0:
            run = context["dag_run"]
            cleared_since = certain_since = run.run_after
            if run.run_type in DATED_BY_USERS:
                certain_since = max(run.run_after, CLOCK.now() - CONTAINER_LIFE)
        return cls(
            owner,
            partial(is_at_work, ti),
            round=f"{owner}/{ti.max_tries}",
            number=max(1, int(ti.try_number) - tries_before),
            is_last=ti.try_number > ti.max_tries,
            cleared_since=cleared_since,
            certain_since=certain_since,
        )


def is_at_work(ti: RuntimeTaskInstanceProtocol, owner: Owner) -> bool:
    """Return whether a task instance may still publish, now or in a later try."""
    if owner.loop_index is not None:
        return _is_pass_at_work(ti, owner)
    mapped = owner.map_index >= 0
    states = ti.get_task_states(
        owner.dag_id,
        map_index=owner.map_index if mapped else None,
        task_ids=[owner.task_id],
        run_ids=[owner.run_id],
    )
    # as Airflow names a mapped task in its answer
    name = f"{owner.task_id}_{owner.map_index}" if mapped else owner.task_id
    return any(tasks.get(name) in AT_WORK for tasks in states.values())


def _is_pass_at_work(ti: RuntimeTaskInstanceProtocol, owner: Owner) -> bool:
    """Return whether a pass of a loop may still publish.

    For a task in a loop, ``get_task_states`` returns the state of the latest pass only, and an
    earlier pass may have been cleared since. So a pass is at work until Airflow reports that the
    pass or its whole run has ended.
    """
    if not ti.get_dr_count(owner.dag_id, run_ids=[owner.run_id], states=["queued", "running"]):
        return False  # also if the run is deleted
    if owner.map_index >= 0:
        return True  # Airflow does not report the pass of an ended instance of a mapped task
    ended = cast("RuntimeTaskInstance", ti).get_task_breadcrumbs(owner.dag_id, owner.run_id)
    passes = ((one["task_id"], one["map_index"], one.get("region_index")) for one in ended)
    return (owner.task_id, -1, owner.loop_index) not in passes
