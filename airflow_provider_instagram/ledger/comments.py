"""The ledger of comments: the record, beside that of the posts, that makes one ``comment_key`` one comment."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import ClassVar

from airflow_provider_instagram.ledger.ledger import Ledger, as_row, fields_of, row_key
from airflow_provider_instagram.ledger.records import Claim, CommentRecord, Intent


@dataclass
class CommentLedger(Ledger):
    """An account's ledger whose claims and intents are those of comments, in rows of their own.

    ``comment:<key>`` is the row of a comment that is live, ``comment-claim:<key>`` and ``comment-intent:<key>`` those
    of a comment that is being written, and ``comment-id:<id>`` has the key of a comment.

    :param text: Digest of the text that this task writes.
    """

    text: str | None = None

    prefix: ClassVar[str] = "comment-"
    claimed: ClassVar[tuple[str, str]] = ("comment_key", "is being written")

    def comment(self, comment_key: str) -> CommentRecord | None:
        """Read the comment of a key, if it is known to be live."""
        row = self.store.get(row_key("comment", comment_key))
        return CommentRecord(**fields_of(row)) if row else None

    def record_comment(self, record: CommentRecord) -> None:
        """Record that the comment of a key is live."""
        self.store.set(row_key("comment", record.comment_key), as_row(record))
        self.store.set(row_key("comment-id", record.comment_id), record.comment_key)

    def is_settled(self, key: str) -> bool:
        """Return whether the comment of a key is recorded, so that nothing is sent for it."""
        return self.comment(key) is not None

    def knows_comment(self, comment_id: str) -> bool:
        """Return whether a comment has a key in this ledger."""
        return self.store.get(row_key("comment-id", comment_id)) is not None

    def record_intent(self, post_key: str, container_id: str, claim: Claim) -> Intent:
        """Record that this try writes the comment now. Airflow refuses the write if the try is no longer current."""
        intent = Intent(post_key, container_id, self.now(), claim, text=self.text)
        self._write(intent)
        return intent

    def how_to_settle(self, post_key: str) -> str:
        """Return the instructions for a person to settle a comment whose outcome nothing else can determine."""
        return (
            "Look at the comments of the post in the Instagram app, and delete those that are not wanted. Then clear "
            "this task: if exactly one comment with this text and of this account is left, the task returns it, and if "
            "none is left, the task writes it."
        )

    def how_to_forget(self, comment_key: str) -> str:
        """Return the command that deletes the record of a comment, as a user types it."""
        return f"{self.command('forget')} -- {shlex.quote(comment_key)}"
