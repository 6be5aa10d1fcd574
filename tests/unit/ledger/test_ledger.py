"""The rows of the ledger, and their owners."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_instagram.calendar.planning.told import PostRecord, PreviewRecord, ProblemRecord
from airflow_provider_instagram.exceptions import LedgerRowError
from airflow_provider_instagram.ledger.database import open_intents
from airflow_provider_instagram.ledger.insights import (
    REFUSALS_ROW,
    LatestNumbers,
    StoredRefusals,
    latest_numbers,
    record_refusal,
    refusals,
)
from airflow_provider_instagram.ledger.ledger import CommentLedger, Ledger, row_key
from airflow_provider_instagram.ledger.records import (
    Claim,
    CommentRecord,
    ContainerRecord,
    Intent,
    Owner,
    PublishedPost,
)
from airflow_provider_instagram.ledger.seal import SealedStore
from airflow_provider_instagram.posts.kinds import PostKind
from tests.integration.account import DictStore

TASK = Owner("calendar", "run-1", "publish", -1)
PASS = Owner("calendar", "run-1", "publish", -1, loop_index=0)
#: Rows of form 1, as release 0.2.0 stores them. Contents were written by hand, and seals were made by openssl.
STORED: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("rows_of_form_1.json").read_text("utf-8"))
STUDIO, CALENDAR = "instagram://studio/ledger", "instagram://calendar/content/events"


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


NOON = datetime(2026, 11, 1, 12, tzinfo=timezone.utc)
CLAIM = Claim(TASK, "n", [Owner("calendar", "run-2", "publish", -1)])
POST = PublishedPost("post-1", "179", NOON.isoformat(), "180", event_pending=True)
CONTAINER = ContainerRecord("179", "post-1", NOON.isoformat(), "digest", kind=PostKind.CAROUSEL, shows=None)
COMMENT = CommentRecord("post-1", "180", "181", NOON.isoformat())


def test_rows_are_stored_in_their_form() -> None:
    store = DictStore()
    ledger = Ledger(SealedStore(store, STUDIO), "studio", clock=lambda: NOON)
    ledger.record_claim("post-1", CLAIM)
    ledger.record_intent("post-1", "179", CLAIM)
    ledger.record_container(CONTAINER)
    ledger.record_post(POST)
    ledger.record_deletion_intent("180", "17", "Lea")
    CommentLedger(SealedStore(store, STUDIO), "studio").record_comment(COMMENT)
    kinds = ("claim", "intent", "container", "containers", "done", "media", "deletion", "comment", "comment-id")
    assert store == {k: row for k, row in STORED[STUDIO].items() if k.partition(":")[0] in kinds and k[-3:] != "178"}


def test_each_kind_of_row_of_form_1_is_read() -> None:
    store = SealedStore(DictStore(STORED[STUDIO]), STUDIO)
    ledger, comments = Ledger(store, "studio"), CommentLedger(store, "studio")
    assert (ledger.claim("post-1"), ledger.post("post-1")) == (CLAIM, POST)
    assert ledger.intent("post-1", TASK) == Intent("post-1", "179", NOON.isoformat(), CLAIM)
    assert ledger.containers("post-1") == [CONTAINER]
    assert [one.container_id for one in ledger.children("post-1")] == ["178"]
    deletion = ledger.deletion("180")
    assert (ledger.key_of_media("180"), deletion and deletion.by) == ("post-1", "Lea")
    assert ledger.may_be_deleted("180", "17")
    assert (comments.comment("post-1"), comments.claim("post-1")) == (COMMENT, CLAIM)
    assert comments.intent("post-1") == Intent("post-1", "180", NOON.isoformat(), CLAIM, text="digest")
    assert comments.knows_comment("181")
    assert refusals(store, NOON)["polls"].reason == "(#10) Grüße"
    assert StoredRefusals(store, lambda: NOON).of("reel") == {"views"}
    assert latest_numbers(store, "180") == LatestNumbers("post-1", "6h", NOON.isoformat(), {"views": 12, "share": 0.5})
    assert store.get("insights-calls") == {"spent": [[1793534400.5, 3]], "stopped_until": 0.0}
    assert store.get("begun:post-1") == {
        "runs": {"post-1": "u", "post-1~v2": "v"},
        "asked": {"post-1~v2": "digest"},
    }
    assert store.get("skip:post-1") == {"version": "v", "user": "Lea"}
    assert store.get("late:post-1")["at"] == "2026-11-01T12:00:00Z"
    told = SealedStore(DictStore(STORED[CALENDAR]), CALENDAR)
    assert PostRecord.of(told.get("told:post-1")) == PostRecord(version="v", told={"waiting": True})
    assert ProblemRecord.of(told.get("problems")).told == {"a": True}
    assert PreviewRecord.of(told.get("previews")).previews["v"].at == 1793534400


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


@pytest.mark.parametrize("shape", [LedgerRowError("no seal"), 7, "text", [], None])
def test_a_row_without_a_seal_keeps_no_other_post_from_being_settled(shape: object) -> None:
    good = {"post_key": "a", "container_id": "1", "at": "2030-05-06T08:30:00+00:00", "withdrawn": False}
    assert open_intents({"intent:a": good, "intent:b": shape, "done:c": shape}) == [good]
    assert open_intents({"intent:a": good, "done:a": good, "done:b": shape}) == []
