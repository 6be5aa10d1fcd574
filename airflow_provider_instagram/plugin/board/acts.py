"""What a user does to a post. Each act goes through Airflow's own API as this user, or through the ledger.

So each act needs the right that Airflow's own page requires, is in Airflow's audit log, and cannot
post twice: the same ledger decides whether something is published as for every other run.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, Literal
from urllib.parse import quote

import httpx
from fastapi import HTTPException
from pydantic import AfterValidator, Field
from starlette.concurrency import run_in_threadpool

from airflow_provider_instagram.calendar.planning.post_rows import PostRows
from airflow_provider_instagram.calendar.planning.settings import BY_HAND, planner_id
from airflow_provider_instagram.calendar.tasks.answers import PostRecords
from airflow_provider_instagram.calendar.tasks.base import has_caption
from airflow_provider_instagram.exceptions import MediaRejectedError, ValidationError
from airflow_provider_instagram.ledger import database
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.plugin.board import questions
from airflow_provider_instagram.plugin.board.detail import acts_in
from airflow_provider_instagram.plugin.board.forms import has_unread_edit
from airflow_provider_instagram.plugin.board.queries import write_act
from airflow_provider_instagram.plugin.board.states import HOLDS, STEPS, Facts, PostRun
from airflow_provider_instagram.plugin.bodies import Json, PageRequest, PostId
from airflow_provider_instagram.plugin.users import may_act, may_edit
from airflow_provider_instagram.posts.limits import broken_by_values
from airflow_provider_instagram.utils.arguments import check_printable
from airflow_provider_instagram.utils.clock import utc_now
from airflow_provider_instagram.utils.urls import web_address

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from airflow_provider_instagram.calendar.tasks.answers import Answer
    from airflow_provider_instagram.plugin.board.board import Board
    from airflow_provider_instagram.plugin.users import PageUser

TIMEOUT_S: Final = 60
#: Headers by which Airflow knows the user.
CREDENTIALS: Final = ("authorization", "cookie")
#: Airflow 3.3.2 takes both of two answers that arrive at one moment, so this process sends them one
#: after the other.
ONE_ANSWER: Final = asyncio.Lock()
ANSWERS: Final = ("approve", "reject")
#: Acts that would be about the version before an edit that Airflow has not read yet.
OF_THE_VERSION: Final = ("publish_now", "skip", "unskip")
UNREAD: Final = (
    "The calendar was edited, and Airflow has not read that yet. Nothing was changed."
    " Try again in a few seconds."
)
#: Acts with a reason, which the history of the post shows.
WITH_REASON: Final = ("reject", "skip")
#: How the ids of runs begin that publish one post at once. What follows is the post and a number.
NOW: Final = "now__"
#: The page sends what it showed with an answer, because an answer is about that.
CHANGED: Final = (
    "This post, one of its files, or the question about it has changed since the page showed it to you. Nothing was "
    "answered. The page shows it as it is now."
)
#: Only an answer to the last question counts.
ASKED_SINCE: Final = (
    "Another run has asked about this post since, so a yes to the run {} does not count. Nothing was answered. Clear "
    "approve of this run in Airflow: it asks again."
)

ActName = Literal["approve", "reject", "retry", "publish_now", "skip", "unskip", "live", "not_live"]


def _printable(text: str) -> str:
    try:
        check_printable("It", text)
    except ValidationError as error:
        raise ValueError(error.message) from None
    return text


class ActRequest(PageRequest):
    """What a user wants to do, as the page sends it.

    :param act: The name of the act.
    :param version: What the page showed of the post that an answer is about; so are the next two.
    """

    post_id: PostId
    act: ActName
    version: str | None = None
    sha256: list[str | None] | None = None
    held: bool | None = None
    caption: Annotated[str, AfterValidator(_printable)] | None = None
    reason: Annotated[str, Field(max_length=500), AfterValidator(_printable)] = ""
    permalink: Annotated[str, Field(max_length=500)] = ""


@dataclass(frozen=True)
class Act:
    """What a user wants to do."""

    board: Board
    facts: Facts
    user: PageUser
    request: Request
    given: ActRequest

    @property
    def name(self) -> ActName:
        """The name of the act."""
        return self.given.act

    @property
    def dag_id(self) -> str:
        """The calendar's DAG."""
        return self.board.dag_id


async def perform(act: Act) -> str:
    """Do what the user wants, and return what happened, in a sentence.

    :raises HTTPException: If the user may not, or the post is in another state by now.
    """
    await run_in_threadpool(_require, act)
    done = await DOES[act.name](act)
    await run_in_threadpool(_log, act)
    return done


def _require(act: Act) -> None:
    if not may_act(act.user, act.dag_id, act.name):
        raise HTTPException(
            403, f"You do not have permission to do this to posts of {act.dag_id!r}."
        )
    if act.name in OF_THE_VERSION and may_edit(act.user, act.dag_id) and has_unread_edit(act.board):
        raise HTTPException(409, UNREAD)
    is_answer = act.name in ANSWERS
    if is_answer and act.given.version != questions.version_asked_about(act.facts):
        raise HTTPException(409, CHANGED)
    status = act.board.cards[f"{act.dag_id}/{act.facts.post.id}"].status
    if act.name not in acts_in(status, act.facts):
        by = _answered_by(act) if is_answer else None
        answered = f" {by} has answered already." if by else ""
        now = f"The state of this post is now: {status.state.in_words}."
        raise HTTPException(409, f"{now}{answered} Nothing was changed.")
    is_held = act.facts.is_held
    if is_answer:
        digests = list(questions.prepared_of(act.facts).digests)
        if (act.given.held, act.given.sha256) != (is_held, digests):
            raise HTTPException(409, CHANGED)
    if is_held and act.given.caption is not None:
        raise HTTPException(422, "The container has its caption already. Nothing was answered.")


async def _answer(act: Act) -> str:
    """Answer the approval's question. Of two answers, the first one counts."""
    run = _run(act)
    is_approved = act.name == "approve"
    given: dict[str, str | None] = {}
    asks = HOLDS if act.facts.is_held else "approve"
    if not is_approved:
        given = {"reason": act.given.reason or None}
    elif act.given.caption is not None and has_caption(act.facts.post):
        given = {"caption": act.given.caption}
        if broken := broken_by_values(given):
            raise HTTPException(422, f"{' '.join(map(str, broken))} Nothing was changed.")
    path = f"/dagRuns/{_quoted(run.run_id)}/taskInstances/{asks}/-1/hitlDetails"
    body = {"chosen_options": ["Approve" if is_approved else "Reject"], "params_input": given}
    async with ONE_ANSWER:
        if not await run_in_threadpool(
            questions.is_asked_about, act.dag_id, act.facts.post, run.run_id, asks
        ):
            raise HTTPException(409, CHANGED)
        if is_approved and asks == "approve":
            last = await run_in_threadpool(questions.last_question, act.facts.post, run)
            if last is not None and last.question.run_id != run.run_id:
                raise HTTPException(409, ASKED_SINCE.format(run.run_id))
        await _call(act, "PATCH", path, body)
    counted = None if act.facts.is_held else await run_in_threadpool(_counted, act)
    if counted is not None and (counted.approved, counted.person) != (is_approved, act.user.name):
        raise HTTPException(409, f"{counted.person} has answered already. Nothing was changed.")
    if not is_approved:
        return "Rejected. It is not published."
    return f"Approved. It is published {'at once' if run.at_once else 'at its time'}."


async def _retry(act: Act) -> str:
    """Clear the first task that failed and those after it.

    A container that is too old is made again as well. If Instagram refused a file, this begins with
    its transcode, because it may be another file by now. A post whose run was deleted gets another
    one.
    """
    post = act.facts.post
    if act.facts.run is None and act.facts.has_lost_run:
        body = {"logical_date": None, "conf": {BY_HAND: False}}
        await _call(act, "POST", "/dagRuns", body, planner_id(act.dag_id))
        return "The planner has been started. It begins another run for this post."
    run = _run(act)
    first = await run_in_threadpool(_first_to_clear, act, run)
    if first == "prepare" and act.board.asks_about(post) and run.task("approve").state == "success":
        # Airflow keeps the question about the file that was refused, so another run asks about the
        # one there is now.
        await _start_another(act)
        return "Another run tries it again, and asks for an approval of the file that is there now."
    await _clear(
        act,
        run.run_id,
        {"task_ids": [first], "include_downstream": True, "prevent_running_task": True},
    )
    return f"It is tried again, from {first} on."


async def _start_another(act: Act) -> None:
    """Start another run, which asks again and publishes the post at its time."""
    post = act.facts.post
    await _begin_run(act, f"manual__{post.id}__", {"post": post.id})


async def _clear(act: Act, run_id: str, tasks: Json) -> None:
    body = {"dry_run": False, "dag_run_id": run_id, "only_failed": False, "reset_dag_runs": True}
    await _call(act, "POST", "/clearTaskInstances", body | tasks)


def _first_to_clear(act: Act, run: PostRun) -> str:
    if act.facts.lacks_approval:
        return "approve"
    failed = act.facts.failed_step or "publish"
    if failed == "publish" and not act.facts.is_open and _container_is_old(act):
        failed = "create"
    return "prepare" if run.task(failed).said("mark") == MediaRejectedError.__name__ else failed


def _container_is_old(act: Act) -> bool:
    post = act.facts.post
    with database.open_ledger(post.account) as store:
        made = Ledger(store, post.account).containers(post.key)
    return not made or not made[-1].lives_until(max(utc_now(), post.publish_at))


async def _publish_now(act: Act) -> str:
    """Start a run for the post. Its id has a number, so that of two users one is refused."""
    post = act.facts.post
    now = utc_now()
    for run in act.board.source.runs.get(post.id, ()):
        if run.is_active and run.at_once and not run.is_dry and not run.is_dated_ahead(now):
            raise HTTPException(
                409, "Another run is publishing this post already. Nothing was changed."
            )
    await _begin_run(act, f"{NOW}{post.id}__", {"post": post.id, "now": True})
    started = "A run has been started, which publishes it as soon as it is ready."
    if act.board.calendar.is_paused:
        return f"{started} The calendar is paused, so this waits until it is unpaused."
    return started


async def _begin_run(act: Act, prefix: str, conf: Json) -> None:
    """Start a run, whose id gets the next number. Of two requests with one id, Airflow refuses one."""
    number = 1
    while f"{prefix}{number}" in act.board.source.run_ids:
        number += 1
    now = utc_now().isoformat()
    body = {"dag_run_id": f"{prefix}{number}", "logical_date": now, "conf": conf}
    await _call(act, "POST", "/dagRuns", body)


async def _skip(act: Act) -> str:
    """Record the decision, and let the post's run begin anew: it skips itself, or does not any more.

    Airflow keeps the answer that has rejected a post, so another run asks again.
    """
    post = act.facts.post
    is_skip = act.name == "skip"
    now = [run for run in act.board.source.runs.get(post.id, ()) if run.is_wanted_at_once(post)]
    if is_skip and now:
        message = f"The run {now[0].run_id} publishes this post at once, whoever skips it."
        raise HTTPException(409, f"{message} End that run in Airflow first. Nothing was changed.")
    if not is_skip and act.facts.is_rejected:
        await _start_another(act)
        return "Brought back. Another run prepares it, and asks for an approval again."

    def write() -> None:
        with database.open_ledger(post.account) as store:
            PostRows(store).record_skip(post, act.user.name if is_skip else None)
            if is_skip:
                # a run by hand publishes what is skipped, too, and would use the answer
                PostRecords(store, post.key).withdraw()

    await run_in_threadpool(write)
    if (run := act.board.own_run(post.id)) is not None and run.has_begun:
        await _clear(act, run.run_id, {})
    if is_skip:
        return "Skipped. No run publishes it, unless it was about to be published this minute."
    return (
        "Brought back. Its run publishes it, if that is still to come. Otherwise, publish it now."
    )


async def _settle(act: Act) -> str:
    permalink = act.given.permalink or None
    if permalink and web_address(permalink) is None:
        raise HTTPException(422, "The link must be a URL such as https://www.instagram.com/reel/…")
    post = act.facts.post
    live = act.name == "live"

    def write() -> None:
        with database.open_ledger(post.account) as store:
            database.settle(store, post.account, post.key, live=live, permalink=permalink)

    await run_in_threadpool(write)
    if act.facts.failed_step in STEPS:
        await _retry(act)
    return "Recorded as live." if live else "Recorded as not live. It is published again."


DOES: Final[dict[ActName, Callable[[Act], Awaitable[str]]]] = {
    "approve": _answer,
    "reject": _answer,
    "retry": _retry,
    "publish_now": _publish_now,
    "skip": _skip,
    "unskip": _skip,
    "live": _settle,
    "not_live": _settle,
}


def _run(act: Act) -> PostRun:
    if act.facts.run is None:
        raise HTTPException(409, "No run works on this post. Nothing was changed.")
    return act.facts.run


async def _call(act: Act, method: str, path: str, body: Json, dag_id: str = "") -> None:
    """Call Airflow's own API as the user, in this process: its rights and audit log apply.

    :param dag_id: The DAG, if that is not the calendar's.
    """
    headers = {
        name: act.request.headers[name] for name in CREDENTIALS if name in act.request.headers
    }
    transport = httpx.ASGITransport(app=act.request.scope["airflow_app"])
    address = f"/api/v2/dags/{_quoted(dag_id or act.dag_id)}{path}"
    async with httpx.AsyncClient(
        transport=transport, base_url="http://localhost", timeout=TIMEOUT_S
    ) as client:
        answer = await client.request(method, address, json=body, headers=headers)
    if answer.is_success:
        return
    text = _text_of(answer)
    if answer.status_code == 409 and path == "/dagRuns":
        text = (
            "Somebody else has just started a run with this name. Nothing was changed. Try again."
        )
    elif answer.status_code == 409 and method == "PATCH":
        by = await run_in_threadpool(_answered_by, act)
        text = f"{by} has answered already. Nothing was changed." if by else text
    raise HTTPException(answer.status_code, text)


def _text_of(answer: httpx.Response) -> str:
    """Return why Airflow refuses something, or an empty text: then, the page says what the status means."""
    try:
        detail = answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        return ""
    return f"Airflow refused this: {detail}" if isinstance(detail, str) and detail else ""


def _counted(act: Act) -> Answer | None:
    run = act.facts.run
    return None if run is None else questions.counted_answer(act.dag_id, act.facts.post, run)[0]


def _answered_by(act: Act) -> str | None:
    counted = _counted(act)
    return counted.person if counted is not None else None


def _quoted(part: str) -> str:
    return quote(part, safe="")


def _log(act: Act) -> None:
    post = act.facts.post
    run = act.facts.run
    reason = act.given.reason if act.name in WITH_REASON else None
    about = {"post": post.id, "post_key": post.key, "reason": reason}
    write_act(act.user.name, act.dag_id, act.name, about, run.run_id if run else None)
