"""A calendar's DAG without Airflow: its file, its parses, its runs and their steps, at times that a test names."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import yaml
from airflow.sdk.exceptions import AirflowSkipException

from airflow_provider_instagram.calendar.planning.settings import CalendarSettings
from airflow_provider_instagram.calendar.tasks.select_posts import DuePosts
from airflow_provider_instagram.calendar.tasks.transcode import TranscodePost
from airflow_provider_instagram.exceptions import ValidationError

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2026, 12, 1, 12, tzinfo=timezone.utc)
ACCOUNT = "instagram_default"


class ToldBefore(dict[Any, Any]):
    """An account that other runs have emitted events of."""

    def __missing__(self, alias: Any) -> Any:
        return SimpleNamespace(limit=lambda number: [alias] * number)


TOLD_BEFORE = ToldBefore()


def after_noon(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


class Rows(dict[str, Any]):
    """A ledger's rows, as Airflow's state store keeps them."""

    def set(self, key: str, value: Any) -> None:
        self[key] = value


class Ledgers(dict[Any, Any]):
    """The ledgers of all accounts."""

    def __missing__(self, asset: Any) -> Rows:
        self[asset] = Rows()
        return self[asset]  # type: ignore[no-any-return]


@dataclass
class Stage:
    """Where a calendar is played. Times are minutes after noon.

    :param file: The calendar's file.
    :param given: Arguments of the DAG.
    :param now: The time.
    :param try_number: Which of four tries the tasks are in.
    :param failed: Runs that have failed, or were deleted.
    """

    file: Path
    given: dict[str, Any] = field(default_factory=dict)
    now: float = 0
    ledgers: Ledgers = field(default_factory=Ledgers)
    try_number: int = 1
    failed: set[str] = field(default_factory=set)

    def at_work(self, dag_id: str, *, run_ids: list[str], states: list[str]) -> int:
        """Count runs as Airflow does: all are under way but those that failed."""
        return sum(f"{dag_id}/{run_id}" not in self.failed for run_id in run_ids)

    @property
    def settings(self) -> CalendarSettings:
        return CalendarSettings.of("content", str(self.file), **self.given)

    def write(self, *posts: dict[str, Any], **head: Any) -> None:
        head["defaults"] = {"video": "a.mp4", "timezone": "UTC", **head.get("defaults", {})}
        self.file.write_text(yaml.safe_dump({"min_spacing": "0 s", **head, "posts": list(posts)}))

    def parse(self, at: float) -> list[float]:
        """Let the DAG processor see the file; give the beginnings of runs."""
        self.now = at
        settings = self.settings
        moments = settings.plan(after_noon(at)).moments(settings.lead_time, settings.max_lateness)
        return [(moment - NOON.timestamp()) / 60 for moment in moments]

    def faults(self) -> list[str]:
        return [fault.message for fault in self.settings.plan().timely.faults]

    def context(self, run: str, slot: float, **params: Any) -> Any:
        return {
            "ti": SimpleNamespace(
                dag_id=run.partition("/")[0],
                run_id=run.partition("/")[2],
                task_id="t",
                map_index=0,
                try_number=self.try_number,
                max_tries=3,
                get_dr_count=self.at_work,
            ),
            "params": params,
            "dag_run": SimpleNamespace(
                run_type="manual" if params or "manual" in run else "scheduled",
                data_interval_end=after_noon(slot),
                run_after=after_noon(slot),
            ),
            "asset_state_store": self.ledgers,
            "inlet_events": TOLD_BEFORE,
        }

    def run(self, run: str, slot: float, account: str = ACCOUNT, **params: Any) -> list[Any]:
        """Let a run of a moment choose the posts that it brings."""
        choose = DuePosts(task_id="due", settings=self.settings, instagram_conn_id=account)
        return choose.execute(self.context(run, slot, **params))

    def step(self, post: dict[str, Any], run: str, **params: Any) -> str:
        """Let a step of a run say whether its post is still wanted; else how the step ends."""
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
