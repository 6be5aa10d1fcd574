"""A question to a person, in Airflow's human-in-the-loop form, from a task that does other work as well."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NoReturn

from pydantic import AwareDatetime, BaseModel

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.ledger.ledger import Ledger, row_key
from airflow_provider_instagram.ledger.records import (
    AS_WRITTEN,
    CONTAINER_LIFE,
    EXPIRY_MARGIN,
    Owner,
)
from airflow_provider_instagram.operators.base import send
from airflow_provider_instagram.posts.kinds import ItemKind
from airflow_provider_instagram.posts.post import FIELDS

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.definitions.param import ParamsDict

    from airflow_provider_instagram.operators.base import AccountTask

#: What is said of a question without an answer.
NO_ANSWER: Final = "nobody has answered in time"
#: The answers, in the words of Airflow's ApprovalOperator.
APPROVE = "Approve"
REJECT = "Reject"
SHORTEST_QUESTION: Final = timedelta(seconds=1)
#: Airflow finds the last task instance before a date.
NEXT: Final = timedelta(microseconds=1)


class Question(BaseModel):
    """Which question of which task instance it is. After a Clear, or in a run that was made anew, it is another one.

    :param run_after: When the run was to begin. It stays the same whatever is cleared.
    :param run_started: When the run began, or began again.
    :param clear_number: How often tasks of the run had been cleared.
    :param max_tries: How many tries the task had in all. A Clear adds to them, and a retry does
        not.
    :param ti_id: Airflow's id of the try.
    :param began: When the try began, or a moment later.
    """

    model_config = AS_WRITTEN

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    run_after: AwareDatetime
    run_started: AwareDatetime | None
    clear_number: int
    max_tries: int
    ti_id: str
    try_number: int
    began: AwareDatetime

    @classmethod
    def of(cls, context: Context) -> Question:
        """Return the question that the task of a context asks now."""
        ti = context["ti"]
        run = context["dag_run"]
        return cls(
            dag_id=ti.dag_id,
            run_id=ti.run_id,
            task_id=ti.task_id,
            map_index=-1 if ti.map_index is None else ti.map_index,
            run_after=run.run_after,
            run_started=run.start_date,
            clear_number=run.clear_number or 0,
            max_tries=ti.max_tries,
            ti_id=str(ti.id),
            try_number=ti.try_number,
            began=ti.start_date,
        )

    def is_of_run(self, context: Context) -> bool:
        """Return whether it was asked in the run of a context, not in a deleted one with the same id.

        Users choose the id, the date and the parameters of a run, and clear it, but not when its
        tasks begin. A run that waits to begin again has no start that tells it from another.
        """
        from airflow.sdk.execution_time.comms import GetPreviousTI

        now = Question.of(context)
        date = context["dag_run"].logical_date
        if (self.dag_id, self.run_id) != (now.dag_id, now.run_id):
            return False
        same_start = (self.run_started, self.clear_number) == (now.run_started, now.clear_number)
        if same_start and self.run_started is not None:
            return True
        if date is None:
            return False
        last = send(
            GetPreviousTI(dag_id=self.dag_id, task_id=self.task_id, logical_date=date + NEXT)
        ).task_instance
        if last is None or last.start_date is None or last.start_date > self.began:
            return False
        return (last.run_id, last.try_number) == (self.run_id, self.try_number)

    def is_of_earlier_try(self, context: Context) -> bool:
        """Return whether an earlier try of the task has asked it, and no task of the run was cleared or deleted since.

        Airflow then has the question still, and its answer if there is one. A Clear of a task that
        runs gives it no more tries, and one that leaves the state of the run does not count as one
        of the run.
        """
        now = Question.of(context)
        if now.run_started is None:
            return False
        same = {"ti_id": now.ti_id, "try_number": now.try_number, "began": now.began}
        is_earlier = self.try_number < now.try_number or self.ti_id == now.ti_id
        return is_earlier and self.model_copy(update=same) == now


@dataclass(frozen=True)
class Verdict:
    """What a person answered.

    :param person: Their name. None if nobody answered in time, which is a rejection.
    """

    approved: bool
    person: str | None = None
    reason: str | None = None

    @classmethod
    def read(cls, event: Mapping[str, Any]) -> Verdict:
        """Read the event with which Airflow resumes the task."""
        person = (event.get("responded_by_user") or {}).get("name")
        approved = event.get("chosen_options") == [APPROVE] and person is not None
        return cls(approved, person, (event.get("params_input") or {}).get("reason"))

    def __str__(self) -> str:
        if self.person is None:
            return NO_ANSWER
        reason = f": {self.reason}" if self.reason else ""
        return f"{'approved' if self.approved else 'rejected'} by {self.person}{reason}"


def ask(
    context: Context,
    conn_id: str,
    subject: str,
    body: str,
    timeout: timedelta,
    *,
    tell: Callable[[bool], None] = lambda _: None,
    **known: Any,
) -> NoReturn:
    """Park the task until a person answers. Airflow then calls its method ``answered``. Silence is a rejection.

    A retry asks nobody again: it waits with the question that Airflow has, and goes on at once if
    that has its answer.

    :param conn_id: The account, whose ledger remembers the question.
    :param body: What they need to know to decide, in Markdown.
    :param tell: Is called before a person is asked, with whether this task has asked before.
    :param known: Further arguments of ``answered``.
    :raises TaskAwaitingInput: If Airflow has the question.
    :raises ValidationError: If Airflow keeps another one of this task.
    """
    from airflow.sdk import Param
    from airflow.sdk.definitions.param import ParamsDict
    from airflow.sdk.exceptions import TaskAwaitingInput

    store = Ledger.of(context, conn_id).store
    name = _row_of(context)
    before = store.get(name)
    about = {"subject": subject, **known}
    is_open = False
    if before is not None and before["about"] == about:
        is_open = Question.model_validate(before["question"]).is_of_earlier_try(context)
    tell(before is not None and not is_open)
    if not is_open:
        reason = Param(
            None, type=["string", "null"], title="Reason", description="If you reject: the reason."
        )
        if open_question(context, subject, body, ParamsDict({"reason": reason})) != body:
            raise ValidationError(
                "Another question would have to be asked than this task has asked before, which Airflow keeps.",
                hint="Start another run, which asks it.",
            )
    store.set(name, {"question": Question.of(context).model_dump(mode="json"), "about": about})
    raise TaskAwaitingInput(
        method_name="answered", kwargs=known, timeout=max(timeout, SHORTEST_QUESTION)
    )


def verdict_of(context: Context, conn_id: str, event: Mapping[str, Any]) -> Verdict:
    """Return the answer with which Airflow resumes a task.

    :raises ValidationError: If another try has asked. A Clear of a task that carries out its answer
        makes Airflow hand the answer to the next try.
    """
    asked = Ledger.of(context, conn_id).store.get(_row_of(context))
    if asked is None or asked["question"]["ti_id"] != str(context["ti"].id):
        raise void_answer("This answer")
    return Verdict.read(event)


def void_answer(what: str) -> ValidationError:
    """Return the error of an answer to a question that a Clear or a later question has made void."""
    return ValidationError(
        f"{what} is to a question that does not count any more.",
        hint="Clear this task. It asks again.",
    )


def _row_of(context: Context) -> str:
    return row_key("asked", str(Owner.of(context)))


def open_question(context: Context, subject: str, body: str, form: ParamsDict) -> str:
    """Write a question into Airflow, and return the body of the one that Airflow has.

    Airflow keeps the first question of a task instance, and deletes its answer.
    """
    from airflow.sdk.execution_time.comms import CreateHITLDetailPayload

    question = CreateHITLDetailPayload(
        ti_id=context["ti"].id,
        options=[APPROVE, REJECT],
        subject=subject,
        body=body,
        defaults=[REJECT],
        assigned_users=[],
        params={name: form.get_param(name).serialize() for name in form},
    )
    return send(question).body or ""


def review_copyright(
    task: AccountTask,
    context: Context,
    container_id: str,
    on_copyright_match: Any,
    until: datetime | None = None,
    tell: Callable[[str, bool], None] = lambda *_: None,
    **known: Any,
) -> None:
    """Read the copyright check of a container, unless it does not matter, and ask a person if it must.

    :param on_copyright_match: What its author wrote: ``publish``, ``hold`` or ``fail``.
    :param until: When the answer comes too late, if that is before the container expires.
    :param tell: Is called before a person is asked, with the finding, and with what :func:`ask` says.
    :param known: Further arguments of ``answered``.
    :raises ValidationError: If there is a finding, and the task is to ``fail``.
    """
    word = FIELDS["on_copyright_match"].read("on_copyright_match", on_copyright_match)
    if word == "publish":
        return
    ledger = Ledger.of(context, task.instagram_conn_id)
    record = ledger.container(container_id)
    if record is not None:
        is_video = record.shows is ItemKind.VIDEO
        if not is_video or ledger.post(record.post_key) is not None:
            return
    from airflow_provider_instagram.graph.readiness import copyright_finding
    from airflow_provider_instagram.hooks.instagram import InstagramHook

    with InstagramHook(task.instagram_conn_id).get_conn() as client:
        if (finding := copyright_finding(client, container_id)) is None:
            return
    if word == "fail":
        raise ValidationError(
            f"{finding} Container {container_id} must not be published, because on_copyright_match is fail.",
            hint="Use another video. To look again, or to decide otherwise, change on_copyright_match if necessary and "
            "clear this task: nothing is uploaded again.",
        )
    name, now = record.post_key if record else f"container {container_id}", ledger.clock()
    expires = (record.expires if record else now + CONTAINER_LIFE) - EXPIRY_MARGIN
    body = (
        f"**{finding}**\n\nIt is a post of {as_code(task.instagram_conn_id)}. If you approve, it is published as it "
        "is. Instagram may mute or block it afterwards."
    )
    ask(
        context,
        task.instagram_conn_id,
        held_subject(name),
        body,
        min(until or expires, expires) - now,
        tell=partial(tell, finding),
        container_id=container_id,
        **known,
    )


def held_subject(name: str) -> str:
    """Return the subject of the question about a post, by its key, that the copyright check has held."""
    return f"Publish {name} in spite of the copyright check?"


def approved_container(task: AccountTask, verdict: Verdict, container_id: str) -> str:
    """Return the container that a person was asked about, if they approved it."""
    if not verdict.approved:
        raise ValidationError(
            f"Container {container_id}, which the copyright check held, is not published: {verdict}.",
            hint="To be asked again, clear this task. Nothing is uploaded again while the container lives.",
        )
    task.log.info("Container %s was %s", container_id, verdict)
    return container_id


def as_code(value: Any) -> str:
    """Return a value as inline code for a table cell, so that nothing in it is Markdown, a link or a picture.

    No escape reliably keeps ``|`` from ending the cell, so ``¦`` replaces it.
    """
    text = " ".join(str(value).split()).replace("|", "¦") or " "
    fence = _fence(text)
    return f"{fence} {text} {fence}"


def as_block(text: str) -> list[str]:
    """Return a text as a code block, so that nothing in it is Markdown, a link or a picture."""
    fence = f"``{_fence(text)}"
    return [f"{fence}text", *text.splitlines(), fence] if text.strip() else ["*(none)*"]


def _fence(text: str) -> str:
    """Return one backtick more than the longest run of backticks in a text."""
    return "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
