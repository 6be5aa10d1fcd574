"""A calendar's DAG without Airflow: its file, its parses, its runs and their tasks, at times that a test names."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import yaml
from airflow.sdk.exceptions import AirflowSkipException
from pydantic import JsonValue, TypeAdapter

from airflow_provider_instagram.calendar.planning.settings import CalendarSettings
from airflow_provider_instagram.calendar.tasks.report_problems import ReportProblems
from airflow_provider_instagram.calendar.tasks.select_posts import SelectPosts
from airflow_provider_instagram.calendar.tasks.transcode import TranscodePost
from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.ledger.assets import ledger_asset
from airflow_provider_instagram.ledger.seal import SealedStore

if TYPE_CHECKING:
    from pathlib import Path

JSON: TypeAdapter[Any] = TypeAdapter(JsonValue)
NOON = datetime(2026, 12, 1, 12, tzinfo=timezone.utc)
ACCOUNT = "instagram_default"
LEDGER = ledger_asset(ACCOUNT)
ACCOUNTS = [ACCOUNT, "new", "other"]


class EventsEmittedBefore(dict[Any, Any]):
    """An account for which other runs have emitted events."""

    def __missing__(self, alias: Any) -> Any:
        return SimpleNamespace(limit=lambda number: [alias] * number)


EVENTS_EMITTED_BEFORE = EventsEmittedBefore()


def after_noon(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def minutes_after_noon(seconds: float) -> float:
    return (seconds - NOON.timestamp()) / 60


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
class SimulatedCalendar:
    """A calendar whose DAG is parsed and run in this process. Times are minutes after noon.

    :param file: The calendar's file.
    :param given: Arguments of the DAG. Without ``prepare_ahead``, no run prepares posts ahead.
    :param now: The current time.
    :param try_number: Which of four tries the tasks are in.
    :param failed: Runs that have failed, or were deleted.
    :param runs: When the runs of the last parse begin, and the earliest time of the posts of each.
    :param asks: The state of the task that asks for an approval.
    :param asked_in: The state of that task in other runs, by their ids.
    """

    file: Path
    given: dict[str, Any] = field(default_factory=dict)
    now: float = 0
    ledgers: Ledgers = field(default_factory=Ledgers)
    try_number: int = 1
    failed: set[str] = field(default_factory=set)
    runs: dict[float, float] = field(default_factory=dict)
    events: Events = field(default_factory=Events)
    dag_id: str = "content"
    asks: str | None = "success"
    asked_in: dict[str, str | None] = field(default_factory=dict)

    def task_states(self, dag_id: str, map_index: int, task_ids: list[str], *, run_ids: list[str]) -> dict[str, Any]:
        """Return the state of a task that Airflow knows: that of the approval."""
        return {run_ids[0]: {f"{task_ids[0]}_{map_index}": self.asked_in.get(run_ids[0], self.asks)}}

    def at_work(self, dag_id: str, *, run_ids: list[str], states: list[str]) -> int:
        """Return how many of these runs Airflow knows as active or successful: all but those that failed."""
        return sum(f"{dag_id}/{run_id}" not in self.failed for run_id in run_ids)

    @property
    def settings(self) -> CalendarSettings:
        return CalendarSettings.of(
            self.dag_id, str(self.file), **{"accounts": ACCOUNTS, "prepare_ahead": timedelta(0), **self.given}
        )

    def rows(self, asset: Any = LEDGER) -> SealedStore:
        """Return the rows of an asset as the tasks see them."""
        return SealedStore(self.ledgers[asset], asset.uri)

    def write(self, *posts: dict[str, Any], **head: Any) -> None:
        head["defaults"] = {"video": "a.mp4", "timezone": "UTC", **head.get("defaults", {})}
        self.file.write_text(yaml.safe_dump({"min_spacing": "0 s", **head, "posts": list(posts)}))

    def parse(self, at: float) -> list[float]:
        """Read the file as the DAG processor does, and return when runs begin."""
        self.now = at
        settings = self.settings
        plan = settings.plan(after_noon(at))
        runs = plan.runs(settings.lead_time, settings.max_lateness, settings.prepare_ahead)
        self.runs = {minutes_after_noon(begin): minutes_after_noon(earliest) for begin, earliest in runs.items()}
        return list(self.runs)

    def problems(self) -> list[str]:
        return [problem.message for problem in self.settings.plan().timely.problems]

    def context(self, run: str, begin: float, **params: Any) -> Any:
        return {
            "ti": SimpleNamespace(
                dag_id=run.partition("/")[0],
                run_id=run.partition("/")[2],
                task_id="t",
                map_index=0,
                try_number=self.try_number,
                max_tries=3,
                get_dr_count=self.at_work,
                get_task_states=self.task_states,
            ),
            "params": params,
            "dag_run": SimpleNamespace(
                run_type="manual" if params or "manual" in run else "scheduled",
                data_interval_start=after_noon(self.runs.get(begin, begin)),
                data_interval_end=after_noon(begin),
                run_after=after_noon(begin),
            ),
            "asset_state_store": self.ledgers,
            "inlet_events": EVENTS_EMITTED_BEFORE,
            "outlet_events": self.events,
        }

    def run(self, run: str, begin: float, account: str = ACCOUNT, **params: Any) -> list[Any]:
        """Return the posts that a run selects that begins at a time."""
        choose = SelectPosts(task_id="due", settings=self.settings, instagram_conn_id=account)
        return choose.execute(self.context(run, begin, **params))

    def report(self, run: str = "content/own", begin: float = 0, **params: Any) -> list[str]:
        """Run the task ``calendar``, and return the problems that it reports: the messages of its event."""
        before = len(self.events.extras)
        ReportProblems(task_id="calendar", settings=self.settings).execute(self.context(run, begin, **params))
        return [problem["message"] for extra in self.events.extras[before:] for problem in extra["events"]]

    def step(self, post: dict[str, Any], run: str, **params: Any) -> str:
        """Return whether a task of a run finds its post still wanted, or else how the task ends."""
        context = self.context(run, self.now, **params)
        step = TranscodePost(task_id="step", post=post, settings=self.settings, instagram_conn_id=post["account"])
        try:
            step.still_wanted(context)
        except AirflowSkipException:
            return f"skipped{context['mark']}"
        except ValidationError as error:
            return f"failed: {error.message}"
        return "wanted"


def post(post_id: str, at: float, **more: Any) -> dict[str, Any]:
    return {"id": post_id, "publish_at": f"{after_noon(at):%Y-%m-%d %H:%M:%S}", **more}


def ids(posts: list[Any]) -> list[str]:
    return [post["id"] for post in posts]
