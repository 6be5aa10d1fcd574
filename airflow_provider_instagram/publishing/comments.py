"""What is done to a post or a comment under one key: settle what is open, then send one request."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_instagram.exceptions import (
    InstagramError,
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
from airflow_provider_instagram.ledger.records import CommentRecord, Intent, Owner, Try
from airflow_provider_instagram.publishing.claims import IsAlive, PostClaims
from airflow_provider_instagram.publishing.outcome import (
    CLOCK_TOLERANCE,
    READ_AGAIN_AFTER,
    READ_FOR_AT_LEAST,
    REQUEST_IN_EFFECT_WITHIN,
    Sleep,
)
from airflow_provider_instagram.publishing.use_case import Skipped
from airflow_provider_instagram.utils import arguments

if TYPE_CHECKING:
    from airflow_provider_instagram.graph.client import GraphClient
    from airflow_provider_instagram.graph.models import Comment as ReadComment

#: Source: Meta, Private Replies, Limitations. A comment on a live video is answered while it is
#: live.
PRIVATE_REPLY_WITHIN: Final = timedelta(days=7)
#: A comment shows up in the comments of its post with a delay, at most this long.
VISIBLE_WITHIN = timedelta(seconds=30)

log = logging.getLogger(__name__)


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

    def may_be(self, comment: ReadComment) -> bool:
        """Return whether the request may have written a comment, by its text, user name and time."""
        if digest(comment.text or "") != self.intent.text:
            return False
        if None not in (comment.username, self.username) and comment.username != self.username:
            return False
        latest = self.in_effect_by + CLOCK_TOLERANCE
        if comment.timestamp is not None and comment.timestamp > latest:
            return False
        return not self.ledger.knows_comment(comment.id)


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
        """Return the key in the ledger. By default, a task does it once to each post or comment, whatever its run.

        Only to comment on a post, each pass of a loop has a default key of its own.
        """
        default = f"{owner.dag_id}/{owner.task_id}/{target}"
        if self.name:
            return f"{self.name}:{given or default}"
        return given or (default + owner.pass_suffix)


def _finder(
    listed: Callable[[GraphClient, str, datetime], Iterator[ReadComment]],
) -> Callable[[Trace], str | None]:
    """Return a function that finds the comment a request wrote, among those that are listed since a time."""

    def find(trace: Trace) -> str | None:
        since = trace.intent.when - CLOCK_TOLERANCE
        found = [
            comment
            for comment in listed(trace.client, trace.target, since)
            if trace.may_be(comment)
        ]
        # Only a comment with a user name and a time is certain to be the one.
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


def _read_comment(client: GraphClient, comment_id: str) -> ReadComment:
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


def _replies(client: GraphClient, comment_id: str, since: datetime) -> Iterator[ReadComment]:
    """Yield the replies to a comment. Instagram lists a reply to a reply below the first comment."""
    thread = _read_comment(client, comment_id).parent_id or comment_id
    return replies_since(client, thread, since)


def _switch_off(client: GraphClient, media_id: str, _: str) -> str:
    client.send(calls.switch_off_comments(media_id))
    return media_id


def _hide(client: GraphClient, comment_id: str, _: str) -> str:
    client.send(calls.hide_comment(comment_id))
    return comment_id


def _find_switched_off(trace: Trace) -> str | None:
    """Return the id of a post if its comments are off."""
    return None if trace.client.send(calls.is_comment_enabled(trace.target)) else trace.target


COMMENT: Final = Act(
    "",
    "comment on media",
    lambda given: arguments.media_id("media_id", given),
    _username,
    lambda client, media_id, message: client.send(calls.write_comment(media_id, message)),
    _finder(comments_since),
)
SWITCH_OFF: Final = Act(
    "comments-off",
    "switch off the comments of media",
    lambda given: arguments.media_id("media_id", given),
    _username,
    _switch_off,
    _find_switched_off,
)
REPLY: Final = Act(
    "reply",
    "reply to comment",
    lambda given: arguments.comment_id("reply_to", given),
    _prepare_reply,
    lambda client, comment_id, message: client.send(calls.write_reply(comment_id, message)),
    _finder(_replies),
)
HIDE: Final = Act(
    "hide",
    "hide comment",
    lambda given: arguments.comment_id("comment_id", given),
    _prepare_to_hide,
    _hide,
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


@dataclass(frozen=True)
class Comment:
    """What a task does to a post or a comment, once for each ``comment_key``.

    :param connect: Opens a client, if the account is not known to lack the scope for comments.
    """

    ledger: CommentLedger
    connect: Callable[[], AbstractContextManager[GraphClient]]
    attempt: Try
    act: Act = COMMENT

    def run(
        self, target: Any, message: str | None, comment_key: str | None
    ) -> CommentRecord | Skipped:
        """Return the record of a key. If there is none, do what the key is for.

        :param target: The post or the comment, as the author of a DAG passes it.
        :param message: The text. None if there is no comment to write.
        :raises OutcomeUnknownError: If the comment may be live, and no read can determine that.
        """
        if message is None:
            return Skipped("", "The message is empty, so there is no comment to write.")
        if _is_of_dry_run(target):
            return Skipped("", "The post was only a dry run, so there is nothing to comment on.")
        target_id = self.act.read(target)
        key = self.act.key(comment_key, self.attempt.owner, target_id)
        if (record := recorded_comment(self.ledger, key, target_id)) is None:
            with self.connect() as client:
                writer = CommentWriter(
                    client, self.ledger, self.attempt.owner, self.attempt.is_alive, act=self.act
                )
                record = writer.get_or_write(key, target_id, message)
        if record.text not in (None, digest(message)):
            log.warning(
                "The key %s has a comment with another text, so this message is not written.", key
            )
        log.info(
            "The key %s is done: %s %s, as %s", key, self.act.verb, target_id, record.comment_id
        )
        return record


def _is_of_dry_run(published: Any) -> bool:
    """Return whether this is what PublishOperator returns after a dry run.

    It has no media id, and its time of publication is None. A mapping without such a time is
    something else.
    """
    return (
        isinstance(published, dict)
        and published.get("media_id") is None
        and published.get("published_at", "") is None
    )


def recorded_comment(ledger: CommentLedger, comment_key: str, target: str) -> CommentRecord | None:
    """Return the comment that the ledger has for a key, or None.

    :raises ValidationError: If the key was used for another post or comment.
    """
    record = ledger.comment(comment_key)
    return None if record is None else _checked(ledger, record, target)


def _checked(ledger: CommentLedger, record: CommentRecord, target: str) -> CommentRecord:
    if record.media_id == target:
        return record
    raise ValidationError(
        f"The comment_key {record.comment_key!r} was used on {record.media_id}, not on {target}.",
        hint="Use a different comment_key for each post or comment. To use this one on the new one as well, run "
        f"`{ledger.how_to_forget(record.comment_key)}` and clear this task.",
    )


@dataclass(frozen=True)
class CommentWriter:
    """Carries out an act for one owner: writes its comments, or hides or answers a comment."""

    client: GraphClient
    ledger: CommentLedger
    owner: Owner
    is_alive: IsAlive
    sleep: Sleep = time.sleep
    act: Act = COMMENT

    def get_or_write(self, comment_key: str, target: str, message: str) -> CommentRecord:
        """Return the comment of a key, and write it if it does not exist.

        1. The ledger has the comment: return it.
        2. Read the post or the comment, which may be too new for Instagram to know it, and the
           account's user name.
        3. Claim the key.
        4. For each open intent, read the comments there until the outcome is certain. If it led to
           a comment, record the comment and return it. If not, withdraw the intent.
        5. Write the intent. This write is the fence: from here on, a comment may exist.
        6. Send the request, and record the comment.

        If the process dies before step 5, nothing was sent. If it dies after step 5, the next try
        settles the intent.

        :raises OutcomeUnknownError: If the comment may be live, and no read can determine that.
        :raises TransientError: If another owner writes the comment.
        :raises InstagramError: If the comment is not live. The error contains the reason.
        """
        if (record := recorded_comment(self.ledger, comment_key, target)) is not None:
            return record
        username = self.act.prepare(self.client, target, self.ledger.clock())
        claims = PostClaims(
            replace(self.ledger, text=digest(message)), self.owner, self.is_alive, self.sleep
        )
        claim = claims.acquire(comment_key)
        if (record := recorded_comment(self.ledger, comment_key, target)) is not None:
            return record
        for intent in self.ledger.open_intents(comment_key, self.owner):
            claims.check_abandoned(intent)
            log.info("Settling the request of %s at %s", intent.claim.owner, intent.at)
            if (found := self._settle(intent, username, sent_by=intent.when)) is not None:
                return _checked(self.ledger, found, target)
            self.ledger.withdraw(intent)
        intent = claims.record_intent(comment_key, target, claim)
        try:
            comment_id = self.act.send(self.client, target, message)
        except InstagramError as error:
            if (found := self._settle_failed_request(intent, username, error)) is not None:
                return found
            self.ledger.withdraw(intent)
            error.outcome_unknown = False
            raise
        return self._record(intent, comment_id)

    def _settle_failed_request(
        self, intent: Intent, username: str | None, error: InstagramError
    ) -> CommentRecord | None:
        """Return the comment of a request that ended with an error, or None if it certainly wrote none."""
        if not error.outcome_unknown:
            return None
        log.warning(
            "Whether this took effect is unknown: %s %s: %s",
            self.act.verb,
            intent.container_id,
            error,
        )
        found = self._settle(intent, username, sent_by=self.ledger.clock())
        # After such an answer, there may be a comment that no read finds: a person has to look.
        if found is None and isinstance(error, OutcomeUnknownError):
            error.hint = self.ledger.how_to_settle(intent.post_key)
            raise error
        return found

    def _settle(
        self, intent: Intent, username: str | None, sent_by: datetime
    ) -> CommentRecord | None:
        """Read until it is certain whether a request took effect.

        :param sent_by: When its request was sent at the latest.
        :return: The comment, or None if it certainly does not exist.
        :raises OutcomeUnknownError: If several comments may be the one.
        """
        in_effect_by = sent_by + REQUEST_IN_EFFECT_WITHIN
        give_up_at = max(in_effect_by + VISIBLE_WITHIN, self.ledger.clock() + READ_FOR_AT_LEAST)
        trace = Trace(self.client, self.ledger, intent, self.act.verb, username, in_effect_by)
        while True:
            # decided before the read, so that the last read begins after the deadline
            is_last = self.ledger.clock() >= give_up_at
            if (comment_id := self.act.find(trace)) is not None:
                log.info(
                    "It took effect: %s %s: %s", self.act.verb, intent.container_id, comment_id
                )
                return self._record(intent, comment_id)
            if is_last:
                return None
            self.sleep(READ_AGAIN_AFTER.total_seconds())

    def _record(self, intent: Intent, comment_id: str) -> CommentRecord:
        record = CommentRecord(
            intent.post_key, intent.container_id, comment_id, self.ledger.now(), intent.text
        )
        self.ledger.record_comment(record)
        return record
