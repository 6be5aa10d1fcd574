"""What people should know of a calendar is told once: in an event of an asset, and by the notifiers of its DAG."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from airflow.sdk import BaseNotifier, Context

from airflow_provider_instagram.calendar.file.problems import Problem
from airflow_provider_instagram.calendar.planning.told import (
    MOST_FOUND,
    RECORD,
    PostRecord,
    ProblemRecord,
    events_alias,
    events_asset,
)
from airflow_provider_instagram.exceptions import TransientError
from airflow_provider_instagram.ledger.events import become_first_emitter
from airflow_provider_instagram.ledger.ledger import Ledger, row_key
from airflow_provider_instagram.ledger.seal import SealedStore
from airflow_provider_instagram.utils.pages import post_page
from airflow_provider_instagram.utils.time_limit import within_timeout
from airflow_provider_instagram.utils.urls import shown

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.columns import ScheduledPost
    from airflow_provider_instagram.calendar.planning.settings import CalendarSettings

#: A mistake in a large file may be hundreds of problems. One run tells so many, and counts the
#: others.
MOST_AT_ONCE: Final = 20
#: How long a notifier may take. Posts wait for it.
NOTIFIER_TIMEOUT_S: Final = 10.0
EventName = Literal["waiting", "held", "late", "problem", "failed", "unknown"]

log = logging.getLogger(__name__)


class Told(NamedTuple):
    """What is told of a post, or of a calendar."""

    event: EventName
    message: str
    remedy: str = ""
    #: Under which name this is recorded, if the event is told more than once.
    once: str = ""
    #: Whether it is told although it was told before.
    is_again: bool = False


@dataclass(frozen=True)
class CalendarEvent:
    """What happened, as an event of the asset and the context of a notifier contain it.

    :param event: ``waiting`` (for an approval), ``held`` (by the copyright check), ``late``,
        ``problem``, ``failed`` or ``unknown``.
    :param dag_id: The calendar's DAG.
    :param calendar: Its file.
    :param post: The id of the post, if the event concerns one post.
    :param account: The connection of the post.
    :param publish_at: The time of the post, as ISO 8601.
    :param line: The line of the file, from 1; 0 if the event concerns no line.
    :param message: What happened.
    :param remedy: What to do.
    :param text: All of it in one line.
    :param link: The address of the post on the Posts page, or of the page; empty without ``[api]
        base_url``.
    """

    event: EventName
    dag_id: str
    calendar: str
    message: str
    remedy: str
    text: str
    link: str
    post: str | None = None
    account: str | None = None
    publish_at: str | None = None
    line: int = 0

    def __str__(self) -> str:
        """Return the event in one line."""
        return self.text


def told_assets(dag_id: str) -> dict[str, Any]:
    """Return the inlets and the outlets that a task needs to tell something."""
    asset = events_asset(dag_id)
    alias = events_alias(dag_id)
    return {"inlets": [asset, alias], "outlets": [alias]}


def tell_problems(
    context: Context,
    settings: CalendarSettings,
    problems: Iterable[Problem],
    found: Iterable[Problem],
    *,
    is_all: bool,
) -> bool:
    """Report the problems that have not been told. One that is corrected and returns counts as new.

    1. Read the row of the problems that have been told. No other task of this DAG does so at this
       time.
    2. Add one event with all new problems, and call the notifiers for each. If the process dies
       now, the next try does it again. Airflow hands a DAG that waits for the asset only the first
       of several events of one task.
    3. Write the row. If a notifier failed for a new problem, no new one counts as told: the task
       has to fail, and its next try does all of it again. After the last try, each later run calls
       that notifier once, until it succeeds. Airflow stores the event when the task succeeds. If
       the process dies before that, the event is lost.

    :param found: Those of them that are not in the plan.
    :param is_all: Whether these are all. If the calendar cannot be read, none counts as corrected.
    :return: Whether the new ones are told, or this is the last try.
    """
    store = SealedStore.of(context, events_asset(settings.dag_id))
    before = ProblemRecord.of(store.get(RECORD)).told
    now = {problem.key: problem for problem in problems}
    due = [problem for key, problem in now.items() if not before.get(key)]
    if (more := len(due) - MOST_AT_ONCE) > 0:
        others = Problem(
            0, f"{more} more problems are new.", "airflow instagram calendar check lists all."
        )
        due = [*due[:MOST_AT_ONCE], others]
    events = {problem.key: _problem_event(settings, problem) for problem in due}
    _emit(context, settings, [event for key, event in events.items() if key not in before])
    succeeded = {}
    for key, event in events.items():
        succeeded[key] = notify(context, settings, event)
    is_new_told = all(succeeded.get(key, True) for key in now.keys() - before.keys())
    is_told = is_new_told or is_last_try(context)
    told = {key: succeeded.get(key, True) for key in now if is_told or key in before}
    record = ProblemRecord(told=told if is_all else before | told, found=tuple(found)[:MOST_FOUND])
    store.set(RECORD, record.model_dump(mode="json"))
    return is_told


def _problem_event(settings: CalendarSettings, problem: Problem) -> CalendarEvent:
    told = Told("problem", problem.message, problem.remedy)
    text = problem.text(shown(settings.calendar))
    return _event(settings, told, text, problem.post_id, line=problem.line)


def tell_post(
    context: Context,
    settings: CalendarSettings,
    post: ScheduledPost,
    told: Told,
    *,
    emits: bool = True,
) -> bool:
    """Report what happened to a post, once for each of its versions, as :func:`tell_problems` does.

    If a notifier fails, the next call does all of it again: the task then fails, and Airflow stores
    no event of it.

    :param emits: Whether this task is about to succeed: Airflow stores events of no other one.
    :return: Whether all notifiers succeeded, now or before.
    """
    store = SealedStore.of(context, events_asset(settings.dag_id))
    key = row_key("told", post.key)
    record = PostRecord.of(store.get(key))
    before = record.told if record.version == post.version else {}
    name = told.once or told.event
    if before.get(name) and not told.is_again:
        return True
    at = f"{post.publish_at:%a %d %b, %H:%M %Z}"
    day = f"{post.publish_at:%Y-%m-%d}"
    text = " ".join(f"{post.id} ({post.account}, {at}): {told.message} {told.remedy}".split())
    publish_at = post.publish_at.isoformat()
    event = _event(
        settings,
        told,
        text,
        post.id,
        day,
        account=post.account,
        publish_at=publish_at,
        line=post.line,
    )
    _emit(context, settings, [event] if emits else [])
    succeeded = notify(context, settings, event)
    store.set(
        key,
        PostRecord(version=post.version, told={**before, name: succeeded}).model_dump(mode="json"),
    )
    return succeeded


def tell_failed_run(
    context: Context, settings: CalendarSettings, message: str, remedy: str
) -> None:
    """Call the notifiers for a run that failed."""
    text = f"{shown(settings.calendar)}: {message} {remedy}"
    notify(context, settings, _event(settings, Told("failed", message, remedy), text))


def notifier_failed() -> TransientError:
    """Return the error with which a task is tried again, and calls the notifiers again."""
    return TransientError("A notifier failed.", hint="Its error is above, in this log.")


def is_last_try(context: Context) -> bool:
    """Return whether a task is not tried again. Then its event counts, whatever the notifiers do."""
    return bool(context["ti"].try_number > context["ti"].max_tries)


def _event(
    settings: CalendarSettings,
    told: Told,
    text: str,
    post_id: str | None = None,
    day: str | None = None,
    **more: Any,
) -> CalendarEvent:
    return CalendarEvent(
        event=told.event,
        dag_id=settings.dag_id,
        calendar=shown(settings.calendar),
        message=told.message,
        remedy=told.remedy,
        text=text,
        link=post_page(settings.dag_id, post_id, day),
        post=post_id,
        **more,
    )


def _emit(context: Context, settings: CalendarSettings, events: Sequence[CalendarEvent]) -> None:
    """Add one event of the asset with all that is new."""
    if events:
        asset = events_asset(settings.dag_id)
        alias = events_alias(settings.dag_id)
        become_first_emitter(
            context, Ledger(SealedStore.of(context, asset), settings.dag_id), alias
        )
        extra: dict[str, Any] = {
            "dag_id": settings.dag_id,
            "calendar": shown(settings.calendar),
            "text": "\n".join(one.text for one in events),
            "events": [asdict(one) for one in events],
        }
        context["outlet_events"][alias].add(asset, extra=extra)


def notify(context: Context, settings: CalendarSettings, event: CalendarEvent) -> bool:
    """Call the notifiers with the context, as Airflow does. Return whether all of them succeeded in time."""
    succeeded = True
    for notifier in settings.notify or ():
        try:
            within_timeout(
                NOTIFIER_TIMEOUT_S,
                partial(_call, notifier, {**context, "event": event}),
                "a notifier",
            )
        except Exception:  # noqa: PERF203 -- the others are called all the same
            log.exception("A notifier failed for: %s", event)
            succeeded = False
    return succeeded


def _call(notifier: Any, given: Any) -> None:
    if isinstance(notifier, BaseNotifier):  # called, it would only log its errors
        one = copy(notifier)  # it renders its templates in place, once
        given |= {name: getattr(one, name) for name in one.template_fields}
        one.render_template_fields(given)
        one.notify(given)
    else:
        notifier(given)
