"""Many containers of one account, one poller, on a clock that jumps from one event to the next.

Instagram is played here, because time is; the poller meets the sandbox over HTTP in Airflow.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.exceptions import (
    AuthenticationError,
    MediaRejectedError,
    RateLimitError,
    TransientError,
)
from airflow_provider_instagram.graph.models import ContainerStatus
from airflow_provider_instagram.graph.usage import Usage
from airflow_provider_instagram.quota.call_budget import CallBudget
from airflow_provider_instagram.triggers.poller import Poller, Wait
from tests.unit.triggers.virtual_time import VirtualTimeLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from pytest_mock import MockerFixture

    from airflow_provider_instagram.exceptions import InstagramError
    from airflow_provider_instagram.graph.calls import Call

START = 1_764_000_000.0


class Instagram:
    """An account whose containers finish at given times, and the clients that ask about it."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        self.loop = loop
        self.finishes: dict[str, float] = {}
        self.asked: list[tuple[float, str]] = []
        self.refusals: list[InstagramError] = []
        self.report: Usage | None = None
        self.usage: Usage | None = None
        self.sent = self.opened = self.closed = 0

    async def send(self, call: Call[Any]) -> ContainerStatus:
        self.sent += 1
        self.asked.append((self.loop.now - START, call.path))
        self.usage = self.report
        if self.refusals:
            raise self.refusals.pop(0)
        done = self.loop.now >= self.finishes.get(call.path, float("inf"))
        return ContainerStatus(call.path, "FINISHED" if done else "IN_PROGRESS")

    async def open(self) -> tuple[Any, float]:
        self.opened += 1
        return self, 200

    async def __aexit__(self, *_: object) -> None:
        self.closed += 1

    def times(self, container_id: str) -> list[float]:
        return [at for at, path in self.asked if path == container_id]


class Scene:
    """The poller of an account, and those who wait."""

    def __init__(self) -> None:
        self.loop = VirtualTimeLoop(START)
        self.instagram = Instagram(self.loop)
        self.budget = CallBudget(self.loop.clock, since=START - 3600)
        self.poller = Poller("brand", self.instagram.open, self.budget, clock=self.loop.clock)
        self.ends: dict[str, tuple[float, str]] = {}

    async def wait(self, container_id: str, minutes: float = 30, interval_s: float = 5, age_s: float = 0) -> None:
        now = self.loop.now
        try:
            await self.poller.wait(Wait(container_id, now + 60 * minutes, now - age_s, interval_s))
            end = "ready"
        except Exception as error:  # noqa: BLE001
            end = f"{type(error).__name__}: {error}"
        self.ends[container_id] = (self.loop.now - START, end)

    def run(self, main: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        self.loop.run(main())


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_fresh_container_is_asked_about_every_five_seconds_and_less_often_as_it_ages(scene: Scene) -> None:
    scene.instagram.finishes["1"] = START + 600
    scene.run(lambda: scene.wait("1"))
    times = scene.instagram.times("1")
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert times[0] <= 5
    assert all(4.4 < gap <= 5 for gap in gaps[:3])
    assert max(gaps) <= 0.2 * 610
    assert len(times) < 30
    at, end = scene.ends["1"]
    assert end == "ready"
    assert 600 <= at <= 600 * 1.25


def test_all_of_an_account_share_a_client_and_one_reading_of_the_connection(scene: Scene) -> None:
    for number in range(30):
        scene.instagram.finishes[str(number)] = START + 60

    async def main() -> None:
        await asyncio.gather(*(scene.wait(str(number)) for number in range(30)))

    scene.run(main)
    assert {end for _, end in scene.ends.values()} == {"ready"}
    assert (scene.instagram.opened, scene.instagram.closed) == (1, 1)


def test_ten_posts_that_wait_five_minutes_stay_within_the_budget(scene: Scene) -> None:
    """The specification's own example: 600 calls at a fixed 5 s, of the 200 that there are."""
    for number in range(10):
        scene.instagram.finishes[str(number)] = START + 300

    async def main() -> None:
        await asyncio.gather(*(scene.wait(str(number)) for number in range(10)))

    scene.run(main)
    assert {end for _, end in scene.ends.values()} == {"ready"}
    assert len(scene.instagram.asked) <= 20 + 120
    assert max(at for at, _ in scene.ends.values()) < 300 + 10 * 36 + 60


def test_under_pressure_everybody_has_his_turn(scene: Scene) -> None:
    """A hundred at one a 36 s: each is asked about once an hour, early ones not more than late ones."""

    async def main() -> None:
        await asyncio.gather(*(scene.wait(str(number), minutes=300) for number in range(100)))

    scene.run(main)
    asked = Counter(path for at, path in scene.instagram.asked if at < 5 * 3600 - 1)
    assert len(asked) == 100
    assert max(asked.values()) - min(asked.values()) <= 2
    assert len([at for at, _ in scene.instagram.asked if at < 3600]) <= 120


def test_a_deadline_holds_under_pressure_and_a_last_question_is_asked(scene: Scene) -> None:
    late, never = "900", "901"
    scene.instagram.finishes[late] = START + 290

    async def main() -> None:
        waits = [scene.wait(str(number), minutes=60) for number in range(100)]
        await asyncio.gather(*waits, scene.wait(late, minutes=5), scene.wait(never, minutes=5))

    scene.run(main)
    assert 290 <= scene.ends[late][0] <= 300.1  # by its turn, if chance gave it one of the last, or at its deadline
    assert scene.ends[late][1] == "ready"
    end_at, end = scene.ends[never]
    assert end_at == scene.instagram.times(never)[-1] == pytest.approx(300, abs=0.1)
    assert end.startswith("NotReadyError")
    assert "IN_PROGRESS" in end


def test_a_trigger_that_starts_after_its_deadline_asks_once(scene: Scene) -> None:
    scene.instagram.finishes["1"] = START - 100

    async def main() -> None:
        await scene.wait("1", minutes=-10)
        await scene.wait("2", minutes=-10)

    scene.run(main)
    assert scene.ends["1"][1] == "ready"
    assert scene.ends["2"][1].startswith("NotReadyError")
    assert len(scene.instagram.asked) == 2


def test_a_refusal_for_too_many_calls_stops_everybody_until_the_stated_time(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.instagram.refusals = [RateLimitError("Too many calls", code=80002, retry_after=timedelta(minutes=10))]
    for number in range(5):
        scene.instagram.finishes[str(number)] = START

    async def main() -> None:
        await asyncio.gather(*(scene.wait(str(number)) for number in range(5)))

    scene.run(main)
    times = [at for at, _ in scene.instagram.asked]
    assert times[0] <= 5
    assert times[1] >= times[0] + 600
    assert {end for _, end in scene.ends.values()} == {"ready"}
    assert caplog.text.count("no calls are sent for the account until") == 5
    assert "Too many calls" in caplog.text


def test_a_deadline_within_a_stop_says_so_and_asks_nothing(scene: Scene) -> None:
    scene.instagram.refusals = [RateLimitError("Too many calls", retry_after=timedelta(hours=2))]

    async def main() -> None:
        await asyncio.gather(scene.wait("1", minutes=30), scene.wait("2", minutes=30))

    scene.run(main)
    assert len(scene.instagram.asked) == 1
    assert [at for at, _ in scene.ends.values()] == pytest.approx([1800, 1800], abs=0.1)
    assert all("Too many calls" in end for _, end in scene.ends.values())


def test_the_usage_header_slows_the_poller(scene: Scene) -> None:
    scene.instagram.report = Usage(95)

    async def main() -> None:
        await asyncio.gather(*(scene.wait(str(number), minutes=120) for number in range(5)))

    scene.run(main)
    assert len([at for at, _ in scene.instagram.asked if 3600 < at < 7190]) <= 21


def test_a_waiting_trigger_says_nothing(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.instagram.finishes["1"] = START + 900
    scene.run(lambda: scene.wait("1"))
    assert caplog.records == []


def test_a_passing_failure_is_said_and_waited_out(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.instagram.refusals = [TransientError("Instagram failed")]
    scene.instagram.finishes["1"] = START
    scene.run(lambda: scene.wait("1"))
    assert scene.ends["1"][1] == "ready"
    assert "Instagram failed" in caplog.text


def test_a_rejected_container_ends_its_own_wait_only(scene: Scene) -> None:
    scene.instagram.refusals = [MediaRejectedError("The format is not supported")]
    scene.instagram.finishes["2"] = START + 60

    async def main() -> None:
        first = asyncio.create_task(scene.wait("1", interval_s=1))
        await asyncio.gather(first, scene.wait("2"))

    scene.run(main)
    assert scene.ends["1"][1].startswith("MediaRejectedError")
    assert scene.ends["2"][1] == "ready"


def test_a_dead_token_is_told_to_all_after_one_more_reading_of_the_connection(scene: Scene) -> None:
    async def main() -> None:
        waits = asyncio.gather(*(scene.wait(str(number)) for number in range(5)))
        await asyncio.sleep(120)
        scene.instagram.refusals = [AuthenticationError("The token is revoked") for _ in range(9)]
        await waits

    scene.run(main)
    assert all(end.startswith("AuthenticationError") for _, end in scene.ends.values())
    assert len(scene.instagram.refusals) == 7
    assert scene.instagram.opened == 2


def test_a_token_that_was_replaced_is_used_without_anybody_noticing(scene: Scene) -> None:
    scene.instagram.finishes = {str(number): START + 200 for number in range(5)}

    async def main() -> None:
        waits = asyncio.gather(*(scene.wait(str(number)) for number in range(5)))
        await asyncio.sleep(120)
        scene.instagram.refusals = [AuthenticationError("The token is revoked")]
        await waits

    scene.run(main)
    assert {end for _, end in scene.ends.values()} == {"ready"}
    assert scene.instagram.opened == 2


def test_who_leaves_is_not_asked_about_any_more_and_the_poller_ends_with_the_last(scene: Scene) -> None:
    async def main() -> None:
        task = asyncio.create_task(scene.wait("1"))
        await asyncio.sleep(60)
        task.cancel()
        await asyncio.sleep(3600)

    scene.run(main)
    assert max(scene.instagram.times("1")) <= 60
    assert scene.instagram.closed == 1


def test_a_poller_that_has_ended_starts_again_with_what_is_left_of_its_budget(scene: Scene) -> None:
    scene.instagram.finishes = {str(number): START for number in range(40)}

    async def main() -> None:
        for number in range(40):
            await scene.wait(str(number))

    scene.run(main)
    assert scene.instagram.opened == 40
    assert len([at for at, _ in scene.instagram.asked if at < 3600]) <= 120


def test_a_failure_to_read_the_connection_reaches_all_who_wait(scene: Scene) -> None:
    async def fail() -> Any:
        raise LookupError("no such connection")

    scene.poller.open_client = fail

    async def main() -> None:
        await asyncio.gather(scene.wait("1"), scene.wait("2"))

    scene.run(main)
    assert {end for _, end in scene.ends.values()} == {"LookupError: no such connection"}


def test_after_a_restart_with_many_waits_three_are_asked_about_at_once(scene: Scene) -> None:
    """A new process does not know what the one before it spent: it begins with three calls, and goes on at its pace."""
    scene.poller.budget = CallBudget(scene.loop.clock)

    async def main() -> None:
        await asyncio.gather(*(scene.wait(str(number), minutes=60, age_s=600) for number in range(25)))

    scene.run(main)
    at_once = [at for at, _ in scene.instagram.asked if at < 600]
    assert len(at_once) <= 3 + 600 / 36


class Figures:
    """Airflow's ``Stats``, remembered."""

    def __init__(self) -> None:
        self.calls = 0
        self.levels: dict[str, list[float]] = {}
        self.times_ms: dict[str, list[float]] = {}
        self.tags: list[dict[str, str] | None] = []

    def incr(self, stat: str, count: int = 1, *, tags: dict[str, str] | None = None) -> None:
        assert stat == "instagram.calls"
        self.calls += count
        self.tags.append(tags)

    def gauge(self, stat: str, value: float, *, tags: dict[str, str] | None = None) -> None:
        self.levels.setdefault(stat, []).append(value)
        self.tags.append(tags)

    def timing(self, stat: str, dt: float, *, tags: dict[str, str] | None = None) -> None:
        self.times_ms.setdefault(stat, []).append(dt)
        self.tags.append(tags)


def test_the_poller_tells_its_calls_what_is_left_who_waits_and_how_soon_an_end_was_noticed(
    scene: Scene, mocker: MockerFixture
) -> None:
    scene.instagram.finishes = {"1": START + 100, "2": START + 200}
    mocker.patch("airflow_provider_instagram.triggers.poller.Stats", figures := Figures())

    async def main() -> None:
        await asyncio.gather(scene.wait("1"), scene.wait("2"))

    scene.run(main)
    assert figures.calls == len(scene.instagram.asked)
    assert max(figures.levels["instagram.waiting"]) == 2
    assert figures.levels["instagram.waiting"][-1] == 0
    assert max(figures.levels["instagram.budget_left"]) <= 20
    noticed_late_s = sorted(scene.ends[one][0] - (100, 200)[one == "2"] for one in scene.ends)
    noticed_within_s = sorted(ms / 1000 for ms in figures.times_ms["instagram.noticed_within"])
    assert all(late <= within for late, within in zip(noticed_late_s, noticed_within_s, strict=True))
    assert max(noticed_within_s) <= 2 * 36.1  # two take turns at one call in 36 s
    assert all(tags == {"conn_id": "brand"} for tags in figures.tags)


def test_an_account_that_instagram_has_stopped_has_no_calls_left(scene: Scene, mocker: MockerFixture) -> None:
    scene.instagram.refusals = [RateLimitError("Too many calls", code=4, retry_after=timedelta(minutes=30))]
    scene.instagram.finishes = {"1": START + 100}
    mocker.patch("airflow_provider_instagram.triggers.poller.Stats", figures := Figures())
    scene.run(lambda: scene.wait("1", minutes=60))
    stopped, *_, resumed = figures.levels["instagram.budget_left"]
    assert (stopped, resumed > 0) == (0, True)


@pytest.mark.parametrize("code", [4, 17, 613, 80002])
def test_processes_that_share_an_account_lose_one_call_each_to_a_stop(code: int) -> None:
    """The limit's own answer tells a process everything that a note of another could tell it."""
    loop = VirtualTimeLoop(START)
    instagram = Instagram(loop)
    stop = RateLimitError("Too many calls", code=code, retry_after=timedelta(minutes=30))

    async def main() -> None:
        pollers = [Poller("brand", instagram.open, CallBudget(loop.clock), clock=loop.clock) for _ in range(3)]
        waits = [
            asyncio.ensure_future(poller.wait(Wait(f"{number}{one}", START + 7200, START, 5)))
            for number, poller in enumerate(pollers)
            for one in range(10)
        ]
        await asyncio.sleep(600)
        instagram.refusals, asked = [stop] * 99, len(instagram.asked)
        await asyncio.sleep(1700)
        assert len(instagram.asked) - asked == len(pollers)
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)

    loop.run(main())
