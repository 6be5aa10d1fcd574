"""What is done to a post or a comment under one key: settle what is open, then send one request."""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final

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
from airflow_provider_instagram.publishing.claims import PostClaims
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

    @property
    def since(self) -> datetime:
        """When the request took effect at the earliest."""
        return self.intent.when - CLOCK_TOLERANCE

    def found_among(self, comments: Iterable[ReadComment]) -> str | None:
        """Return the id of the comment that the request wrote, or None if none of these may be it.

        :raises OutcomeUnknownError: If one of them may be it, and it is not certain which.
        """
        found = [comment for comment in comments if self.may_be(comment)]
        # Only a comment with a user name and a time is certain to be the one.
        if len(found) == 1 and None not in (self.username, found[0].username, found[0].timestamp):
            return found[0].id
        if found:
            raise OutcomeUnknownError(
                f"A task started to {self.verb} {self.target}, and {len(found)} comments there may be the one that "
                "it wrote.",
                hint=self.ledger.how_to_settle(self.intent.post_key),
            )
        return None

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


class Act(ABC):
    """Something that is done to a post or a comment, once for each key."""

    #: What precedes its keys in the ledger. Empty for the comments of posts.
    name: ClassVar[str] = ""
    #: What it does, before the id of the post or the comment.
    verb: ClassVar[str]
    #: The argument in which the author of a DAG passes the comment.
    argument: ClassVar[str] = "comment_id"
    #: What to do if the outcome is unknown, with ``{forget}`` for the command that deletes the row.
    #: Empty for what the ledger says of comments.
    remedy: ClassVar[str] = ""

    def key(self, given: str | None, owner: Owner, target: str) -> str:
        """Return the key in the ledger. By default, a task does it once to each post or comment, whatever its run.

        Only to comment on a post, each pass of a loop has a default key of its own.
        """
        default = f"{owner.dag_id}/{owner.task_id}/{target}"
        if self.name:
            return f"{self.name}:{given or default}"
        return given or (default + owner.pass_suffix)

    def read(self, given: Any) -> str:
        """Return the id of the post or the comment from what the author of a DAG passes."""
        return arguments.comment_id(self.argument, given)

    @abstractmethod
    def prepare(self, client: GraphClient, target: str, now: datetime) -> str | None:
        """Check that it can be done at a time, and return the account's user name if Instagram tells it."""

    @abstractmethod
    def send(self, client: GraphClient, target: str, message: str) -> str:
        """Send the request, and return the id of what it made."""

    @abstractmethod
    def find(self, trace: Trace) -> str | None:
        """Return the id of what a request made, or None if there is nothing yet."""


class ToPost(Act):
    """Something that is done to a post."""

    def read(self, given: Any) -> str:
        """Return the id of the post from what the author of a DAG passes."""
        return arguments.media_id("media_id", given)

    def prepare(self, client: GraphClient, target: str, now: datetime) -> str | None:
        """Return the account's user name."""
        return _username(client, target)


class WriteComment(ToPost):
    """Comment on a post."""

    verb = "comment on media"

    def send(self, client: GraphClient, target: str, message: str) -> str:
        """Write the comment."""
        return client.send(calls.write_comment(target, message))

    def find(self, trace: Trace) -> str | None:
        """Return the id of the comment, if it is among those of the post."""
        return trace.found_among(comments_since(trace.client, trace.target, trace.since))


class SwitchOff(ToPost):
    """Switch off the comments of a post."""

    name = "comments-off"
    verb = "switch off the comments of media"

    def send(self, client: GraphClient, target: str, message: str) -> str:
        """Switch them off."""
        client.send(calls.switch_off_comments(target))
        return target

    def find(self, trace: Trace) -> str | None:
        """Return the id of the post if its comments are off."""
        return None if trace.client.send(calls.is_comment_enabled(trace.target)) else trace.target


class Reply(Act):
    """Reply to a comment of somebody else."""

    name = "reply"
    verb = "reply to comment"
    argument = "reply_to"

    def prepare(self, client: GraphClient, target: str, now: datetime) -> str | None:
        """Check that the comment takes a reply, and is no reply of the account."""
        comment = _read_comment(client, target)
        if comment.hidden:
            raise ValidationError(
                f"Comment {target} is hidden, and Instagram takes no reply to a hidden comment. Nothing was sent.",
                hint="Show the comment again in the Instagram app, or leave it without a reply.",
            )
        username = _username(client, comment.media_id)
        if username is not None and comment.username == username and comment.parent_id is not None:
            raise ValidationError(
                f"Comment {target} is a reply of the account itself. Nothing was sent.",
                hint="Reply to the comments of others only, or replies would answer each other without end.",
            )
        return username

    def send(self, client: GraphClient, target: str, message: str) -> str:
        """Write the reply."""
        return client.send(calls.write_reply(target, message))

    def find(self, trace: Trace) -> str | None:
        """Return the id of the reply. Instagram lists a reply to a reply below the first comment."""
        thread = _read_comment(trace.client, trace.target).parent_id or trace.target
        return trace.found_among(replies_since(trace.client, thread, trace.since))


class Hide(Act):
    """Hide a comment of somebody else."""

    name = "hide"
    verb = "hide comment"

    def prepare(self, client: GraphClient, target: str, now: datetime) -> str | None:
        """Check that the comment is not the account's own."""
        comment = _read_comment(client, target)
        username = _username(client, comment.media_id)
        if username is not None and comment.username == username:
            raise ValidationError(
                f"Comment {target} is the account's own, which Instagram always shows.",
                hint="Delete it in the app.",
            )
        return username

    def send(self, client: GraphClient, target: str, message: str) -> str:
        """Hide it."""
        client.send(calls.hide_comment(target))
        return target

    def find(self, trace: Trace) -> str | None:
        """Return the id of the comment if it is hidden."""
        return trace.target if _read_comment(trace.client, trace.target).hidden else None


@dataclass(frozen=True)
class PrivateReply(Act):
    """Send a message to who wrote a comment. No call of its scopes tells whether it was sent.

    :param sender: Returns the sender, as the call takes it.
    """

    sender: Callable[[GraphClient], str]

    name = "private-reply"
    verb = "reply privately to comment"
    remedy = (
        "Look at the messages of the account in the Instagram app. If the private reply is there, mark this task as "
        "successful. If it is not, and still not an hour later, run `{forget}` and clear this task."
    )

    def prepare(self, client: GraphClient, target: str, now: datetime) -> None:
        """Check that the comment is not too old."""
        written = _read_comment(client, target).timestamp
        if written is not None and written < now - PRIVATE_REPLY_WITHIN:
            raise ValidationError(
                f"Comment {target} is from {written.isoformat()}. Nothing was sent.",
                hint=f"Instagram takes a private reply for {PRIVATE_REPLY_WITHIN.days} days. Reply to it in public.",
            )

    def send(self, client: GraphClient, target: str, message: str) -> str:
        """Send the message."""
        return client.send(calls.private_reply(self.sender(client), target, message))

    def find(self, trace: Trace) -> None:
        """Raise the error that nobody can tell."""
        raise OutcomeUnknownError(
            f"A task started to {self.verb} {trace.target}, and Instagram does not tell whether the message was sent.",
            hint=trace.ledger.how_to_settle(trace.intent.post_key),
        )


def _username(client: GraphClient, media_id: str | None) -> str | None:
    return read_after_create(client, calls.media(media_id)).username if media_id else None


def _read_comment(client: GraphClient, comment_id: str) -> ReadComment:
    try:
        return read_after_create(client, calls.comment(comment_id))
    except NotReadyError as error:
        raise ValidationError(
            f"The account has no comment {comment_id}: {error.message}",
            hint="It was deleted, or it is on a post of another account.",
        ) from error


COMMENT: Final[Act] = WriteComment()
SWITCH_OFF: Final[Act] = SwitchOff()
REPLY: Final[Act] = Reply()
HIDE: Final[Act] = Hide()


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
        :param message: The text; empty for what has none. None if there is no comment to write, and
            nothing is done.
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
                writer = CommentWriter(client, self.ledger, self.attempt, self.act)
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
    attempt: Try
    act: Act = COMMENT
    sleep: Sleep = time.sleep

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
        claims = PostClaims(replace(self.ledger, text=digest(message)), self.attempt, self.sleep)
        claim = claims.acquire(comment_key)
        if (record := recorded_comment(self.ledger, comment_key, target)) is not None:
            return record
        for intent in self.ledger.open_intents(comment_key, self.attempt.owner):
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
