"""What the tests share that need a newer Airflow than the oldest that is supported."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from demo.scene import airflow_settings
from demo.stack import AirflowStack, airflow_stack
from demo.ui import connect
from instagram_sandbox.testing.handle import SandboxHandle, sandbox_process
from tests.integration.conftest import clips, portrait_video, run_dag

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["clips", "portrait_video", "run_dag"]

DAGS = Path(__file__).with_name("dags")


@pytest.fixture(autouse=True)
def _media_roots(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__MEDIA_ROOTS", str(tmp_path_factory.getbasetemp()))


@pytest.fixture(scope="session")
def sandbox() -> Iterator[SandboxHandle]:
    """The sandbox of the running Airflow."""
    with sandbox_process("--processing-time", "1", "--visible-after", "1") as running:
        yield running


@pytest.fixture(scope="session")
def airflow(
    sandbox: SandboxHandle,
    portrait_video: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[AirflowStack]:
    """A whole Airflow with the DAGs of these tests and the connection to the sandbox."""
    home = tmp_path_factory.mktemp("airflow")
    shutil.copytree(DAGS, home / "dags", ignore=shutil.ignore_patterns("__pycache__"))
    settings = airflow_settings(home, portrait_video.parent) | {"AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags")}
    with airflow_stack(settings) as running:
        connect(running, sandbox)
        yield running
