"""How ``make cluster`` judges: a wrong verdict here would hide a post that is missing or made twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from tests.calendars.fate import Due, Fate, fates, is_good
from tests.cluster.programme import FULL, LEAD_S, OUTAGES, programme

AT = datetime(2030, 1, 1, 12, 0, tzinfo=timezone.utc)
DUE = Due("monday", AT, "account_a", "kill redis")


def instance(task: str, state: str, tries: int = 1) -> dict[str, Any]:
    return {"dag_run_id": "monday", "task_id": task, "state": state, "try_number": tries}


def fate(made: int, *instances: dict[str, Any], late_s: float | None = 1.0, why: str = "") -> Fate:
    requests = {} if late_s is None else {"monday": [AT.timestamp() + late_s]}
    shown = {"monday": ("published", why) if made else ("failed", "no container")}
    (found,) = fates([DUE], {"monday": made}, requests, instances, shown)
    return found


def test_one_post_that_airflow_knows_of_is_good() -> None:
    late = fate(1, instance("publish", "success"), late_s=182.0, why="12:03 instead of 12:00, because …")
    assert late.late_s == pytest.approx(182.0)
    assert is_good([late])


@pytest.mark.parametrize(
    ("found", "is_true"),
    [
        (fate(0, instance("publish", "failed", tries=4), late_s=None), True),
        (fate(2, instance("publish", "success")), False),
        (fate(1, instance("publish", "failed")), False),
        (fate(0, instance("publish", "success"), late_s=None), False),
        (fate(0, late_s=None), True),
        (fate(1, instance("publish", "success"), late_s=-0.2), True),
        (fate(1, instance("publish", "success"), late_s=262.0, why="12:02 instead of 12:00"), False),
        (fate(1, instance("publish", "success"), late_s=3.0, why="12:02 instead of 12:00"), False),
        (fate(1, instance("publish", "success"), late_s=162.0), False),
    ],
    ids=[
        "none",
        "two",
        "live and failed",
        "success and none",
        "no run",
        "early",
        "later than is said",
        "earlier than is said",
        "late and nothing is said",
    ],
)
def test_anything_else_is_not(found: Fate, is_true: bool) -> None:
    assert not is_good([found])
    assert found.is_true is is_true


def test_a_post_that_is_too_late_is_good_if_it_is_skipped_with_the_reason() -> None:
    too_late = Due("monday", AT, "account_a", "create paused 240 s", is_skipped=True)
    shown = {"monday": ("skipped", "3 min 36 s late")}
    assert is_good(fates([too_late], {}, {}, [], shown))
    assert not is_good(fates([too_late], {}, {}, [], {"monday": ("skipped", "")}))
    assert not is_good(fates([too_late], {}, {}, [], {}))
    assert not is_good(fates([too_late], {"monday": 1}, {}, [instance("publish", "success")], shown))


def test_a_post_that_was_removed_is_good_if_it_is_not_there() -> None:
    removed = replace(DUE, is_removed=True)
    assert is_good(fates([removed], {}, {}, [], {}))
    assert not is_good(
        fates([removed], {"monday": 1}, {}, [instance("publish", "success")], {"monday": ("published", "")})
    )


def test_a_page_that_shows_a_live_post_as_failed_is_not_good() -> None:
    live = instance("publish", "success")
    assert not is_good(fates([DUE], {"monday": 1}, {"monday": [AT.timestamp()]}, [live], {"monday": ("failed", "")}))


def test_an_edited_caption_is_looked_for_under_its_new_text() -> None:
    requests, shown = {"new": [AT.timestamp()]}, {"monday": ("published", "")}
    edited = replace(DUE, edited_caption="new")
    (found,) = fates([edited], {"new": 1}, requests, [instance("publish", "success")], shown)
    assert is_good([found])


def test_posts_are_due_during_each_disturbance_and_after_it() -> None:
    plan = programme(AT, 4, 10.0, FULL)
    begins = {str(disturbance): (begin, disturbance.seconds) for begin, disturbance in plan.disturbances}
    assert len(begins) == 40
    ends = AT
    for name, (begin, seconds) in begins.items():
        assert begin >= ends, "one after the other"
        ends = begin + timedelta(seconds=seconds)
        due = [post.at for post in plan.posts if post.around == name]
        assert any(begin < at < ends for at in due)
        assert any(at > ends for at in due)


def test_the_containers_of_most_posts_are_made_while_s3_refuses() -> None:
    plan = programme(AT, 4, 10.0, OUTAGES)
    (begin, refusing), *_ = plan.disturbances
    made = [post.at - timedelta(seconds=LEAD_S) for post in plan.posts if post.around == str(refusing)]
    during = [begin < at < begin + timedelta(seconds=refusing.seconds) for at in made]
    assert during.count(True) == 6
    assert {post.shows for post in plan.posts if post.around == str(refusing)} == {
        "reel",
        "link",
        "picture",
        "carousel",
    }
