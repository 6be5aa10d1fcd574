"""What the tests of a calendar's runs share: the DAG of a calendar, and the states and labels of a finished run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_instagram.calendar import content_calendar_dag

if TYPE_CHECKING:
    from pathlib import Path

    from airflow.sdk import DAG

ACCOUNT = "instagram_default"
ACCOUNTS = [ACCOUNT, "other", "paris", "x", "calendar", "due_x"]


def made(file: Path, **arguments: Any) -> DAG:
    return content_calendar_dag("content", str(file), **{"accounts": ACCOUNTS, **arguments})


def states(result: Any) -> dict[str, str]:
    return {name.removeprefix(f"{ACCOUNT}."): state for name, state in result.states().items()}


def labels(result: Any, step: str) -> set[str]:
    return {ti.rendered_map_index for ti in result.run.get_task_instances() if ti.task_id == f"{ACCOUNT}.{step}"}
