"""A file that loses most of its posts to come at once: what stays planned, for how long, and what people are told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from airflow_provider_instagram.calendar.planning.stored_plan import due_file, read_due
from airflow_provider_instagram.calendar.planning.vanished import record_removal
from tests.unit.calendar.simulated_runs import after_noon, post

if TYPE_CHECKING:
    from tests.unit.calendar.simulated_runs import SimulatedCalendar

FOUR = [post("past", -30), post("a", 60), post("b", 120), post("c", 180)]


def planned(calendar: SimulatedCalendar, at: float) -> list[str]:
    """Look as the planner does, and return the posts of its plan, which tasks read."""
    calendar.plan(at)
    return [one.id for one in calendar.stored().timely.posts]


def looks_again_at(calendar: SimulatedCalendar) -> float:
    due = read_due(due_file(calendar.settings.plan_file))
    assert due is not None
    return (due.at - after_noon(0).timestamp()) / 60


@pytest.mark.parametrize(
    ("left", "is_kept"),
    [
        ([], True),
        (["past"], True),
        (["a"], True),
        (["past", "c"], True),
        (["a", "b"], False),
        (["a", "b", "c"], False),
        (["past", "a", "b"], False),
    ],
)
def test_more_than_half_of_the_posts_to_come_are_not_lost_in_silence(
    calendar: SimulatedCalendar, left: list[str], is_kept: bool
) -> None:
    calendar.write(*FOUR)
    calendar.plan(0)
    calendar.write(*(one for one in FOUR if one["id"] in left))
    kept = [one["id"] for one in FOUR] if is_kept else left
    assert planned(calendar, 1) == kept
    assert (looks_again_at(calendar) == 16) is is_kept, "nobody has to edit the file for it to count"
    assert planned(calendar, 15.9) == kept
    assert planned(calendar, 16) == left, "15 minutes after it was first seen, the file counts as it is"
    assert planned(calendar, 17) == left


@pytest.mark.parametrize(
    ("before", "left", "is_kept"), [(4, 2, True), (4, 3, False), (2, 1, False), (2, 0, True), (1, 0, True)]
)
def test_half_of_the_posts_to_come_are_not_lost_in_silence_but_one_of_two_is_an_edit(
    calendar: SimulatedCalendar, before: int, left: int, is_kept: bool
) -> None:
    posts = [post(f"p{number}", 60 + number) for number in range(before)]
    calendar.write(*posts)
    calendar.plan(0)
    calendar.write(*posts[:left])
    assert len(planned(calendar, 1)) == (before if is_kept else left)
    assert len(calendar.problems()) == is_kept


def test_people_are_told_at_once_until_when_the_posts_stay(calendar: SimulatedCalendar) -> None:
    calendar.given["notify"] = []
    calendar.write(*FOUR, defaults={"timezone": "Europe/Berlin"})
    calendar.plan(0)
    calendar.report()
    calendar.write(defaults={"timezone": "Europe/Berlin"})
    message = "2 of its 2 posts to come have vanished at once: b, c."  # a was at noon in UTC
    for at in (1, 2, 7):
        calendar.plan(at)
        (problem,) = calendar.stored().timely.problems
        assert problem.message == message
        assert "until 2026-12-01 13:16 Europe/Berlin" in problem.remedy
        assert calendar.report() == [message] * (at == 1)


def test_a_post_that_is_due_meanwhile_is_published(calendar: SimulatedCalendar) -> None:
    calendar.write(post("a", 60))
    assert calendar.plan(-5) == ["a"]
    had = calendar.prepared()
    calendar.write()
    assert calendar.plan(59.7) == []
    assert calendar.step("a", had) == "wanted"
    calendar.now = 60.1
    assert calendar.step("a", had) == "wanted"
    assert calendar.plan(74) == []
    assert calendar.step("a", had) == "wanted", "it is late"
    assert calendar.plan(75) == ["a"]
    assert calendar.step("a", had) == "skipped (removed)"


def test_what_comes_back_was_never_gone(calendar: SimulatedCalendar) -> None:
    calendar.write(*FOUR)
    assert calendar.plan(0) == ["a", "b", "c"]
    calendar.write()
    assert calendar.plan(1) == []
    calendar.write(*FOUR, post("d", 200))
    assert planned(calendar, 5) == ["past", "a", "b", "c", "d"]
    assert calendar.problems() == []
    assert set(calendar.stored().begun) == {"a", "b", "c", "d"}
    assert calendar.plan(6) == []


@pytest.mark.parametrize(
    ("second", "counts_from"),
    [(["a"], 16), ([], 25), (["a", "new"], 16)],
    ids=["as before", "more is lost", "other posts come"],
)
def test_the_wait_begins_again_only_if_more_is_lost(
    calendar: SimulatedCalendar, second: list[str], counts_from: float
) -> None:
    known = {one["id"]: one for one in (*FOUR, post("new", 90))}
    calendar.write(*FOUR)
    calendar.plan(0)
    calendar.write(known["a"])
    calendar.plan(1)
    calendar.write(*(known[name] for name in second))
    before = ["past", "a", "b", "c"]
    assert [planned(calendar, at) for at in (10, counts_from - 0.1)] == [before, before]
    assert {*planned(calendar, counts_from)} == {*second}


def test_a_file_that_cannot_be_read_meanwhile_starts_nothing_anew(calendar: SimulatedCalendar) -> None:
    calendar.write(*FOUR)
    calendar.plan(0)
    calendar.write()
    calendar.plan(1)
    calendar.file.write_text("posts:\n - id: a: b\n")
    assert planned(calendar, 5) == ["past", "a", "b", "c"]
    calendar.write()
    assert planned(calendar, 15) == ["past", "a", "b", "c"]
    assert planned(calendar, 16) == []


def test_posts_that_have_a_problem_or_another_time_are_not_lost(calendar: SimulatedCalendar) -> None:
    calendar.write(*FOUR)
    calendar.plan(0)
    calendar.write(post("a", 60, captoin="x"), post("b", 300), post("c", 180, captoin="x"))
    assert planned(calendar, 1) == ["b"]
    calendar.write(post("b", 300), post("a", 60))
    assert planned(calendar, 2) == ["a", "b"], "one of three"


def test_posts_that_would_not_go_out_are_none_to_lose(calendar: SimulatedCalendar) -> None:
    """The lead takes a wrong post out again, which stood in the way of the right one."""
    calendar.write(post("a", 60), min_spacing="15 min")
    calendar.plan(0)
    calendar.write(post("a", 60), post("crowds", 50), min_spacing="15 min")
    assert planned(calendar, 1) == ["crowds"]
    calendar.write(post("a", 60), min_spacing="15 min")
    assert planned(calendar, 2) == ["a"]
    calendar.write(post("a", 60, captoin="x"))
    assert planned(calendar, 3) == []
    calendar.write()
    empty = "the calendar has no posts, so nothing is published."
    assert (planned(calendar, 4), calendar.problems()) == ([], [empty])


@pytest.mark.parametrize(
    ("removed", "gone", "kept"),
    [
        (["a"], ["a"], False),
        (["a"], ["a", "b"], False),
        (["a"], ["a", "b", "c"], True),
        (["a", "b"], ["a", "b"], False),
    ],
)
def test_what_a_person_removes_on_the_page_is_not_lost(
    calendar: SimulatedCalendar, removed: list[str], gone: list[str], kept: bool
) -> None:
    calendar.write(*FOUR)
    calendar.plan(0)
    for name in removed:
        record_removal(calendar.settings.plan_file, name, after_noon(0.5))
    left = [one for one in FOUR if one["id"] not in gone]
    calendar.write(*left)
    assert planned(calendar, 1) == [one["id"] for one in (FOUR if kept else left)]


def test_a_removal_on_the_page_excuses_no_loss_of_another_day(calendar: SimulatedCalendar) -> None:
    calendar.write(post("a", 600))
    calendar.plan(0)
    record_removal(calendar.settings.plan_file, "a", after_noon(-61))
    calendar.write()
    assert planned(calendar, 1) == ["a"]
    (file,) = calendar.file.parent.glob("snapshots/*.removed")
    file.write_text("[")
    assert planned(calendar, 2) == ["a"]
    record_removal(calendar.settings.plan_file, "a", after_noon(3))  # a damaged record is not worth an error


def test_the_wait_is_a_setting(calendar: SimulatedCalendar, monkeypatch: pytest.MonkeyPatch) -> None:
    for minutes, expected in (("120", ["a"]), ("0", [])):
        monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_LOSS_MINUTES", minutes)
        calendar.write(post("a", 600))
        calendar.plan(0)
        calendar.write()
        assert planned(calendar, 100) == expected


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
