"""What Airflow's database says about the posts of a calendar: runs, tasks, XComs and the rows of the ledgers.

Only what changed since the last look is read, so that a calendar with thousands of posts can be looked at every two
seconds.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from airflow.models.asset import AssetModel
from airflow.models.asset_state_store import AssetStateStoreModel
from airflow.models.dagrun import DagRun
from airflow.models.hitl import HITLDetail
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from sqlalchemy import and_, case, func, or_, select

from airflow_provider_instagram.calendar.deletion import POST_KEY, DeleteForPage, deletion_dag
from airflow_provider_instagram.calendar.file.model import ScheduledPost
from airflow_provider_instagram.calendar.planning import told
from airflow_provider_instagram.calendar.planning.schedule import utc_now
from airflow_provider_instagram.calendar.tasks.outcome import OUTCOME, PROGRESS
from airflow_provider_instagram.exceptions import LedgerRowError
from airflow_provider_instagram.ledger.assets import ledger_asset
from airflow_provider_instagram.ledger.seal import unsealed
from airflow_provider_instagram.plugin.board.questions import PREFIX, answer_kwargs, parameters_of
from airflow_provider_instagram.plugin.board.states import COMMENT, END, STEPS, Deletion, PostRun, Task

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from airflow_provider_instagram.calendar.file.problems import Problem

#: What was stored this long before the last look is read again: clocks differ, and transactions end late.
MARGIN: Final = timedelta(seconds=60)
#: Everything is read again after this, so that nothing is missed for good.
READ_ALL_AFTER_S: Final = 600.0
#: Kinds of rows of the ledger that the page needs.
KINDS: Final = ("done:", "intent:", "claim:", "calendar:", "calendar-dry:", "calendar-late:")
#: How the ids of runs begin that publish one post at once.
NOW: Final = "now__"
#: The key of an XCom with what a task returned.
RETURNED: Final = "return_value"


@dataclass(frozen=True)
class Run:
    """A run of a calendar's DAG.

    :param is_dry: Whether the user started it as a dry run.
    """

    run_id: str
    state: str
    begins: datetime
    by_hand: bool
    is_dry: bool

    @property
    def post_now(self) -> str | None:
        """The post that a user publishes at once with this run."""
        return self.run_id.removeprefix(NOW).rpartition("__")[0] if self.run_id.startswith(NOW) else None

    @property
    def is_active(self) -> bool:
        """Whether it has not ended."""
        return self.state in ("queued", "running")


def now_run_id(post_id: str, number: int) -> str:
    """Return the id of a run that publishes a post at once. Of two such requests with one number, one is refused."""
    return f"{NOW}{post_id}__{number}"


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

    :param problems: The problems that the last run found and the DAG processor cannot find.
    :param previews: The pictures that were made before the preparation of their posts, by version.
    :param deletions: The last deletion of each post that users asked for on the page, by account and post key.
    :param deletion_runs: The ids of all such runs.
    """

    dag_id: str
    runs: dict[str, Run] = field(default_factory=dict)
    rows: defaultdict[str, Rows] = field(default_factory=lambda: defaultdict(Rows))
    problems: tuple[Problem, ...] = ()
    previews: dict[str, told.Preview] = field(default_factory=dict)
    deletions: dict[tuple[str, str], Deletion] = field(default_factory=dict)
    deletion_runs: frozenset[str] = frozenset()
    _tasks: dict[tuple[str, str, int], Any] = field(default_factory=dict)
    _xcoms: dict[tuple[str, str, int, str], Any] = field(default_factory=dict)
    _as_stored: dict[tuple[str, str, int, str], Any] = field(default_factory=dict)
    _read: defaultdict[str, dict[tuple[str, int], PostRun]] = field(default_factory=lambda: defaultdict(dict))
    _questions: dict[tuple[str, str, int], Any] = field(default_factory=dict)
    _since: datetime | None = None
    _ledgers: dict[str, str] = field(default_factory=dict)  # the accounts by the URIs of their ledgers
    _all_read_s: float = 0.0

    def read(self, session: Session, accounts: Iterable[str]) -> None:
        """Read what changed since the last look."""
        wanted, begun = {*accounts}, utc_now()
        if time.monotonic() - self._all_read_s > READ_ALL_AFTER_S or wanted != {*self._ledgers.values()}:
            self._since, self._all_read_s = None, time.monotonic()
            self._ledgers = {ledger_asset(account).uri: account for account in wanted}
            known: tuple[dict[Any, Any], ...] = (self._tasks, self._xcoms, self._as_stored, self._read, self._questions)
            for one in known:
                one.clear()
        self._read_runs(session)
        self._read_tasks(session)
        self._read_questions(session)
        self._read_xcoms(session)
        self._read_rows(session)
        self._read_problems(session)
        self._read_deletions(session)
        self._since = begun - MARGIN

    def _changed(self, statement: Any, at: Any) -> Any:
        """Return a statement for what has changed since the last look, by the column of its time."""
        return statement if self._since is None else statement.where(at >= self._since)

    def _read_runs(self, session: Session) -> None:
        rows = session.execute(
            select(DagRun.run_id, DagRun.state, DagRun.run_after, DagRun.run_type, DagRun.conf).where(
                DagRun.dag_id == self.dag_id
            )
        )
        self.runs = {
            run_id: Run(
                run_id,
                str(state),
                begins,
                by_hand=str(run_type) not in ("scheduled", "backfill"),
                is_dry=bool((conf or {}).get("dry_run")),
            )
            for run_id, state, begins, run_type, conf in rows
        }

    def _read_tasks(self, session: Session) -> None:
        task = TaskInstance
        answer = case((task.task_id.endswith(".approve", autoescape=True), task.next_kwargs)).label("answer")
        times = (task.start_date, task.end_date, task.trigger_timeout)
        statement = select(task.run_id, task.task_id, task.map_index, task.state, task.try_number, *times, answer)
        for row in session.execute(self._changed(statement.where(task.dag_id == self.dag_id), task.updated_at)):
            key = (row.run_id, row.task_id, row.map_index)
            if self._tasks.get(key) != row:
                self._tasks[key] = row
                self._read.pop(row.run_id, None)
        for key in [key for key in self._tasks if key[0] not in self.runs]:
            del self._tasks[key]
            self._read.pop(key[0], None)

    def _read_questions(self, session: Session) -> None:
        """Read the questions of tasks that have ended, and their answers: those of runs that only prepare posts."""
        task, asked = TaskInstance, HITLDetail
        of_question = (asked.responded_by, asked.chosen_options, asked.params_input)
        statement = select(task.run_id, task.task_id, task.map_index, *of_question).join(task, task.id == asked.ti_id)
        statement = statement.where(task.dag_id == self.dag_id, task.state == "skipped")
        if self._since is not None:
            statement = statement.where(or_(task.updated_at >= self._since, asked.responded_at >= self._since))
        for row in session.execute(statement):
            self._questions[row.run_id, row.task_id, row.map_index] = row

    def _read_xcoms(self, session: Session) -> None:
        xcom = XComModel
        selected = (xcom.key == RETURNED) & xcom.task_id.startswith("due_", autoescape=True)
        statement = select(xcom.run_id, xcom.task_id, xcom.map_index, xcom.key, xcom.value).where(
            xcom.dag_id == self.dag_id, or_(selected, xcom.key.in_((OUTCOME, PROGRESS)))
        )
        for run_id, *at, key, value in session.execute(self._changed(statement, xcom.timestamp)):
            where = (run_id, *at, key)
            if where not in self._xcoms or self._as_stored[where] != value:
                content, self._as_stored[where] = decoded(value), value
                self._xcoms[where] = _versions(content) if key == RETURNED else content
                self._read.pop(run_id, None)

    def _read_problems(self, session: Session) -> None:
        """Read the problems that only a worker finds, such as a missing object, and which previews it has made."""
        store = AssetStateStoreModel
        uri = told.events_asset(self.dag_id).uri
        found = session.execute(
            select(store.key, store.value)
            .join(AssetModel, AssetModel.id == store.asset_id)
            .where(AssetModel.uri == uri, store.key.in_((told.RECORD, told.PREVIEWS)))
        )
        rows = {key: _unsealed(value, key, uri) for key, value in found}
        self.problems = told.ProblemRecord.of(rows.get(told.RECORD)).found
        self.previews = told.PreviewRecord.of(rows.get(told.PREVIEWS)).previews

    def _read_rows(self, session: Session) -> None:
        found = session.execute(select(AssetModel.id, AssetModel.uri).where(AssetModel.uri.in_(self._ledgers)))
        assets = {asset_id: self._ledgers[uri] for asset_id, uri in found}
        store = AssetStateStoreModel
        ours = store.asset_id.in_(assets) & or_(*(store.key.startswith(kind, autoescape=True) for kind in KINDS))
        count = session.scalar(select(func.count()).select_from(store).where(ours))
        statement = select(store.asset_id, store.key, store.value).where(ours)
        if self._since is not None and count == sum(map(len, self.rows.values())):
            statement = statement.where(store.updated_at >= self._since)
        else:  # the first look, or one after a row was added or deleted
            self.rows.clear()
        for asset_id, key, value in session.execute(statement):
            self.rows[assets[asset_id]][key] = _unsealed(value, key, ledger_asset(assets[asset_id]).uri)

    def _read_deletions(self, session: Session) -> None:
        """Read the runs that delete posts. A run is about the post that its parameters name, whatever its id says."""
        run, task, xcom = DagRun, TaskInstance, XComModel
        of_run = (task.dag_id == run.dag_id, task.run_id == run.run_id, task.operator == DeleteForPage.__name__)
        of_task = (xcom.dag_id == task.dag_id, xcom.run_id == task.run_id, xcom.task_id == task.task_id)
        rows = session.execute(
            select(run.run_id, run.conf, task.task_id, task.state, task.trigger_timeout, xcom.value)
            .outerjoin(task, and_(*of_run))
            .outerjoin(xcom, and_(*of_task, xcom.key == OUTCOME))
            .where(run.dag_id == deletion_dag(), run.run_id.startswith(PREFIX, autoescape=True))
            .order_by(run.id)
        ).all()
        self.deletion_runs = frozenset(row.run_id for row in rows)
        self.deletions = {}
        for run_id, given, account, state, until, outcome in rows:
            post_key = given.get(POST_KEY) if isinstance(given, dict) else None
            if isinstance(post_key, str) and given == parameters_of(account, post_key):
                reported = content if isinstance(content := decoded(outcome), dict) else {}
                self.deletions[account, post_key] = Deletion(state, deadline=until, outcome=reported, run_id=run_id)

    def selected_posts(self) -> dict[tuple[str, str, str], list[tuple[str, int]]]:
        """Return which runs have selected which posts: by account, id and version, the run and the map index."""
        runs: dict[tuple[str, str, str], list[tuple[str, int]]] = defaultdict(list)
        for (run_id, task_id, _, key), posts in self._xcoms.items():
            if key == RETURNED and run_id in self.runs:
                account = task_id.removeprefix("due_")
                for index, (post_id, version) in enumerate(posts):
                    runs[account, post_id, version].append((run_id, index))
        return runs

    def run_of(self, run_id: str, account: str, map_index: int) -> PostRun:
        """Return a run as it concerns one post.

        :param map_index: The post's map index, or -1 if the run has not selected its posts.
        """
        known, at = self._read[run_id], (account, map_index)
        if at in known:
            return known[at]
        ids = {"due": (f"due_{account}", -1)}
        if map_index >= 0:
            ids |= {step: (f"{account}.{step}", map_index) for step in (*STEPS, COMMENT, END)}
        tasks = {step: task for step, where in ids.items() if (task := self._task(run_id, *where)) is not None}
        run = self.runs[run_id]
        known[at] = PostRun(run_id, map_index, tasks, is_dry=run.is_dry, at_once=run.post_now is not None)
        return known[at]

    def given_answer(self, run_id: str, account: str, map_index: int) -> Any:
        """Return the arguments with which Airflow resumes the task of an approval that has been answered."""
        key = (run_id, f"{account}.approve", map_index)
        row = self._tasks.get(key)
        if row is not None and row.state == "skipped":
            return answer_kwargs(self._questions.get(key))
        return row.answer if row is not None and row.state in ("scheduled", "queued", "running") else None

    def has_asked(self, run_id: str, account: str, map_index: int) -> bool:
        """Return whether the task of an approval has ended and left its question open for a person."""
        key = (run_id, f"{account}.approve", map_index)
        return key in self._questions and key in self._tasks and self._tasks[key].state == "skipped"

    def _task(self, run_id: str, task_id: str, map_index: int) -> Task | None:
        """Return a task instance, or None if Airflow has not created it."""
        row = self._tasks.get((run_id, task_id, map_index))
        if row is None:
            return None
        percent = self._of_this_try(row, PROGRESS).get("percent")
        return Task(
            state=row.state,
            started=row.start_date,
            ended=row.end_date,
            deadline=row.trigger_timeout,
            try_number=row.try_number,
            outcome=self._of_this_try(row, OUTCOME),
            percent=percent if isinstance(percent, int) else None,
        )

    def _of_this_try(self, row: Any, key: str) -> dict[str, Any]:
        """Return what a task reported in its latest try: texts, and numbers. Users may edit the XCom.

        The times of the try and of the report do not tell: they are of a worker's clock, and of the API server's.
        """
        value = self._xcoms.get((row.run_id, row.task_id, row.map_index, key))
        if not isinstance(value, dict) or value.get("try") != row.try_number:
            return {}
        return {name: one for name, one in value.items() if isinstance(one, (str, int))}


def _versions(posts: Any) -> list[tuple[str, str]]:
    """Return the id and the version of each post that a run has selected."""
    try:
        selected = [ScheduledPost.model_validate(post) for post in posts]
    except (TypeError, ValueError):  # another XCom backend, or a user's edit
        return []
    return [(post.id, post.version) for post in selected]


def _unsealed(value: Any, key: str, uri: str) -> Any:
    """Return what a row contains, or the error that says why not."""
    try:
        return unsealed(decoded(value), key, uri)
    except LedgerRowError as error:
        return error


def decoded(value: Any) -> Any:
    """Return the value of an XCom, which may be stored as JSON or as text that contains JSON."""
    if isinstance(value, str):
        with suppress(ValueError, RecursionError):
            return json.loads(value)
    return value


def read_xcom(session: Session, dag_id: str, run: PostRun | None, task_id: str, key: str = RETURNED) -> Any:
    """Return an XCom of a task of a post, or None."""
    if run is None or run.map_index < 0:
        return None
    xcom = XComModel
    of_task = (xcom.dag_id == dag_id, xcom.run_id == run.run_id, xcom.task_id == task_id)
    return decoded(session.scalar(select(xcom.value).where(*of_task, xcom.map_index == run.map_index, xcom.key == key)))
