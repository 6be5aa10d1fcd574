"""What an edit of a calendar does to runs that are under way."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.calendar.file.parser import parse_rows
from airflow_provider_instagram.calendar.planning.stored_plan import Due, due_file
from airflow_provider_instagram.exceptions import TransientError
from airflow_provider_instagram.ledger.records import PublishedPost
from tests.unit.calendar.simulated_runs import ACCOUNT, after_noon, post

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mock import MockerFixture

    from tests.unit.calendar.simulated_runs import SimulatedCalendar

DAY = 24 * 60


@pytest.mark.parametrize(
    ("meanwhile", "mark", "reason"),
    [
        ([post("a", 240)], "edited", "a was edited."),
        ([post("a", 9 * DAY)], "moved to 2026-12-10 12:00", "a was moved to 2026-12-10 12:00."),
        ([post("a", 60, caption="other")], "edited", "a was edited."),
        ([post("a", 60, account="other")], "edited", "a was edited."),
        ([], "removed", "a was removed from the calendar"),
        (
            [post("a", 60, captoin="x")],
            "has a problem",
            "The post has a problem: Unknown field 'captoin'. Did you mean",
        ),
        ([post("a", 60), post("crowds", 50)], "has a problem", "The post has a problem: it is 10 min after"),
        ([post("a", -5)], "has a problem", "The post has a problem: its time, 2026-12-01 11:55, had passed"),
    ],
)
def test_a_run_ends_with_the_edit_of_its_post_which_has_another_one_when_it_is_put_back(
    calendar: SimulatedCalendar, meanwhile: list[dict[str, Any]], mark: str, reason: str
) -> None:
    calendar.write(post("a", 60), min_spacing="15 min")
    assert calendar.plan(-5) == ["a"]
    had = calendar.prepared()
    assert calendar.step("a", had) == "wanted"
    calendar.write(*meanwhile, min_spacing="15 min")
    assert "a" in calendar.plan(1)
    assert calendar.step("a", had) == f"skipped ({mark})"
    assert calendar.pushed["outcome"]["reason"].startswith(reason)

    calendar.write(post("a", 60), min_spacing="15 min")
    calendar.plan(3)
    last = calendar.stored().begun["a"].run
    assert calendar.step("a", had) == "skipped (edited)"
    assert calendar.step(last, had) == "wanted"
    assert calendar.plan(4) == []


def test_a_post_goes_on_while_its_file_cannot_be_read(calendar: SimulatedCalendar) -> None:
    calendar.write(post("a", 60), post("b", 90))
    assert calendar.plan(-5) == ["a", "b"]
    had = calendar.prepared()
    calendar.file.write_text("posts:\n - id: a: b\n")
    assert calendar.plan(0) == []
    assert calendar.step("a", had) == "wanted"
    (problem,) = calendar.problems()
    assert "line 2" in problem
    remedy = calendar.stored().calendar.problems[0].remedy
    assert remedy.endswith("Until then, its version of 2026-12-01 11:55 UTC is used.")
    calendar.plan(1)
    assert " 11:55 UTC" in calendar.stored().calendar.problems[0].remedy
    calendar.write(post("a", 60), post("b", 90, caption="B"))
    assert calendar.plan(2) == ["b", "b~v2"]
    assert calendar.problems() == []


def test_what_was_over_before_the_file_could_be_read_first_is_no_mistake(calendar: SimulatedCalendar) -> None:
    calendar.file.write_text("posts:\n - id: a: b\n")
    assert calendar.plan(-5) == []
    calendar.write(post("over", -60), post("a", 60))
    assert calendar.plan(0) == ["a"]
    assert calendar.problems() == []


@pytest.mark.parametrize("defaults", [{"timezone": "Europe/Berln"}, {"placement": "stories"}])
def test_what_was_over_when_the_calendar_was_new_is_no_mistake_when_a_default_is_repaired(
    calendar: SimulatedCalendar, defaults: dict[str, str]
) -> None:
    """Else every post of the past would be a problem for good."""
    posts = post("over", -300), post("a", 60)
    calendar.write(*posts)
    assert calendar.plan(0) == ["a"]
    calendar.write(*posts, defaults=defaults)
    for at in (1, 2):
        assert calendar.plan(at) == ["a"] * (at == 1)
        assert calendar.step("a") == "skipped (has a problem)"
    calendar.write(*posts)
    assert calendar.plan(3) == ["a~v2"]
    assert calendar.problems() == []
    assert calendar.step("a~v2") == "wanted"


@pytest.mark.parametrize(("repaired_at", "starts"), [(61, ["late", "a"]), (121, ["a"])])
def test_a_post_whose_time_could_not_be_read_until_it_had_passed_goes_out_late(
    calendar: SimulatedCalendar, repaired_at: float, starts: list[str]
) -> None:
    """What cannot go out any more starts no run, and is no new problem: that of the file was told."""
    posts = post("late", 60), post("a", 300)
    calendar.write(*posts, defaults={"timezone": "Europe/Berln"})
    assert calendar.plan(0) == []
    calendar.write(*posts)
    assert calendar.plan(repaired_at) == starts
    assert calendar.problems() == []


def test_what_was_published_and_is_put_back_is_told_nothing_false(calendar: SimulatedCalendar) -> None:
    calendar.write(post("b", 600))
    calendar.plan(0)
    calendar.write(post("a", -60), post("b", 600))
    assert calendar.plan(1) == []
    (problem,) = calendar.stored().timely.problems
    assert problem.message.endswith("had passed when Airflow read it in the file, so no run publishes it.")
    assert problem.remedy == "If it has been published, leave or remove it. If not, give it a time in the future."


def test_a_run_by_hand_whose_plan_cannot_be_found_is_tried_again(calendar: SimulatedCalendar) -> None:
    calendar.write(post("a", 60))
    with pytest.raises(TransientError, match=r"There is no plan of .*posts\.yaml where this worker looks"):
        calendar.step("manual__1", post="a")


def test_a_mistake_of_ours_in_reading_a_calendar_takes_no_post_away(
    calendar: SimulatedCalendar, mocker: MockerFixture
) -> None:
    calendar.write(post("a", 60))
    assert calendar.plan(-5) == ["a"]
    had = calendar.prepared()
    calendar.write(post("a", 60), min_spacing="1 s")

    def stumbling(rows: Any, *args: Any, **kwargs: Any) -> Any:
        if rows.min_spacing.value == "1 s":
            raise OverflowError("too large")
        return parse_rows(rows, *args, **kwargs)

    mocker.patch("airflow_provider_instagram.calendar.planning.look.parse_rows", stumbling)
    assert calendar.plan(-4) == []
    assert calendar.problems() == ["the file cannot be understood (OverflowError)."]
    assert calendar.step("a", had) == "wanted"


@pytest.mark.parametrize(
    "media", [{}, {"video": "./sub/b.mp4"}, {"video": None, "carousel": ["a.jpg", {"image": "b.jpg", "alt_text": "x"}]}]
)
def test_a_file_that_moves_keeps_its_runs_and_its_late_posts_and_asks_nobody_again(
    calendar: SimulatedCalendar, tmp_path: Path, media: dict[str, object]
) -> None:
    defaults = {"video": None} if "carousel" in media else {}
    calendar.write(post("late", -30, **media), post("a", 60, **media), defaults=defaults)
    assert calendar.plan(-90) == ["late", "a"]
    prepared = calendar.prepared("late")
    (tmp_path / "new").mkdir()
    calendar.file = calendar.file.rename(tmp_path / "new" / "spring.yaml")
    assert calendar.plan(0) == []
    assert calendar.problems() == []
    assert calendar.step("late", prepared) == "wanted"
    late = calendar.stored().calendar.post("late")
    assert late is not None
    assert all(str(tmp_path / "new") in one for one in late.media)


def test_a_calendar_whose_new_place_cannot_be_read_yet_loses_no_post(
    calendar: SimulatedCalendar, tmp_path: Path
) -> None:
    calendar.write(post("a", 60))
    calendar.plan(-90)
    (tmp_path / "new").mkdir()
    old, calendar.file = calendar.file, tmp_path / "new" / "posts.yaml"
    for at in (-5, -4):
        assert calendar.plan(at) == []
        assert len(calendar.problems()) == 1
        assert calendar.step("a") == "wanted"
    old.rename(calendar.file)
    assert calendar.plan(0) == []
    assert calendar.problems() == []


def test_a_path_that_is_written_out_is_another_file_when_it_is_changed(calendar: SimulatedCalendar) -> None:
    calendar.write(post("a", 60, video="a.mp4"), post("b", 60, video=str(calendar.file.with_name("b.mp4"))))
    calendar.plan(0)
    written, version = calendar.stored().calendar.posts[1], calendar.stored().calendar.posts[1].version
    assert written.names == {}
    calendar.write(post("a", 60, video="other/a.mp4"), post("b", 60, video=written.video))
    assert calendar.plan(1) == ["a", "a~v2"]
    assert calendar.stored().calendar.posts[1].version == version


def test_a_folder_that_cannot_be_written_to_is_said_to_the_planner(
    calendar: SimulatedCalendar, monkeypatch: pytest.MonkeyPatch
) -> None:
    calendar.write(post("a", 60))
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", str(calendar.file / "snapshots"))
    with pytest.raises(TransientError, match=r"The folder .*snapshots cannot be written to") as refused:
        calendar.plan(0)
    assert refused.value.hint == "Make it writable for Airflow, or name another in [instagram] calendar_snapshots."


@pytest.mark.parametrize("damaged", [b"", b"{", b"[]", b'{"form": 1}', b"\xff", b'{"plan": ' + b"[" * 100_000])
def test_a_damaged_plan_is_as_good_as_none(calendar: SimulatedCalendar, damaged: bytes) -> None:
    """What had begun goes on, and asks nobody again."""
    from pathlib import Path

    calendar.write(post("a", 60))
    calendar.plan(-5)
    Path(calendar.settings.plan_file).write_bytes(damaged)
    assert calendar.plan(0) == []
    assert calendar.step("a") == "wanted"


def test_a_post_whose_id_was_used_before_has_the_run_say_so(calendar: SimulatedCalendar) -> None:
    calendar.write(post("a", -120))
    live = PublishedPost(f"{ACCOUNT}/a", "179", after_noon(-120).isoformat(), "180", dag_id="content")
    calendar.ledger().record_post(live)
    assert calendar.plan(-200) == ["a"]
    calendar.write(post("a", -120, caption="B"))
    assert calendar.plan(-60) == [], "the post is live: no run begins anew"
    calendar.write(post("a", 60))
    assert calendar.plan(0) == ["a~v2"], "nobody is left to believe that it will go out again"
    assert calendar.plan(1) == []


def test_a_dag_that_goes_live_publishes_what_had_a_dry_run(calendar: SimulatedCalendar) -> None:
    calendar.given = {"dry_run": True}
    calendar.write(post("a", 60))
    assert calendar.plan(-5) == ["a"]
    calendar.given = {}
    assert calendar.plan(0) == ["a", "a~v2"]
    assert calendar.plan(1) == []


def test_the_planner_looks_again_when_a_post_comes_near_and_four_times_a_day(calendar: SimulatedCalendar) -> None:
    calendar.given = {"prepare_ahead": timedelta(hours=2)}
    calendar.write(post("a", 300))

    def next_look() -> float:
        due = Due.read(due_file(calendar.settings.plan_file))
        assert due is not None
        return (due.at - after_noon(0).timestamp()) / 60

    assert calendar.plan(0) == []
    assert next_look() == 180
    assert calendar.plan(180, all_started=False) == ["a"]
    assert next_look() == 182, "it is not certain that the run was started"
    assert calendar.plan(182) == ["a"]
    assert calendar.plan(184) == []
    assert next_look() == 184 + DAY / 4


def test_a_run_that_has_begun_goes_on_if_posts_are_to_be_prepared_later(calendar: SimulatedCalendar) -> None:
    """No other run would publish its post."""
    calendar.given = {"prepare_ahead": timedelta(days=3)}
    calendar.write(post("a", 2 * DAY))
    assert calendar.plan(0) == ["a"]
    calendar.given = {"prepare_ahead": timedelta(hours=2)}
    assert calendar.plan(1) == []
    assert calendar.step(prepared=calendar.prepared()) == "wanted"
    calendar.write(post("a", 3 * DAY))
    assert calendar.plan(2) == ["a"]
    assert calendar.step() == "skipped (moved to 2026-12-04 12:00)"


def test_a_run_goes_on_whose_worker_is_behind_the_planners_clock(calendar: SimulatedCalendar) -> None:
    calendar.given = {"prepare_ahead": timedelta(hours=2)}
    calendar.write(post("a", 120))
    assert calendar.plan(0) == ["a"]
    calendar.now = -5
    assert calendar.step() == "wanted"


def test_a_lead_time_that_grows_starts_the_posts_within_it(calendar: SimulatedCalendar) -> None:
    calendar.given = {"prepare_ahead": timedelta(0)}
    calendar.write(post("a", 300))
    assert calendar.plan(0) == []
    calendar.given = {"prepare_ahead": timedelta(0), "lead_time": timedelta(hours=6)}
    assert calendar.plan(1) == ["a"]
