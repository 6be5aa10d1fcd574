"""``airflow instagram ledger``: show and correct the ledger of an account.

Like Airflow's own commands, it uses Airflow's database directly.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.cli.simple_table import AirflowConsole
from airflow.models.asset import AssetModel
from airflow.models.asset_state_store import AssetStateStoreModel
from airflow.state import AssetScope, get_state_backend
from airflow.utils.session import create_session
from sqlalchemy import select

from airflow_provider_instagram.graph.addresses import web_address
from airflow_provider_instagram.ledger.assets import ledger_asset
from airflow_provider_instagram.ledger.ledger import Ledger, row_key
from airflow_provider_instagram.ledger.records import Owner, PublishedPost

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from sqlalchemy.orm import Session


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

    @property
    def _scope(self) -> AssetScope:
        return AssetScope(asset_id=self.asset_id)


class NoLedger(SystemExit):
    """The account has no ledger yet."""


@contextmanager
def open_ledger(conn_id: str) -> Iterator[DatabaseStore]:
    """Open the ledger of an account, and commit what was written if the block ends without an error."""
    with create_session() as session:
        asset_id = session.scalar(select(AssetModel.id).where(AssetModel.uri == ledger_asset(conn_id).uri))
        if asset_id is None:
            raise NoLedger(
                f"Connection {conn_id!r} has no ledger, because Airflow has not seen a task that uses it yet."
            )
        yield DatabaseStore(session, asset_id)


def list_posts(args: argparse.Namespace) -> None:
    """List the posts of an account, and those with an unknown outcome."""
    with open_ledger(args.conn_id) as store:
        rows = store.rows()
    table = [
        _line(row, "live", row["published_at"], row["permalink"] or row["media_id"] or "live, media id unknown")
        for key, row in rows.items()
        if key.startswith("done:")
    ]
    intents = _open_intents(rows)
    table += [_line(row, "open", row["at"], f"requested by {Owner(**row['claim']['owner'])}") for row in intents]
    AirflowConsole().print_as(data=sorted(table, key=lambda row: row["at"]), output="table")


def _line(row: dict[str, Any], state: str, at: str, post: str) -> dict[str, Any]:
    return {"post_key": row["post_key"], "state": state, "at": at, "container": row["container_id"], "post": post}


def show_post(args: argparse.Namespace) -> None:
    """Print all rows of a post."""
    with open_ledger(args.conn_id) as store:
        rows = _rows_of(store, args.post_key)
    if not rows:
        raise SystemExit(f"The ledger of {args.conn_id!r} has no post {args.post_key!r}.")
    AirflowConsole().print_as_json(rows)


def settle_post(args: argparse.Namespace) -> None:
    """Record whether a post with an unknown outcome is live."""
    if args.live == args.not_live:
        raise SystemExit("Check the account, then give exactly one of --live and --not-live.")
    if args.permalink and web_address(args.permalink) is None:
        raise SystemExit(
            "--permalink is not a URL. Give a URL such as https://www.instagram.com/reel/…, or leave the option out."
        )
    with open_ledger(args.conn_id) as store:
        ledger = Ledger(store, args.conn_id)
        intents = [row for row in _open_intents(store.rows()) if row["post_key"] == args.post_key]
        is_claimed = ledger.post(args.post_key) is None and ledger.claim(args.post_key) is not None
        if not (intents or (is_claimed and args.not_live)):
            raise SystemExit(f"{args.post_key!r} has no unknown outcome to settle.")
        if args.live:
            known = {"media_id": args.media_id, "permalink": args.permalink}
            container_id, now = intents[-1]["container_id"], ledger.now()
            ledger.record_post(PublishedPost(args.post_key, container_id, now, **known, event_pending=True))
        else:
            for key, row in _rows_of(store, args.post_key).items():
                if key.startswith("intent:"):
                    store.set(key, {**row, "withdrawn": True})
            store.delete(row_key("claim", args.post_key))  # its owner reads the claim again and sends nothing
    if args.live:
        print(f"Recorded {args.post_key} as live. Clear the publish task to get the post as its result.")
    else:
        print(
            f"Recorded {args.post_key} as not live. Clear the publish task to publish it; if the container has "
            "expired, clear the create task and downstream."
        )


def forget_post(args: argparse.Namespace) -> None:
    """Delete all rows of a post."""
    with open_ledger(args.conn_id) as store:
        keys = list(_rows_of(store, args.post_key))
        if not keys:
            raise SystemExit(f"The ledger of {args.conn_id!r} has no post {args.post_key!r}.")
        if not args.yes:
            answer = input(
                f"Forget {args.post_key}? If its post or comment is live, the next run makes it a second time. [y/N] "
            )
            if answer.strip().lower() != "y":
                raise SystemExit("Nothing was changed.")
        for key in keys:
            store.delete(key)
    print(f"Forgot {args.post_key} ({len(keys)} rows deleted).")


def _rows_of(store: DatabaseStore, post_key: str) -> dict[str, Any]:
    rows = store.rows()
    claim, *lists = (row_key(kind, post_key) for kind in ("claim", "containers", "children"))
    comment = (row_key("comment", post_key), row_key("comment-claim", post_key))
    made = {row_key("container", container_id) for name in lists for container_id in rows.get(name, ())}
    return {
        key: row
        for key, row in rows.items()
        if (isinstance(row, dict) and row.get("post_key") == post_key)
        or key in (claim, *lists, *made, *comment)
        or (key.startswith(("media:", "comment-id:")) and row == post_key)
    }


def _open_intents(rows: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the intents with an unknown outcome, one for each post and container, oldest first."""
    live = {row["post_key"] for key, row in rows.items() if key.startswith("done:")}
    intents = [row for key, row in rows.items() if key.startswith("intent:") and not row["withdrawn"]]
    found = sorted((row for row in intents if row["post_key"] not in live), key=lambda row: row["at"])
    return list({(row["post_key"], row["container_id"]): row for row in found}.values())
