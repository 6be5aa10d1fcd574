"""The approval of a post in its own run: what is asked, what an answer does, and what no answer can be made of."""

from __future__ import annotations

import json
import threading
from contextlib import nullcontext, suppress
from datetime import timedelta
from email.utils import format_datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from airflow.sdk.exceptions import AirflowSkipException, TaskAwaitingInput

from airflow_provider_instagram.calendar.planning.begin_runs import ENDED
from airflow_provider_instagram.calendar.planning.post_rows import PostRows
from airflow_provider_instagram.calendar.tasks import prepare
from airflow_provider_instagram.calendar.tasks.answers import PostRecords
from airflow_provider_instagram.calendar.tasks.approve import ApprovePost
from airflow_provider_instagram.calendar.tasks.base import WAITS
from airflow_provider_instagram.calendar.tasks.covers import cover_file, cover_name
from airflow_provider_instagram.calendar.tasks.create import CreatePost
from airflow_provider_instagram.calendar.tasks.prepare import PreparePost
from airflow_provider_instagram.calendar.tasks.publish import CommentPost, PublishPost
from airflow_provider_instagram.exceptions import TransientError, ValidationError
from airflow_provider_instagram.files import storage
from airflow_provider_instagram.graph.models import ContainerStatus
from airflow_provider_instagram.hooks.instagram import InstagramHook
from airflow_provider_instagram.ledger.ledger import digest
from airflow_provider_instagram.ledger.records import Claim, ContainerRecord, Owner, PublishedPost
from airflow_provider_instagram.publishing.publish import Free, Publisher
from airflow_provider_instagram.utils.clock import CLOCK
from tests.unit.calendar.simulated_runs import ACCOUNT, DIGEST, LEDGER, after_noon, post

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from pytest_mock import MockerFixture

    from tests.unit.calendar.simulated_runs import SimulatedCalendar

ANNA = {"id": "1", "name": "anna"}
#: What the fixture of a calendar replaces, so that the time of its tasks is a test's.
COMPARE_CLOCK = InstagramHook.compare_clock


class Approval:
    """The tasks of one post that requires an approval.

    :param questions: What Airflow keeps of the questions, the newest last.
    """

    def __init__(self, calendar: SimulatedCalendar, **more: Any) -> None:
        self.calendar, self.questions, self.kept = calendar, calendar.airflow.questions, dict[str, Any]()
        reports = more.pop("reports", None)
        written = {"caption": "As written", "approval": "required", **more}
        if more.get("placement") == "story":
            del written["caption"]
        calendar.run_after = after_noon(0)
        calendar.write(post("a", 60, **written))
        calendar.plan(0)
        calendar.prepared(reports=reports)

    def task(self, kind: type = ApprovePost, **more: Any) -> Any:
        return kind(task_id="t", settings=self.calendar.settings, **more)

    def ask(self, run_id: str = "a", **params: Any) -> dict[str, Any]:
        """Run the task until it waits for a person, and return the question."""
        with pytest.raises(TaskAwaitingInput) as waiting:
            self.task().execute(self.calendar.context(run_id, **params))
        self.kept, self.calendar.states["approve"] = dict(waiting.value.kwargs or {}), "awaiting_input"
        return self.questions[-1]

    def answer(self, *options: str, run_id: str = "a", params: Any = None, **event: Any) -> Any:
        """Answer as a person does, and return what the task returns."""
        if not self.kept:
            self.ask(run_id, **(params or {}))
        given = {"chosen_options": list(options), "params_input": {}, "responded_by_user": ANNA, "timedout": False}
        context = self.calendar.context(run_id, **(params or {}))
        answer = self.task().execute_complete(context, given | event, **self.kept)
        self.calendar.states["approve"] = "success"
        return answer

    def clear(self) -> None:
        """Clear the task, as a user does."""
        self.calendar.clear_number += 1
        self.calendar.max_tries += self.calendar.try_number
        self.calendar.try_number += 1
        self.calendar.states["approve"] = None

    def edit(self, **more: Any) -> None:
        """Edit the post, and prepare its new version."""
        self.calendar.write(post("a", 60, approval="required", **more))
        self.calendar.plan(1)
        self.calendar.prepared()

    def made_with(self, run_id: str = "a", **params: Any) -> Any:
        """Return with which caption and files the post would go out."""
        step, context = self.task(CreatePost), self.calendar.context(run_id, **params)
        wanted = step.wanted_post(context)
        approval = step._approval(context, wanted, step.prepared(context, wanted))
        return approval and (approval.answer.caption, approval.sha256)

    def order(self, run_id: str = "a", **params: Any) -> Any:
        """Begin to make a container as the task create of a run does, and return the step, its context and its post."""
        context, step = self.calendar.context(run_id, **params), self.task(CreatePost)
        wanted = step.wanted_post(context)
        prepared = step.prepared(context, wanted)
        step._record_order(context, wanted, prepared, step._approval(context, wanted, prepared))
        return context, step, wanted

    def create(self, container_id: str, caption: str, run_id: str = "a", **params: Any) -> None:
        """Make a container as the task create of a run does."""
        context, step, wanted = self.order(run_id, **params)
        made = ContainerRecord(container_id, wanted.key, after_noon(0).isoformat(), "content", digest(caption))
        self.calendar.ledger().record_container(made)
        step._record_container(context, wanted, container_id)

    def container(self, run_id: str = "a", **params: Any) -> str | None:
        """Return the container that would be published."""
        context, step = self.calendar.context(run_id, **params), self.task(PublishPost)
        wanted = step.wanted_post(context)
        if step.prepared(context, wanted).container_id is not None:
            return str(step._container(context, wanted))
        with pytest.raises(ValidationError, match="No container was made for this version"):
            step._container(context, wanted)
        return None

    def published_at(self, run_id: str = "a", **params: Any) -> Any:
        """Return when the post would be published, with the last container, or one that was made as it should be."""
        context, step = self.calendar.context(run_id, **params), self.task(PublishPost)
        wanted = step.wanted_post(context)
        if step.prepared(context, wanted).container_id is None:
            with pytest.MonkeyPatch.context() as patch:
                approved = SimpleNamespace(sha256=(DIGEST,), answer=SimpleNamespace(caption="As written"))
                patch.setattr(CreatePost, "_approval", lambda *_: approved, raising=True)
                self.create("17901", "As written", run_id, **params)
        step.container_id = step._container(context, wanted)
        return step.publication_time(context)


@pytest.fixture
def approval(calendar: SimulatedCalendar) -> Approval:
    return Approval(calendar)


@pytest.mark.parametrize(
    ("given", "caption"),
    [
        ({}, "As written"),
        (None, "As written"),
        ({"caption": "As approved", "reason": "typo"}, "As approved"),
        ({"caption": None}, ""),
        ({"caption": "{{ conn.x }} 👩\u200d👧\nאב"}, "{{ conn.x }} 👩\u200d👧\nאב"),
    ],
)
def test_what_was_approved_goes_out(approval: Approval, given: Any, caption: str) -> None:
    approval.answer("Approve", params_input=given)
    assert approval.made_with() == (caption, (DIGEST,))


@pytest.mark.parametrize(
    ("event", "why"),
    [
        ({"params_input": {"reason": "too loud"}}, "Rejected by anna: too loud"),
        ({}, "Rejected by anna: no reason given"),
        ({"responded_by_user": None, "timedout": True}, "Nobody has approved the post by its time."),
    ],
)
def test_a_rejection_and_silence_skip_the_post(approval: Approval, event: dict[str, Any], why: str) -> None:
    with pytest.raises(AirflowSkipException, match=why):
        approval.answer("Reject", **event)


def test_nobodys_silence_publishes(approval: Approval) -> None:
    assert approval.ask()["defaults"] == ["Reject"]
    with pytest.raises(AirflowSkipException, match="Nobody has approved"):
        approval.answer("Approve", responded_by_user=None, timedout=True)


def test_a_run_asks_about_no_other_file_than_before(approval: Approval) -> None:
    """Airflow keeps the first question of a task instance: a person would see the digest of the file before."""
    approval.ask()
    approval.clear()
    approval.ask()  # about the same file
    assert PostRecords(approval.calendar.rows(), f"{ACCOUNT}/a").last_number() == 2
    approval.calendar.prepared(reports=[{"tier": "full", "sha256": "1" * 64}])
    with pytest.raises(ValidationError, match="a, a file of it or dry_run has changed since this run asked") as refused:
        approval.ask()
    assert "trigger the DAG with the post a" in (refused.value.hint or "")
    approval.ask("manual__1", post="a")


def test_a_question_stays_open_until_the_time_of_the_post(approval: Approval) -> None:
    with pytest.raises(TaskAwaitingInput) as waiting:
        approval.task().execute(approval.calendar.context())
    assert waiting.value.timeout == after_noon(60) - after_noon(0)
    approval.clear()
    approval.calendar.now, approval.calendar.given = 61, {"late": "skip"}
    with pytest.raises(AirflowSkipException, match="has passed, so nobody is asked"):
        approval.task().execute(approval.calendar.context())


def test_a_late_post_can_be_approved_as_long_as_it_may_go_out(approval: Approval) -> None:
    approval.calendar.given, approval.calendar.now = {"max_lateness": after_noon(30) - after_noon(0)}, 70
    with pytest.raises(TaskAwaitingInput) as waiting:
        approval.task().execute(approval.calendar.context())
    assert waiting.value.timeout == after_noon(90) - after_noon(70)


@pytest.fixture
def instagrams_time(
    approval: Approval, monkeypatch: pytest.MonkeyPatch, mocker: MockerFixture
) -> Iterator[list[datetime]]:
    """The time that Instagram's answers name, whatever the clock of this worker says."""
    times = [after_noon(0)]

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response_only(400)
            self.send_header("Date", format_datetime(times[-1], usegmt=True))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        host = f"http://127.0.0.1:{server.server_port}"
        connection = {"conn_type": "instagram", "password": "IGAA-token", "host": host}
        monkeypatch.setenv("AIRFLOW_CONN_INSTAGRAM_DEFAULT", json.dumps(connection))
        mocker.patch.object(InstagramHook, "compare_clock", COMPARE_CLOCK)
        mocker.patch.object(CLOCK, "now", partial(type(CLOCK).now, CLOCK))
        mocker.patch.object(CLOCK, "_local", side_effect=lambda: after_noon(approval.calendar.now))
        mocker.patch.object(CLOCK, "_offset", None)
        yield times
        server.shutdown()


@pytest.mark.parametrize(("local", "left_s"), [(60.5, 30), (61.5, 30), (58.5, 30), (59.5, 1800)])
def test_a_worker_with_a_wrong_clock_asks_about_a_post_that_is_not_late(
    approval: Approval, instagrams_time: list[datetime], local: float, left_s: float
) -> None:
    approval.calendar.given["late"] = "skip"
    instagrams_time.append(after_noon(60 - left_s / 60))
    approval.calendar.now = local
    with pytest.raises(TaskAwaitingInput) as waiting:
        approval.task().execute(approval.calendar.context())
    assert isinstance(waiting.value.timeout, timedelta)
    assert waiting.value.timeout.total_seconds() == pytest.approx(left_s, abs=3)


def test_nobody_is_asked_about_a_post_that_is_over_although_the_clock_of_the_worker_is_slow(
    approval: Approval, instagrams_time: list[datetime]
) -> None:
    approval.calendar.given["late"] = "skip"
    instagrams_time.append(after_noon(61))
    approval.calendar.now = 59
    with pytest.raises(AirflowSkipException, match="has passed, so nobody is asked"):
        approval.task().execute(approval.calendar.context())
    assert approval.questions == []


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"captoin": "As approved"}, "fields caption and reason: 'captoin'"),
        ({"caption": "x" * 2201}, "does not fit the form"),
        ({"caption": "one\0two"}, "caption has an invisible character, number 0"),
        ({"reason": "one\0two"}, "reason has an invisible character, number 0"),
    ],
)
def test_an_answer_that_does_not_fit_the_form_is_explained(approval: Approval, given: Any, why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        approval.answer("Approve", params_input=given)


def test_an_answer_that_instagram_refuses_fails_at_once_and_not_a_lead_time_before_the_post(approval: Approval) -> None:
    approval.calendar.given = {"lead_time": timedelta(minutes=10)}
    approval.answer("Approve", params_input={"caption": "#a " * 31})
    with pytest.raises(ValidationError, match="31 hashtags") as refused:
        approval.task(CreatePost).execute(approval.calendar.context())
    assert refused.value.hint == "Clear approve with all downstream tasks, and answer again."


def test_a_post_that_needs_no_approval_or_is_live_asks_nobody(calendar: SimulatedCalendar) -> None:
    none = Approval(calendar, approval="none")
    assert none.task().execute(calendar.context()) is None
    assert none.made_with() is None
    calendar.given = {"approval": "required"}
    calendar.plan()
    calendar.prepared()
    none.ask("a~v2")


def test_an_edit_after_the_question_is_not_approved_by_its_answer(approval: Approval) -> None:
    approval.ask()
    approval.edit(caption="Edited")
    with pytest.raises(AirflowSkipException, match="was edited"):
        approval.answer("Approve")
    with pytest.raises(ValidationError, match="has none of this version"):
        approval.made_with("a~v2")


def test_an_approval_is_about_the_files_that_were_shown(approval: Approval) -> None:
    approval.ask()
    approval.calendar.prepared(reports=[{"tier": "full", "sha256": "1" * 64}])  # by another run
    with pytest.raises(ValidationError, match="is not what would be published"):
        approval.answer("Approve")
    assert approval.made_with() == ("As written", (DIGEST,)), "create compares the file with it"


@pytest.mark.parametrize("where", ["approve", "create"])
def test_a_file_whose_digest_is_missing_is_not_approved(approval: Approval, where: str) -> None:
    if where == "create":
        approval.answer("Approve")
    approval.calendar.prepared(reports=[{"tier": "full"}, {}] if where == "create" else [{"tier": "full"}])
    with pytest.raises(ValidationError, match="an approval would not bind it"):
        approval.made_with() if where == "create" else approval.ask()


def test_a_file_that_was_approved_by_its_digest_is_not_fetched_from_the_web_instead(
    calendar: SimulatedCalendar,
) -> None:
    """Its server has another one by now, which needs no transcode, and prepare was cleared: nobody compares a link."""
    approval = Approval(calendar, video="https://cdn.example.com/a.mp4")
    approval.answer("Approve")
    assert approval.made_with() == ("As written", (DIGEST,))
    calendar.prepared(reports=[{"tier": "pass", "kind": "video"}])
    with pytest.raises(ValidationError, match="an approval would not bind it") as refused:
        approval.made_with()
    assert refused.value.hint == "Clear prepare with all downstream tasks."


def asked_again(approval: Approval) -> None:
    approval.clear()
    approval.ask()


def rejected_after_a_clear(approval: Approval) -> None:
    asked_again(approval)
    rejected(approval)


def asked_by_another_run(approval: Approval) -> None:
    approval.ask("manual__1", post="a")


def rejected_in_another_run(approval: Approval) -> None:
    approval.ask("manual__1", post="a")
    rejected(approval, run_id="manual__1", params={"post": "a"})


def run_made_anew(approval: Approval) -> None:
    approval.calendar.run_started = after_noon(2)


def run_made_anew_that_waits_to_begin(approval: Approval) -> None:
    """Its tasks begin while it waits, as those of the deleted run did. Nothing tells the two runs apart."""
    answered = approval.calendar.rows().get(row := f"approval:{ACCOUNT}/a")
    answered["question"]["run_started"] = None
    approval.calendar.rows().set(row, answered)
    approval.calendar.run_started, approval.calendar.made_anew = None, 1


def run_made_anew_and_cleared(approval: Approval) -> None:
    approval.calendar.run_after, approval.calendar.clear_number = after_noon(2), 1


#: What voids a yes, although each task is in the state "success" again, which users may set.
VOIDS = (
    asked_again,
    rejected_after_a_clear,
    asked_by_another_run,
    rejected_in_another_run,
    run_made_anew,
    run_made_anew_that_waits_to_begin,
    run_made_anew_and_cleared,
)


def rejected(approval: Approval, **run: Any) -> None:
    with pytest.raises(AirflowSkipException, match="Rejected by anna"):
        approval.answer("Reject", **run)


@pytest.mark.parametrize("void", VOIDS)
def test_what_voids_a_yes_is_remembered_by_the_ledger_and_not_by_a_state(
    approval: Approval, void: Callable[[Approval], None]
) -> None:
    approval.answer("Approve")
    assert approval.published_at() == after_noon(60)
    void(approval)
    approval.calendar.states["approve"] = "success"
    with pytest.raises(AirflowSkipException, match=r"Nobody has approved|Rejected by anna"):
        approval.published_at()
    with pytest.raises(ValidationError, match="has none of this version"):
        approval.made_with()


@pytest.mark.parametrize(
    ("has", "counts"),
    [
        ({}, True),
        ({"start_date": after_noon(2)}, False),
        ({"start_date": None}, False),
        ({"try_number": 2}, False),
        ({"run_id": "b"}, False),
    ],
)
def test_a_yes_outlives_a_clear_of_later_tasks_but_not_its_run(
    approval: Approval, has: dict[str, Any], counts: bool
) -> None:
    """Its run was cleared, or deleted, started again with the same id, date and parameters, and cleared."""
    approval.answer("Approve")
    approval.calendar.clear_number, approval.calendar.run_started = 2, after_noon(5)
    began = {"run_id": "a", "try_number": 1, "start_date": after_noon(0)}
    approval.calendar.airflow.approve = SimpleNamespace(**began | has)
    with nullcontext() if counts else pytest.raises(AirflowSkipException, match="Nobody has approved"):
        approval.published_at()
    approval.calendar.date = None
    with pytest.raises(AirflowSkipException, match="Nobody has approved"):
        approval.published_at()


@pytest.mark.parametrize("void", [asked_again, asked_by_another_run])
def test_people_are_told_if_a_post_waits_again_after_an_answer(
    approval: Approval, void: Callable[[Approval], None]
) -> None:
    """A user who may clear or start runs would take an approval back without a word."""
    told: list[str] = []
    approval.calendar.given["notify"] = lambda context: told.append(context["event"].event)
    approval.answer("Approve")
    assert told == ["waiting"]
    void(approval)
    assert told == ["waiting"] * 2


@pytest.mark.parametrize("params", [{}, {"dry_run": True}], ids=["by hand", "dry"])
def test_a_question_in_the_run_of_a_user_keeps_nobody_from_hearing_of_that_in_the_posts_own_run(
    approval: Approval, params: dict[str, Any]
) -> None:
    """The user ends that run, or somebody answers about its dry run: the post would be skipped without a word."""
    told: list[str] = []
    approval.calendar.given["notify"] = lambda context: told.append(context["event"].message)
    approval.ask("manual__1", post="a", **params)
    approval.ask()
    approval.ask()
    assert told == [f"(dry run) {WAITS}" if params else WAITS, WAITS]


def test_what_is_told_of_dry_runs_is_told_again_when_the_dag_publishes(approval: Approval) -> None:
    told: list[str] = []
    approval.calendar.given |= {"notify": lambda context: told.append(context["event"].event), "dry_run": True}
    approval.calendar.plan(1)
    approval.ask("a~v2")
    approval.calendar.given["dry_run"] = False
    approval.calendar.plan(2)
    approval.ask("a~v3")
    assert told == ["waiting"] * 2


@pytest.mark.parametrize("is_cleared", [True, False])
def test_approve_takes_no_answer_of_a_run_that_was_made_anew(approval: Approval, is_cleared: bool) -> None:
    """Its number of tries is that of the deleted run."""
    approval.answer("Approve")
    approval.calendar.clear_number, approval.calendar.run_started = int(is_cleared), after_noon(5)
    approval.ask()


def test_a_question_is_not_opened_if_airflow_keeps_one_about_another_file(approval: Approval) -> None:
    """Somebody with rights on assets deletes the question, and another run has prepared another file."""
    approval.ask()
    rows = approval.calendar.ledgers[LEDGER]
    for key in [key for key in rows if not key.startswith(("planned", "prepared"))]:
        del rows[key]
    approval.calendar.prepared(reports=[{"tier": "full", "sha256": "1" * 64}])
    approval.clear()
    with pytest.raises(ValidationError, match="Airflow keeps its question"):
        approval.ask()
    with pytest.raises(ValidationError, match="does not count any more"):
        approval.answer("Approve")


def test_a_dag_that_was_renamed_takes_the_answer_that_there_is(approval: Approval, mocker: MockerFixture) -> None:
    """It tells nobody that the post waits. A run by hand asks anew all the same."""
    told: list[str] = []
    approval.answer("Approve")
    approval.calendar.dag_id = "renamed"
    approval.calendar.given["notify"] = lambda context: told.append(context["event"].event)
    approval.calendar.plan(1)
    (begun,) = approval.calendar.stored().begun.values()
    mocker.patch.object(prepare, "transcode", return_value=[])
    mocker.patch.object(storage, "exists", return_value=True)
    approval.task(prepare.PreparePost).execute(approval.calendar.context(begun.run))
    assert told == []
    assert approval.task().execute(approval.calendar.context(begun.run)) == {"approved_by": "anna"}
    assert approval.published_at(run_id=begun.run) == after_noon(60)
    approval.ask("manual__1", post="a")
    with pytest.raises(AirflowSkipException, match="Nobody has approved"):
        approval.published_at(run_id=begun.run)


@pytest.mark.parametrize("params", [{}, {"post": "a", "now": True}])
def test_a_dag_that_was_renamed_takes_no_answer_that_is_void(approval: Approval, params: dict[str, Any]) -> None:
    """The post was edited since and back again, or the answer was about a publication at once."""
    approval.answer("Approve", run_id="manual__1" if params else "a", params=params)
    if not params:
        PostRows(approval.calendar.rows()).record_run(f"{ACCOUNT}/a", "a", ENDED)
    approval.calendar.dag_id, approval.kept = "renamed", {}
    approval.calendar.plan(1)
    (begun,) = approval.calendar.stored().begun.values()
    approval.ask(begun.run)


def test_a_dag_that_was_renamed_takes_no_answer_of_before_an_edit_that_it_has_seen_itself(approval: Approval) -> None:
    """Nothing has begun in its runs yet, as a new DAG is paused."""
    approval.answer("Approve")
    approval.calendar.dag_id, approval.kept = "renamed", {}
    approval.calendar.plan(1)
    approval.edit(caption="Other")
    approval.edit(caption="As written")
    (begun,) = approval.calendar.stored().begun.values()
    approval.ask(begun.run)


def test_a_yes_about_a_dry_run_publishes_nothing(approval: Approval) -> None:
    """Neither in a run with the id of the dry run, nor in the run of the post, whose yes it does not void either."""
    approval.answer("Approve")
    dry: dict[str, Any] = {"post": "a", "dry_run": True}
    approval.kept = {}
    approval.answer("Approve", run_id="manual__1", params=dry)
    assert approval.made_with("manual__1", **dry) == ("As written", (DIGEST,))
    with pytest.raises(AirflowSkipException, match="Nobody has approved"):
        approval.published_at(run_id="manual__1", post="a")
    assert approval.published_at() == after_noon(60)


def test_a_yes_about_the_time_of_a_post_publishes_nothing_at_once(calendar: SimulatedCalendar) -> None:
    """A user has made the run of the post anew, with *now*. That counts after the post was away for a moment."""
    approval, others = Approval(calendar), [post(one, 600) for one in "bcd"]
    asked = post("a", 60, caption="As written", approval="required")
    calendar.write(asked, *others)
    calendar.plan(0)
    now: dict[str, Any] = {"post": "a", "now": True}
    approval.answer("Approve", params=now)
    assert approval.made_with(**now) == ("As written", (DIGEST,))
    calendar.write(*others)
    assert calendar.plan(1) == ["a"]
    calendar.write(asked, *others)
    assert calendar.plan(2) == ["a~v2"]
    with pytest.raises(ValidationError, match="the ledger has none of this version in this run"):
        approval.made_with(**now)
    with pytest.raises(AirflowSkipException, match="Nobody has approved"):
        approval.published_at(**now)
    approval.clear()
    with pytest.raises(ValidationError, match="Airflow keeps its question"):
        approval.ask(**now)


@pytest.mark.parametrize("state", [None, "queued", "awaiting_input", "failed", "skipped"])
def test_a_post_is_not_published_while_its_approval_is_cleared(approval: Approval, state: str | None) -> None:
    approval.answer("Approve")
    approval.calendar.states["approve"] = state
    with pytest.raises(AirflowSkipException, match="Nobody has approved the post by its time"):
        approval.published_at()


def test_a_yes_that_is_void_once_the_task_has_waited_for_another_run_publishes_nothing(
    approval: Approval, mocker: MockerFixture
) -> None:
    def settle_in_four_minutes(_: Any, key: str, container_id: str) -> Free:
        approval.calendar.now += 4
        PostRecords(approval.calendar.rows(), key).withdraw()
        return Free(key, container_id, Claim(Owner.of(context), "nonce"))

    approval.answer("Approve")
    approval.calendar.now = 59.5
    approval.published_at()
    context = approval.calendar.context()
    mocker.patch.object(InstagramHook, "ig_user_id", return_value="17")
    mocker.patch.object(Publisher, "settle", settle_in_four_minutes)
    mocker.patch.object(Publisher, "_status", return_value=ContainerStatus("17"))
    mocker.patch.object(Publisher, "_send", side_effect=lambda *_: pytest.fail("The request was sent"))
    with pytest.raises(AirflowSkipException, match="Nobody has approved"):
        approval.task(PublishPost).execute(context, event={})


def test_a_task_that_was_only_marked_as_a_success_approves_nothing(approval: Approval) -> None:
    approval.calendar.states["approve"] = "success"
    with pytest.raises(AirflowSkipException, match="Nobody has approved"):
        approval.published_at()


def test_an_answer_to_an_earlier_question_does_not_count(approval: Approval) -> None:
    """It arrives when the question has been closed and opened again."""
    approval.ask()
    kept = approval.kept
    approval.clear()
    approval.ask()
    approval.calendar.try_number = 1
    yes = {"chosen_options": ["Approve"], "responded_by_user": {"id": "2", "name": "ben"}}
    with pytest.raises(ValidationError, match="a question that does not count any more"):
        approval.task().execute_complete(approval.calendar.context(), yes, **kept)


def test_a_later_no_to_the_question_of_another_run_makes_a_yes_void(approval: Approval) -> None:
    """A user has started a run for the post. Airflow keeps the question of the post's own run open."""
    approval.ask()
    of_own_run = approval.kept
    approval.kept = {}
    approval.answer("Approve", run_id="manual__1", params={"post": "a"})
    no = {
        "chosen_options": ["Reject"],
        "params_input": {"reason": "no"},
        "responded_by_user": {"id": "2", "name": "ben"},
    }
    with pytest.raises((ValidationError, AirflowSkipException)):
        approval.task().execute_complete(approval.calendar.context(), no, **of_own_run)
    with pytest.raises(AirflowSkipException):
        approval.published_at("manual__1", post="a")


def test_a_slow_write_of_an_earlier_yes_takes_no_later_no_back(approval: Approval, mocker: MockerFixture) -> None:
    approval.ask()
    of_own_run, approval.kept = approval.kept, {}
    write = PostRecords.record_approval

    def write_at_last(records: PostRecords, answered: Any) -> None:
        mocker.stop(slow)
        with pytest.raises(AirflowSkipException, match="Rejected by anna"):
            approval.answer("Reject", run_id="manual__1", params={"post": "a"})
        write(records, answered)

    slow = mocker.patch.object(PostRecords, "record_approval", write_at_last)
    yes = {"chosen_options": ["Approve"], "responded_by_user": {"id": "2", "name": "ben"}}
    approval.task().execute_complete(approval.calendar.context(), yes, **of_own_run)
    approval.calendar.states["approve"] = "success"
    with pytest.raises(AirflowSkipException, match="Nobody has approved"):
        approval.published_at()


@pytest.mark.parametrize("option", ["Approve", "Reject"])
def test_a_clear_of_a_task_that_carries_out_its_answer_asks_again(approval: Approval, option: str) -> None:
    """Airflow hands the answer to the next try. The former try may have recorded it already."""
    for has_recorded in (False, True):
        approval.ask()
        kept, answer = approval.kept, {"chosen_options": [option], "responded_by_user": {"id": "2", "name": "ben"}}
        if has_recorded:
            with suppress(AirflowSkipException):
                approval.task().execute_complete(approval.calendar.context(), answer, **kept)
        approval.calendar.try_number += 1  # a Clear that leaves the state of the run changes nothing else
        with pytest.raises(TaskAwaitingInput):
            approval.task().execute_complete(approval.calendar.context(), answer, **kept)
        with pytest.raises(ValidationError, match="needs an approval"):
            approval.made_with()


def test_the_items_of_a_carousel_that_are_sent_are_not_those_of_a_later_yes(calendar: SimulatedCalendar) -> None:
    """While Instagram processes them, files are replaced, and a user has the run prepare and ask about them again."""
    before, after = ([{"tier": "full", "kind": "video", "sha256": one * 64}] * 2 for one in "01")
    approval = Approval(calendar, video=None, carousel=["a.mp4", "b.mp4"], reports=before)
    approval.answer("Approve")
    approval.order()  # the items are sent, and create waits for them
    prepare, context = approval.task(PreparePost), calendar.context()
    wanted = prepare.wanted_post(context)
    prepare._recorded(context, wanted, ["a.mp4", "b.mp4"], after)
    # a user deletes the task approve, and Airflow makes it anew: it has no question yet
    calendar.made_anew, approval.kept = 1, {}
    calendar.airflow.bodies.clear()
    approval.answer("Approve")
    assert approval.made_with() == ("As written", ("1" * 64,) * 2)
    step = approval.task(CreatePost)
    step.order(calendar.context(), step.wanted_post(calendar.context()), is_resumed=True)
    # the parent is made of the items that were sent
    with pytest.raises(ValidationError, match="approved again while its container 17901 was made"):
        step._record_container(calendar.context(), wanted, "17901")


@pytest.mark.parametrize("option", ["Approve", "Reject"])
def test_a_retry_carries_out_the_answer_that_there_is_and_asks_nobody_again(
    approval: Approval, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    """The plan cannot be read when the task resumes."""
    approval.ask()
    with monkeypatch.context() as broken:
        broken.setattr(ApprovePost, "wanted_post", lambda *_: raise_error(TransientError("503")))
        with pytest.raises(TransientError):
            approval.answer(option)
    approval.calendar.try_number = 2
    with nullcontext() if option == "Approve" else pytest.raises(AirflowSkipException, match="Rejected by anna"):
        assert approval.task().execute(approval.calendar.context()) == {"approved_by": "anna"}
    assert len(approval.questions) == 1


def test_a_retry_waits_with_the_question_that_airflow_has(approval: Approval) -> None:
    """The worker died before the answer was recorded. To write the question again would delete the answer."""
    approval.ask()
    approval.calendar.try_number, approval.calendar.now = 2, 61
    with pytest.raises(TaskAwaitingInput) as waiting:
        approval.task().execute(approval.calendar.context())
    assert waiting.value.kwargs == approval.kept
    assert len(approval.questions) == 1
    assert approval.answer("Approve") == {"approved_by": "anna"}


def test_a_question_that_airflow_may_not_have_is_written_again(
    approval: Approval, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(approval.calendar.airflow, "send", lambda _: raise_error(ConnectionError()))
        with pytest.raises(ConnectionError):
            approval.task().execute(approval.calendar.context())
    approval.calendar.try_number = 2
    approval.ask()
    assert len(approval.questions) == 1


def test_a_task_that_is_cleared_while_it_runs_asks_again(approval: Approval) -> None:
    """A person withdraws a yes as soon as it is given. Airflow kills the task, and gives it no more tries."""
    approval.answer("Approve")
    approval.calendar.clear_number, approval.calendar.try_number = 1, 2
    approval.ask()
    assert len(approval.questions) == 2


@pytest.mark.parametrize("option", [None, "Approve"], ids=["open", "answered"])
def test_a_task_that_was_deleted_and_is_made_anew_asks_again(approval: Approval, option: str | None) -> None:
    """Airflow has deleted its question with it. Without another one, nobody could answer."""
    approval.ask()
    if option is not None:
        approval.answer(option)
    approval.calendar.clear_number += 1
    approval.calendar.made_anew += 1
    approval.ask()
    assert len(approval.questions) == 2


def raise_error(error: Exception) -> NoReturn:
    raise error


def test_a_container_is_published_only_for_the_version_that_it_was_made_for(approval: Approval) -> None:
    approval.answer("Approve")
    approval.published_at()
    approval.edit(caption="Edited")
    approval.kept = {}
    approval.answer("Approve", run_id="a~v2")
    assert approval.container("a~v2") is None


DRY = {"post": "a", "dry_run": True}
BY_HAND = {"post": "a"}


@pytest.mark.parametrize("other", [DRY, BY_HAND])
def test_a_container_with_the_caption_of_another_answer_is_not_published(
    approval: Approval, other: dict[str, Any]
) -> None:
    """Another run of the same version was approved with another caption. Create is marked as a success."""
    approval.answer("Approve", run_id="manual__1", params=other, params_input={"caption": "Only to try it"})
    approval.create("17902", "Only to try it", "manual__1", **other)
    approval.kept = {}
    approval.answer("Approve")
    assert approval.container() == (None if other is DRY else "17902")
    if other is BY_HAND:
        with pytest.raises(ValidationError, match="Container 17902"):
            approval.published_at()


@pytest.mark.parametrize("second", ["Second", "One\n\ntwo"], ids=["words", "lines"])
def test_a_container_with_the_caption_of_an_earlier_answer_in_the_run_is_not_published(
    approval: Approval, second: str
) -> None:
    """Only approve was cleared. Whoever answers again reads that the caption of their answer goes out."""
    approval.answer("Approve", params_input={"caption": "One two"})
    approval.create("17902", "One two")
    approval.clear()
    approval.ask()
    approval.answer("Approve", params_input={"caption": second})
    with pytest.raises(ValidationError, match="Container 17902"):
        approval.published_at()
    approval.create("17903", second)
    assert approval.published_at() == after_noon(60)


@pytest.mark.parametrize("is_ordered_again", [False, True], ids=["alone", "with another run"])
def test_a_container_that_was_being_made_when_the_post_was_approved_again_does_not_count(
    approval: Approval, *, is_ordered_again: bool
) -> None:
    """Only approve was cleared, while create waited. The ledger's digest of a caption leaves out its lines.

    Another run of the same version may have begun to make a container with the later caption.
    """
    later = {"caption": "One\n\ntwo"}
    approval.answer("Approve", params_input={"caption": "One two"})
    _, step, wanted = approval.order()
    made = ContainerRecord("17902", wanted.key, after_noon(0).isoformat(), "content", digest("One two"))
    approval.calendar.ledger().record_container(made)
    if is_ordered_again:
        approval.kept = {}
        approval.answer("Approve", run_id="manual__1", params=BY_HAND, params_input=later)
        approval.order("manual__1", **BY_HAND)
    approval.clear()
    approval.ask()
    approval.answer("Approve", params_input=later)
    context = approval.calendar.context()
    with pytest.raises(ValidationError, match="was approved again while its container 17902 was made"):
        step._record_container(context, wanted, "17902")
    assert approval.container() is None


def test_a_container_with_the_file_of_another_answer_is_not_published(approval: Approval) -> None:
    """The file was replaced, and another run has asked about it."""
    approval.answer("Approve")
    approval.create("17902", "As written")
    approval.calendar.prepared(reports=[{"tier": "full", "sha256": "1" * 64}], container_id="17902")
    approval.kept = {}
    approval.answer("Approve", run_id="manual__1", params=BY_HAND)
    with pytest.raises(ValidationError, match="Container 17902"):
        approval.published_at("manual__1", **BY_HAND)


def test_who_may_read_assets_reads_no_word_of_an_approval(approval: Approval) -> None:
    approval.answer("Approve", params_input={"caption": "Secret words"})
    stored = json.dumps(approval.calendar.ledgers[LEDGER])
    assert "approval:" in stored
    for word in ("Secret words", "As written", "anna", "a.mp4"):
        assert word not in stored


def test_the_first_comment_is_the_one_that_was_approved(calendar: SimulatedCalendar, mocker: MockerFixture) -> None:
    written: list[Any] = []
    where = "airflow_provider_instagram.calendar.tasks.publish.write_comment"
    mocker.patch(where, lambda *given: written.append((given[2]["media_id"], given[3])))
    approval = Approval(calendar, first_comment="{{ 1 }} #first")
    approval.answer("Approve")
    post_key = f"{ACCOUNT}/a"
    calendar.states["publish"] = "success"
    step = approval.task(CommentPost)
    with pytest.raises(AirflowSkipException, match="is not published"):
        step.execute(calendar.context())
    calendar.ledger().record_post(PublishedPost(post_key, "17901", after_noon(60).isoformat(), media_id="180"))
    step.execute(calendar.context())
    assert written == [("180", "{{ 1 }} #first")]
    approval.clear()
    calendar.ledger().store.set("done:" + post_key, None)
    approval.ask()
    calendar.ledger().record_post(PublishedPost(post_key, "17901", after_noon(60).isoformat(), media_id="180"))
    with pytest.raises(ValidationError, match="its first comment is not written: the ledger has no approval"):
        step.execute(calendar.context())


@pytest.mark.parametrize(("due", "params"), [(60, {"now": True}), (-5, {})])
def test_who_is_asked_about_a_post_that_goes_out_at_once_reads_that(
    calendar: SimulatedCalendar, due: float, params: dict[str, Any]
) -> None:
    """Not at its time, which may be weeks ahead."""
    approval = Approval(calendar)
    calendar.plan(-10)
    calendar.write(post("a", due, approval="required"))
    calendar.plan(0)
    calendar.prepared()
    assert approval.ask("manual__1", post="a", **params)["subject"] == f"Publish a on {ACCOUNT} at once?"


def test_an_approval_of_a_dry_run_is_asked_as_one(approval: Approval) -> None:
    asked = approval.ask("manual__1", post="a", dry_run=True)
    assert asked["subject"].endswith("(dry run)")
    assert asked["body"].startswith("**This is about a dry run.**")


@pytest.fixture
def asked(calendar: SimulatedCalendar) -> Any:
    """Open the question about a post, and return its approval and the question."""

    def ask(*, reports: list[dict[str, Any]], covers: tuple[int, ...] = (), **more: Any) -> Any:
        approval = Approval(calendar, reports=reports, **more)
        version = calendar.prepared(reports=reports)
        for place in covers:
            storage.write(cover_file(cover_name(version, place, reports[place - 1].get("sha256"))), b"")
        return approval, approval.ask()

    return ask


CAROUSEL = [
    "https://example.com/a.jpg?signature=secret",
    {
        "image": "https://example.com/b.jpg",
        "alt_text": "<img src=x> {{ 1 }} | ![x](http://evil) `",
        "user_tags": [{"username": "ann", "x": 0.5, "y": 0.4}],
    },
    "https://example.com/c.mov",
]


def test_a_person_sees_every_item_of_a_carousel(asked: Any) -> None:
    """Its file, its description, its picture as far as there is one, and what the transcode did."""
    made = {"tier": "full", "reasons": ["4:3"], "sha256": "a1"}, {"tier": "remux", "warnings": ["mute"], "sha256": "b2"}
    reports = [{"tier": "pass", "kind": "image"}, *made]
    _, question = asked(
        video=None, carousel=CAROUSEL, caption="Three", first_comment="#one", reports=reports, covers=(1, 3)
    )
    body = question["body"]
    for line in (
        "| Placement | ` feed ` |",
        "| Item 1 | ` https://example.com/a.jpg?… ` |",
        "| Item 2 | ` https://example.com/b.jpg ` |",
        "| Item 2: alt_text | `` <img src=x> {{ 1 }} ¦ ![x](http://evil) ` `` |",
        "| Item 3 | ` https://example.com/c.mov ` |",
        "**First comment**",
        "**Item 2**",
        "Transcoded as ` full `.",
        "* ` mute `",
    ):
        assert line in body.splitlines(), body
    pictures = [line for line in body.splitlines() if line.startswith("![")]
    assert [picture.partition("]")[0] for picture in pictures] == ["![Item 1", "![Item 3"]
    assert all(map(str.endswith, pictures, (".jpg>)", "-3-b2.jpg>)")))
    assert "secret" not in body


def test_a_story_has_no_caption_to_approve(asked: Any) -> None:
    approval, question = asked(
        video=None,
        image="https://example.com/a.jpg",
        placement="story",
        reports=[{"tier": "pass", "kind": "image"}],
    )
    assert list(question["params"]) == ["reason"]
    assert "Caption" not in question["body"]
    approval.answer("Approve")
    assert approval.made_with()[0] == ""
    with pytest.raises(ValidationError, match="which has the fields reason: 'caption'"):
        approval.answer("Approve", params_input={"caption": "x"})


def test_a_person_sees_a_picture(asked: Any) -> None:
    _, question = asked(
        video=None, image="https://example.com/a.jpg", alt_text="A tree", reports=[{"tier": "pass", "kind": "image"}]
    )
    assert "| Picture | ` https://example.com/a.jpg ` |" in question["body"]
    assert "| alt_text | ` A tree ` |" in question["body"]
    assert "**Picture**\n\nTranscoded as ` pass `." in question["body"]
