"""A snapshot and the choices of slots as release 0.2.0 stores them."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final

import pytest

from airflow_provider_instagram.calendar.file.model import InvalidPost
from airflow_provider_instagram.calendar.file.problems import Problem
from airflow_provider_instagram.calendar.file.slots import Choice
from airflow_provider_instagram.calendar.planning.assignments import Assignment, Assignments
from airflow_provider_instagram.calendar.planning.plan import Arrival, Seen
from airflow_provider_instagram.calendar.planning.settings import CalendarSettings
from airflow_provider_instagram.calendar.planning.slot_choices import SlotChoices, read_choices
from airflow_provider_instagram.calendar.planning.stored_snapshot import read_stored
from airflow_provider_instagram.posts.item import Item
from airflow_provider_instagram.posts.kinds import ItemKind
from tests.integration.account import DictStore

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2026, 12, 1, 12, tzinfo=timezone.utc)
BEFORE = """\
posts:
- {id: removed, publish_at: 2026-12-01 15:00 UTC, account: shop, video: https://example.com/a.mp4}
- {id: over, publish_at: 2026-12-01 11:00 UTC, account: brand, video: https://example.com/a.mp4}
"""
TEXT = """\
slots: {brand: [Thu 19:00 Europe/Berlin]}
min_spacing: 10 min
defaults: {account: brand}
posts:
- {id: over, publish_at: 2026-12-01 11:00 UTC, video: https://example.com/a.mp4, caption: x}
- {id: clip, publish_at: 2026-12-02 12:00 UTC, video: https://example.com/a.mp4, tags: [spring], first_comment: "#a"}
- {id: wrong, publish_at: 2026-12-02 14:00 UTC, image: []}
- {id: album, carousel: [https://example.com/a.jpg, {image: https://example.com/b.jpg, alt_text: B}]}
"""


def _version(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


_A: Final = "https://example.com/a.mp4"
_OVER: Final = _version(f'{{"account":"brand","caption":"x","id":"over","publish_at":1796122800.0,"video":"{_A}"}}')
_CLIP: Final = _version(
    f'{{"account":"brand","first_comment":"#a","id":"clip","publish_at":1796212800.0,"video":"{_A}"}}'
)
_ALBUM: Final = _version(
    '{"account":"brand","carousel":[{"location":"https://example.com/a.jpg"},{"alt_text":"B","kind":"image",'
    '"location":"https://example.com/b.jpg"}],"id":"album","publish_at":1796320800.0}'
)
_ALBUM_ITEMS = [
    {"location": "https://example.com/a.jpg"},
    {"location": "https://example.com/b.jpg", "kind": "image", "alt_text": "B"},
]
_SEEN = {"at": 1796126700, "arrival": "added"}
#: Without ``made_of``, which depends on the machine.
STORED: dict[str, Any] = {
    "form": 1,
    "text": TEXT,
    "at": "2026-12-01T12:05:00Z",
    "plan": {
        "calendar": {
            "location": "team.yaml",
            "posts": [
                {
                    "id": "over",
                    "publish_at": "2026-12-01T11:00:00+00:00",
                    "account": "brand",
                    "line": 5,
                    "video": _A,
                    "caption": "x",
                },
                {
                    "id": "clip",
                    "publish_at": "2026-12-02T12:00:00+00:00",
                    "account": "brand",
                    "line": 6,
                    "video": _A,
                    "tags": ["spring"],
                    "first_comment": "#a",
                },
                {
                    "id": "album",
                    "publish_at": "2026-12-03T19:00:00+01:00 Europe/Berlin",
                    "account": "brand",
                    "line": 8,
                    "carousel": _ALBUM_ITEMS,
                    "in_slot": "the first free slot",
                },
            ],
            "problems": [
                {
                    "line": 7,
                    "message": "image must be text.",
                    "remedy": "Write it after the colon, on one line.",
                    "post_id": "wrong",
                }
            ],
            "min_spacing": "PT10M",
            "left_out": ["wrong"],
            "invalid": [{"id": "wrong", "publish_at": "2026-12-02T14:00:00+00:00", "account": "brand", "line": 7}],
        },
        "seen": {
            "over": _SEEN | {"version": _OVER, "due": 1796122800.0, "arrival": "already over"},
            "clip": _SEEN | {"version": _CLIP, "due": 1796212800.0},
            "album": _SEEN | {"version": _ALBUM, "due": 1796320800.0},
            "wrong": _SEEN | {"version": None, "due": 0.0, "arrival": "invalid"},
        },
        "removed_accounts": {"shop": 1796126700},
        "problems_seen": {"bbfb20e456cb5273": 1796126700},
        "since": 1796126400,
    },
    "accounts": ["brand"],
    "lead_s": 3600.0,
    "choose_again_at": 1796130300,
}
STORED_SLOTS = {
    "form": 1,
    "chosen": {
        "brand/album": {
            "at": 1796320800,
            "zone": "Europe/Berlin",
            "chosen_at": 1796126700,
            "why": "the first free slot",
        }
    },
}


@pytest.mark.usefixtures("losses_count")
def test_a_snapshot_is_stored_in_its_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", str(tmp_path / "snapshots"))
    file = tmp_path / "team.yaml"
    settings = CalendarSettings.of("content", str(file), accounts=["brand", "shop"])
    for text, at in ((BEFORE, NOON), (TEXT, NOON + timedelta(minutes=5))):
        file.write_text(text)
        settings.plan(at)
    (slots,) = (tmp_path / "snapshots").glob("*.slots.json")
    (snapshot,) = {*(tmp_path / "snapshots").iterdir()} - {slots}
    stored = json.loads(snapshot.read_text())
    assert len(stored.pop("made_of")) == 128
    calendar = stored["plan"]["calendar"]
    assert (calendar.pop("pin")["path"], calendar["location"]) == (str(file), str(file))
    assert stored == json.loads(json.dumps(STORED).replace("team.yaml", str(file)))
    assert json.loads(slots.read_text()) == STORED_SLOTS


def test_a_stored_snapshot_is_read() -> None:
    stored = read_stored(json.dumps(STORED).encode())
    assert stored is not None
    assert stored.text == TEXT
    plan, calendar = stored.plan, stored.plan.calendar
    assert plan.seen == {
        "over": Seen(_OVER, 1796122800.0, 1796126700, Arrival.ALREADY_OVER),
        "clip": Seen(_CLIP, 1796212800.0, 1796126700, Arrival.ADDED),
        "album": Seen(_ALBUM, 1796320800.0, 1796126700, Arrival.ADDED),
        "wrong": Seen(None, 0.0, 1796126700, Arrival.INVALID),
    }
    assert (plan.removed_accounts, plan.readable) == ({"shop": 1796126700}, True)
    assert {post.id: post.version for post in calendar.posts} == {
        post_id: seen.version for post_id, seen in plan.seen.items() if seen.version
    }
    album = calendar.posts[2]
    assert (album.line, album.in_slot, album.publish_at.isoformat()) == (
        8,
        "the first free slot",
        "2026-12-03T19:00:00+01:00",
    )
    assert album.carousel == (
        Item(location="https://example.com/a.jpg"),
        Item(location="https://example.com/b.jpg", kind=ItemKind.PICTURE, alt_text="B"),
    )
    assert calendar.problems == (Problem(7, "image must be text.", "Write it after the colon, on one line.", "wrong"),)
    assert (calendar.min_spacing, calendar.left_out) == (timedelta(minutes=10), frozenset({"wrong"}))
    assert calendar.invalid == (InvalidPost("wrong", datetime(2026, 12, 2, 14, tzinfo=timezone.utc), "brand", 7),)


def test_the_rows_by_which_runs_know_of_each_other_are_stored_in_their_form() -> None:
    stored = read_stored(json.dumps(STORED).encode())
    assert stored is not None
    clip, store = stored.plan.calendar.posts[1], DictStore()
    rows = Assignments(store, "content")
    rows.assign(clip, "content/run")
    rows.record_late_time(clip, NOON)
    of_clip = {"post_key": "brand/clip", "version": clip.version}
    assert store == {
        "calendar:brand/clip": of_clip | {"run": "content/run", "settled": False, "skipped_by": None},
        "calendar-late:brand/clip": of_clip | {"at": "2026-12-01T12:00:00Z"},
    }
    assert rows.of(clip) == Assignment("brand/clip", "content/run", clip.version)
    assert rows.late_time(clip) == NOON


def test_stored_slots_are_read() -> None:
    choices = read_choices("a.slots.json", lambda _: json.dumps(STORED_SLOTS).encode())
    assert choices.chosen == {"brand/album": Choice(1796320800, "Europe/Berlin", 1796126700)}


@pytest.mark.parametrize(
    "damaged", [b"", b"\xff", b"[]", b"{}", b'{"chosen": 1}', b'{"chosen": {"a": 1}}', b'{"chosen": {"a": {"at": 1}}}']
)
def test_damaged_slots_count_as_none(damaged: bytes) -> None:
    assert read_choices("a.slots.json", lambda _: damaged) == SlotChoices()


def test_what_another_release_knows_of_posts_takes_no_record_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the records, posts whose time has just passed would count as over."""
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", str(tmp_path / "snapshots"))
    file = tmp_path / "team.yaml"
    file.write_text(BEFORE)
    settings = CalendarSettings.of("content", str(file), accounts=["brand", "shop"])
    before = settings.plan(NOON)
    (snapshot,) = (tmp_path / "snapshots").iterdir()
    stored = json.loads(snapshot.read_text())
    stored["plan"]["calendar"]["posts"][0]["upload"] = "by a way of another release"
    snapshot.write_text(json.dumps(stored))
    assert read_stored(snapshot.read_bytes()) is None
    later = settings.plan(NOON + timedelta(hours=4))
    assert (later.seen, later.calendar.problems) == (before.seen, ())
    assert "upload" not in json.loads(snapshot.read_text())["plan"]["calendar"]["posts"][0]
