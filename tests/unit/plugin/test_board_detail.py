"""What the side panel shows of a post: its items and its latest numbers."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.calendar.file.columns import ScheduledPost
from airflow_provider_instagram.calendar.tasks.answers import Answer, PreparedPost
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.ledger.records import PublishedPost
from airflow_provider_instagram.plugin.board import detail
from airflow_provider_instagram.plugin.board.states import Facts, PostRun, Task
from airflow_provider_instagram.posts.item import Item
from tests.integration.account import DictStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_mock import MockerFixture

AT = datetime(2030, 1, 1, tzinfo=timezone.utc)
KEY = "studio/spring"
EVIL = "<script>alert(1)</script>"


def post(**more: Any) -> ScheduledPost:
    return ScheduledPost(id="spring", publish_at=AT, account="studio", **more)


@pytest.fixture
def store(mocker: MockerFixture) -> DictStore:
    rows = DictStore()

    @contextmanager
    def opened(conn_id: str) -> Iterator[DictStore]:
        assert conn_id == "studio"
        yield rows

    mocker.patch.object(detail, "open_ledger", opened)
    return rows


def published(store: DictStore, media_id: str | None) -> Facts:
    done = PublishedPost(KEY, "18", AT.isoformat(), media_id)
    Ledger(store, "studio").record_post(done)
    return Facts(post(video="a.mp4"), done=done)


def test_the_latest_numbers_of_a_post_are_shown_in_their_order(store: DictStore) -> None:
    values = {"views": 120, "reach": 0, "ig_reels_avg_watch_time": 3100.5, EVIL: 1, "constructor": 2}
    row = {"post_key": KEY, "age": "6h", "read_at": "2030-01-01T06:10:00+00:00", "values": values}
    row |= {"refused": ["shares"]}
    store.set("insights:17900000000000001", row)
    insights = detail._insights(published(store, "17900000000000001"))
    assert insights == {
        "age": "6h",
        "at": "2030-01-01T06:10:00+00:00",
        "values": [
            ("views", 120),
            ("reach", 0),
            ("ig_reels_avg_watch_time", 3100.5),
            (EVIL, 1),
            ("constructor", 2),
            ("shares", "refused by Instagram"),
        ],
    }


@pytest.mark.parametrize("media_id", ["17900000000000001", None])
def test_a_ledger_without_numbers_of_the_post_shows_none(store: DictStore, media_id: str | None) -> None:
    other = {"post_key": "studio/other", "age": "6h", "read_at": "2030-01-01T06:10:00+00:00", "values": {"views": 1}}
    store.set("insights:17900000000000002", other)
    assert detail._insights(published(store, media_id)) is None
    assert detail._insights(Facts(post(video="a.mp4"))) is None


def test_each_item_of_a_carousel_has_its_own_alt_text() -> None:
    items = (Item(location="a.jpg", alt_text="A tree"), Item(location="b.mov"))
    prepared = PreparedPost(media=["/work/a.jpg", "/work/b.mp4"], reports=[{"sha256": "1" * 64}, {}])
    assert detail._media(post(carousel=items), "0123456789abcdef", prepared) == [
        {"file": "a.jpg", "cover": f"0123456789abcdef-{'1' * 32}", "video": False, "alt": "A tree"},
        {"file": "b.mov", "cover": "0123456789abcdef-2", "video": True, "alt": ""},
    ]


def test_a_picture_that_is_not_prepared_has_an_alt_text_and_no_cover() -> None:
    picture = post(image="a.jpg", alt_text=EVIL)
    shown = detail._media(picture, "", PreparedPost(media=[], reports=[]))
    assert shown == [{"file": "a.jpg", "cover": "", "video": False, "alt": EVIL}]


AGREED = Answer(True, "ada", "v", "")
MADE = PreparedPost(media=["a.mp4"], reports=[{}])


@pytest.mark.parametrize(
    ("approval", "answer", "shown"),
    [
        ("none", None, ["Files ready"]),
        ("required", AGREED, ["Files ready", "Approved by ada"]),
        ("required", None, ["Files ready", "Nobody has approved this"]),
        ("required", replace(AGREED, person=None), ["Files ready", "Nobody has approved this"]),
    ],
)
def test_the_history_says_who_approved_and_nothing_of_a_post_that_needs_no_approval(
    approval: str, answer: Answer | None, shown: list[str]
) -> None:
    """Each post has the task."""
    tasks = {name: Task("success", ended=AT) for name in ("prepare", "approve")}
    facts = Facts(post(video="a.mp4", approval=approval), run=PostRun("r", tasks=tasks))
    board: Any = SimpleNamespace(dag_id="spring")
    assert [event["what"] for event in detail._history(board, facts, MADE, answer, "")] == shown


@pytest.mark.parametrize("is_dry", [True, False])
def test_the_history_does_not_say_published_of_a_post_that_is_not_on_instagram(*, is_dry: bool) -> None:
    """Of a dry run, or if a user has marked the task as a success."""
    tasks = {name: Task("success", ended=AT) for name in ("prepare", "approve", "create", "publish")}
    facts = Facts(post(video="a.mp4"), run=PostRun("r", state="success", tasks=tasks, is_dry=is_dry))
    board: Any = SimpleNamespace(dag_id="spring")
    shown = [event["what"] for event in detail._history(board, facts, MADE, None, "")]
    assert "Published" not in shown


@pytest.mark.parametrize(
    ("step", "mark", "needs_file"),
    [
        ("prepare", "TranscodeError", True),
        ("prepare", "ValidationError", True),
        ("prepare", "MediaRejectedError", True),
        ("prepare", "TransientError", False),
        ("create", "MediaRejectedError", True),
        ("create", "MediaNotFetchedError", False),
        ("create", "ValidationError", False),
        ("publish", "AuthenticationError", False),
    ],
)
def test_a_post_that_failed_because_of_its_file_needs_another_one(step: str, mark: str, *, needs_file: bool) -> None:
    tasks = {step: Task("failed", outcome={"state": "failed", "mark": mark})}
    assert detail._needs_file(Facts(post(video="a.mp4"), run=PostRun("r", state="failed", tasks=tasks))) is needs_file
