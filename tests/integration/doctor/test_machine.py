"""The checks of the places that machines share, on a real S3 server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_instagram.calendar.planning.settings import CalendarSettings
from airflow_provider_instagram.doctor.checks import MAX_LATENESS_S, machine_findings, read_work_file

if TYPE_CHECKING:
    from airflow_provider_instagram.doctor.findings import Finding


def findings(name: str) -> dict[str, Finding]:
    return {finding.what: finding for finding in machine_findings(name)}


def test_object_storage_is_written_and_read_and_left_as_it_was(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk import ObjectStoragePath

    monkeypatch.setenv("AIRFLOW__INSTAGRAM__WORK_PREFIX", f"{bucket}/doctor/work/")
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", f"{bucket}/doctor/snapshots/")
    found = findings("a.txt")
    assert (found["work_prefix"].good, found["work_prefix"].text) == (
        True,
        f"{bucket}/doctor/work/ can be written and read",
    )
    assert (found["snapshots"].good, found["snapshots"].text) == (True, f"{bucket}/doctor/snapshots/ can be written")
    assert read_work_file("a.txt")
    assert not read_work_file("a.txt")
    assert list(ObjectStoragePath(f"{bucket}/doctor/").rglob("*.*")) == []


@pytest.mark.parametrize(("option", "what"), [("WORK_PREFIX", "work_prefix"), ("CALENDAR_SNAPSHOTS", "snapshots")])
def test_a_bucket_that_does_not_exist_needs_fixing(
    bucket: str, monkeypatch: pytest.MonkeyPatch, option: str, what: str
) -> None:
    monkeypatch.setenv(f"AIRFLOW__INSTAGRAM__{option}", f"{bucket}-elsewhere/kept/")
    finding = findings("b.txt")[what]
    assert finding.good is False
    assert f"[instagram] {option.lower()}" in finding.text


@pytest.mark.parametrize(
    ("prefix", "public_url", "good"),
    [
        ("", "", None),
        ("{bucket}/public/", "", True),
        ("{bucket}/public/", "https://media.example.com/public/", True),
        ("{bucket}/public/", "file:///var/www", False),
        ("file:///var/www/public/", "", False),
        ("/var/www/public", "https://media.example.com/public/", False),
        ("https://media.example.com/public/", "", False),
        ("memory://public/", "", False),
    ],
)
def test_a_prefix_that_no_link_can_come_from_needs_fixing(
    bucket: str, monkeypatch: pytest.MonkeyPatch, prefix: str, public_url: str, good: bool | None
) -> None:
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__PUBLIC_PREFIX", prefix.format(bucket=bucket))
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__PUBLIC_URL", public_url)
    finding = findings("d.txt")["public_prefix"]
    assert finding.good is good
    assert good or "Set [instagram] public_prefix to" in finding.text


@pytest.mark.parametrize(
    ("timeout_s", "queued_again", "good", "minutes"), [("600", "2", None, 30), ("60", "1000", True, 1001)]
)
def test_a_deployment_says_how_long_its_workers_may_be_away(
    monkeypatch: pytest.MonkeyPatch, timeout_s: str, queued_again: str, good: bool | None, minutes: int
) -> None:
    """By default, Airflow gives up before a calendar does, whose posts may be an hour late."""
    assert CalendarSettings.max_lateness.total_seconds() == MAX_LATENESS_S
    monkeypatch.setenv("AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT", timeout_s)
    monkeypatch.setenv("AIRFLOW__SCHEDULER__NUM_STUCK_IN_QUEUED_RETRIES", queued_again)
    finding = findings("c.txt")["queued tasks"]
    assert finding.good is good
    assert f"after {minutes:,} minutes without a worker" in finding.text
    assert ("num_stuck_in_queued_retries" in finding.text) is (good is None)
