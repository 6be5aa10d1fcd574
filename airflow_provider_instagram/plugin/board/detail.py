"""Everything that the side panel shows of one post."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from airflow.sdk import conf

from airflow_provider_instagram.accounts.overview import kept_from
from airflow_provider_instagram.calendar.tasks.covers import cover_name
from airflow_provider_instagram.exceptions import (
    InstagramError,
    MediaRejectedError,
    TranscodeError,
    ValidationError,
)
from airflow_provider_instagram.ledger.database import open_ledger
from airflow_provider_instagram.ledger.insights import latest_numbers
from airflow_provider_instagram.plugin.board import questions
from airflow_provider_instagram.plugin.board.board import Board, kind_of
from airflow_provider_instagram.plugin.board.queries import acts_of_users
from airflow_provider_instagram.plugin.board.states import COMMENT, Facts, State
from airflow_provider_instagram.plugin.users import dag_that_deletes, own_accounts
from airflow_provider_instagram.posts.kinds import ItemKind, kind_by_name
from airflow_provider_instagram.posts.limits import caption_warning
from airflow_provider_instagram.utils.clock import utc_now
from airflow_provider_instagram.utils.urls import safe_link

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.columns import ScheduledPost
    from airflow_provider_instagram.calendar.tasks.answers import Answer, PreparedPost
    from airflow_provider_instagram.ledger.records import PublishedPost
    from airflow_provider_instagram.plugin.board.states import Status
    from airflow_provider_instagram.plugin.bodies import Json
    from airflow_provider_instagram.plugin.users import PageUser

MOST_EVENTS: Final = 500
#: The errors of a preparation that another file mends.
OF_FILES: Final = tuple(
    one.__name__ for one in (MediaRejectedError, TranscodeError, ValidationError)
)
#: What the history calls a task that did not succeed.
TASK_NAMES: Final = {
    "prepare": "Preparation of its files",
    "approve": "Approval",
    "create": "Hand-over to Instagram",
    "publish": "Publication",
    "comment": "First comment",
}

#: What a user can do to a post in each state.
ACTS_IN: Final[dict[State, tuple[str, ...]]] = {
    State.PLANNED: ("publish_now", "skip"),
    State.IN_WORK: ("skip",),
    State.WAITING: ("approve", "reject"),
    State.READY: ("publish_now", "skip"),
    State.SKIPPED: ("publish_now",),
    State.PROBLEM: ("skip",),
    State.FAILED: ("retry", "publish_now", "skip"),
    State.UNKNOWN: ("live", "not_live", "retry"),
}


#: What the history says of acts.
ACT_NAMES: Final = {
    "reject": "Rejected",
    "retry": "Tried again",
    "publish_now": "Published now",
    "skip": "Skipped",
    "unskip": "Brought back",
    "live": "Recorded as live",
    "not_live": "Recorded as not live",
    "change": "Changed",
    "remove": "Removed",
    "add": "Added",
    "duplicate": "Copied",
    "restore": "Brought back into the file",
}
#: Acts that end with the post on Instagram.
PUBLISHING_ACTS: Final = ("approve", "publish_now")


def acts_in(status: Status, facts: Facts) -> list[str]:
    """Return what a user can do to a post."""
    state = status.state
    run = facts.run
    acts = list(ACTS_IN[State.READY] if status.is_late else ACTS_IN.get(state, ()))
    if status.is_going_out and not status.is_late:
        acts = []
    if facts.bad_row is not None and run is None:
        acts.remove("retry")  # both others delete the row
    # later, nobody would be asked any more
    is_undone = facts.is_rejected and facts.post.publish_at > utc_now()
    if state is State.SKIPPED and (is_undone or facts.skipped_by is not None):
        acts.insert(0, "unskip")
    if facts.is_wanted_at_once:
        # who started the run wants the post, whatever the calendar says
        acts = [act for act in acts if act != "skip"]
    if status.is_late and run is not None and run.has_begun and run.is_active:
        acts.remove("publish_now")  # its own run is about to
    if state is State.PUBLISHED and facts.failed_step is not None:
        acts.append("retry")
    if facts.done is not None or facts.published_by is not None:
        acts = [act for act in acts if act != "publish_now"]
    return acts


def cannot(board: Board, post_id: str, acts: Sequence[str]) -> dict[str, str]:
    """Return why the account cannot do some of these acts. Nothing is said of an account of another team."""
    facts = board.facts.get(post_id)
    offered = [act for act in acts if act in PUBLISHING_ACTS]
    if facts is None or not offered:
        return {}
    post = facts.post
    if post.account not in own_accounts(board.dag_id, board.accounts):
        return {}
    why = kept_from(post.account, post.parameters())
    return dict.fromkeys(offered, why) if why else {}


def deletion_of(board: Board, post_id: str, user: PageUser) -> dict[str, str] | None:
    """Return where a user can start a run that deletes a live post, and the key that it asks for. None if nowhere."""
    facts = board.facts.get(post_id)
    if facts is None or facts.done is None or not facts.done.media_id:
        return None
    is_live = board.cards[f"{board.dag_id}/{post_id}"].status.state is State.PUBLISHED
    dag_id = dag_that_deletes(user, facts.post.account) if is_live else None
    return None if dag_id is None else {"link": dag_address(dag_id), "key": facts.post.key}


def detail_of(board: Board, post_id: str) -> Json:
    """Return what the side panel shows of a post, as JSON."""
    card = board.cards[f"{board.dag_id}/{post_id}"]
    content: Json = {
        "card": card.as_data(),
        "hint": card.status.hint,
        "why": card.status.text,
    }
    facts = board.facts.get(post_id)
    if facts is None:
        return {**content, "acts": []}
    post = facts.post
    prepared = questions.prepared_of(facts)
    answer = None
    answered_at = ""
    if facts.run is not None and post.approval == "required":
        answer, answered_at = questions.counted_answer(board.dag_id, post, facts.run)
    events = [
        *_history(board, facts, prepared, answer, answered_at),
        *_acts_of_users(board.dag_id, post_id),
    ]
    caption = answer.caption if answer is not None and answer.approved else post.caption
    options = dict(post.without_signatures().options)
    options.pop("caption", None)
    return {
        **content,
        "acts": acts_in(card.status, facts),
        "report": list(map(_texts, prepared.reports)),
        "held": facts.is_held,
        "caption": caption,
        "file_caption": post.caption if caption != post.caption else None,
        "needs_file": _needs_file(facts),
        "warning": caption_warning(caption),
        "version": questions.version_asked_about(facts),
        "sha256": list(prepared.digests),
        "kind": kind_of(post),
        "zone": post.publish_at.tzname(),
        "options": options,
        "media": _media(post, card.version, prepared),
        "comment": post.first_comment,
        "history": sorted(events, key=lambda one: one["at"] or "9"),
        "insights": _insights(facts),
        "link": _link(facts.done),
    }


def _texts(report: Json) -> Json:
    """Return what the page shows of the report of a file."""
    reasons = report.get("reasons", ())
    warnings = report.get("warnings", ())
    return {"tier": str(report.get("tier", "")), "reasons": [*reasons], "warnings": [*warnings]}


def _needs_file(facts: Facts) -> bool:
    """Return whether a post has failed because of its file, which only another one fixes."""
    failed = facts.failed_step
    if failed is None or facts.done is not None:
        return False
    mark = facts.task(failed).said("mark")
    return mark == MediaRejectedError.__name__ or (failed == "prepare" and mark in OF_FILES)


def _link(done: PublishedPost | None) -> str | None:
    """Return the link to a post; None if it is not known, or leads nowhere because the post was deleted."""
    if done is None or done.deleted_at is not None:
        return None
    return safe_link(done.permalink)


def _media(post: ScheduledPost, version: str, prepared: PreparedPost) -> list[Json]:
    """Return what the page shows of each item of a post.

    :param version: The name of its cover; empty if there is none.
    """
    items = []
    named = zip_longest(post.without_signatures().media, prepared.media, prepared.digests)
    for place, (location, made, sha256) in enumerate(named, 1):
        name = cover_name(version, place, sha256) if version else ""
        is_video = kind_by_name(made or "") is ItemKind.VIDEO
        alt = post.carousel[place - 1].alt_text if post.carousel else post.alt_text
        items.append(
            {
                "file": location.rpartition("/")[2],
                "cover": name,
                "video": is_video,
                "alt": alt or "",
            }
        )
    return items


def dag_address(dag_id: str) -> str:
    """Return the address of a DAG in Airflow's UI."""
    base = urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")
    return f"{base}/dags/{quote(dag_id, safe='')}"


def _history(
    board: Board, facts: Facts, prepared: PreparedPost, answer: Answer | None, answered_at: str
) -> list[Json]:
    events = []
    # A user may have marked a task as a success. What is live has an event of its own.
    done_words = {
        "prepare": "Files ready" if prepared.media else "",
        "approve": "Nobody has approved this",
        "create": "Instagram has it" if prepared.container_id else "",
    }
    if facts.run is not None:
        for step, task in facts.run.tasks.items():
            # the task `approve` of a post that needs no approval does nothing
            if task.state is None or (step == "approve" and facts.post.approval != "required"):
                continue
            log = (
                f"{dag_address(board.dag_id)}/runs/{quote(facts.run.run_id, safe='')}/tasks/{step}"
            )
            at = task.ended or task.started
            begun = at.isoformat() if at is not None else ""
            if step == "approve" and answer is not None and answer.person is not None:
                what = f"{'Approved' if answer.approved else 'Rejected'} by {answer.person}"
                events.append(_event(answered_at or begun, what, answer.reason or "", log))
            elif task.state == "success" and done_words.get(step):
                events.append(_event(begun, done_words[step], "", log))
            elif task.state == "failed" or (task.state == "skipped" and step != COMMENT):
                events.append(_event(begun, f"{TASK_NAMES[step]}: {task.state}", "", log))
    done = facts.done
    if done is not None:
        link = _link(done) or ""
        events.append(_event(done.published_at, "Live on Instagram", done.media_id or "", link))
        if done.deleted_at is not None:
            by = f", by {done.deleted_by}" if done.deleted_by else ""
            events.append(_event(done.deleted_at, f"Deleted from Instagram{by}"))
    return events


def _insights(facts: Facts) -> Json | None:
    """Return the latest metrics of a post if it has any."""
    media_id = facts.done.media_id if facts.done is not None else None
    if media_id is None or facts.published_by is not None:
        return None
    try:
        with open_ledger(facts.post.account) as store:
            numbers = latest_numbers(store, media_id)
    except InstagramError:  # no ledger, or a row that cannot be read
        return None
    if numbers is None:
        return None
    values = {**numbers.values, **dict.fromkeys(numbers.refused, "refused by Instagram")}
    return {"age": numbers.age, "at": numbers.read_at, "values": list(values.items())}


def _event(at: str, what: str, detail: str = "", link: str = "") -> Json:
    return {"at": at, "what": what, "detail": detail, "link": link}


def _acts_of_users(dag_id: str, post_id: str) -> list[Json]:
    events = []
    for at, what, owner, about in acts_of_users(dag_id, MOST_EVENTS):
        if about.get("post") == post_id and what != "approve":
            name = ACT_NAMES.get(what, what.capitalize())
            detail = about.get("reason") or str(about.get("changed") or "").replace("_", " ")
            events.append(_event(at.isoformat(), f"{name} by {owner}", str(detail)))
    return events
