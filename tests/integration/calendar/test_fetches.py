"""Posts of a calendar whose file Instagram cannot fetch for a while, or refuses."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.publishing import sources
from tests.integration.calendar.runs import made, planned, run_by_hand, run_post

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_mock import MockerFixture

    from instagram_sandbox.testing.handle import SandboxHandle


def outcome(result: Any, step: str) -> dict[str, Any]:
    return dict(result.xcom(step, "outcome"))


@pytest.fixture
def picture_post(
    instagram_sandbox: SandboxHandle,
    calendar: Callable[..., Path],
    square_picture: Path,
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
    mocker: MockerFixture,
) -> Callable[..., Path]:
    """Write a calendar with one post of a picture, which Instagram fetches from a server."""
    mocker.patch.object(sources, "FIRST_PAUSE", timedelta(seconds=0.1))
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__PUBLIC_PREFIX", f"{bucket}/public")
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__MEDIA_ROOTS", str(square_picture.parent))

    def write(post_id: str, due_s: float) -> Path:
        return calendar({post_id: due_s}, defaults={"video": None, "image": str(square_picture)})

    return write


def test_a_post_goes_out_once_its_link_works_again(
    instagram_sandbox: SandboxHandle, run_dag: Any, picture_post: Callable[..., Path]
) -> None:
    instagram_sandbox.process_next(outcome="error", subcode=2207052, times=4)
    result = run_post(run_dag, made(picture_post("link-works-again", 5)), "link-works-again")
    assert result.state == "success"
    assert len(instagram_sandbox.posts) == 1
    assert instagram_sandbox.calls("create") == 5


def test_a_link_that_fails_until_the_post_is_too_late_is_named_as_the_reason(
    instagram_sandbox: SandboxHandle,
    run_dag: Any,
    picture_post: Callable[..., Path],
    mocker: MockerFixture,
) -> None:
    """The task is red, with what Instagram said. A post that is only *Skipped: late* would not tell of the link."""
    instagram_sandbox.process_next(outcome="error", subcode=2207052, times=9)
    mocker.patch.object(sources, "FIRST_PAUSE", timedelta(minutes=5))
    dag = made(picture_post("link-never-works", -70), max_lateness=timedelta(minutes=6))
    planned(dag, datetime.now(timezone.utc) - timedelta(hours=1))
    result = run_post(run_dag, dag, "link-never-works")
    assert result.states()["create"] == "failed"
    assert "could not be fetched" in outcome(result, "create")["reason"]
    assert "image/jpeg" in outcome(result, "create")["hint"]
    assert instagram_sandbox.calls("publish") == 0


def test_a_file_that_instagram_refused_is_sent_again_only_if_it_is_another_one(
    instagram_sandbox: SandboxHandle,
    run_dag: Any,
    calendar: Callable[..., Path],
    portrait_video: Path,
    landscape_mov: Path,
    tmp_path: Path,
) -> None:
    shutil.copy(portrait_video, mine := tmp_path / "mine.mp4")
    dag = made(calendar({"refused": 3600}, defaults={"video": "mine.mp4"}))
    instagram_sandbox.process_next(outcome="error", subcode=2207026)
    for _ in range(2):
        result = run_post(run_dag, dag, "refused")
        assert result.states()["create"] == "failed"
        hint = outcome(result, "create")["hint"]
        assert hint.startswith("Instagram refused this file (2207026). Put another file in its place")
        assert "TranscodeOperator" not in hint
        assert instagram_sandbox.calls("create") == 1

    shutil.copy(landscape_mov, mine)
    assert run_by_hand(run_dag, dag, "refused", now=True).state == "success"
    assert len(instagram_sandbox.posts) == 1
