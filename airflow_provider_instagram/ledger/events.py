"""The asset events of an account: one for each post, and the first event of each alias by one task alone."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airflow_provider_instagram.ledger.assets import (
    ledger_alias,
    ledger_asset,
    posts_alias,
    posts_asset,
)
from airflow_provider_instagram.ledger.ledger import Ledger, row_key
from airflow_provider_instagram.ledger.records import Owner, PublishedPost, is_at_work

if TYPE_CHECKING:
    from airflow.sdk import AssetAlias, Context
    from pydantic import JsonValue


#: After this time, two tasks that want to emit the first event of an alias see each other's row.
SETTLING_S = 1.0
#: A task that has not emitted the event within this time has died.
TURN = timedelta(seconds=30)


def emit_post_event(
    context: Context, ledger: Ledger, post: PublishedPost, origin: str | None = None
) -> None:
    """Emit the event of a post, unless it has been emitted or another task will emit it.

    1. The event is no longer pending: return.
    2. This task did not write the latest intent, and the owner of that intent or of the claim is at
       work: return. That task emits the event.
    3. The event is no longer pending in the ledger by now: return. Another task has emitted it and
       ended.
    4. Wait for the turn to emit the first event of the alias.
    5. Record that the event is no longer pending, and emit it. Airflow stores it when the task
       succeeds.

    If the process dies before step 5, the next task with this key emits the event. If it dies
    between step 5 and the end of the task, the event is lost.
    """
    if not post.event_pending:
        return
    me = Owner.of(context)
    intent = ledger.intent(post.post_key)
    claim = ledger.claim(post.post_key)
    if intent is None or intent.claim.owner != me:
        others = {claimed.owner for claimed in (claim, intent and intent.claim) if claimed} - {me}
        if any(is_at_work(context["ti"], other) for other in others):
            return
        if (latest := ledger.post(post.post_key)) is not None and not latest.event_pending:
            return
    pin_ledger_asset(context, ledger)
    alias = posts_alias(ledger.conn_id)
    become_first_emitter(context, ledger, alias)
    ledger.change_post(post, event_pending=False, permalink=post.permalink)
    extra: dict[str, JsonValue] = {
        "media_id": post.media_id,
        "permalink": post.permalink,
        "post_key": post.post_key,
    }
    if origin is not None:
        extra["origin"] = origin
    context["outlet_events"][alias].add(posts_asset(ledger.conn_id), extra=extra)


def pin_ledger_asset(context: Context, ledger: Ledger) -> None:
    """Tie the ledger to its alias, so that it outlives the DAG. Call this shortly before the task ends."""
    alias = ledger_alias(ledger.conn_id)
    if become_first_emitter(context, ledger, alias):
        context["outlet_events"][alias].add(ledger_asset(ledger.conn_id))


def become_first_emitter(context: Context, ledger: Ledger, alias: AssetAlias) -> bool:
    """Wait until this task emits the first event of an alias, or until another task has emitted it.

    The first event ties the asset to the alias. If two tasks that both emit the alias's first event
    end at the same time, Airflow 3.3.2 marks one of them as failed for good, whatever it has done.
    So the tasks take turns, by a row where the last write counts:

    1. The alias has an event: return False. The tie exists.
    2. The row is recent and names this task: return True. This task emits the first event.
    3. The row is recent and names another task: wait, and start again.
    4. There is no recent row: write one with this task, wait until any rival has written as well,
       and start again.

    If the process dies after step 4, its row is no longer recent after ``TURN``, and another task
    takes the turn.
    """
    me = str(Owner.of(context))
    key = row_key("first-event", alias.name)
    while not context["inlet_events"][alias].limit(1):
        row = ledger.store.get(key)
        is_recent = row is not None and ledger.clock() - datetime.fromisoformat(row["at"]) < TURN
        if is_recent and row["owner"] == me:
            return True
        if not is_recent:
            ledger.store.set(key, {"owner": me, "at": ledger.now()})
        time.sleep(SETTLING_S)
    return False
