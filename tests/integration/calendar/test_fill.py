"""``airflow instagram calendar fill``, as a content person types it, on a disk and on object storage."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.calendar.file.parser import read_calendar
from airflow_provider_instagram.files import replace, storage

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mock import MockerFixture

Command = Callable[..., tuple[int, str, str]]
TEXT = """\
slots: {studio: [Mon 08:30, Wed 12:00, Fri 18:00], shop: [Tue 10:00]}
defaults: {timezone: Europe/Berlin, video: a.mp4, account: studio}
posts:
  - id: first  # Grüße
  - id: second
    account: shop
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "posts.yaml"
    path.write_text(TEXT)
    (tmp_path / "a.mp4").touch()
    monkeypatch.chdir(tmp_path)
    return path


def answer(mocker: MockerFixture, said: str, before: Callable[[], Any] = lambda: None) -> list[str]:
    """Answer the next question, and do something else before. The questions are added to the list."""
    asked = list[str]()

    def answered(question: str) -> str:
        asked.append(question)
        before()
        return said

    mocker.patch("builtins.input", answered)
    return asked


def test_it_prints_a_line_for_each_post_and_a_diff_and_writes_on_a_yes(
    run: Command, file: Path, mocker: MockerFixture
) -> None:
    asked = answer(mocker, "y")
    code, out, _ = run("calendar", "fill", "posts.yaml")
    assert (code, asked) == (0, ["Write this into posts.yaml? [y/N] "])
    first, second, empty, *diff, last = out.splitlines()
    assert first.startswith("first: ")
    assert first.endswith(", the first free slot.")
    assert second.startswith("second: Tue ")
    assert (empty, diff[:2], last) == ("", ["--- a/posts.yaml", "+++ b/posts.yaml"], "Written into posts.yaml.")
    assert [line[:16] for line in diff if line[0] == "+"][1:] == ["+    publish_at:"] * 2
    calendar = read_calendar("posts.yaml", now=datetime.now(timezone.utc))
    assert (calendar.problems, {post.account for post in calendar.posts}) == ((), {"studio", "shop"})
    assert "  - id: first  # Grüße\n    publish_at: " in file.read_text()
    assert run("calendar", "check", "posts.yaml")[0] == 0


def test_a_second_run_writes_nothing(run: Command, file: Path) -> None:
    assert run("calendar", "fill", "posts.yaml", "--yes")[0] == 0
    before = file.read_bytes()
    assert run("calendar", "fill", "posts.yaml", "--yes") == (0, "Nothing is to be written.\n", "")
    assert file.read_bytes() == before


@pytest.mark.parametrize("said", ["", "n", "no", "maybe"])
def test_nothing_is_written_without_a_yes(run: Command, file: Path, mocker: MockerFixture, said: str) -> None:
    answer(mocker, said)
    code, out, _ = run("calendar", "fill", "posts.yaml")
    assert (code, out.splitlines()[-1], file.read_text()) == (1, "Nothing was written.", TEXT)


def test_a_script_without_a_terminal_is_told_to_say_yes(run: Command, file: Path, mocker: MockerFixture) -> None:
    def no_terminal(_: str) -> str:
        raise EOFError

    mocker.patch("builtins.input", no_terminal)
    assert run("calendar", "fill", "posts.yaml")[0] == 1
    assert file.read_text() == TEXT


def test_a_file_that_has_changed_meanwhile_is_not_written(run: Command, file: Path, mocker: MockerFixture) -> None:
    answer(mocker, "y", lambda: file.write_text(f"{TEXT}  - {{id: third}}\n"))
    code, _, err = run("calendar", "fill", "posts.yaml")
    assert (code, file.read_text()) == (2, f"{TEXT}  - {{id: third}}\n")
    assert "the file has changed since this was proposed. Ask for a new proposal." in err


def test_a_file_on_object_storage(run: Command, bucket: str, mocker: MockerFixture) -> None:
    location = f"{bucket}/plans/posts.yaml"
    storage.write(location, TEXT.encode())
    assert run("calendar", "fill", location, "--yes")[0] == 0
    written = (storage.read(location) or b"").decode()
    assert written.count("publish_at") == 2
    assert "# Grüße" in written
    storage.write(location, TEXT.encode())
    answer(mocker, "y", lambda: storage.write(location, f"{TEXT}# new\n".encode()))
    assert run("calendar", "fill", location)[0] == 2
    assert (storage.read(location) or b"").decode() == f"{TEXT}# new\n"


def test_a_write_at_the_same_moment_is_found(run: Command, file: Path, mocker: MockerFixture) -> None:
    """Between the look at the file and its replacement."""
    replaced = replace.replace

    def late(*given: Any) -> None:
        file.write_text(f"{TEXT}# new\n")
        replaced(*given)

    mocker.patch("airflow_provider_instagram.calendar.file.writer.replace", late)
    assert run("calendar", "fill", "posts.yaml", "--yes")[0] == 2
    assert file.read_text() == f"{TEXT}# new\n"


def test_a_file_that_cannot_be_read_or_written(run: Command, file: Path, mocker: MockerFixture) -> None:
    code, _, err = run("calendar", "fill", "none.yaml", "--yes")
    assert (code, "there is no file none.yaml" in err) == (2, True)
    file.write_text("posts: [")
    assert run("calendar", "fill", "posts.yaml", "--yes")[0] == 2
    file.write_text(TEXT)

    def refused(*_: Any) -> None:
        raise replace.NotWritableError("posts.yaml cannot be written: Read-only file system.")

    mocker.patch("airflow_provider_instagram.calendar.file.writer.replace", refused)
    code, out, err = run("calendar", "fill", "posts.yaml", "--yes")
    assert (code, "+    publish_at" in out) == (2, True)
    assert "posts.yaml cannot be written: Read-only file system." in err


def test_a_post_without_slots_is_named_and_the_command_ends_with_1(run: Command, file: Path) -> None:
    file.write_text(TEXT.replace("account: shop", "account: other"))
    code, out, _ = run("calendar", "fill", "posts.yaml", "--yes")
    assert (code, file.read_text().count("publish_at")) == (1, 1)
    assert "second: no time, other has no slots: write slots: {other: [Mon 08:30, Thu 19:00]} at the head" in out
    assert "at the head of the file." in out


def test_a_sheet_is_not_written(run: Command, tmp_path: Path) -> None:
    sheet = tmp_path / "plan.csv"
    sheet.write_text(text := "id,publish_at,timezone,video\na,,UTC,a.mp4\n")
    code, _, err = run("calendar", "fill", str(sheet), "--yes")
    assert (code, "only YAML is written" in err, sheet.read_text()) == (2, True, text)
