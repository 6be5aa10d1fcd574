"""The DAG of a content calendar."""

from __future__ import annotations

import gc
import inspect
import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from os import PathLike
from typing import Any

from airflow.sdk import DAG, Param, XComArg, get_parsing_context, task_group

from airflow_provider_instagram.calendar.file.model import Calendar
from airflow_provider_instagram.calendar.file.problems import Problem
from airflow_provider_instagram.calendar.file.times import MAX_DURATION
from airflow_provider_instagram.calendar.planning.plan import Plan
from airflow_provider_instagram.calendar.planning.schedule import utc_now
from airflow_provider_instagram.calendar.planning.settings import SET_BY_CALENDAR, CalendarSettings
from airflow_provider_instagram.calendar.tasks.create import CreatePost
from airflow_provider_instagram.calendar.tasks.publish import PublishPost
from airflow_provider_instagram.calendar.tasks.report_problems import ReportProblems, missing_files
from airflow_provider_instagram.calendar.tasks.select_posts import SelectPosts
from airflow_provider_instagram.calendar.tasks.tell import TellPost
from airflow_provider_instagram.calendar.tasks.transcode import TranscodePost
from airflow_provider_instagram.calendar.timetable import ContentCalendarTimetable
from airflow_provider_instagram.exceptions import TransientError
from airflow_provider_instagram.utils.connection import DEFAULT_CONN_ID

log = logging.getLogger(__name__)

MAX_PROBLEMS_IN_DOC = 50
#: How many runs may be active: never the reason why a run does not start. A limit that follows from the plan would
#: count no run that an edit has replaced, and such a run is active until its publishers have ended.
MAX_ACTIVE_RUNS = 10_000
#: Arguments of the DAG that its author may set. The calendar sets the others.
DAG_ARGUMENTS = frozenset(inspect.signature(DAG).parameters) - {"dag_id", *SET_BY_CALENDAR}
#: Airflow requires a start date. The calendar determines when the first run begins.
START_DATE = datetime(2010, 10, 6, tzinfo=timezone.utc)


@contextmanager
def _without_collector() -> Iterator[None]:
    """Pause the garbage collector, which scans the growing calendar repeatedly and finds nothing to free.

    For 2,000 posts, this saves 0.10 of 0.38 s of each parse, and 0.27 of 0.81 s of the first parse after an edit.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@_without_collector()
def content_calendar_dag(
    dag_id: str,
    calendar: str | PathLike[str],
    *,
    accounts: Collection[str] = (DEFAULT_CONN_ID,),
    lead_time: timedelta = timedelta(hours=1),
    prepare_ahead: timedelta | str = timedelta(days=3),
    late: str = "publish",
    max_lateness: timedelta = timedelta(hours=1),
    min_spacing: timedelta | None = None,
    approval: str | None = None,
    unanswered: str = "skip",
    dry_run: bool = False,
    columns: Mapping[str, str] | None = None,
    defaults: Mapping[str, str] | None = None,
    notify: Callable[[Any], Any] | Sequence[Callable[[Any], Any]] | None = None,
    clock: Callable[[], datetime] = utc_now,
    **dag_arguments: Any,
) -> DAG:
    """Return the DAG that publishes a calendar's posts on time. No mistake in it raises, which would stall active runs.

    :param calendar: The file: a path or a URI that ObjectStoragePath opens, or the https address of a sheet.
    :param accounts: The connections that the file may name, at most 200. A post of another account is left out.
    :param lead_time: How long before a post's time the run begins that publishes it.
    :param prepare_ahead: How long before that time a run transcodes it and asks for its approval, such as ``7 days``.
    :param late: What to do with a post whose time has passed: ``publish`` or ``skip``.
    :param max_lateness: How late a post may still be published.
    :param min_spacing: The smallest distance between two posts of an account. None goes by the file.
    :param approval: ``required`` demands an approval of each post, whatever the file says. None goes by the file.
    :param unanswered: What to do with a post that nobody has approved or rejected by its time: ``skip`` or ``publish``.
    :param dry_run: Whether each run stops before it publishes.
    :param columns: For a sheet: what its columns mean, by their titles, such as ``{"Clip": "video"}``.
    :param defaults: For a sheet: values of posts that have none of their own, and the order of ``dates``.
    :param notify: A notifier or a callable, or a list of them, for posts that need somebody, and for new problems.
    :param dag_arguments: More arguments of the DAG, for example ``default_args`` or ``tags``.
    :raises TransientError: If the storage of the snapshots or of a caption file fails. Airflow keeps the stored DAG.
    """
    unknown = {name: dag_arguments.pop(name) for name in (*dag_arguments,) if name not in DAG_ARGUMENTS}
    settings = CalendarSettings.of(
        dag_id, calendar, accounts=accounts, lead_time=lead_time, prepare_ahead=prepare_ahead, late=late,
        max_lateness=max_lateness, min_spacing=min_spacing, approval=approval, unanswered=unanswered, dry_run=dry_run,
        notify=notify, columns=columns or {}, defaults=defaults or {}, **unknown,
    )  # fmt: skip
    return _dag(settings, _plan(settings, clock()), dag_arguments)


def _plan(settings: CalendarSettings, now: datetime) -> Plan:
    """Return the calendar's plan. If it cannot be made, it has a problem and no posts."""
    # A worker parses the DAG for one task, which reads the calendar itself. The import reads nothing: it must not wait
    # for a storage, nor leave out what the task needs, such as the result of an approval.
    if get_parsing_context().task_id:
        return Plan(Calendar(settings.location))
    try:
        return settings.plan(now)
    except TransientError:
        raise  # a DAG without posts would remove the tasks of the active runs
    except Exception as error:  # a calendar must never keep its DAG from being parsed
        log.exception("The calendar %s cannot be understood", settings.location)
        problem = Problem(0, f"the file cannot be understood ({type(error).__name__}).", "Please report this.")
        return Plan(Calendar(settings.location, problems=(problem,)))


def _dag(settings: CalendarSettings, plan: Plan, dag_arguments: dict[str, Any]) -> DAG:
    parsed_for = get_parsing_context().task_id or ""  # the task for which a worker parses the DAG
    timely, runs = plan.timely, plan.runs(settings.lead_time, settings.max_lateness, settings.prepare_ahead)
    # Object storage is left to the tasks: the DAG processor must not wait for it.
    missing = missing_files(timely, utc_now(), local=True, ahead=MAX_DURATION)
    with DAG(
        settings.dag_id,
        schedule=ContentCalendarTimetable(
            runs,
            int(settings.lead_time.total_seconds()),
            _summary(timely),
            since=plan.since,
            calendar=settings.for_pages(plan, missing),
        ),
        catchup=True,
        **{
            "start_date": START_DATE,
            "max_active_runs": MAX_ACTIVE_RUNS,
            "doc_md": _doc(replace(timely, problems=(*timely.problems, *missing)), settings),
            "params": _params(),
            "tags": ["instagram"],
            **dag_arguments,
        },
    ) as dag:
        ReportProblems(task_id="calendar", settings=settings)
        for account in sorted({*plan.accounts, *_account_of(parsed_for)}):
            own = [post for post in plan.calendar.posts if post.account == account]
            asks_approval = bool(parsed_for) or any(post.approval == "required" for post in own)
            comments = bool(parsed_for) or any(post.first_comment for post in own)
            _account_group(account, settings, asks_approval=asks_approval, comments=comments)
    return dag


def _account_of(task_id: str) -> list[str]:
    """Return the account of the task that a worker is about to run: the calendar may have no post for it any more."""
    group, dot, _ = task_id.partition(".")
    account = group if dot else task_id.removeprefix("due_")
    return [account] if account != task_id else []


def _account_group(account: str, settings: CalendarSettings, *, asks_approval: bool, comments: bool) -> None:
    """Add the task group of an account, mapped over its posts. All of them share connection and ledger."""
    due = SelectPosts(task_id=f"due_{account}", settings=settings, instagram_conn_id=account)

    @task_group(group_id=account)
    def posts(post: Any) -> None:
        common = {"post": post, "settings": settings, "instagram_conn_id": account}
        transcode = TranscodePost(task_id="transcode", **common)
        report = XComArg(transcode, key="report")
        approved = None
        if asks_approval:
            from airflow_provider_instagram.calendar.tasks.approve import ApprovePost

            approved = ApprovePost(task_id="approve", report=report, **common).output
        create = CreatePost(task_id="create", media=transcode.output, approved=approved, report=report, **common)
        publish = PublishPost(task_id="publish", container_id=create.output, **common)
        last: list[Any] = [publish]
        if comments:
            from airflow.providers.standard.operators.empty import EmptyOperator

            from airflow_provider_instagram.calendar.tasks.publish import CommentPost

            comment = CommentPost(task_id="comment", published=publish.output, **common)
            # The last task decides the state of the run. A comment that fails must not make the post look failed.
            [publish, comment] >> EmptyOperator(task_id="end", trigger_rule="one_success")
            last.append(comment)
        if settings.notify is not None:
            last >> TellPost(task_id="tell", **common).as_teardown()

    posts.expand(post=due.output)


def _params() -> dict[str, Param]:
    return {
        "posts": Param(
            None,
            type=["null", "array"],
            items={"type": "string"},
            title="Posts",
            description="For a run that you start: the ids of the posts to publish, one per line. Each is published at "
            "its time, or at once if that has passed, however late.",
        ),
        "now": Param(
            False,
            type="boolean",
            title="Now",
            description="Publish the posts that you named at once, also those whose time is to come.",
        ),
        "dry_run": Param(
            False,
            type="boolean",
            title="Dry run",
            description="Do everything except publish, and log what would be published.",
        ),
    }


def _summary(calendar: Calendar) -> str:
    if not (posts := calendar.posts):
        return "no posts"
    count = "1 post" if len(posts) == 1 else f"{len(posts)} posts"
    return f"{count}, {posts[0].publish_at:%Y-%m-%d} to {posts[-1].publish_at:%Y-%m-%d}"


def _doc(calendar: Calendar, settings: CalendarSettings) -> str:
    problems = (*settings.problems, *calendar.problems)
    lines = [f"Publishes the posts of `{calendar.location}`: {_summary(calendar)}."]
    if problems:
        lines += ["", f"**Problems that keep posts from being published: {len(problems)}**", ""]
    texts = (problem.text(calendar.location).replace("`", "'") for problem in problems[:MAX_PROBLEMS_IN_DOC])
    lines += [f"* `{text}`" for text in texts]
    if (more := len(problems) - MAX_PROBLEMS_IN_DOC) > 0:
        lines.append(f"* … and {more} more")
    return "\n".join(lines)
