"""What an edit of a calendar does to runs that are under way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.calendar.stage import ids, post

if TYPE_CHECKING:
    from tests.unit.calendar.stage import Stage


@pytest.mark.parametrize(
    ("meanwhile", "ends"),
    [
        ([post("a", 240)], "skipped (moved to 2026-12-01 16:00)"),
        ([post("a", 60, caption="other")], "skipped (edited)"),
        ([post("a", 60, account="other")], "skipped (edited)"),
        ([], "skipped (removed)"),
        ([post("a", 60, captoin="x")], "failed: The post is faulty now"),
        ([post("a", 60), post("crowds", 50)], "failed: The post is faulty now"),
    ],
)
def test_a_post_that_is_put_back_as_it_was_is_brought_by_a_new_run(
    stage: Stage, meanwhile: list[dict[str, Any]], ends: str
) -> None:
    """The run that had it let go of it meanwhile; it does not take it up again beside the new one."""
    stage.write(post("a", 60), min_spacing="15 min")
    stage.parse(-5)
    (had,) = stage.run("content/first", 0)
    stage.write(*meanwhile, min_spacing="15 min")
    stage.parse(1)
    assert stage.step(had, "content/first").startswith(ends)

    stage.write(post("a", 60), min_spacing="15 min")
    assert 3 in stage.parse(3)
    assert stage.run("content/second", 3) == [had]
    assert stage.step(had, "content/first") == "skipped (taken over)"
    assert stage.step(had, "content/second") == "wanted"
    assert stage.run("content/third", 4) == []


def test_a_run_gives_back_only_what_nobody_has_taken_meanwhile(stage: Stage) -> None:
    stage.write(post("a", 60))
    stage.parse(-5)
    (had,) = stage.run("content/first", 0)
    stage.write(post("a", 60, caption="edited"))
    stage.parse(1)
    (edited,) = stage.run("content/second", 1)
    assert stage.step(had, "content/first") == "skipped (edited)"
    assert stage.step(edited, "content/second") == "wanted"
    assert stage.run("content/third", 2) == []
    assert ids([had, edited]) == ["a", "a"]
