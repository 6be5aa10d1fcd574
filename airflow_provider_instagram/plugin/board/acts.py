"""What a user does to a post. Each act goes through Airflow's own API as this user, or through the ledger.

So each act needs the right that Airflow's own page requires, is in Airflow's audit log, and cannot post twice: the same
ledger decides whether something is published as for every other run.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import httpx
from airflow.models.log import Log
from airflow.utils.session import create_session
from fastapi import HTTPException
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from airflow_provider_instagram.calendar.deletion import deletion_dag
from airflow_provider_instagram.calendar.planning.assignments import Assignments
from airflow_provider_instagram.calendar.planning.schedule import utc_now
from airflow_provider_instagram.calendar.tasks.approve import digests_in
from airflow_provider_instagram.calendar.tasks.base import has_caption
from airflow_provider_instagram.exceptions import MediaRejectedError, ValidationError
from airflow_provider_instagram.ledger import database
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.plugin.board import questions
from airflow_provider_instagram.plugin.board.detail import EVENT, acts_in
from airflow_provider_instagram.plugin.board.source import now_run_id, read_xcom
from airflow_provider_instagram.plugin.board.states import COMMENT, END, HOLDS, STEPS, Facts, PostRun
from airflow_provider_instagram.plugin.users import may_act
from airflow_provider_instagram.posts.limits import LONGEST_CAPTION, broken_by_values
from airflow_provider_instagram.utils.addresses import web_address
from airflow_provider_instagram.utils.arguments import check_printable

if TYPE_CHECKING:
    from starlette.requests import Request

    from airflow_provider_instagram.plugin.board.board import Board
    from airflow_provider_instagram.plugin.users import PageUser

TIMEOUT_S: Final = 60
LONGEST_REASON: Final = 500
#: Headers by which Airflow knows the user.
CREDENTIALS: Final = ("authorization", "cookie")
#: Airflow 3.3.2 takes both of two answers that arrive at one moment, so this process sends them one after the other.
ONE_ANSWER: Final = asyncio.Lock()
ANSWERS: Final = ("approve", "reject")
#: The page sends what it showed with an answer, because an answer is about that.
CHANGED: Final = (
    "This post, one of its files, or the question about it has changed since the page showed it to you. Nothing was "
    "answered. The page shows it as it is now."
)


class ActRequest(BaseModel):
    """What a user wants to do, as the page sends it.

    :param act: The name of the act.
    :param version: What the page showed of the post that an answer is about; so are the next three.
    """

    model_config = ConfigDict(frozen=True)

    form_token: Any = ""
    dag_id: str = Field(max_length=250)
    post_id: str = Field(max_length=250)
    act: str = Field(max_length=40)
    version: str | None = None
    sha256: Any = None
    held: bool | None = None
    deletion: str | None = None
    caption: str | None = None
    reason: str | None = None
    permalink: str | None = None


@dataclass(frozen=True)
class Act:
    """What a user wants to do."""

    name: str
    board: Board
    facts: Facts
    user: PageUser
    request: Request
    given: dict[str, Any]

    @property
    def dag_id(self) -> str:
        """The calendar's DAG."""
        return self.board.calendar.dag_id

    def text(self, name: str, longest: int) -> str | None:
        """Return a text that the user entered, or None if it is empty."""
        value = self.given.get(name)
        if value is None or value == "":
            return None
        if not isinstance(value, str) or len(value) > longest:
            raise HTTPException(422, f"{name} must be a text of at most {longest} characters.")
        try:
            check_printable(name, value)
        except ValidationError as error:
            raise HTTPException(422, f"{error} Nothing was changed.") from None
        return value


async def perform(act: Act) -> str:
    """Do what the user wants, and return what happened, in a sentence.

    :raises HTTPException: If the user may not, or the post is in another state by now.
    """
    do, verb = DOES[act.name]
    await run_in_threadpool(_require, act, verb)
    done = await do(act)
    await run_in_threadpool(_log, act)
    return done


def _require(act: Act, verb: str) -> None:
    if not may_act(act.user, act.dag_id, act.name):
        raise HTTPException(403, f"You do not have permission to {verb} posts of {act.dag_id!r}.")
    is_answer = act.name in ANSWERS
    if is_answer and act.given.get("version") != act.facts.post.version:
        raise HTTPException(409, CHANGED)
    state = act.board.cards[f"{act.dag_id}/{act.facts.post.id}"].status.state
    if act.name not in acts_in(state, act.facts):
        by = _answered_by(act) if is_answer else None
        answered = f" {by} has answered already." if by else ""
        now = f"The state of this post is now: {state.value.replace('_', ' ')}."
        raise HTTPException(409, f"{now}{answered} Nothing was changed.")
    if is_answer and (act.given.get("held"), act.given.get("sha256")) != (act.facts.is_held, list(_digests(act))):
        raise HTTPException(409, CHANGED)
    if act.facts.is_held and act.given.get("caption") is not None:
        raise HTTPException(422, "The container has its caption already. Nothing was answered.")


def _digests(act: Act) -> tuple[str | None, ...]:
    """Return the digests of the files that the post has now."""
    with create_session(scoped=False) as session:
        task_id = f"{act.facts.post.account}.transcode"
        return digests_in(read_xcom(session, act.dag_id, act.facts.run, task_id, "report"))


async def _answer(act: Act) -> str:
    """Answer the approval's question. Of two answers, the first one counts."""
    run, is_approved = _run(act), act.name == "approve"
    given: dict[str, Any] = {}
    asks = HOLDS if act.facts.is_held else "approve"
    if is_approved and act.given.get("caption") is not None and has_caption(act.facts.post):
        given["caption"] = act.text("caption", LONGEST_CAPTION) or ""
        if broken := broken_by_values({"caption": given["caption"]}):
            raise HTTPException(422, f"{' '.join(map(str, broken))} Nothing was changed.")
    if not is_approved:
        given["reason"] = act.text("reason", LONGEST_REASON)
    path = f"/dagRuns/{_quoted(run.run_id)}/taskInstances/{_quoted(f'{act.facts.post.account}.{asks}')}"
    body = {"chosen_options": ["Approve" if is_approved else "Reject"], "params_input": given}
    async with ONE_ANSWER:
        if not await run_in_threadpool(questions.is_asked_about, act.dag_id, act.facts.post, run, asks):
            raise HTTPException(409, CHANGED)
        await _call(act, "PATCH", f"{path}/{run.map_index}/hitlDetails", body)
    counted = (
        None
        if act.facts.is_held
        else await run_in_threadpool(questions.counted_answer, act.dag_id, act.facts.post, run)
    )
    if counted is not None and (counted.approved, counted.person) != (is_approved, act.user.name):
        raise HTTPException(409, f"{counted.person} has answered already. Nothing was changed.")
    return "Approved. It is published at its time." if is_approved else "Rejected. It is not published."


async def _retry(act: Act) -> str:
    """Clear the first task that failed and those after it.

    A container that is too old is made again as well. If Instagram refused a file, this begins with its transcode,
    because it may be another file by now.
    """
    run = _run(act)
    tasks = await run_in_threadpool(_tasks_to_clear, act, run)
    body = {
        "dry_run": False,
        "dag_run_id": run.run_id,
        "task_ids": tasks,
        "only_failed": False,
        "reset_dag_runs": True,
        "include_downstream": run.map_index < 0,
        "prevent_running_task": True,
    }
    await _call(act, "POST", "/clearTaskInstances", body)
    first = tasks[0] if isinstance(tasks[0], str) else tasks[0][0]
    return f"It is tried again, from {first.rpartition('.')[2]} on."


def _tasks_to_clear(act: Act, run: PostRun) -> list[Any]:
    account = act.facts.post.account
    if run.map_index < 0:
        return [f"due_{account}"]
    steps = [step for step in (*STEPS, COMMENT, END) if step in run.tasks]
    failed = next(filter(run.has_failed, steps), "publish")
    if failed == "publish" and not act.facts.is_open and _container_is_old(act):
        failed = "create"
    if failed in run.tasks and run.tasks[failed].said("mark") == MediaRejectedError.__name__:
        failed = "transcode"
    return [[f"{account}.{step}", run.map_index] for step in steps[steps.index(failed) :]]


def _container_is_old(act: Act) -> bool:
    post = act.facts.post
    with database.open_ledger(post.account) as store:
        made = Ledger(store, post.account).containers(post.key)
    return not made or not made[-1].lives_until(max(utc_now(), post.publish_at))


async def _publish_now(act: Act) -> str:
    """Start a run for the post. Its id has a number, so that of two users one is refused."""
    post = act.facts.post
    before = [run for run in act.board.source.runs.values() if run.post_now == post.id]
    if any(run.is_active for run in before):
        raise HTTPException(409, "Another run is publishing this post already. Nothing was changed.")
    conf = {"posts": [post.id], "now": True}
    body = {"dag_run_id": now_run_id(post.id, len(before) + 1), "logical_date": None, "conf": conf}
    await _call(act, "POST", "/dagRuns", body)
    paused = " The calendar is paused, so this waits until it is unpaused." if act.board.calendar.is_paused else ""
    return f"A run has been started, which publishes it as soon as it is ready.{paused}"


async def _skip(act: Act) -> str:
    def write() -> None:
        with database.open_ledger(act.facts.post.account) as store:
            assignments = Assignments(store, act.dag_id, act.board.calendar.is_dry)
            if act.name == "skip":
                assignments.skip(act.facts.post, act.user.name)
            else:
                assignments.bring_back(act.facts.post)

    await run_in_threadpool(write)
    if act.name == "skip":
        return "Skipped. No run publishes it, unless it was about to be published this minute."
    return "Brought back. Its run publishes it, if that is still to come. Otherwise, publish it now."


async def _settle(act: Act) -> str:
    permalink = act.text("permalink", 500)
    if permalink and web_address(permalink) is None:
        raise HTTPException(422, "The link must be a URL such as https://www.instagram.com/reel/…")
    post, live = act.facts.post, act.name == "live"

    def write() -> None:
        with database.open_ledger(post.account) as store:
            database.settle(store, post.account, post.key, live=live, permalink=permalink)

    await run_in_threadpool(write)
    if act.facts.run is not None and act.facts.run.map_index >= 0:
        await _retry(act)
    return "Recorded as live." if live else "Recorded as not live. It is published again."


async def _delete(act: Act) -> str:
    """Start a run that reads the post on Instagram, and then asks whether to delete it."""
    post = act.facts.post
    run_id = questions.new_run_id(post.account, post.id, act.board.source.deletion_runs)
    body = {"dag_run_id": run_id, "logical_date": None, "conf": questions.parameters_of(post.account, post.key)}
    await _call(act, "POST", "/dagRuns", body, deletion_dag())
    return "A run reads the post on Instagram now, and then asks here whether to delete it."


async def _answer_deletion(act: Act) -> str:
    """Answer the question whether to delete a post, which the task asks that deletes it."""
    deletion, is_yes = act.facts.deletion, act.name == "confirm_deletion"
    if deletion is None:
        raise HTTPException(409, CHANGED)
    path = f"/dagRuns/{_quoted(deletion.run_id)}/taskInstances/{_quoted(act.facts.post.account)}/-1/hitlDetails"
    body = {"chosen_options": ["Approve" if is_yes else "Reject"], "params_input": {}}
    async with ONE_ANSWER:
        asked = await run_in_threadpool(questions.question_about, act.facts)
        if asked is None or act.given.get("deletion") != asked.digest:
            raise HTTPException(409, CHANGED)
        await _call(act, "PATCH", path, body, deletion_dag())
    return "Its deletion begins now." if is_yes else "It stays."


#: What does each act, and its verb.
DOES: Final = {
    "approve": (_answer, "approve"),
    "reject": (_answer, "reject"),
    "retry": (_retry, "try again"),
    "publish_now": (_publish_now, "publish"),
    "skip": (_skip, "skip"),
    "unskip": (_skip, "bring back"),
    "live": (_settle, "settle"),
    "not_live": (_settle, "settle"),
    "delete": (_delete, "delete"),
    "confirm_deletion": (_answer_deletion, "delete"),
    "keep": (_answer_deletion, "delete"),
}


def _run(act: Act) -> PostRun:
    if act.facts.run is None:
        raise HTTPException(409, "No run works on this post. Nothing was changed.")
    return act.facts.run


async def call_airflow(request: Request, method: str, path: str, body: Any = None) -> httpx.Response:
    """Call Airflow's own API in this process, as the user, so that its rights and its audit log apply."""
    headers = {name: request.headers[name] for name in CREDENTIALS if name in request.headers}
    transport = httpx.ASGITransport(app=request.scope["airflow_app"])
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=TIMEOUT_S) as client:
        return await client.request(method, f"/api/v2{path}", json=body, headers=headers)


async def _call(act: Act, method: str, path: str, body: dict[str, Any], dag_id: str = "") -> None:
    """Call Airflow's API about a DAG, by default the calendar's."""
    answer = await call_airflow(act.request, method, f"/dags/{_quoted(dag_id or act.dag_id)}{path}", body)
    if answer.is_success:
        return
    is_answered = answer.status_code == 409 and method == "PATCH" and not dag_id
    by = await run_in_threadpool(_answered_by, act) if is_answered else None
    text = f"{by} has answered already. Nothing was changed." if by else _text_of(answer)
    raise HTTPException(answer.status_code, text)


def _text_of(answer: httpx.Response) -> str:
    """Return why Airflow refuses something, or an empty text: then, the page says what the status means."""
    try:
        detail = answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        return ""
    return f"Airflow refused this: {detail}" if isinstance(detail, str) and detail else ""


def _answered_by(act: Act) -> str | None:
    if act.facts.run is None:
        return None
    counted = questions.counted_answer(act.dag_id, act.facts.post, act.facts.run)
    return counted.person if counted is not None else None


def _quoted(part: str) -> str:
    return quote(part, safe="")


def _log(act: Act) -> None:
    reason = act.text("reason", LONGEST_REASON) if act.name == "reject" else None
    about = {"post": act.facts.post.id, "post_key": act.facts.post.key, "reason": reason}
    write_log(act.user, act.dag_id, act.name, about, act.facts.run.run_id if act.facts.run else None)


def write_log(user: PageUser, dag_id: str, name: str, about: dict[str, str | None], run_id: str | None = None) -> None:
    """Write to Airflow's audit log what was done to which post. Airflow's own entry, if any, names only a task."""
    with create_session(scoped=False) as session:
        session.add(
            Log(
                event=f"{EVENT}{name}",
                task_instance=None,
                owner=user.name,
                owner_display_name=user.name,
                extra=json.dumps({name: value for name, value in about.items() if value}),
                dag_id=dag_id,
                run_id=run_id,
            )
        )
