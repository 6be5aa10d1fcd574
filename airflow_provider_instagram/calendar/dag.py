"""The three DAGs of a content calendar: a run of one is a post, another starts these runs, the third reports.

To parse their DAG file reads no calendar, so no mistake in a calendar raises there. An invalid
argument does.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from os import PathLike
from typing import Any, Final

from airflow.sdk import DAG, Asset, AssetWatcher, Param

from airflow_provider_instagram.calendar.planning.settings import (
    Approval,
    CalendarSettings,
    Late,
    planner_id,
)
from airflow_provider_instagram.calendar.planning.told import due_asset, looked_asset
from airflow_provider_instagram.utils.connection import DEFAULT_CONN_ID
from airflow_provider_instagram.utils.pages import CALENDAR_TAG

#: How many posts may have an active run: never the reason why one does not start.
MAX_ACTIVE_RUNS: Final = 10_000
#: The same of the two other DAGs. Airflow counts a run as active that a user has dated years ahead,
#: and makes none for an event beside as many of them. Still only one looks at a time, as only one
#: instance of their tasks works.
MAX_LOOKS: Final = 16
#: Arguments of the two other DAGs.
BESIDE: Final[dict[str, Any]] = {
    "max_active_runs": MAX_LOOKS,
    "catchup": False,
    "disable_bundle_versioning": True,
    "is_paused_upon_creation": False,
    "tags": ["instagram"],
}
#: Arguments of a DAG that the calendar sets. In a versioned bundle, a run would else keep the DAG
#: file in which it began, with accounts and limits that its planner does not know any more.
SET_BY_CALENDAR: Final = ("catchup", "disable_bundle_versioning", "schedule")
#: Arguments of the DAG that its author may set.
DAG_ARGUMENTS: Final = frozenset(inspect.signature(DAG).parameters) - {"dag_id", *SET_BY_CALENDAR}
#: Those of them that count for all three DAGs.
FOR_ALL: Final[tuple[str, ...]] = ("access_control", "default_args", "owner_links")


def content_calendar_dag(
    dag_id: str,
    calendar: str | PathLike[str],
    *,
    accounts: Collection[str] = (DEFAULT_CONN_ID,),
    lead_time: timedelta = timedelta(hours=1),
    prepare_ahead: timedelta = timedelta(days=3),
    late: Late = "publish",
    max_lateness: timedelta = timedelta(hours=1),
    min_spacing: timedelta | None = None,
    approval: Approval | None = None,
    dry_run: bool = False,
    columns: Mapping[str, str] | None = None,
    defaults: Mapping[str, str] | None = None,
    notify: Callable[[Any], Any] | Sequence[Callable[[Any], Any]] | None = None,
    **dag_arguments: Any,
) -> DAG:
    """Return the DAG that publishes a calendar's posts on time: one run is one post.

    Two more DAGs, which are not created paused, read the file and start the runs
    (``<dag_id>_plan``), and report problems (``<dag_id>_report``).

    :param calendar: The file: a path, a URI that ObjectStoragePath opens, or a sheet's https address.
    :param accounts: The connections that the file may name, at most 200. Other posts are left out.
    :param lead_time: How long before a post's time its container is created.
    :param prepare_ahead: How long before a post's time its run begins, which transcodes and asks.
    :param late: What to do with a post whose time has passed: ``publish`` or ``skip``.
    :param max_lateness: How late a post may still be published, at least a minute.
    :param min_spacing: The smallest distance between an account's posts. None goes by the file.
    :param approval: ``required`` demands an approval of each post. None goes by the file.
    :param dry_run: Whether each run stops before it publishes.
    :param columns: For a sheet: what its columns mean, by their titles, such as ``{"Clip":
        "video"}``.
    :param defaults: For a sheet: values of posts that have none of their own, and the order of
        ``dates``.
    :param notify: A notifier or a callable, or a list of them, for posts that need attention, and
        for new problems.
    :param dag_arguments: More arguments of the DAG, for example ``default_args`` or ``tags``.
    :raises TypeError: If an argument is unknown.
    :raises ValidationError: If an argument is invalid.
    """
    _check_names(dag_arguments)
    settings = CalendarSettings.of(
        dag_id,
        calendar,
        accounts=accounts,
        lead_time=lead_time,
        prepare_ahead=prepare_ahead,
        late=late,
        max_lateness=max_lateness,
        min_spacing=min_spacing,
        approval=approval,
        dry_run=dry_run,
        notify=notify,
        columns=columns or {},
        defaults=defaults or {},
    )
    shared = {name: dag_arguments[name] for name in FOR_ALL if name in dag_arguments}
    _planner(settings, shared)
    _reporter(settings, shared)
    return _posts(settings, dag_arguments)


def _check_names(dag_arguments: Collection[str]) -> None:
    """Check that each is an argument of a DAG, and not one that the calendar sets."""
    for name in dag_arguments:
        if name in DAG_ARGUMENTS:
            continue
        own = inspect.signature(content_calendar_dag).parameters
        close = difflib.get_close_matches(name, [*own, *DAG_ARGUMENTS], 1)
        remedy = f"Did you mean {close[0]!r}?" if close else "A DAG has no such argument either."
        if name in SET_BY_CALENDAR:
            remedy = "Leave it out: the calendar sets the schedule, catches up, and uses the newest DAG file."
        raise TypeError(
            f"content_calendar_dag() got an unexpected keyword argument {name!r}. {remedy}"
        )


def _posts(settings: CalendarSettings, dag_arguments: dict[str, Any]) -> DAG:
    """Return the DAG whose runs are posts."""
    from airflow_provider_instagram.calendar.tasks.approve import ApprovePost
    from airflow_provider_instagram.calendar.tasks.create import CreatePost
    from airflow_provider_instagram.calendar.tasks.prepare import PreparePost
    from airflow_provider_instagram.calendar.tasks.publish import CommentPost, PublishPost
    from airflow_provider_instagram.calendar.tasks.tell import TellPost

    tags = dag_arguments.pop("tags", None) or ["instagram"]
    doc = f"Publishes the posts of `{settings.location}`. One run is one post, and has its id."
    arguments = {
        "max_active_runs": MAX_ACTIVE_RUNS,
        "disable_bundle_versioning": True,
        "doc_md": doc,
        "params": _params(),
        **dag_arguments,
    }
    with DAG(settings.dag_id, schedule=None, tags=[*tags, CALENDAR_TAG], **arguments) as dag:
        prepare = PreparePost(task_id="prepare", settings=settings)
        approve = ApprovePost(task_id="approve", settings=settings)
        create = CreatePost(task_id="create", settings=settings)
        publish = PublishPost(task_id="publish", settings=settings)
        comment = CommentPost(task_id="comment", settings=settings).as_teardown()
        prepare >> approve >> create >> publish >> comment
        if settings.notify is not None:
            comment >> TellPost(task_id="tell", settings=settings).as_teardown()
    return dag


def _planner(settings: CalendarSettings, dag_arguments: dict[str, Any]) -> DAG:
    """Return the DAG that starts the runs of posts. It runs when the file has changed, or a post comes near.

    Its next look begins when the present one has ended.
    """
    from airflow_provider_instagram.calendar.tasks.planner import PlanPosts
    from airflow_provider_instagram.calendar.tasks.watch import CalendarTrigger

    due = due_asset(settings.dag_id)
    trigger = CalendarTrigger(settings.location, settings.plan_file, settings.digest)
    watched = Asset(
        name=due.name, uri=due.uri, watchers=[AssetWatcher(name="calendar", trigger=trigger)]
    )
    with DAG(
        planner_id(settings.dag_id),
        schedule=[watched],
        doc_md=f"Reads `{settings.location}`, and starts one run of `{settings.dag_id}` for each post.",
        **BESIDE,
        **dag_arguments,
    ) as dag:
        outlets = [looked_asset(settings.dag_id)]
        PlanPosts(task_id="plan", settings=settings, outlets=outlets, max_active_tis_per_dag=1)
    return dag


def _reporter(settings: CalendarSettings, dag_arguments: dict[str, Any]) -> DAG:
    """Return the DAG that reports problems and makes pictures, after one or several looks of the planner."""
    from airflow_provider_instagram.calendar.tasks.problems import ReportProblems

    with DAG(
        f"{settings.dag_id}_report",
        schedule=[looked_asset(settings.dag_id)],
        doc_md=f"Reports the problems of `{settings.location}`, and makes pictures of its posts.",
        **BESIDE,
        **dag_arguments,
    ) as dag:
        ReportProblems(task_id="problems", settings=settings, max_active_tis_per_dag=1)
    return dag


def _params() -> dict[str, Param]:
    return {
        "post": Param(
            None,
            type=["null", "string"],
            maxLength=200,
            title="Post",
            description="For a run that you start: the id of the post. It is published at its time, or at once if that "
            "has passed, however late.",
        ),
        "now": Param(
            False,
            type="boolean",
            title="Now",
            description="Publish the post at once, also if its time is to come.",
        ),
        "dry_run": Param(
            False,
            type="boolean",
            title="Dry run",
            description="Do everything except publish, and log what would be published.",
        ),
    }
