"""What Airflow's database says about the posts of a calendar: runs, tasks, XComs and the rows of the ledgers.

Only what changed since the last look is read, so that a calendar with thousands of posts can be looked at every two
seconds.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from airflow.models.asset import AssetModel
from airflow.models.asset_state_store import AssetStateStoreModel
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from sqlalchemy import func, or_, select

from airflow_provider_instagram.calendar.file.model import Post
from airflow_provider_instagram.calendar.planning.problem_record import RECORD, ProblemRecord, problems_asset
from airflow_provider_instagram.calendar.planning.schedule import utc_now
from airflow_provider_instagram.calendar.tasks.outcome import OUTCOME, PROGRESS
from airflow_provider_instagram.ledger.assets import ledger_asset
from airflow_provider_instagram.plugin.board.states import COMMENT, END, STEPS, PostRun, Task

if TYPE_CHECKING:
    from collections.abc import Iterable

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

Key = tuple[str, str, int]


@dataclass(frozen=True)
class Run:
    """A run of a calendar's DAG.

    :param run_id: Its id.
    :param state: Its state.
    :param begins: When it begins.
    :param by_hand: Whether a user started it.
    :param is_dry: Whether the user started it as a dry run.
    """

    run_id: str
    state: str
    begins: datetime
    by_hand: bool
    is_dry: bool


@dataclass
class CalendarSource:
    """What Airflow's database says about the posts of one calendar.

    :param dag_id: The calendar's DAG.
    :param runs: Its runs, by id.
    :param rows: The rows of the ledgers, by account.
    :param found: The problems that the last run found and the DAG processor cannot find.
    :param answers: The arguments with which Airflow resumes the tasks whose approvals have been answered.
    """

    dag_id: str
    runs: dict[str, Run] = field(default_factory=dict)
    rows: dict[str, dict[str, Any]] = field(default_factory=lambda: defaultdict(dict))
    answers: dict[Key, Any] = field(default_factory=dict)
    found: tuple[Problem, ...] = ()
    _tasks: dict[Key, Any] = field(default_factory=dict)
    _selected: dict[tuple[str, str], tuple[list[tuple[str, str]], datetime]] = field(default_factory=dict)
    _xcoms: dict[tuple[str, str, int, str], Any] = field(default_factory=dict)
    _since: datetime | None = None
    _accounts: frozenset[str] = frozenset()
    _all_read_s: float = 0.0

    def read(self, session: Session, accounts: Iterable[str]) -> None:
        """Read what changed since the last look.

        :param session: A session of Airflow's database.
        :param accounts: The connections of the calendar's posts.
        """
        wanted, begun = frozenset(accounts), utc_now()
        if time.monotonic() - self._all_read_s > READ_ALL_AFTER_S or wanted != self._accounts:
            self._since, self._accounts, self._all_read_s = None, wanted, time.monotonic()
            self._tasks.clear()
            self._xcoms.clear()
            self._selected.clear()
        self._read_runs(session)
        self._read_tasks(session)
        self._read_answers(session)
        self._read_xcoms(session)
        self._read_rows(session)
        self._read_found(session)
        self._since = begun - MARGIN

    def _read_runs(self, session: Session) -> None:
        rows = session.execute(
            select(DagRun.run_id, DagRun._state, DagRun.run_after, DagRun.run_type, DagRun.conf).where(
                DagRun.dag_id == self.dag_id
            )
        )
        self.runs = {
            run_id: Run(
                run_id,
                str(state),
                run_after,
                str(run_type) not in ("scheduled", "backfill"),
                bool((conf or {}).get("dry_run")),
            )
            for run_id, state, run_after, run_type, conf in rows
        }

    def _read_tasks(self, session: Session) -> None:
        statement = select(
            TaskInstance.run_id,
            TaskInstance.task_id,
            TaskInstance.map_index,
            TaskInstance.state,
            TaskInstance.start_date,
            TaskInstance.end_date,
            TaskInstance.trigger_timeout,
            TaskInstance.try_number,
        ).where(TaskInstance.dag_id == self.dag_id)
        if self._since is not None:
            statement = statement.where(TaskInstance.updated_at >= self._since)
        for row in session.execute(statement):
            self._tasks[(row.run_id, row.task_id, row.map_index)] = row
        for key in [key for key in self._tasks if key[0] not in self.runs]:
            del self._tasks[key]

    def _read_answers(self, session: Session) -> None:
        """Read the answers to approvals whose tasks have not carried them out: few, and gone after seconds."""
        task = TaskInstance
        rows = session.execute(
            select(task.run_id, task.task_id, task.map_index, task.next_kwargs).where(
                task.dag_id == self.dag_id,
                task.state.in_(("scheduled", "queued", "running")),
                task.task_id.endswith(".approve", autoescape=True),
            )
        )
        self.answers = {(run_id, task_id, map_index): given for run_id, task_id, map_index, given in rows}

    def _read_xcoms(self, session: Session) -> None:
        selected = (XComModel.key == "return_value") & XComModel.task_id.startswith("due_", autoescape=True)
        statement = select(
            XComModel.run_id,
            XComModel.task_id,
            XComModel.map_index,
            XComModel.key,
            XComModel.value,
            XComModel.timestamp,
        ).where(XComModel.dag_id == self.dag_id, or_(selected, XComModel.key.in_((OUTCOME, PROGRESS))))
        if self._since is not None:
            statement = statement.where(XComModel.timestamp >= self._since)
        for run_id, task_id, map_index, key, value, at in session.execute(statement):
            if key != "return_value":
                self._xcoms[(run_id, task_id, map_index, key)] = decoded(value)
            elif self._selected.get((run_id, task_id), (None, None))[1] != at:
                self._selected[(run_id, task_id)] = (_versions(decoded(value)), at)

    def _read_found(self, session: Session) -> None:
        """Read the problems that only a worker finds, such as a file that is missing in object storage."""
        store = AssetStateStoreModel
        row = session.scalar(
            select(store.value)
            .join(AssetModel, AssetModel.id == store.asset_id)
            .where(AssetModel.uri == problems_asset(self.dag_id).uri, store.key == RECORD)
        )
        self.found = ProblemRecord.of(decoded(row)).found

    def _read_rows(self, session: Session) -> None:
        uris = {ledger_asset(account).uri: account for account in self._accounts}
        found = session.execute(select(AssetModel.id, AssetModel.uri).where(AssetModel.uri.in_(uris)))
        assets = {asset_id: uris[uri] for asset_id, uri in found}
        store = AssetStateStoreModel
        ours = store.asset_id.in_(assets) & or_(*(store.key.startswith(kind, autoescape=True) for kind in KINDS))
        count = session.scalar(select(func.count()).select_from(store).where(ours))
        statement = select(store.asset_id, store.key, store.value).where(ours)
        if self._since is not None and count == sum(map(len, self.rows.values())):
            statement = statement.where(store.updated_at >= self._since)
        else:
            self.rows = defaultdict(dict)
        for asset_id, key, value in session.execute(statement):
            self.rows[assets[asset_id]][key] = decoded(value)
        if count != sum(map(len, self.rows.values())):
            self._since = None  # a row was added and another deleted in the meantime: the next look reads all

    def selected_posts(self) -> dict[tuple[str, str, str], list[tuple[str, int]]]:
        """Return which runs have selected which posts: by account, id and version, the run and the map index."""
        found: dict[tuple[str, str, str], list[tuple[str, int]]] = defaultdict(list)
        for (run_id, task_id), (posts, _) in self._selected.items():
            if run_id in self.runs:
                account = task_id.removeprefix("due_")
                for index, (post_id, version) in enumerate(posts):
                    found[account, post_id, version].append((run_id, index))
        return found

    def runs_now(self, post_id: str) -> list[Run]:
        """Return the runs that users started on the page to publish a post at once."""
        return [run for run in self.runs.values() if _post_of(run.run_id) == post_id]

    def active_runs_now(self) -> dict[str, str]:
        """Return those of them that have not ended, by the id of their post."""
        active = (run.run_id for run in self.runs.values() if run.by_hand and run.state in ("queued", "running"))
        return {post_id: run_id for run_id in active if (post_id := _post_of(run_id)) is not None}

    def run_of(self, run_id: str, account: str, map_index: int) -> PostRun:
        """Return a run as it concerns one post.

        :param run_id: The run.
        :param account: The post's account.
        :param map_index: The post's map index, or -1 if the run has not selected its posts.
        """
        tasks = {}
        if (due := self.task(run_id, f"due_{account}", -1)) is not None:
            tasks["due"] = due
        for step in (*STEPS, COMMENT, END) if map_index >= 0 else ():
            if (task := self.task(run_id, f"{account}.{step}", map_index)) is not None:
                tasks[step] = task
        at_once = _post_of(run_id) is not None
        return PostRun(run_id, map_index, tasks, is_dry=self.runs[run_id].is_dry, at_once=at_once)

    def task(self, run_id: str, task_id: str, map_index: int) -> Task | None:
        """Return a task instance, or None if Airflow has not created it."""
        row = self._tasks.get((run_id, task_id, map_index))
        if row is None:
            return None
        outcome = self._of_this_try(row, OUTCOME)
        progress = self._of_this_try(row, PROGRESS) or {}
        return Task(
            state=row.state,
            started=row.start_date,
            ended=row.end_date,
            deadline=row.trigger_timeout,
            try_number=row.try_number,
            outcome=outcome,
            percent=progress.get("percent") if isinstance(progress.get("percent"), int) else None,
        )

    def _of_this_try(self, row: Any, key: str) -> dict[str, Any] | None:
        """Return what a task reported in its latest try: texts, and numbers. Users may edit the XCom.

        The times of the try and of the report do not tell: they are of a worker's clock, and of the API server's.
        """
        value = self._xcoms.get((row.run_id, row.task_id, row.map_index, key))
        if not isinstance(value, dict) or value.get("try") != row.try_number:
            return None
        return {name: one for name, one in value.items() if isinstance(one, (str, int))}


def now_run_id(post_id: str, number: int) -> str:
    """Return the id of a run that publishes a post at once. Of two such requests with one number, one is refused."""
    return f"{NOW}{post_id}__{number}"


def _post_of(run_id: str) -> str | None:
    return run_id.removeprefix(NOW).rpartition("__")[0] if run_id.startswith(NOW) else None


@dataclass(frozen=True)
class Rows:
    """The rows of a ledger as they were read, for code that reads a ledger.

    :param rows: The rows by key.
    """

    rows: dict[str, Any]

    def get(self, key: str) -> Any:
        """Return a row, or None."""
        return self.rows.get(key)

    def set(self, key: str, value: Any) -> None:
        """Raise an error: these rows are a copy.

        :raises TypeError: Always.
        """
        raise TypeError(f"The row {key!r} cannot be written: this is a copy of the ledger.")


def _versions(posts: Any) -> list[tuple[str, str]]:
    """Return the id and the version of each post that a run has selected."""
    try:
        found = [Post.model_validate(post) for post in posts]
    except (TypeError, ValueError):  # another XCom backend, or a later release
        return []
    return [(post.id, post.version) for post in found]


def decoded(value: Any) -> Any:
    """Return the value of an XCom, which may be stored as JSON or as text that contains JSON."""
    if isinstance(value, str):
        with suppress(ValueError, RecursionError):
            return json.loads(value)
    return value
