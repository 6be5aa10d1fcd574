"""The worker's own disk as a cache of object storage: a real S3 server, and the real files."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.files import cache, scratch, storage

if TYPE_CHECKING:
    from pathlib import Path

    from instagram_sandbox.testing.handle import SandboxHandle


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A worker's TMPDIR, with some space."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(cache, "MIN_FREE_BYTES", 0)
    return tmp_path


@pytest.fixture
def no_downloads(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("the object is downloaded")

    monkeypatch.setattr(storage, "_copied", refuse)


def sent(location: str, content: bytes = b"moving pictures") -> str:
    """Send a result to object storage as a transcode does."""
    with scratch.scratch_folder() as folder:
        (folder / "result.mp4").write_bytes(content)
        storage.put(folder / "result.mp4", location, keep=True)
    return location


def kept(disk: Path) -> list[Path]:
    return list((disk / f".instagram-cache-{os.geteuid()}").glob("*"))


def read(location: str) -> bytes:
    with storage.as_local_file(location) as path:
        return path.read_bytes()


@pytest.mark.usefixtures("no_downloads")
def test_the_next_task_on_the_worker_reads_the_worker_s_own_copy(bucket: str, disk: Path) -> None:
    location = sent(f"{bucket}/cache/a.mp4")
    for _ in range(2):
        with storage.as_local_file(location) as path:
            assert (path.name, path.read_bytes()) == ("a.mp4", b"moving pictures")
            assert path.parent.name.startswith(".instagram-copy-")
        assert not path.exists()


def test_an_object_that_was_replaced_is_downloaded(bucket: str, disk: Path) -> None:
    location = sent(f"{bucket}/cache/b.mp4")
    (disk / "new.mp4").write_bytes(b"other  pictures")
    storage.put(disk / "new.mp4", location)
    assert read(location) == b"other  pictures"


def test_a_copy_that_was_changed_on_the_disk_is_thrown_away(bucket: str, disk: Path) -> None:
    location = sent(f"{bucket}/cache/c.mp4")
    (file,) = kept(disk)
    file.write_bytes(b"planted picture")
    assert read(location) == b"moving pictures"
    assert kept(disk) == []


@pytest.mark.parametrize("kind", ["open to all", "link", "file"])
def test_a_folder_that_another_user_may_write_to_is_not_used(bucket: str, disk: Path, kind: str) -> None:
    folder = disk / f".instagram-cache-{os.geteuid()}"
    if kind == "open to all":
        folder.mkdir()
        folder.chmod(0o777)
    elif kind == "link":
        (disk / "elsewhere").mkdir(mode=0o700)
        folder.symlink_to(disk / "elsewhere")
    else:
        folder.touch()
    assert read(sent(f"{bucket}/cache/d.mp4")) == b"moving pictures"
    assert [path for path in disk.rglob("*") if path.is_file() and path != folder] == []


def test_the_folder_is_private(bucket: str, disk: Path) -> None:
    sent(f"{bucket}/cache/e.mp4")
    assert kept(disk)[0].parent.stat().st_mode & 0o777 == 0o700


def test_the_oldest_copies_are_removed_beyond_the_limit(
    bucket: str, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CACHE_MB", "2")
    for number in range(3):
        sent(f"{bucket}/cache/f{number}.mp4", bytes([number]) * 900_000)
        time.sleep(0.02)
    assert sorted(file.read_bytes()[0] for file in kept(disk)) == [1, 2]


def test_old_copies_are_removed_by_the_next_task(bucket: str, disk: Path) -> None:
    location = sent(f"{bucket}/cache/g.mp4")
    (file,) = kept(disk)
    os.utime(file, (time.time() - 3601,) * 2)
    assert read(location) == b"moving pictures"
    assert kept(disk) == []


def test_nothing_is_kept_on_a_full_disk(bucket: str, disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent(f"{bucket}/cache/h.mp4")
    monkeypatch.setattr(cache, "MIN_FREE_BYTES", 1 << 60)
    sent(f"{bucket}/cache/i.mp4")
    assert kept(disk) == []


def test_zero_megabytes_keep_nothing(bucket: str, disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CACHE_MB", "0")
    assert read(sent(f"{bucket}/cache/j.mp4")) == b"moving pictures"
    assert kept(disk) == []


def test_a_copy_in_use_outlives_its_removal(bucket: str, disk: Path) -> None:
    location = sent(f"{bucket}/cache/k.mp4")
    with storage.as_local_file(location) as path:
        kept(disk)[0].unlink()
        assert path.read_bytes() == b"moving pictures"


@pytest.mark.long
def test_a_result_is_uploaded_from_the_worker_that_made_it(
    bucket: str,
    disk: Path,
    instagram_sandbox: SandboxHandle,
    run_dag: Any,
    landscape_mov: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From source to post, the source is the only object that is downloaded."""
    from airflow.sdk import DAG

    from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator, TranscodeOperator

    downloaded = []
    copied = storage._copied

    def counted(remote: Any, copy: Path, *rest: Any) -> str:
        downloaded.append(copy.name)
        return copied(remote, copy, *rest)

    monkeypatch.setattr(storage, "_copied", counted)
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__WORK_PREFIX", f"{bucket}/work/")
    storage.put(landscape_mov, f"{bucket}/raw/camera.mov")
    with DAG("cached", schedule=None) as dag:
        transcode = TranscodeOperator(task_id="transcode", source=f"{bucket}/raw/camera.mov")
        create = CreateContainerOperator(
            task_id="create", video=transcode.output, caption="cached", wait_for_completion=True
        )
        PublishOperator(task_id="publish", container_id=create.output)
    assert run_dag(dag).state == "success"
    assert [post.caption for post in instagram_sandbox.posts] == ["cached"]
    assert downloaded == ["camera.mov"]
