"""The asset events of an account; the first one is emitted by one task alone."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airflow_provider_instagram.ledger import Owner, ledger_alias, ledger_asset, row_key

if TYPE_CHECKING:
    from airflow.sdk import AssetAlias, Context

    from airflow_provider_instagram.ledger import Ledger

#: Two tasks that set out for the first event of an alias see each other's row after this.
SETTLING_S = 1.0
#: Who has not emitted it in this time has died.
TURN = timedelta(seconds=30)


def hold_ledger(context: Context, ledger: Ledger) -> None:
    """Tie the ledger to its alias, so that it outlives the DAG; the task ends soon after that."""
    alias = ledger_alias(ledger.conn_id)
    if wait_for_turn(context, ledger, alias):
        context["outlet_events"][alias].add(ledger_asset(ledger.conn_id))


def wait_for_turn(context: Context, ledger: Ledger, alias: AssetAlias) -> bool:
    """Let who emits the first event of an alias end before the others that have one to emit.

    The first event ties the asset to the alias. Of two tasks that end at a time with the same tie to make, Airflow
    3.3.2 takes one for failed, for good, whatever it has done.

    :param context: The task's context; the alias is an inlet and an outlet of the task.
    :return: Whether this task emits the first one.
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
