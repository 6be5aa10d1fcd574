"""A file that a user named is opened once, and what is opened is what was checked."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from airflow_provider_instagram.exceptions import InstagramError, TransientError, ValidationError
from airflow_provider_instagram.files import scratch
from airflow_provider_instagram.files.access import FileAccess, FileCheck
from airflow_provider_instagram.files.storage import as_local_file
from airflow_provider_instagram.utils.local_files import file_digest

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mock import MockerFixture

SECRET = b"the server's own secret"


@pytest.fixture
def media(tmp_path: Path) -> Path:
    """A folder that a user may name, with a file in a folder of its own, and beside it a folder of the same shape."""
    for folder, content in (("media/week", b"mine"), ("server/week", SECRET)):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "clip.mp4").write_bytes(content)
    return tmp_path / "media"


@pytest.fixture
def check(media: Path) -> FileCheck:
    return FileCheck(FileAccess.of(str(media)))


def replace_folder_by_link(media: Path) -> None:
    """Replace the user's own folder by a link to the server's."""
    (media / "week").rename(media / "aside")
    (media / "week").symlink_to(media.parent / "server" / "week")


def test_the_open_file_stays_the_same_whatever_takes_its_name(media: Path, check: FileCheck) -> None:
    location = media / "week" / "clip.mp4"
    with as_local_file(str(location), check=check) as file:
        replace_folder_by_link(media)
        assert (file.name, file.read_bytes(), file.stat().st_size) == ("clip.mp4", b"mine", 4)
        assert location.read_bytes() == SECRET
    assert not file.is_symlink()


@pytest.mark.parametrize("error", [ValidationError, TransientError])
def test_an_error_names_the_file_as_the_user_does(media: Path, check: FileCheck, error: type[InstagramError]) -> None:
    location = str(media / "week" / "clip.mp4")
    with pytest.raises(error, match=rf"^{location} is empty\.$"), as_local_file(location, check=check) as file:
        raise error(f"{file} is empty.")


def test_a_copy_of_a_file_that_grows_takes_no_more_room_than_there_was(
    media: Path, check: FileCheck, mocker: MockerFixture, tmp_path: Path
) -> None:
    location = media / "week" / "clip.mp4"

    def grow(folder: Path, size: int) -> None:
        assert size == len(b"mine")
        location.write_bytes(b"mine, and much more")
        (folder / "clip.mp4").touch()
        os.link(folder / "clip.mp4", tmp_path / "copy")

    mocker.patch.object(scratch, "require_space", grow)
    with (
        pytest.raises(TransientError, match="was changed while it was being read"),
        as_local_file(str(location), check=check),
    ):
        pass
    assert (tmp_path / "copy").read_bytes() == b"mine"


def test_a_file_that_is_too_large_is_not_copied(media: Path, check: FileCheck) -> None:
    """A sparse file takes no room, and its copy would fill the disk."""
    location = media / "week" / "clip.mp4"
    os.truncate(location, 10**12)
    with (
        pytest.raises(ValidationError, match=r"has 1,000,000,000,000 bytes; the limit is 20,000,000,000 bytes\."),
        as_local_file(str(location), check=check),
    ):
        pass


def test_a_copy_stays_the_same_whatever_its_owner_writes(media: Path, check: FileCheck) -> None:
    location = media / "week" / "clip.mp4"
    approved = FileCheck(check.access, file_digest(location))
    with as_local_file(str(location), check=approved) as file:
        location.write_bytes(b"ours")
        assert file.read_bytes() == b"mine"
    with pytest.raises(ValidationError, match=r"clip\.mp4 has changed since it was approved: the SHA-256"):  # noqa: SIM117
        with as_local_file(str(location), check=approved):
            pass


def test_a_file_without_permission_is_said_to_be_so(media: Path, check: FileCheck, mocker: MockerFixture) -> None:
    """The user of these tests may be root, who may read everything."""

    def refuse(_: object, location: str) -> Path:
        raise PermissionError(13, f"Permission denied: {location}")

    mocker.patch.object(FileAccess, "resolved", refuse)
    location = str(media / "week" / "clip.mp4")
    with (
        pytest.raises(ValidationError, match="cannot be read: Permission denied"),
        as_local_file(location, check=check),
    ):
        pass
