"""Times that the page writes: in the zone of the file's own defaults, and at the moment that was meant.

The clocks of Europe/Berlin: 2030-03-31 02:00 → 03:00, and 2030-10-27 03:00 → 02:00.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.calendar.file.edits import Edit, apply, zone_of_new
from airflow_provider_instagram.calendar.file.media_paths import CalendarFiles
from airflow_provider_instagram.calendar.file.parser import parse_calendar
from airflow_provider_instagram.calendar.file.problems import InvalidValue

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2029, 1, 1, tzinfo=timezone.utc)
YAML = "defaults: {timezone: Europe/Berlin}\nposts:\n- {id: old, publish_at: 2030-05-06 08:30, video: a.mp4}\n"


class File:
    """A calendar's file, with one post, to which edits are applied."""

    def __init__(self, folder: Path, name: str, text: str, **rules: Any) -> None:
        (folder / "a.mp4").touch()
        self.location, self.text, self.rules = str(folder / name), text, {"accounts": None, **rules}

    def line(self, do: str, local: str, post_id: str = "old") -> tuple[str, str]:
        """Return the line of the post whose time was written, and its moment in UTC."""
        fields = {"publish_at": local} | ({"video": "a.mp4"} if do == "add" else {})
        edit = Edit(do, "new" if do == "add" else post_id, fields=fields, new_id="new" if do == "duplicate" else "")
        rules: Any = self.rules
        edited = apply(self.text, self.location, [edit], CalendarFiles(self.location), NOW, rules)
        assert edited.post is not None
        (line,) = [one for one in edited.text.splitlines() if edited.post.id in one]
        return line, edited.post.publish_at.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M")

    def zone(self) -> str:
        return zone_of_new(parse_calendar(self.text, self.location), self.text)


@pytest.fixture
def file(tmp_path: Path) -> File:
    return File(tmp_path, "calendar.yaml", YAML)


@pytest.mark.parametrize("do", ["add", "change", "duplicate"])
@pytest.mark.parametrize(
    ("local", "in_utc"),
    [
        ("2030-07-01T12:00", "2030-07-01 10:00"),
        ("2030-12-01T12:00", "2030-12-01 11:00"),
        ("2030-03-31T01:59", "2030-03-31 00:59"),
        ("2030-03-31T03:00", "2030-03-31 01:00"),
        ("2030-10-27T01:59", "2030-10-26 23:59"),
        ("2030-10-27T03:00", "2030-10-27 02:00"),
    ],
)
def test_a_time_is_written_as_it_was_typed_and_read_in_the_zone_of_the_file(
    file: File, do: str, local: str, in_utc: str
) -> None:
    line, moment = file.line(do, local)
    assert moment == in_utc
    assert local.replace("T", " ") in line
    assert "UTC" not in line
    assert "Berlin" not in line
    assert file.zone() == "Europe/Berlin"


@pytest.mark.parametrize("do", ["add", "change", "duplicate"])
@pytest.mark.parametrize(
    ("local", "why"), [("2030-10-27T02:30", "happens twice"), ("2030-03-31T02:30", "does not exist")]
)
def test_a_time_that_the_clocks_repeat_or_skip_is_refused(file: File, do: str, local: str, why: str) -> None:
    with pytest.raises(InvalidValue, match=f"{why} in Europe/Berlin"):
        file.line(do, local)


@pytest.mark.parametrize(
    ("post", "zone", "written", "in_utc"),
    [
        ("publish_at: 2030-05-06 08:30, timezone: Asia/Tokyo", "Asia/Tokyo", "Asia/Tokyo", "2030-12-01 03:00"),
        ("publish_at: 2030-05-06 08:30 Asia/Tokyo", "Asia/Tokyo", "12:00 Asia/Tokyo", "2030-12-01 03:00"),
        ("publish_at: 2030-05-06 08:30+02:00", "UTC+02:00", "12:00 +02:00", "2030-12-01 10:00"),
        ("publish_at: 2030-05-06 08:30 UTC", "UTC", "12:00 UTC", "2030-12-01 12:00"),
    ],
)
def test_a_file_without_a_default_has_the_zone_of_its_last_post(
    post: str, zone: str, written: str, in_utc: str, tmp_path: Path
) -> None:
    first = "- {id: first, publish_at: 2030-05-01 08:30 Europe/Paris, video: a.mp4}"
    file = File(tmp_path, "calendar.yaml", f"posts:\n{first}\n- {{id: old, {post}, video: a.mp4}}\n")
    assert file.zone() == zone
    line, moment = file.line("add", "2030-12-01T12:00")
    assert (written in line, moment) == (True, in_utc)


def test_a_file_without_any_zone_takes_utc(tmp_path: Path) -> None:
    file = File(tmp_path, "calendar.yaml", "posts:\n")
    assert file.zone() == "UTC"
    assert file.line("add", "2030-07-01T12:00")[1] == "2030-07-01 12:00"


def test_the_default_counts_where_the_last_post_has_a_zone_of_its_own(tmp_path: Path) -> None:
    file = File(tmp_path, "calendar.yaml", YAML.replace("08:30", "08:30 Asia/Tokyo"))
    assert file.line("add", "2030-07-01T12:00")[1] == "2030-07-01 10:00"
    moved, moment = file.line("change", "2030-12-01T12:00")
    assert ("2030-12-01 12:00 Asia/Tokyo" in moved, moment) == (True, "2030-12-01 03:00")


@pytest.mark.parametrize(
    ("written", "after", "in_utc"),
    [
        ("2030-07-01T12:00+02:00", "2030-12-01T12:00+01:00", "2030-12-01 11:00"),
        ("2030-07-01T10:00Z", "2030-12-01T12:00+01:00", "2030-12-01 11:00"),
        ("2030-10-27 02:30+02:00", "2030-12-01 12:00+01:00", "2030-12-01 11:00"),
        ("2030-07-01 12:00 +02:00 Europe/Berlin", "2030-12-01 12:00 Europe/Berlin", "2030-12-01 11:00"),
    ],
)
def test_a_move_over_a_clock_change_writes_the_offset_of_the_new_day(
    written: str, after: str, in_utc: str, tmp_path: Path
) -> None:
    file = File(tmp_path, "calendar.yaml", YAML.replace("2030-05-06 08:30", written))
    line, moment = file.line("change", "2030-12-01T12:00")
    assert (after in line, moment) == (True, in_utc)


@pytest.mark.parametrize(
    ("written", "in_utc"),
    [("2030-10-27 02:30+02:00", "2030-10-27 00:30"), ("2030-10-27 02:30:15+01:00", "2030-10-27 01:30")],
)
def test_a_time_that_is_sent_as_it_is_stays_as_it_is_written(file: File, written: str, in_utc: str) -> None:
    """Of two times in the night of a clock change, the page shows both alike."""
    file.text = file.text.replace("2030-05-06 08:30", written)
    line, moment = file.line("change", "2030-10-27T02:30")
    assert (written in line, moment) == (True, in_utc)
