"""The DAG ``instagram_doctor``, run in this process."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.doctor.dag import instagram_doctor_dag

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mock import MockerFixture

    from instagram_sandbox.testing.handle import SandboxHandle
    from tests.integration.conftest import RunDag


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mocker: MockerFixture) -> Path:
    """A folder for transcoded videos, a disk with space, and a folder for snapshots."""
    for name in ("work", "snapshots"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__WORK_PREFIX", str(tmp_path / "work"))
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", str(tmp_path / "snapshots"))
    mocker.patch.object(tempfile, "tempdir", str(tmp_path))
    mocker.patch("airflow_provider_instagram.doctor.checks._LITTLE_SPACE_BYTES", 0)
    return tmp_path / "work"


def findings(result: Any, task_id: str) -> dict[str, tuple[Any, str]]:
    return {one["what"]: (one["good"], one["text"]) for one in result.xcom(task_id)["findings"]}


def test_a_worker_of_each_queue_is_checked(instagram_sandbox: SandboxHandle, run_dag: RunDag, work: Path) -> None:
    """What is written to try the place of transcoded videos goes away again."""
    dag = instagram_doctor_dag(queues=["default", "transcode"])
    assert dag.get_task("check_transcode").queue == "transcode"
    result = run_dag(dag)
    assert result.states() == {
        "check_default": "success",
        "check_transcode": "success",
        "report": "success",
    }
    found = findings(result, "check_transcode")
    assert found["work_prefix"] == (True, f"{work} can be written and read")
    assert found["snapshots"][0] is True
    assert found["instagram_default account"] == (True, f"@sandbox_studio, BUSINESS, {instagram_sandbox.user_id}")
    assert [path for path in work.rglob("*") if path.is_file()] == []


def test_what_needs_fixing_fails_the_report(
    instagram_sandbox: SandboxHandle, run_dag: RunDag, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__FFMPEG", "no-such-ffmpeg")
    result = run_dag(instagram_doctor_dag())
    assert result.states()["report"] == "failed"
    good, text = findings(result, "check_default")["ffmpeg"]
    assert good is False
    assert "Install ffmpeg on the workers" in text


def test_a_place_that_cannot_be_written_is_named(
    instagram_sandbox: SandboxHandle, run_dag: RunDag, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (work / "a file").touch()
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__WORK_PREFIX", str(work / "a file"))
    result = run_dag(instagram_doctor_dag())
    good, text = findings(result, "check_default")["work_prefix"]
    assert good is False
    assert "NotADirectoryError" in text
    assert "Check [instagram] work_prefix" in text
    assert result.states()["report"] == "failed"
