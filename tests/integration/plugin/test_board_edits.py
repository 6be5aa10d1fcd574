"""Edits on the Posts page over HTTP: who may make them, what they write, and what is in the audit log."""

from __future__ import annotations

import asyncio
import io
import json
import os
import threading
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml
from PIL import Image
from pillow_heif import register_heif_opener

from airflow_provider_instagram.calendar import content_calendar_dag
from airflow_provider_instagram.calendar.planning.settings import planner_id
from airflow_provider_instagram.files import replace, storage
from airflow_provider_instagram.plugin.board import routes, uploads
from airflow_provider_instagram.plugin.board.boards import Boards
from airflow_provider_instagram.plugin.users import sealed
from airflow_provider_instagram.utils import owned_folder
from tests.integration.pages import HOME, OURS, browser_of
from tests.integration.plugin.runs import store_calendar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fastapi import FastAPI
    from fastapi.testclient import TestClient
    from pytest_mock import MockerFixture

DAG_ID, OTHER_ID = "edited_posts", "posts_of_another_team"
#: An upload that starts as an MP4 does.
MOVING = b"\0\0\0\x10ftypisom\0\0\0\0moving"
ACCOUNT = "edit_studio"
NOW = datetime.now(timezone.utc).replace(microsecond=0)
SECRET = "X-Signature=abcdef0123456789"
#: Values that the form of every post has, whatever else is declared.
VALUES = {"publish_at", "video", "carousel", "caption", "first_comment", "alt_text", "tags", "approval", "note"}


def at(days: float, form: str = "%Y-%m-%d %H:%M UTC") -> str:
    return f"{NOW + timedelta(days=days):{form}}"


def local(days: float) -> str:
    return at(days, "%Y-%m-%dT%H:%M")


@pytest.fixture
def calendar(airflow_pages: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mocker: MockerFixture) -> Path:
    """A stored calendar that may be edited, and one of another team."""
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", str(tmp_path / "snapshots"))
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_EDITING", "True")
    mocker.patch.object(routes, "boards", Boards())
    posts = [
        {"id": "hello", "publish_at": at(1), "video": "a.mp4", "caption": "Hello", "tags": ["spring"]},
        {
            "id": "signed",
            "publish_at": at(2),
            "video": f"https://media.example.com/a.mp4?{SECRET}",
            "caption": "Signed",
        },
    ]
    for dag_id in (DAG_ID, OTHER_ID):
        file = tmp_path / dag_id / "calendar.yaml"
        file.parent.mkdir()
        (file.parent / "a.mp4").touch()
        content = {"defaults": {"account": ACCOUNT}, "posts": posts}
        file.write_text(f"# Ours\n{yaml.safe_dump(content, sort_keys=False)}")
        store_calendar(content_calendar_dag(dag_id, file, accounts=[ACCOUNT]))
    return tmp_path / DAG_ID / "calendar.yaml"


@pytest.fixture
def user(calendar: Path, airflow_app: FastAPI) -> Callable[..., TestClient]:
    """A browser in which a user with a role is logged in to a whole Airflow."""
    return partial(browser_of, airflow_app)


def edit(
    browser: TestClient, name: str, do: str = "change", post_id: str = "hello", headers: Any = None, **given: Any
) -> Any:
    body = {"dag_id": DAG_ID, "do": do, "post_id": post_id, "form_token": sealed("form", {"user": name}), **given}
    return browser.post("/instagram/calendar/api/edits", json=body, headers=OURS if headers is None else headers)


def upload(browser: TestClient, name: str, file: str, content: Any = MOVING, dag_id: str = DAG_ID) -> Any:
    headers = {**OURS, "X-Form-Token": sealed("form", {"user": name})}
    about = {"dag_id": dag_id, "name": file}
    return browser.post("/instagram/calendar/api/files", params=about, content=content, headers=headers)


def detail(browser: TestClient, post_id: str = "hello") -> dict[str, Any]:
    answer = browser.get("/instagram/calendar/api/post", params={"dag_id": DAG_ID, "post_id": post_id})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def audit(dag_id: str = DAG_ID) -> list[dict[str, Any]]:
    from airflow.models.log import Log
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        rows = session.execute(
            select(Log.event, Log.owner, Log.extra)
            .where(Log.dag_id == dag_id, Log.event.startswith("instagram_post_"))
            .order_by(Log.id)
        )
        return [{"event": event, "owner": owner, **json.loads(extra or "{}")} for event, owner, extra in rows]


def test_an_editor_changes_a_post_and_the_audit_log_has_the_diff(user: Any, calendar: Path) -> None:
    ada = user("ada", "USER")
    offered = detail(ada)["edit"]
    assert (offered["does"], offered["seen"].keys() & VALUES) == (["change", "duplicate", "remove"], VALUES)
    assert (offered["seen"]["publish_at"], offered["seen"]["tags"]) == (local(1), ["spring"])
    answer = edit(ada, "ada", seen=offered["seen"], fields={"caption": "Bye\r\nnow ", "tags": ["spring", "sale"]})
    assert answer.status_code == 200, answer.text
    assert answer.json()["done"].startswith("Saved in calendar.yaml.")
    text = calendar.read_text()
    assert text.startswith("# Ours\n")
    assert yaml.safe_load(text)["posts"][0] | {"publish_at": 0} == {
        "id": "hello", "publish_at": 0, "video": "a.mp4", "caption": "Bye\nnow", "tags": ["spring", "sale"],
    }  # fmt: skip
    (entry,) = audit()[-1:]
    assert (entry["event"], entry["owner"], entry["post"]) == ("instagram_post_change", "ada", "hello")
    assert "-  caption: Hello\n" in entry["diff"]
    assert "+    Bye\n" in entry["diff"]
    assert "Changed by ada" in [event["what"] for event in detail(ada)["history"]]


@pytest.mark.parametrize("do", ["change", "remove"])
def test_an_edit_is_told_of_the_post_that_was_edited_whatever_other_id_the_request_names(
    user: Any, calendar: Path, do: str
) -> None:
    """Only a copy has another id. The history of an innocent post would say that it was edited, or removed."""
    ada = user("ada", "USER")
    fields = {"caption": "Bye"} if do == "change" else {}
    answer = edit(ada, "ada", do=do, seen=detail(ada)["edit"]["seen"], fields=fields, new_id="signed")
    assert (answer.status_code, audit()[-1]["post"]) == (200, "hello")


def test_a_post_is_not_skipped_or_published_in_the_version_before_an_edit(user: Any, calendar: Path) -> None:
    """The planner reads an edit some seconds later, and a skip is about the version that the plan has."""
    ada = user("ada", "USER")

    def do(act: str) -> Any:
        about = {"act": act, "dag_id": DAG_ID, "post_id": "hello", "form_token": sealed("form", {"user": "ada"})}
        return ada.post("/instagram/calendar/api/acts", json=about, headers=OURS)

    assert edit(ada, "ada", seen={"caption": "Hello"}, fields={"caption": "Bye"}).status_code == 200
    for act in ("skip", "publish_now"):
        refused = do(act)
        assert refused.status_code == 409
        assert refused.json()["detail"].startswith("The calendar was edited, and Airflow has not read that yet.")
    store_calendar(content_calendar_dag(DAG_ID, calendar, accounts=[ACCOUNT]))
    assert do("skip").status_code == 200
    calendar.write_text("posts: [")
    assert do("unskip").status_code == 409
    store_calendar(content_calendar_dag(DAG_ID, calendar, accounts=[ACCOUNT]))
    assert do("unskip").status_code == 200, "the planner has read what cannot be understood"
    calendar.write_text("posts: []")
    assert do("skip").status_code == 409
    os.utime(calendar, (0, 0))
    assert do("skip").status_code == 200, "the planner stands still, and its version would go out"


def test_a_reel_gets_music_by_its_id(user: Any, calendar: Path) -> None:
    ada = user("ada", "USER")
    assert edit(ada, "ada", seen={"audio_id": None}, fields={"audio_id": "587000000000001"}).status_code == 200
    assert 'audio_id: "587000000000001"' in calendar.read_text()
    refused = edit(ada, "ada", fields={"audio_id": "Harbour Lights"})
    assert (refused.status_code, "only digits" in refused.text) == (422, True)


def test_the_second_of_two_editors_is_told_what_the_first_wrote(user: Any, calendar: Path) -> None:
    ada, bob = user("ada", "USER"), user("bob", "USER")
    seen = detail(ada)["edit"]["seen"]
    assert edit(ada, "ada", seen=seen, fields={"caption": "Ada's"}).status_code == 200
    refused = edit(bob, "bob", seen=seen, fields={"caption": "Bob's"})
    assert refused.status_code == 409
    assert refused.json()["now"] == {"caption": "Ada's"}
    assert 'caption is now "Ada\'s"' in refused.json()["detail"]
    assert (
        edit(bob, "bob", post_id="signed", seen={"caption": "Signed"}, fields={"caption": "Bob's"}).status_code == 200
    )
    assert [post["caption"] for post in yaml.safe_load(calendar.read_text())["posts"]] == ["Ada's", "Bob's"]


def change_all(browser: TestClient, name: str, *changes: dict[str, Any], **more: Any) -> Any:
    body = {"dag_id": DAG_ID, "changes": changes, "form_token": sealed("form", {"user": name}), **more}
    return browser.post("/instagram/calendar/api/changes", json=body, headers=OURS)


def moved(post_id: str, before: float, after: float) -> dict[str, Any]:
    return {"post_id": post_id, "seen": {"publish_at": local(before)}, "fields": {"publish_at": local(after)}}


def test_several_posts_are_moved_in_one_write_past_each_other(user: Any, calendar: Path) -> None:
    """One after the other, the first would come closer to the second than the spacing allows."""
    ada, reads = user("ada", "USER"), len(audit())
    answer = change_all(ada, "ada", moved("hello", 1, 2), moved("signed", 2, 3))
    assert answer.status_code == 200, answer.text
    posts = yaml.safe_load(calendar.read_text())["posts"]
    assert [post["publish_at"] for post in posts] == [at(2), at(3)]
    entries = audit()[reads:]
    assert sorted((one["event"], one["post"], one["changed"]) for one in entries) == [
        ("instagram_post_change", "hello", "publish_at"),
        ("instagram_post_change", "signed", "publish_at"),
    ]
    assert [sum(line.startswith("+") for line in one.get("diff", "").splitlines()) for one in entries].count(3) == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ([moved("hello", 1, 4), moved("signed", 1, 5)], "signed: somebody else has changed this post meanwhile."),
        ([moved("hello", 1, 4), moved("signed", 2, -1)], "signed: "),
        ([moved("hello", 1, 4), moved("gone", 2, 5)], "gone: The calendar has no such post any more"),
        ([moved("hello", 1, 4), moved("signed", 2, 4)], "min_spacing is 5 min"),
    ],
)
def test_of_several_changes_none_is_made_if_one_is_refused(
    user: Any, calendar: Path, changes: list[dict[str, Any]], said: str
) -> None:
    before = calendar.read_text()
    refused = change_all(user("ada", "USER"), "ada", *changes)
    assert refused.status_code in (404, 409, 422)
    assert said in refused.json()["detail"]
    assert calendar.read_text() == before


def test_a_removed_post_is_brought_back_and_no_signature_reaches_browser_or_log(user: Any, calendar: Path) -> None:
    ada, before = user("ada", "USER"), calendar.read_text()
    removed = edit(ada, "ada", "remove", "signed")
    assert removed.status_code == 200, removed.text
    assert "signed" not in calendar.read_text()
    assert SECRET not in removed.text
    assert SECRET not in str(audit()[-1])
    forged = edit(ada, "ada", "restore", "hello", undo=removed.json()["undo"])
    assert forged.status_code == 422
    assert edit(ada, "ada", "restore", "signed", undo=removed.json()["undo"]).status_code == 200
    assert calendar.read_text() == before


def shown(browser: TestClient, calendar: Path) -> tuple[list[str], list[str]]:
    """Return the posts of the page, and its problems, after Airflow has read the file."""
    from airflow_provider_instagram.calendar import content_calendar_dag

    store_calendar(content_calendar_dag(DAG_ID, calendar, accounts=[ACCOUNT]))
    routes.boards = Boards()
    window = {"from": int((NOW - timedelta(days=1)).timestamp()), "to": int((NOW + timedelta(days=9)).timestamp())}
    answer = browser.get("/instagram/calendar/api/posts", params={"dag_id": DAG_ID, **window}).json()
    problems = [f"{problem['message']} {problem['remedy']}" for problem in answer["calendars"][0]["problems"]]
    return [card["id"] for card in answer["cards"] if card["state"] == "planned"], problems


def test_the_last_posts_go_at_once_if_a_person_removes_them_on_the_page(user: Any, calendar: Path) -> None:
    ada = user("ada", "USER")
    empty = "the calendar has no posts, so nothing is published. Add posts. If it is over, pause its DAG."
    for post_id, left, problems in (("hello", ["signed"], []), ("signed", [], [empty])):
        assert edit(ada, "ada", "remove", post_id).status_code == 200
        assert shown(ada, calendar) == (left, problems)


def test_posts_that_vanish_from_the_file_stay_on_the_page_beside_the_problem(user: Any, calendar: Path) -> None:
    ada, whole = user("ada", "USER"), calendar.read_text()
    calendar.write_text(whole.partition("- id")[0])
    posts, (problem,) = shown(ada, calendar)
    assert posts == ["hello", "signed"]
    assert problem.startswith("most of its posts to come have vanished at once. Bring back hello, signed. If they are ")
    calendar.write_text(whole)
    assert shown(ada, calendar) == (posts, [])


def test_a_diff_hides_a_signature_that_began_in_lines_above_it(user: Any, calendar: Path) -> None:
    from airflow_provider_instagram.calendar import content_calendar_dag

    parts = [f"{digit}SECRET" * 4 for digit in range(5)]
    link = f"https://media.example.com/a.mp4?X-Signature={{}}{'{}'.join(parts)}"
    signed = link.replace("{}", "\\\n      ")
    file = calendar.with_name("calendar.yaml")
    file.write_text(f'posts:\n  - id: signed\n    publish_at: {at(2)}\n    video: "{signed}"\n    caption: Old\n')
    store_calendar(content_calendar_dag("signed_lines", file))
    changed = edit(user("ada", "USER"), "ada", post_id="signed", dag_id="signed_lines", fields={"caption": "New"})
    assert (changed.status_code, "New" in file.read_text()) == (200, True), changed.text
    (entry,) = audit("signed_lines")[-1:]
    assert "SECRET" not in entry["diff"]
    assert "…" in entry["diff"]
    assert "New" in entry["diff"]


def test_a_csv_file_is_shown_and_edited_where_it_is(user: Any, calendar: Path) -> None:
    from airflow_provider_instagram.calendar import content_calendar_dag

    file = calendar.with_name("plan.csv")
    file.write_text(text := f"id,publish_at,video,caption,account\nhello,{at(2)},a.mp4,Old,{ACCOUNT}\n")
    store_calendar(content_calendar_dag("in_a_table", file, accounts=[ACCOUNT]))
    ada = user("ada", "USER")
    answer = ada.get("/instagram/calendar/api/posts", params={"dag_id": "in_a_table", "from": 0, "to": 9**9 * 9}).json()
    assert (answer["calendars"][0]["edit"], answer["calendars"][0]["file"]) == (False, "plan.csv")
    refused = edit(ada, "ada", dag_id="in_a_table", fields={"caption": "New"})
    assert (refused.status_code, file.read_text()) == (409, text)
    assert "edit this calendar where it is" in refused.text


def test_nobody_edits_a_calendar_whose_folder_airflow_has_not_read(
    user: Any, calendar: Path, tmp_path: Path, mocker: MockerFixture
) -> None:
    ada, before = user("ada", "USER"), calendar.read_text()
    undo = edit(ada, "ada", "remove").json()["undo"]
    calendar.write_text(before)
    (tmp_path / "snapshots").rename(tmp_path / "snapshots of another machine")
    mocker.patch.object(routes, "boards", Boards())
    fields = {"publish_at": local(4), "video": "a.mp4"}
    for answer in (
        edit(ada, "ada", "add", "new", fields=fields),
        edit(ada, "ada", "restore", undo=undo),
        upload(ada, "ada", "x.mp4"),
        ada.get("/instagram/calendar/api/files", params={"dag_id": DAG_ID}),
    ):
        assert (answer.status_code, "has not read" in answer.text) == (503, True), answer.text
    assert (calendar.read_text(), [*calendar.parent.glob("x.*")]) == (before, [])


def test_no_files_are_listed_of_a_folder_that_was_put_in_the_calendars_place(user: Any, calendar: Path) -> None:
    """A link to the folder of another team, by somebody who may write to the folder above."""
    ada, theirs = user("ada", "USER"), calendar.parent.with_name(OTHER_ID)
    (theirs / "launch of the secret product.mp4").touch()
    calendar.parent.rename(calendar.parent.with_name("mine"))
    calendar.parent.symlink_to(theirs)
    answer = ada.get("/instagram/calendar/api/files", params={"dag_id": DAG_ID})
    assert (answer.status_code, "secret" in answer.text) == (400, False)
    assert "was replaced since Airflow first read the calendar" in answer.json()["detail"]
    assert detail(ada)["edit"]["does"] == [], "the post itself is shown nevertheless"


def test_a_post_is_duplicated_and_one_is_added_from_an_upload(user: Any, calendar: Path) -> None:
    ada = user("ada", "USER")
    copied = edit(ada, "ada", "duplicate", new_id="again", fields={"publish_at": local(3)})
    assert copied.status_code == 200, copied.text
    assert upload(ada, "ada", "new clip.mp4", content=iter([MOVING] * 3)).status_code == 200
    assert (calendar.parent / "new clip.mp4").read_bytes() == MOVING * 3
    listed = ada.get("/instagram/calendar/api/files", params={"dag_id": DAG_ID}).json()
    assert (listed["files"], listed["accounts"], listed["zone"]) == (["a.mp4", "new clip.mp4"], [ACCOUNT], "UTC")
    fields = {"publish_at": local(4), "video": "new clip.mp4", "caption": "New"}
    added = edit(ada, "ada", "add", "new", fields=fields)
    assert added.status_code == 200, added.text
    posts = {post["id"]: post for post in yaml.safe_load(calendar.read_text())["posts"]}
    assert list(posts) == ["hello", "again", "signed", "new"]
    assert (posts["again"]["caption"], posts["again"]["publish_at"]) == ("Hello", at(3))
    assert posts["new"] == {"id": "new", "publish_at": at(4), "video": "new clip.mp4", "caption": "New"}


def test_a_new_post_has_the_time_that_was_typed_in_the_zone_of_the_file(
    user: Any, calendar: Path, mocker: MockerFixture
) -> None:
    """Airflow has read the file and stored its plan. The card shows the same time, and the panel its zone."""
    from airflow_provider_instagram.calendar import content_calendar_dag

    dag_id, file = "in_berlin", calendar.with_name("berlin.yaml")
    post = {"id": "old", "publish_at": "2098-05-06 08:30", "video": "a.mp4", "account": ACCOUNT}
    file.write_text(yaml.safe_dump({"defaults": {"timezone": "Europe/Berlin"}, "posts": [post]}))
    store_calendar(content_calendar_dag(dag_id, file, accounts=[ACCOUNT]))
    ada = user("ada", "USER")
    assert ada.get("/instagram/calendar/api/files", params={"dag_id": dag_id}).json().get("zone") == "Europe/Berlin"
    for post_id, typed, moment in (
        ("summer", "2098-07-01T12:00", datetime(2098, 7, 1, 10, tzinfo=timezone.utc)),
        ("winter", "2098-12-01T12:00", datetime(2098, 12, 1, 11, tzinfo=timezone.utc)),
    ):
        fields = {"publish_at": typed, "video": "a.mp4", "account": ACCOUNT}
        answer = edit(ada, "ada", "add", post_id, dag_id=dag_id, fields=fields)
        assert (answer.status_code, answer.json().get("at")) == (200, int(moment.timestamp())), answer.text
        store_calendar(content_calendar_dag(dag_id, file, accounts=[ACCOUNT]))
        mocker.patch.object(routes, "boards", Boards())
        shown = ada.get("/instagram/calendar/api/post", params={"dag_id": dag_id, "post_id": post_id}).json()
        assert (shown["card"]["local"], shown["card"]["at"]) == (typed, int(moment.timestamp()))
        assert shown["zone"] == "Europe/Berlin"
        assert "UTC" not in file.read_text()


def test_a_problem_refuses_an_edit_in_the_words_of_the_check(user: Any, calendar: Path) -> None:
    ada, before = user("ada", "USER"), calendar.read_text()
    refused = edit(ada, "ada", fields={"publish_at": local(2)})
    assert refused.status_code == 422
    assert "min_spacing is 5 min" in refused.json()["detail"]
    assert "Nothing was changed." in refused.json()["detail"]
    assert edit(ada, "ada", "add", "other", fields={"video": "a.mp4", "account": "elsewhere"}).status_code == 422
    assert calendar.read_text() == before


def test_a_post_with_a_problem_is_mended_where_it_is_shown(user: Any, calendar: Path) -> None:
    from airflow_provider_instagram.calendar import content_calendar_dag

    text = calendar.read_text().replace("caption: Hello", f'caption: "{"x" * 12_000}"\n  placement: moon')
    calendar.write_text(text)
    store_calendar(content_calendar_dag(DAG_ID, calendar, accounts=[ACCOUNT]))
    ada = user("ada", "USER")
    content = detail(ada)
    offered = content["edit"]
    assert (content["card"]["state"], offered["does"]) == ("problem", ["change", "remove"])
    assert (len(offered["seen"]["caption"]), offered["seen"]["placement"]) == (12_000, "moon")
    fields = {"caption": "Short", "placement": "reels"}
    mended = edit(ada, "ada", seen=offered["seen"], fields=fields)
    assert mended.status_code == 200, mended.text
    assert yaml.safe_load(calendar.read_text())["posts"][0].items() >= fields.items()
    assert edit(ada, "ada", "duplicate", "gone", new_id="again").status_code == 404
    assert "edit" not in detail(user("vic", "VIEWER"))


def test_one_of_two_posts_with_the_same_id_is_edited_in_the_file_only(user: Any, calendar: Path) -> None:
    from airflow_provider_instagram.calendar import content_calendar_dag

    calendar.write_text(calendar.read_text().replace("id: signed", "id: hello"))
    store_calendar(content_calendar_dag(DAG_ID, calendar, accounts=[ACCOUNT]))
    ada, before = user("ada", "USER"), calendar.read_text()
    assert edit(ada, "ada", fields={"caption": "x"}).status_code == 404
    assert calendar.read_text() == before


def test_a_viewer_is_offered_nothing(user: Any) -> None:
    vic = user("vic", "VIEWER")
    assert "edit" not in detail(vic)
    heads = vic.get("/instagram/calendar/api/posts", params={"dag_id": DAG_ID}).json()["calendars"]
    assert [head["edit"] for head in heads] == [False]


def test_nobody_is_offered_an_edit_where_the_deployment_allows_none(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW__INSTAGRAM__CALENDAR_EDITING")
    assert "edit" not in detail(user("root", "ADMIN"))


def test_a_calendar_of_another_team_is_out_of_reach(user: Any, calendar: Path, mocker: MockerFixture) -> None:
    from airflow.api_fastapi.app import get_auth_manager

    mocker.patch.object(
        get_auth_manager(), "is_authorized_dag", lambda **asked: asked["details"].id in (DAG_ID, planner_id(DAG_ID))
    )
    ada, other = user("ada", "USER"), calendar.parent.with_name(OTHER_ID) / "calendar.yaml"
    before = other.read_text()
    assert edit(ada, "ada", dag_id=OTHER_ID, fields={"caption": "x"}).status_code == 403
    assert upload(ada, "ada", "x.mp4", dag_id=OTHER_ID).status_code == 403
    undo = edit(ada, "ada", "remove").json()["undo"]
    assert edit(ada, "ada", "restore", dag_id=OTHER_ID, undo=undo).status_code == 403
    assert (other.read_text(), [*other.parent.glob("x.*")]) == (before, [])


@pytest.mark.parametrize(
    "name", ["../x.mp4", "a/x.mp4", ".x.mp4", "x.yaml", "calendar.yaml", "x", "x\x00.mp4", "", "…….mp4", "a\\x.mp4"]
)
def test_an_upload_stays_in_the_folder_and_takes_no_other_files_place(user: Any, calendar: Path, name: str) -> None:
    ada = user("ada", "USER")
    before = sorted(one.relative_to(calendar.parents[1]) for one in calendar.parents[1].rglob("*"))
    assert upload(ada, "ada", name).status_code == 422
    assert sorted(one.relative_to(calendar.parents[1]) for one in calendar.parents[1].rglob("*")) == before
    assert (calendar.parent / "a.mp4").read_bytes() == b""


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.jpg", b""),
        ("x.jpg", b"<!DOCTYPE html><script>alert(1)</script>"),
        ("x.jpg", b'<svg xmlns="http://www.w3.org/2000/svg"/>'),
        ("x.mp4", b"<!DOCTYPE html>"),
        ("x.jpg", MOVING),
        ("x.mp4", b"\xff\xd8\xff\xe0" + bytes(60)),
    ],
)
def test_an_upload_is_judged_by_its_first_bytes(user: Any, calendar: Path, name: str, content: bytes) -> None:
    refused = upload(user("ada", "USER"), "ada", name, content=content)
    assert (refused.status_code, refused.json()["field"]) == (422, "media")
    assert [*calendar.parent.glob("*x.*")] == []


def test_an_upload_that_is_too_large_leaves_nothing(user: Any, calendar: Path, mocker: MockerFixture) -> None:
    mocker.patch.object(uploads, "MAX_UPLOAD_BYTES", 10)
    assert upload(user("ada", "USER"), "ada", "x.mp4", content=iter([b"12345678"] * 2)).status_code == 413
    assert [*calendar.parent.glob("*x.mp4*")] == []


def test_others_are_answered_while_a_slow_disk_takes_an_upload(
    user: Any, calendar: Path, airflow_app: FastAPI, mocker: MockerFixture
) -> None:
    ada, begun, answered, in_time = user("ada", "USER"), threading.Event(), threading.Event(), []

    def slow(*given: Any) -> None:
        begun.set()
        in_time.append(answered.wait(timeout=10))
        replace.add(*given)

    mocker.patch("airflow_provider_instagram.calendar.file.writer.add", slow)

    async def both() -> list[int]:
        headers = {**OURS, "X-Form-Token": sealed("form", {"user": "ada"})}
        about, here = {"dag_id": DAG_ID, "name": "x.mp4"}, httpx.ASGITransport(airflow_app)
        async with httpx.AsyncClient(transport=here, base_url=HOME, cookies=dict(ada.cookies)) as browser:
            path = "/instagram/calendar/api/files"
            sent = asyncio.create_task(browser.post(path, params=about, content=MOVING, headers=headers))
            assert await asyncio.to_thread(begun.wait, 30)
            other = await browser.get("/instagram/calendar/static/0/icon.svg")
            answered.set()
            return [other.status_code, (await sent).status_code]

    assert asyncio.run(both()) == [200, 200]
    assert in_time == [True]
    assert (calendar.parent / "x.mp4").read_bytes() == MOVING


def test_uploads_at_one_time_are_bounded_and_need_space(user: Any, calendar: Path, mocker: MockerFixture) -> None:
    ada, places = user("ada", "USER"), threading.BoundedSemaphore(1)
    mocker.patch.object(uploads, "_places", places)
    with places:
        refused = upload(ada, "ada", "x.mp4")
        assert (refused.status_code, "being uploaded already" in refused.text) == (503, True)
    for name in ("y.mp4", "z.mp4"):
        assert upload(ada, "ada", name).status_code == 200, "its place is free again"
    mocker.patch.object(owned_folder, "SPARE_BYTES", 2**60)
    refused = upload(ada, "ada", "x.mp4")
    assert (refused.status_code, "is full" in refused.text) == (503, True)
    assert [*calendar.parent.glob("*x.mp4*")] == []


@pytest.mark.parametrize(
    "given",
    [
        {"do": "format"},
        {"do": "add", "post_id": "../x"},
        {"do": "duplicate", "new_id": "../x"},
        {"fields": {"video": "../../etc/passwd"}},
        {"fields": {"video": "/etc/passwd"}},
        {"fields": {"publish_at": "soon"}},
        {"fields": {"approval": "maybe"}},
        {"fields": {"id": "other"}},
        {"fields": {"timezone": "UTC"}},
        {"fields": {"caption": {"text": "x"}}},
        {"fields": {"carousel": [[[[[[["a.mp4"]]]]]]]}},
        {"fields": {"cover_url": 7}},
        {"fields": {"caption": "a\u0007b"}},
        {"fields": {"placement": "moon"}},
        {"fields": {"video": "b.mp4"}},
        {"fields": {"account": ACCOUNT}},
    ],
)
def test_what_the_page_does_not_send_is_refused(user: Any, calendar: Path, given: dict[str, Any]) -> None:
    before = calendar.read_text()
    assert edit(user("ada", "USER"), "ada", **{"do": "change", **given}).status_code == 422
    assert calendar.read_text() == before


def test_a_file_in_a_bundle_is_not_edited_and_the_page_says_where(
    user: Any, calendar: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH", str(calendar.parents[1]))
    before, logged = calendar.read_text(), len(audit())
    ada = user("ada", "USER")
    answers = [
        edit(ada, "ada", post_id="signed", fields={"caption": "Mine"}),
        ada.get("/instagram/calendar/api/files", params={"dag_id": DAG_ID}),
    ]
    for answer in answers:
        assert answer.status_code == 422
        assert "such as a git repository. Edit the file itself." in answer.json()["detail"]
    assert detail(ada, "signed")["edit"]["does"] == []
    assert (calendar.read_text(), len(audit())) == (before, logged)


def test_an_edit_with_an_unknown_outcome_says_so_and_is_in_the_audit_log(
    user: Any, calendar: Path, mocker: MockerFixture
) -> None:
    def hung(*_: Any) -> None:
        raise replace.MayBeWrittenError("calendar.yaml may have been written: no answer.")

    mocker.patch("airflow_provider_instagram.calendar.file.writer.replace", hung)
    answer = edit(user("ada", "USER"), "ada", fields={"caption": "Mine"})
    assert answer.status_code == 503
    assert answer.json()["detail"].startswith("calendar.yaml may have been written: no answer. Look at the file")
    (entry,) = audit()[-1:]
    assert (entry["owner"], entry["outcome"]) == ("ada", "calendar.yaml may have been written: no answer.")
    assert "caption: Mine" in entry["diff"]


def test_an_upload_with_an_unknown_outcome_says_where_to_look(user: Any, calendar: Path, mocker: MockerFixture) -> None:
    def hung(*_: Any) -> None:
        raise replace.MayBeWrittenError("x.mp4 may have been written: no answer.")

    mocker.patch("airflow_provider_instagram.calendar.file.writer.add", hung)
    answer = upload(user("ada", "USER"), "ada", "x.mp4")
    assert answer.status_code == 503
    assert answer.json()["detail"].endswith("no answer. Look into the calendar's folder before you try again.")
    (entry,) = audit()[-1:]
    assert (entry["event"], entry["file"]) == ("instagram_post_upload", "x.mp4")
    assert entry["outcome"] == "x.mp4 may have been written: no answer."


def test_edits_and_uploads_reach_a_calendar_on_object_storage(user: Any, bucket: str) -> None:
    from airflow_provider_instagram.calendar import content_calendar_dag

    location, dag_id = f"{bucket}/team/calendar.yaml", "edited_on_s3"
    text = f"posts:  # ours\n- {{id: hello, publish_at: {at(1)}, account: {ACCOUNT}, video: a.mp4, caption: Hello}}\n"
    storage.write(location, text.encode())
    storage.write(f"{bucket}/team/a.mp4", b"")
    store_calendar(content_calendar_dag(dag_id, location, accounts=[ACCOUNT]))
    ada = user("ada", "USER")
    changed = edit(ada, "ada", dag_id=dag_id, seen={"caption": "Hello"}, fields={"caption": "Bye"})
    assert changed.status_code == 200, changed.text
    assert storage.read(location) == text.replace("caption: Hello", 'caption: "Bye"').encode()
    assert upload(ada, "ada", "new.mp4", dag_id=dag_id).status_code == 200
    again = upload(ada, "ada", "new.mp4", content=MOVING + b"other", dag_id=dag_id)
    assert (again.status_code, again.json()["name"]) == (200, "new (2).mp4"), "it takes no other file's place"
    assert storage.read(f"{bucket}/team/new.mp4") == MOVING
    listed = ada.get("/instagram/calendar/api/files", params={"dag_id": dag_id}).json()
    assert listed["files"] == ["a.mp4", "new (2).mp4", "new.mp4"]


def test_a_post_that_is_live_can_be_duplicated_only(user: Any, calendar: Path) -> None:
    from airflow_provider_instagram.ledger.database import open_ledger
    from airflow_provider_instagram.ledger.ledger import Ledger
    from airflow_provider_instagram.ledger.records import PublishedPost

    key, ada, before = f"{ACCOUNT}/hello", user("ada", "USER"), calendar.read_text()
    with open_ledger(ACCOUNT) as store:
        Ledger(store, ACCOUNT).record_post(
            PublishedPost(key, "18", (NOW + timedelta(days=1)).isoformat(), "17", dag_id=DAG_ID)
        )
    try:
        assert detail(ada)["edit"]["does"] == ["duplicate"]
        for do in ("change", "remove"):
            refused = edit(ada, "ada", do, fields={"caption": "x"})
            assert (refused.status_code, refused.json()["detail"][:35]) == (409, "The state of this post is now: publ")
        assert calendar.read_text() == before
        assert edit(ada, "ada", "duplicate", new_id="again", fields={"publish_at": local(3)}).status_code == 200
    finally:
        with open_ledger(ACCOUNT) as store:
            store.delete(f"done:{key}")


def shown_file(browser: TestClient, name: str, headers: Any = None) -> Any:
    about = {"dag_id": DAG_ID, "name": name}
    return browser.get("/instagram/calendar/api/file", params=about, headers=headers or {})


def test_a_form_shows_the_pictures_and_videos_of_the_calendars_folder_and_nothing_else(
    user: Any, calendar: Path
) -> None:
    ada, folder = user("ada", "USER"), calendar.parent
    picture, video = b"\xff\xd8\xff\xe0 a picture", b"\0\0\0\x18ftypisom" + b"0123456789" * 300_000
    (folder / "Brötchen (1).jpg").write_bytes(picture)
    (folder / "a.mp4").write_bytes(video)
    (folder / "page.jpg").write_text("<script>alert(1)</script>")
    (folder.with_name(OTHER_ID) / "secret.jpg").write_bytes(picture)
    (folder / "link.jpg").symlink_to(folder.with_name(OTHER_ID) / "secret.jpg")
    shown = shown_file(ada, "Brötchen (1).jpg")
    assert (shown.status_code, shown.content, shown.headers["content-type"]) == (200, picture, "image/jpeg")
    assert "sandbox" in shown.headers["content-security-policy"]
    part = shown_file(ada, "a.mp4", {"Range": "bytes=2900000-"})
    assert (part.status_code, part.content) == (206, video[2_900_000:])
    heic, tall = io.BytesIO(), Image.new("RGB", (1500, 3000), "teal")
    register_heif_opener()
    tall.save(heic, "HEIF")
    (folder / "IMG 2031.HEIC").write_bytes(heic.getvalue())
    (folder / "broken.heic").write_bytes(heic.getvalue()[:600])
    made = shown_file(ada, "IMG 2031.HEIC")
    assert (made.status_code, made.headers["content-type"]) == (200, "image/jpeg"), made.text
    assert Image.open(io.BytesIO(made.content)).size == (1080, 2160)
    for name in (
        "page.jpg",
        "broken.heic",
        "calendar.yaml",
        "link.jpg",
        f"../{OTHER_ID}/secret.jpg",
        "/etc/passwd",
        "none.jpg",
        "",
    ):
        assert shown_file(ada, name).status_code == 404, name
    assert shown_file(user("vic", "VIEWER"), "Brötchen (1).jpg").status_code == 403


def test_an_upload_says_under_which_name_a_file_is_stored(user: Any, calendar: Path) -> None:
    ada = user("ada", "USER")
    assert upload(ada, "ada", "Brötchen (1).mp4").json().items() >= {"name": "Brötchen (1).mp4", "done": ""}.items()
    again = upload(ada, "ada", "Brötchen (1).mp4", content=MOVING + b"other")
    stored = "Brötchen (1) (2).mp4"
    assert again.json().items() >= {"name": stored, "done": f"Brötchen (1).mp4 is stored as {stored}."}.items()
    assert ((calendar.parent / "Brötchen (1).mp4").read_bytes(), (calendar.parent / stored).read_bytes()) == (
        MOVING, MOVING + b"other",
    )  # fmt: skip
    refused = upload(ada, "ada", "plan.xlsx")
    assert (refused.status_code, refused.json()["field"]) == (422, "media")
    assert "neither a video nor a picture" in refused.json()["detail"]


def test_whoever_saves_twice_sees_their_own_words_and_meets_no_conflict(user: Any, calendar: Path) -> None:
    ada = user("ada", "USER")
    seen = detail(ada)["edit"]["seen"]
    assert edit(ada, "ada", seen=seen, fields={"caption": "First"}).status_code == 200
    seen = detail(ada)["edit"]["seen"]  # before Airflow has read the file
    assert seen["caption"] == "First"
    assert edit(ada, "ada", seen=seen, fields={"caption": "Second"}).status_code == 200
    assert yaml.safe_load(calendar.read_text())["posts"][0]["caption"] == "Second"


def test_a_form_has_each_field_that_a_post_declares(user: Any, calendar: Path) -> None:
    from airflow_provider_instagram.calendar.file.columns import CALENDAR_FIELDS

    form = user("ada", "USER").get("/instagram/calendar/api/files", params={"dag_id": DAG_ID}).json()
    names = {field["name"] for field in form["fields"]}
    elsewhere = {"id", "publish_at", "timezone", "account", "video", "image", "carousel"}
    assert names | elsewhere == set(CALENDAR_FIELDS)
    by_name = {field["name"]: field for field in form["fields"]}
    assert by_name["placement"]["words"] == ["reels", "feed", "story"]
    assert (by_name["caption"]["longest"], by_name["audio_volume"]["most"]) == (2200, 100)
    inputs = {"share_to_feed": "flag", "user_tags": "tags", "collaborators": "words", "location_id": "text"}
    assert {name: by_name[name]["input"] for name in inputs} == inputs
