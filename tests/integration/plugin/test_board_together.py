"""Two leads on the page Posts and a colleague in an editor, who change one file at the same moment, over HTTP."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from airflow_provider_instagram.calendar.file.media_paths import CalendarFiles
from airflow_provider_instagram.calendar.file.parser import parse_rows
from airflow_provider_instagram.calendar.file.reader import MAX_BYTES, read_rows
from airflow_provider_instagram.files import storage
from airflow_provider_instagram.files.access import read_file
from airflow_provider_instagram.plugin.board import routes
from airflow_provider_instagram.plugin.board.boards import Boards
from airflow_provider_instagram.plugin.users import sealed
from tests.integration.calendar.test_edits import write_comments
from tests.integration.plugin.runs import store_calendar
from tests.integration.plugin.served import served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fastapi import FastAPI
    from pytest_mock import MockerFixture

DAG_ID, ACCOUNT = "edited_together", "together_studio"
FIRST = (datetime.now(timezone.utc) + timedelta(days=30)).replace(hour=8, minute=0, second=0, microsecond=0)
LEADS, OWN = ("ada", "bo"), 12
#: What each lead does. With the notes of the colleague, these are 100 edits.
ADDED, MOVED, REMOVED, AT_ONCE, SHARED, NOTES = 7, 7, 4, 4, 7, 34
#: The longest that all of them may take on a slow machine, and between two looks at the file.
LIMIT_S, LOOK_S = 240, 0.05


@dataclass(frozen=True)
class Lead:
    """A user of the page."""

    name: str
    number: int
    client: httpx.Client

    def send(self, path: str, **body: Any) -> httpx.Response:
        content = {"dag_id": DAG_ID, "form_token": sealed("form", {"user": self.name}), **body}
        return self.client.post(f"/instagram/calendar/api/{path}", json=content)

    def edit(self, do: str, post_id: str, **given: Any) -> dict[str, Any]:
        answer = self.send("edits", do=do, post_id=post_id, **given)
        assert answer.status_code == 200, answer.text
        content: dict[str, Any] = answer.json()
        return content

    def at(self, day: int, hour: int) -> str:
        return f"{FIRST + timedelta(days=day, hours=hour + 3 * self.number):%Y-%m-%dT%H:%M}"

    def work(self) -> int:
        """Do everything in turn. Return how often another one was first."""
        told = 0
        for turn in range(max(ADDED, MOVED, REMOVED, AT_ONCE, SHARED)):
            own = [f"{self.name}-{(turn + later) % OWN}" for later in range(4)]
            if turn < ADDED:
                fields = {"publish_at": self.at(40 + turn, 0), "video": "a.mp4", "account": ACCOUNT}
                self.edit("add", f"new-{self.name}-{turn}", fields=fields)
            if turn < MOVED:
                self.edit("change", own[0], fields={"publish_at": self.at(turn, 1)})
            if turn < REMOVED:
                self.edit("restore", own[1], undo=self.edit("remove", own[1])["undo"])
            if turn < AT_ONCE:
                changes = [{"post_id": one, "fields": {"tags": [f"turn-{turn}"]}} for one in own[2:]]
                assert self.send("changes", changes=changes).status_code == 200
            told += self._add_word(f"{self.name}{turn}")
        return told

    def _add_word(self, word: str) -> int:
        """Add a word to the caption that both leads write, to what it says by now. Return how often it was another."""
        seen, told = "We", 0
        while True:
            fields = {"caption": f"{seen} {word}"}
            answer = self.send("edits", do="change", post_id="shared", seen={"caption": seen}, fields=fields)
            if answer.status_code == 200:
                return told
            assert answer.status_code == 409, answer.text
            seen, told = answer.json()["now"]["caption"], told + 1


def text_before() -> str:
    """A plan with a comment above each post."""
    lines = ["# The plan of both", f"defaults: {{timezone: UTC, account: {ACCOUNT}}}", "posts:"]
    at = {"shared": FIRST - timedelta(days=1)}
    for place, name in enumerate(LEADS):
        at |= {f"{name}-{day}": FIRST + timedelta(days=day, hours=3 * place) for day in range(OWN)}
    for name, time in at.items():
        lines += [f"  # about {name}", f"  - id: {name}", f"    publish_at: {time:%Y-%m-%d %H:%M}", "    video: a.mp4"]
    lines.insert(5, "    caption: We")
    return "\n".join([*lines, ""])


@pytest.fixture(params=["a folder", pytest.param("a bucket", marks=pytest.mark.long)])
def location(
    airflow_pages: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mocker: MockerFixture,
    request: pytest.FixtureRequest,
) -> str:
    """A stored calendar that may be edited, on disk or on S3."""
    from airflow_provider_instagram.calendar import content_calendar_dag

    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", str(tmp_path / "snapshots"))
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_EDITING", "True")
    mocker.patch.object(routes, "boards", Boards())
    folder = str(tmp_path) if request.param == "a folder" else f"{request.getfixturevalue('bucket')}/together"
    storage.write(f"{folder}/a.mp4", b"")
    storage.write(f"{folder}/calendar.yaml", text_before().encode())
    store_calendar(content_calendar_dag(DAG_ID, f"{folder}/calendar.yaml", accounts=[ACCOUNT]))
    return f"{folder}/calendar.yaml"


@pytest.fixture
def leads(location: str, airflow_app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Lead]]:
    """Two users who are logged in to an API server."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    with served(airflow_app, monkeypatch) as address:
        found = []
        for number, name in enumerate(LEADS):
            token = get_auth_manager().generate_jwt(SimpleAuthManagerUser(username=name, role="USER"))
            headers = {"Origin": address, "Sec-Fetch-Site": "same-origin"}
            client = httpx.Client(
                base_url=address, headers=headers, cookies={"_token": token}, timeout=LIMIT_S, trust_env=False
            )
            found.append(Lead(name, number, client))
        yield found


def read(location: str) -> str:
    return read_file(location, MAX_BYTES).decode()


def problems_always(location: str, ended: threading.Event) -> list[str]:
    """Read the file until the end. Return its problems at any look."""
    found = list[str]()
    while not ended.wait(LOOK_S):
        rows = read_rows(read(location), location)
        found += [one.message for one in parse_rows(rows, location, CalendarFiles(location)).problems]
    return found


@pytest.mark.timeout(2 * LIMIT_S)
def test_of_a_hundred_edits_of_all_kinds_by_three_people_none_is_lost(location: str, leads: list[Lead]) -> None:
    ended = threading.Event()
    with ThreadPoolExecutor(4) as people:
        problems = people.submit(problems_always, location, ended)
        try:
            jobs = [people.submit(lead.work) for lead in leads]
            jobs.append(people.submit(partial(write_comments, location, NOTES)))
            *told, notes = (job.result(timeout=LIMIT_S) for job in jobs)
        finally:
            ended.set()
    assert (problems.result(), notes) == ([], NOTES)
    assert sum(told) > 0, "somebody was second, and was told"
    text, rows = read(location), read_rows(read(location), location)
    ids = [row.text("id") for row in rows.rows]
    before = [row.text("id") for row in read_rows(text_before(), location).rows]
    assert [one for one in ids if one in before] == before, "the order is kept, also of what was brought back"
    assert sorted({*ids} - {*before}) == sorted(f"new-{one.name}-{turn}" for one in leads for turn in range(ADDED))
    by_id = {row.text("id"): row for row in rows.rows}
    words = by_id["shared"].text("caption").split()
    assert sorted(words) == sorted(["We", *(f"{one.name}{turn}" for one in leads for turn in range(SHARED))])
    for lead in leads:
        moved = [by_id[f"{lead.name}-{turn}"].text("publish_at") for turn in range(MOVED)]
        assert moved == [lead.at(turn, 1).replace("T", " ") for turn in range(MOVED)]
        tags = [by_id[f"{lead.name}-{turn + 2}"].values["tags"].value for turn in range(AT_ONCE)]
        assert tags == [[f"turn-{turn}"] for turn in range(AT_ONCE)]
    assert [text.count(f"# about {one}\n") for one in before] == [1] * len(before)
    assert [text.count(f"# note {number}.") for number in range(NOTES)] == [1] * NOTES
