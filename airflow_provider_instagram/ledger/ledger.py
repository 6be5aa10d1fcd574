"""The ledger: the record of posts in Airflow's asset state store that makes one ``post_key`` one post."""

from __future__ import annotations

import hashlib
import shlex
import unicodedata
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.ledger.assets import ledger_asset
from airflow_provider_instagram.ledger.records import (
    Claim,
    CommentRecord,
    ContainerRecord,
    Deletion,
    Intent,
    Owner,
    PublishedPost,
)
from airflow_provider_instagram.ledger.seal import SealedStore, StateStore, of_another_version
from airflow_provider_instagram.utils.clock import CLOCK

if TYPE_CHECKING:
    from airflow.sdk import Context
    from typing_extensions import Self

T = TypeVar("T")
# The store's column holds 512 characters, which the row's kind and an owner share with the key.
LONGEST_KEY = 400


@dataclass
class Ledger:
    """The rows of one account. Its clock is Instagram's once it was compared."""

    store: StateStore
    conn_id: str
    clock: Callable[[], datetime] = field(default=CLOCK.now)

    #: What precedes the kind of each row of a claim or an intent.
    prefix: ClassVar[str] = ""
    #: The name of the key and what happens to it, as words of a message.
    claimed: ClassVar[tuple[str, str]] = ("post_key", "is being published")

    @classmethod
    def of(cls, context: Context, conn_id: str, *, is_lenient: bool = False) -> Self:
        """Open the account's ledger from a running task.

        :param is_lenient: Whether a row without a good seal counts as none, because the task posts
            nothing.
        :raises ValidationError: If the task cannot reach the ledger. Nothing has been sent to
            Instagram.
        """
        try:
            return cls(
                SealedStore.of(context, ledger_asset(conn_id), is_lenient=is_lenient), conn_id
            )
        except KeyError:
            raise ValidationError(
                f"This task cannot reach the ledger of connection {conn_id!r}, so nothing was sent to Instagram.",
                hint="The operator adds the ledger to the task's inlets. With .partial().expand(), pass "
                "instagram_conn_id and inlets to partial(), not to expand().",
            ) from None

    def now(self) -> str:
        """Return the time in the format of the rows."""
        return self.clock().isoformat()

    def post(self, post_key: str) -> PublishedPost | None:
        """Read the post of a key, if it is known to be live."""
        return self._read(row_key("done", post_key), PublishedPost)

    def record_post(self, post: PublishedPost) -> None:
        """Record that the post of a key is live."""
        self.store.set(row_key("done", post.post_key), asdict(post))
        if post.media_id:
            self.store.set(row_key("media", post.media_id), post.post_key)

    def change_post(self, post: PublishedPost, **changes: Any) -> PublishedPost:
        """Change fields of a post as it is recorded by now: another task may have changed others since it was read."""
        changed = replace(self.post(post.post_key) or post, **changes)
        self.record_post(changed)
        return changed

    def is_settled(self, key: str) -> bool:
        """Return whether the result of a key is recorded, so that nothing is sent for it."""
        return self.post(key) is not None

    def key_of_media(self, media_id: str) -> str | None:
        """Return the key of a post of the account, or None if the ledger does not have the post."""
        key: str | None = self.store.get(row_key("media", media_id))
        return key

    def may_be_deleted(self, media_id: str, ig_user_id: str) -> bool:
        """Return whether a request to delete a post of an account may have been sent, and was not certainly refused."""
        deletion = self.deletion(media_id)
        return deletion is not None and deletion.ig_user_id == ig_user_id

    def deletion(self, media_id: str) -> Deletion | None:
        """Read the last request to delete a post."""
        return self._read(row_key("deletion", media_id), Deletion)

    def record_deletion_intent(
        self, media_id: str, ig_user_id: str | None, by: str | None = None
    ) -> None:
        """Record that this try deletes a post now. Airflow refuses the write if the try is no longer current.

        :param ig_user_id: The account. None withdraws the intent: its request certainly deleted
            nothing.
        :param by: Who agreed to it.
        """
        deletion = Deletion(self.now(), ig_user_id, by)
        self.store.set(row_key("deletion", media_id), asdict(deletion))

    def claim(self, post_key: str) -> Claim | None:
        """Read the claim of a key."""
        return self._read(row_key(f"{self.prefix}claim", post_key), Claim)

    def record_claim(self, post_key: str, claim: Claim) -> None:
        """Record a claim of a key. The last claim counts."""
        self.store.set(row_key(f"{self.prefix}claim", post_key), asdict(claim))

    def intent(self, post_key: str, owner: Owner | None = None) -> Intent | None:
        """Read the intent to publish a key: the latest one, or an owner's own, which no other owner overwrites."""
        return self._read(row_key(f"{self.prefix}intent", post_key, owner), Intent)

    def open_intents(self, post_key: str, *owners: Owner) -> list[Intent]:
        """Return the intents with an open outcome, one for each container, oldest first.

        :param owners: Owners whose intents to read, in addition to the latest intent and those of
            the owners that the claim names. A late write of another owner may hide them.
        """
        claim = self.claim(post_key)
        named = () if claim is None else (claim.owner, *claim.undecided)
        intents = [
            self.intent(post_key),
            *(self.intent(post_key, owner) for owner in {*named, *owners}),
        ]
        undecided = [intent for intent in intents if intent and not intent.withdrawn]
        undecided.sort(key=lambda intent: intent.when)
        return list({(intent.container_id, intent.text): intent for intent in undecided}.values())

    def command(self, name: str) -> str:
        """Return a command of ``airflow instagram ledger`` for this account, as a user types it."""
        return f"airflow instagram ledger {name} --conn-id {shlex.quote(self.conn_id)}"

    def how_to_settle(self, post_key: str) -> str:
        """Return the instructions for a person to settle a post whose outcome nothing else can determine."""
        live = f"{self.command('settle')} --live -- {shlex.quote(post_key)}"
        return (
            f"Look at the account on Instagram. (1) If the post is live, run `{live}` and clear this task. (2) If the "
            "post is not live, and still not an hour later, run the same command with --not-live and clear this task. "
            "(3) If you are not sure, do nothing: until you run one of the two, nothing is sent for this post."
        )

    def record_intent(self, post_key: str, container_id: str, claim: Claim, **more: Any) -> Intent:
        """Record that this try publishes now. Airflow refuses the write if the try is no longer current."""
        intent = Intent(post_key, container_id, self.now(), claim, **more)
        self._write(intent)
        return intent

    def withdraw(self, intent: Intent) -> None:
        """Record that an intent certainly led to no post."""
        self._write(replace(intent, withdrawn=True))

    def leave_for_manual_resolution(self, intent: Intent) -> None:
        """Record that only a person can determine the outcome of an intent."""
        self._write(replace(intent, needs_manual_resolution=True))

    def _write(self, intent: Intent) -> None:
        kind = f"{self.prefix}intent"
        row = asdict(intent)
        self.store.set(row_key(kind, intent.post_key, intent.claim.owner), row)
        self.store.set(row_key(kind, intent.post_key), row)

    def container(self, container_id: str) -> ContainerRecord | None:
        """Read the record of a container."""
        return self._read(row_key("container", container_id), ContainerRecord)

    def record_container(self, record: ContainerRecord) -> None:
        """Record a new container and the post that it is for."""
        listed_in = row_key("containers" if record.item is None else "children", record.post_key)
        container_ids = [*(self.store.get(listed_in) or ()), record.container_id]
        self.store.set(row_key("container", record.container_id), asdict(record))
        self.store.set(listed_in, container_ids)

    def containers(self, post_key: str) -> list[ContainerRecord]:
        """Read all containers that were created for a key, oldest first, without those of a carousel's items."""
        return self._listed_in("containers", post_key)

    def children(self, post_key: str) -> list[ContainerRecord]:
        """Read all containers that were created for the items of a carousel, oldest first."""
        return self._listed_in("children", post_key)

    def discard_children(self, post_key: str) -> None:
        """Record that no container of an item is good for another carousel."""
        self.store.set(row_key("children", post_key), [])

    def _read(self, name: str, kind: type[T]) -> T | None:
        """Read a row, or return None if there is none.

        :raises LedgerRowError: If no task of this version has written it.
        """
        row = self.store.get(name)
        try:
            return kind(**row) if row else None
        except (TypeError, ValueError) as error:
            if getattr(self.store, "is_lenient", False):
                return None
            raise of_another_version(name, ledger_asset(self.conn_id).uri) from error

    def _listed_in(self, kind: str, post_key: str) -> list[ContainerRecord]:
        records = (
            self.container(container_id)
            for container_id in self.store.get(row_key(kind, post_key)) or ()
        )
        return [record for record in records if record]


def digest(text: str) -> str:
    """Return a digest of a text that ignores what Instagram may normalise: Unicode form (NFC) and white space."""
    return hashlib.sha256(" ".join(unicodedata.normalize("NFC", text).split()).encode()).hexdigest()


#: The kinds of rows that only a post or a comment in the making needs. Packages that write other kinds add theirs.
IN_THE_MAKING: Final = {
    "claim",
    "intent",
    "container",
    "containers",
    "children",
    "comment-claim",
    "comment-intent",
    "asked",
}
#: The kinds of rows whose keys end with that of a post or a comment. Packages that write other kinds add theirs.
OF_A_POST: Final = {"done", "claim", "intent", "comment", "comment-claim", "comment-intent"}


def row_key(kind: str, key: str, owner: Owner | None = None) -> str:
    """Return the key of a row. A long key is hashed; a row that needs the original key contains it as a value."""
    if len(key) > LONGEST_KEY:
        key = f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"
    suffix = f":{hashlib.sha256(str(owner).encode()).hexdigest()[:32]}" if owner else ""
    return f"{kind}:{key}{suffix}"


@dataclass
class CommentLedger(Ledger):
    """An account's ledger whose claims and intents are those of comments, in rows of their own.

    ``comment:<key>`` is the row of a comment that is live, ``comment-claim:<key>`` and
    ``comment-intent:<key>`` those of a comment that is being written, and ``comment-id:<id>`` has
    the key of a comment.

    :param text: Digest of the text that this task writes.
    :param remedy: How a person settles what nothing else can determine, if it is not a comment. May
        name {forget}.
    """

    text: str | None = None
    remedy: str = ""

    prefix: ClassVar[str] = "comment-"
    claimed: ClassVar[tuple[str, str]] = ("comment_key", "is being written")

    def comment(self, comment_key: str) -> CommentRecord | None:
        """Read the comment of a key, if it is known to be live."""
        return self._read(row_key("comment", comment_key), CommentRecord)

    def record_comment(self, record: CommentRecord) -> None:
        """Record that the comment of a key is live."""
        self.store.set(row_key("comment", record.comment_key), asdict(record))
        self.store.set(row_key("comment-id", record.comment_id), record.comment_key)

    def is_settled(self, key: str) -> bool:
        """Return whether the comment of a key is recorded, so that nothing is sent for it."""
        return self.comment(key) is not None

    def knows_comment(self, comment_id: str) -> bool:
        """Return whether a comment has a key in this ledger."""
        return self.store.get(row_key("comment-id", comment_id)) is not None

    def record_intent(self, post_key: str, container_id: str, claim: Claim, **more: Any) -> Intent:
        """Record that this try writes the comment now. Airflow refuses the write if the try is no longer current."""
        return super().record_intent(post_key, container_id, claim, text=self.text, **more)

    def how_to_settle(self, post_key: str) -> str:
        """Return the instructions for a person to settle a comment whose outcome nothing else can determine."""
        return self.remedy.format(forget=self.how_to_forget(post_key)) or (
            "Look at the comments of the post in the Instagram app, and delete those that are not wanted. Then clear "
            "this task: if exactly one comment with this text and of this account is left, the task returns it, and if "
            "none is left, the task writes it."
        )

    def how_to_forget(self, comment_key: str) -> str:
        """Return the command that deletes the record of a comment, as a user types it."""
        return f"{self.command('forget')} -- {shlex.quote(comment_key)}"
