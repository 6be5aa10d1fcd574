"""What the pages about calendars say is so."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_instagram.calendar.file.edits import apply_fill
from airflow_provider_instagram.calendar.file.media_paths import CalendarFiles
from airflow_provider_instagram.calendar.file.parser import KEYS, parse_calendar, read_calendar
from airflow_provider_instagram.calendar.file.writer import unified_diff
from airflow_provider_instagram.calendar.planning.fill import proposal_for
from airflow_provider_instagram.cli.definition import CALENDAR_COMMANDS
from airflow_provider_instagram.posts.kinds import PostKind
from docs.tables import TABLES

ROOT = Path(__file__).parents[3]
INDEX, FILE, FILL, COMMANDS = (
    (ROOT / "docs/calendars" / name).read_text() for name in ("index.md", "file.md", "fill.md", "commands.md")
)


@pytest.mark.parametrize(("document", "posts"), [(FILE, [4]), (INDEX, [2])])
def test_the_example_calendars_have_no_problem(document: str, posts: list[int]) -> None:
    texts = re.findall(r"```yaml\n(.*?)```", document, re.DOTALL)
    calendars = [parse_calendar(text, "/data/example.yaml") for text in texts]
    assert [calendar.problems for calendar in calendars] == [()] * len(posts)
    assert [len(calendar.posts) for calendar in calendars] == posts


def test_the_proposal_of_the_example_is_what_fill_prints() -> None:
    """The lines of the diff that are not added, below the head, are the file."""
    head, _, _ = re.findall(r"```yaml\n(.*?)```", FILL, re.DOTALL)[0].partition("posts:\n")
    said = re.findall(r"```text\n(.*?)```", FILL, re.DOTALL)[0].splitlines()
    diff = said[said.index("") + 1 :]
    text = head + "".join(f"{line[1:]}\n" for line in diff[3:] if line[0] != "+")
    now, files = datetime(2030, 5, 6, 10, tzinfo=timezone.utc), CalendarFiles("/data/spring.yaml")
    found = proposal_for(text, "/data/spring.yaml", files, now, {})
    assert found.fill is not None
    filled = apply_fill(text, "/data/spring.yaml", found.fill, files, {}).text
    assert [*found.lines, "", *unified_diff(text.splitlines(), filled.splitlines(), "spring.yaml")] == said
    assert parse_calendar(filled, "/data/spring.yaml").problems == ()


def test_the_example_beside_the_example_dag_is_a_fortnight_for_two_accounts() -> None:
    calendar = read_calendar(str(ROOT / "dags" / "calendars" / "example.yaml"))
    assert calendar.problems == ()
    assert calendar.accounts == ["instagram_shop", "instagram_studio"]
    assert (calendar.posts[-1].publish_at - calendar.posts[0].publish_at).days == 13
    assert {post.approval for post in calendar.posts} == {"none", "required"}
    assert {post.kind for post in calendar.posts} == {*PostKind}
    assert {post.placement for post in calendar.posts if post.video} >= {"reels", "feed"}
    assert any(post.first_comment for post in calendar.posts)


def test_the_one_line_makes_a_dag(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", str(tmp_path))
    (source,) = re.findall(r"```python\n(.*?)```", INDEX, re.DOTALL)
    namespace: dict[str, Any] = {}
    exec(compile(source, "index.md", "exec"), namespace)  # noqa: S102 -- our own example
    assert namespace["dag"].dag_id == "content"


def test_every_name_and_command_is_told() -> None:
    names = set(re.findall(r"`([a-z_]+)`", FILE + TABLES["calendar fields"]()))
    assert set(KEYS) <= names
    for command in CALENDAR_COMMANDS:
        assert f"airflow instagram calendar {command.name} " in COMMANDS
