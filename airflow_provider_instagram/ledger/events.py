"""The asset events of an account. One task alone emits the first event of an alias."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airflow_provider_instagram.ledger.assets import ledger_alias, ledger_asset
from airflow_provider_instagram.ledger.ledger import row_key
from airflow_provider_instagram.ledger.records import Owner

if TYPE_CHECKING:
    from airflow.sdk import AssetAlias, Context

    from airflow_provider_instagram.ledger.ledger import Ledger

#: After this time, two tasks that want to emit the first event of an alias see each other's row.
SETTLING_S = 1.0
#: A task that has not emitted the event within this time has died.
TURN = timedelta(seconds=30)


def pin_ledger_asset(context: Context, ledger: Ledger) -> None:
    """Tie the ledger to its alias, so that it outlives the DAG. Call this shortly before the task ends."""
    alias = ledger_alias(ledger.conn_id)
    if become_first_emitter(context, ledger, alias):
        context["outlet_events"][alias].add(ledger_asset(ledger.conn_id))


def become_first_emitter(context: Context, ledger: Ledger, alias: AssetAlias) -> bool:
    """Wait until this task emits the first event of an alias, or until another task has emitted it.

    The first event ties the asset to the alias. If two tasks with the same tie to make end at the same time, Airflow
    3.3.2 marks one of them as failed for good, whatever it has done.

    :param context: The task's context. The alias is an inlet and an outlet of the task.
    :return: Whether this task emits the first event.
    """
    me, key = str(Owner.of(context)), row_key("first-event", alias.name)
    while not context["inlet_events"][alias].limit(1):
        row = ledger.store.get(key)
        taken = row is not None and ledger.clock() - datetime.fromisoformat(row["at"]) < TURN
        if taken and row["owner"] == me:
            return True
        if not taken:
            ledger.store.set(key, {"owner": me, "at": ledger.now()})
        time.sleep(SETTLING_S)
    return False
