"""The rows of the ledger, and their owners."""

from __future__ import annotations

from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_instagram.ledger.database import open_intents
from airflow_provider_instagram.ledger.insights import REFUSALS_ROW, record_refusal, refusals
from airflow_provider_instagram.ledger.ledger import CommentLedger, Ledger, row_key
from airflow_provider_instagram.ledger.records import (
    Claim,
    CommentRecord,
    ContainerRecord,
    Intent,
    Owner,
    PublishedPost,
)
from airflow_provider_instagram.posts.kinds import PostKind
from tests.integration.account import DictStore

TASK = Owner("calendar", "run-1", "publish", -1)
PASS = Owner("calendar", "run-1", "publish", -1, loop_index=0)
OWNER_ROW = {"dag_id": "calendar", "run_id": "run-1", "task_id": "publish", "map_index": -1, "loop_index": None}
CLAIM_ROW = {"form": 1, "owner": OWNER_ROW, "nonce": "n", "undecided": [OWNER_ROW | {"run_id": "run-2"}]}
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


#: The rows of release 0.2.0, by their keys.
STORED: dict[str, Any] = {
    "claim:post-1": CLAIM_ROW,
    "intent:post-1": (
        intent := {
            "form": 1,
            "post_key": "post-1",
            "container_id": "179",
            "at": "2026-11-01T12:00:00+00:00",
            "claim": {name: value for name, value in CLAIM_ROW.items() if name != "form"},
            "withdrawn": False,
            "needs_manual_resolution": False,
            "text": None,
        }
    ),
    INTENT_OF_TASK: intent,
    "done:post-1": {
        "form": 1,
        "post_key": "post-1",
        "container_id": "179",
        "published_at": "2026-11-01T12:00:00+00:00",
        "media_id": "180",
        "ig_user_id": None,
        "permalink": None,
        "event_pending": True,
        "dag_id": None,
        "calendar": None,
        "deleted_at": None,
        "deleted_by": None,
    },
    "media:180": "post-1",
    "container:179": {
        "form": 1,
        "container_id": "179",
        "post_key": "post-1",
        "created_at": "2026-11-01T12:00:00+00:00",
        "content": "digest",
        "caption": None,
        "upload_uri": None,
        "kind": "carousel",
        "shows": None,
        "item": None,
        "round": None,
        "edges": [],
    },
    "containers:post-1": ["179"],
    "comment:post-1": {
        "form": 1,
        "comment_key": "post-1",
        "media_id": "180",
        "comment_id": "181",
        "written_at": "2026-11-01T12:00:00+00:00",
        "text": None,
    },
    "comment-id:181": "post-1",
}
NOON = datetime(2026, 11, 1, 12, tzinfo=timezone.utc)
CLAIM = Claim(TASK, "n", [Owner("calendar", "run-2", "publish", -1)])
POST = PublishedPost("post-1", "179", NOON.isoformat(), "180", event_pending=True)
CONTAINER = ContainerRecord("179", "post-1", NOON.isoformat(), "digest", kind=PostKind.CAROUSEL, shows=None)
COMMENT = CommentRecord("post-1", "180", "181", NOON.isoformat())


def test_rows_are_stored_in_their_form() -> None:
    store = DictStore()
    ledger = Ledger(store, "studio", clock=lambda: NOON)
    ledger.record_claim("post-1", CLAIM)
    ledger.record_intent("post-1", "179", CLAIM)
    ledger.record_container(CONTAINER)
    ledger.record_post(POST)
    CommentLedger(store, "studio").record_comment(COMMENT)
    assert store == STORED


def test_rows_of_this_form_are_read() -> None:
    ledger = Ledger(DictStore(STORED), "studio")
    assert (ledger.claim("post-1"), ledger.post("post-1")) == (CLAIM, POST)
    assert ledger.intent("post-1", TASK) == Intent("post-1", "179", NOON.isoformat(), CLAIM)
    assert ledger.containers("post-1") == [CONTAINER]
    assert CommentLedger(DictStore(STORED), "studio").comment("post-1") == COMMENT


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


@pytest.mark.parametrize("row", [["a list"], {"polls": "a text"}, {"polls": {"reason": 1, "at": "never"}}])
def test_a_malformed_row_of_refusals_counts_as_none(row: Any) -> None:
    store, now = DictStore({REFUSALS_ROW: row}), datetime(2026, 11, 28, tzinfo=timezone.utc)
    assert refusals(store, now) == {}
    record_refusal(store, None, now, "polls")
    record_refusal(store, "not for you", now, "music")
    assert {name: refusal.reason for name, refusal in refusals(store, now).items()} == {"music": "not for you"}


def test_a_refusal_that_cannot_be_recorded_replaces_no_error(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(dict[str, Any]):
        def set(self, key: str, value: Any) -> None:
            raise OSError("the database is away")

    record_refusal(Broken(refused=["anything"]), "(#10) No", datetime.now(timezone.utc), "publishing")
    assert "the database is away" in caplog.text


@pytest.mark.parametrize("shape", [7, "text", [], [{}], {}, {"post_key": 1, "container_id": "1", "at": "x"}, None])
def test_a_malformed_row_keeps_no_other_post_from_being_settled(shape: object) -> None:
    """Users with the right to edit the states of assets can write any JSON into them."""
    good = {"post_key": "a", "container_id": "1", "at": "2030-05-06T08:30:00+00:00", "withdrawn": False}
    assert open_intents({"intent:a": good, "intent:b": shape, "done:c": shape}) == [good]
    assert open_intents({"intent:a": good, "done:a": good, "done:b": shape}) == []
