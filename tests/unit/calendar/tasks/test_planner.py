"""Which runs the planner starts, which it does not take for its own, and what it remembers of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_instagram.calendar.planning.post_rows import PostRows
from airflow_provider_instagram.calendar.planning.stored_plan import StoredPlan, store
from airflow_provider_instagram.calendar.tasks.planner import PlannedPosts, PlanPosts
from airflow_provider_instagram.calendar.tasks.prepare import PreparePost
from airflow_provider_instagram.calendar.tasks.watch import CalendarTrigger
from airflow_provider_instagram.exceptions import TransientError
from airflow_provider_instagram.ledger.records import Claim, Owner, PublishedPost
from tests.unit.calendar.simulated_runs import ACCOUNT, LEDGER, after_noon, post

if TYPE_CHECKING:
    from pytest_mock import MockerFixture

    from tests.unit.calendar.simulated_runs import SimulatedCalendar

DAY = 24 * 60


@pytest.fixture
def planner(calendar: SimulatedCalendar, mocker: MockerFixture) -> Planner:
    mocker.patch("airflow_provider_instagram.calendar.tasks.planner.SECOND_LOOK_AFTER_S", 0)
    return Planner(calendar)


class Planner:
    """The planner of a simulated calendar, with the runs that Airflow has."""

    def __init__(self, calendar: SimulatedCalendar) -> None:
        self.calendar, self.airflow = calendar, calendar.airflow

    def look(self, at: float, run_type: str = "asset_triggered", **conf: Any) -> list[str]:
        """Run the planner's task, and return which runs it has asked Airflow to start or to begin anew."""
        self.calendar.now = at
        task = PlanPosts(task_id="plan", settings=self.calendar.settings)
        try:
            context = self.calendar.context("scheduled__1")
            context["dag_run"].run_type = run_type
            context["dag_run"].conf = conf
            task.execute(context)
        finally:
            self.requests = list(self.airflow.asked)
            started = self.airflow.started()
        return started

    def run_of(self, post_id: str) -> str | None:
        begun = self.calendar.stored().begun.get(post_id)
        return None if begun is None else begun.run


def test_a_person_who_starts_the_planner_says_that_what_the_file_has_lost_is_not_wanted(
    planner: Planner, calendar: SimulatedCalendar
) -> None:
    calendar.write(*(post(post_id, 600) for post_id in "abcd"))
    planner.look(0)
    calendar.write(post("a", 600))
    kept = []
    for at, run_type in ((1, "manual"), (2, "asset_triggered"), (3, "manual"), (4, "asset_triggered")):
        planner.look(at, run_type)
        kept.append(len(calendar.stored().calendar.posts))
    assert kept == [4, 4, 1, 1], "a run that was dated ahead has seen no loss before"


def test_a_run_of_the_planner_that_the_page_starts_for_one_post_says_nothing_of_the_file(
    planner: Planner, calendar: SimulatedCalendar
) -> None:
    calendar.write(*(post(post_id, 600) for post_id in "abcd"))
    planner.look(0)
    del calendar.airflow.found["a"]
    calendar.write(post("a", 600))
    assert planner.look(1, "manual", by_hand=False) == ["a~v2"]
    assert len(calendar.stored().calendar.posts) == 4


@pytest.mark.parametrize("run_type", ["asset_triggered", "manual"], ids=["an old run that is cleared", "by hand"])
def test_a_date_that_a_user_gives_a_run_of_the_planner_makes_no_past_time_of_a_post_count(
    planner: Planner, calendar: SimulatedCalendar, run_type: str
) -> None:
    calendar.write(post("a", 600))
    planner.look(0)
    planner.look(19)
    calendar.write(post("a", 600), post("past", 15))
    calendar.run_after = after_noon(-9 * DAY)
    assert planner.look(20, run_type) == []
    assert [one.partition(",")[0] for one in calendar.problems()] == ["its time"]


@pytest.mark.parametrize("run_type", ["manual", "asset_materialization"])
def test_a_run_of_the_planner_that_a_user_dates_before_a_new_calendar_publishes_no_earlier_post(
    planner: Planner, calendar: SimulatedCalendar, run_type: str
) -> None:
    """A user who may write assets dates the run that makes one as well."""
    calendar.given = {"max_lateness": timedelta(days=9)}
    calendar.write(post("a", 600), post("past", -10))
    calendar.run_after = after_noon(-9 * DAY)
    assert planner.look(0, run_type) == ["a"]


def test_a_thousand_ids_that_a_user_has_taken_hold_no_post_back(
    planner: Planner, calendar: SimulatedCalendar, mocker: MockerFixture
) -> None:
    asked: list[Any] = []
    count = calendar.airflow.get_dr_count

    def counted(dag_id: str, run_ids: list[str], states: list[str] | None = None) -> int:
        asked.append(run_ids)
        return count(dag_id, run_ids, states)

    mocker.patch.object(calendar.airflow, "get_dr_count", counted)
    calendar.airflow.add("a", run_type="manual")
    for number in range(2, 1000):
        calendar.airflow.add(f"a~v{number}", run_type="manual")
    calendar.write(post("a", 60))
    (run_id,) = planner.look(0)
    assert calendar.step(run_id) == "wanted"
    assert len(asked) < 50
    calendar.write(post("a", 60, caption="better"))
    begun = planner.look(1)
    assert run_id in begun
    assert calendar.step(planner.run_of("a") or "") == "wanted"


def test_a_run_is_started_without_parameters_and_its_row_is_written_before(
    planner: Planner, calendar: SimulatedCalendar
) -> None:
    calendar.write(post("a", 60))
    calendar.airflow.refuses = {"a"}
    with pytest.raises(AirflowFailException):
        planner.look(0)
    assert [(one.conf, one.reset_dag_run) for one in planner.requests] == [(None, False)]
    (one,) = calendar.stored().calendar.posts
    assert PostRows(calendar.ledger().store).runs(one.key) == {"a": one.version}


def test_a_run_that_could_not_be_started_makes_no_other_one_begin_anew(
    planner: Planner, calendar: SimulatedCalendar
) -> None:
    """That would take the answer from a person who has just approved another post."""
    calendar.write(post("a", 60), post("b", 60), post("c", 60))
    calendar.airflow.refuses = {"b"}
    with pytest.raises(AirflowFailException, match=r"started again in two minutes: b$"):
        planner.look(0)
    assert calendar.stored().pending == ("b",)
    calendar.airflow.refuses.clear()
    assert planner.look(2) == ["b"]
    assert planner.look(4) == []


def test_the_planner_does_not_ask_for_hundreds_of_runs_an_airflow_that_starts_none(
    planner: Planner, calendar: SimulatedCalendar
) -> None:
    posts = [post(f"p{number}", 60) for number in range(9)]
    calendar.write(*posts)
    calendar.airflow.refuses = {one["id"] for one in posts}
    with pytest.raises(AirflowFailException):
        planner.look(0)
    assert len(planner.requests) == 3
    assert len(calendar.stored().pending) == 9


def test_a_run_whose_start_was_not_recorded_does_not_begin_anew(planner: Planner, calendar: SimulatedCalendar) -> None:
    """The process may die after the run was started: it asks nobody again."""
    calendar.write(post("a", 60))
    planner.look(0)
    file = calendar.settings.plan_file
    stored = StoredPlan.read(file)
    assert stored is not None
    store(file, stored.model_copy(update={"plan": replace(stored.plan, pending=("a",))}))
    assert planner.look(2) == ["a"]
    assert [one.reset_dag_run for one in planner.requests] == [False]
    assert (planner.run_of("a"), calendar.stored().pending) == ("a", ())


def test_a_post_that_comes_near_while_runs_are_started_is_not_forgotten(
    planner: Planner, calendar: SimulatedCalendar, mocker: MockerFixture
) -> None:
    """Nothing else wakes the planner for the last post of a calendar."""
    calendar.given = {"prepare_ahead": timedelta(hours=2)}
    calendar.write(post("a", 120), post("b", 121))
    send = calendar.airflow.send

    def slow(message: object) -> object:
        calendar.now = 2
        return send(message)

    mocker.patch.object(calendar.airflow, "send", slow)
    assert planner.look(0) == ["a"]
    trigger = CalendarTrigger(str(calendar.file), calendar.settings.plan_file, calendar.settings.digest)
    assert trigger.reason().startswith("time")
    assert planner.look(3) == ["b"]


def test_a_run_that_a_stranger_has_begun_with_the_id_of_a_post_is_not_adopted(
    planner: Planner, calendar: SimulatedCalendar
) -> None:
    calendar.write(post("a", 60))
    calendar.airflow.add("a", run_type="manual")
    assert planner.look(0) == ["a~v2"]
    assert calendar.step("a") == "skipped (edited)"
    assert calendar.step("a~v2") == "wanted"


def test_a_run_that_a_stranger_begins_between_the_look_and_the_start_is_not_adopted(
    planner: Planner, calendar: SimulatedCalendar, monkeypatch: pytest.MonkeyPatch
) -> None:
    calendar.write(post("a", 60))
    send = calendar.airflow.send

    def overtaken(message: object) -> object:
        calendar.airflow.add("a", at=99 * DAY, state="queued", run_type="manual")
        return send(message)

    with monkeypatch.context() as patch:
        patch.setattr(calendar.airflow, "send", overtaken)
        assert planner.look(0) == ["a"]
    assert planner.run_of("a") is None
    assert calendar.step("a") == "skipped (not its run)"
    assert planner.look(2) == ["a~v2"]
    assert planner.run_of("a") == "a~v2"
    assert calendar.step("a") == "skipped (edited)"


def test_a_post_needs_no_plan_once_its_run_has_begun(planner: Planner, calendar: SimulatedCalendar) -> None:
    calendar.write(post("a", 180))
    planner.look(0)
    Path(calendar.settings.plan_file).unlink()
    assert calendar.step("a") == "wanted"


def test_a_run_whose_row_was_deleted_waits_for_the_next_look(planner: Planner, calendar: SimulatedCalendar) -> None:
    calendar.write(post("a", 180))
    planner.look(0)
    calendar.ledgers.clear()
    calendar.run_type = "operator_triggered"
    with pytest.raises(TransientError, match="is in no ledger"):
        calendar.step("a")
    assert planner.look(1) == []
    assert calendar.step("a") == "wanted"


@pytest.mark.parametrize(
    "replaced_by",
    [None, {"at": 99 * DAY, "state": "queued"}, {"date": 99 * DAY}],
    ids=["deleted", "replaced by one that begins later", "replaced by one whose logical date is to come"],
)
def test_a_run_that_was_deleted_is_begun_again_under_another_id(
    planner: Planner, calendar: SimulatedCalendar, replaced_by: dict[str, Any] | None
) -> None:
    calendar.write(*(post(f"p{number}", 60) for number in range(30)))
    assert len(planner.look(0)) == 30
    assert planner.look(1) == []
    del calendar.airflow.found["p7"]
    if replaced_by is not None:
        calendar.airflow.add("p7", run_type="manual", **replaced_by)
    assert planner.look(2) == ["p7~v2"]
    assert calendar.step("p7~v2") == "wanted"
    del calendar.airflow.found["p7~v2"]
    assert planner.look(3) == ["p7~v3"]
    assert planner.look(4) == []
    calendar.airflow.found.clear()
    assert planner.look(500) == [], "what is over needs no run"


def test_a_thousand_runs_that_a_user_has_dated_ahead_neither_delay_the_planner_nor_hide_one_that_is_lost(
    planner: Planner, calendar: SimulatedCalendar, mocker: MockerFixture
) -> None:
    """Each is a request to Airflow, at each look."""
    calendar.write(*(post(f"p{number}", 60) for number in range(20)))
    planner.look(0)
    for number in range(1_000):
        calendar.airflow.add(f"ahead{number}", date=10**6 + number, run_type="manual")
    calendar.airflow.add("p7", date=10**5, run_type="manual")
    requests, send = list[Any](), calendar.airflow.send

    def counted(message: Any) -> Any:
        requests.append(message)
        return send(message)

    mocker.patch.object(calendar.airflow, "send", counted)
    assert planner.look(2) == ["p7~v2"]
    assert len(requests) < 100


def test_a_run_that_waits_for_a_dag_that_is_paused_is_not_lost(planner: Planner, calendar: SimulatedCalendar) -> None:
    calendar.write(post("a", 60))
    planner.look(0)
    calendar.airflow.add("a", state="queued")
    assert planner.look(2) == []


def test_a_run_of_an_earlier_version_that_was_deleted_is_not_made_again_to_end(
    planner: Planner, calendar: SimulatedCalendar
) -> None:
    calendar.write(post("a", 60))
    planner.look(0)
    del calendar.airflow.found["a"]
    calendar.write(post("a", 60, caption="better"))
    assert planner.look(2) == ["a~v2"]


@pytest.mark.parametrize(
    "edit",
    [[], [post("a", 9 * DAY)], [post("a", -5)], [post("a", 60, account="other")], [post("a", 60, captoin="x")]],
    ids=["removed", "moved far ahead", "moved to the past", "on another account", "with a problem"],
)
def test_a_run_that_a_user_makes_in_place_of_one_that_was_deleted_publishes_no_post_that_was_edited_since(
    planner: Planner, calendar: SimulatedCalendar, edit: list[dict[str, Any]]
) -> None:
    """The planner has no run to end, and the row of the post named the deleted one."""
    calendar.write(post("a", 60))
    planner.look(-5)
    had = calendar.prepared()
    del calendar.airflow.found["a"]
    calendar.write(*edit)
    assert "a" not in planner.look(1)
    calendar.airflow.add("a", run_type="manual")
    assert calendar.step("a", had).startswith("skipped")


def test_a_run_on_an_account_that_its_dag_does_not_name_any_more_says_so(
    planner: Planner, calendar: SimulatedCalendar
) -> None:
    """Its row is in a ledger that neither the planner nor its tasks reach. They were tried again until they failed."""
    calendar.write(post("a", 60, account="other"))
    planner.look(0)
    calendar.given = {"accounts": [ACCOUNT]}
    assert planner.look(1) == ["a"]
    calendar.run_type = "operator_triggered"
    assert calendar.step("a") == "skipped (has a problem)"
    calendar.given = {}
    assert planner.look(2) == ["a~v2"]
    assert calendar.step("a~v2") == "wanted"
    assert calendar.step("a") == "skipped (edited)"


@pytest.mark.parametrize(
    "edit",
    [[], [post("a", 60, caption="better")], [post("a", 9 * DAY)], [post("a", 60, account="other")]],
    ids=["removed", "edited", "moved far ahead", "on another account"],
)
def test_a_request_that_led_to_no_post_is_not_sent_again_for_a_post_that_was_edited_meanwhile(
    planner: Planner, calendar: SimulatedCalendar, edit: list[dict[str, Any]]
) -> None:
    """Its run finds out for minutes whether the post is live. If it is, the run goes on with its comment."""
    calendar.write(post("a", 60))
    planner.look(0)
    had, key, ledger = calendar.prepared(), f"{ACCOUNT}/a", calendar.ledger()
    claim = Claim(Owner("content", "a", "publish", -1), "nonce")
    intent = ledger.record_intent(key, "17901", claim)
    calendar.write(*edit)
    assert planner.look(60) == []
    assert calendar.step("a", had) == "skipped (edited)"
    ledger.record_post(PublishedPost(key, "17901", after_noon(60).isoformat(), dag_id="content"))
    assert calendar.step("a", had) == "wanted"
    calendar.write(post("a", 60))
    del calendar.ledgers[LEDGER][f"done:{key}"]
    assert planner.look(61) == []
    assert calendar.step("a", had) == "skipped (edited)", "it may have ended by itself meanwhile"
    ledger.withdraw(intent)
    assert planner.look(62) == ["a", "a~v2"]
    assert calendar.step("a~v2", had) == "wanted"


GONE = {
    "removed": [],
    "moved far ahead": [post("a", 9 * DAY)],
    "on another account": [post("a", 60, account="other")],
    "with a problem": [post("a", 60, captoin="x")],
}


@pytest.mark.parametrize("edit", GONE.values(), ids=GONE)
@pytest.mark.parametrize("run_type", ["operator_triggered", "manual"], ids=["its own", "made anew by a user"])
def test_a_run_that_the_planner_has_forgotten_with_its_plan_publishes_no_post_that_was_edited_at_that_time(
    planner: Planner, calendar: SimulatedCalendar, edit: list[dict[str, Any]], run_type: str
) -> None:
    """A container that starts anew may have lost the folder, and bring another file."""
    calendar.run_type = run_type
    calendar.write(post("a", 60), post("b", 60))
    planner.look(0)
    had, plan_file = calendar.prepared(), Path(calendar.settings.plan_file)
    earlier = plan_file.read_bytes()
    calendar.write(*edit, post("b", 60))
    plan_file.unlink()
    planner.look(1)
    kept = calendar.prepared("b")
    assert calendar.step("a", had).startswith("skipped")
    assert calendar.step("b", kept) == "wanted"
    plan_file.write_bytes(earlier)
    planner.look(2)
    assert calendar.step("a", had).startswith("skipped")
    assert calendar.step("b", kept) == "wanted", "the plan was put back"


def test_a_planner_that_has_lost_its_plan_and_cannot_read_the_file_ends_nothing(
    planner: Planner, calendar: SimulatedCalendar
) -> None:
    calendar.write(post("a", 60), post("live", 5))
    planner.look(0)
    had, live = calendar.prepared(), calendar.prepared("live")
    calendar.ledger().record_post(
        PublishedPost(f"{ACCOUNT}/live", "17901", after_noon(5).isoformat(), dag_id="content")
    )
    text = calendar.file.read_text()
    calendar.file.write_text("posts: [")
    Path(calendar.settings.plan_file).unlink()
    planner.look(6)
    assert calendar.step("a", had) == "wanted"
    calendar.file.write_text(text)
    planner.look(DAY)
    assert calendar.step("live", live) == "wanted", "its comment may be missing"


@pytest.mark.parametrize("edit", [[], [post("a", 60, account="new")]], ids=["removed", "on another account"])
def test_a_run_of_an_account_that_the_dag_did_not_name_for_a_while_publishes_no_post_that_was_edited_then(
    planner: Planner, calendar: SimulatedCalendar, edit: list[dict[str, Any]]
) -> None:
    """The planner writes nothing into the ledger of such an account."""
    calendar.write(post("a", 60, account="other"), post("b", 60))
    planner.look(0)
    had, kept = calendar.prepared(), calendar.prepared("b")
    calendar.given = {"accounts": [ACCOUNT, "new"]}
    planner.look(1)
    calendar.write(*edit, post("b", 60))
    planner.look(2)
    calendar.given = {}
    planner.look(3)
    assert calendar.step("a", had).startswith("skipped")
    assert calendar.step("b", kept) == "wanted"


def test_a_run_that_a_planner_has_recorded_before_it_died_publishes_no_post_on_an_account_of_before(
    planner: Planner, calendar: SimulatedCalendar, mocker: MockerFixture
) -> None:
    """Nothing was stored, so the next look gives the id of the run to the post as it is then."""
    calendar.write(post("b", 60))
    planner.look(0)
    name = "airflow_provider_instagram.calendar.tasks.planner.store"
    fails = mocker.patch(name, side_effect=TransientError("away"))
    calendar.write(post("a", 60, account="other"), post("b", 60))
    with pytest.raises(TransientError):
        planner.look(1)
    mocker.stop(fails)
    calendar.write(post("a", 60), post("b", 60))
    assert planner.look(2) == ["a"]
    step = PreparePost(task_id="step", settings=calendar.settings)
    assert step.wanted_post(calendar.context("a")).account == ACCOUNT


@pytest.mark.parametrize("accounts", [[ACCOUNT, "other"], ["other", ACCOUNT]])
def test_a_post_that_was_on_another_account_before_it_was_removed_is_not_said_to_be_published(
    planner: Planner, calendar: SimulatedCalendar, accounts: list[str]
) -> None:
    calendar.given = {"accounts": accounts}
    for at, posts in enumerate(([post("a", 60, account="other")], [post("a", 60)], [])):
        calendar.write(*posts)
        planner.look(at)
    assert calendar.step("a~v2") == "skipped (removed)"


def test_a_planner_that_has_lost_its_plan_adopts_what_it_had_begun_and_asks_nobody_again(
    planner: Planner, calendar: SimulatedCalendar
) -> None:
    """Which run that was is in a row that no user can write."""
    from pathlib import Path

    calendar.write(*(post(one, 60) for one in ("a", "b", "c", "rejected", "removed")))
    planner.look(0)
    calendar.write(*(post(one, 60) for one in ("a", "b", "c", "rejected")))
    assert planner.look(1) == ["removed"]
    Path(calendar.settings.plan_file).unlink()
    del calendar.airflow.found["b"]
    calendar.airflow.add("c", state="failed")
    for one in ("rejected", "removed"):
        calendar.airflow.add(one, state="success")
    calendar.write(*(post(one, 60) for one in ("a", "b", "c", "rejected", "removed")))
    assert planner.look(2) == ["b~v2", "c~v2", "removed~v2"]
    assert calendar.step("a") == "wanted"


def test_a_planner_that_has_lost_its_plan_adopts_no_run_that_a_stranger_has_put_in_place_of_its_own(
    planner: Planner, calendar: SimulatedCalendar
) -> None:
    """One that ended as a success: nobody would ever publish the post."""
    from pathlib import Path

    calendar.write(post("a", 60))
    planner.look(0)
    Path(calendar.settings.plan_file).unlink()
    calendar.airflow.add("a", state="success", run_type="manual")
    assert planner.look(1) == ["a~v2"]


def test_a_planner_that_has_lost_its_plan_while_it_was_away_loses_no_late_post(
    planner: Planner, calendar: SimulatedCalendar
) -> None:
    from pathlib import Path

    calendar.write(post("late", 60), post("deleted", 60), post("over", -60))
    planner.look(0)
    Path(calendar.settings.plan_file).unlink()
    del calendar.airflow.found["deleted"]
    assert planner.look(100) == ["deleted~v2"]
    assert (planner.run_of("late"), planner.run_of("over")) == ("late", None)


@pytest.mark.parametrize("params", [{"dry_run": True}, {"post": "b"}, {"post": "a", "now": True, "dry_run": True}])
def test_parameters_of_the_run_of_a_post_count_for_nothing(
    planner: Planner, calendar: SimulatedCalendar, params: dict[str, object]
) -> None:
    """A user may have started it a moment before the planner."""
    from airflow_provider_instagram.calendar.tasks.prepare import PreparePost

    calendar.write(post("a", 60), post("b", 60))
    planner.look(0)
    step, context = PreparePost(task_id="step", settings=calendar.settings), calendar.context("a", **params)
    one = step.wanted_post(context)
    assert (one.id, step.is_dry_run(context), step.is_wanted_at_once(context, one)) == ("a", False, False)
    by_hand = calendar.context("a~v9", **params | {"post": "a"})
    assert step.wanted_post(by_hand).id == "a"
    assert step.is_dry_run(by_hand) is ("dry_run" in params)


@pytest.mark.parametrize("run_id", ["a~v2", "a~v99", "manual", "b"])
def test_a_run_that_the_planner_has_not_started_and_that_names_no_post_works_on_none(
    planner: Planner, calendar: SimulatedCalendar, run_id: str
) -> None:
    calendar.write(post("a", 60))
    planner.look(0)
    assert calendar.step(run_id).startswith("skipped")
    assert calendar.step(run_id, dry_run=True, now=True).startswith("skipped")


def test_a_stored_plan_with_something_else_than_ids_of_runs_is_refused(
    planner: Planner, calendar: SimulatedCalendar
) -> None:
    from pathlib import Path

    calendar.write(post("a", 60))
    planner.look(0)
    file: Path = Path(calendar.settings.plan_file)
    good = file.read_text()
    for bad in ("{{ conn.other.password }}", "a b", "../a", "a~v", "a\\n", ""):
        for old in ('"run": "a"', '"pending": []'):
            text = good.replace('"begun"', '"pending": [], "begun"') if "pending" in old else good
            new = old.replace('"a"', f'"{bad}"').replace("[]", f'["{bad}"]')
            assert old in text
            file.write_text(text.replace(old, new))
            assert StoredPlan.read(str(file)) is None, (old, bad)
    file.write_text(good)
    assert StoredPlan.read(str(file)) is not None


def test_a_run_takes_no_post_of_another_calendar_with_the_same_id(calendar: SimulatedCalendar, tmp_path: Path) -> None:
    """A user who may start runs of one calendar names one after a run of the other, which asks for approvals."""
    other = replace(calendar, dag_id="other", file=tmp_path / "other.yaml", given={"approval": "required"})
    other.write(post("a", 60, caption="of the other"))
    other.plan(0)
    calendar.write()
    calendar.plan(0)
    assert calendar.step("a") == "skipped (not its run)"
    assert other.step("a") == "wanted"


def test_what_is_written_into_the_stored_plan_changes_no_post_whose_run_has_begun(
    planner: Planner, calendar: SimulatedCalendar
) -> None:
    calendar.write(post("a", 60, caption="approved"))
    planner.look(0)
    plan = Path(calendar.settings.plan_file)
    plan.write_text(plan.read_text().replace("approved", "unheard of"))
    step = PreparePost(task_id="prepare", settings=calendar.settings)
    assert step.wanted_post(calendar.context("a")).caption == "approved"


@pytest.mark.parametrize("edit", GONE.values(), ids=GONE)
def test_an_earlier_plan_that_was_put_back_publishes_no_post_that_was_begun_since_and_edited_then(
    planner: Planner, calendar: SimulatedCalendar, edit: list[dict[str, Any]]
) -> None:
    """A backup of the folder is restored. The planner has not begun anew since it was made."""
    calendar.write(post("b", 60))
    planner.look(0)
    plan_file = Path(calendar.settings.plan_file)
    earlier = plan_file.read_bytes()
    calendar.write(post("a", 60), post("b", 60))
    assert planner.look(1) == ["a"]
    had = calendar.prepared()
    plan_file.write_bytes(earlier)
    calendar.write(*edit, post("b", 60))
    planner.look(2)
    assert calendar.step("a", had).startswith("skipped")


def test_a_look_that_was_marked_while_it_waited_puts_back_no_earlier_plan(
    planner: Planner, calendar: SimulatedCalendar, mocker: MockerFixture
) -> None:
    """A user marks the running planner as a success: its process goes on for seconds, and the next look begins."""
    calendar.write(post("b", 60))
    planner.look(0)
    had: list[str] = []

    def meanwhile(_: float) -> None:
        mocker.stop(sleeps)
        calendar.write(post("a", 60), post("b", 60))
        assert planner.look(1) == ["a"]
        had.append(calendar.prepared())

    calendar.file.write_text("posts: [")
    look = PlanPosts._look
    seen: list[Any] = []

    def read_before(self: PlanPosts, *given: Any) -> Any:
        """The second reading of the first planner began before the file was whole again."""
        found = look(self, *given)
        seen.append(found)
        return seen[0] if len(seen) == 3 else found

    mocker.patch.object(PlanPosts, "_look", read_before)
    sleeps = mocker.patch("airflow_provider_instagram.calendar.tasks.planner.time.sleep", side_effect=meanwhile)
    planner.look(1)
    calendar.write(post("b", 60))
    planner.look(2)
    assert calendar.step("a", had[0]).startswith("skipped")


def test_a_planner_that_a_person_has_started_before_the_loss_was_told_does_not_say_that_it_is_wanted(
    planner: Planner, calendar: SimulatedCalendar
) -> None:
    """They start it twice, because the first run seems to hang. The sheet is empty for a minute."""
    calendar.write(*(post(post_id, 600) for post_id in "abcd"))
    planner.look(0)
    calendar.write(post("a", 600))
    calendar.run_after = after_noon(1)
    for at in (2, 3):
        planner.look(at, "manual")
    assert len(calendar.stored().calendar.posts) == 4


def test_a_retry_of_a_planner_that_a_person_has_started_before_the_loss_was_told_does_not_say_that_it_is_wanted(
    planner: Planner, calendar: SimulatedCalendar, mocker: MockerFixture
) -> None:
    """Its first try has stored that posts are lost, and then the storage failed."""
    calendar.write(*(post(post_id, 600) for post_id in "abcd"))
    planner.look(0)
    calendar.write(post("a", 600))
    name = "airflow_provider_instagram.calendar.tasks.planner.store"
    fails = mocker.patch(name, side_effect=[mocker.DEFAULT, TransientError("away")], wraps=store)
    calendar.run_after = after_noon(1)
    with pytest.raises(TransientError):
        planner.look(1, "manual")
    mocker.stop(fails)
    planner.look(2, "manual")
    assert len(calendar.stored().calendar.posts) == 4


def test_a_post_that_is_edited_and_put_back_while_its_run_finds_that_it_is_not_live_is_not_lost(
    planner: Planner, calendar: SimulatedCalendar
) -> None:
    """Its publisher was killed after it had set out. Its run ends because of the edit; then that is undone."""
    calendar.write(post("a", 60))
    planner.look(0)
    had, ledger = calendar.prepared(), calendar.ledger()
    intent = ledger.record_intent(f"{ACCOUNT}/a", "17901", Claim(Owner("content", "a", "publish", -1), "nonce"))
    calendar.write(post("a", 60, caption="better"))
    assert planner.look(60) == []
    ledger.withdraw(intent)
    assert calendar.step("a", had) == "skipped (edited)"
    calendar.airflow.add("a", state="success")
    calendar.write(post("a", 60))
    assert planner.look(61) != [], "nobody publishes it, and nobody is told"


def test_a_run_that_ended_because_its_planner_had_forgotten_it_is_not_adopted_when_the_post_comes_back(
    planner: Planner, calendar: SimulatedCalendar
) -> None:
    """Each deployment brings another file, and an empty folder: the plan is lost with the post, and lost again."""
    calendar.write(post("a", 600), post("b", 600))
    planner.look(0)
    had, plan_file = calendar.prepared(), Path(calendar.settings.plan_file)
    plan_file.unlink()
    calendar.write(post("b", 600))
    planner.look(1)
    assert calendar.step("a", had) == "skipped (edited)"
    calendar.airflow.add("a", state="success")
    plan_file.unlink()
    calendar.write(post("a", 600), post("b", 600))
    assert planner.look(2) == ["a~v2"]


def test_a_post_that_is_live_and_goes_to_another_account_within_the_hour_is_published_there(
    planner: Planner, calendar: SimulatedCalendar
) -> None:
    """The intent of a publication that succeeded is not withdrawn, and is no open outcome."""
    calendar.write(post("a", 60, account="other"), post("b", 600))
    planner.look(0)
    key, ledger = "other/a", calendar.ledger("other")
    ledger.record_intent(key, "17901", Claim(Owner("content", "a", "publish", -1), "nonce"))
    ledger.record_post(PublishedPost(key, "17901", after_noon(60).isoformat(), dag_id="content", run_id="a"))
    calendar.write(post("a", 90), post("b", 600))
    assert planner.look(65) == ["a~v2"]


def test_a_post_that_was_removed_after_a_planner_has_died_while_it_began_anew_is_not_published(
    planner: Planner, calendar: SimulatedCalendar, mocker: MockerFixture
) -> None:
    """Its plan was lost. It has written the rows, and not yet how often it has begun anew."""
    calendar.write(post("a", 60), post("b", 60))
    planner.look(0)
    had, kept = calendar.prepared(), calendar.prepared("b")
    Path(calendar.settings.plan_file).unlink()
    record = PlannedPosts.record

    def dies_after_the_first(self: PlannedPosts, key: str, planned: Any) -> None:
        record(self, key, planned)
        raise TransientError("Airflow is away")

    dies = mocker.patch.object(PlannedPosts, "record", dies_after_the_first)
    with pytest.raises(TransientError):
        planner.look(1)
    mocker.stop(dies)
    calendar.write(post("b", 60))
    planner.look(2)
    assert calendar.step("b", kept) == "wanted"
    assert calendar.step("a", had).startswith("skipped")


def test_a_post_that_goes_back_to_the_account_on_which_it_is_live_and_away_again_is_not_lost(
    planner: Planner, calendar: SimulatedCalendar
) -> None:
    """While it was back, its run on the other account has ended itself."""
    calendar.write(post("a", 60, account="other"), post("b", 600))
    planner.look(0)
    done = PublishedPost("other/a", "17901", after_noon(60).isoformat(), dag_id="content", run_id="a")
    calendar.ledger("other").record_post(done)
    moved = post("a", 300)
    calendar.write(moved, post("b", 600))
    assert planner.look(65) == ["a~v2"]
    had = calendar.prepared()
    calendar.write(post("a", 60, account="other"), post("b", 600))
    planner.look(66)
    assert calendar.step("a~v2", had).startswith("skipped")
    calendar.airflow.add("a~v2", state="success")
    calendar.write(moved, post("b", 600))
    assert planner.look(70) != [], "nobody publishes it, and nobody is told"
