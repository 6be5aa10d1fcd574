"""Edits of a calendar's file by several people at one moment: on disk, and on a real S3 server."""

from __future__ import annotations

import fcntl
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from functools import partial
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.calendar.file.edits import Edit
from airflow_provider_instagram.calendar.file.media_paths import CalendarFiles
from airflow_provider_instagram.calendar.file.problems import InvalidValue
from airflow_provider_instagram.calendar.file.reader import read_rows
from airflow_provider_instagram.calendar.file.writer import CalendarWriter, scratch_file
from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.files import replace, storage
from airflow_provider_instagram.files.access import FileAccess, object_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_mock import MockerFixture

NOW = datetime(2030, 1, 1, tzinfo=timezone.utc)
FEW, MANY = 8, 34
#: How long the slowest process may take to load what it needs.
START_LIMIT_S = 120
TEXT = """\
# The plan
defaults: {timezone: UTC, video: a.mp4}
posts:
  # the first
  - id: first
    publish_at: 2030-05-06 08:30
    caption: Hello
"""


def write(location: str, edit: Edit) -> Any:
    return CalendarWriter(location).write([edit], NOW, {"accounts": None})


def meet_at(barrier: Any) -> None:
    """Have the writers of this process begin together with those of the others."""
    globals()["start_together"] = barrier.wait


def start_together(limit_s: float) -> None:
    """Begin at once, in a test with one process."""


def add_posts(location: str, name: str, count: int) -> int:
    """Add posts one after the other, as a page does."""
    start_together(START_LIMIT_S)
    for number in range(count):
        at = NOW + timedelta(days=number + 200, hours=ord(name))
        fields = {"publish_at": f"{at:%Y-%m-%dT%H:%M}", "video": "a.mp4", "caption": f"{name} {number}"}
        assert write(location, Edit("add", f"{name}-{number}", fields=fields)).unknown == ""
    return count


def write_comments(location: str, count: int) -> int:
    """Write comments into the file, as an editor that looks whether the file has changed before it saves."""
    access = FileAccess.of(location.rpartition("/")[0])
    done = 0
    start_together(START_LIMIT_S)
    while done < count:
        before = replace.read_for_edit(location, access, 10**6)
        try:
            replace.replace(location, access, before, before.content + f"  # note {done}.\n".encode())
        except replace.ChangedMeanwhileError:
            continue
        done += 1
    return done


def read_always(read: Callable[[], str], ended: threading.Event) -> list[int]:
    """Read the file until the end. Return how many posts it had at each look."""
    counts = []
    while not ended.is_set():
        counts.append(len(read_rows(read(), "calendar.yaml").rows))
    return counts


@pytest.mark.long
def test_of_a_hundred_edits_by_two_pages_and_an_editor_none_is_lost_or_doubled(tmp_path: Path) -> None:
    file = tmp_path / "calendar.yaml"
    file.write_text(TEXT)
    file.chmod(0o640)
    (tmp_path / "a.mp4").touch()
    ended = threading.Event()
    spawn = get_context("spawn")
    with (
        ThreadPoolExecutor(1) as reader,
        ProcessPoolExecutor(3, spawn, initializer=meet_at, initargs=(spawn.Barrier(3),)) as writers,
    ):
        counts = reader.submit(read_always, file.read_text, ended)
        try:
            jobs = [writers.submit(add_posts, str(file), name, MANY) for name in "ab"]
            jobs.append(writers.submit(write_comments, str(file), MANY - 2))
            assert sum(job.result(timeout=240) for job in jobs) == 100
        finally:
            ended.set()
        seen = counts.result()
    assert seen == sorted(seen), "no post was away at any instant"
    text = file.read_text()
    ids = [row.values["id"].value for row in read_rows(text, file.name).rows]
    assert sorted(ids) == sorted(["first", *(f"{name}-{number}" for name in "ab" for number in range(MANY))])
    assert [text.count(f"# note {number}.") for number in range(MANY - 2)] == [1] * (MANY - 2)
    assert (text.count("# the first"), file.stat().st_mode & 0o777) == (1, 0o640)
    assert {one.name for one in tmp_path.iterdir()} == {"calendar.yaml", "a.mp4", ".calendar.yaml.lock"}


def test_two_pages_lose_nothing_on_object_storage(bucket: str) -> None:
    location = f"{bucket}/plans/calendar.yaml"
    storage.write(location, TEXT.encode())
    storage.write(f"{bucket}/plans/a.mp4", b"")
    with ThreadPoolExecutor(2) as writers:
        assert sum(writers.map(partial(add_posts, location, count=FEW), "ab")) == 2 * FEW
    ids = [row.values["id"].value for row in read_rows((storage.read(location) or b"").decode(), location).rows]
    assert sorted(ids) == sorted(["first", *(f"{name}-{number}" for name in "ab" for number in range(FEW))])


@pytest.mark.parametrize("is_done", [True, False])
def test_a_write_whose_answer_is_lost_is_looked_for(bucket: str, mocker: MockerFixture, is_done: bool) -> None:
    location = f"{bucket}/lost/calendar.yaml"
    storage.write(location, TEXT.encode())
    storage.write(f"{bucket}/lost/a.mp4", b"")
    files = object_path(location).fs
    put = files.pipe_file

    def lost(path: str, content: bytes, **given: Any) -> None:
        if is_done:
            put(path, content, **given)
        raise TimeoutError("the storage has not answered within 8 s")

    mocker.patch.object(files, "pipe_file", lost)
    written = write(location, Edit("change", "first", seen={"caption": "Hello"}, fields={"caption": "Mine"}))
    unknown = "" if is_done else f"{location} may have been written: the storage has not answered within 8 s."
    assert written.unknown == unknown


def test_a_write_that_its_own_repetition_refuses_was_made(bucket: str, mocker: MockerFixture) -> None:
    location = f"{bucket}/twice/calendar.yaml"
    storage.write(location, TEXT.encode())
    storage.write(f"{bucket}/twice/a.mp4", b"")
    files = object_path(location).fs
    put = files.pipe_file

    def twice(path: str, content: bytes, **given: Any) -> None:
        put(path, content, **given)
        put(path, content, **given)

    mocker.patch.object(files, "pipe_file", twice)
    written = write(location, Edit("change", "first", seen={"caption": "Hello"}, fields={"caption": "Mine"}))
    assert written.unknown == ""
    assert b"Mine" in (storage.read(location) or b"")


@pytest.mark.parametrize(
    ("answer", "error"),
    [("lost", replace.MayBeWrittenError), ("refused because of its first attempt", replace.ChangedMeanwhileError)],
)
def test_nobody_knows_whether_an_upload_without_an_answer_has_arrived(
    bucket: str, tmp_path: Path, mocker: MockerFixture, answer: str, error: type[Exception]
) -> None:
    location, access = f"{bucket}/up/{len(answer)}.mp4", FileAccess.of(bucket)
    (tmp_path / "a.mp4").write_bytes(b"moving")
    files = object_path(location).fs
    put = files.put_file

    def disturbed(*given: Any, **more: Any) -> None:
        put(*given, **more)
        if answer == "lost":
            raise TimeoutError("no answer")
        put(*given, **more)

    mocker.patch.object(files, "put_file", disturbed)
    with pytest.raises(error):
        replace.add(tmp_path / "a.mp4", location, access)
    assert storage.read(location) == b"moving"
    with pytest.raises(replace.ChangedMeanwhileError):
        replace.add(tmp_path / "a.mp4", location, access)


@pytest.mark.parametrize("where", ["a folder", "a bucket"])
def test_a_file_is_not_replaced_by_one_who_has_read_an_older_version(tmp_path: Path, where: str, request: Any) -> None:
    folder = str(tmp_path) if where == "a folder" else request.getfixturevalue("bucket")
    location, access = f"{folder}/calendar.yaml", FileAccess.of(folder)
    storage.write(location, b"one")
    before = replace.read_for_edit(location, access, 100)
    storage.write(location, b"two")
    with pytest.raises(replace.ChangedMeanwhileError):
        replace.replace(location, access, before, b"three")
    assert storage.read(location) == b"two"


def test_a_link_as_the_folder_of_bundles_protects_the_calendars_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "bundles" / "team" / "calendar.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(TEXT)
    (tmp_path / "link").symlink_to(tmp_path / "bundles")
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH", str(tmp_path / "link"))
    with pytest.raises(InvalidValue, match=r"a bundle that Airflow fetches.* Edit the file itself"):
        write(str(file), Edit("change", "first", fields={"caption": "Mine"}))
    assert file.read_text() == TEXT


def test_a_file_keeps_its_group_where_the_server_may_give_it(tmp_path: Path, mocker: MockerFixture) -> None:
    file, asked = tmp_path / "calendar.yaml", []
    file.write_text(TEXT)
    (tmp_path / "a.mp4").touch()
    group = file.stat().st_gid

    def refuse(_: int, *owners: int) -> None:
        asked.append(owners)
        raise PermissionError

    mocker.patch("os.fchown", refuse)
    assert write(str(file), Edit("change", "first", fields={"caption": "Mine"})).unknown == ""
    assert (asked, "caption: Mine" in file.read_text()) == ([(-1, group)], True)


def test_a_lock_that_is_never_released_refuses_the_edit(tmp_path: Path, mocker: MockerFixture) -> None:
    mocker.patch.object(replace, "LOCK_TIMEOUT_S", 0.05)
    file = tmp_path / "calendar.yaml"
    file.write_text(TEXT)
    (tmp_path / "a.mp4").touch()
    with (tmp_path / ".calendar.yaml.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(InvalidValue, match=r"another program holds its lock \.calendar\.yaml\.lock"):
            write(str(file), Edit("change", "first", fields={"caption": "Mine"}))
    assert file.read_text() == TEXT


def test_no_edit_makes_a_file_so_large_that_nobody_can_read_it(tmp_path: Path, mocker: MockerFixture) -> None:
    mocker.patch("airflow_provider_instagram.calendar.file.writer.MAX_BYTES", len(TEXT) + 2)
    file = tmp_path / "calendar.yaml"
    file.write_text(TEXT)
    with pytest.raises(InvalidValue, match="would have more than 10,000,000 bytes"):
        write(str(file), Edit("change", "first", fields={"caption": "Hello, all of you"}))
    assert file.read_text() == TEXT


def test_no_edit_follows_a_link_that_leads_out_of_the_folder(tmp_path: Path) -> None:
    outside, inside = tmp_path / "secret.yaml", tmp_path / "team" / "calendar.yaml"
    inside.parent.mkdir()
    outside.write_text(TEXT)
    inside.symlink_to(outside)
    with pytest.raises(InvalidValue, match="not in an allowed folder"):
        write(str(inside), Edit("change", "first", fields={"caption": "Mine"}))
    assert outside.read_text() == TEXT


@pytest.mark.parametrize("where", ["a folder", "a bucket"])
def test_a_new_file_never_takes_the_place_of_another(tmp_path: Path, where: str, request: Any) -> None:
    folder = str(tmp_path) if where == "a folder" else f"{request.getfixturevalue('bucket')}/new"
    writer = CalendarWriter(f"{folder}/calendar.yaml")
    with scratch_file("new.mp4") as file:
        file.write_bytes(b"first")
        writer.add_file(file)
        file.write_bytes(b"second")
        with pytest.raises(InvalidValue, match=r"has a file new\.mp4 already"):
            writer.add_file(file)
    assert storage.read(f"{folder}/new.mp4") == b"first"
    assert writer.media_names() == ["new.mp4"]
    with pytest.raises(InvalidValue, match="neither a video nor a picture"), scratch_file("calendar.yaml"):
        pass


def test_the_files_of_a_folder_that_was_replaced_are_not_touched(tmp_path: Path) -> None:
    file = tmp_path / "team" / "calendar.yaml"
    file.parent.mkdir()
    file.write_text(TEXT)
    pin = CalendarFiles(str(file)).pin
    file.parent.rename(tmp_path / "was")
    file.parent.symlink_to(tmp_path / "was")
    with pytest.raises(ValidationError, match="a link or a folder on this path was replaced"):
        CalendarWriter(str(file), pin)
    assert file.read_text() == TEXT
