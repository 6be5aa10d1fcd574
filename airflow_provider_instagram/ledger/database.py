"""The ledger of an account as Airflow's own processes reach it: directly in the database, outside of any task.

The command line and the pages use this. Tasks must not: they reach the ledger through Airflow's API, which refuses the
write of a try that is no longer current.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from airflow.models.asset import AssetModel
from airflow.models.asset_state_store import AssetStateStoreModel
from airflow.state import AssetScope, get_state_backend
from airflow.utils.session import create_session
from sqlalchemy import CursorResult, delete, select

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.ledger.assets import ledger_asset
from airflow_provider_instagram.ledger.ledger import Ledger, row_key
from airflow_provider_instagram.ledger.records import ContainerRecord, PublishedPost

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


#: The kinds of rows that only a post or a comment in the making needs.
IN_THE_MAKING = {"claim", "intent", "container", "containers", "children", "comment-claim", "comment-intent"}
ROWS_AT_ONCE = 500


@dataclass
class DatabaseStore:
    """The rows of a ledger in Airflow's database."""

    session: Session
    asset_id: int

    def get(self, key: str) -> Any:
        """Return a row, or None."""
        value = get_state_backend().get(self._scope, key, session=self.session)
        return None if value is None else json.loads(value)

    def set(self, key: str, value: Any) -> None:
        """Write a row."""
        get_state_backend().set(self._scope, key, json.dumps(value), session=self.session)

    def delete(self, key: str) -> None:
        """Delete a row if it exists."""
        get_state_backend().delete(self._scope, key, session=self.session)

    def rows(self) -> dict[str, Any]:
        """Return all rows by their keys."""
        stored = self.session.execute(
            select(AssetStateStoreModel.key, AssetStateStoreModel.value)
            .where(AssetStateStoreModel.asset_id == self.asset_id)
            .order_by(AssetStateStoreModel.key)
        )
        return {key: json.loads(value) for key, value in stored}

    def delete_old(self, keys: Sequence[str], before: datetime) -> int:
        """Delete rows, unless they were written after a time. Return how many were deleted."""
        model, deleted = AssetStateStoreModel, 0
        for first in range(0, len(keys), ROWS_AT_ONCE):
            some = model.key.in_(keys[first : first + ROWS_AT_ONCE])
            statement = delete(model).where(model.asset_id == self.asset_id, some, model.updated_at < before)
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
    with create_session() as session:
        asset_id = session.scalar(select(AssetModel.id).where(AssetModel.uri == ledger_asset(conn_id).uri))
        if asset_id is None:
            raise NoLedgerError(
                f"Connection {conn_id!r} has no ledger, because Airflow has not seen a task that uses it yet."
            )
        yield DatabaseStore(session, asset_id)


def ledgers() -> list[str]:
    """Return the connections that have a ledger."""
    with create_session() as session:
        uris = session.scalars(select(AssetModel.uri).where(AssetModel.uri.like("instagram://%/ledger"))).all()
    return sorted(uri.removeprefix("instagram://").removesuffix("/ledger") for uri in uris)


def prune(store: DatabaseStore, before: datetime) -> int:
    """Delete the rows that only a post in the making needs, if nothing has written them since a time.

    What keeps the promise of one post stays: all rows of a post or comment with an unknown outcome, the rows of what is
    live, and that of the container of each live post, by which a cleared task finds the key.
    """
    rows = store.rows()
    comments = {row["post_key"] for row in _well_formed(rows, "comment-intent:") if not row.get("withdrawn")}
    undecided = {row["post_key"] for row in open_intents(rows)}
    undecided |= {key for key in comments if row_key("comment", key) not in rows}
    kept = {key for post_key in undecided for key in rows_of(store, post_key)}
    kept |= {row_key("container", row["container_id"]) for row in _well_formed(rows, "done:")}
    return store.delete_old([key for key in rows if key.partition(":")[0] in IN_THE_MAKING and key not in kept], before)


def prune_told(before: datetime) -> int:
    """Delete the rows about what was told of posts of calendars, if nothing has written them since a time."""
    model = AssetStateStoreModel
    calendars = select(AssetModel.id).where(AssetModel.uri.like("instagram://calendar/%/events"))
    old = (model.asset_id.in_(calendars), model.key.like("told:%"), model.updated_at < before)
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
    intents = [row for row in open_intents(store.rows()) if row["post_key"] == post_key]
    is_settled, now = ledger.is_settled(post_key), ledger.now()
    if not (intents or (not is_settled and (permalink if live else ledger.claim(post_key)))):
        raise ValidationError(f"{post_key!r} has no unknown outcome to settle.")
    if live:
        post: dict[str, Any] = {"container_id": f"settled:{post_key}", "media_id": media_id, "permalink": permalink}
        if intents:
            post |= {"container_id": intents[-1]["container_id"], "dag_id": intents[-1]["claim"]["owner"]["dag_id"]}
        else:
            ledger.record_container(ContainerRecord(post["container_id"], post_key, now, content=""))
        ledger.record_post(PublishedPost(post_key, published_at=now, **post, event_pending=True))
        return
    for key, row in rows_of(store, post_key).items():
        if key.startswith("intent:"):
            store.set(key, {**row, "withdrawn": True})
    store.delete(row_key("claim", post_key))  # its owner reads the claim again and sends nothing


def rows_of(store: DatabaseStore, post_key: str) -> dict[str, Any]:
    """Return all rows of a post."""
    rows = store.rows()
    claim, *lists = (row_key(kind, post_key) for kind in ("claim", "containers", "children"))
    comment = (row_key("comment", post_key), row_key("comment-claim", post_key))
    containers = {row_key("container", container_id) for name in lists for container_id in rows.get(name, ())}
    return {
        key: row
        for key, row in rows.items()
        if (isinstance(row, dict) and row.get("post_key") == post_key)
        or key in (claim, *lists, *containers, *comment)
        or (key.startswith(("media:", "comment-id:")) and row == post_key)
    }


def open_intents(rows: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the intents with an unknown outcome, one for each post and container, oldest first."""
    live = {row["post_key"] for row in _well_formed(rows, "done:")}
    intents = [one for one in _well_formed(rows, "intent:") if not one.get("withdrawn") and one["post_key"] not in live]
    undecided = sorted(intents, key=lambda row: str(row.get("at")))
    return list({(row["post_key"], row["container_id"]): row for row in undecided}.values())


def _well_formed(rows: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """Return the rows of a kind that name a post and a container. Users with the right on assets may write others."""
    found = (row for key, row in rows.items() if key.startswith(kind) and isinstance(row, dict))
    return [row for row in found if isinstance(row.get("post_key"), str) and isinstance(row.get("container_id"), str)]
