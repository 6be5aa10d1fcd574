"""Two owners of one post_key, in every order that chance finds: never two posts.

Each reading and writing of the ledger, each request and each wait is a step; a seeded scheduler says who goes next. The
client is played here, because time is: an order of steps is what is tried, not a network.
"""

from __future__ import annotations

import random
import threading
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.exceptions import InstagramError, TransientError
from airflow_provider_instagram.graph.models import ContainerStatus, Media, MediaPage
from airflow_provider_instagram.ledger import Ledger, Owner
from airflow_provider_instagram.publishing import Publisher

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_instagram.graph.calls import Call

ROUNDS = 1000


class Turns:
    """Lets one thread go on at a time, in an order drawn from a seed, for one step or for many in a row."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311
        self.condition = threading.Condition()
        self.waiting: set[str] = set()
        self.running: set[str] = set()
        self.chosen: str | None = None
        self.latest = ""
        self.persistence = self.random.choice((0.0, 0.5, 0.8, 0.9, 0.95))
        self.now = datetime(2026, 11, 24, tzinfo=timezone.utc)

    def step(self) -> None:
        name = threading.current_thread().name
        with self.condition:
            self.waiting.add(name)
            self._choose()
            self.condition.wait_for(lambda: self.chosen == name, timeout=30)
            self.chosen = None
            self.waiting.discard(name)

    def leave(self) -> None:
        with self.condition:
            self.running.discard(threading.current_thread().name)
            self._choose()

    def _choose(self) -> None:
        if self.chosen is None and self.running and self.waiting >= self.running:
            if self.latest not in self.waiting or self.random.random() >= self.persistence:
                self.latest = self.random.choice(sorted(self.waiting))
            self.chosen = self.latest
            self.condition.notify_all()


class Register(dict[str, Any]):
    """A store of which the last write counts, as Airflow's is."""

    def __init__(self, turns: Turns) -> None:
        super().__init__()
        self.turns = turns

    def get(self, key: str, default: Any = None) -> Any:
        self.turns.step()
        return super().get(key, default)

    def set(self, key: str, value: Any) -> None:
        self.turns.step()
        self[key] = value


class Instagram:
    """A container that can be published again and again, as the harshest reading of the API has it."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.posts: list[str] = []

    def sleep(self, seconds: float) -> None:
        self.turns.step()

    def send(self, call: Call[Any]) -> Any:
        self.turns.step()
        if call.path.endswith("media_publish"):
            self.posts.append(f"{1800 + len(self.posts)}")
            return self.posts[-1]
        if call.path.endswith("/media"):
            return MediaPage(())
        if call.path in self.posts:
            return Media(call.path, permalink=f"https://example.com/{call.path}")
        return ContainerStatus(call.path, "PUBLISHED" if self.posts else "FINISHED")


def in_turns(turns: Turns, runs: dict[str, Callable[[str], None]]) -> None:
    """Run threads by their names, one step of one of them at a time."""

    def begin(name: str) -> None:
        try:
            runs[name](name)
        finally:
            turns.leave()

    threads = [threading.Thread(target=begin, args=(name,), name=name) for name in runs]
    turns.running = set(runs)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive(), "a thread did not end"


def race(seed: int) -> tuple[list[str], list[Any]]:
    turns = Turns(seed)
    store, instagram = Register(turns), Instagram(turns)
    owners = {name: Owner("calendar", name, "publish", -1) for name in ("run-1", "run-2")}
    alive: set[Owner] = set(owners.values())
    ends: list[Any] = []

    def sleep(seconds: float) -> None:
        for _ in range(turns.random.randint(1, 6)):
            turns.step()
        turns.now += timedelta(seconds=seconds)

    def run(name: str) -> None:
        publisher = Publisher(
            instagram,  # type: ignore[arg-type]
            Ledger(store, "studio", lambda: turns.now),
            "17841400000000001",
            owners[name],
            alive.__contains__,
            sleep,
        )
        try:
            ends.append(publisher.publish("post-1", "17900000000000001")[0].media_id)
        except InstagramError as error:
            ends.append(error)
        finally:
            alive.discard(owners[name])

    in_turns(turns, dict.fromkeys(owners, run))
    assert len(ends) == 2, "a thread did not end"
    return instagram.posts, ends


@pytest.mark.parametrize("hundred", range(ROUNDS // 100))
def test_two_runs_with_one_key_make_one_post(hundred: int) -> None:
    for seed in range(100 * hundred, 100 * (hundred + 1)):
        posts, ends = race(seed)
        assert len(posts) == 1, f"seed {seed}"
        # the other returns that post, cannot tell it, or says who holds it
        assert all(end in (posts[0], None) or isinstance(end, TransientError) for end in ends), f"seed {seed}"
        assert posts[0] in ends
