"""The workers of a deployment side by side."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest

from airflow_provider_instagram.doctor.dag import WorkerReport, comparison
from airflow_provider_instagram.doctor.findings import Finding

GOOD = {"Airflow": "3.3.2", "ffmpeg": "7.1"}


def report(machine: str, queue: str = "default", **changes: Any) -> WorkerReport:
    given = {"versions": GOOD, "findings": (Finding("ffmpeg", True, "7.1 at /usr/bin"),)}
    return WorkerReport(queue, machine, **{**given, **changes})


def test_a_report_goes_through_an_xcom_unchanged() -> None:
    made = report("worker-1")
    assert WorkerReport.of(json.loads(json.dumps(asdict(made)))) == made


def test_equal_workers_need_nothing() -> None:
    reports = [report("worker-1"), report("worker-2", "transcode")]
    assert comparison(reports).good


@pytest.mark.parametrize(
    ("changes", "what", "good", "text"),
    [
        ({"versions": {**GOOD, "ffmpeg": "4.4"}}, "versions", False, "ffmpeg 7.1 on worker-1, 4.4 on worker-2"),
        ({"versions": {"Airflow": "3.3.2"}}, "versions", False, "ffmpeg 7.1 on worker-1, none on worker-2"),
    ],
)
def test_what_differs_is_named_with_its_machines(
    changes: dict[str, Any], what: str, good: bool | None, text: str
) -> None:
    reports = [report("worker-1"), report("worker-2", "transcode", **changes)]
    found = comparison(reports)
    assert (found.what, found.good) == (what, good)
    assert text in found.text
