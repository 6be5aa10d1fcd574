from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_provider_instagram.exceptions import TranscodeError, ValidationError
from airflow_provider_instagram.media.item import workspace

if TYPE_CHECKING:
    from pytest_mock import MockerFixture

WORKER = """
import sys, time
from pathlib import Path
from airflow_provider_instagram.media.item import workspace
with workspace(Path(sys.argv[1]), 0) as folder:
    (folder / "half-done.mp4").write_bytes(b"0" * 1000)
    print(folder, flush=True)
    time.sleep(60)
"""


def test_work_goes_away_however_it_ends(tmp_path: Path) -> None:
    with workspace(tmp_path / "out.mp4", 0) as folder:
        (folder / "half-done.mp4").write_bytes(b"0")
    with pytest.raises(RuntimeError), workspace(tmp_path / "out.mp4", 0):
        raise RuntimeError
    assert not list(tmp_path.iterdir())


def test_what_a_killed_worker_left_is_removed_by_the_next(tmp_path: Path) -> None:
    """A worker that still works is left alone; once it is killed, what it left goes."""
    worker = subprocess.Popen([sys.executable, "-c", WORKER, tmp_path / "out.mp4"], stdout=subprocess.PIPE, text=True)
    assert worker.stdout
    left = Path(worker.stdout.readline().strip())
    _grow_old(left)
    with workspace(tmp_path / "other.mp4", 0):
        assert (left / "half-done.mp4").exists()
    worker.kill()
    worker.communicate()
    assert left.exists()
    _grow_old(left)
    with workspace(tmp_path / "other.mp4", 0):
        assert not left.exists()
    assert not list(tmp_path.iterdir())


def _grow_old(folder: Path) -> None:
    os.utime(folder, (folder.stat().st_atime, folder.stat().st_mtime - 3600))


def test_too_little_disk_space_is_an_error_before_the_work(tmp_path: Path, mocker: MockerFixture) -> None:
    usage = namedtuple("usage", "total used free")
    mocker.patch.object(shutil, "disk_usage", return_value=usage(10**9, 10**9 - 10**8, 10**8))
    with (
        pytest.raises(TranscodeError, match=r"100 MB free, but needs 167 MB.*output="),
        workspace(tmp_path / "out.mp4", 100_000_000),
    ):
        pass
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(ValidationError, match="is not a writable directory"),
        workspace(tmp_path / "no" / "out.mp4", 0),
    ):
        pass
