"""What is done to a post or a comment, once for each key, and how to find out whether a request did it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_instagram.exceptions import (
    NotReadyError,
    OutcomeUnknownError,
    ValidationError,
)
from airflow_provider_instagram.graph import calls
from airflow_provider_instagram.graph.listing import (
    comments_since,
    read_after_create,
    replies_since,
)
from airflow_provider_instagram.ledger.ledger import CommentLedger, digest
from airflow_provider_instagram.publishing.outcome import CLOCK_TOLERANCE
from airflow_provider_instagram.utils import arguments

if TYPE_CHECKING:
    from airflow_provider_instagram.graph.client import GraphClient
    from airflow_provider_instagram.graph.models import Comment
    from airflow_provider_instagram.ledger.records import Intent, Owner

#: Source: Meta, Private Replies, Limitations. A comment on a live video is answered while it is
#: live.
PRIVATE_REPLY_WITHIN: Final = timedelta(days=7)


@dataclass(frozen=True)
class Trace:
    """A request whose outcome is open.

    :param verb: What the request does, before the id of the post or the comment.
    :param username: The account's user name. None if Instagram does not tell it.
    :param in_effect_by: When the request took effect at the latest.
    """

    client: GraphClient
    ledger: CommentLedger
    intent: Intent
    verb: str
    username: str | None
    in_effect_by: datetime

    @property
    def target(self) -> str:
        """The post or the comment."""
        return self.intent.container_id

    def may_be(self, comment: Comment) -> bool:
        """Return whether the request may have written a comment, by its text, user name and time."""
        return (
            digest(comment.text or "") == self.intent.text
            and (None in (comment.username, self.username) or comment.username == self.username)
            and (
                comment.timestamp is None
                or comment.timestamp <= self.in_effect_by + CLOCK_TOLERANCE
            )
            and not self.ledger.knows_comment(comment.id)
        )


@dataclass(frozen=True)
class Act:
    """Something that is done to a post or a comment, once for each key.

    :param name: What precedes its keys in the ledger. Empty for the comments of posts.
    :param verb: What it does, before the id of the post or the comment.
    :param read: Reads this id from what the author of a DAG passes.
    :param prepare: Checks that it can be done at a time, and returns the account's user name.
    :param send: Sends the request, and returns the id of what it made.
    :param find: Returns the id of what a request made, or None if there is nothing yet.
    :param remedy: As the ledger takes it.
    """

    name: str
    verb: str
    read: Callable[[Any], str]
    prepare: Callable[[GraphClient, str, datetime], str | None]
    send: Callable[[GraphClient, str, str], str]
    find: Callable[[Trace], str | None]
    remedy: str = ""

    def key(self, given: str | None, owner: Owner, target: str) -> str:
        """Return the key in the ledger. By default, a task does it once to each post or comment, whatever its run."""
        default = f"{owner.dag_id}/{owner.task_id}/{target}"
        if not self.name:
            return given or default + owner.pass_suffix
        return f"{self.name}:{given or default}"


def _written(
    listed: Callable[[GraphClient, str, datetime], Iterator[Comment]],
) -> Callable[[Trace], str | None]:
    """Return what finds a comment among those that are listed since a time."""

    def find(trace: Trace) -> str | None:
        since = trace.intent.when - CLOCK_TOLERANCE
        found = [
            comment
            for comment in listed(trace.client, trace.target, since)
            if trace.may_be(comment)
        ]
        if len(found) == 1 and None not in (trace.username, found[0].username, found[0].timestamp):
            return found[0].id
        if found:
            raise OutcomeUnknownError(
                f"A task started to {trace.verb} {trace.target}, and {len(found)} comments there may be the one that "
                "it wrote.",
                hint=trace.ledger.how_to_settle(trace.intent.post_key),
            )
        return None

    return find


def _username(client: GraphClient, media_id: str | None, _: datetime | None = None) -> str | None:
    return read_after_create(client, calls.media(media_id)).username if media_id else None


def _read_comment(client: GraphClient, comment_id: str) -> Comment:
    try:
        return read_after_create(client, calls.comment(comment_id))
    except NotReadyError as error:
        raise ValidationError(
            f"The account has no comment {comment_id}: {error.message}",
            hint="It was deleted, or it is on a post of another account.",
        ) from error


def _prepare_reply(client: GraphClient, comment_id: str, _: datetime) -> str | None:
    comment = _read_comment(client, comment_id)
    if comment.hidden:
        raise ValidationError(
            f"Comment {comment_id} is hidden, and Instagram takes no reply to a hidden comment. Nothing was sent.",
            hint="Show the comment again in the Instagram app, or leave it without a reply.",
        )
    username = _username(client, comment.media_id)
    if username is not None and comment.username == username and comment.parent_id is not None:
        raise ValidationError(
            f"Comment {comment_id} is a reply of the account itself. Nothing was sent.",
            hint="Reply to the comments of others only, or replies would answer each other without end.",
        )
    return username


def _prepare_to_hide(client: GraphClient, comment_id: str, _: datetime) -> str | None:
    comment = _read_comment(client, comment_id)
    username = _username(client, comment.media_id)
    if username is not None and comment.username == username:
        raise ValidationError(
            f"Comment {comment_id} is the account's own, which Instagram always shows.",
            hint="Delete it in the app.",
        )
    return username


def _find_hidden(trace: Trace) -> str | None:
    return trace.target if _read_comment(trace.client, trace.target).hidden else None


def _prepare_private_reply(client: GraphClient, comment_id: str, now: datetime) -> None:
    written = _read_comment(client, comment_id).timestamp
    if written is not None and written < now - PRIVATE_REPLY_WITHIN:
        raise ValidationError(
            f"Comment {comment_id} is from {written.isoformat()}. Nothing was sent.",
            hint=f"Instagram takes a private reply for {PRIVATE_REPLY_WITHIN.days} days. Reply to it in public.",
        )


def _cannot_tell(trace: Trace) -> None:
    raise OutcomeUnknownError(
        f"A task started to {trace.verb} {trace.target}, and Instagram does not tell whether the message was sent.",
        hint=trace.ledger.how_to_settle(trace.intent.post_key),
    )


def _replies(client: GraphClient, comment_id: str, since: datetime) -> Iterator[Comment]:
    """Yield the replies to a comment. Those to a reply are replies to its comment."""
    thread = _read_comment(client, comment_id).parent_id or comment_id
    return replies_since(client, thread, since)


COMMENT: Final = Act(
    "",
    "comment on media",
    lambda given: arguments.media_id("media_id", given),
    _username,
    lambda client, media_id, message: client.send(calls.write_comment(media_id, message)),
    _written(comments_since),
)
SWITCH_OFF: Final = Act(
    "comments-off",
    "switch off the comments of media",
    lambda given: arguments.media_id("media_id", given),
    _username,
    lambda client, media_id, _: (
        media_id if client.send(calls.switch_off_comments(media_id)) else ""
    ),
    lambda trace: (
        None if trace.client.send(calls.is_comment_enabled(trace.target)) else trace.target
    ),
)
REPLY: Final = Act(
    "reply",
    "reply to comment",
    lambda given: arguments.comment_id("reply_to", given),
    _prepare_reply,
    lambda client, comment_id, message: client.send(calls.write_reply(comment_id, message)),
    _written(_replies),
)
HIDE: Final = Act(
    "hide",
    "hide comment",
    lambda given: arguments.comment_id("comment_id", given),
    _prepare_to_hide,
    lambda client, comment_id, _: comment_id if client.send(calls.hide_comment(comment_id)) else "",
    _find_hidden,
)


def private_reply(sender: Callable[[GraphClient], str]) -> Act:
    """Return the act of replying privately to a comment. No call of its scopes tells whether a message was sent.

    :param sender: Returns the sender, as the call takes it.
    """
    return Act(
        "private-reply",
        "reply privately to comment",
        lambda given: arguments.comment_id("comment_id", given),
        _prepare_private_reply,
        lambda client, comment_id, text: client.send(
            calls.private_reply(sender(client), comment_id, text)
        ),
        _cannot_tell,
        "Look at the messages of the account in the Instagram app. If the private reply is there, mark this task as "
        "successful. If it is not, and still not an hour later, run `{forget}` and clear this task.",
    )
