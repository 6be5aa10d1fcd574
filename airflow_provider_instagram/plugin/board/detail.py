"""Everything that the side panel shows of one post."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from airflow.models.log import Log
from airflow.sdk import conf
from airflow.utils.session import create_session
from sqlalchemy import select

from airflow_provider_instagram.accounts.overview import kept_from
from airflow_provider_instagram.calendar.tasks.approve import digests_in
from airflow_provider_instagram.calendar.tasks.covers import cover_name
from airflow_provider_instagram.exceptions import InstagramError
from airflow_provider_instagram.ledger.database import open_ledger
from airflow_provider_instagram.ledger.insights import latest_numbers
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.plugin.board import questions
from airflow_provider_instagram.plugin.board.board import Board, kind_of
from airflow_provider_instagram.plugin.board.lines import lines_of
from airflow_provider_instagram.plugin.board.source import read_xcom
from airflow_provider_instagram.plugin.board.states import COMMENT, STEPS, Facts, PostRun, State
from airflow_provider_instagram.plugin.users import own_accounts
from airflow_provider_instagram.posts.kinds import ItemKind, kind_by_name
from airflow_provider_instagram.posts.limits import caption_warning
from airflow_provider_instagram.utils.addresses import safe_link

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from airflow_provider_instagram.calendar.file.model import InvalidPost, ScheduledPost
    from airflow_provider_instagram.calendar.tasks.answers import Answer
    from airflow_provider_instagram.ledger.records import PublishedPost

#: Acts of users are in Airflow's audit log under names that begin like this.
EVENT: Final = "instagram_post_"
MOST_EVENTS: Final = 500
TASK_NAMES: Final = {
    "transcode": "Prepared",
    "approve": "Approved",
    "create": "Container made",
    "publish": "Published",
    "comment": "First comment written",
}

ASKED: Final = "Approval asked for"
#: What the calendar's setting ``unanswered`` has decided.
NO_ANSWER: Final = "Nobody answered in time"

#: What a user can do to a post in each state.
ACTS_IN: Final[dict[State, tuple[str, ...]]] = {
    State.PLANNED: ("publish_now", "skip"),
    State.PREPARED: ("publish_now", "skip"),
    State.PREPARING: ("skip",),
    State.WAITING: ("approve", "reject"),
    State.READY: ("publish_now", "skip"),
    State.SKIPPED: ("publish_now",),
    State.PROBLEM: ("skip",),
    State.FAILED: ("retry", "publish_now", "skip"),
    State.UNKNOWN: ("live", "not_live", "retry"),
}


#: Acts that end with the post on Instagram.
PUBLISHING_ACTS: Final = ("approve", "publish_now")


def acts_in(state: State, facts: Facts) -> list[str]:
    """Return what a user can do to a post."""
    acts = list(ACTS_IN.get(state, ()))
    if facts.bad_row is not None and facts.run is None:
        acts.remove("retry")  # both others delete the row
    if facts.assignment is not None and facts.assignment.is_skip_of(facts.post) and state is State.SKIPPED:
        acts.insert(0, "unskip")
    if state is State.PUBLISHED and facts.run is not None and facts.run.has_failed(COMMENT):
        acts.append("retry")
    if facts.done is not None and facts.done.media_id and state in (State.PUBLISHED, State.UNKNOWN):
        acts = acts if state is State.PUBLISHED else []
        if facts.deletion is None or not facts.deletion.is_active:
            acts.append("delete")
        elif facts.deletion.asks:
            acts += ["confirm_deletion", "keep"]
    if facts.done is not None or facts.published_by is not None or facts.post.dry_run:
        acts = [act for act in acts if act != "publish_now"]
    return acts


def cannot(board: Board, post_id: str, acts: Sequence[str]) -> dict[str, str]:
    """Return why the account cannot do some of these acts. Nothing is said of an account of another team."""
    facts = board.facts.get(post_id)
    if facts is None or facts.post.account not in own_accounts(board.calendar):
        return {}
    ways = ((PUBLISHING_ACTS, facts.post.parameters()), (("delete",), None))
    reasons = {
        act: kept_from(facts.post.account, parameters) for names, parameters in ways for act in acts if act in names
    }
    return {act: why for act, why in reasons.items() if why}


def detail_of(board: Board, post_id: str) -> dict[str, Any]:
    """Return what the side panel shows of a post, as JSON."""
    key = f"{board.calendar.dag_id}/{post_id}"
    if key not in board.cards:  # the file has the id twice, and the page was opened by a link from before
        key = next((one for one, card in board.cards.items() if card.post.id == post_id), key)
    card = board.cards[key]
    content: dict[str, Any] = {"card": card.as_data(), "hint": card.status.hint, "why": card.status.text}
    facts = board.facts.get(post_id)
    if facts is None:
        return {**content, "acts": [], **_of_invalid(board, post_id)}
    post = facts.post
    with create_session(scoped=False) as session:
        transcode = (session, board.calendar.dag_id, facts.run, f"{post.account}.transcode")
        content["report"], made = read_xcom(*transcode, "report"), read_xcom(*transcode)
        acts_of_users = _acts_of_users(session, board.calendar.dag_id, post_id)
    containers, insights = _of_ledger(facts)
    approval = _approval(board.calendar.dag_id, post, facts.run)
    events = [*_history(board, facts, approval), *containers, *acts_of_users]
    answer = approval[0] if approval is not None else None
    caption = answer.caption if answer is not None and answer.approved else post.caption
    return {
        **content,
        "acts": acts_in(card.status.state, facts),
        "held": facts.is_held,
        "caption": caption,
        "warning": caption_warning(caption),
        "version": post.version,
        "sha256": list(digests_in(content["report"])),
        "kind": kind_of(post),
        "zone": post.publish_at.tzname(),
        "options": {name: value for name, value in post.without_signatures().options.items() if name != "caption"},
        "media": _media(post, card.version, made if isinstance(made, list) else [made]),
        "comment": post.first_comment,
        "line": post.line,
        "lines": _lines(board, post),
        "history": sorted(events, key=lambda one: one["at"] or "9"),
        "insights": insights,
        "link": _link(facts.done),
    }


def _link(done: PublishedPost | None) -> str | None:
    """Return the link to a post; None if it is not known, or leads nowhere because the post was deleted."""
    return safe_link(done.permalink) if done and done.permalink and done.deleted_at is None else None


def _media(post: ScheduledPost, version: str, made: list[Any]) -> list[dict[str, Any]]:
    """Return what the page shows of each item of a post.

    :param version: The name of its cover; empty if there is none.
    """
    items = []
    for place, location in enumerate(post.without_signatures().media, 1):
        result = str(made[place - 1]) if place <= len(made) else ""
        name = cover_name(version, place) if version else ""
        is_video = kind_by_name(result) is ItemKind.VIDEO
        alt = post.carousel[place - 1].alt_text if post.carousel else post.alt_text
        items.append({"file": location.rpartition("/")[2], "cover": name, "video": is_video, "alt": alt or ""})
    return items


def log_address(dag_id: str, account: str, run: PostRun, step: str) -> str:
    """Return the address of a task's log in Airflow's UI."""
    base = urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")
    task_id, mapped = (f"{account}.{step}", f"/mapped/{run.map_index}") if step != "due" else (f"due_{account}", "")
    parts = (quote(part, safe="") for part in (dag_id, run.run_id, task_id))
    return f"{base}/dags/{next(parts)}/runs/{next(parts)}/tasks/{next(parts)}{mapped}"


def _history(board: Board, facts: Facts, approval: tuple[Answer | None, str] | None) -> list[dict[str, Any]]:
    events = []
    tasks = facts.run.tasks if facts.run else {}
    is_required = facts.post.approval == "required"
    answer, answered_at = approval or (None, "")
    for step in (*STEPS, COMMENT):
        task = tasks.get(step)
        if facts.run is None or task is None or task.state is None or (step == "approve" and not is_required):
            continue  # the task `approve` of a post that needs no approval does nothing
        log = log_address(board.calendar.dag_id, facts.post.account, facts.run, step)
        if step == "approve" and answer is not None:
            what = f"{'Approved' if answer.approved else 'Rejected'} by {answer.person}"
            events.append(_event(answered_at, what, answer.reason or "", log))
        elif task.state == "success" and task.ended is not None:
            what = NO_ANSWER if step == "approve" and approval is not None else TASK_NAMES[step]
            events.append(_event(task.ended.isoformat(), what, "", log))
        else:
            begun = task.ended or task.started
            at = begun.isoformat() if begun else ""
            has_asked = step == "approve" and facts.run.has_asked
            events.append(_event(at, ASKED if has_asked else f"{step}: {task.state.replace('_', ' ')}", "", log))
    if facts.done is not None:
        link = _link(facts.done) or ""
        events.append(_event(facts.done.published_at, "Live on Instagram", facts.done.media_id or "", link))
        if facts.done.deleted_at is not None:
            by = f", by {facts.done.deleted_by}" if facts.done.deleted_by else ""
            events.append(_event(facts.done.deleted_at, f"Deleted from Instagram{by}", "", ""))
    return events


def _of_ledger(facts: Facts) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """Return the containers of a post as events, and its latest numbers if it has any."""
    if facts.published_by is not None:
        return [], None
    media_id = facts.done.media_id if facts.done is not None else None
    try:
        with open_ledger(facts.post.account) as store:
            made = Ledger(store, facts.post.account).containers(facts.post.key)
            numbers = latest_numbers(store, media_id) if media_id else None
    except InstagramError:  # no ledger, or a row that cannot be read
        return [], None
    events = [_event(one.created_at, "Container created", one.container_id, "") for one in made]
    if numbers is None:
        return events, None
    about = {"values": list(numbers.values.items()), "responses": list(numbers.responses.items())}
    return events, {"age": numbers.age, "at": numbers.read_at, **about}


def _event(at: str, what: str, detail: str, link: str) -> dict[str, Any]:
    return {"at": at, "what": what, "detail": detail, "link": link}


def _approval(dag_id: str, post: ScheduledPost, run: PostRun | None) -> tuple[Answer | None, str] | None:
    """Return a person's answer about a post with its time, or neither, or None if nothing was asked.

    The answer that counts may be another one than the one that Airflow stores last.
    """
    row = None if run is None else questions.asked_about(dag_id, post, run)
    if run is None or row is None or row.subject is None:
        return None
    answer = questions.answer_on_its_way(questions.answer_kwargs(row), post)
    if answer is None or answer.person is None:
        return None, ""
    counted = questions.counted_answer(dag_id, post, run)
    is_other = counted is not None and counted.person is not None
    return counted if is_other else answer, row.responded_at.isoformat()


def _acts_of_users(session: Session, dag_id: str, post_id: str) -> list[dict[str, Any]]:
    rows = session.execute(
        select(Log.dttm, Log.event, Log.owner_display_name, Log.extra)
        .where(Log.dag_id == dag_id, Log.event.startswith(EVENT, autoescape=True))
        .order_by(Log.dttm.desc())
        .limit(MOST_EVENTS)
    )
    found = []
    for at, event, owner, extra in rows:
        about = details_of(extra)
        if at is not None and about.get("post") == post_id and event != f"{EVENT}approve":
            what = event.removeprefix(EVENT).replace("_", " ").capitalize()
            found.append(
                _event(at.isoformat(), f"{what}, by {owner}", about.get("reason") or about.get("changed") or "", "")
            )
    return found


def details_of(extra: str | None) -> dict[str, Any]:
    """Return what a row of the audit log says of an act. Others write there, too."""
    try:
        about = json.loads(extra or "")
    except ValueError:
        return {}
    return about if isinstance(about, dict) else {}


def _of_invalid(board: Board, post_id: str) -> dict[str, Any]:
    """Return the lines of a post that has a problem. Its line follows its id if the calendar has the id twice."""
    content = board.stored.plan.calendar if board.stored else None
    all_posts: list[ScheduledPost | InvalidPost] = [*content.posts, *content.invalid] if content else []
    post_id, _, line = post_id.partition(":")
    found = [one for one in all_posts if one.id == post_id and line in ("", str(one.line))]
    return {"line": found[0].line, "lines": _lines(board, found[0])} if found else {"lines": ""}


def _lines(board: Board, post: ScheduledPost | InvalidPost) -> str:
    if board.stored is None:
        return ""
    content = board.stored.plan.calendar
    others = [*(one.line for one in content.posts), *(one.line for one in content.invalid)]
    return lines_of(post, board.stored.text, board.calendar.location, others)
