"""The approval of a post in its own run: what is asked, what an answer does, and what no answer can be made of."""

from __future__ import annotations

import json
import threading
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException, TaskAwaitingInput

from airflow_provider_instagram.calendar.tasks.approve import ApprovePost
from airflow_provider_instagram.calendar.tasks.covers import cover_file
from airflow_provider_instagram.calendar.tasks.create import CreatePost
from airflow_provider_instagram.calendar.tasks.publish import CommentPost, PublishPost
from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.files import storage
from airflow_provider_instagram.hooks.instagram import InstagramHook
from airflow_provider_instagram.ledger.records import ContainerRecord
from airflow_provider_instagram.utils.server_clock import CLOCK
from tests.unit.calendar.simulated_runs import ACCOUNT, DIGEST, after_noon, post

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from tests.unit.calendar.simulated_runs import SimulatedCalendar

ANNA = {"id": "1", "name": "anna"}
#: What the fixture of a calendar replaces, so that the time of its tasks is a test's.
COMPARE_CLOCK = InstagramHook.compare_clock


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

    def ask(self, run_id: str = "a") -> dict[str, Any]:
        """Run the task until it waits for a person, and return the question."""
        with pytest.raises(TaskAwaitingInput) as waiting:
            self.task().execute(self.calendar.context(run_id))
        self.kept, self.calendar.states["approve"] = dict(waiting.value.kwargs or {}), "awaiting_input"
        return self.questions[-1]

    def answer(self, *options: str, **event: Any) -> Any:
        """Answer as a person does, and return what the task returns."""
        if not self.kept:
            self.ask()
        given = {"chosen_options": list(options), "params_input": {}, "responded_by_user": ANNA, "timedout": False}
        answer = self.task().execute_complete(self.calendar.context(), given | event, **self.kept)
        self.calendar.states["approve"] = "success"
        return answer

    def made_with(self, approved: Any, run_id: str = "a") -> Any:
        """Return with which caption, files and comment the post would go out."""
        step, context = self.task(CreatePost, approved=approved), self.calendar.context(run_id)
        answer = step._answer(context, step.wanted_post(context))
        return answer and (answer.caption, answer.sha256, answer.first_comment)


@pytest.fixture
def questions(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr("airflow.providers.standard.operators.hitl.upsert_hitl_detail", lambda **row: asked.append(row))
    return asked


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


@pytest.mark.parametrize(("unanswered", "default"), [("skip", "Reject"), ("publish", "Approve")])
def test_silence_publishes_in_a_calendar_that_says_so(approval: Approval, unanswered: str, default: str) -> None:
    approval.calendar.given = {"unanswered": unanswered}
    assert approval.ask()["defaults"] == [default]


def test_silence_after_an_edit_publishes_nothing_and_the_question_says_so(approval: Approval) -> None:
    """Somebody may have rejected the version before."""
    approval.calendar.given = {"unanswered": "publish"}
    approval.ask()
    approval.calendar.write(post("a", 60, caption="As edited", approval="required"))
    approval.calendar.plan(1)
    approval.prepared = approval.calendar.prepared()
    asked = approval.ask("a~v2")
    assert asked["defaults"] == ["Reject"]
    assert asked["body"].startswith("**Without an answer, the post is not published**")


@pytest.mark.parametrize(
    ("dag_id", "run"), [("renamed", {"run_id": "a~v2"}), ("content", {"run_id": "manual__1", "post": "a"})]
)
def test_silence_publishes_nothing_if_another_run_has_asked(approval: Approval, dag_id: str, run: Any) -> None:
    """Somebody may have rejected the post there: in the DAG before it was renamed, or before a run by hand."""
    approval.calendar.given = {"unanswered": "publish"}
    assert approval.ask()["defaults"] == ["Approve"]
    approval.calendar.dag_id = dag_id
    approval.calendar.plan(1)
    with pytest.raises(TaskAwaitingInput):
        approval.task().execute(approval.calendar.context(**run))
    assert approval.questions[-1]["defaults"] == ["Reject"]


def test_silence_after_a_clear_publishes_nothing(approval: Approval) -> None:
    """Somebody may have rejected the post before. Airflow keeps the first question, with its default."""
    approval.calendar.given, approval.calendar.try_number = {"unanswered": "publish"}, 2
    silence = {"responded_by_user": None, "timedout": True}
    with pytest.raises(AirflowSkipException, match="Nobody has approved the post by its time"):
        approval.answer("Approve", **silence)
    approval.calendar.try_number = 1
    assert approval.made_with(approval.answer("Approve", **silence)) == ("As written", (DIGEST,), None)


def test_a_run_asks_about_no_other_file_than_before(approval: Approval) -> None:
    """Airflow keeps the first question of a task instance: a person would see the digest of the file before."""
    approval.ask()
    approval.ask()  # after a Clear, about the same file
    approval.prepared["reports"][0]["sha256"] = "1" * 64
    with pytest.raises(ValidationError, match="a, or a file of it, has changed since this run asked") as refused:
        approval.ask()
    assert "trigger the DAG with the post a" in (refused.value.hint or "")
    context = approval.calendar.context("manual__1", post="a")
    with pytest.raises(TaskAwaitingInput):
        approval.task().execute(context)


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


@pytest.fixture
def instagrams_time(approval: Approval, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[datetime]]:
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
        monkeypatch.setattr(InstagramHook, "compare_clock", COMPARE_CLOCK)
        monkeypatch.delattr(CLOCK, "now")
        monkeypatch.setattr(CLOCK, "_local", lambda: after_noon(approval.calendar.now))
        monkeypatch.setattr(CLOCK, "_offset", None)
        monkeypatch.setattr(CLOCK, "_sleep", lambda _: None)
        yield times
        server.shutdown()


@pytest.mark.parametrize(("local", "left_s"), [(60.5, 30), (61.5, 30), (58.5, 30), (59.5, 1800)])
def test_a_worker_with_a_wrong_clock_asks_about_a_post_that_is_not_late(
    approval: Approval, instagrams_time: list[datetime], local: float, left_s: float
) -> None:
    approval.calendar.given["late"] = "skip"
    instagrams_time.append(after_noon(60 - left_s / 60))
    approval.calendar.now = local
    task = approval.task()
    with pytest.raises(TaskAwaitingInput):
        task.execute(approval.calendar.context())
    assert task.response_timeout.total_seconds() == pytest.approx(left_s, abs=3)


def test_nobody_is_asked_about_a_post_that_is_over_although_the_clock_of_the_worker_is_slow(
    approval: Approval, questions: list[dict[str, Any]], instagrams_time: list[datetime]
) -> None:
    approval.calendar.given["late"] = "skip"
    instagrams_time.append(after_noon(61))
    approval.calendar.now = 59
    with pytest.raises(AirflowSkipException, match="has passed, so nobody is asked"):
        approval.task().execute(approval.calendar.context())
    assert questions == []


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
    none.ask("a~v2")


def test_an_edit_after_the_question_is_not_approved_by_its_answer(approval: Approval) -> None:
    approval.ask()
    approval.calendar.write(post("a", 60, caption="Edited", approval="required"))
    approval.calendar.plan(1)
    with pytest.raises(AirflowSkipException, match="was edited"):
        approval.answer("Approve")


def test_an_approval_is_about_the_files_that_were_shown(approval: Approval) -> None:
    approved = approval.answer("Approve")
    approval.prepared["reports"][0]["sha256"] = "1" * 64  # users may edit the XCom
    assert approval.made_with(approved) == ("As written", (DIGEST,), None), "create compares the file with it"
    with pytest.raises(ValidationError, match="is not what would be published"):
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
    approved = approval.answer("Approve")
    step = approval.task(CreatePost, approved=approved)
    by_hand = approval.calendar.context("manual__1", post="a")
    with pytest.raises(ValidationError, match="has no record"):
        step._answer(by_hand, step.wanted_post(by_hand))
    approval.calendar.write(post("a", 60, caption="Other", approval="required"))
    approval.calendar.plan(1)
    approval.prepared = approval.calendar.prepared()
    with pytest.raises(ValidationError, match="has no record"):
        approval.made_with(approved, "a~v2")


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
    with pytest.raises(AirflowSkipException, match="Nobody has approved the post by its time"):
        step.publication_time(context)
    step.approved, approval.calendar.states["approve"] = None, "success"  # somebody marked it as successful
    with pytest.raises(AirflowSkipException, match="Nobody has approved"):
        step.publication_time(context)


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


@pytest.fixture
def asked(calendar: SimulatedCalendar, questions: list[dict[str, Any]]) -> Any:
    """Open the question about a post, and return its approval and the question."""

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
