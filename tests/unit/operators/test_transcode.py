"""The warning about an output that only this worker has."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest

from airflow_provider_instagram.media.spec import Options, profile_for
from airflow_provider_instagram.operators.transcode import executors_on_other_machines
from airflow_provider_instagram.publishing import transcode
from airflow_provider_instagram.publishing.transcode import Transcode

REMOTE, LOCAL = "s3://media@clips/in/reel.mov", "/data/in/reel.mov"


def warnings(executor: str, source: str, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", executor)
    use_case = Transcode(profile_for("reels"), Options(), other_machines=executors_on_other_machines())
    with mock.patch.object(transcode, "log") as log:
        use_case._warn_if_other_workers_lack("/tmp/work/reel.mp4", source)
    return [call.args for call in log.warning.call_args_list]


@pytest.mark.parametrize(
    ("executor", "named"),
    [
        ("CeleryExecutor", "CeleryExecutor"),
        ("LocalExecutor,CeleryExecutor:workers", "CeleryExecutor"),
        ("a=LocalExecutor;b=KubernetesExecutor", "KubernetesExecutor"),
        ("airflow.providers.edge3.executors.EdgeExecutor", "EdgeExecutor"),
    ],
)
def test_a_local_output_of_a_remote_source_is_warned_of_where_tasks_run_on_several_machines(
    executor: str, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ((text, location, executors),) = warnings(executor, REMOTE, monkeypatch)
    assert "work_prefix" in text
    assert (location, executors) == ("/tmp/work/reel.mp4", named)


@pytest.mark.parametrize(("executor", "source"), [("LocalExecutor", REMOTE), ("CeleryExecutor", LOCAL)])
def test_one_machine_or_a_folder_that_the_author_chose_needs_no_warning(
    executor: str, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert warnings(executor, source, monkeypatch) == []
