"""``airflow instagram ledger``: show and correct the ledger of an account.

Like Airflow's own commands, it uses Airflow's database directly.
"""

from __future__ import annotations

import argparse
from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.cli.simple_table import AirflowConsole

from airflow_provider_instagram.ledger import database
from airflow_provider_instagram.ledger.database import open_ledger
from airflow_provider_instagram.ledger.records import Owner
from airflow_provider_instagram.utils.addresses import web_address

SHORTEST_DAYS = 30


def list_posts(args: argparse.Namespace) -> None:
    """List the posts of an account, and those with an unknown outcome."""
    with open_ledger(args.conn_id) as store:
        rows = store.rows()
    table = [_published(row) for key, row in rows.items() if key.startswith("done:")]
    intents = database.open_intents(rows)
    table += [_line(row, "open", row["at"], f"requested by {Owner(**row['claim']['owner'])}") for row in intents]
    AirflowConsole().print_as(data=sorted(table, key=lambda row: row["at"]), output="table")


def _published(row: dict[str, Any]) -> dict[str, Any]:
    state = "deleted" if row.get("deleted_at") else "live"
    return _line(row, state, row["published_at"], row["permalink"] or row["media_id"] or "live, media id unknown")


def _line(row: dict[str, Any], state: str, at: str, post: str) -> dict[str, Any]:
    return {"post_key": row["post_key"], "state": state, "at": at, "container": row["container_id"], "post": post}


def show_post(args: argparse.Namespace) -> None:
    """Print all rows of a post."""
    with open_ledger(args.conn_id) as store:
        rows = database.rows_of(store, args.post_key)
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
        post = {"media_id": args.media_id, "permalink": args.permalink}
        database.settle(store, args.conn_id, args.post_key, live=args.live, **post)
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
        keys = list(database.rows_of(store, args.post_key))
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


def prune(args: argparse.Namespace) -> None:
    """Delete the old rows of all accounts that no longer keep anything from being posted twice."""
    if args.days < SHORTEST_DAYS:
        raise SystemExit(f"--days is {args.days}. Use at least {SHORTEST_DAYS}: Airflow may still retry newer posts.")
    before = datetime.now(timezone.utc) - timedelta(days=args.days)
    for conn_id in database.ledgers():
        with open_ledger(conn_id) as store:
            print(f"{conn_id}: {database.prune(store, before)} rows deleted")
    print(f"What was told of posts: {database.prune_told(before)} rows deleted")
