"""The Posts page and the runs of posts: which run tells the state of a post, and what acts do to it."""

from __future__ import annotations

import os
import tracemalloc
from dataclasses import asdict, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.calendar.dag import MAX_LOOKS
from airflow_provider_instagram.calendar.planning.stored_plan import StoredPlan, plan_file, store
from airflow_provider_instagram.ledger.assets import ledger_asset
from airflow_provider_instagram.ledger.database import open_ledger
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.ledger.records import Claim, Owner, PublishedPost
from airflow_provider_instagram.plugin.board import routes
from tests.integration.plugin.runs import ask, begin, push_xcom, write_row
from tests.integration.plugin.test_board import ACCOUNT, DAG_ID, calendar, cards, detail, do, user

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["calendar", "user"]

PREPARED: dict[str, str | None] = {
    "prepare": "success",
    "approve": "success",
    "create": "deferred",
    "publish": None,
    "comment": None,
}
READY: dict[str, str | None] = {**PREPARED, "create": "success", "publish": "deferred"}
NOW_ID = "now__hello__1"
KEY = f"{ACCOUNT}/hello"


@pytest.fixture(autouse=True)
def no_runs(calendar: Any) -> Iterator[None]:
    """Neither runs nor rows of other tests."""

    def forget() -> None:
        from airflow.models.dagrun import DagRun
        from airflow.models.taskinstance import TaskInstance
        from airflow.utils.session import create_session
        from sqlalchemy import delete

        with create_session() as session:
            for model in (TaskInstance, DagRun):
                session.execute(delete(model).where(model.dag_id == DAG_ID))
        for kind in ("done", "intent", "claim", "skip"):
            write_row(ledger_asset(ACCOUNT).uri, f"{kind}:{KEY}", ...)

    forget()
    yield
    forget()


def look(browser: Any, post_id: str = "hello") -> tuple[str, str | None]:
    routes.boards.board(DAG_ID, is_fresh=True)
    card = cards(browser)[post_id]
    return card["state"], card.get("why")


def tasks_of(run_id: str) -> tuple[str, dict[str, str | None]]:
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        state = session.scalar(select(DagRun.state).where(DagRun.dag_id == DAG_ID, DagRun.run_id == run_id))
        ours = (TaskInstance.dag_id == DAG_ID, TaskInstance.run_id == run_id)
        rows = session.execute(select(TaskInstance.task_id, TaskInstance.state).where(*ours))
        return str(state), {task_id: task for task_id, task in rows}  # noqa: C416 -- rows are no pairs for mypy


def test_a_run_has_the_id_of_its_post_and_shows_how_far_that_is(user: Any) -> None:
    ada = user("ada", "USER")
    assert look(ada) == ("planned", None)
    begin(DAG_ID, "hello", {"prepare": "running", "approve": None})
    assert look(ada) == ("in_work", None)
    begin(DAG_ID, "hello", PREPARED)
    assert look(ada) == ("ready", None)
    begin(DAG_ID, "hello", READY)
    assert look(ada) == ("ready", None)
    assert detail(ada, "hello")["history"] == [], "a user may set these states, and the ledger has nothing"
    begin(DAG_ID, "hello", {"prepare": "failed"})
    assert look(ada)[0] == "failed"
    links = {event["what"]: event["link"] for event in detail(ada, "hello")["history"]}
    assert links["Preparation of its files: failed"].endswith(f"/dags/{DAG_ID}/runs/hello/tasks/prepare")


def runs_of_planner() -> list[tuple[str, Any]]:
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        rows = session.execute(select(DagRun.state, DagRun.conf).where(DagRun.dag_id == f"{DAG_ID}_plan"))
        return [(str(state), conf) for state, conf in rows]


def started() -> None:
    """Store in the plan that all runs were started."""
    file = plan_file(os.environ["AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS"], DAG_ID)
    stored = StoredPlan.read(file)
    assert stored is not None
    store(file, stored.model_copy(update={"plan": replace(stored.plan, pending=())}))


def change(statement: Any, dag_id: str = DAG_ID) -> None:
    """Change runs of a DAG as a user does."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session

    with create_session() as session:
        session.execute(statement(DagRun).where(DagRun.dag_id == dag_id))


FAR = datetime(2099, 1, 1, tzinfo=timezone.utc)


#: What a user may give a run so that Airflow begins none of its tasks: the run waits, or goes on without them.
DATED_AHEAD: pytest.MarkDecorator = pytest.mark.parametrize(
    "ahead",
    [{"state": "queued", "run_after": FAR}, {"state": "running", "logical_date": FAR}],
    ids=["begins later", "logical date"],
)


@DATED_AHEAD
@pytest.mark.parametrize("is_replaced", [False, True], ids=["deleted", "replaced by one that is dated ahead"])
def test_a_post_that_has_lost_its_run_says_so_and_gets_another(
    user: Any, is_replaced: bool, ahead: dict[str, Any]
) -> None:
    """The planner begins another run, under another id, whose row no user can write."""
    from sqlalchemy import delete

    ada = user("ada", "USER")
    begin(DAG_ID, "hello", READY)
    assert look(ada)[0] == "ready"
    plan = plan_file(os.environ["AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS"], DAG_ID)
    before = StoredPlan.read(plan)
    assert before is not None
    started()
    change(delete)
    if is_replaced:
        begin(DAG_ID, "hello", {}, **ahead)
    assert look(ada) == ("failed", "its run was deleted")
    assert "retry" in detail(ada, "hello")["acts"]
    answer = do(ada, "ada", "retry")
    assert answer.status_code == 200, answer.text
    assert runs_of_planner() == [("queued", {"by_hand": False})], "it accepts nothing that the file has lost"
    change(delete, f"{DAG_ID}_plan")
    store(plan, before)


def test_a_run_of_a_user_that_has_not_begun_hides_no_failure(user: Any) -> None:
    """A DAG that has as many active runs as its author allows begins no other one."""
    ada = user("ada", "USER")
    begin(DAG_ID, "hello", {**READY, "create": "failed", "publish": "upstream_failed"}, state="failed")
    begin(DAG_ID, "hello", {}, run_id="manual__1", state="queued", conf={"post": "hello"})
    assert look(ada)[0] == "failed"


@pytest.mark.parametrize("conf", [{"post": "hello"}, {"post": "hello", "now": True}])
def test_a_run_that_a_user_has_started_and_that_has_ended_hides_no_run_that_is_lost(
    user: Any, conf: dict[str, Any]
) -> None:
    """Nor does what its XCom says."""
    from sqlalchemy import delete

    ada, skipped = user("ada", "USER"), dict.fromkeys(READY, "skipped")
    begin(DAG_ID, "hello", READY)
    started()
    begin(DAG_ID, "hello", skipped, run_id="manual__1", state="success", conf=conf)
    push_xcom(DAG_ID, "manual__1", "prepare", "outcome", {"state": "skipped", "mark": "edited", "try": 0})
    assert look(ada)[0] == "ready"
    change(lambda run: delete(run).where(run.run_id == "hello"))
    assert look(ada) == ("failed", "its run was deleted")
    begin(DAG_ID, "hello", READY, run_id="manual__1", conf=conf)
    assert look(ada)[0] in ("ready", "in_work"), "it goes on"


@DATED_AHEAD
def test_a_run_that_is_dated_ahead_freezes_no_card(user: Any, ahead: dict[str, Any]) -> None:
    ada, conf = user("ada", "USER"), {"post": "hello", "now": True}
    begin(DAG_ID, "hello", {}, run_id="now__hello__1", conf=conf, **ahead)
    assert look(ada) == ("planned", None)
    assert detail(ada, "hello")["acts"] == ["publish_now", "skip"]
    answer = do(ada, "ada", "publish_now")
    assert answer.status_code == 200, answer.text
    assert tasks_of("now__hello__2")[0] == "queued"
    assert look(ada)[0] == "in_work"
    assert do(ada, "ada", "publish_now").status_code == 409


@DATED_AHEAD
def test_a_planner_that_a_user_keeps_from_looking_is_a_problem_of_the_calendar(
    user: Any, ahead: dict[str, Any]
) -> None:
    """As many runs as may be active, dated ahead: Airflow makes none for an event."""
    from airflow.models.dag import DagModel
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import delete, update

    planner, ada = f"{DAG_ID}_plan", user("ada", "USER")

    def problems() -> list[str]:
        routes.boards.board(DAG_ID, is_fresh=True)
        answer = ada.get("/instagram/calendar/api/posts", params={"dag_id": DAG_ID})
        (head,) = answer.json()["calendars"]
        return [one["message"] for one in head["problems"] if planner in one["message"]]

    with create_session() as session:
        for number in range(MAX_LOOKS):
            dates = {name: one + timedelta(days=number) for name, one in ahead.items() if name != "state"}
            about: dict[str, Any] = {"run_type": "manual", "state": ahead["state"], **dates}
            session.add(DagRun(dag_id=planner, run_id=f"far-{number}", **about))
    assert [text.partition(",")[0] for text in problems()] == [f"{MAX_LOOKS} runs of {planner} are dated ahead"]
    change(lambda run: delete(run).where(run.run_id == "far-0"), planner)
    assert problems() == []
    change(delete, planner)
    for number in range(3):
        assert problems() == []
        with create_session() as session:
            about = {"run_type": "asset_triggered", "run_after": FAR, "state": "failed"}
            session.add(DagRun(dag_id=planner, run_id=f"ended-{number}", **about))
    assert [text.partition(",")[0] for text in problems()] == [f"the last 3 runs of {planner} have failed"]
    change(delete, planner)
    for is_paused in (True, False):
        with create_session() as session:
            session.execute(update(DagModel).where(DagModel.dag_id == planner).values(is_paused=is_paused))
        assert len(problems()) == is_paused


def test_a_scheduler_that_looks_at_nothing_but_runs_that_are_dated_ahead_is_a_problem(user: Any) -> None:
    """Airflow 3.3.2 decides nothing of them, and looks at them first."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    ada, planner, most = user("ada", "USER"), f"{DAG_ID}_plan", DagRun.DEFAULT_DAGRUNS_TO_EXAMINE

    def problems() -> list[str]:
        routes.boards.board(DAG_ID, is_fresh=True)
        answer = ada.get("/instagram/calendar/api/posts", params={"dag_id": DAG_ID})
        (head,) = answer.json()["calendars"]
        return [one["message"] for one in head["problems"] if "dated ahead" in one["message"]]

    with create_session() as session:
        for number in range(most):
            at, date = FAR - timedelta(days=36500), FAR + timedelta(days=number)
            about: dict[str, Any] = {"run_type": "manual", "state": "running", "run_after": at, "logical_date": date}
            session.add(DagRun(dag_id=planner, run_id=f"far-{number}", **about))
    assert f"{most} runs of DAGs are dated ahead" in [text.partition(",")[0] for text in problems()]
    change(lambda run: delete(run).where(run.run_id == "far-0"), planner)
    assert [one for one in problems() if "of DAGs" in one] == []
    change(delete, planner)


def test_a_dry_run_does_not_keep_a_post_from_being_published_now(user: Any) -> None:
    ada, conf = user("ada", "USER"), {"post": "hello", "now": True, "dry_run": True}
    begin(DAG_ID, "hello", PREPARED, run_id="now__hello__1", conf=conf)
    answer = do(ada, "ada", "publish_now")
    assert answer.status_code == 200, answer.text


def test_a_planner_that_does_not_look_although_posts_have_come_near_is_a_problem(user: Any) -> None:
    """A user may mark its task as a success each time before it begins."""
    file = plan_file(os.environ["AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS"], DAG_ID)
    stored, ada = StoredPlan.read(file), user("ada", "USER")
    assert stored is not None

    def problems() -> list[str]:
        routes.boards.board(DAG_ID, is_fresh=True)
        answer = ada.get("/instagram/calendar/api/posts", params={"dag_id": DAG_ID})
        return [one["message"] for one in answer.json()["calendars"][0]["problems"]]

    before = problems()
    store(file, stored.model_copy(update={"plan": replace(stored.plan, begun={}, pending=())}))
    assert len(problems()) == len(before) + 1
    store(file, stored)
    assert problems() == before


@pytest.mark.parametrize("conf", [{}, {"post": "asked"}, {"post": "hello", "dry_run": True}])
def test_publish_now_finds_an_id_that_no_run_has(user: Any, conf: dict[str, Any]) -> None:
    """A user may have taken those that the page would choose."""
    ada = user("ada", "USER")
    for number in (1, 2):
        begin(DAG_ID, "hello", {}, run_id=f"now__hello__{number}", state="success", conf=conf)
    answer = do(ada, "ada", "publish_now")
    assert answer.status_code == 200, answer.text
    assert tasks_of("now__hello__3")[0] == "queued"


def approved() -> tuple[str, str, Any]:
    """Record a yes of the run of a post, and return its row: the asset, the key and the content."""
    from airflow_provider_instagram.calendar.tasks.answers import Answer, Approval
    from airflow_provider_instagram.operators.approval import Question

    facts = routes.boards.board(DAG_ID, is_fresh=True).facts["asked"]
    post, run = facts.post, facts.run
    assert run is not None
    assert run.run_after is not None
    question = Question(
        dag_id=DAG_ID,
        run_id="asked",
        task_id="approve",
        map_index=-1,
        run_after=run.run_after,
        run_started=post.publish_at,
        clear_number=0,
        max_tries=0,
        ti_id="1",
        try_number=0,
        began=post.publish_at,
    )
    about: dict[str, Any] = {"post_id": "asked", "number": 1, "version": post.version, "sha256": (), "caption": "Asked"}
    approval = Approval(question=question, **about, answer=Answer(True, "bob", caption="Of bob"))
    uri, key = ledger_asset(post.account).uri, f"approval:{post.key}"
    write_row(uri, key, approval.model_dump(mode="json"))
    return uri, key, approval


def ask_last(run_id: str, number: int = 1) -> None:
    """Record that a run has asked about the post last."""
    uri, key, approval = approved()
    question = approval.question.model_copy(update={"run_id": run_id})
    row = approval.model_copy(update={"question": question, "number": number, "answer": None, "is_open": True})
    write_row(uri, key, row.model_dump(mode="json"))


@pytest.mark.parametrize(("number", "why"), [(1, None), (2, "asked again")])
def test_a_question_says_whether_a_person_was_asked_before(user: Any, number: int, why: str | None) -> None:
    ask(DAG_ID, "asked")
    ask_last("asked", number)
    routes.boards.board(DAG_ID, is_fresh=True)
    ada = user("ada", "USER")
    assert cards(ada)["asked"].get("why") == why
    assert ("does not count" in detail(ada, "asked")["hint"]) is bool(why)


@pytest.mark.parametrize("act", ["unskip", "retry"])
def test_another_run_finds_an_id_that_no_run_has(user: Any, act: str) -> None:
    ada = user("ada", "ADMIN")
    begin(DAG_ID, "hello", {}, run_id="manual__asked__1", state="success", conf={"post": "hello"})
    if act == "unskip":
        ask(DAG_ID, "asked", approve="skipped", create="skipped", publish="skipped")
        outcome = {"state": "skipped", "mark": "rejected: loud", "reason": "Rejected by bob: loud", "try": 0}
        push_xcom(DAG_ID, "asked", "approve", "outcome", outcome)
    else:
        begin(DAG_ID, "asked", {**READY, "create": "failed", "publish": "upstream_failed"}, state="failed")
        approved()
        push_xcom(DAG_ID, "asked", "create", "outcome", {"mark": "MediaRejectedError", "try": 0})
    assert look(ada, "asked")[0] in ("skipped", "failed")
    answer = do(ada, "ada", act, "asked")
    assert answer.status_code == 200, answer.text
    assert tasks_of("manual__asked__2")[0] == "queued"


def test_parameters_of_the_run_of_a_post_change_no_card(user: Any) -> None:
    begin(DAG_ID, "hello", READY, conf={"post": "asked", "dry_run": True, "now": True})
    ada = user("ada", "USER")
    assert (look(ada), look(ada, "asked")) == (("ready", None), ("planned", None))


def test_a_skip_closes_the_question_of_the_run_which_begins_anew(user: Any) -> None:
    """Its run begins anew once more when it is brought back."""
    ada = user("ada", "USER")
    begin(DAG_ID, "hello", READY)
    assert do(ada, "ada", "skip").status_code == 200
    assert tasks_of("hello") == ("running", dict.fromkeys(READY))
    assert look(ada) == ("skipped", "by ada")
    begin(DAG_ID, "hello", dict.fromkeys(READY, "skipped"), state="success")
    assert look(ada) == ("skipped", "by ada")
    assert do(ada, "ada", "unskip").status_code == 200
    assert tasks_of("hello") == ("queued", dict.fromkeys(READY))
    assert look(ada) == ("planned", None)


def test_a_rejected_post_is_brought_back_by_a_run_that_asks_again(user: Any) -> None:
    """Airflow keeps the answer of the run in which it was rejected."""
    ada = user("ada", "ADMIN")
    ask(DAG_ID, "asked", approve="skipped", create="skipped", publish="skipped")
    outcome = {"state": "skipped", "mark": "rejected: loud", "reason": "Rejected by bob: loud", "try": 0}
    push_xcom(DAG_ID, "asked", "approve", "outcome", outcome)
    assert look(ada, "asked") == ("skipped", "rejected: loud")
    assert detail(ada, "asked")["acts"] == ["unskip", "publish_now"]
    answer = do(ada, "ada", "unskip", "asked")
    assert answer.status_code == 200, answer.text
    assert tasks_of("manual__asked__1")[0] == "queued"
    assert tasks_of("asked")[1]["approve"] == "skipped"


def test_the_reason_of_a_skip_is_in_the_history(user: Any) -> None:
    ada = user("ada", "USER")
    assert do(ada, "ada", "skip", reason="x" * 501).status_code == 422
    assert look(ada) == ("planned", None)
    assert do(ada, "ada", "skip", reason="the campaign is over").status_code == 200
    events = [(event["what"], event["detail"]) for event in detail(ada, "hello")["history"]]
    assert ("Skipped by ada", "the campaign is over") in events


def test_nobody_skips_what_a_run_that_the_page_does_not_show_publishes_at_once(user: Any) -> None:
    """The post's own run was cleared since, and is shown."""
    ada = user("ada", "USER")
    begin(DAG_ID, "hello", {"prepare": "up_for_retry"}, run_id=NOW_ID, conf={"post": "hello", "now": True})
    begin(DAG_ID, "hello", PREPARED)
    assert look(ada) == ("ready", None)
    answer = do(ada, "ada", "skip")
    assert (answer.status_code, NOW_ID in answer.text) == (409, True)
    assert look(ada) == ("ready", None)


def test_a_skip_of_a_post_whose_run_has_not_begun_is_a_row_only(user: Any) -> None:
    ada, not_begun = user("ada", "USER"), dict.fromkeys(READY)
    begin(DAG_ID, "hello", not_begun, state="queued")
    assert look(ada) == ("planned", None)
    assert do(ada, "ada", "skip").status_code == 200
    assert look(ada) == ("skipped", "by ada")


@pytest.mark.parametrize(
    ("tasks", "first", "left"),
    [
        ({**dict.fromkeys(READY, "upstream_failed"), "prepare": "failed"}, "prepare", {}),
        ({**READY, "create": "failed", "publish": "upstream_failed"}, "create",
         {"prepare": "success", "approve": "success"}),
    ],
)  # fmt: skip
def test_try_again_clears_the_task_that_failed_and_those_after_it(
    user: Any, tasks: dict[str, str | None], first: str, left: dict[str, str]
) -> None:
    ada = user("ada", "USER")
    begin(DAG_ID, "hello", tasks, state="failed")
    assert look(ada)[0] == "failed"
    answer = do(ada, "ada", "retry")
    assert (answer.status_code, answer.json()["done"]) == (200, f"It is tried again, from {first} on.")
    assert tasks_of("hello") == ("queued", dict.fromkeys(tasks) | left)
    vic = user("vic", "VIEWER")
    assert do(vic, "vic", "retry").status_code == 403


def test_a_post_whose_approved_file_was_refused_is_tried_again_in_another_run(user: Any) -> None:
    """Airflow keeps the question of a run, which shows the file that was refused."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    ada = user("ada", "USER")
    begin(DAG_ID, "asked", {**READY, "create": "failed", "publish": "upstream_failed"}, state="failed")
    approved()
    push_xcom(DAG_ID, "asked", "create", "outcome", {"mark": "MediaRejectedError", "try": 0})
    answer = do(ada, "ada", "retry", "asked")
    assert (answer.status_code, answer.json()["done"][:11]) == (200, "Another run")
    assert tasks_of("asked")[0] == "failed"
    with create_session() as session:
        conf = session.scalar(select(DagRun.conf).where(DagRun.run_id == "manual__asked__1"))
    assert conf == {"post": "asked"}


def test_an_edit_is_planned_until_its_run_begins_anew(user: Any) -> None:
    """What the run of the earlier version does is not about this one."""
    ada = user("ada", "USER")
    begin(DAG_ID, "hello", READY)
    assert look(ada)[0] == "ready"
    file = plan_file(os.environ["AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS"], DAG_ID)
    stored = StoredPlan.read(file)
    assert stored is not None
    later = datetime.now(timezone.utc).replace(year=2099)
    store(file, stored.model_copy(update={"at": later, "plan": replace(stored.plan, pending=("hello",))}))
    assert look(ada) == ("planned", None)
    store(file, stored)
    assert look(ada)[0] == "ready"


def test_a_run_that_a_user_started_counts_until_it_has_ended(user: Any) -> None:
    ada = user("ada", "USER")
    begin(DAG_ID, "hello", PREPARED)
    assert do(ada, "ada", "publish_now").status_code == 200
    assert look(ada) == ("in_work", None)
    assert do(ada, "ada", "publish_now").status_code == 409
    begin(DAG_ID, "hello", READY, run_id=NOW_ID, conf={"post": "hello", "now": True})
    assert look(ada) == ("in_work", "Instagram is asked to publish it")
    begin(DAG_ID, "hello", {"prepare": "failed"}, run_id=NOW_ID, state="failed", conf={"post": "hello", "now": True})
    assert look(ada) == ("ready", None), "its own run goes on, and publishes it"
    begin(DAG_ID, "hello", dict.fromkeys(READY, "skipped"), state="success")
    begin(DAG_ID, "hello", {"prepare": "failed"}, run_id=NOW_ID, state="failed", conf={"post": "hello", "now": True})
    assert look(ada)[0] == "failed", "the last one"


@pytest.mark.parametrize("tasks", [{"prepare": "up_for_retry"}, {"prepare": "success", "approve": "up_for_retry"}])
def test_a_run_by_hand_that_cannot_begin_hides_no_question(user: Any, tasks: dict[str, str]) -> None:
    """Its id is too long for the name of a log, so its tasks are tried again for a day. A user may mark the first."""
    begin(DAG_ID, "asked", {**PREPARED, "approve": "awaiting_input"})
    ask_last("asked")
    begin(DAG_ID, "asked", tasks, run_id="b" * 250, conf={"post": "asked"})
    routes.boards.board(DAG_ID, is_fresh=True)
    shown = detail(user("ada", "USER"), "asked")
    assert (shown["card"]["state"], shown["acts"]) == ("waiting", ["approve", "reject"])


def test_a_yes_to_a_question_after_which_another_run_has_asked_is_refused(user: Any) -> None:
    """It would not count: Approve counts for the last question only."""
    ask(DAG_ID, "asked")
    ask_last("manual__1")
    routes.boards.board(DAG_ID, is_fresh=True)
    answer = do(user("ada", "USER"), "ada", "approve", "asked")
    assert (answer.status_code, "Another run has asked" in answer.text) == (409, True)


def test_a_dry_run_that_a_user_started_says_nothing_about_the_post(user: Any) -> None:
    begin(DAG_ID, "hello", PREPARED, run_id="manual__1", conf={"post": "hello", "dry_run": True})
    assert look(user("ada", "USER")) == ("planned", None)


@pytest.mark.parametrize(
    "value",
    [
        '{"version": "x", "media": ["a"], "reports": [{"reasons": ["\\ud800"], "speed": NaN}]}',
        '{"media": [1e999, {"a": null}], "reports": [{"reasons": -Infinity}]}',
        '{"reports": [' + "[" * 900 + "]" * 900 + "]}",
        '{"reports": [{"x": ' + '{"x": ' * 900 + "1" + "}" * 900 + "}]}",
        '{"media": {"a": 1}, "reports": "x"}',
    ],
    ids=["surrogate", "infinite", "nested", "nested objects", "other types"],
)
def test_any_xcom_of_a_run_is_data(user: Any, value: str) -> None:
    begin(DAG_ID, "hello", {**READY, "create": "failed", "publish": "upstream_failed"}, state="failed")
    push_xcom(DAG_ID, "hello", "prepare", "return_value", value)
    reported = '{"state": "failed", "mark": "\\udfff", "reason": "\\ud800", "hint": "\\ud800", "try": 0}'
    push_xcom(DAG_ID, "hello", "create", "outcome", reported)
    ada = user("ada", "USER")
    assert look(ada)[0] == "failed"
    assert detail(ada, "hello")["card"]["state"] == "failed"


def test_of_what_a_user_writes_the_page_reads_no_more_than_a_task_writes(user: Any) -> None:
    """Airflow takes XComs and parameters of many megabytes, and there are many runs."""
    begin(DAG_ID, "hello", {**READY, "create": "failed", "publish": "upstream_failed"}, state="failed")
    ada = user("ada", "USER")
    assert look(ada)[0] == "failed"
    begin(DAG_ID, "hello", {}, run_id="manual__1", state="failed", conf={"post": "asked", "more": "m" * 10**7})
    push_xcom(DAG_ID, "hello", "create", "outcome", {"reason": "r" * 10**7, "try": 0})
    tracemalloc.start()
    assert look(ada) == ("failed", "See the log of its task.")
    assert tracemalloc.get_traced_memory()[1] < 5 * 10**6
    tracemalloc.stop()
    push_xcom(DAG_ID, "hello", "create", "outcome", {"reason": "r" * 90_000, "more": "m" * 1_000, "try": 0})
    assert look(ada)[0] == "failed"
    assert detail(ada, "hello")["why"] == "r" * 2_000


@pytest.mark.parametrize("conf", [[1], {"post": ["a"]}, {"post": {"a": 1}}, {"post": 7}, "x", None])
def test_any_conf_of_a_run_is_data(user: Any, conf: Any) -> None:
    begin(DAG_ID, "hello", PREPARED, run_id="manual__2")
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import update

    with create_session() as session:
        session.execute(update(DagRun).where(DagRun.run_id == "manual__2").values(conf=conf))
    assert look(user("ada", "USER")) == ("planned", None)


def test_a_post_that_was_published_now_is_published_although_its_run_still_waits(user: Any) -> None:
    ada, now = user("ada", "USER"), datetime.now(timezone.utc)
    post = begin(DAG_ID, "hello", PREPARED)
    done = PublishedPost(KEY, "1", now.isoformat(), "17900", dag_id=DAG_ID, run_id=NOW_ID)
    write_row(ledger_asset(ACCOUNT).uri, f"done:{KEY}", asdict(done))
    assert look(ada) == ("skipped", f"id used before: hello was published on {now:%Y-%m-%d %H:%M}")
    planned = replace(done, planned_at=post.publish_at.astimezone(timezone.utc).isoformat())
    write_row(ledger_asset(ACCOUNT).uri, f"done:{KEY}", asdict(planned))
    assert look(ada) == ("published", None)


def test_an_open_outcome_is_that_of_the_run_that_sent_the_request(user: Any) -> None:
    """The post's own run waits, so that it says nothing about the request of another one."""
    ada = user("ada", "ADMIN")
    begin(DAG_ID, "hello", READY)
    conf = {"post": "hello", "now": True}
    owner = Owner(DAG_ID, NOW_ID, "publish", -1)
    with open_ledger(ACCOUNT) as rows:
        ledger = Ledger(rows, ACCOUNT)
        claim = Claim(owner, "n")
        ledger.record_claim(KEY, claim)
        ledger.record_intent(KEY, "1", claim)
    begin(DAG_ID, "hello", {**READY, "publish": "running"}, run_id=NOW_ID, conf=conf)
    assert look(ada) == ("in_work", "Instagram is asked to publish it")
    begin(DAG_ID, "hello", {**READY, "publish": "failed"}, run_id=NOW_ID, state="failed", conf=conf)
    assert look(ada)[0] == "unknown"
    assert detail(ada, "hello")["acts"] == ["live", "not_live", "retry"]


def test_who_approved_is_what_the_task_has_sealed(user: Any) -> None:
    """Of two answers, Airflow keeps the second one. Users may edit what the task returned, which decides nothing."""
    ada = user("ada", "USER")
    ask(DAG_ID, "asked", approve="success", create="deferred")
    uri, key, approval = approved()
    push_xcom(DAG_ID, "asked", "approve", "return_value", {"approved_by": "eve"})
    assert look(ada, "asked") == ("ready", "approved")
    shown = detail(ada, "asked")
    assert shown["file_caption"] == "Asked"
    assert (shown["caption"], "Approved by bob" in [event["what"] for event in shown["history"]]) == ("Of bob", True)
    write_row(uri, key, approval.model_copy(update={"answer": None}).model_dump(mode="json"))
    shown = detail(ada, "asked")
    events = [event["what"] for event in shown["history"]]
    assert (shown["caption"], "Nobody has approved this" in events) == ("Asked", True)
    assert look(ada, "asked")[0] == "failed", "its task was marked as a success"
    write_row(uri, key, approval.model_dump(mode="json"))
    ask(DAG_ID, "asked", approve="success", create="deferred")
    assert look(ada, "asked")[0] == "failed", "the run was deleted, and made anew with the same id"
    assert "Nobody has approved this" in [event["what"] for event in detail(ada, "asked")["history"]]


@pytest.mark.parametrize(
    "text", [{"x": 1}, ["\ud800"], "\ud800", 7, float("nan")], ids=["object", "list", "surrogate", "number", "nan"]
)
@pytest.mark.parametrize("option", ["Approve", "Reject"])
@pytest.mark.parametrize("is_carried_out", [False, True])
def test_any_answer_is_data(user: Any, text: Any, option: str, is_carried_out: bool) -> None:
    """Airflow takes any JSON as an answer."""
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select, update

    ada, given = user("ada", "USER"), {"caption": text, "reason": text}
    ask(DAG_ID, "asked", approve="failed" if is_carried_out else "queued")
    event = {"chosen_options": [option], "params_input": given, "responded_by_user": {"id": "bob", "name": "bob"}}
    with create_session() as session:
        ti = TaskInstance
        ours = (ti.dag_id == DAG_ID, ti.run_id == "asked", ti.task_id == "approve")
        ti_id = session.scalars(select(ti.id).where(*ours)).one()
        session.execute(update(ti).where(ti.id == ti_id).values(next_kwargs={"event": event}))
        session.execute(
            update(HITLDetail)
            .where(HITLDetail.ti_id == ti_id)
            .values(params_input=given, chosen_options=[option], responded_by={"id": "bob", "name": "bob"})
        )
    assert look(ada, "asked")[0] != "unknown"
    assert detail(ada, "asked")["card"]["id"] == "asked"
