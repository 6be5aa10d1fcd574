"""New comments as events: what is told, what is not, and what is remembered."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.graph import calls
from airflow_provider_instagram.hooks import InstagramHook
from airflow_provider_instagram.triggers import InstagramCommentTrigger, comment
from airflow_provider_instagram.triggers.comment import SEEN, new_comments

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.triggers.base import TriggerEvent
    from pytest_mock import MockerFixture

    from instagram_sandbox.testing.handle import SandboxHandle

pytestmark = pytest.mark.usefixtures("no_stored_tokens", "many_calls")
LIMIT_S = 60


class Memory:
    """The state store of an asset."""

    def __init__(self) -> None:
        self.rows: dict[str, Any] = {}

    async def aget(self, key: str, default: Any = None) -> Any:
        return self.rows.get(key, default)

    async def aset(self, key: str, value: Any) -> None:
        self.rows[key] = value

    @property
    def told(self) -> int:
        """How many comments are remembered."""
        return sum(len(ids) for key, ids in self.rows.items() if key != SEEN)


@pytest.fixture
def many_calls(instagram_sandbox: SandboxHandle, monkeypatch: pytest.MonkeyPatch, mocker: MockerFixture) -> None:
    """Allow ten calls a second, so that nothing waits for the budget."""
    connection = {**instagram_sandbox.connection, "extra": {"calls_per_hour": 72_000}}
    monkeypatch.setenv("AIRFLOW_CONN_INSTAGRAM_DEFAULT", json.dumps(connection))
    instagram_sandbox.switch(calls_per_24_h=1_000_000)
    mocker.patch.object(comment, "HANDED_OVER_S", 0.0)


@pytest.fixture
def media_id(instagram_sandbox: SandboxHandle) -> str:
    return instagram_sandbox.add_foreign_post("A post")


@pytest.fixture
def other_id(instagram_sandbox: SandboxHandle) -> str:
    return instagram_sandbox.add_foreign_post("Another post")


def watch(
    memory: Memory, *acts: Callable[[], object], count: int, media: Any = None, remembers: bool = True
) -> list[dict[str, Any]]:
    """Run the trigger, do something once it has looked, and return the payloads of its first events.

    :param remembers: Whether it lives long enough to remember its last event.
    """
    trigger = InstagramCommentTrigger("instagram_default", media, poll_interval_s=0.2)
    trigger.asset_state_store = memory  # type: ignore[assignment]
    events: list[TriggerEvent] = []
    told = memory.told + count

    async def take() -> None:
        async for event in trigger.run():
            events.append(event)
            if len(events) == count and not remembers:
                return

    async def act() -> None:
        while SEEN not in memory.rows:
            await asyncio.sleep(0.05)
        for one in acts:
            await asyncio.to_thread(one)

    async def play() -> None:
        running = asyncio.create_task(take())
        await act()
        while not running.done() and (len(events) < count or memory.told < told):
            await asyncio.sleep(0.05)
        running.cancel()

    asyncio.run(asyncio.wait_for(play(), LIMIT_S))
    return [dict(event.payload) for event in events]


def next_second() -> None:
    """Wait until the clock shows another second, because Instagram's times have no fractions."""
    began = int(time.time())
    while int(time.time()) == began:
        time.sleep(0.05)


def test_each_new_comment_of_another_person_is_an_event(
    instagram_sandbox: SandboxHandle, media_id: str, other_id: str
) -> None:
    sandbox = instagram_sandbox
    old = sandbox.add_comment(media_id, "Written before anybody looked")
    next_second()

    def own() -> None:
        with InstagramHook().get_conn() as client:
            client.send(calls.write_comment(media_id, "The account's own"))

    payloads = watch(
        Memory(),
        own,
        lambda: sandbox.add_comment(media_id, "A reply", parent_id=old.comment_id),
        lambda: sandbox.add_comment(media_id, "When is part two?", "ana"),
        lambda: sandbox.add_comment(other_id, "{{ conn.instagram_default.password }}", "ben"),
        count=2,
    )
    found = {payload["text"]: payload for payload in payloads}
    assert set(found) == {"When is part two?", "{{ conn.instagram_default.password }}"}
    asked = next(comment for comment in sandbox.comments(media_id) if comment.username == "ana")
    assert found["When is part two?"] == {
        "comment_id": asked.comment_id,
        "media_id": media_id,
        "text": "When is part two?",
        "username": "ana",
        "timestamp": asked.created_at.replace(microsecond=0).isoformat(),
    }


def test_a_restarted_triggerer_tells_what_came_meanwhile_and_nothing_twice(
    instagram_sandbox: SandboxHandle, media_id: str
) -> None:
    memory, sandbox = Memory(), instagram_sandbox
    first = watch(memory, lambda: sandbox.add_comment(media_id, "One"), count=1)
    sandbox.add_comment(media_id, "Two")
    second = watch(memory, lambda: sandbox.add_comment(media_id, "Three"), count=2)
    assert [payload["text"] for payload in first + second] == ["One", "Two", "Three"]


def test_a_process_that_dies_before_it_remembers_tells_the_comment_again(
    instagram_sandbox: SandboxHandle, media_id: str
) -> None:
    memory = Memory()
    first = watch(memory, lambda: instagram_sandbox.add_comment(media_id, "One"), count=1, remembers=False)
    assert first
    assert watch(memory, count=1) == first


def test_a_comment_is_remembered_only_once_airflow_has_stored_its_event(
    instagram_sandbox: SandboxHandle, media_id: str
) -> None:
    """The trigger yields an event a while before Airflow stores it. A triggerer that dies meanwhile loses it.

    Each event waits for the one before: Airflow starts no run for one that it stores before it has started the DAG.
    """
    memory, remembered = Memory(), list[int]()
    memory.rows[SEEN] = {"began": "2020-01-01T00:00:00+00:00", "counts": {}}
    asked = [instagram_sandbox.add_comment(media_id, text).comment_id for text in ("One", "Two")]

    async def handed_over() -> None:
        remembered.append(memory.told)

    async def look() -> list[str]:
        async with await InstagramHook().get_async_conn() as client:
            posts = [await client.send(calls.comment_count(media_id))]
            found = new_comments(memory, posts, client.send, lambda: datetime.now(timezone.utc), handed_over)
            return [one.comment.id async for one in found]

    assert asyncio.run(look()) == asked
    assert (remembered, memory.told) == ([0, 1], 2)


class DiedError(Exception):
    """The triggerer is gone."""


@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize(
    "moment",
    ["an event is yielded", "its events are to be stored", "its events are stored", "its events are remembered"],
)
def test_no_comment_is_lost_whenever_a_triggerer_dies_and_another_goes_on(
    instagram_sandbox: SandboxHandle, media_id: str, other_id: str, moment: str, nth: int
) -> None:
    """Airflow stores what was yielded in a moment of its own. What dies with the triggerer before that, comes again."""
    asked = [instagram_sandbox.add_comment(post, text).comment_id for post in (media_id, other_id) for text in "ab"]
    memory, stored, seen = Memory(), list[str](), list[str]()
    memory.rows[SEEN] = {"began": "2020-01-01T00:00:00+00:00", "counts": {}}

    def comes(what: str) -> None:
        seen.append(what)
        if (what, seen.count(what)) == (moment, nth):
            raise DiedError

    async def look() -> None:
        yielded: list[str] = []

        async def handed_over() -> None:
            comes("its events are to be stored")
            stored.extend(yielded)
            yielded.clear()
            comes("its events are stored")

        async with await InstagramHook().get_async_conn() as client:
            posts = [await client.send(calls.comment_count(post)) for post in (media_id, other_id)]
            now = lambda: datetime.now(timezone.utc)  # noqa: E731
            told = memory.told
            async for one in new_comments(memory, posts, client.send, now, handed_over):
                if memory.told > told:
                    told = memory.told
                    comes("its events are remembered")
                yielded.append(one.comment.id)
                comes("an event is yielded")

    with suppress(DiedError):
        asyncio.run(look())
    for _ in range(2):
        asyncio.run(look())
    assert sorted(set(stored)) == sorted(asked)
    assert max(map(stored.count, asked)) <= 2
    assert memory.told == len(asked)


def test_a_burst_of_more_than_a_page_is_told_whole_and_in_order(
    instagram_sandbox: SandboxHandle, media_id: str
) -> None:
    memory, texts = Memory(), [f"Comment {number}" for number in range(60)]
    watch(memory, lambda: instagram_sandbox.add_comment(media_id, "First"), count=1)
    for text in texts:
        instagram_sandbox.add_comment(media_id, text)
    assert [payload["text"] for payload in watch(memory, count=60)] == texts


def test_only_the_named_posts_are_watched(instagram_sandbox: SandboxHandle, media_id: str, other_id: str) -> None:
    payloads = watch(
        Memory(),
        lambda: instagram_sandbox.add_comment(other_id, "On the other post"),
        lambda: instagram_sandbox.add_comment(media_id, "On this post"),
        count=1,
        media=media_id,
    )
    assert [payload["text"] for payload in payloads] == ["On this post"]
    assert not [call for call in instagram_sandbox.journal() if other_id in call.path]


def test_a_look_that_fails_is_repeated(
    instagram_sandbox: SandboxHandle, media_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sandbox = instagram_sandbox
    memory = Memory()
    watch(memory, lambda: sandbox.add_comment(media_id, "One"), count=1)
    sandbox.fail("comments", code=10)
    sandbox.add_comment(media_id, "Two")
    assert [payload["text"] for payload in watch(memory, count=1)] == ["Two"]
    log = capsys.readouterr().out
    assert "The comments of connection 'instagram_default' were not read" in log
    assert "instagram_business_manage_comments" in log


def test_a_state_store_that_fails_once_does_not_end_the_watch(
    instagram_sandbox: SandboxHandle, media_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its exception is neither ours nor Airflow's, and Airflow would not start the trigger again."""

    class Broken(Memory):
        reads = 0

        async def aget(self, key: str, default: Any = None) -> Any:
            self.reads += 1
            if self.reads == 1:
                raise RuntimeError("The API server did not answer.")
            return await super().aget(key, default)

    payloads = watch(Broken(), lambda: instagram_sandbox.add_comment(media_id, "One"), count=1)
    assert [payload["text"] for payload in payloads] == ["One"]
    assert "The API server did not answer." in capsys.readouterr().out


def test_comments_are_read_only_if_their_number_has_changed(instagram_sandbox: SandboxHandle, media_id: str) -> None:
    def looks() -> list[str]:
        return [call.path for call in instagram_sandbox.journal() if call.path.endswith("/media")]

    def wait_for_looks() -> None:
        until = time.monotonic() + LIMIT_S
        while len(looks()) < 3 and time.monotonic() < until:
            time.sleep(0.1)
        instagram_sandbox.add_comment(media_id, "One")

    watch(Memory(), wait_for_looks, count=1)
    read = [call.path for call in instagram_sandbox.journal() if call.path.endswith("/comments")]
    assert len(looks()) > 3
    assert len(read) == 1


def test_a_trigger_without_an_asset_says_what_it_needs(instagram_sandbox: SandboxHandle) -> None:
    async def first() -> None:
        await anext(InstagramCommentTrigger("instagram_default").run())

    with pytest.raises(ValidationError, match="AssetWatcher"):
        asyncio.run(first())


def test_a_trigger_is_rebuilt_from_what_airflow_stores() -> None:
    path, arguments = InstagramCommentTrigger("instagram_shop", "17912345", poll_interval_s=60).serialize()
    assert path == "airflow_provider_instagram.triggers.comment.InstagramCommentTrigger"
    again = InstagramCommentTrigger(**arguments)
    assert (again.instagram_conn_id, again.media, again.poll_interval_s) == ("instagram_shop", ["17912345"], 60)
