"""A DAG made of a content calendar."""

from __future__ import annotations

import gc
import inspect
import logging
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, Param, XComArg, get_parsing_context, task_group

from airflow_provider_instagram.calendar.file.parser import Calendar
from airflow_provider_instagram.calendar.file.problems import Problem
from airflow_provider_instagram.calendar.planning.plan import Plan
from airflow_provider_instagram.calendar.planning.schedule import densest, pool_name, utc_now
from airflow_provider_instagram.calendar.planning.settings import OURS, CalendarSettings
from airflow_provider_instagram.calendar.tasks.create import CreatePost
from airflow_provider_instagram.calendar.tasks.publish import PublishPost
from airflow_provider_instagram.calendar.tasks.report_problems import ReportFaults
from airflow_provider_instagram.calendar.tasks.select_posts import DuePosts
from airflow_provider_instagram.calendar.tasks.transcode import TranscodePost
from airflow_provider_instagram.calendar.timetable import ContentCalendarTimetable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from os import PathLike

log = logging.getLogger(__name__)

MOST_FAULTS_IN_DOC = 50
#: Runs that somebody starts by hand have room beside those of the calendar.
MANUAL_RUNS = 2
#: What an author may say about the DAG; the rest follows from the calendar.
DAG_ARGUMENTS = frozenset(inspect.signature(DAG).parameters) - {"dag_id", *OURS}
#: Airflow asks for a start date; the calendar says when to begin.
BEGINNING = datetime(2010, 10, 6, tzinfo=timezone.utc)


@contextmanager
def _without_collector() -> Iterator[None]:
    """Pause the garbage collector, which would scan a growing calendar repeatedly and find nothing."""
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
    lead_time: timedelta = timedelta(hours=1),
    late: str = "publish",
    max_lateness: timedelta = timedelta(hours=1),
    min_spacing: timedelta | None = None,
    unanswered: str = "skip",
    dry_run: bool = False,
    clock: Callable[[], datetime] = utc_now,
    **dag_arguments: Any,
) -> DAG:
    """Make the DAG that brings a calendar's posts to Instagram on time.

    It never raises for what is in the calendar: an exception here would stall the runs under way. Faulty posts are left
    out; of a file that cannot be read, the last good text holds; and the faults are in the red ``calendar`` task of
    every run, in the DAG's doc, and in ``airflow instagram calendar check``.

    :param dag_id: The DAG's id.
    :param calendar: The file: a path or a URI that ObjectStoragePath opens, ending in .yaml, .json or .csv.
    :param lead_time: How long before a post's time its run begins.
    :param late: What to do with a post whose time is over: ``publish`` or ``skip``.
    :param max_lateness: How late a post may still be published.
    :param min_spacing: The smallest distance of two posts of an account; None goes by the calendar.
    :param unanswered: What becomes of a post that nobody has approved or rejected by its time: ``skip`` or ``publish``.
    :param dry_run: Whether to stop before the publication, each time.
    :param clock: Tells the time.
    :param dag_arguments: More arguments of the DAG, ``default_args`` or ``tags`` for example.
    """
    refused = {name: dag_arguments.pop(name) for name in (*dag_arguments,) if name not in DAG_ARGUMENTS}
    settings = CalendarSettings.of(
        dag_id, calendar, lead_time=lead_time, late=late, max_lateness=max_lateness, min_spacing=min_spacing,
        unanswered=unanswered, dry_run=dry_run, **refused,
    )  # fmt: skip
    made_for = get_parsing_context().task_id or ""  # a worker makes the DAG for one task
    try:
        plan = settings.plan(None if made_for else clock())
    except Exception as error:  # a calendar must never keep its DAG from being read
        log.exception("The calendar %s cannot be understood", calendar)
        fault = Problem(0, f"the file cannot be understood: {type(error).__name__}: {error}.", "Please report this.")
        plan = Plan(Calendar(settings.calendar, faults=(fault,)))
    timely, moments = plan.timely, plan.moments(settings.lead_time, settings.max_lateness)
    with DAG(
        dag_id,
        schedule=ContentCalendarTimetable(moments, int(settings.lead_time.total_seconds()), _summary(timely)),
        catchup=True,
        **{
            "start_date": BEGINNING,
            "max_active_runs": MANUAL_RUNS + densest(moments, settings.lead_time + settings.max_lateness),
            "doc_md": _doc(timely, settings),
            "params": _params(),
            "tags": ["instagram"],
            **dag_arguments,
        },
    ) as dag:
        ReportFaults(task_id="calendar", settings=settings, retries=0)
        for account in sorted({*plan.accounts, *_account_of(made_for)}):
            asks = any(post.account == account and post.approval == "required" for post in plan.calendar.posts)
            _account_group(account, settings, asks=asks or made_for == f"{account}.approve")
    return dag


def _account_of(task_id: str) -> list[str]:
    """Name the account of a task that is under way: the calendar may have no post of it any more."""
    group, dot, _ = task_id.partition(".")
    account = group if dot else task_id.removeprefix("due_")
    return [account] if account != task_id else []


def _account_group(account: str, settings: CalendarSettings, *, asks: bool) -> None:
    """Make the group of an account: connection, pool and ledger are its constants; it is mapped over the posts.

    :param asks: Whether a person is asked about any of its posts.
    """
    due = DuePosts(task_id=f"due_{account}", settings=settings, instagram_conn_id=account)

    @task_group(group_id=account)
    def posts(post: Any) -> None:
        step = {"post": post, "settings": settings, "instagram_conn_id": account}
        transcode = TranscodePost(task_id="transcode", **step)
        report = XComArg(transcode, key="report")
        approved = None
        if asks:
            from airflow_provider_instagram.calendar.tasks.approve import ApprovePost

            approved = ApprovePost(task_id="approve", report=report, **step).output
        create = CreatePost(task_id="create", video=transcode.output, approved=approved, report=report, **step)
        PublishPost(task_id="publish", container_id=create.output, pool=pool_name(account), **step)

    posts.expand(post=due.output)


def _params() -> dict[str, Param]:
    return {
        "posts": Param(
            None,
            type=["null", "array"],
            items={"type": "string"},
            title="Posts",
            description="For a run that you start: the ids of the posts to publish, one a line. Each goes out at its "
            "time, or at once if that has passed, however late.",
        ),
        "dry_run": Param(
            False,
            type="boolean",
            title="Dry run",
            description="Do everything except publish, and log what would be published.",
        ),
    }


def _summary(calendar: Calendar) -> str:
    if not calendar.posts:
        return "no posts"
    first, last = calendar.posts[0].publish_at, calendar.posts[-1].publish_at
    return f"{len(calendar.posts)} posts, {first:%Y-%m-%d} to {last:%Y-%m-%d}"


def _doc(calendar: Calendar, settings: CalendarSettings) -> str:
    faults = (*settings.faults, *calendar.faults)
    lines = [f"Publishes the posts of `{calendar.location}`: {_summary(calendar)}."]
    if faults:
        lines += ["", f"**{len(faults)} faults keep posts from being published:**", "", *_listed(faults, calendar)]
    return "\n".join(lines)


def _listed(faults: Iterable[Problem], calendar: Calendar) -> list[str]:
    texts = [f"* `{fault.text(calendar.location).replace('`', chr(39))}`" for fault in faults]
    more = len(texts) - MOST_FAULTS_IN_DOC
    return texts if more <= 0 else [*texts[:MOST_FAULTS_IN_DOC], f"* … and {more} more"]
