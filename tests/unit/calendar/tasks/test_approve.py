"""The approval of a post in its own run: what is asked, what an answer does, and what no answer can be made of."""

from __future__ import annotations

<<<<<<< main
import asyncio
import json
import threading
from datetime import datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
=======
>>>>>>> c7023688
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException, TaskAwaitingInput

from airflow_provider_instagram.calendar.tasks.approve import ApprovePost
from airflow_provider_instagram.calendar.tasks.covers import cover_file
from airflow_provider_instagram.calendar.tasks.create import CreatePost
from airflow_provider_instagram.calendar.tasks.publish import CommentPost, PublishPost
from airflow_provider_instagram.exceptions import LedgerRowError, ValidationError
from airflow_provider_instagram.files import storage
from airflow_provider_instagram.ledger.records import ContainerRecord
from airflow_provider_instagram.publishing.use_case import Skipped
<<<<<<< main
from airflow_provider_instagram.utils.server_clock import CLOCK
from tests.unit.calendar.simulated_runs import ACCOUNT, LEDGER, after_noon, post
=======
from tests.unit.calendar.simulated_runs import ACCOUNT, DIGEST, after_noon, post
>>>>>>> c7023688

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.calendar.simulated_runs import SimulatedCalendar

ANNA = {"id": "1", "name": "anna"}


class Approval:
    """The tasks of one post that requires an approval.

    :param questions: What Airflow keeps of the questions, the newest last.
    """

    def __init__(self, calendar: SimulatedCalendar, questions: list[dict[str, Any]], **more: Any) -> None:
        self.calendar, self.questions, self.kept = calendar, questions, dict[str, Any]()
        written = {"caption": "As written", "approval": "required", **more}
        if more.get("placement") == "story":
            del written["caption"]
        calendar.write(post("a", 60, **written))
        calendar.plan(0)
        self.prepared = calendar.prepared()

    def task(self, kind: type = ApprovePost, **more: Any) -> Any:
        step = kind(task_id="t", settings=self.calendar.settings, **more)
        step.prepared = self.prepared
        return step

    def ask(self) -> dict[str, Any]:
        """Run the task until it waits for a person, and return the question."""
        with pytest.raises(TaskAwaitingInput) as waiting:
            self.task().execute(self.calendar.context())
        self.kept, self.calendar.states["approve"] = dict(waiting.value.kwargs or {}), "awaiting_input"
        return self.questions[-1]

    def answer(self, *options: str, **event: Any) -> Any:
        """Let a person answer, and return what the task returns."""
        if not self.kept:
            self.ask()
        given = {"chosen_options": list(options), "params_input": {}, "responded_by_user": ANNA, "timedout": False}
        answer = self.task().execute_complete(self.calendar.context(), given | event, **self.kept)
        self.calendar.states["approve"] = "success"
        return answer

    def made_with(self, approved: Any) -> Any:
        """Return with which caption, files and comment the post would go out."""
        step, context = self.task(CreatePost, approved=approved), self.calendar.context()
        answer = step._answer(context, step.wanted_post(context))
        return answer and (answer.caption, answer.sha256, answer.first_comment)


@pytest.fixture
def questions(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr("airflow.providers.standard.operators.hitl.upsert_hitl_detail", lambda **row: asked.append(row))
<<<<<<< main
    monkeypatch.setattr("airflow_provider_instagram.utils.server_clock.datetime", Clock)

    def read(ti_id: UUID) -> SimpleNamespace:
        (row,) = (one for one in asked if one["ti_id"] == ti_id)
        return SimpleNamespace(**{"response_received": "chosen_options" in row, "chosen_options": None, **row})

    def close(ti_id: UUID, chosen_options: list[str], params_input: dict[str, Any]) -> SimpleNamespace:
        (row,) = (one for one in asked if one["ti_id"] == ti_id)
        row |= answered(chosen_options, params_input)
        return read(ti_id)

    monkeypatch.setattr(hitl, "get_hitl_detail_content_detail", read)
    monkeypatch.setattr(hitl, "update_hitl_detail_response", close)
    return asked


def answered(options: list[str], given: dict[str, Any], person: Any = None) -> dict[str, Any]:
    """Return what Airflow stores of an answer."""
    by = person and SimpleNamespace(**person)
    return {"chosen_options": options, "params_input": given, "responded_by_user": by, "responded_at": Clock.now()}


class Approval:
    """The approval of one post, in the tries of one run."""

    def __init__(self, calendar: SimulatedCalendar, due: float = 60) -> None:
        self.calendar, self.max_tries, self.tries = calendar, calendar.settings.retries.retries, 0
        self.report: Any = {"sha256": DIGEST}
        self.asked: dict[str, Any] = {}
        self.params: dict[str, Any] = {}
        self.run, self.begin = RUN, 0.0
        calendar.write(post("a", due, caption="As written", approval="required"))
        calendar.parse(0)
        (self.post,) = calendar.run(RUN, 0)

    def task(self) -> tuple[ApprovePost, Any]:
        """Return the task and its context as each process makes them anew."""
        context = self.calendar.context(self.run, self.begin)
        context["params"] = self.params
        context["ti"].max_tries, context["ti"].try_number = self.max_tries, self.tries
        context["ti"].id = uuid5(NAMESPACE_URL, f"{self.run}/{self.tries}")  # another one for each try
        context["task_instance"] = context["ti"]
        step = ApprovePost(
            task_id="approve", post=self.post, settings=self.calendar.settings, instagram_conn_id=ACCOUNT
        )
        step.report = self.report
        return step, context

    def ask(self) -> Any:
        """Run the next try of the task. If it asks, Airflow keeps what the question is about."""
        self.tries += 1
        step, context = self.task()
        self.calendar.asks = "running"
        try:
            return self.ended(step.execute, context)
        except TaskAwaitingInput as waiting:
            self.asked, self.calendar.asks = waiting.kwargs or {}, "awaiting_input"
            raise

    def resumed(self) -> Any:
        """Run the next try, and let the triggerer and the worker go on until it ends or waits for a person."""
        try:
            return self.ask()
        except TaskDeferred as deferred:
            event = asyncio.run(anext(deferred.trigger.run()))
            step, context = self.task()
            try:
                return self.ended(getattr(step, deferred.method_name), context, event.payload, **deferred.kwargs or {})
            except TaskAwaitingInput as waiting:
                self.asked, self.calendar.asks = waiting.kwargs or {}, "awaiting_input"
                raise

    def ask_ahead(self) -> None:
        """Run the task in a run that only prepares the post: it asks and ends."""
        with pytest.raises(AirflowSkipException, match="A person is asked"):
            self.ask()

    def answer(self, *options: str, **event: Any) -> Any:
        if not self.asked:
            with pytest.raises(TaskAwaitingInput):
                self.ask()
        step, context = self.task()
        given = {"chosen_options": list(options), "params_input": {}, "responded_by_user": PERSON, "timedout": False}
        return self.ended(step.execute_complete, context, given | event, **self.asked)

    def ended(self, run: Any, *given: Any, **more: Any) -> Any:
        """Return what the next task makes of the record of the answer."""
        try:
            record = run(*given, **more)
        except AirflowSkipException:
            self.calendar.asks, self.asked = "skipped", {}
            raise
        self.calendar.asks, self.asked = "success", {}
        return self.received(record)

    def clear(self) -> None:
        """Do what a Clear of the task does to it."""
        self.max_tries, self.calendar.asks = self.tries + self.calendar.settings.retries.retries, None

    def received(self, record: Any) -> Any:
        """Return the caption and the digests with which the container would be made."""
        _, context = self.task()
        create = CreatePost(
            task_id="create", post=self.post, approved=record, report=self.report, media="a.mp4",
            settings=self.calendar.settings, instagram_conn_id=ACCOUNT,
        )  # fmt: skip
        answer = create._answer(context, create.as_post())
        assert answer is not None
        return {"caption": answer.caption} | (
            {} if answer.sha256 in ((), (DIGEST,)) else {"sha256": list(answer.sha256)}
        )

    def row(self, row: Any = ...) -> Any:
        """Return the row of the last answer, or write it as who has Airflow's key and no access token. None deletes."""
        key = f"calendar-approval:{self.post['account']}/a"
        if row is None:
            del self.calendar.ledgers[LEDGER][key]
        elif row is not ...:
            self.calendar.rows().set(key, row)
        return self.calendar.rows().get(key)

    def own_run(self) -> None:
        """Go on with the run that publishes the post, at its lead time."""
        self.calendar.asked_in[self.run.partition("/")[2]] = self.calendar.asks
        self.run, self.begin, self.tries, self.max_tries = (
            "content/own",
            540.0,
            0,
            self.calendar.settings.retries.retries,
        )
        self.calendar.now = Clock.minutes = self.begin
        selected = self.calendar.run(self.run, self.begin)
        self.post = selected[0] if selected else self.post


@pytest.fixture
def ahead(calendar: SimulatedCalendar, questions: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> Approval:
    """The approval of a post that is prepared nine hours before the run that publishes it."""
    monkeypatch.setattr(Clock, "minutes", 0.0)
    calendar.given = {"prepare_ahead": timedelta(days=1)}
    return Approval(calendar, due=600)


def test_an_approval_that_was_given_ahead_counts_in_the_run_that_publishes(
    ahead: Approval, questions: list[dict[str, Any]]
) -> None:
    """The run that asked has ended long before, and Airflow has kept the answer."""
    ahead.report = {"sha256": "1" * 64}
    ahead.ask_ahead()
    questions[0] |= answered(["Approve"], {"caption": "As approved"}, PERSON)
    ahead.own_run()
    for _ in range(2):  # also in a later try
        assert ahead.resumed() == {"caption": "As approved", "sha256": ["1" * 64]}
    assert len(questions) == 1


def test_a_rejection_that_was_given_ahead_counts_in_the_run_that_publishes(
    ahead: Approval, questions: list[dict[str, Any]]
) -> None:
    ahead.ask_ahead()
    questions[0] |= answered(["Reject"], {"reason": "too loud"}, PERSON)
    ahead.own_run()
    for _ in range(2):
        with pytest.raises(AirflowSkipException, match="Rejected by anna: too loud"):
            ahead.resumed()
    assert len(questions) == 1


@pytest.mark.parametrize("unanswered", ["skip", "publish"])
def test_a_question_that_nobody_answers_ahead_is_closed_and_asked_by_the_own_run(
    ahead: Approval, questions: list[dict[str, Any]], unanswered: str
) -> None:
    """An answer to the closed one is refused by Airflow as too late."""
    ahead.calendar.given["unanswered"] = unanswered
    ahead.ask_ahead()
    ahead.own_run()
    for tries in (1, 2):
        with pytest.raises(TaskAwaitingInput) as waiting:
            ahead.resumed()
        assert waiting.value.timeout == timedelta(hours=1)
        assert (questions[0]["chosen_options"], questions[0]["responded_by_user"]) == (["Reject"], None)
        assert len(questions) == 1 + tries
        silence = "Approve" if unanswered == "publish" and tries == 1 else "Reject"  # the first may have been answered
        assert questions[-1]["defaults"] == [silence]
    assert ahead.answer("Approve", params_input={"caption": "At last"}) == {"caption": "At last"}


@pytest.mark.parametrize("lost", ["the row is overwritten", "the row is deleted", "the run is deleted"])
def test_silence_rejects_if_an_answer_given_ahead_may_be_lost(
    ahead: Approval, questions: list[dict[str, Any]], lost: str
) -> None:
    """A person has rejected the post, and the calendar publishes what nobody answers."""
    ahead.calendar.given["unanswered"] = "publish"
    ahead.ask_ahead()
    questions[0] |= answered(["Reject"], {"reason": "illegal"}, PERSON)
    if lost == "the run is deleted":
        ahead.calendar.asks = None
    else:
        ahead.row({"form": 1} if lost == "the row is overwritten" else None)
    ahead.own_run()
    with pytest.raises(TaskAwaitingInput):
        ahead.resumed()
    assert questions[-1]["defaults"] == ["Reject"]
    assert questions[-1]["body"].startswith("**Without an answer, the post is not published**")


@pytest.mark.parametrize("unanswered", ["skip", "publish"])
def test_silence_approves_the_first_question_about_a_post_if_the_calendar_says_so(
    approval: Approval, questions: list[dict[str, Any]], unanswered: str
) -> None:
    """A try that asks again does not know whether the first question was answered."""
    approval.calendar.given["unanswered"] = unanswered
    for _ in range(2):
        with pytest.raises(TaskAwaitingInput):
            approval.ask()
    first = "Approve" if unanswered == "publish" else "Reject"
    assert [question["defaults"] for question in questions] == [[first], ["Reject"]]


def test_silence_rejects_a_post_whose_approval_was_cleared(approval: Approval, questions: list[dict[str, Any]]) -> None:
    approval.calendar.given["unanswered"] = "publish"
    with pytest.raises(AirflowSkipException, match="Rejected by anna"):
        approval.answer("Reject")
    approval.clear()
    with pytest.raises(TaskAwaitingInput):
        approval.ask()
    assert questions[-1]["defaults"] == ["Reject"]


def test_an_answer_given_ahead_counts_also_if_the_run_that_publishes_begins_late(
    ahead: Approval, questions: list[dict[str, Any]]
) -> None:
    ahead.ask_ahead()
    questions[0] |= answered(["Approve"], {}, PERSON)
    ahead.own_run()
    Clock.minutes = 630
    assert ahead.resumed() == {"caption": "As written"}


@pytest.mark.parametrize("state", ["awaiting_input", "scheduled", "success", "failed", None])
def test_an_answer_given_ahead_counts_only_while_airflow_has_the_task_that_asked_as_ended(
    ahead: Approval, questions: list[dict[str, Any]], state: str | None
) -> None:
    """A user has cleared it and is asked again, or its run was deleted."""
    ahead.ask_ahead()
    questions[0] |= answered(["Approve"], {}, PERSON)
    ahead.calendar.asks = state
    ahead.own_run()
    with pytest.raises(TaskAwaitingInput):
        ahead.resumed()


def test_an_answer_to_a_question_that_was_cleared_is_gone_even_if_its_record_is_written_back(
    ahead: Approval, questions: list[dict[str, Any]]
) -> None:
    """Airflow gives a cleared task another id, so that no answer belongs to the old one."""
    ahead.ask_ahead()
    kept = ahead.row()
    questions[0] |= answered(["Approve"], {"caption": "Withdrawn"}, PERSON)
    ahead.clear()
    questions.clear()
    ahead.ask_ahead()
    ahead.row(kept)
    ahead.own_run()
    with pytest.raises(ValueError, match="not enough values"):  # as Airflow's API answers 404: the task is tried again
        ahead.resumed()


def test_a_person_is_asked_again_if_airflow_cannot_read_an_earlier_answer_in_some_tries(
    ahead: Approval, questions: list[dict[str, Any]]
) -> None:
    """Nothing is published unasked, and the post does not fail. The answer may be a rejection, so silence rejects."""
    ahead.calendar.given["unanswered"] = "publish"
    ahead.ask_ahead()
    ahead.own_run()
    for expected in (TaskDeferralError, TaskDeferralError, TaskAwaitingInput):
        with pytest.raises(TaskDeferred):
            ahead.ask()
        step, context = ahead.task()
        with pytest.raises(expected):
            step.resume_execution("__fail__", {"error": "Trigger failure"}, context)
    assert len(questions) == 2
    assert questions[-1]["defaults"] == ["Reject"]


def test_a_user_who_clears_the_approval_in_the_run_that_publishes_is_asked_again(
    ahead: Approval, questions: list[dict[str, Any]]
) -> None:
    ahead.ask_ahead()
    questions[0] |= answered(["Approve"], {}, PERSON)
    ahead.own_run()
    ahead.resumed()
    ahead.clear()
    with pytest.raises(TaskAwaitingInput):
        ahead.resumed()


@pytest.mark.parametrize("change", ["the caption", "the file"])
def test_what_is_changed_after_an_approval_given_ahead_is_asked_about_again(
    ahead: Approval, questions: list[dict[str, Any]], change: str
) -> None:
    ahead.report = {"sha256": "1" * 64}
    ahead.ask_ahead()
    questions[0] |= answered(["Approve"], {}, PERSON)
    if change == "the caption":
        ahead.calendar.write(post("a", 600, caption="Edited", approval="required"))
        ahead.calendar.parse(1)
    else:
        ahead.report = {"sha256": "2" * 64}
    ahead.own_run()
    with pytest.raises(TaskAwaitingInput):
        ahead.resumed()


def test_a_record_of_a_question_that_somebody_else_has_written_leads_to_no_answer(
    ahead: Approval, questions: list[dict[str, Any]]
) -> None:
    """A user who may edit the states of assets points to a question that was approved, about another post."""
    ahead.report = {"sha256": "a1"}
    ahead.ask_ahead()
    record = ahead.row()
    questions.append({"ti_id": uuid5(NAMESPACE_URL, "other"), **answered(["Approve"], {}, PERSON)})
    ahead.own_run()
    for forged in (
        {**record, "asked_by": str(uuid5(NAMESPACE_URL, "other"))},
        {**record, "caption": "Buy this"},
        {**record, "map_index": 7},
        {**record, "seal": None},
        {name: value for name, value in record.items() if name != "seal"},
    ):
        ahead.row(forged)
        with pytest.raises(TaskAwaitingInput):
            ahead.resumed()
        assert "Buy this" not in questions[-1]["body"]


def test_an_answer_about_an_earlier_version_does_not_replace_that_about_the_present_one(
    ahead: Approval, questions: list[dict[str, Any]]
) -> None:
    """Its question stays open after the edit."""
    ahead.ask_ahead()
    ahead.calendar.write(post("a", 600, caption="Edited", approval="required"))
    ahead.calendar.parse(1)
    ahead.run, ahead.begin, ahead.tries = "content/of-the-edit", 1.0, 0
    (ahead.post,) = ahead.calendar.run(ahead.run, ahead.begin)
    ahead.ask_ahead()
    questions[1] |= answered(["Approve"], {}, PERSON)
    questions[0] |= answered(["Reject"], {}, PERSON)
    ahead.own_run()
    assert ahead.resumed() == {"caption": "Edited"}


def test_a_post_whose_container_failed_is_published_now_under_its_approval(
    ahead: Approval, questions: list[dict[str, Any]]
) -> None:
    """The run that a user starts for it finds what the failed run was answered."""
    ahead.ask_ahead()
    questions[0] |= answered(["Approve"], {}, PERSON)
    ahead.own_run()
    ahead.resumed()
    ahead.calendar.asked_in["own"] = "success"
    ahead.run, ahead.tries, ahead.params = "content/manual", 0, {"posts": ["a"], "now": True}
    (ahead.post,) = ahead.calendar.run(ahead.run, ahead.begin, **ahead.params)
    assert ahead.resumed() == {"caption": "As written"}
    assert len(questions) == 1


=======
    return asked


>>>>>>> c7023688
@pytest.fixture
def instagrams_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[datetime]]:
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
        conn = {"conn_type": "instagram", "password": "IGAA-token", "host": host}
        monkeypatch.setenv("AIRFLOW_CONN_INSTAGRAM_DEFAULT", json.dumps(conn))
        monkeypatch.setattr(CLOCK, "_offset", None)
        monkeypatch.setattr(CLOCK, "_sleep", lambda _: None)
        yield times
        server.shutdown()


@pytest.mark.parametrize(("local", "left_s"), [(60.5, 30), (61.5, 30), (58.5, 30), (59.5, 1800)])
def test_a_worker_with_a_wrong_clock_asks_about_a_post_that_is_not_late(
    approval: Approval,
    questions: list[dict[str, Any]],
    instagrams_time: list[datetime],
    monkeypatch: pytest.MonkeyPatch,
    local: float,
    left_s: float,
) -> None:
    approval.calendar.given["late"] = "skip"
    instagrams_time.append(after_noon(60 - left_s / 60))
    monkeypatch.setattr(Clock, "minutes", local)
    with pytest.raises(TaskAwaitingInput) as waiting:
        approval.ask()
    assert len(questions) == 1
    assert waiting.value.timeout is not None
    assert waiting.value.timeout.total_seconds() == pytest.approx(left_s, abs=3)


def test_nobody_is_asked_about_a_post_that_is_over_although_the_clock_of_the_worker_is_slow(
    approval: Approval,
    questions: list[dict[str, Any]],
    instagrams_time: list[datetime],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    approval.calendar.given["late"] = "skip"
    instagrams_time.append(after_noon(61))
    monkeypatch.setattr(Clock, "minutes", 59.0)
    with pytest.raises(AirflowSkipException, match="has passed, so nobody is asked"):
        approval.ask()
    assert questions == []


@pytest.fixture
def approval(calendar: SimulatedCalendar, questions: list[dict[str, Any]]) -> Approval:
    return Approval(calendar, questions)


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
    assert approval.made_with(approval.answer("Approve", params_input=given)) == (caption, (DIGEST,), None)


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


@pytest.mark.parametrize(
    ("unanswered", "try_number", "default"),
    [("skip", 1, "Reject"), ("publish", 1, "Approve"), ("publish", 2, "Reject")],
)
def test_silence_publishes_only_the_first_question_of_a_calendar_that_says_so(
    approval: Approval, unanswered: str, try_number: int, default: str
) -> None:
    """After an edit or a Clear, somebody may have rejected the post before."""
    approval.calendar.given, approval.calendar.try_number = {"unanswered": unanswered}, try_number
    question = approval.ask()
    assert question["defaults"] == [default]
    says = "**Without an answer, the post is not published**" in question["body"]
    assert says is ((unanswered, try_number) == ("publish", 2))


def test_a_question_stays_open_until_the_time_of_the_post(approval: Approval) -> None:
    task = approval.task()
    with pytest.raises(TaskAwaitingInput):
        task.execute(approval.calendar.context())
    assert task.response_timeout == after_noon(60) - after_noon(0)
    approval.calendar.now, approval.calendar.given = 61, {"late": "skip"}
    with pytest.raises(AirflowSkipException, match="has passed, so nobody is asked"):
        approval.task().execute(approval.calendar.context())


def test_a_late_post_can_be_approved_as_long_as_it_may_go_out(approval: Approval) -> None:
    approval.calendar.given, approval.calendar.now = {"max_lateness": after_noon(30) - after_noon(0)}, 70
    task = approval.task()
    with pytest.raises(TaskAwaitingInput):
        task.execute(approval.calendar.context())
    assert task.response_timeout == after_noon(90) - after_noon(70)


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


def test_a_post_that_needs_no_approval_or_is_live_asks_nobody(
    calendar: SimulatedCalendar, questions: list[dict[str, Any]]
) -> None:
    none = Approval(calendar, questions, approval="none")
    assert none.task().execute(calendar.context()) is None
    assert none.made_with(None) is None
    calendar.given = {"approval": "required"}
    calendar.plan()
    none.prepared = calendar.prepared()
    none.ask()


def test_an_edit_after_the_question_is_not_approved_by_its_answer(approval: Approval) -> None:
    approval.ask()
    approval.calendar.write(post("a", 60, caption="Edited", approval="required"))
    approval.calendar.plan(1)
    with pytest.raises(AirflowSkipException, match="was edited"):
        approval.answer("Approve")


<<<<<<< main
def test_a_question_about_a_file_on_the_web_can_be_answered(
    approval: Approval, questions: list[dict[str, Any]]
) -> None:
    """Its report has no digest."""
    on_the_web(approval, video="https://example.com/a.mp4")
    approval.report = {"tier": "pass"}
    with pytest.raises(TaskAwaitingInput):
        approval.ask()
    assert approval.answer("Approve") == {"caption": "As written"}
    assert "SHA-256" not in questions[-1]["body"]


@pytest.mark.parametrize("report", [{"tier": "full"}, {"tier": "pass"}, None, [], [{"sha256": "a1"}] * 2])
def test_nobody_is_asked_about_a_file_whose_digest_is_missing(
    approval: Approval, questions: list[dict[str, Any]], report: Any
) -> None:
    """Somebody has edited the XCom with the report, so that the approval would be one of any file."""
    approval.report = report
    with pytest.raises(ValidationError, match="has no digest of a file of a, so an approval would not bind"):
        approval.ask()
    assert questions == []


def test_no_container_is_made_under_an_approval_that_binds_no_file(approval: Approval) -> None:
    approval.report = {"sha256": "a1"}
    approval.answer("Approve")
    record = approval.row()
    approval.report = [{"sha256": "a1"}] * 2
    with pytest.raises(ValidationError, match="has no digest of a file of a, so an approval would not bind"):
        approval.received(record)


def publication_time(approval: Approval, at: float, container_id: str = "17") -> datetime | str:
    """Return when the task that publishes the post would do so, at its look at a time, or why it would not."""
    _, context = approval.task()
    for one, name in (("17", "a"), ("18", "b")):
        record = ContainerRecord(one, f"{ACCOUNT}/{name}", after_noon(0).isoformat(), "content")
        Ledger.of(context, ACCOUNT).record_container(record)
    step = PublishPost(
        task_id="publish",
        container_id=container_id,
        post=approval.post,
        settings=approval.calendar.settings,
        instagram_conn_id=ACCOUNT,
    )
    Clock.minutes = at
    when = step.publication_time(context)
    return when.reason if isinstance(when, Skipped) else when


@pytest.fixture
def publishing(approval: Approval, questions: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> Approval:
    """An approved post whose container waits for its time, and whose approval a user has cleared alone."""
    monkeypatch.setattr(Clock, "minutes", 0.0)
    approval.answer("Approve")
    assert publication_time(approval, 1) == after_noon(60)
    approval.clear()
    with pytest.raises(TaskAwaitingInput):
        approval.ask()
    return approval


@pytest.mark.parametrize("container_id", ["18", "19"])
def test_the_container_of_another_post_is_not_published_under_an_approval(
    publishing: Approval, container_id: str
) -> None:
    """A user has edited the XCom with the id of the container."""
    publishing.answer("Approve")
    with pytest.raises(
        ValidationError, match=f"Container {container_id} was not created for a, so nobody has approved"
    ):
        publication_time(publishing, 59.7, container_id)


def test_a_post_that_is_rejected_after_all_is_not_published(publishing: Approval) -> None:
    with pytest.raises(AirflowSkipException, match="Rejected by anna: too loud"):
        publishing.answer("Reject", params_input={"reason": "too loud"})
    for at in (5, 59.7):
        assert str(publication_time(publishing, at)).startswith("Rejected by anna: too loud")


def test_a_post_that_is_asked_about_again_and_approved_is_published(publishing: Approval) -> None:
    assert publication_time(publishing, 5) == after_noon(60)
    publishing.answer("Approve")
    assert publication_time(publishing, 59.7) == after_noon(60)


@pytest.mark.parametrize("unanswered", ["skip", "publish"])
def test_a_post_that_is_asked_about_again_until_its_time_is_not_published(
    publishing: Approval, unanswered: str
) -> None:
    """A Clear of the approval withdraws an answer, so silence does not approve."""
    publishing.calendar.given = {"unanswered": unanswered}
    assert publication_time(publishing, 5) == after_noon(60)
    assert str(publication_time(publishing, 59.7)).startswith("Nobody has answered in time")


def test_a_rejection_of_another_version_keeps_no_post_from_being_published(publishing: Approval) -> None:
    with pytest.raises(AirflowSkipException):
        publishing.answer("Reject")
    publishing.calendar.write(post("a", 60, caption="Edited"))
    publishing.calendar.parse(1)
    (publishing.post,) = publishing.calendar.run(RUN, 1)
    assert publication_time(publishing, 59.7) == after_noon(60)


def test_a_question_of_a_dry_run_does_not_replace_the_one_of_the_run_that_publishes(
    approval: Approval, questions: list[dict[str, Any]]
) -> None:
    """Its answer counts in a later try, and its files are still those that it was about."""
    approval.report = {"sha256": "a1"}
    with pytest.raises(TaskAwaitingInput):
        approval.ask()
    open_question = approval.asked
    approval.params, approval.run = {"dry_run": True}, "content/manual"
    with pytest.raises(TaskAwaitingInput):
        approval.ask()
    with pytest.raises(AirflowSkipException):
        approval.answer("Reject")
    approval.params, approval.run, approval.asked = {}, RUN, open_question
    approval.report = {"sha256": "b2"}
    with pytest.raises(ValidationError, match="were made again after this question was asked"):
=======
def test_an_approval_is_about_the_files_that_were_shown(approval: Approval) -> None:
    approved = approval.answer("Approve")
    approval.prepared["reports"][0]["sha256"] = "1" * 64  # users may edit the XCom
    assert approval.made_with(approved) == ("As written", (DIGEST,), None), "create compares the file with it"
    approval.kept.clear()
    approval.ask()
    approval.prepared["reports"][0]["sha256"] = "2" * 64
    with pytest.raises(ValidationError, match="is not what would be published"):
>>>>>>> c7023688
        approval.answer("Approve")


@pytest.mark.parametrize("where", ["approve", "create"])
def test_a_file_whose_digest_is_missing_is_not_approved(approval: Approval, where: str) -> None:
    approved = approval.answer("Approve") if where == "create" else None
    approval.prepared["reports"][0].pop("sha256")
    if where == "create":
        approval.prepared["reports"].append({})
    step = approval.task() if where == "approve" else approval.task(CreatePost, approved=approved)
    context = approval.calendar.context()
    with pytest.raises(ValidationError, match="an approval would not bind the file"):
        step.execute(context) if where == "approve" else step._answer(context, step.wanted_post(context))


def forged(record: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**record, "row": {**record["row"], **changes}}


@pytest.mark.parametrize(
    "forge",
    [
        lambda _: None,
        lambda _: "Approve",
        lambda _: {"approved": True, "version": "x"},
        lambda record: forged(record, caption="Mine"),
        lambda record: forged(record, person="eve"),
        lambda record: {**record, "seal": ""},
        lambda record: {**record, "seal": None},
    ],
)
def test_an_xcom_that_somebody_else_has_written_is_no_approval(approval: Approval, forge: Any) -> None:
    with pytest.raises(ValidationError, match="this run has no record of one that the task approve made"):
        approval.made_with(forge(approval.answer("Approve")))


def test_the_approval_of_another_run_another_post_and_another_version_does_not_count(
    approval: Approval, questions: list[dict[str, Any]]
) -> None:
<<<<<<< main
    """Somebody who may edit the states of assets, or XComs, has put the record of the one in the place of the other."""
    ahead.params, ahead.run = {"dry_run": True}, "content/manual"
    with pytest.raises(TaskAwaitingInput):
        ahead.ask()
    assert questions[0]["subject"].endswith(" (dry run)")
    assert questions[0]["body"].startswith("**This is about a dry run.** Nothing is published")
    assert ahead.answer("Approve") == {"caption": "As written"}
    record = ahead.calendar.rows().get(f"calendar-approval-dry:{ahead.post['account']}/a")
    ahead.params = {}
    with pytest.raises(ValidationError, match="needs an approval"):
        ahead.received(record)
    ahead.row(record)
    ahead.own_run()
    with pytest.raises(TaskAwaitingInput):
        ahead.resumed()
    assert "dry run" not in questions[-1]["subject"] + questions[-1]["body"]
=======
    approved = approval.answer("Approve")
    step = approval.task(CreatePost, approved=approved)
    by_hand = approval.calendar.context("manual__1", post="a")
    with pytest.raises(ValidationError, match="has no record"):
        step._answer(by_hand, step.wanted_post(by_hand))
    approval.calendar.write(post("a", 60, caption="Other", approval="required"))
    approval.calendar.plan(1)
    approval.prepared = approval.calendar.prepared()
    with pytest.raises(ValidationError, match="has no record"):
        approval.made_with(approved)
>>>>>>> c7023688


def publisher(approval: Approval, approved: Any, container_id: str = "17901") -> PublishPost:
    record = ContainerRecord(container_id, f"{ACCOUNT}/a", after_noon(0).isoformat(), "content")
    approval.calendar.ledger().record_container(record)
    step: PublishPost = approval.task(PublishPost, container_id=container_id, approved=approved)
    return step


@pytest.mark.parametrize("state", [None, "queued", "awaiting_input", "failed", "skipped"])
def test_a_post_is_not_published_while_its_approval_is_cleared(approval: Approval, state: str | None) -> None:
    """Airflow deletes the XCom of a task that is cleared. Somebody may have written it back."""
    step = publisher(approval, approval.answer("Approve"))
    context = approval.calendar.context()
    assert step.publication_time(context) == after_noon(60)
    approval.calendar.states["approve"] = state
    assert step.publication_time(context) == Skipped("not approved", "Nobody has approved the post by its time.")
    step.approved, approval.calendar.states["approve"] = None, "success"
    assert isinstance(step.publication_time(context), Skipped), "marked as successful"


<<<<<<< main
def test_a_row_that_somebody_else_has_written_is_no_answer(approval: Approval, questions: list[dict[str, Any]]) -> None:
    """A user who has Airflow's key, and knows no access token, cannot approve a post."""
    approval.report = {"sha256": "a1"}
    approval.answer("Approve", params_input={"caption": "As approved"})
    for name, forged in forgeries(approval.row()).items():
        approval.row(forged)
        with pytest.raises(TaskAwaitingInput):
            approval.ask()
        assert "Buy this" not in questions[-1]["body"], name


def test_a_row_that_a_user_has_forged_stops_the_post(approval: Approval, questions: list[dict[str, Any]]) -> None:
    """A user who may edit the states of assets writes any JSON, or the row of another post."""
    approval.report = {"sha256": "a1"}
    approval.answer("Approve")
    rows, key = approval.calendar.ledgers[LEDGER], f"calendar-approval:{ACCOUNT}/a"
    sealed = rows[key]
    asked = len(questions)
    for forged in (
        *forgeries(approval.row()).values(),
        sealed | {"seal": "0" * 64},
        sealed | {"row": sealed["row"][:-4]},
    ):
        rows[key] = forged
        with pytest.raises(LedgerRowError, match=f"The row '{key}' of connection '{ACCOUNT}'"):
            approval.ask()
    assert len(questions) == asked
    rows[key] = sealed
    assert approval.ask() == {"caption": "As written", "sha256": ["a1"]}


def test_an_xcom_that_somebody_else_has_written_is_no_approval(approval: Approval) -> None:
    approval.report = {"sha256": "a1"}
    approval.answer("Approve", params_input={"caption": "As approved"})
    record = approval.row()
    for forged in (*forgeries(record).values(), None):
        with pytest.raises(ValidationError, match="a needs an approval, and this run has no record of one"):
            approval.received(forged)
    assert approval.received(record) == {"caption": "As approved", "sha256": ["a1"]}


def test_a_rejection_is_no_approval_even_if_it_is_handed_on_as_one(approval: Approval) -> None:
    with pytest.raises(AirflowSkipException):
        approval.answer("Reject")
    with pytest.raises(ValidationError, match="needs an approval"):
        approval.received(approval.row())


def test_an_approval_that_is_written_back_after_a_rejection_does_not_count(publishing: Approval) -> None:
    """It is a real one of this version in this run, kept by somebody who may edit the states of assets."""
    approved = publishing.row()
    with pytest.raises(AirflowSkipException):
        publishing.answer("Reject", params_input={"reason": "too loud"})
    publishing.row(approved)
    assert str(publication_time(publishing, 5)).startswith("Nobody has answered in time")
    publishing.clear()
    with pytest.raises(TaskAwaitingInput):
        publishing.ask()
    assert isinstance(publication_time(publishing, 59.7), str)


def test_a_task_that_is_marked_as_successful_after_a_rejection_approves_nothing(publishing: Approval) -> None:
    with pytest.raises(AirflowSkipException):
        publishing.answer("Reject", params_input={"reason": "too loud"})
    publishing.calendar.asks = "success"
    assert str(publication_time(publishing, 5)).startswith("Rejected by anna: too loud")


def test_a_post_that_is_changed_in_its_xcom_while_a_person_decides_is_approved_as_it_was_asked_about(
    approval: Approval,
=======
def test_the_container_of_another_post_is_not_published_under_an_approval(approval: Approval) -> None:
    step = publisher(approval, approval.answer("Approve"))
    other = ContainerRecord("17902", f"{ACCOUNT}/b", after_noon(0).isoformat(), "content")
    approval.calendar.ledger().record_container(other)
    for container_id in ("17902", "17903"):
        step.container_id = container_id
        with pytest.raises(ValidationError, match="was not created for a, so nobody has approved what is in it"):
            step.publication_time(approval.calendar.context())


def test_the_first_comment_is_the_one_that_was_approved(
    calendar: SimulatedCalendar, questions: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
>>>>>>> c7023688
) -> None:
    written: list[Any] = []
    where = "airflow_provider_instagram.calendar.tasks.publish.write_comment"
    monkeypatch.setattr(where, lambda *given: written.append(given[3]))
    approval = Approval(calendar, questions, first_comment="{{ 1 }} #first")
    approved, published = approval.answer("Approve"), {"post_key": f"{ACCOUNT}/a"}
    approval.task(CommentPost, approved=approved, published=published).execute(calendar.context())
    assert written == ["{{ 1 }} #first"]
    mine = forged(approved, first_comment="Mine")
    for record in (mine, None):
        with pytest.raises(ValidationError, match="its first comment is not written: this run has no record"):
            approval.task(CommentPost, approved=record, published=published).execute(calendar.context())


def test_an_approval_of_a_dry_run_is_asked_as_one(approval: Approval) -> None:
    task = approval.task()
    with pytest.raises(TaskAwaitingInput):
        task.execute(approval.calendar.context("manual__1", post="a", dry_run=True))
    assert task.subject.endswith("(dry run)")
    assert task.body.startswith("**This is about a dry run.**")


def test_a_question_that_an_interrupted_try_asks_again_says_so(approval: Approval) -> None:
    retries = approval.calendar.settings.retries.retries
    approval.calendar.max_tries = retries
    assert "**This is asked again**" not in approval.ask()["body"]
    approval.calendar.try_number = 2
    assert approval.ask()["body"].startswith("**This is asked again**")
    approval.calendar.max_tries = retries + 1  # the task was cleared
    assert "**This is asked again**" not in approval.ask()["body"]


@pytest.fixture
def asked(calendar: SimulatedCalendar, questions: list[dict[str, Any]]) -> Any:
    """Ask about a post, and return its approval and the question."""

    def ask(*, reports: list[dict[str, Any]], covers: tuple[str, ...] = (), **more: Any) -> Any:
        approval = Approval(calendar, questions, **more)
        for place in covers:
            storage.write(cover_file(f"{approval.prepared['version']}{place}"), b"")
        approval.prepared["reports"] = reports
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
        video=None, carousel=CAROUSEL, caption="Three", first_comment="#one", reports=reports, covers=("", "-3")
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
    assert [picture.endswith(end) for picture, end in zip(pictures, (".jpg>)", "-3.jpg>)"), strict=True)] == [
        True,
        True,
    ]
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
    assert approval.made_with(approval.answer("Approve"))[0] == ""
    with pytest.raises(ValidationError, match="which has the fields reason: 'caption'"):
        approval.answer("Approve", params_input={"caption": "x"})


def test_a_person_sees_a_picture(asked: Any) -> None:
    _, question = asked(
        video=None, image="https://example.com/a.jpg", alt_text="A tree", reports=[{"tier": "pass", "kind": "image"}]
    )
    assert "| Picture | ` https://example.com/a.jpg ` |" in question["body"]
    assert "| alt_text | ` A tree ` |" in question["body"]
    assert "**Picture**\n\nTranscoded as ` pass `." in question["body"]
