"""Copies of remote videos on a worker's own disk: what a killed worker left, and disks that are too small."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections import namedtuple
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_provider_instagram.exceptions import TransientError
from airflow_provider_instagram.files import scratch, storage

if TYPE_CHECKING:
    from pytest_mock import MockerFixture

WORKER = """
import time
from airflow_provider_instagram.files import scratch
with scratch.scratch_folder() as folder:
    (folder / "half-copied.mov").write_bytes(b"0" * 1000)
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mocker: MockerFixture) -> Path:
    """The disk of a machine, for copies."""
    folder = tmp_path / "disk"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    mocker.patch.object(tempfile, "tempdir", None)
    return folder


@pytest.fixture
def video(tmp_path: Path) -> Path:
    file = tmp_path / "reel.mp4"
    file.write_bytes(b"moving pictures")
    return file


def test_a_killed_workers_copy_is_removed_before_the_next_one_and_a_working_ones_is_not(disk: Path) -> None:
    worker = subprocess.Popen([sys.executable, "-c", WORKER], stdout=subprocess.PIPE, text=True)
    assert worker.stdout
    left = Path(worker.stdout.readline().strip())
    assert left.parent == disk
    _grow_old(left)
    with scratch.scratch_folder():
        assert (left / "half-copied.mov").exists()
    worker.kill()
    worker.communicate()
    assert left.exists()
    _grow_old(left)
    with scratch.scratch_folder():
        assert not left.exists()
    assert not list(disk.iterdir())


def test_other_files_of_the_disk_stay(disk: Path, video: Path) -> None:
    """Even a link that has the name of a copy: what it leads to belongs to somebody else."""
    (disk / "instagram-sandbox-1").mkdir()
    (disk / f"{scratch.PREFIX}link").symlink_to(video.parent)
    _grow_old(disk / "instagram-sandbox-1")
    os.utime(disk / f"{scratch.PREFIX}link", (0, 0), follow_symlinks=False)
    os.utime(video.parent, (0, 0))
    with scratch.scratch_folder() as folder:
        assert {path.name for path in disk.iterdir()} == {f"{scratch.PREFIX}link", "instagram-sandbox-1", folder.name}
    assert video.read_bytes() == b"moving pictures"


def test_a_copy_that_the_disk_has_no_space_for_is_not_begun(
    bucket: str, disk: Path, video: Path, mocker: MockerFixture
) -> None:
    """The task is tried again: another worker may have the space."""
    storage.put(video, f"{bucket}/in/reel.mp4")
    usage = namedtuple("usage", "total used free")
    mocker.patch.object(shutil, "disk_usage", return_value=usage(10**9, 9 * 10**8, 67_108_878))
    with (
        pytest.raises(TransientError, match=r"67 MB free, but needs 67 MB.*TMPDIR"),
        storage.as_local_file(f"{bucket}/in/reel.mp4"),
    ):
        pass
    mocker.patch.object(shutil, "disk_usage", return_value=usage(10**9, 9 * 10**8, 67_108_879))
    with storage.as_local_file(f"{bucket}/in/reel.mp4") as copy:
        assert copy.read_bytes() == b"moving pictures"
    assert not list(disk.iterdir())


def _grow_old(folder: Path) -> None:
    os.utime(folder, (folder.stat().st_atime, folder.stat().st_mtime - 3600))
