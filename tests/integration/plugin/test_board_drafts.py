"""Drafts and imports on the Posts page: over HTTP, and in a browser."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from airflow_provider_instagram.plugin.board import routes
from airflow_provider_instagram.plugin.board.boards import Boards
from airflow_provider_instagram.plugin.users import sealed
from demo.stack import wait_until
from tests.integration.calendar.runs import planned
from tests.integration.pages import OURS, browser_of
from tests.integration.plugin.runs import store_calendar
from tests.integration.plugin.served import chromium, logged_in, served
from tests.integration.plugin.test_board_edits import audit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from fastapi import FastAPI
    from fastapi.testclient import TestClient
    from playwright.sync_api import Page
    from pytest_mock import MockerFixture

DAG_ID, OTHER_ID = "posts_with_drafts", "drafts_of_others"
STUDIO, SHOP = "instagram_studio", "instagram_shop"
API = "/instagram/calendar/api"
#: A Monday at least a month ahead.
MONDAY = (datetime.now(timezone.utc) + timedelta(days=35)).replace(hour=0, minute=0, second=0, microsecond=0)
MONDAY -= timedelta(days=MONDAY.weekday())
GERMAN = (
    "Datum;Uhrzeit;Kanal;Format;Beitragstext;Datei;Notiz\n"
    "{0:%d.%m.%Y};9 Uhr;@studio;Foto;Grüße aus Köln;brot.jpg;mit Lena\n"
    "{1:%d.%m.%Y};18:30 Uhr;LinkedIn;Beitrag;Nur für LinkedIn;b.jpg;\n"
    "{2:%d}. {3} {2:%Y};12.00;Studio;Foto;Anderswo;../c.jpg;\n"
    ";;Studio;;Noch ohne Datum;;Idee von Ada\n"
)
MONTHS = (
    *("Januar", "Februar", "März", "April", "Mai", "Juni", "Juli"),
    *("August", "September", "Oktober", "November", "Dezember"),
)


def german() -> bytes:
    days = [MONDAY + timedelta(days=later) for later in (1, 2, 3)]
    return GERMAN.format(*days, MONTHS[days[2].month - 1]).encode("cp1252")


def day(later: int) -> str:
    return f"{MONDAY + timedelta(days=later):%Y-%m-%d}"


@pytest.fixture
def calendar(airflow_pages: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mocker: MockerFixture) -> Path:
    """A stored calendar with a draft, a post that is planned, and slots; and one of another team."""
    from airflow_provider_instagram.calendar import content_calendar_dag

    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", str(tmp_path / "snapshots"))
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_EDITING", "True")
    mocker.patch.object(routes, "boards", Boards())
    posts = [
        {"id": "brunch", "note": "Brunch? Ask Lena"},
        {"id": "planned", "publish_at": f"{day(0)} 08:30", "video": "https://media.example.com/a.mp4", "note": "ok"},
        {"id": "placeholder", "publish_at": f"{day(1)} 10:00", "caption": "No file yet"},
    ]
    for dag_id in (DAG_ID, OTHER_ID):
        file = tmp_path / dag_id / "calendar.yaml"
        file.parent.mkdir()
        defaults = {"account": STUDIO, "timezone": "Europe/Berlin"}
        content = {"slots": {STUDIO: ["Mon 08:30", "Mon 19:00"]}, "defaults": defaults, "posts": posts}
        file.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
        store_calendar(content_calendar_dag(dag_id, file, accounts=[STUDIO, SHOP]))
    return tmp_path / DAG_ID / "calendar.yaml"


@pytest.fixture
def user(calendar: Path, airflow_app: FastAPI) -> Callable[..., TestClient]:
    """A browser in which a user with a role is logged in to a whole Airflow."""
    return partial(browser_of, airflow_app)


def send(browser: TestClient, path: str, name: str = "ada", headers: Any = None, **body: Any) -> Any:
    content = {"dag_id": DAG_ID, "form_token": sealed("form", {"user": name}), **body}
    return browser.post(f"{API}/{path}", json=content, headers=OURS if headers is None else headers)


def in_file(calendar: Path) -> dict[str, dict[str, Any]]:
    return {post["id"]: post for post in yaml.safe_load(calendar.read_text())["posts"]}


def as_sheet(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_drafts_stand_beside_the_calendar_and_are_no_problem(user: Any) -> None:
    answer = user("ada", "USER").get(f"{API}/posts", params={"dag_id": DAG_ID, "from": 0, "to": 1}).json()
    (draft,) = answer["cards"]
    assert (draft["id"], draft["state"], draft["local"], draft["why"]) == ("brunch", "draft", "", "no time and no file")
    assert (draft["title"], draft["note"]) == ("Brunch? Ask Lena", "Brunch? Ask Lena")
    assert answer["calendars"][0]["problems"] == []
    everything = user("ada", "USER").get(f"{API}/posts", params={"dag_id": DAG_ID}).json()["cards"]
    states = {card["id"]: (card["state"], card.get("note", "")) for card in everything}
    assert states["planned"] == ("planned", "ok")
    assert states["placeholder"] == ("draft", "")


def test_a_draft_gets_a_free_slot_of_the_day_or_a_time_from_noon_on(user: Any, calendar: Path) -> None:
    ada = user("ada", "USER")

    def time_on(later: int) -> str:
        answer = ada.get(f"{API}/drafts/time", params={"dag_id": DAG_ID, "post_id": "brunch", "day": day(later)})
        return str(answer.json()["at"])

    assert [time_on(later) for later in (0, 2)] == [f"{day(0)}T19:00", f"{day(2)}T12:00"]
    edit: dict[str, Any] = {"do": "change", "post_id": "brunch", "seen": {}, "fields": {"publish_at": time_on(0)}}
    assert send(ada, "edits", **edit).json()["done"].startswith("Saved in calendar.yaml.")
    assert in_file(calendar)["brunch"]["publish_at"] == f"{day(0)} 19:00"
    back: dict[str, Any] = {"do": "change", "post_id": "brunch", "fields": {"publish_at": ""}}
    assert send(ada, "edits", **back).json()["done"].startswith("Saved")
    assert "publish_at" not in in_file(calendar)["brunch"]


def test_a_sheet_is_looked_at_asked_about_and_written_once(user: Any, calendar: Path) -> None:
    ada, before = user("ada", "USER"), calendar.read_text()
    sheet = {"sheet": as_sheet(german())}
    found = send(ada, "import", **sheet).json()
    columns = {one["title"]: one["field"] for one in found["columns"]}
    assert columns == {
        "Datum": "date", "Uhrzeit": "time", "Kanal": "account", "Format": "placement", "Beitragstext": "caption",
        "Datei": "media", "Notiz": "note",
    }  # fmt: skip
    assert found["columns"][4]["cells"][0] == "Grüße aus Köln"
    (ask,) = found["asks"]
    assert (ask["word"], ask["lines"], ask["choices"]) == ("LinkedIn", [3], [STUDIO, SHOP])
    (left_out,) = found["problems"]
    assert (left_out["line"], left_out["message"]) == (4, "image is '../c.jpg'.")
    assert (found["posts"], found["drafts"], found["missing"], found["zone"]) == (1, 1, ["brot.jpg"], "Europe/Berlin")
    assert calendar.read_text() == before
    told: dict[str, Any] = {**sheet, "words": {"account": {"LinkedIn": ""}}}
    found = send(ada, "import", **told).json()
    assert ([one["said"] for one in found["asks"]], found["posts"]) == ([""], 1)
    written = send(ada, "import", **told, agreed=found["proposal"]).json()
    assert written["done"].startswith("Imported into calendar.yaml.")
    new = [post for name, post in in_file(calendar).items() if name not in ("brunch", "planned", "placeholder")]
    assert [{name: value for name, value in post.items() if name != "id"} for post in new] == [
        {"publish_at": f"{day(1)} 09:00", "caption": "Grüße aus Köln", "note": "mit Lena", "image": "brot.jpg",
         "account": STUDIO},
        {"caption": "Noch ohne Datum", "note": "Idee von Ada", "account": STUDIO},
    ]  # fmt: skip
    event = audit(DAG_ID)[-1]
    assert (event["event"], event["owner"], event["posts"]) == ("instagram_post_import", "ada", 2)
    again = send(ada, "import", **told).json()
    assert (again["posts"], again["drafts"], again["present"], again["proposal"]) == (0, 0, 2, "")


@pytest.mark.parametrize(
    ("sheet", "status", "told"),
    [
        (b"PK\x03\x04\0\0", 422, "is an Excel file"),
        (b'Date,Video\n2030-12-24 18:00,"a.mp4\n', 422, "a quotation mark is not closed"),
        (b"x" * 1_100_000, 422, "at most 1"),
    ],
)
def test_a_sheet_that_cannot_be_read_says_why(user: Any, sheet: bytes, status: int, told: str) -> None:
    answer = send(user("ada", "USER"), "import", sheet=as_sheet(sheet))
    assert (answer.status_code, told in answer.text) == (status, True), answer.text


@pytest.mark.parametrize(
    "file", ["/etc/passwd", "../other/a.mp4", "s3://bucket/a.mp4", "file:///etc/a.mp4", "http://10.0.0.1/a.mp4"]
)
def test_a_sheet_names_files_of_the_calendars_folder_and_links_only(user: Any, calendar: Path, file: str) -> None:
    sheet = f"Date,Video,Carousel,Cover url,Approval\n{day(1)} 18:00,{file},,,none\n"
    sheet += f'{day(2)} 18:00,,"[""a.jpg"", ""{file}""]",,none\n{day(3)} 18:00,a.mp4,,/etc/passwd,none\n'
    found = send(user("ada", "USER"), "import", sheet=as_sheet(sheet.encode())).json()
    assert [one["line"] for one in found["problems"]] == [2, 3]
    assert found["posts"] == 1
    assert ("/etc/passwd" in found["diff"], "approval" in found["diff"]) == (False, False)


def test_only_what_the_user_has_agreed_to_is_imported(user: Any, calendar: Path) -> None:
    ada, before, sheet = user("ada", "USER"), calendar.read_text(), {"sheet": as_sheet(german())}
    proposal = send(ada, "import", **sheet).json()["proposal"]
    assert send(ada, "import", **sheet, agreed="0" * 64).status_code == 409
    calendar.write_text(f"{before}# by a colleague\n")
    assert send(ada, "import", **sheet, agreed=proposal).status_code == 409
    assert calendar.read_text() == f"{before}# by a colleague\n"


@pytest.fixture
def page(calendar: Path, airflow_app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Page]]:
    """The address of the pages, and an empty page of a browser in which Ada is logged in, who may edit."""
    with served(airflow_app, monkeypatch) as address, chromium() as browser:
        yield address, logged_in(browser, address, "ada", viewport={"width": 1440, "height": 900}).new_page()


@pytest.fixture
def open_page(page: tuple[str, Page]) -> Callable[[str], Page]:
    address, tab = page

    def opened(query: str = "") -> Page:
        tab.goto(f"{address}/instagram/calendar/?dag={DAG_ID}&view=week&day={day(0)}{query}")
        expect(tab.locator("#view")).to_have_attribute("aria-busy", "false", timeout=30_000)
        return tab

    return opened


def look_again(calendar: Path) -> None:
    """Read the calendar as its planner does."""
    from airflow_provider_instagram.calendar import content_calendar_dag

    planned(content_calendar_dag(DAG_ID, calendar, accounts=[STUDIO, SHOP]))


@pytest.mark.timeout(300)
def test_a_draft_is_noted_dragged_onto_a_day_and_taken_back(open_page: Callable[..., Page], calendar: Path) -> None:
    page = open_page()
    column = page.locator("#drafts")
    expect(column.get_by_role("button", name="Brunch? Ask Lena")).to_be_visible()
    column.get_by_label("New draft").fill("Frühstück & Käse <b>fett</b>")
    column.get_by_role("button", name="Add").click()
    wait_until(lambda: len(in_file(calendar)) == 4, "the draft is written", 30)
    new = [*in_file(calendar).values()][-1]
    assert (new["note"], new["account"]) == ("Frühstück & Käse <b>fett</b>", STUDIO)
    assert new["id"].startswith("fruehstueck-kaese-b-fett-b-")
    look_again(calendar)
    expect(column.get_by_role("button", name="Frühstück & Käse <b>fett</b>")).to_be_visible(timeout=30_000)
    expect(column.get_by_label("New draft")).to_have_value("")
    column.get_by_role("button", name="Frühstück").click()
    page.locator("#panel").get_by_role("button", name="Edit", exact=True).click()
    page.locator("dialog").get_by_text("More", exact=True).click()
    page.locator("dialog [name=note]").fill("Frühstück im Hof")
    page.locator("dialog").get_by_role("button", name="Save").click()
    expect(column.get_by_role("button", name="Frühstück im Hof")).to_be_visible()  # before Airflow has read it
    page.locator("#panel").get_by_role("button", name="Close").click()
    column.get_by_role("button", name="Brunch? Ask Lena").drag_to(page.locator(f'#view [data-day="{day(2)}"]'))
    wait_until(lambda: in_file(calendar)["brunch"].get("publish_at") == f"{day(2)} 12:00", "it has a time", 30)
    card = page.locator(f'#view [data-day="{day(2)}"] .card')
    expect(card).to_contain_text("Brunch? Ask Lena")
    look_again(calendar)
    expect(card).not_to_contain_text("Airflow reads it soon", timeout=30_000)
    expect(card).to_contain_text("Draft: no file")
    assert Axe().run(page).response["violations"] == []
    card.drag_to(column)
    wait_until(lambda: in_file(calendar)["brunch"].get("publish_at") is None, "it has no time any more", 30)
    page.set_viewport_size({"width": 390, "height": 800})
    page.set_viewport_size({"width": 1440, "height": 900})
    page.get_by_role("button", name="Undo").click()
    wait_until(lambda: in_file(calendar)["brunch"].get("publish_at") == f"{day(2)} 12:00", "it is put back", 30)


@pytest.mark.timeout(300)
def test_a_german_sheet_is_imported_on_the_page(open_page: Callable[..., Page], calendar: Path, tmp_path: Path) -> None:
    page = open_page()
    (tmp_path / "plan.csv").write_bytes(german())
    page.get_by_role("button", name="Import").click()
    dialog = page.get_by_role("dialog", name="Import posts")
    dialog.locator("[type=file]").set_input_files(str(tmp_path / "plan.csv"))
    expect(dialog.get_by_role("cell", name="Grüße aus Köln")).to_be_visible()
    expect(dialog.get_by_label("Account", exact=True)).to_have_value(STUDIO)  # as the file has it
    linked_in = dialog.get_by_label("Account “LinkedIn”")
    for said, words in (("", "1 post and 1 draft"), (SHOP, "2 posts and 1 draft"), ("", "1 post and 1 draft")):
        linked_in.select_option(said)
        expect(dialog.get_by_role("button", name=f"Write {words}")).to_be_visible()
        expect(linked_in).to_have_value(said)
    dialog.get_by_label("Meaning of Notiz").select_option("")
    expect(dialog.locator(".patch")).not_to_contain_text("mit Lena")
    dialog.get_by_label("Meaning of Notiz").focus()
    dialog.get_by_label("Meaning of Notiz").select_option("note")
    expect(dialog.locator(".patch")).to_contain_text("mit Lena")
    expect(dialog.locator("details")).to_contain_text("image is '../c.jpg'")
    expect(dialog.get_by_label("Meaning of Notiz")).to_be_focused()
    assert Axe().run(page).response["violations"] == []
    dialog.get_by_role("button", name="Write 1 post and 1 draft").click()
    expect(dialog).to_have_count(0)
    assert [post.get("caption") for post in in_file(calendar).values()][-2:] == ["Grüße aus Köln", "Noch ohne Datum"]
