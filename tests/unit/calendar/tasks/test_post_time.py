"""A publisher waits for its post's time, and no longer than an edit leaves the post as it is."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from airflow_provider_instagram.calendar import content_calendar_dag
from airflow_provider_instagram.calendar.planning.settings import CalendarSettings
from airflow_provider_instagram.calendar.tasks import post_time
from airflow_provider_instagram.calendar.tasks.post_time import PostTimeTrigger
from airflow_provider_instagram.files import storage

if TYPE_CHECKING:
    from collections.abc import Callable

#: Later than any test waits.
FAR = timedelta(hours=1)
SOON = timedelta(seconds=1.5)
POSTS = ("first", "second", "third")


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Write the calendar, let the DAG processor read it, and return where its snapshot is."""
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", str(tmp_path / "snapshots"))
    monkeypatch.setenv("AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL", "0")
    monkeypatch.setattr(post_time, "LOOK_EVERY_S", 0.05)
    monkeypatch.setattr(post_time, "NEXT_ENDS_AFTER_S", 0.3)
    due, file = datetime.now(timezone.utc) + FAR, tmp_path / "posts.yaml"
    due_text = f"{due:%Y-%m-%d %H:%M} UTC"

    def written(*posts: str, **captions: object) -> str:
        listed = [{"id": one, "publish_at": due_text, "caption": captions.get(one, one)} for one in posts]
        defaults = {"account": "instagram_default", "video": "a.mp4"}
        file.write_text(yaml.safe_dump({"min_spacing": "0 s", "defaults": defaults, "posts": listed}))
        content_calendar_dag("content", file)
        return CalendarSettings.of("content", file).snapshot

    return written


def _version(tmp_path: Path, post_id: str) -> str:
    return str(CalendarSettings.of("content", tmp_path / "posts.yaml").plan().seen[post_id].version)


async def _waits(triggers: dict[str, PostTimeTrigger], edit: Callable[[], object], for_s: float) -> dict[str, float]:
    """Run triggers, edit meanwhile, and return after how many seconds each of them fired."""
    began, fired = time.monotonic(), {}

    async def wait(name: str, trigger: PostTimeTrigger) -> None:
        async for _ in trigger.run():
            fired[name] = time.monotonic() - began

    tasks = [asyncio.create_task(wait(name, trigger)) for name, trigger in triggers.items()]
    await asyncio.sleep(0.2)
    await asyncio.to_thread(edit)
    await asyncio.wait(tasks, timeout=for_s)
    for task in tasks:
        task.cancel()
    return fired


def _triggers(tmp_path: Path, snapshot: str, *posts: str, moment: timedelta = FAR) -> dict[str, PostTimeTrigger]:
    versions = {post: _version(tmp_path, post) for post in posts}
    at = datetime.now(timezone.utc) + moment
    return {post: PostTimeTrigger(at, snapshot, post, version) for post, version in versions.items()}


def test_an_edited_and_a_removed_post_are_waited_for_no_longer_and_one_after_the_other(
    tmp_path: Path, write: Callable[..., str]
) -> None:
    """Each needs a slot for a moment: all at once would hold back a post that is due."""
    waits = _triggers(tmp_path, write(*POSTS), *POSTS)
    fired = asyncio.run(_waits(waits, lambda: write("first", "second", second="new"), 3))
    assert set(fired) == {"second", "third"}
    assert abs(fired["second"] - fired["third"]) >= 0.25


def test_a_post_that_gets_a_problem_is_waited_for_because_its_author_may_correct_it(
    tmp_path: Path, write: Callable[..., str]
) -> None:
    waits = _triggers(tmp_path, write(*POSTS), "first")
    assert asyncio.run(_waits(waits, lambda: write(*POSTS, first=7 * ["x"]), 1)) == {}


def test_a_new_wait_does_not_go_by_what_an_earlier_one_has_read(tmp_path: Path, write: Callable[..., str]) -> None:
    """Its version may be newer than that."""
    snapshot = write("first")

    async def one_after_the_other() -> dict[str, float]:
        await _waits(_triggers(tmp_path, snapshot, "first"), lambda: None, 0.3)
        write("first", first="new")
        return await _waits(_triggers(tmp_path, snapshot, "first"), lambda: None, 1)

    assert asyncio.run(one_after_the_other()) == {}


@pytest.mark.parametrize("content", [None, b"", b"[]", b'{"plan": {"seen": []}}', b'{"plan": {"seen": {"first": 1}}}'])
def test_without_a_snapshot_that_can_be_read_a_post_keeps_its_time(
    tmp_path: Path, write: Callable[..., str], content: bytes | None
) -> None:
    snapshot, before = write(*POSTS), datetime.now(timezone.utc)
    waits = _triggers(tmp_path, snapshot, "first", moment=SOON)
    spoil = Path(snapshot).unlink if content is None else lambda: Path(snapshot).write_bytes(content)
    assert set(asyncio.run(_waits(waits, spoil, 5))) == {"first"}
    assert datetime.now(timezone.utc) - before >= SOON


def test_a_storage_that_hangs_holds_no_post_back(
    tmp_path: Path, write: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = _triggers(tmp_path, write(*POSTS), *POSTS, moment=SOON)
    monkeypatch.setattr(storage, "read", lambda _: time.sleep(4))
    fired = asyncio.run(_waits(waits, lambda: None, 5))
    assert set(fired) == set(POSTS)
    assert max(fired.values()) < 3


def test_a_wait_continues_in_another_triggerer(tmp_path: Path, write: Callable[..., str]) -> None:
    trigger = _triggers(tmp_path, write("first"), "first")["first"]
    path, arguments = trigger.serialize()
    assert path == "airflow_provider_instagram.calendar.tasks.post_time.PostTimeTrigger"
    assert PostTimeTrigger(**arguments).serialize() == (path, arguments)
