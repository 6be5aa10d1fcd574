"""How often an upload reports its progress."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from airflow_provider_instagram.publishing import containers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest
    from pytest_mock import MockerFixture


@dataclass(frozen=True)
class Upload:
    """An upload from byte 1,000,000 on, in seven chunks of a million bytes."""

    video: Path
    offset: int = 1_000_000
    on_progress: Callable[[int, int], None] | None = None

    def send(self) -> None:
        assert self.on_progress is not None
        for sent in range(2, 9):
            self.on_progress(sent * 1_000_000, 10_000_000)


def test_an_upload_reports_its_progress_once_in_five_seconds_and_not_at_once(
    tmp_path: Path, mocker: MockerFixture, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "reel.mp4").touch()
    times_s = iter((100.0, 100.0, 104.9, 105.0, 109.9, 110.5, 115.0, 115.5))
    mocker.patch.object(containers, "time", SimpleNamespace(monotonic=lambda: next(times_s)))
    rest: Any = Upload(tmp_path / "reel.mp4")
    creator: Any = None
    with caplog.at_level("INFO", containers.__name__):
        containers.ContainerCreator._upload(creator, rest)
    _, *reports, _ = [record.getMessage() for record in caplog.records]
    assert reports == [
        "40 %, 0.6 MB/s, 10 s left",
        "60 %, 0.5 MB/s, 8 s left",
        "80 %, 0.5 MB/s, 4 s left",
    ]
