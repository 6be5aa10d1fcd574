"""A calendar without Airflow: its file, its planner's looks, and the tasks of its posts, at times that a test names."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

import yaml
from airflow.sdk.exceptions import AirflowRuntimeError, AirflowSkipException, ErrorType
from airflow.sdk.execution_time.comms import (
    CreateHITLDetailPayload,
    ErrorResponse,
    GetDagRun,
    GetPreviousDagRun,
    GetPreviousTI,
    OKResponse,
)
from pydantic import JsonValue, TypeAdapter

from airflow_provider_instagram.calendar.planning.begin_runs import Records
from airflow_provider_instagram.calendar.planning.look import look
from airflow_provider_instagram.calendar.planning.post_rows import PostRows
from airflow_provider_instagram.calendar.planning.settings import CalendarSettings
from airflow_provider_instagram.calendar.planning.stored_plan import StoredPlan, due_file, store
from airflow_provider_instagram.calendar.tasks.answers import PostRecords, PreparedPost
from airflow_provider_instagram.calendar.tasks.create import CreatePost
from airflow_provider_instagram.calendar.tasks.planner import PlannedPosts, PlanPosts
from airflow_provider_instagram.calendar.tasks.prepare import PreparePost
from airflow_provider_instagram.calendar.tasks.problems import ReportProblems
from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.ledger.assets import ledger_asset
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.ledger.seal import SealedStore

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_instagram.calendar.planning.begin_runs import Plan

JSON: TypeAdapter[Any] = TypeAdapter(JsonValue)
NOON = datetime(2026, 12, 1, 12, tzinfo=timezone.utc)
ACCOUNT = "instagram_default"
LEDGER = ledger_asset(ACCOUNT)
ACCOUNTS = [ACCOUNT, "new", "other"]
DIGEST = "0" * 64


class EventsEmittedBefore(dict[Any, Any]):
    """An account for which other runs have emitted events."""

    def __missing__(self, alias: Any) -> Any:
        return SimpleNamespace(limit=lambda number: [alias] * number)


EVENTS_EMITTED_BEFORE = EventsEmittedBefore()


def after_noon(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


class Rows(dict[str, Any]):
    """A ledger's rows, as Airflow's state store keeps them."""

    def set(self, key: str, value: Any) -> None:
        self[key] = JSON.validate_python(value)


class Ledgers(dict[Any, Any]):
    """The ledgers of all accounts."""

    def __missing__(self, asset: Any) -> Rows:
        self[asset] = Rows()
        return self[asset]  # type: ignore[no-any-return]


class Events(dict[Any, Any]):
    """The events that tasks emit through aliases."""

    def __init__(self) -> None:
        self.extras: list[dict[str, Any]] = []

    def __missing__(self, alias: Any) -> Any:
        return SimpleNamespace(add=lambda asset, extra=None: self.extras.append({"asset": asset.uri, **(extra or {})}))


@dataclass
class AirflowRuns:
    """The runs of a calendar's DAG, as Airflow's API for tasks has them.

    :param found: The runs by their ids.
    :param refuses: The ids of runs that Airflow cannot start.
    :param asked: The requests, in order.
    :param questions: The questions to persons, the newest last.
    :param bodies: What they say, by run: Airflow keeps the first one.
    :param run_ids: The runs of tries, by the ids of the tries.
    :param approve: What Airflow has of the task that asks: its run, its try, and when that began.
    """

    found: dict[str, Any] = field(default_factory=dict)
    refuses: set[str] = field(default_factory=set)
    asked: list[Any] = field(default_factory=list)
    questions: list[dict[str, Any]] = field(default_factory=list)
    bodies: dict[str, Any] = field(default_factory=dict)
    run_ids: dict[Any, str] = field(default_factory=dict)
    approve: Any = None

    def add(
        self,
        run_id: str,
        *,
        at: float = 0,
        date: float | None = None,
        state: str = "running",
        run_type: str = "operator_triggered",
    ) -> None:
        dates = {"run_after": after_noon(at), "logical_date": date and after_noon(date)}
        self.found[run_id] = SimpleNamespace(run_id=run_id, state=state, run_type=run_type, **dates)

    def get_dr_count(self, _: str, run_ids: list[str], states: list[str] | None = None) -> int:
        runs = [self.found[run_id] for run_id in run_ids if run_id in self.found]
        return sum(states is None or run.state in states for run in runs)

    def send(self, message: Any) -> Any:
        if isinstance(message, GetDagRun):
            return self.found[message.run_id]
        if isinstance(message, GetPreviousDagRun):
            dated = [run for run in self.found.values() if run.logical_date and run.state == message.state]
            before = [run for run in dated if run.logical_date < message.logical_date]
            return SimpleNamespace(dag_run=max(before, key=lambda run: run.logical_date, default=None))
        if isinstance(message, GetPreviousTI):
            return SimpleNamespace(task_instance=self.approve)
        if isinstance(message, CreateHITLDetailPayload):
            self.questions.append(message.model_dump())
            return SimpleNamespace(body=self.bodies.setdefault(self.run_ids[message.ti_id], message.body))
        self.asked.append(message)
        if message.run_id in self.refuses:
            raise AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR))
        if message.run_id in self.found and not message.reset_dag_run:
            return ErrorResponse(error=ErrorType.DAGRUN_ALREADY_EXISTS)
        self.add(message.run_id)
        return OKResponse(ok=True)

    def started(self) -> list[str]:
        """Return which runs were started or begun anew since this was asked last."""
        ids = [message.run_id for message in self.asked]
        self.asked.clear()
        return ids


@dataclass
class SimulatedCalendar:
    """A calendar whose planner and tasks run in this process. Times are minutes after noon.

    :param file: The calendar's file.
    :param given: Arguments of the DAG.
    :param now: The current time, which all clocks of the tasks show.
    :param try_number: Which try a task is in.
    :param max_tries: Its number of tries, which a Clear raises.
    :param states: The states of the tasks of the run.
    :param pushed: What tasks have pushed to XCom, by key.
    :param deleted: The ids of runs that Airflow does not have any more, for ``plan``.
    :param started: The DAGs and ids of runs that ``plan`` has started.
    :param airflow: The runs that Airflow has, for the planner's own task.
    :param clear_number: How often tasks of the run were cleared.
    :param run_started: When the run began.
    :param date: Its logical date, which a user may choose.
    :param made_anew: How often a user has deleted the task, and Airflow has made it anew.
    :param run_type: What has started the run of a post.
    """

    file: Path
    given: dict[str, Any] = field(default_factory=dict)
    now: float = 0
    ledgers: Ledgers = field(default_factory=Ledgers)
    try_number: int = 1
    max_tries: int = 3
    events: Events = field(default_factory=Events)
    dag_id: str = "content"
    states: dict[str, str | None] = field(default_factory=dict)
    pushed: dict[str, Any] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    started: set[tuple[str, str]] = field(default_factory=set)
    airflow: AirflowRuns = field(default_factory=AirflowRuns)
    clear_number: int = 0
    run_started: datetime | None = NOON
    run_after: datetime | None = None
    date: datetime | None = NOON
    made_anew: int = 0
    run_type: str = "manual"

    @property
    def settings(self) -> CalendarSettings:
        return CalendarSettings.of(self.dag_id, str(self.file), **{"accounts": ACCOUNTS, **self.given})

    def rows(self, asset: Any = LEDGER) -> SealedStore:
        """Return the rows of an asset as the tasks see them."""
        return SealedStore(self.ledgers[asset], asset.uri)

    def write(self, *posts: dict[str, Any], **head: Any) -> None:
        head["defaults"] = {"video": "a.mp4", "timezone": "UTC", **head.get("defaults", {})}
        self.file.write_text(yaml.safe_dump({"min_spacing": "0 s", **head, "posts": list(posts)}))

    def plan(self, at: float | None = None, *, all_started: bool = True, by_hand: bool = False) -> list[str]:
        """Look at the file as the planner does, and return the runs that it starts."""
        self.now = self.now if at is None else at
        settings = self.settings
        before = StoredPlan.read(settings.plan_file)
        stored, due = look(
            settings,
            before,
            after_noon(self.now),
            by_hand=by_hand,
            records=Records(
                is_live=lambda key: self.ledger(key.partition("/")[0]).post(key) is not None,
                runs=lambda key: PostRows(self.ledger(key.partition("/")[0]).store).runs(key),
                lost=lambda runs: self.deleted.intersection(runs),
                stands=lambda _, run: (self.dag_id, run) in self.started and run not in self.deleted,
            ),
        )
        planner = PlanPosts(task_id="plan", settings=settings)
        posts = PlannedPosts(self.context(), settings)
        stored = planner._record(posts, stored, before, after_noon(self.now))
        starts = list(stored.plan.pending)
        if all_started:
            self.started |= {(self.dag_id, run) for run in starts}
            stored = stored.model_copy(update={"plan": replace(stored.plan, pending=())})
        store(settings.plan_file, stored)
        store(due_file(settings.plan_file), due)
        return starts

    def stored(self) -> Plan:
        return self.settings.stored().plan

    def problems(self) -> list[str]:
        return [problem.message for problem in self.stored().timely.problems]

    def ledger(self, account: str = ACCOUNT) -> Ledger:
        asset = ledger_asset(account)
        return Ledger(SealedStore(self.ledgers[asset], asset.uri), account, clock=lambda: after_noon(self.now))

    def context(self, run_id: str = "a", **params: Any) -> Any:
        ti = SimpleNamespace(
            id=uuid5(NAMESPACE_URL, f"{run_id}/{self.made_anew}/{self.try_number}"),
            dag_id=self.dag_id,
            run_id=run_id,
            task_id="t",
            map_index=-1,
            try_number=self.try_number,
            max_tries=self.max_tries,
            start_date=after_noon(self.now),
            get_task_states=lambda *_, run_ids, **__: {run_ids[0]: dict(self.states)},
            get_dr_count=self.airflow.get_dr_count,
            xcom_push=lambda key, value: self.pushed.update({key: value}),
            xcom_pull=lambda task_id, key: self.pushed.get(key),
        )
        self.airflow.run_ids[ti.id] = run_id
        return {
            "ti": ti,
            "task_instance": ti,
            "params": params,
            "dag_run": SimpleNamespace(
                run_after=self.run_after or after_noon(self.now),
                logical_date=self.date,
                start_date=self.run_started,
                clear_number=self.clear_number,
                run_type=self.run_type,
                triggering_user_name=None,
                conf=params,
            ),
            "asset_state_store": self.ledgers,
            "inlet_events": EVENTS_EMITTED_BEFORE,
            "outlet_events": self.events,
        }

    def prepared(self, post_id: str = "a", reports: list[dict[str, Any]] | None = None, **more: Any) -> str:
        """Record what the preparation of a post makes, also in a dry run, and return the version."""
        post = self.stored().calendar.post(post_id)
        assert post is not None
        if reports is None:
            reports = [{"tier": "full", "kind": str(item.kind or "video"), "sha256": DIGEST} for item in post.items]
        made = PreparedPost(media=[item.location for item in post.items], reports=reports, **more)
        for is_dry in (False, True):
            PostRecords(self.rows(ledger_asset(post.account)), post.key, is_dry).record_prepared(post.version, made)
        return post.version

    def report(self) -> list[str]:
        """Run the task ``problems``, and return the problems that it reports: the messages of its event."""
        before = len(self.events.extras)
        ReportProblems(task_id="problems", settings=self.settings).execute(self.context())
        return [problem["message"] for extra in self.events.extras[before:] for problem in extra["events"]]

    def step(self, run_id: str = "a", prepared: str | None = None, **params: Any) -> str:
        """Return whether a task of a run finds its post still wanted, or else how the task ends.

        :param prepared: The version that was prepared. None for the task that prepares.
        """
        step = (PreparePost if prepared is None else CreatePost)(task_id="step", settings=self.settings)
        self.pushed.clear()
        try:
            step.wanted_post(self.context(run_id, **params))
        except AirflowSkipException:
            return f"skipped ({self.pushed['outcome']['mark']})"
        except ValidationError as error:
            return f"failed: {error.message}"
        return "wanted"


def post(post_id: str, at: float, **more: Any) -> dict[str, Any]:
    return {"id": post_id, "publish_at": f"{after_noon(at):%Y-%m-%d %H:%M:%S}", **more}
