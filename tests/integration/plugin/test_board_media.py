"""The videos of the Posts page in object storage: a real S3 server on this machine."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import HTTPException

from airflow_provider_instagram.files import storage
from airflow_provider_instagram.media.kind import HEAD_BYTES
from airflow_provider_instagram.plugin.board import media
from airflow_provider_instagram.plugin.board.board import NO_PLAN
from airflow_provider_instagram.utils import time_limit

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mock import MockerFixture

MB = 1024 * 1024
SIZE = 60 * MB


class BoardOf:
    """A calendar whose file is in object storage."""

    def __init__(self, location: str) -> None:
        self.calendar = type("Calendar", (), {"dag_id": "spring"})
        self.location = location
        self.stored = NO_PLAN


@pytest.fixture
def video(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mocker: MockerFixture) -> bytes:
    """A large object that begins like an MP4, and that a run has made."""
    content = b"\0\0\0\x20ftypisom" + bytes(range(256)) * (SIZE // 256)
    (tmp_path / "made.mp4").write_bytes(content)
    storage.put(tmp_path / "made.mp4", f"{bucket}/results/made.mp4")
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__WORK_PREFIX", f"{bucket}/results")
    mocker.patch.object(media, "_result", return_value=f"{bucket}/results/made.mp4")
    return content


def part(bucket: str, asked: str) -> Any:
    return media.video_part(BoardOf(f"{bucket}/calendar.yaml"), None, 1, asked)  # type: ignore[arg-type]


def test_a_part_of_a_video_is_read_without_what_is_around_it(bucket: str, video: bytes, mocker: MockerFixture) -> None:
    """A browser plays a video of any size, and the API server reads and holds one part of it."""
    from s3fs.core import S3File

    fetched: list[int] = []
    fetch = S3File._fetch_range

    def counted(self: Any, start: int, end: int) -> bytes:
        fetched.append(end - start)
        return bytes(fetch(self, start, end))

    mocker.patch.object(S3File, "_fetch_range", counted)
    answer = part(bucket, f"bytes={30 * MB}-")
    assert answer.status_code == 206
    assert answer.body == video[30 * MB : 32 * MB]
    assert answer.headers["content-range"] == f"bytes {30 * MB}-{32 * MB - 1}/{len(video)}"
    assert fetched == [HEAD_BYTES, 2 * MB], "what says that it is an MP4, and the part"


def test_the_end_of_a_video_can_be_asked_for(bucket: str, video: bytes) -> None:
    assert part(bucket, f"bytes={len(video) - 7}-").body == video[-7:]


@pytest.mark.parametrize("step", ["_fetch_range", "__init__"])
def test_a_storage_that_does_not_answer_does_not_hold_the_api_server(
    bucket: str, video: bytes, mocker: MockerFixture, step: str
) -> None:
    from s3fs.core import S3File

    is_over = threading.Event()

    def hang(*_: Any, **__: Any) -> None:
        is_over.wait(12)
        raise OSError("The storage has closed the connection.")

    mocker.patch.object(S3File, step, hang)
    mocker.patch.object(time_limit, "SMALL_FILE_TIMEOUT_S", 0.5)
    begun_s = time.monotonic()
    with pytest.raises(HTTPException, match="This video is not on this machine"):
        part(bucket, "bytes=0-")
    assert time.monotonic() - begun_s < 10
    is_over.set()
