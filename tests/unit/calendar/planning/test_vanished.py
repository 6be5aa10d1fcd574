"""A file that loses most of its posts to come at once: what stays planned, until when, and what people are told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.unit.calendar.simulated_runs import post

if TYPE_CHECKING:
    from tests.unit.calendar.simulated_runs import SimulatedCalendar

FOUR = [post("past", -30), post("a", 60), post("b", 120), post("c", 180)]
MESSAGE = "most of its posts to come have vanished at once."


def planned(calendar: SimulatedCalendar, at: float, *, by_hand: bool = False) -> list[str]:
    """Look as the planner does, and return the posts of its plan, which tasks read."""
    calendar.plan(at, by_hand=by_hand)
    return [one.id for one in calendar.stored().timely.posts]


@pytest.mark.parametrize(
    ("before", "left", "is_kept"),
    [
        *((1, 0, False), (2, 1, False), (2, 0, True)),
        *((3, 1, False), (3, 0, True), (4, 2, False), (4, 1, True)),
        *((6, 4, False), (6, 3, True), (7, 4, False), (7, 3, True)),
    ],
)
def test_half_of_the_posts_to_come_are_not_lost_in_silence_but_few_are_an_edit(
    calendar: SimulatedCalendar, before: int, left: int, is_kept: bool
) -> None:
    posts = [post("past", -30), *(post(f"p{number}", 60 + number) for number in range(before))]
    calendar.write(*posts)
    calendar.plan(0)
    calendar.write(*posts[: left + 1])
    assert len(planned(calendar, 1)) == 1 + (before if is_kept else left)
    assert (MESSAGE in calendar.problems()) is is_kept


def test_people_are_told_once_what_to_bring_back(calendar: SimulatedCalendar) -> None:
    calendar.given["notify"] = []
    calendar.write(*FOUR, post("d", 240))
    calendar.plan(0)
    calendar.report()
    calendar.write()
    for at, named in ((1, "a, b, c and 1 more"), (2, "a, b, c and 1 more"), (121, "b, c, d")):
        calendar.plan(at)
        (problem,) = calendar.stored().timely.problems
        assert problem.message == MESSAGE
        assert problem.remedy.startswith(f"Bring back {named}. If they are to go, start the DAG content_plan.")
        assert calendar.report() == [MESSAGE] * (at == 1)


def test_the_last_of_them_is_published_though_no_other_is_to_come(calendar: SimulatedCalendar) -> None:
    calendar.write(post("a", 60), post("b", 120))
    assert calendar.plan(-5) == ["a", "b"]
    had = calendar.prepared("b")
    calendar.write()
    for at in (59.7, 119, 179):
        assert calendar.plan(at) == []
        assert calendar.step("b", had) == "wanted"
    assert planned(calendar, 181) == [], "it is too late for the last one"


def test_a_file_that_cannot_be_read_meanwhile_makes_the_loss_no_edit(calendar: SimulatedCalendar) -> None:
    calendar.write(post("a", 60), post("b", 120), post("c", 300))
    calendar.plan(0)
    calendar.write()
    calendar.plan(1)
    calendar.file.write_text("posts:\n - id: a: b\n")
    calendar.plan(190)
    calendar.write()
    assert planned(calendar, 191) == ["a", "b", "c"], "only c is to come"


def test_what_comes_back_was_never_gone(calendar: SimulatedCalendar) -> None:
    calendar.write(*FOUR)
    assert calendar.plan(0) == ["a", "b", "c"]
    calendar.write()
    assert calendar.plan(1) == []
    calendar.file.write_text("posts:\n - id: a: b\n")
    assert planned(calendar, 2) == ["past", "a", "b", "c"]
    calendar.write(*FOUR, post("d", 200))
    assert planned(calendar, 5) == ["past", "a", "b", "c", "d"]
    assert calendar.problems() == []
    assert set(calendar.stored().begun) == {"a", "b", "c", "d"}
    assert calendar.plan(6) == []


def test_the_file_counts_once_a_person_who_was_told_starts_the_planner(calendar: SimulatedCalendar) -> None:
    calendar.write(*FOUR)
    calendar.plan(0)
    calendar.write()
    before = ["past", "a", "b", "c"]
    assert planned(calendar, 1) == before
    calendar.write(FOUR[0])
    assert planned(calendar, 2) == before
    assert planned(calendar, 50) == before
    assert planned(calendar, 51, by_hand=True) == ["past"]


def test_a_person_who_starts_the_planner_before_anybody_was_told_loses_nothing(calendar: SimulatedCalendar) -> None:
    calendar.write(*FOUR)
    calendar.plan(0)
    calendar.write()
    assert planned(calendar, 1, by_hand=True) == ["past", "a", "b", "c"]
    assert planned(calendar, 2, by_hand=True) == []


def test_posts_that_have_a_problem_or_another_time_are_not_lost(calendar: SimulatedCalendar) -> None:
    calendar.write(*FOUR)
    calendar.plan(0)
    calendar.write(post("a", 60, captoin="x"), post("b", 300), post("c", 180, captoin="x"))
    assert planned(calendar, 1) == ["b"]


@pytest.mark.parametrize("name", ["posts.csv", "posts.json", "posts.yaml"])
def test_a_file_that_is_cut_after_a_row_keeps_its_posts(calendar: SimulatedCalendar, name: str) -> None:
    """As somebody sees it who reads while it is written: also one that ends inside a row, or inside a letter."""
    calendar.file = calendar.file.with_name(name)
    rows = [
        {"id": f"p{n}", "publish_at": f"2026-12-02 {n + 8:02}:00 Europe/Berlin", "video": "a.mp4"} for n in range(10)
    ]
    if name.endswith("csv"):
        text = "id,publish_at,video\n" + "".join(f"{','.join(row.values())}\n" for row in rows)
    elif name.endswith("json"):
        text = json.dumps({"min_spacing": "0 s", "posts": rows}, indent=1)
    else:
        text = "posts:\n" + "".join(f" - {json.dumps(row)}\n" for row in rows)
    content = text.replace("a.mp4", "f\u00fcr.mp4").encode()
    for part in range(0, len(content), 37):
        calendar.file.write_bytes(content)
        calendar.plan(part)
        calendar.file.write_bytes(content[:part])
        if 10 - sum(row["id"].encode() in content[:part] for row in rows) > 5:
            assert len(planned(calendar, part + 1)) == 10
