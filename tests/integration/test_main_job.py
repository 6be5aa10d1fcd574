"""The main job, from a file to a post on the sandbox, in each shape of task."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from airflow_provider_instagram.sandbox.handle import SandboxHandle

DAGS = Path(__file__).parents[2] / "dags"


def load_dag(name: str) -> DAG:
    spec = importlib.util.spec_from_file_location(name, DAGS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.dag


@pytest.fixture(autouse=True)
def _media_roots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__MEDIA_ROOTS", "/tmp")


def test_a_landscape_mov_becomes_a_reel(instagram_sandbox: SandboxHandle, run_dag: Any, landscape_mov: Path) -> None:
    result = run_dag(load_dag("publish_reel"), video=str(landscape_mov), caption="From the beach #summer")

    assert result.states() == dict.fromkeys(("transcode", "create", "wait", "publish"), "success")
    post = result.xcom("publish")
    assert [seen.permalink for seen in instagram_sandbox.posts] == [post["permalink"]]
    assert [seen.caption for seen in instagram_sandbox.posts] == ["From the beach #summer"]
