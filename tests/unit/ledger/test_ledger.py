"""The rows of the ledger, and their owners."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_instagram.ledger.ledger import Ledger, row_key
from airflow_provider_instagram.ledger.records import Claim, Intent, Owner
from tests.integration.account import DictStore

TASK = Owner("calendar", "run-1", "publish", -1)
PASS = Owner("calendar", "run-1", "publish", -1, loop_index=0)
OWNER_ROW = {"dag_id": "calendar", "run_id": "run-1", "task_id": "publish", "map_index": -1, "loop_index": None}
CLAIM_ROW = {"owner": OWNER_ROW, "nonce": "n", "undecided": [OWNER_ROW | {"run_id": "run-2"}]}
#: Where the intent of an owner is.
INTENT_OF_TASK = "intent:post-1:5fe5f368dbebeb3732b7e274de67e200"


def context(**more: Any) -> Any:
    return {"ti": SimpleNamespace(dag_id="calendar", run_id="run-1", task_id="publish", map_index=-1), **more}


def test_a_task_outside_of_loops_is_known_by_the_four_names_of_old() -> None:
    assert Owner.of(context()) == TASK
    assert str(TASK) == "calendar/run-1/publish/-1"


def test_the_passes_of_a_loop_are_owners_of_their_own() -> None:
    passes = [Owner.of(context(loop=SimpleNamespace(index=index))) for index in (0, 1)]
    assert [str(one) for one in passes] == ["calendar/run-1/publish/-1/pass-0", "calendar/run-1/publish/-1/pass-1"]
    assert passes[0] == PASS
    assert len({TASK, *passes}) == 3


def test_rows_have_the_names_of_their_fields() -> None:
    store = DictStore()
    ledger = Ledger(store, "studio")
    claim = Claim(TASK, "n", [Owner("calendar", "run-2", "publish", -1)])
    ledger.record_claim("post-1", claim)
    intent = ledger.record_intent("post-1", "179", claim)
    row = {
        "post_key": "post-1",
        "container_id": "179",
        "at": intent.at,
        "claim": CLAIM_ROW,
        "withdrawn": False,
        "needs_manual_resolution": False,
        "text": None,
    }
    assert store == {"claim:post-1": CLAIM_ROW, INTENT_OF_TASK: row, "intent:post-1": row}


def test_the_row_of_a_post_keeps_its_names() -> None:
    store = DictStore()
    ledger = Ledger(store, "studio")
    row = {
        "post_key": "post-1",
        "container_id": "179",
        "published_at": "2026-11-01T12:00:00+00:00",
        "media_id": "180",
        "ig_user_id": None,
        "permalink": None,
        "event_pending": True,
        "dag_id": None,
        "calendar": None,
    }
    store["done:post-1"] = row
    post = ledger.post("post-1")
    assert post is not None
    assert post.event_pending
    ledger.record_post(post)
    assert store["done:post-1"] == row


@pytest.mark.parametrize("owner", [TASK, PASS])
def test_what_was_written_is_read(owner: Owner) -> None:
    ledger = Ledger(DictStore(), "studio")
    claim = Claim(owner, "n", [PASS])
    ledger.record_claim("post-1", claim)
    intent = ledger.record_intent("post-1", "179", claim)
    assert ledger.claim("post-1") == claim
    assert (
        ledger.intent("post-1") == ledger.intent("post-1", owner) == intent == Intent("post-1", "179", intent.at, claim)
    )
    assert row_key("intent", "post-1", PASS) != row_key("intent", "post-1", TASK)
