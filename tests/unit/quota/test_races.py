"""Two to four owners of one post_key, in many random orders of their steps: never two posts.

Each read and write of the ledger, each request and each wait is a step. A seeded scheduler chooses the next owner to
take a step. Tries die at any step, requests and answers are lost, reads fail, and the effect of a request shows ten
seconds late. The client is simulated, because the test is about the order of steps and not about the network.
"""

from __future__ import annotations

import random
import threading
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.exceptions import InstagramError, TransientError
from airflow_provider_instagram.graph.models import ContainerStatus, Media, Page
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.ledger.records import Owner, Try
from airflow_provider_instagram.publishing.publish import Live, Publisher

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_instagram.graph.calls import Call

ROUNDS = 3000
TRIES = 3
#: How often it happens.
LOST, OUTAGE, DEATH = 0.3, 0.03, 0.5
SHOWS_AFTER = timedelta(seconds=10)


class Turns:
    """Runs one thread at a time, in an order drawn from a seed, for one step or for many in a row."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311
        self.lock = threading.Lock()
        self.gates: dict[str, threading.Semaphore] = {}
        self.waiting: set[str] = set()
        self.running: set[str] = set()
        self.latest = ""
        self.persistence = self.random.choice((0.0, 0.5, 0.8, 0.9, 0.95))
        self.now = datetime(2026, 11, 24, tzinfo=timezone.utc)

    def step(self) -> None:
        name = threading.current_thread().name
        with self.lock:
            self.waiting.add(name)
            self._choose()
        self.gates[name].acquire(timeout=30)

    def leave(self) -> None:
        with self.lock:
            self.running.discard(threading.current_thread().name)
            self._choose()

    def _choose(self) -> None:
        if self.running and self.waiting >= self.running:
            if self.latest not in self.waiting or self.random.random() >= self.persistence:
                self.latest = self.random.choice(sorted(self.waiting))
            self.waiting.discard(self.latest)
            self.gates[self.latest].release()


class Register(dict[str, Any]):
    """A store where the last write counts, like Airflow's."""

    def __init__(self, turns: Turns) -> None:
        super().__init__()
        self.turns = turns

    def get(self, key: str, default: Any = None) -> Any:
        self.turns.step()
        return super().get(key, default)

    def set(self, key: str, value: Any) -> None:
        self.turns.step()
        self[key] = value


class Death(BaseException):
    """The process is gone: none of its code runs any more."""


class Life:
    """The number of steps before a try dies, if it dies."""

    def __init__(self, chance: random.Random) -> None:
        self.left = chance.randint(1, 60) if chance.random() < DEATH else -1

    def step(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Death


class MortalStore:
    """The ledger's store for a try that may die."""

    def __init__(self, store: Register, life: Life) -> None:
        self.store, self.life = store, life

    def get(self, key: str) -> Any:
        self.life.step()
        return self.store.get(key)

    def set(self, key: str, value: Any) -> None:
        self.life.step()
        self.store.set(key, value)
        self.life.step()


class Instagram:
    """A container that can be published again and again, which is the harshest reading of the API."""

    def __init__(self, turns: Turns, chance: random.Random) -> None:
        self.turns, self.chance = turns, chance
        self.posts: dict[str, datetime] = {}

    def answer(self, call: Call[Any]) -> Any:
        self.turns.step()
        luck = self.chance.random()
        if call.path.endswith("media_publish"):
            return self._publish(luck)
        if luck < OUTAGE:
            raise TransientError("The service is down.")
        if call.path.endswith("/media"):
            return Page(())
        if call.path in self.posts:
            return Media(call.path, permalink=f"https://example.com/{call.path}")
        shown = any(made + SHOWS_AFTER <= self.turns.now for made in self.posts.values())
        return ContainerStatus(call.path, "PUBLISHED" if shown else "FINISHED")

    def _publish(self, luck: float) -> str:
        if luck < LOST / 2:
            raise TransientError("The request is lost.", outcome_unknown=True)
        media_id = f"{1800 + len(self.posts)}"
        self.posts[media_id] = self.turns.now
        if luck < LOST:
            raise TransientError("The answer is lost.", outcome_unknown=True)
        return media_id


class MortalClient:
    """A client of Instagram for a try that may die."""

    def __init__(self, instagram: Instagram, life: Life) -> None:
        self.instagram, self.life = instagram, life

    def sleep(self, seconds: float) -> None:
        self.instagram.turns.step()

    def send(self, call: Call[Any]) -> Any:
        self.life.step()
        answer = self.instagram.answer(call)
        self.life.step()
        return answer


def in_turns(turns: Turns, runs: dict[str, Callable[[str], None]]) -> None:
    """Run threads by their names, one step of one of them at a time."""

    def begin(name: str) -> None:
        try:
            runs[name](name)
        finally:
            turns.leave()

    threads = [threading.Thread(target=begin, args=(name,), name=name) for name in runs]
    turns.running = set(runs)
    turns.gates = {name: threading.Semaphore(0) for name in runs}  # two threads must not make one gate twice
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive(), "a thread did not end"


def race(seed: int) -> tuple[list[str], dict[str, Any]]:
    """Run all owners until each of them has ended.

    :return: The posts, and the end of each owner's last try: the id of a post, None for a post that could not be
        identified, or the error.
    """
    turns, chance = Turns(seed), random.Random(7 * seed + 1)  # noqa: S311
    store, instagram = Register(turns), Instagram(turns, chance)
    owners = {
        name: Owner("calendar", name, "publish", -1) for name in ("run-1", "run-2", "run-3", "run-4")[: 2 + seed % 3]
    }
    alive: set[Owner] = set(owners.values())
    ends: dict[str, Any] = {}

    def sleep(seconds: float) -> None:
        for _ in range(turns.random.randint(1, 4)):
            turns.step()
        turns.now += timedelta(seconds=seconds)

    def run(name: str) -> None:
        for _ in range(TRIES):
            life = Life(chance)
            ledger = Ledger(MortalStore(store, life), "studio", lambda: turns.now)
            client: Any = MortalClient(instagram, life)
            attempt = Try(owners[name], alive.__contains__)
            publisher = Publisher(client, ledger, "17841400000000001", attempt, sleep)
            try:
                found = publisher.settle("post-1", "17900000000000001")
                if not isinstance(found, Live):
                    found = publisher.send(found)
                ends[name] = found.post.media_id
                break
            except (InstagramError, Death) as error:
                ends[name] = error
                sleep(chance.choice((1, 15, 300)))
        alive.discard(owners[name])

    in_turns(turns, dict.fromkeys(owners, run))
    assert set(ends) == set(owners), "a thread did not end"
    return list(instagram.posts), ends


@pytest.mark.parametrize("hundred", range(ROUNDS // 100))
def test_owners_of_one_key_make_one_post(hundred: int) -> None:
    for seed in range(100 * hundred, 100 * (hundred + 1)):
        posts, ends = race(seed)
        assert len(posts) <= 1, f"seed {seed}"
        for end in ends.values():
            # A success is true. Any other end is an error that a retry may fix, or a death.
            is_success = not isinstance(end, BaseException)
            assert end in (*posts, None) if is_success else isinstance(end, (TransientError, Death)), f"seed {seed}"
            assert posts or not is_success, f"seed {seed}"
