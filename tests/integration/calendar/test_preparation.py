"""Runs that prepare posts ahead of the runs that publish them, in this process, against the sandbox."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.calendar.planning.plan import Plan
from tests.integration.calendar.runs import ACCOUNT, labels, made, states

if TYPE_CHECKING:
    from collections.abc import Callable

    from instagram_sandbox.testing.handle import SandboxHandle

FIVE_HOURS_S = 5 * 3600.0


@pytest.fixture
def prepare(run_dag: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], Any]:
    """Run a DAG as the scheduler does when the preparation of all its posts begins."""

    def run(dag: Any) -> Any:
        with monkeypatch.context() as scheduled:
            for module in ("run_request", "select_posts"):
                name = f"airflow_provider_instagram.calendar.tasks.{module}.started_by_hand"
                scheduled.setattr(name, lambda _: False)
            scheduled.setattr(Plan, "is_prepared_by", lambda *_: True)
            return run_dag(dag)

    return run


def test_a_post_is_transcoded_ahead_and_its_own_run_finds_the_work_done(
    instagram_sandbox: SandboxHandle,
    run_dag: Any,
    prepare: Callable[[Any], Any],
    calendar: Callable[..., Path],
    landscape_mov: Path,
    tmp_path: Path,
) -> None:
    """The first run calls Instagram not once. The second transcodes nothing, and publishes the post once."""
    (tmp_path / "clip.mov").write_bytes(landscape_mov.read_bytes())
    file = calendar({"later": FIVE_HOURS_S}, later={"video": "clip.mov"})
    early = prepare(made(file))
    assert early.state == "success"
    assert {step: states(early)[f"{step}[0]"] for step in ("transcode", "create", "publish")} == {
        "transcode": "success",
        "create": "skipped",
        "publish": "skipped",
    }
    assert instagram_sandbox.journal() == []
    result = Path(early.xcom(f"{ACCOUNT}.transcode", map_index=0))
    written = result.stat()
    assert result.suffix == ".mp4"

    own = run_dag(made(file), posts=["later"], now=True)
    assert own.state == "success"
    assert own.xcom(f"{ACCOUNT}.transcode", map_index=0) == str(result)
    assert (result.stat().st_ino, result.stat().st_mtime_ns) == (written.st_ino, written.st_mtime_ns)
    assert len(instagram_sandbox.posts) == 1
    assert instagram_sandbox.calls("publish") == 1


def test_a_post_whose_file_is_still_to_come_is_left_to_its_own_run_and_turns_no_run_red(
    instagram_sandbox: SandboxHandle, prepare: Callable[[Any], Any], calendar: Callable[..., Path]
) -> None:
    early = prepare(made(calendar({"filmed-tomorrow": FIVE_HOURS_S}, **{"filmed-tomorrow": {"video": "soon.mp4"}})))
    assert early.state == "success"
    assert labels(early, "transcode") == {"filmed-tomorrow (its file is missing)"}
    assert early.xcom(f"{ACCOUNT}.transcode", "outcome", map_index=0)["state"] == "later"


def test_a_file_that_cannot_be_used_fails_the_run_that_prepares_it(
    instagram_sandbox: SandboxHandle, prepare: Callable[[Any], Any], calendar: Callable[..., Path], tmp_path: Path
) -> None:
    """There is time to mend it."""
    (tmp_path / "broken.mp4").write_bytes(b"not a video")
    early = prepare(made(calendar({"broken": FIVE_HOURS_S, "fine": FIVE_HOURS_S}, broken={"video": "broken.mp4"})))
    assert early.state == "failed"
    assert sorted((states(early)["transcode[0]"], states(early)["transcode[1]"])) == ["failed", "success"]
    assert instagram_sandbox.journal() == []
