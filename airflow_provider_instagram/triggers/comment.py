"""The trigger that starts DAGs when somebody comments on a post."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from airflow_provider_instagram.exceptions import PermissionDeniedError, ValidationError

if TYPE_CHECKING:
    from airflow_provider_instagram.graph.calls import Call
    from airflow_provider_instagram.graph.models import CommentCount
    from airflow_provider_instagram.hooks.instagram import InstagramHook
    from airflow_provider_instagram.triggers.new_comments import Memory, NewComment, Send


class InstagramCommentTrigger(BaseEventTrigger):
    """Event trigger for an ``AssetWatcher``: one event for each new comment of another person.

    The payload of an event has ``comment_id``, ``media_id``, ``text``, ``username`` and ``timestamp``. There are no
    events for comments that are older than the first look, for replies, and for the account's own comments. If the
    triggerer is killed, an event may come twice. The watched asset keeps which comments had an event.

    A look takes one call for all of the latest 25 posts, or one for each post that is named, and one more for each post
    whose number of comments has changed. The calls come from the budget with which the triggerer waits for containers.
    A look that fails is logged, and repeated after the interval.

    :param instagram_conn_id: The Airflow connection of the account.
    :param media: The post to watch, or several, as media ids. Default: the account's latest 25 posts.
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
        self.media = [media] if isinstance(media, str) else None if media is None else list(media)
        self.poll_interval_s = poll_interval_s

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Serialize the trigger. None of its arguments is a token."""
        names = ("instagram_conn_id", "media", "poll_interval_s")
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look for new comments for ever, and yield an event for each of them."""
        if self.asset_state_store is None:
            raise ValidationError("This trigger does not work without an asset.", hint="Pass it to an AssetWatcher.")
        while True:
            try:
                async for new in self._look(self.asset_state_store):
                    yield TriggerEvent(new.as_data())
            except Exception as error:  # noqa: BLE001 -- nothing would start the watch again
                self.log.warning("The comments of connection %r were not read: %s", self.instagram_conn_id, error)
            await asyncio.sleep(self.poll_interval_s)

    async def _look(self, memory: Memory) -> AsyncIterator[NewComment]:
        from airflow_provider_instagram.graph.capabilities import COMMENTS
        from airflow_provider_instagram.hooks.instagram import InstagramHook
        from airflow_provider_instagram.hooks.scopes import AccountScopes
        from airflow_provider_instagram.triggers.new_comments import new_comments
        from airflow_provider_instagram.triggers.poller import budget_of, send_within

        hook = InstagramHook(self.instagram_conn_id)  # made anew, because its token may have been replaced
        budget = budget_of(self.instagram_conn_id)
        async with await hook.get_async_conn() as client:
            budget.calls_per_hour = hook.settings.limits.calls_per_hour

            async def send(call: Call[Any]) -> Any:
                await asyncio.sleep(max(0.0, budget.next_call_at() - time.time()))
                return await send_within(budget, client, call)

            try:
                posts = await self._posts(hook, send)
                async for new in new_comments(memory, posts, send, lambda: datetime.now(timezone.utc)):
                    yield new
            except PermissionDeniedError as error:
                scopes = AccountScopes(self.instagram_conn_id, None, hook.settings.login)
                error.hint = scopes.how_to_grant(COMMENTS)
                raise

    async def _posts(self, hook: InstagramHook, send: Send) -> Sequence[CommentCount]:
        """Read how many comments the watched posts have."""
        from airflow_provider_instagram.graph import calls

        if self.media is not None:
            return [await send(calls.comment_count(media_id)) for media_id in self.media]
        ig_user_id = hook.settings.ig_user_id or (await send(hook.account_call())).user_id
        counts: Sequence[CommentCount] = await send(calls.comment_counts(ig_user_id))
        return counts
