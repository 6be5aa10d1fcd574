"""What people are told of a calendar's posts: in events of its asset and by its notifiers, once each."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseNotifier

from airflow_provider_instagram.exceptions import OutcomeUnknownError
from airflow_provider_instagram.hooks import InstagramHook
from tests.integration.calendar.runs import ACCOUNT, made, planned, run_planner, run_post, run_report
from tests.integration.calendar.test_problems import events

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest
    from pytest_mock import MockerFixture

    from instagram_sandbox.testing.handle import SandboxHandle

PAGE = "https://airflow.example.com/plugin/instagram-calendar?dag=content&day="


class Chat(BaseNotifier):
    """A notifier whose server does not take each message about one post at once."""

    template_fields = ("text",)

    def __init__(self, sent: list[str], text: str, refuses: str) -> None:
        super().__init__()
        self.sent, self.text, self.refuses, self.refused = sent, text, refuses, list[str]()

    def notify(self, context: Any) -> None:
        if self.refuses in self.text and self.text not in self.refused:
            self.refused.append(self.text)
            raise ConnectionError("no route to host")
        self.sent.append(self.text)


def new_events(after: int) -> list[tuple[str, str, str]]:
    """Return what the events of the asset say of posts, in order, without those of problems."""
    found = [one for _, extra in events(after) for one in extra["events"]]
    return [(one["event"], one["post"], one["message"]) for one in found if one["event"] != "problem"]


def test_a_post_that_failed_and_one_that_is_late_are_told_once_each(
    instagram_sandbox: SandboxHandle,
    run_dag: Any,
    calendar: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    mocker: MockerFixture,
) -> None:
    """The run of the post that failed stays red. A notifier whose server was away is called again."""
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example.com/")
    for module in ("planning.lateness", "tasks.tell"):  # so that a busy machine makes no other post late
        mocker.patch(f"airflow_provider_instagram.calendar.{module}.CLOCKS_DIFFER", timedelta(minutes=8))
    before, sent, called = max([0, *(number for number, _ in events())]), list[str](), list[str]()
    file = calendar({"punctual": 5, "slow": -600, "gave-up": -7200, "corrupt": 5}, corrupt={"video": "corrupt.mp4"})
    file.with_name("corrupt.mp4").write_bytes(b"this is no video")
    chat = Chat(sent, "{{ event.event }} {{ event.post }} {{ event.message[:15] }} {{ event.link }}", "slow")
    given: dict[str, Any] = {"notify": [chat, lambda context: called.append(str(context["event"]))]}
    dag = made(file, default_args={"retry_delay": 0.01}, **given)
    planned(dag, datetime.now(timezone.utc) - timedelta(hours=3))
    ends = {"punctual": "success", "slow": "success", "gave-up": "success", "corrupt": "failed"}

    assert {post_id: run_post(run_dag, dag, post_id).state for post_id in ends} == ends
    told = {(event, post): message for event, post, message in new_events(before)}
    assert {*told} == {("late", "slow"), ("late", "gave-up"), ("failed", "corrupt")}
    assert told["late", "slow"].startswith("was published 1"), "at least 10 min after its time"
    assert told["late", "gave-up"].startswith("is not published: The earliest it can be published is 2 h")
    assert "corrupt.mp4" in told["failed", "corrupt"]
    assert sorted(" ".join(line.split()[:2]) for line in sent) == ["failed corrupt", "late gave-up", "late slow"]
    assert sent[0].startswith("late slow was published")
    assert {line[-len("post=content%2Fslow") :] for line in sent if "slow" in line} == {"post=content%2Fslow"}
    assert len(called) == 4, "once each, and once more for the one of which the chat was not told"

    assert {post_id: run_post(run_dag, made(file, **given), post_id).state for post_id in ends} == ends
    assert (len(new_events(before)), len(sent)) == (3, 3)
    assert instagram_sandbox.calls("publish") == 2


def test_a_token_that_ends_within_two_weeks_is_told_once(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path], no_stored_tokens: None
) -> None:
    """Also the notifiers hear of it, so that a person connects the account again before posts fail."""
    manager, said = InstagramHook(ACCOUNT).token_manager(), list[str]()
    ends = datetime.now(timezone.utc) + timedelta(days=13)
    manager.store.save(replace(manager.current_token(), expires_at=ends, issued_at=ends))
    dag = made(calendar({"later": 3600}), notify=[lambda context: said.append(str(context["event"]))])
    for _ in range(2):
        assert run_report(run_dag, dag).states()["problems"] == "success"
    (warning,) = [text for text in said if "expires" in text]
    assert f"the token of {ACCOUNT} expires on {ends:%Y-%m-%d}. Posts after that fail." in warning
    assert f"airflow instagram connect {ACCOUNT}" in warning


def test_a_post_that_waits_for_an_approval_is_told_before_anybody_answers(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path], mocker: MockerFixture
) -> None:
    from airflow_provider_instagram.calendar.tasks.answers import NOBODY
    from airflow_provider_instagram.calendar.tasks.approve import ApprovePost

    before, told_by_then = max([0, *(number for number, _ in events())]), list[Any]()

    def nobody_answers(self: ApprovePost, context: Any, **_: Any) -> None:
        self.wanted_post(context)
        told_by_then.extend(new_events(before))
        self.skip_post(context, *NOBODY)

    mocker.patch.object(ApprovePost, "execute", nobody_answers)
    file = calendar({"unapproved": 600}, unapproved={"approval": "required"})
    assert run_post(run_dag, made(file, notify=[]), "unapproved").state == "success"
    waiting = ("waiting", "unapproved", "waits for an approval.")
    assert told_by_then[:1] == [waiting]
    assert new_events(before) == [
        waiting,
        ("late", "unapproved", "is not published: Nobody has approved the post by its time."),
    ]


def test_a_post_that_may_be_live_is_told_as_unknown(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path], mocker: MockerFixture
) -> None:
    from airflow_provider_instagram.calendar.tasks.outcome import reports_failure
    from airflow_provider_instagram.calendar.tasks.publish import PublishPost
    from airflow_provider_instagram.ledger.ledger import Ledger
    from airflow_provider_instagram.ledger.records import Claim, Owner

    before = max([0, *(number for number, _ in events())])

    @reports_failure
    def loses_its_answer(self: PublishPost, context: Any, event: Any = None) -> Any:
        post = self.wanted_post(context)
        ledger, claim = Ledger.of(context, ACCOUNT), Claim(Owner.of(context), "nonce")
        ledger.record_claim(post.key, claim)
        ledger.record_intent(post.key, self._container(context, post), claim)
        raise OutcomeUnknownError("The answer was lost.", hint="Look at the account.")

    mocker.patch.object(PublishPost, "execute", loses_its_answer)
    result = run_post(run_dag, made(calendar({"perhaps": 5}), notify=[]), "perhaps")
    assert (result.state, new_events(before)) == ("failed", [("unknown", "perhaps", "The answer was lost.")])


def test_a_rejection_that_ends_with_late_is_no_late_post_and_another_librarys_error_repeats_no_link(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path], mocker: MockerFixture
) -> None:
    """A person who rejects a post knows that. Events and notifiers are masked by nobody."""
    from airflow_provider_instagram.calendar.tasks.approve import ApprovePost
    from airflow_provider_instagram.calendar.tasks.outcome import reports_failure

    @reports_failure
    def rejects_or_fails(self: ApprovePost, context: Any, **_: Any) -> None:
        if self.wanted_post(context).approval == "required":
            self.skip_post(context, "rejected: too late", "Rejected by Ada: too late")
        raise ConnectionError("GET https://media.example.com/a.mp4?sig=SECRET")

    before = max([0, *(number for number, _ in events())])
    mocker.patch.object(ApprovePost, "execute", rejects_or_fails)
    mocker.patch.object(ApprovePost, "tell_that_it_waits", return_value=None)
    file = calendar({"rejected": 600, "fails": 600}, rejected={"approval": "required"})
    dag = made(file, notify=[], default_args={"retries": 0})
    assert run_post(run_dag, dag, "rejected").state == "success"
    assert run_post(run_dag, dag, "fails").state == "failed"
    told = [one for one in new_events(before) if one[0] != "waiting"]
    assert told == [("failed", "fails", "It failed with ConnectionError.")]


def test_a_planner_that_fails_is_told_beside_what_the_author_wants(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path], mocker: MockerFixture
) -> None:
    told: list[Any] = []
    own: list[Any] = []
    mocker.patch("airflow_provider_instagram.calendar.tasks.planner.look", side_effect=ZeroDivisionError)
    dag = made(
        calendar({"never": 600}),
        notify=lambda context: told.append(context["event"]),
        default_args={"retries": 0, "on_failure_callback": own.append},
    )
    assert run_planner(run_dag, dag).state == "failed"
    (event,) = told
    assert (event.event, event.post, event.remedy) == (
        "failed",
        None,
        "It failed with ZeroDivisionError. Its log says more.",
    )
    assert event.message == "its planner failed: no run begins, and no edit counts."
    assert len(own) == 1


def test_a_calendar_that_tells_nobody_has_no_task_for_it(calendar: Callable[..., Path]) -> None:
    file = calendar({"a": 3600})
    assert "tell" not in made(file).task_ids
    assert "tell" in made(file, notify=[]).task_ids
