"""Write one comment under one key: settle what is open, then send one request."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_instagram.exceptions import InstagramError, OutcomeUnknownError, ValidationError
from airflow_provider_instagram.graph import calls
from airflow_provider_instagram.graph.listing import comments_since, read_after_create
from airflow_provider_instagram.ledger.ledger import CommentLedger, digest
from airflow_provider_instagram.ledger.records import CommentRecord, Intent, Owner, Try
from airflow_provider_instagram.publishing.claims import PostClaims
from airflow_provider_instagram.publishing.outcome import (
    CLOCK_TOLERANCE,
    READ_AGAIN_AFTER,
    READ_FOR_AT_LEAST,
    REQUEST_IN_EFFECT_WITHIN,
)
from airflow_provider_instagram.publishing.use_case import Skipped
from airflow_provider_instagram.utils import arguments

if TYPE_CHECKING:
    from airflow_provider_instagram.graph.client import GraphClient
    from airflow_provider_instagram.graph.models import Comment as CommentOnPost

log = logging.getLogger(__name__)

#: A comment shows up in the comments of its post with a delay, at most this long.
VISIBLE_WITHIN = timedelta(seconds=30)


@dataclass(frozen=True)
class Comment:
    """Writes a comment on a post: one ``comment_key``, one comment.

    :param connect: Opens a client, if the account is not known to lack the scope for comments.
    """

    ledger: CommentLedger
    connect: Callable[[], AbstractContextManager[GraphClient]]
    attempt: Try

    def run(self, published: Any, message: str | None, comment_key: str) -> CommentRecord | Skipped:
        """Return the comment of a key, and write it if it does not exist.

        :param message: The text. None if there is no comment to write.
        :raises OutcomeUnknownError: If the comment may be live, and no read can determine that.
        """
        if message is None:
            return Skipped("", "The message is empty, so there is no comment to write.")
        if _is_of_dry_run(published):
            return Skipped("", "The post was only a dry run, so there is nothing to comment on.")
        media_id = arguments.media_id("media_id", published)
        if (record := recorded_comment(self.ledger, comment_key, media_id)) is None:
            with self.connect() as client:
                writer = CommentWriter(client, self.ledger, self.attempt.owner, self.attempt.is_alive)
                record = writer.get_or_write(comment_key, media_id, message)
        log.info("The comment %s is on media %s: %s", comment_key, media_id, record.comment_id)
        return record


def _is_of_dry_run(published: Any) -> bool:
    """Return whether this is what PublishOperator returns after a dry run: no time of publication, and no media id."""
    return (
        isinstance(published, dict) and published.get("media_id") is None and published.get("published_at", "") is None
    )


def recorded_comment(ledger: CommentLedger, comment_key: str, media_id: str) -> CommentRecord | None:
    """Return the comment that the ledger has for a key, or None.

    :raises ValidationError: If the comment of this key is on another post.
    """
    record = ledger.comment(comment_key)
    return None if record is None else _checked(ledger, record, media_id)


def _checked(ledger: CommentLedger, record: CommentRecord, media_id: str) -> CommentRecord:
    if record.media_id == media_id:
        return record
    raise ValidationError(
        f"The comment with the comment_key {record.comment_key!r} is on media {record.media_id}, not on {media_id}.",
        hint="Use a different comment_key for each comment. To write this one on the new post as well, run "
        f"`{ledger.how_to_forget(record.comment_key)}` and clear this task.",
    )


@dataclass(frozen=True)
class CommentWriter:
    """Writes the comments of one owner."""

    client: GraphClient
    ledger: CommentLedger
    owner: Owner
    is_alive: Callable[[Owner], bool]
    sleep: Callable[[float], None] = time.sleep

    def get_or_write(self, comment_key: str, media_id: str, message: str) -> CommentRecord:
        """Return the comment of a key, and write it if it does not exist.

        1. The ledger has the comment: return it.
        2. Read the post, which may be too new for Instagram to know it, and which has the account's user name.
        3. Claim the key.
        4. For each open intent, read the comments of its post until the outcome is certain. If it led to a comment,
           record the comment and return it. If not, withdraw the intent.
        5. Write the intent. This write is the fence: from here on, a comment may exist.
        6. Send the request, and record the comment.

        If the process dies before step 5, nothing was sent. If it dies after step 5, the next try settles the intent.

        :raises OutcomeUnknownError: If the comment may be live, and no read can determine that.
        :raises TransientError: If another owner writes the comment.
        :raises InstagramError: If the comment is not live. The error contains the reason.
        """
        if (record := recorded_comment(self.ledger, comment_key, media_id)) is not None:
            return record
        username = read_after_create(self.client, calls.media(media_id)).username
        claims = PostClaims(replace(self.ledger, text=digest(message)), self.owner, self.is_alive, self.sleep)
        claim = claims.acquire(comment_key)
        if (record := recorded_comment(self.ledger, comment_key, media_id)) is not None:
            return record
        for intent in self.ledger.open_intents(comment_key, self.owner):
            claims.check_abandoned(intent)
            log.info("%s started to comment on media %s at %s", intent.claim.owner, intent.container_id, intent.at)
            if (found := self._settle(intent, username, sent_by=intent.when)) is not None:
                return _checked(self.ledger, found, media_id)
            self.ledger.withdraw(intent)
        intent = claims.record_intent(comment_key, media_id, claim)
        try:
            comment_id = self.client.send(calls.write_comment(media_id, message))
        except InstagramError as error:
            if (found := self._settle_failed_request(intent, username, error)) is not None:
                return found
            self.ledger.withdraw(intent)
            error.outcome_unknown = False
            raise
        return self._record(CommentRecord(comment_key, media_id, comment_id, self.ledger.now()))

    def _settle_failed_request(
        self, intent: Intent, username: str | None, error: InstagramError
    ) -> CommentRecord | None:
        """Find out what a request did that ended with an error."""
        if not error.outcome_unknown:
            return None
        log.warning("Whether the comment on media %s was written is unknown: %s", intent.container_id, error)
        found = self._settle(intent, username, sent_by=self.ledger.clock())
        if found is None and isinstance(error, OutcomeUnknownError):  # Instagram reports a duplicate
            error.hint = self.ledger.how_to_settle(intent.post_key)
            raise error
        return found

    def _settle(self, intent: Intent, username: str | None, sent_by: datetime) -> CommentRecord | None:
        """Read the comments of a post until it is certain whether a request wrote one.

        :param sent_by: When its request was sent at the latest.
        :return: The comment, or None if it certainly does not exist.
        :raises OutcomeUnknownError: If several comments may be the one.
        """
        in_effect_by = sent_by + REQUEST_IN_EFFECT_WITHIN
        give_up_at = max(in_effect_by + VISIBLE_WITHIN, self.ledger.clock() + READ_FOR_AT_LEAST)
        while True:
            is_last = self.ledger.clock() >= give_up_at
            found = list(self._candidates(intent, username, in_effect_by))
            if len(found) == 1 and None not in (username, found[0].username, found[0].timestamp):
                log.info("The comment on media %s was written: %s", intent.container_id, found[0].id)
                written = CommentRecord(intent.post_key, intent.container_id, found[0].id, self.ledger.now())
                return self._record(written)
            if found:
                raise OutcomeUnknownError(
                    f"A task started to comment on media {intent.container_id}, and {len(found)} comments there may be "
                    "the one that it wrote.",
                    hint=self.ledger.how_to_settle(intent.post_key),
                )
            if is_last:
                return None
            self.sleep(READ_AGAIN_AFTER.total_seconds())

    def _candidates(self, intent: Intent, username: str | None, in_effect_by: datetime) -> Iterator[CommentOnPost]:
        """Yield the comments that the request of an intent may have written, by text, user name and time."""
        for comment in comments_since(self.client, intent.container_id, intent.when - CLOCK_TOLERANCE):
            if (
                digest(comment.text or "") == intent.text
                and (None in (comment.username, username) or comment.username == username)
                and (comment.timestamp is None or comment.timestamp <= in_effect_by + CLOCK_TOLERANCE)
                and not self.ledger.knows_comment(comment.id)
            ):
                yield comment

    def _record(self, record: CommentRecord) -> CommentRecord:
        self.ledger.record_comment(record)
        return record
