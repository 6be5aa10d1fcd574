"""Each problem of a calendar is reported once: in an event of an asset, and to the callbacks of its DAG."""

from __future__ import annotations

import logging
from copy import copy
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_instagram.calendar.file.problems import Problem
from airflow_provider_instagram.calendar.planning.problem_record import (
    MOST_FOUND,
    RECORD,
    ProblemRecord,
    problems_alias,
    problems_asset,
)
from airflow_provider_instagram.utils.locations import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow.sdk import Context

    from airflow_provider_instagram.calendar.planning.settings import CalendarSettings

#: A mistake in a large file may be hundreds of problems. One run reports so many, and counts the others.
MOST_AT_ONCE: Final = 20

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReportedProblem:
    """A problem, as an event and a callback's context contain it.

    :param dag_id: The calendar's DAG.
    :param calendar: Its file.
    :param line: The line of the file, from 1; 0 if the problem concerns the whole file.
    :param post: The id of the post, if the problem concerns one post.
    :param message: What is wrong.
    :param remedy: What to change.
    :param text: All of it in one line.
    """

    dag_id: str
    calendar: str
    line: int
    post: str | None
    message: str
    remedy: str
    text: str

    def __str__(self) -> str:
        """Return the problem in one line."""
        return self.text


def report_new(
    context: Context, settings: CalendarSettings, problems: Iterable[Problem], found: Iterable[Problem], *, is_all: bool
) -> None:
    """Report the problems that have not been reported. One that is corrected and returns counts as new.

    1. Read the row of the problems that have been reported. No other task of this DAG does so at this time.
    2. Add one event with all new problems, and call the callbacks for each. If the process dies now, the next try does
       it again. Airflow hands a DAG that waits for the asset only the first of several events of one task.
    3. Write the row. If a callback failed, the next run calls it again. Airflow stores the event when the task
       succeeds. If the process dies before that, the event is lost.

    :param settings: The calendar's settings.
    :param problems: All problems of now.
    :param found: Those of them that the DAG processor cannot find.
    :param is_all: Whether these are all. If the calendar cannot be read, none counts as corrected.
    """
    store = context["asset_state_store"][problems_asset(settings.dag_id)]
    before = ProblemRecord.of(store.get(RECORD)).told
    now = {problem.key: problem for problem in problems}
    due = [problem for key, problem in now.items() if not before.get(key)]
    reported = {
        problem.key: _reported(settings, problem) for problem in (*due[:MOST_AT_ONCE], *_others(due[MOST_AT_ONCE:]))
    }
    if new := [one for key, one in reported.items() if key not in before]:
        extra: dict[str, Any] = {
            "dag_id": settings.dag_id,
            "calendar": shown(settings.calendar),
            "text": "\n".join(one.text for one in new),
            "problems": [asdict(one) for one in new],
        }
        context["outlet_events"][problems_alias(settings.dag_id)].add(problems_asset(settings.dag_id), extra=extra)
    failed = {key for key, one in reported.items() if not _call_back(context, settings, one)}
    told = {key: key not in failed for key in now}
    record = ProblemRecord(told=told if is_all else before | told, found=tuple(found)[:MOST_FOUND])
    store.set(RECORD, record.model_dump(mode="json"))


def _others(problems: list[Problem]) -> list[Problem]:
    if not problems:
        return []
    return [Problem(0, f"{len(problems)} more problems are new.", "airflow instagram calendar check lists all.")]


def _reported(settings: CalendarSettings, problem: Problem) -> ReportedProblem:
    location = shown(settings.calendar)
    return ReportedProblem(
        dag_id=settings.dag_id,
        calendar=location,
        line=problem.line,
        post=problem.post_id,
        message=problem.message,
        remedy=problem.remedy,
        text=problem.text(location),
    )


def _call_back(context: Context, settings: CalendarSettings, reported: ReportedProblem) -> bool:
    """Call the callbacks with the context, as Airflow does. Return whether all of them succeeded."""
    succeeded = True
    for callback in settings.on_problem:
        try:
            copy(callback)({**context, "problem": reported})  # a notifier renders its templates in place, once
        except Exception:  # noqa: PERF203 -- one that fails keeps neither the others nor the run from succeeding
            log.exception("on_problem failed for: %s. The next run calls it again.", reported)
            succeeded = False
    return succeeded
