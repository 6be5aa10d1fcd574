"""The ledger of an account as Airflow's own processes reach it: directly in the database, outside of any task.

The command line and the pages use this. Tasks must not: they reach the ledger through Airflow's
API, which refuses the write of a try that is no longer current.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from airflow.models.asset import AssetModel
from airflow.models.asset_state_store import AssetStateStoreModel
from airflow.state import AssetScope, get_state_backend
from airflow.utils.session import create_session
from sqlalchemy import CursorResult, delete, or_, select, update

from airflow_provider_instagram.exceptions import LedgerRowError, ValidationError
from airflow_provider_instagram.ledger.assets import ledger_asset
from airflow_provider_instagram.ledger.ledger import IN_THE_MAKING, OF_A_POST, Ledger, row_key
from airflow_provider_instagram.ledger.records import ContainerRecord, PublishedPost
from airflow_provider_instagram.ledger.seal import (
    ENCRYPTED,
    REPLACEABLE,
    kind_of,
    sealed,
    unsealed,
    verified,
)
from airflow_provider_instagram.utils.arguments import SETTLED

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


ROWS_AT_ONCE = 500
LEDGERS = "instagram://%/ledger"
#: The key of an owner's own intent: that of the latest intent, and the owner.
_OF_AN_OWNER = re.compile(r"(.+):[0-9a-f]{32}", re.DOTALL)
#: The assets whose rows record which notifications were sent, and what the planner remembers.
EVENTS = "instagram://%/events"


@dataclass
class DatabaseStore:
    """The rows of a ledger in Airflow's database."""

    session: Session
    asset_id: int
    uri: str

    def get(self, key: str) -> Any:
        """Return a row, or None.

        :raises LedgerRowError: If its seal is not good.
        """
        value = get_state_backend().get(self._scope, key, session=self.session)
        return None if value is None else unsealed(_content(value), key, self.uri)

    def set(self, key: str, value: Any) -> None:
        """Write a row."""
        get_state_backend().set(
            self._scope, key, json.dumps(sealed(value, key, self.uri)), session=self.session
        )

    def delete(self, key: str) -> None:
        """Delete a row if it exists."""
        get_state_backend().delete(self._scope, key, session=self.session)

    def rows(self) -> dict[str, Any]:
        """Return all rows by their keys. In place of one whose seal is not good is the error that says so."""
        return {
            key: _verified_or_error(_content(value), key, self.uri) for key, value in self._stored()
        }

    def reseal(self, *, trusts: bool = False) -> tuple[int, list[str]]:
        """Seal each row with the first of Airflow's keys, unless a task writes it meanwhile.

        :param trusts: Whether to seal a row as well whose seal is not good. An encrypted one then
            counts as none: no key opens it, or it was written by somebody without any.
        :return: How many rows were sealed, and the keys of those that were left.
        """
        model = AssetStateStoreModel
        number = 0
        left = []
        for key, value in self._stored():
            stored = _content(value)
            content = _verified_or_error(stored, key, self.uri)
            if isinstance(content, LedgerRowError):
                if not trusts or not isinstance(stored, dict):
                    left.append(key)
                    continue
                content = None if kind_of(key) in ENCRYPTED else stored.get("row")
            is_unchanged = (model.asset_id == self.asset_id, model.key == key, model.value == value)
            again = json.dumps(sealed(content, key, self.uri))
            statement = update(model).where(*is_unchanged).values(value=again)
            number += cast("CursorResult[Any]", self.session.execute(statement)).rowcount
        return number, left

    def _stored(self) -> list[tuple[str, str]]:
        model = AssetStateStoreModel
        mine = (
            select(model.key, model.value)
            .where(model.asset_id == self.asset_id)
            .order_by(model.key)
        )
        return [(key, value) for key, value in self.session.execute(mine)]

    def delete_old(self, keys: Sequence[str], before: datetime) -> int:
        """Delete rows, unless they were written after a time. Return how many were deleted."""
        model = AssetStateStoreModel
        deleted = 0
        for first in range(0, len(keys), ROWS_AT_ONCE):
            some = model.key.in_(keys[first : first + ROWS_AT_ONCE])
            statement = delete(model).where(
                model.asset_id == self.asset_id, some, model.updated_at < before
            )
            deleted += cast("CursorResult[Any]", self.session.execute(statement)).rowcount
        return deleted

    @property
    def _scope(self) -> AssetScope:
        return AssetScope(asset_id=self.asset_id)


class NoLedgerError(ValidationError):
    """The account has no ledger yet."""


@contextmanager
def open_ledger(conn_id: str) -> Iterator[DatabaseStore]:
    """Open the ledger of an account, and commit what was written if the block ends without an error."""
    uri = ledger_asset(conn_id).uri
    with create_session() as session:
        asset_id = session.scalar(select(AssetModel.id).where(AssetModel.uri == uri))
        if asset_id is None:
            raise NoLedgerError(
                f"Connection {conn_id!r} has no ledger, because Airflow has not seen a task that uses it yet."
            )
        yield DatabaseStore(session, asset_id, uri)


@contextmanager
def sealed_stores() -> Iterator[list[DatabaseStore]]:
    """Open all rows that are sealed, and commit what was written if the block ends without an error."""
    uri = AssetModel.uri
    ours = or_(uri.like(LEDGERS), uri.like(EVENTS))
    with create_session() as session:
        yield [
            DatabaseStore(session, *one)
            for one in session.execute(select(AssetModel.id, uri).where(ours))
        ]


def ledgers() -> list[str]:
    """Return the connections that have a ledger."""
    ours = AssetModel.uri.like(LEDGERS)
    with create_session() as session:
        uris = session.scalars(select(AssetModel.uri).where(ours)).all()
    return sorted(uri.removeprefix("instagram://").removesuffix("/ledger") for uri in uris)


def prune(store: DatabaseStore, before: datetime) -> int:
    """Delete the rows that only a post in the making needs, if nothing has written them since a time.

    What keeps the promise of one post stays: all rows of a post or comment with an unknown outcome,
    the rows of what is live, and that of the container of each live post, by which a cleared task
    finds the key. If a row cannot be read, it is not known what it keeps, and nothing is deleted.

    :raises LedgerRowError: If a row's seal is not good.
    """
    rows = store.rows()
    for key, row in rows.items():
        if isinstance(row, LedgerRowError) and kind_of(key) not in REPLACEABLE:
            raise row
    undecided = {row["post_key"] for row in open_intents(rows)}
    for row in _of_kind(rows, "comment-intent:"):
        if not row.get("withdrawn") and row_key("comment", row["post_key"]) not in rows:
            undecided.add(row["post_key"])
    kept = {row_key("container", row["container_id"]) for row in _of_kind(rows, "done:")}
    for post_key in undecided:
        kept.update(rows_of(store, post_key))
    return store.delete_old(
        [key for key in rows if kind_of(key) in IN_THE_MAKING and key not in kept], before
    )


def prune_told(before: datetime) -> int:
    """Delete the rows about what was told of posts, if nothing has written them since a time."""
    model = AssetStateStoreModel
    told = select(AssetModel.id).where(AssetModel.uri.like(EVENTS))
    old = (model.asset_id.in_(told), model.key.like("told:%"), model.updated_at < before)
    with create_session() as session:
        return cast("CursorResult[Any]", session.execute(delete(model).where(*old))).rowcount


def settle(
    store: DatabaseStore,
    conn_id: str,
    post_key: str,
    *,
    live: bool,
    media_id: str | None = None,
    permalink: str | None = None,
) -> None:
    """Record whether a post with an unknown outcome is live, or one with a link that a restored backup lacks."""
    ledger = Ledger(store, conn_id)
    bad = _delete_bad_rows(store, post_key)
    intents = [row for row in open_intents(store.rows()) if row["post_key"] == post_key]
    is_settled = ledger.is_settled(post_key)
    now = ledger.now()
    # A post without an intent may be one that a restored backup lacks, or have the claim of a try
    # that died before its intent.
    is_named = permalink if live else ledger.claim(post_key)
    if not (bad or intents) and (is_settled or not is_named):
        raise ValidationError(f"{post_key!r} has no unknown outcome to settle.")
    if live:
        post: dict[str, Any] = {
            "container_id": f"{SETTLED}{post_key}",
            "media_id": media_id,
            "permalink": permalink,
        }
        if intents:
            post |= {
                "container_id": intents[-1]["container_id"],
                "dag_id": intents[-1]["claim"]["owner"]["dag_id"],
            }
        else:  # publish finds the key by the row of a container
            ledger.record_container(
                ContainerRecord(post["container_id"], post_key, now, content="")
            )
        ledger.record_post(PublishedPost(post_key, published_at=now, **post, event_pending=True))
        return
    for key, row in rows_of(store, post_key).items():
        if key.startswith("intent:"):
            store.set(key, {**row, "withdrawn": True})
    store.delete(row_key("claim", post_key))  # its owner reads the claim again and sends nothing


def _delete_bad_rows(store: DatabaseStore, post_key: str) -> int:
    """Delete the rows of a post whose seal is not good. Return how many there were."""
    bad = [key for key, row in rows_of(store, post_key).items() if isinstance(row, LedgerRowError)]
    for key in bad:
        store.delete(key)
    return len(bad)


def rows_of(store: DatabaseStore, post_key: str) -> dict[str, Any]:
    """Return all rows of a post.

    :param post_key: Its key, or the key of a row, which ``ledger forget`` deletes alone.
    """
    rows = store.rows()
    lists = [row_key(kind, post_key) for kind in ("containers", "children")]
    named = {*lists, post_key, *(row_key(kind, post_key) for kind in OF_A_POST)}
    for name in lists:
        if isinstance(rows.get(name), list):
            named.update(row_key("container", container_id) for container_id in rows[name])
    return {key: row for key, row in rows.items() if key in named or _is_about(post_key, key, row)}


def _is_about(post_key: str, key: str, row: Any) -> bool:
    """Return whether a row is about a post, by its content, or if its seal is not good, by its key."""
    if isinstance(row, dict):
        return bool(row.get("post_key") == post_key)
    if isinstance(row, LedgerRowError):
        # another post's key may begin with this one and a colon
        of_owner = _OF_AN_OWNER.fullmatch(key)
        intents = (row_key("intent", post_key), row_key("comment-intent", post_key))
        return of_owner is not None and of_owner[1] in intents
    return key.startswith(("media:", "comment-id:")) and bool(row == post_key)


def open_intents(rows: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the intents with an unknown outcome, one for each post and container, oldest first."""
    live = {row["post_key"] for row in _of_kind(rows, "done:")}
    intents = [
        one
        for one in _of_kind(rows, "intent:")
        if not one.get("withdrawn") and one["post_key"] not in live
    ]
    undecided = sorted(intents, key=lambda row: str(row.get("at")))
    return list({(row["post_key"], row["container_id"]): row for row in undecided}.values())


def _content(value: str) -> Any:
    """Return what a row contains. One that is cut off is a text, which has no seal."""
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _verified_or_error(stored: Any, key: str, uri: str) -> Any:
    try:
        return verified(stored, key, uri)
    except LedgerRowError as error:
        return error


def _of_kind(rows: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """Return the rows of a kind, without those whose seal is not good."""
    return [row for key, row in rows.items() if key.startswith(kind) and isinstance(row, dict)]
