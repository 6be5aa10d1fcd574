"""All that the Posts page takes from Airflow's database, and what it writes there: its audit log.

Of a calendar's runs, tasks, XComs and rows, only what changed since the last look is read, so that
a calendar with thousands of posts can be looked at every two seconds.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from airflow.jobs.job import Job
from airflow.models.asset import AssetModel
from airflow.models.asset_state_store import AssetStateStoreModel
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.hitl import HITLDetail
from airflow.models.log import Log
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.sdk import conf
from airflow.utils.session import create_session
from sqlalchemy import Text, case, cast, func, or_, select

from airflow_provider_instagram.calendar.file.problems import Problem
from airflow_provider_instagram.calendar.planning import told
from airflow_provider_instagram.calendar.planning.begin_runs import post_of
from airflow_provider_instagram.calendar.planning.settings import planner_id
from airflow_provider_instagram.calendar.tasks.base import REQUEST_COUNTS_FOR
from airflow_provider_instagram.calendar.tasks.outcome import OUTCOME, known_texts
from airflow_provider_instagram.exceptions import LedgerRowError
from airflow_provider_instagram.ledger.assets import ledger_asset
from airflow_provider_instagram.ledger.seal import unsealed
from airflow_provider_instagram.plugin.board.states import COMMENT, STEPS, PostRun, Task
from airflow_provider_instagram.utils.clock import utc_now

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from airflow_provider_instagram.plugin.bodies import Json

#: What was stored this long before the last look is read again: clocks differ, and transactions end
#: late.
MARGIN: Final = timedelta(seconds=60)
#: Everything is read again after this, so that nothing is missed for good.
READ_ALL_AFTER_S: Final = 600.0
#: So many runs are asked for by their ids at once.
AT_ONCE: Final = 500
#: The parameters of a run that say what a user wants.
GIVEN: Final = ("post", "now", "dry_run")
#: The JSON of a task's report has so many characters at most. A longer one is a user's.
LONGEST_REPORT: Final = 100_000
#: Kinds of rows of the ledger that the page needs.
KINDS: Final = ("done:", "intent:", "claim:", "skip:", "approval:")
#: What no post goes on without: by the type of its job, the section of its settings.
NEEDED: Final = {"SchedulerJob": "scheduler", "TriggererJob": "triggerer"}
#: How the names begin under which acts of users are in Airflow's audit log.
EVENT: Final = "instagram_post_"
#: So many runs of the planner that fail one after another are a problem.
MOST_FAILED: Final = 3


class Rows(dict[str, Any]):
    """The rows of a ledger as they were read, for code that reads a ledger."""

    def get(self, key: str, default: Any = None) -> Any:
        """Read a row.

        :raises LedgerRowError: If its seal is not good.
        """
        if isinstance(value := super().get(key, default), LedgerRowError):
            raise value.with_traceback(None)
        return value

    def set(self, key: str, value: Any) -> None:
        """Raise an error: these rows are a copy."""
        raise TypeError(f"The row {key!r} cannot be written: this is a copy of the ledger.")


@dataclass
class CalendarSource:
    """What Airflow's database says about the posts of one calendar.

    :param runs: The runs of its DAG, by the posts that they are about.
    :param own: The ids of the runs that its planner has begun for posts. Their parameters count for
        nothing.
    :param rows: The rows of the ledgers, by account.
    :param problems: The problems that only a worker finds, and what keeps the planner from looking.
    :param previews: The pictures that were made before the preparation of their posts, by version.
    """

    dag_id: str
    runs: dict[str, list[PostRun]] = field(default_factory=dict)
    rows: defaultdict[str, Rows] = field(default_factory=lambda: defaultdict(Rows))
    problems: tuple[Problem, ...] = ()
    previews: dict[str, told.Preview] = field(default_factory=dict)
    own: frozenset[str] = frozenset()
    _runs: dict[str, Any] = field(default_factory=dict)  # the rows of runs, by their ids
    _tasks: dict[tuple[str, str], Any] = field(default_factory=dict)
    _reports: dict[tuple[str, str], Any] = field(default_factory=dict)
    _made: dict[str, PostRun] = field(default_factory=dict)
    _asked: set[str] = field(default_factory=set)  # the runs of which all was read
    # the accounts by the URIs of their ledgers
    _ledgers: dict[str, str] = field(default_factory=dict)
    _since: datetime | None = None
    _all_read_s: float = 0.0

    @property
    def run_ids(self) -> Collection[str]:
        """The ids of all runs of the DAG, also of those that are about no post."""
        return self._runs.keys()

    def read(self, accounts: Iterable[str], posts: Collection[str], own: Iterable[str]) -> None:
        """Read what changed since the last look.

        :param posts: The ids of the calendar's posts. Other runs are of no interest.
        :param own: The ids of the runs that the planner has begun for them.
        """
        if (now_own := frozenset(own)) != self.own:
            self.own = now_own
            self._made.clear()
        begun = utc_now()
        ledgers = {ledger_asset(account).uri: account for account in accounts}
        if time.monotonic() - self._all_read_s > READ_ALL_AFTER_S or ledgers != self._ledgers:
            self._forget()
            self._ledgers = ledgers
        with create_session(scoped=False) as session:
            self._read_runs(session)
            of_posts = {
                run_id: post
                for run_id, row in self._runs.items()
                if (post := self._post_of(row)) in posts
            }
            self._read_tasks(session, of_posts)
            self._read_reports(session, of_posts)
            self._read_rows(session)
            self._read_told(session)
            self.problems += tuple(_problems_of_scheduler(session))
            self.problems += tuple(_problems_of_planner(session, planner_id(self.dag_id)))
        self._asked = {*of_posts}
        self.runs = {}
        for run_id, post in of_posts.items():
            self.runs.setdefault(post, []).append(self._run(run_id))
        self._since = begun - MARGIN

    def _forget(self) -> None:
        self._since = None
        self._all_read_s = time.monotonic()
        self._asked = set()
        known: tuple[dict[Any, Any], ...] = (self._runs, self._tasks, self._reports, self._made)
        for one in known:
            one.clear()

    def _read_runs(self, session: Session) -> None:
        is_ours = DagRun.dag_id == self.dag_id
        dates = (DagRun.queued_at, DagRun.run_after, DagRun.logical_date)
        # users may write much more into it
        given = (DagRun.conf[name].label(name) for name in GIVEN)
        statement = select(DagRun.run_id, DagRun.state, *dates, *given).where(is_ours)
        number = session.scalar(select(func.count()).select_from(DagRun).where(is_ours))
        changed = statement
        if self._since is not None:
            changed = statement.where(DagRun.updated_at >= self._since)
        self._keep_runs(session.execute(changed))
        if number != len(self._runs):  # some were deleted
            self._forget()
            self._keep_runs(session.execute(statement))

    def _keep_runs(self, rows: Iterable[Any]) -> None:
        for row in rows:
            if self._runs.get(row.run_id) != row:
                self._runs[row.run_id] = row
                self._made.pop(row.run_id, None)

    def _of_runs(
        self, session: Session, statement: Any, model: Any, at: Any, runs: Collection[str]
    ) -> Iterator[Any]:
        """Yield the rows of runs: those that changed since the last look, and all of runs that were not read before.

        :param at: The column with the time of a row's last change.
        """
        statement = statement.where(model.dag_id == self.dag_id)
        new = sorted({*runs} - self._asked)
        if self._since is not None and self._asked:
            yield from (
                row
                for row in session.execute(statement.where(at >= self._since))
                if row.run_id in self._asked
            )
        for first in range(0, len(new), AT_ONCE):
            yield from session.execute(
                statement.where(model.run_id.in_(new[first : first + AT_ONCE]))
            )

    def _read_tasks(self, session: Session, runs: Collection[str]) -> None:
        task = TaskInstance
        event = case((task.task_id == "approve", task.next_kwargs)).label("kwargs")
        times = (task.start_date, task.end_date, task.trigger_timeout)
        statement = select(task.run_id, task.task_id, task.state, task.try_number, *times, event)
        statement = statement.where(task.task_id.in_((*STEPS, COMMENT)))
        for row in self._of_runs(session, statement, task, task.updated_at, runs):
            if self._tasks.get(key := (row.run_id, row.task_id)) != row:
                self._tasks[key] = row
                self._made.pop(row.run_id, None)

    def _read_reports(self, session: Session, runs: Collection[str]) -> None:
        xcom = XComModel
        length = func.length(cast(xcom.value, Text))
        statement = select(xcom.run_id, xcom.task_id, xcom.value)
        statement = statement.where(xcom.key == OUTCOME, length <= LONGEST_REPORT)
        for run_id, task_id, value in self._of_runs(session, statement, xcom, xcom.timestamp, runs):
            self._reports[run_id, task_id] = known_texts(decoded(value))
            self._made.pop(run_id, None)

    def _run(self, run_id: str) -> PostRun:
        if run_id in self._made:
            return self._made[run_id]
        row = self._runs[run_id]
        tasks = {}
        for step in (*STEPS, COMMENT):
            found = self._tasks.get((run_id, step))
            if found is not None:
                tasks[step] = self._task(found)
        given = self._given(row)
        by_hand = bool(self._post_by_hand(row))
        is_recent = row.run_after > utc_now() - REQUEST_COUNTS_FOR
        self._made[run_id] = run = PostRun(
            run_id,
            str(row.state),
            tasks,
            row.queued_at or row.run_after,
            by_hand=by_hand,
            at_once=by_hand and bool(given.get("now")) and is_recent,
            is_dry=by_hand and bool(given.get("dry_run")),
            event=_event(self._tasks.get((run_id, "approve"))),
            run_after=row.run_after,
            logical_date=row.logical_date,
        )
        return run

    def _given(self, row: Any) -> Json:
        """Return the parameters of a run, or none if the planner has begun it."""
        is_own = row.run_id in self.own
        return {} if is_own else {name: getattr(row, name) for name in GIVEN}

    def _post_by_hand(self, row: Any) -> str:
        """Return the id of the post for which a user has started a run; empty if nobody has."""
        return str(self._given(row).get("post") or "").strip()

    def _post_of(self, row: Any) -> str:
        """Return the id of the post that a run is about, as its tasks read it."""
        return self._post_by_hand(row) or post_of(str(row.run_id))

    def _task(self, row: Any) -> Task:
        times = (row.start_date, row.end_date, row.trigger_timeout)
        return Task(row.state, *times, row.try_number, self._of_this_try(row))

    def _of_this_try(self, row: Any) -> Json:
        """Return what a task reported in its latest try. Users may edit the XCom.

        The times of the try and of the report do not tell: they are of a worker's clock, and of the
        API server's.
        """
        reported = self._reports.get((row.run_id, row.task_id), {})
        return reported if reported.get("try") == row.try_number else {}

    def _read_told(self, session: Session) -> None:
        """Read the problems that only a worker finds, such as a missing object, and which previews it has made."""
        wanted = AssetStateStoreModel.key.in_((told.RECORD, told.PREVIEWS))
        found = session.execute(_asset_rows([told.events_asset(self.dag_id).uri]).where(wanted))
        rows = {key: _row(value, key, uri) for uri, key, value in found}
        self.problems = told.ProblemRecord.of(rows.get(told.RECORD)).found
        self.previews = told.PreviewRecord.of(rows.get(told.PREVIEWS)).previews

    def _read_rows(self, session: Session) -> None:
        key = AssetStateStoreModel.key
        kinds = or_(*(key.startswith(kind, autoescape=True) for kind in KINDS))
        statement = _asset_rows(self._ledgers).where(kinds)
        number = session.scalar(select(func.count()).select_from(statement.subquery()))
        if self._since is not None and number == sum(map(len, self.rows.values())):
            statement = statement.where(AssetStateStoreModel.updated_at >= self._since)
        else:  # the first look, or one after a row was added or deleted
            self.rows.clear()
        for uri, name, value in session.execute(statement):
            self.rows[self._ledgers[uri]][name] = _row(value, name, uri)


def _asset_rows(uris: Collection[str]) -> Any:
    """Return the statement that reads the rows of these assets: URI, key and value."""
    store = AssetStateStoreModel
    statement = select(AssetModel.uri, store.key, store.value)
    of_asset = AssetModel.id == store.asset_id
    return statement.join(AssetModel, of_asset).where(AssetModel.uri.in_(uris))


def _problems_of_planner(session: Session, dag_id: str) -> Iterator[Problem]:
    """Yield a problem if the planner does not look: it is paused, its runs are dated ahead, or fail one after another.

    Also a run that users end at once, by marking it, has failed.
    """
    dag = DagModel
    run = DagRun
    so = "so no run of a post begins, and no edit counts."
    now = utc_now()
    is_of_planner = run.dag_id == dag_id
    is_active = run.state.in_(("queued", "running"))
    is_ahead = or_(run.run_after > now, run.logical_date > now)
    runs = select(func.count()).select_from(run)
    ahead = session.scalar(runs.where(is_of_planner, is_active, is_ahead)) or 0
    settings = select(dag.is_paused, dag.max_active_runs).where(dag.dag_id == dag_id)
    for is_paused, most in session.execute(settings):
        if is_paused:
            yield Problem(0, f"the DAG {dag_id} is paused, {so}", "Unpause it.")
        if most and ahead >= most:
            message = f"{ahead} runs of {dag_id} are dated ahead, and Airflow makes no other beside them, {so}"
            yield Problem(0, message, "Delete these runs.")
    ended = select(run.state).where(is_of_planner, run.state.in_(("success", "failed")))
    last = session.scalars(ended.order_by(run.end_date.desc()).limit(MOST_FAILED)).all()
    if [str(state) for state in last] == ["failed"] * MOST_FAILED:
        message = f"the last {MOST_FAILED} runs of {dag_id} have failed, or were marked so, {so}"
        yield Problem(0, message, "Its log says why. Its audit log says who has marked them.")


def _problems_of_scheduler(session: Session) -> Iterator[Problem]:
    """Yield a problem if runs that users have dated ahead, of any DAGs, keep the scheduler from all others.

    Airflow 3.3.2 looks first at the runs that it has never scheduled, and never schedules these.
    """
    dag = DagModel
    run = DagRun
    now = utc_now()
    runs = select(func.count()).select_from(run).join(dag, dag.dag_id == run.dag_id)
    of_dag = (~dag.is_paused, ~dag.is_stale)
    is_ahead = (run.state == "running", run.run_after <= now, run.logical_date > now)
    ahead = session.scalar(runs.where(*is_ahead, *of_dag)) or 0
    if ahead >= run.DEFAULT_DAGRUNS_TO_EXAMINE:
        message = f"{ahead} runs of DAGs are dated ahead, and Airflow looks at no others, so nothing goes on."
        yield Problem(0, message, "Delete the runs whose logical date is to come.")


def stands_still() -> bool:
    """Return whether a part of Airflow stands still without which no post goes on."""
    latest = (
        select(Job.job_type, func.max(Job.latest_heartbeat))
        .where(Job.job_type.in_(NEEDED))
        .group_by(Job.job_type)
    )
    with create_session(scoped=False) as session:
        heard = {kind: at for kind, at in session.execute(latest)}  # noqa: C416 -- rows are no pairs for mypy
    for kind, section in NEEDED.items():
        longest_s = conf.getfloat(section, f"{section}_health_check_threshold")
        at = heard.get(kind)
        if at is None or utc_now() - at > timedelta(seconds=longest_s):
            return True
    return False


def _event(approve: Any) -> Json | None:
    """Return the answer with which the task of an approval continues, or None if it has none or has ended."""
    if approve is None or approve.state not in ("scheduled", "queued", "running"):
        return None
    return event_in(approve.kwargs)


def event_in(kwargs: Any) -> Json | None:
    """Return the answer with which a task continues, from what Airflow hands to it."""
    event = kwargs.get("event") if isinstance(kwargs, dict) else None
    return event if isinstance(event, dict) and "chosen_options" in event else None


def _row(value: Any, key: str, uri: str) -> Any:
    """Return what a row contains, or the error that says why not."""
    try:
        return unsealed(decoded(value), key, uri)
    except LedgerRowError as error:
        return error


def decoded(value: Any) -> Any:
    """Return the value of an XCom, which may be stored as JSON or as text that contains JSON.

    Users may write it. What an answer of the page cannot contain, such as half of a surrogate pair,
    stays a text.
    """
    if isinstance(value, str):
        with suppress(ValueError, RecursionError):
            content = json.loads(value)
            json.dumps(content, allow_nan=False, ensure_ascii=False).encode()
            return content
    return value


def asked_by(dag_id: str, run_id: str, task_id: str) -> Any:
    """Return the row of a task instance with its question and the answer, or None. Without one, ``subject`` is None."""
    task = TaskInstance
    asked = HITLDetail
    answer = (asked.responded_at, asked.responded_by, asked.chosen_options, asked.params_input)
    with create_session(scoped=False) as session:
        return session.execute(
            select(task.next_kwargs.label("kwargs"), asked.subject, asked.body, *answer)
            .outerjoin(asked, task.id == asked.ti_id)
            .where(task.dag_id == dag_id, task.run_id == run_id, task.task_id == task_id)
        ).first()


def acts_of_users(dag_id: str, most: int) -> list[tuple[datetime, str, str, Json]]:
    """Return acts of users on the page, newest first: when, what, who, and details. Others write there, too."""
    wanted = (Log.dag_id == dag_id, Log.event.startswith(EVENT, autoescape=True))
    about = (Log.dttm, Log.event, Log.owner_display_name, Log.extra)
    newest = select(*about).where(*wanted).order_by(Log.dttm.desc()).limit(most)
    acts = []
    with create_session(scoped=False) as session:
        for at, event, owner, extra in session.execute(newest):
            details = decoded(extra)
            if at is not None and isinstance(details, dict):
                acts.append((at, event.removeprefix(EVENT), str(owner), details))
    return acts


def write_act(
    user: str, dag_id: str, name: str, about: Mapping[str, str | None], run_id: str | None = None
) -> None:
    """Write to Airflow's audit log what was done to which post. Airflow's own entry, if any, names only a task."""
    extra = json.dumps({name: value for name, value in about.items() if value})
    of = {"owner": user, "owner_display_name": user, "dag_id": dag_id, "run_id": run_id}
    with create_session(scoped=False) as session:
        session.add(Log(event=f"{EVENT}{name}", task_instance=None, extra=extra, **of))
