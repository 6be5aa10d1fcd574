"""The comments that are new since the last look. This module does not depend on Airflow."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from airflow_provider_instagram.graph import calls

if TYPE_CHECKING:
    from airflow_provider_instagram.graph.calls import Call
    from airflow_provider_instagram.graph.models import Comment, CommentCount, Page

    Send = Callable[[Call[Any]], Awaitable[Any]]

#: Where the time of the first look is kept, and the number of comments of each post at the last look.
SEEN: Final = "comments_seen"
#: Where the comments of a post that had an event are kept, newest first.
TOLD: Final = "comments_told:{}"
TOLD_KEPT: Final = 200


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
    memory: Memory, posts: Sequence[CommentCount], send: Send, now: Callable[[], datetime]
) -> AsyncIterator[NewComment]:
    """Yield the new comments of other people, those of each post in the order in which they were written.

    The comments of a post are read only if their number has changed. The first look only stores how many comments each
    post has. After a crash, an event may be sent twice but is never lost.
    """
    seen = await memory.aget(SEEN)
    if seen is None:
        began = now().replace(microsecond=0)  # Instagram's times have whole seconds
        await memory.aset(SEEN, {"began": began.isoformat(), "counts": {post.media_id: post.count for post in posts}})
        return
    counts = {post.media_id: seen["counts"].get(post.media_id, 0) for post in posts}
    for post in posts:
        if post.count is not None and post.count == counts[post.media_id]:
            continue
        key = TOLD.format(post.media_id)
        told: list[str] = await memory.aget(key, [])
        comments = await _newer(post.media_id, datetime.fromisoformat(seen["began"]), frozenset(told), send)
        for comment in reversed(comments):
            if comment.username is None or comment.username != post.username:
                yield NewComment(post.media_id, comment)
        if comments:
            await memory.aset(key, [*(comment.id for comment in comments), *told][:TOLD_KEPT])
        counts[post.media_id] = post.count
        await memory.aset(SEEN, {**seen, "counts": counts})


async def _newer(media_id: str, began: datetime, told: frozenset[str], send: Send) -> list[Comment]:
    """Return the comments since the first look that have had no event, newest first."""
    comments: list[Comment] = []
    after = None
    while True:
        page: Page[Comment] = await send(calls.comment_list(media_id, after=after))
        recent = page.since(began)
        comments += [comment for comment in recent if comment.id not in told]
        after = page.after
        if after is None or len(recent) < len(page.items) or any(comment.id in told for comment in recent):
            return comments
