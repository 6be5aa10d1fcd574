"""The trigger that starts DAGs when somebody comments on a post, and which comments are new since its last look."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from airflow_provider_instagram.exceptions import PermissionDeniedError, ValidationError
from airflow_provider_instagram.utils.clock import CLOCK

if TYPE_CHECKING:
    from airflow_provider_instagram.graph.calls import Call
    from airflow_provider_instagram.graph.models import Comment, CommentCount, Page
    from airflow_provider_instagram.hooks.instagram import InstagramHook

    Send = Callable[[Call[Any]], Awaitable[Any]]

#: Where the time of the first look is kept, and the number of comments of each post at the last
#: look.
SEEN: Final = "comments_seen"
#: Where the comments of a post that had an event are kept, newest first.
TOLD: Final = "comments_told:{}"
TOLD_KEPT: Final = 200
#: Within this time, Airflow stores an event and starts the DAG. Before, the triggerer may die with
#: the event, and a further event would start no run: it stays until the next one. Source: Airflow
#: 3.3.2, AssetDagRunQueue.created_at.
HANDED_OVER_S: Final = 5.0


class Memory(Protocol):
    """The part of Airflow's asset state store that the watch uses."""

    async def aget(self, key: str, default: Any = None) -> Any:
        """Return a stored value."""

    async def aset(self, key: str, value: Any) -> None:
        """Store a value."""


@dataclass(frozen=True)
class NewComment:
    """A comment that has had no event yet."""

    media_id: str
    comment: Comment

    def as_data(self) -> dict[str, Any]:
        """Return the payload of an event."""
        written = self.comment.timestamp
        return {
            "comment_id": self.comment.id,
            "media_id": self.media_id,
            "text": self.comment.text,
            "username": self.comment.username,
            "timestamp": written.isoformat() if written else None,
        }


async def new_comments(
    memory: Memory,
    posts: Sequence[CommentCount],
    send: Send,
    now: Callable[[], datetime],
    handed_over: Callable[[], Awaitable[None]],
) -> AsyncIterator[NewComment]:
    """Yield the new comments of other people, those of each post in the order in which they were written.

    The comments of a post are read only if their number has changed. The first look only stores how
    many comments each post has. After a crash, an event may be sent twice but is never lost.

    :param handed_over: Waits until Airflow has stored the event of what was yielded, and started
        the DAG.
    """
    seen = await memory.aget(SEEN)
    if seen is None:
        began = now().replace(microsecond=0)  # Instagram's times have whole seconds
        await memory.aset(
            SEEN,
            {"began": began.isoformat(), "counts": {post.media_id: post.count for post in posts}},
        )
        return
    counts = {post.media_id: seen["counts"].get(post.media_id, 0) for post in posts}
    for post in posts:
        if post.count is not None and post.count == counts[post.media_id]:
            continue
        key = TOLD.format(post.media_id)
        told: list[str] = await memory.aget(key, [])
        comments = await _newer(
            post.media_id, datetime.fromisoformat(seen["began"]), frozenset(told), send
        )
        for comment in reversed(comments):
            if comment.username is None or comment.username != post.username:
                yield NewComment(post.media_id, comment)
                await handed_over()
            told = [comment.id, *told][:TOLD_KEPT]
            await memory.aset(key, told)
        counts[post.media_id] = post.count
        await memory.aset(SEEN, {**seen, "counts": counts})


async def _newer(media_id: str, began: datetime, told: frozenset[str], send: Send) -> list[Comment]:
    """Return the comments since the first look that have had no event, newest first."""
    from airflow_provider_instagram.graph import calls

    comments: list[Comment] = []
    after = None
    while True:
        page: Page[Comment] = await send(calls.comment_list(media_id, after=after))
        recent = page.since(began)
        comments += [comment for comment in recent if comment.id not in told]
        after = page.after
        has_older = len(recent) < len(page.items)
        has_told = any(comment.id in told for comment in recent)
        if after is None or has_older or has_told:
            return comments


class InstagramCommentTrigger(BaseEventTrigger):
    """Event trigger for an ``AssetWatcher``: one event for each new comment of another person.

    The payload of an event has ``comment_id``, ``media_id``, ``text``, ``username`` and
    ``timestamp``. There are no events for comments that are older than the first look, for replies,
    and for the account's own comments. If the triggerer is killed, an event may come twice. None is
    lost if Airflow stores it within 5 s, which pass between two events. The watched asset keeps
    which comments had an event.

    A look takes one call for all of the latest 25 posts, two if the connection has no user id, or
    one for each post that is named, and at least one more for each post whose number of comments
    has changed. The calls come from the budget with which the triggerer waits for containers. A
    look that fails is logged, and repeated after the interval.

    :param instagram_conn_id: The Airflow connection of the account.
    :param media: The post to watch, or several, as media ids. Default: the account's latest 25
        posts.
    :param poll_interval_s: Seconds between two looks.
    """

    def __init__(
        self,
        instagram_conn_id: str,
        media: str | Sequence[str] | None = None,
        poll_interval_s: float = 300.0,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.instagram_conn_id = instagram_conn_id
        if isinstance(media, str):
            media = [media]
        self.media = None if media is None else list(media)
        self.poll_interval_s = poll_interval_s

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Serialize the trigger. None of its arguments is a token."""
        names = ("instagram_conn_id", "media", "poll_interval_s")
        return f"{type(self).__module__}.{type(self).__qualname__}", {
            name: getattr(self, name) for name in names
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look for new comments for ever, and yield an event for each of them."""
        if self.asset_state_store is None:
            raise ValidationError(
                "This trigger does not work without an asset.", hint="Pass it to an AssetWatcher."
            )
        while True:
            try:
                async for new in self._look(self.asset_state_store):
                    yield TriggerEvent(new.as_data())
            except Exception as error:  # noqa: BLE001 -- nothing would start the watch again
                self.log.warning(
                    "The comments of connection %r were not read: %s", self.instagram_conn_id, error
                )
            await asyncio.sleep(self.poll_interval_s)

    async def _look(self, memory: Memory) -> AsyncIterator[NewComment]:
        from airflow_provider_instagram.graph.capabilities import COMMENTS
        from airflow_provider_instagram.hooks.instagram import InstagramHook
        from airflow_provider_instagram.hooks.scopes import AccountScopes
        from airflow_provider_instagram.triggers.poller import budget_of, send_within

        # made anew, because its token may have been replaced
        hook = InstagramHook(self.instagram_conn_id)
        budget = budget_of(self.instagram_conn_id)
        async with await hook.get_async_conn() as client:
            budget.calls_per_hour = hook.settings.limits.calls_per_hour

            async def send(call: Call[Any]) -> Any:
                await asyncio.sleep(max(0.0, budget.next_call_at() - time.time()))
                return await send_within(budget, client, call)

            try:
                posts = await self._posts(hook, send)
                async for new in new_comments(
                    memory, posts, send, CLOCK.now, partial(asyncio.sleep, HANDED_OVER_S)
                ):
                    yield new
            except PermissionDeniedError as error:
                scopes = AccountScopes(self.instagram_conn_id, None, hook.settings.login)
                error.hint = scopes.how_to_grant(COMMENTS)
                raise

    async def _posts(self, hook: InstagramHook, send: Send) -> Sequence[CommentCount]:
        from airflow_provider_instagram.graph import calls

        if self.media is not None:
            return [await send(calls.comment_count(media_id)) for media_id in self.media]
        ig_user_id = hook.settings.ig_user_id or (await send(hook.account_call())).user_id
        page: Page[CommentCount] = await send(calls.comment_counts(ig_user_id))
        return page.items
