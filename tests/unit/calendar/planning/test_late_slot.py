"""Two late posts of an account that look for a free time at once, in every order of what they read and write."""

from __future__ import annotations

import itertools
import threading
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.calendar.file.columns import Calendar, ScheduledPost
from airflow_provider_instagram.calendar.planning.lateness import choose_late_time, first_free_time, too_late
from airflow_provider_instagram.calendar.planning.post_rows import PostRows
from tests.unit.calendar.simulated_runs import ACCOUNT, NOON, Rows, after_noon

if TYPE_CHECKING:
    from collections.abc import Iterable

SPACING = timedelta(minutes=5)


def late(post_id: str, at: float) -> ScheduledPost:
    return ScheduledPost(id=post_id, publish_at=after_noon(at), account=ACCOUNT, video="a.mp4")


class Turns(Rows):
    """Rows that two threads read and write in a given order; when the order has ended, as they come."""

    def __init__(self, order: Iterable[str]) -> None:
        super().__init__()
        self.order, self.turn, self.ended = list(order), threading.Condition(), set[str]()

    def set(self, key: str, value: Any) -> None:
        self._when_it_is_my_turn(lambda: super(Turns, self).set(key, value))

    def get(self, key: str, default: Any = None) -> Any:
        return self._when_it_is_my_turn(lambda: super(Turns, self).get(key, default))

    def end(self) -> None:
        with self.turn:
            self.ended.add(threading.current_thread().name)
            self.turn.notify_all()

    def _when_it_is_my_turn(self, act: Any) -> Any:
        me = threading.current_thread().name
        with self.turn:
            self.turn.wait_for(lambda: self._next() in (None, me), timeout=10)
            if self.order:
                self.order.pop(0)
            found = act()
            self.turn.notify_all()
            return found

    def _next(self) -> str | None:
        while self.order and self.order[0] in self.ended:
            self.order.pop(0)
        return self.order[0] if self.order else None


# Each reads its own row, then the other's, writes, and reads the other's again.
@pytest.mark.parametrize("first", ["a", "b"])
def test_of_two_late_posts_one_gives_way_whatever_the_order(first: str) -> None:
    for rest in itertools.product("ab", repeat=7):
        rows = Turns((first, *rest))
        posts = {"a": late("a", -20), "b": late("b", -10)}
        calendar = Calendar("posts.yaml", tuple(posts.values()), min_spacing=SPACING)
        chosen: dict[str, datetime] = {}

        def choose(
            name: str, rows: Turns = rows, posts: Any = posts, calendar: Any = calendar, chosen: Any = chosen
        ) -> None:
            of_posts = PostRows(rows)
            chosen[name] = choose_late_time(posts[name], calendar, of_posts, clock=lambda: NOON, sleep=lambda _: None)
            rows.end()

        threads = [threading.Thread(target=choose, args=(name,), name=name) for name in posts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert abs(chosen["a"] - chosen["b"]) >= SPACING, (first, rest)


def test_a_late_post_keeps_the_time_that_it_chose() -> None:
    """A try that died, or a wait that is over: it does not go to the end of the queue again."""
    rows, one, other = Rows(), late("one", -20), late("other", -10)
    calendar = Calendar("posts.yaml", (one, other), min_spacing=SPACING)
    of_posts = PostRows(rows)
    first = choose_late_time(one, calendar, of_posts, clock=lambda: NOON)
    second = choose_late_time(other, calendar, of_posts, clock=lambda: NOON)
    assert second - first == SPACING
    assert choose_late_time(one, calendar, of_posts, clock=lambda: NOON + timedelta(seconds=30)) == first
    assert choose_late_time(other, calendar, of_posts, clock=lambda: second) == second


def test_a_late_post_keeps_its_distance_to_one_that_was_edited_after_it_went_out() -> None:
    rows, one, other = Rows(), late("one", -40), late("other", -20)
    of_posts = PostRows(rows)
    at = choose_late_time(one, Calendar("posts.yaml", (one, other)), of_posts, clock=lambda: NOON)
    edited = ScheduledPost(**{**one.model_dump(), "caption": "corrected"})
    calendar = Calendar("posts.yaml", (edited, other))
    assert choose_late_time(other, calendar, of_posts, clock=lambda: after_noon(1)) - at >= calendar.min_spacing
    assert choose_late_time(edited, calendar, of_posts, clock=lambda: after_noon(0.5)) > at


@pytest.mark.parametrize(
    ("after_min", "room_min", "late_is", "word"),
    [
        (1, 500, "skip", None),
        (2, 2, "skip", "skipped: late"),
        (2, 60, "publish", None),
        (2, 61, "publish", "skipped: 2 min late"),
        (190, 190, "publish", "skipped: 3 h 10 min late"),
    ],
)
def test_a_post_is_too_late_by_what_the_author_of_the_dag_allows(
    after_min: float, room_min: float, late_is: str, word: str | None
) -> None:
    post = late("a", 0)
    allowed = {"late": late_is, "max_lateness": timedelta(hours=1)}
    found = too_late(post, after_noon(after_min), after_noon(room_min), **allowed)  # type: ignore[arg-type]
    assert (found and found[0]) == word


@pytest.mark.parametrize(
    ("others", "expected"),
    [([], 0), ([20], 0), ([15], 0), ([10], 25), ([-10], 5), ([-10, 10], 25), ([-10, 10, 30], 45), ([14, 29, 60], 44)],
)
def test_a_late_post_goes_out_as_soon_as_there_is_room(others: list[float], expected: float) -> None:
    found = first_free_time(NOON, [after_noon(other) for other in others], timedelta(minutes=15))
    assert found == after_noon(expected)
