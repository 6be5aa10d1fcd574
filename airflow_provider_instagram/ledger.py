"""Who posted what: the record on Airflow's asset state store that makes one ``post_key`` one post."""

from __future__ import annotations

import hashlib
import shlex
import unicodedata
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Protocol, cast

from airflow.sdk import Asset, AssetAlias

from airflow_provider_instagram.exceptions import ValidationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow.sdk import Context

# Source: Meta, IG Container reference: a container that is not published within 24 hours expires.
CONTAINER_LIFE = timedelta(hours=24)
EXPIRY_MARGIN = timedelta(minutes=30)

LONGEST_KEY = 400  # The store's column holds 512 characters; the row's kind and an owner go in front of the key.


def ledger_asset(conn_id: str) -> Asset:
    """Name the asset whose state store is the ledger of one account's connection."""
    uri = f"instagram://{conn_id}/ledger"
    return Asset(name=uri, uri=uri)


def ledger_alias(conn_id: str) -> AssetAlias:
    """Name the alias that holds the ledger.

    Airflow deletes the state of an asset that no DAG refers to any more. An event through an alias ties the asset to
    the alias, and that tie outlives the DAGs: the ledger is still there when a deleted DAG comes back.
    """
    return AssetAlias(f"instagram://{conn_id}/ledger")


def posts_asset(conn_id: str) -> Asset:
    """Name the asset that has an event for every post which the account really made."""
    uri = f"instagram://{conn_id}/posts"
    return Asset(name=uri, uri=uri)


def posts_alias(conn_id: str) -> AssetAlias:
    """Name the alias through which a publishing task emits events of :func:`posts_asset`, and only when it posted."""
    return AssetAlias(f"instagram://{conn_id}/posts")


class StateStore(Protocol):
    """The part of Airflow's state store that the ledger needs."""

    def get(self, key: str) -> Any:
        """Read a row, or None."""

    def set(self, key: str, value: Any) -> None:
        """Write a row. Airflow refuses it from a try that is no longer the task's current one: that is the fence."""


@dataclass(frozen=True)
class MadeContainer:
    """A container that was created for a post.

    :param container_id: The container.
    :param post_key: The post that it was made for.
    :param created_at: When, ISO 8601 in UTC.
    :param content: Digest of its video and options: a container is used again only for the same content.
    :param caption: Digest of its caption, by which its post is found.
    :param upload_uri: Where the rest of an interrupted upload goes.
    """

    container_id: str
    post_key: str
    created_at: str
    content: str
    caption: str | None = None
    upload_uri: str | None = None

    @property
    def expires(self) -> datetime:
        """When it is of no use any more unless it is published."""
        return datetime.fromisoformat(self.created_at) + CONTAINER_LIFE

    def lives_until(self, publish_at: datetime) -> bool:
        """Tell whether it can be published at a time."""
        return publish_at <= self.expires - EXPIRY_MARGIN


@dataclass(frozen=True)
class Owner:
    """The task instance that works on a post, in all its tries.

    :param dag_id: Its DAG.
    :param run_id: Its run.
    :param task_id: Its task.
    :param map_index: Its map index; -1 where the task is not mapped.
    :param loop_index: Its pass of a loop of Airflow 3.4, from 0; None outside of loops.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    loop_index: int | None = None

    @classmethod
    def of(cls, context: Context) -> Owner:
        """Name the task instance that runs here."""
        ti, loop = context["ti"], cast("Mapping[str, Any]", context).get("loop")
        # Not the region: a Clear of the loop's gate makes the later passes anew in another one, and only this stays.
        loop_index = None if loop is None else loop.index
        return cls(ti.dag_id, ti.run_id, ti.task_id, -1 if ti.map_index is None else ti.map_index, loop_index)

    def __str__(self) -> str:
        name = f"{self.dag_id}/{self.run_id}/{self.task_id}/{self.map_index}"
        return name if self.loop_index is None else f"{name}/pass-{self.loop_index}"


@dataclass(frozen=True)
class Claim:
    """Who may publish a post: the last to write it.

    :param owner: The task instance.
    :param nonce: Drawn for this one attempt, so that a claim is never taken for another.
    :param undecided: Owners before him who have set out to publish, with what outcome is not known.
    """

    owner: Owner
    nonce: str
    undecided: list[Owner] = field(default_factory=list)


@dataclass(frozen=True)
class Intent:
    """Somebody is about to publish, or has; whether he did is not known from this row, unless it was withdrawn.

    :param post_key: The post.
    :param container_id: Its container.
    :param at: Just before the request was sent, ISO 8601 in UTC.
    :param claim: Under which claim.
    :param withdrawn: Whether the intent certainly made no post.
    :param left_to_a_person: Whether only a person can tell what came of it.
    """

    post_key: str
    container_id: str
    at: str
    claim: Claim
    withdrawn: bool = False
    left_to_a_person: bool = False

    @property
    def when(self) -> datetime:
        """The moment just before the request was sent."""
        return datetime.fromisoformat(self.at)


@dataclass(frozen=True)
class Post:
    """A post that is live.

    :param post_key: What it is known by.
    :param container_id: The container that it was made of.
    :param published_at: When, ISO 8601 in UTC.
    :param media_id: Its id; None where it could not be told apart.
    :param ig_user_id: The account that it was made on; None where a person has said that it is live.
    :param permalink: Its address; None where it could not be told apart or read.
    :param untold: Whether other DAGs still have to be told of it, by an event.
    """

    post_key: str
    container_id: str
    published_at: str
    media_id: str | None = None
    ig_user_id: str | None = None
    permalink: str | None = None
    untold: bool = False


@dataclass
class Ledger:
    """The rows of one account.

    :param store: Where they are kept.
    :param conn_id: The account's connection.
    :param clock: Tells the time, in UTC.
    """

    store: StateStore
    conn_id: str
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(timezone.utc))

    @classmethod
    def of(cls, context: Context, conn_id: str) -> Ledger:
        """Open the account's ledger from a running task.

        :param context: The task's context.
        :param conn_id: The account's connection.
        :raises ValidationError: When the task cannot reach it; nothing has been sent to Instagram then.
        """
        try:
            return cls(context["asset_state_store"][ledger_asset(conn_id)], conn_id)
        except KeyError:
            raise ValidationError(
                f"This task cannot reach the ledger of connection {conn_id!r}, so nothing was sent to Instagram.",
                hint="The ledger is an inlet that the operator adds itself. Under .partial().expand(), give "
                "instagram_conn_id and inlets to partial(), not to expand().",
            ) from None

    def now(self) -> str:
        """Tell the time as the rows keep it."""
        return self.clock().isoformat()

    def post(self, post_key: str) -> Post | None:
        """Read the post that was made for a key, if it is known to be live."""
        row = self.store.get(row_key("done", post_key))
        return Post(**row) if row else None

    def record_post(self, post: Post) -> None:
        """Write down that a key's post is live."""
        self.store.set(row_key("done", post.post_key), asdict(post))
        if post.media_id:
            self.store.set(row_key("media", post.media_id), post.post_key)

    def knows_media(self, media_id: str) -> bool:
        """Tell whether a post of the account is one that this ledger has a key for."""
        return self.store.get(row_key("media", media_id)) is not None

    def claim(self, post_key: str) -> Claim | None:
        """Read who claims a key."""
        row = self.store.get(row_key("claim", post_key))
        return _claim(row) if row else None

    def record_claim(self, post_key: str, claim: Claim) -> None:
        """Claim a key. The last claim counts."""
        self.store.set(row_key("claim", post_key), _row(claim))

    def intent(self, post_key: str, owner: Owner | None = None) -> Intent | None:
        """Read the intent to publish a key: the latest, or an owner's own, which nobody else overwrites."""
        row = self.store.get(row_key("intent", post_key, owner))
        return Intent(**{**row, "claim": _claim(row["claim"])}) if row else None

    def open_intents(self, post_key: str, *owners: Owner) -> list[Intent]:
        """Give the intents whose outcome is open, one a container, oldest first.

        :param post_key: The post.
        :param owners: Whose intents to look for, beside the latest and those of whom the claim tells: another's late
            write may lie over them.
        """
        claim = self.claim(post_key)
        told = () if claim is None else (claim.owner, *claim.undecided)
        found = [self.intent(post_key), *(self.intent(post_key, owner) for owner in {*told, *owners})]
        still_open = sorted((one for one in found if one and not one.withdrawn), key=lambda one: one.when)
        return list({one.container_id: one for one in still_open}.values())

    def command(self, name: str) -> str:
        """Write a command of ``airflow instagram ledger`` for this account, as a person types it."""
        return f"airflow instagram ledger {name} --conn-id {shlex.quote(self.conn_id)}"

    def how_to_settle(self, post_key: str) -> str:
        """Tell a person how to say what became of a post that nothing else can tell of."""
        live = f"{self.command('settle')} --live -- {shlex.quote(post_key)}"
        return (
            f"Look at the account. (1) The post is there: `{live}`, then clear this task. (2) It is not, nor an hour "
            "later: the same with --not-live. (3) In doubt, leave it: nothing is sent for this post until you have "
            "said which."
        )

    def record_intent(self, post_key: str, container_id: str, claim: Claim) -> Intent:
        """Write down that this try publishes now. Refused by Airflow when the try is no longer current."""
        intent = Intent(post_key, container_id, self.now(), claim)
        self._write(intent)
        return intent

    def withdraw(self, intent: Intent) -> None:
        """Write down that an intent certainly made no post."""
        self._write(replace(intent, withdrawn=True))

    def leave_to_a_person(self, intent: Intent) -> None:
        """Write down that no reading tells what an intent has made."""
        self._write(replace(intent, left_to_a_person=True))

    def _write(self, intent: Intent) -> None:
        self.store.set(row_key("intent", intent.post_key, intent.claim.owner), _row(intent))
        self.store.set(row_key("intent", intent.post_key), _row(intent))

    def container(self, container_id: str) -> MadeContainer | None:
        """Read what a container was made for."""
        row = self.store.get(row_key("container", container_id))
        return MadeContainer(**row) if row else None

    def record_container(self, made: MadeContainer) -> None:
        """Write down which post a new container is for."""
        self.store.set(row_key("container", made.container_id), asdict(made))
        self.store.set(row_key("containers", made.post_key), [*self._container_ids(made.post_key), made.container_id])

    def containers(self, post_key: str) -> list[MadeContainer]:
        """Read all containers that were made for a key, oldest first."""
        made = (self.container(container_id) for container_id in self._container_ids(post_key))
        return [container for container in made if container]

    def _container_ids(self, post_key: str) -> list[str]:
        return self.store.get(row_key("containers", post_key)) or []


def digest(text: str) -> str:
    """Fingerprint a text, alike for texts that Instagram may have normalised: NFC, white space folded."""
    return hashlib.sha256(" ".join(unicodedata.normalize("NFC", text).split()).encode()).hexdigest()


def _row(written: Claim | Intent) -> dict[str, Any]:
    """Return the row of a claim or an intent. Outside of loops it is the row of versions that knew of no passes."""
    return asdict(written, dict_factory=lambda fields: {name: value for name, value in fields if value is not None})


def _claim(row: dict[str, Any]) -> Claim:
    undecided = [Owner(**owner) for owner in row.get("undecided", ())]
    return Claim(Owner(**row["owner"]), row["nonce"], undecided)


def row_key(kind: str, key: str, owner: Owner | None = None) -> str:
    """Name a row; long keys are hashed, and every row that needs its key holds it inside."""
    if len(key) > LONGEST_KEY:
        key = f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"
    whose = f":{hashlib.sha256(str(owner).encode()).hexdigest()[:32]}" if owner else ""
    return f"{kind}:{key}{whose}"
