"""The forms of the Posts page in a browser: posts of every kind are made and edited, and nothing typed is lost."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from pillow_heif import register_heif_opener
from playwright.sync_api import expect

from airflow_provider_instagram.plugin.board import routes, uploads
from airflow_provider_instagram.plugin.board.boards import Boards
from demo.stack import wait_until
from tests.integration.plugin.runs import store_calendar
from tests.integration.plugin.served import logged_in, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fastapi import FastAPI
    from playwright.sync_api import Browser, Page, Route
    from pytest_mock import MockerFixture

DAG_ID, ACCOUNT = "forms", "forms_studio"
NOON = (datetime.now(timezone.utc) + timedelta(days=3)).replace(hour=12, minute=0, second=0, microsecond=0)
NOON += timedelta(days=NOON.weekday() == 6)  # the day after it is in the same week
FIVE = ["Brötchen Sonntag.jpg", "photo (1).jpg", "IMG 2031.png", "four.jpg", "five.jpg"]


def on(days: int, hour: int = 12) -> str:
    return f"{NOON + timedelta(days=days):%Y-%m-%d}T{hour:02}:00"


class Team:
    """A calendar in a folder, as a lead's team has it, and the page that shows it."""

    def __init__(self, file: Path, page: Page, address: str) -> None:
        self.file, self.page, self.address = file, page, address
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda said: self.errors.append(said.text) if "Content Security" in said.text else None)

    def posts(self) -> dict[str, dict[str, Any]]:
        return {post["id"]: post for post in yaml.safe_load(self.file.read_text())["posts"] or ()}

    def files(self) -> set[str]:
        """Return the names of what people see in the folder."""
        return {one.name for one in self.file.parent.iterdir() if not one.name.startswith(".")}

    def read(self) -> None:
        """Read the file as Airflow does."""
        from airflow_provider_instagram.calendar import content_calendar_dag

        store_calendar(content_calendar_dag(DAG_ID, self.file, accounts=[ACCOUNT]))
        routes.boards = Boards()

    def open(self, dag_id: str = DAG_ID) -> Page:
        self.page.goto(f"{self.address}/instagram/calendar/?view=week&day={NOON:%Y-%m-%d}&dag={dag_id}")
        expect(self.page.locator("#view .card").first).to_be_visible()
        return self.page

    def form(self, post_id: str = "") -> Any:
        """Open the form of a post, or of a new one."""
        if post_id:
            self.page.locator(f'.card[data-key="{DAG_ID}/{post_id}"]').click()
            self.page.locator("#panel").get_by_role("button", name="Edit", exact=True).click()
        else:
            self.page.get_by_role("button", name="Add post").click()
        form = self.page.locator("dialog form.edit")
        expect(form).to_be_visible()
        return form


@pytest.fixture
def team(
    airflow_pages: None,
    airflow_app: FastAPI,
    browser: Browser,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mocker: MockerFixture,
) -> Iterator[Team]:
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS", str(tmp_path / "snapshots"))
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__CALENDAR_EDITING", "True")
    mocker.patch.object(routes, "boards", Boards())
    file = tmp_path / "plan" / "calendar.yaml"
    file.parent.mkdir()
    for name, colour in (("sea.jpg", "teal"), ("sun.jpg", "orange"), ("wide.jpg", "navy")):
        Image.new("RGB", (1200, 400) if name == "wide.jpg" else (640, 640), colour).save(file.parent / name)
    (file.parent / "sea.feed.0123456789abcdef01234567.jpg").write_bytes(b"of the transcoder")
    first = {"id": "hello", "publish_at": f"{on(0)}Z", "image": "sea.jpg", "caption": "Hello"}
    content = {"defaults": {"account": ACCOUNT, "timezone": "UTC", "video": "teaser.mp4"}, "posts": [first]}
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    with served(airflow_app, monkeypatch) as address:
        context = logged_in(browser, address, "ada", viewport={"width": 1440, "height": 900})
        team = Team(file, context.new_page(), address)
        team.page.set_default_timeout(20_000)
        team.read()
        yield team
        context.close()
    assert team.errors == []


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """Five pictures, named as phones and people name them."""
    (tmp_path / "phone").mkdir()
    files = [tmp_path / "phone" / name for name in FIVE]
    for at, file in enumerate(files):
        Image.new("RGB", (600, 600), (40 * at, 90, 120)).save(file)
    return files


def test_a_carousel_of_five_pictures_is_added_in_three_clicks(team: Team, pictures: list[Path]) -> None:
    team.open()
    form = team.form()  # a click
    form.get_by_label("Upload files").set_input_files(pictures)  # a click
    form.locator("[name=caption]").fill("Brötchen am Sonntag")
    form.locator("[name=publish_at]").fill(on(1))
    expect(form.locator(".items li")).to_have_count(5)
    form.get_by_role("button", name="Add", exact=True).click()  # a click
    expect(team.page.locator("dialog")).to_have_count(0)
    post = team.posts()["broetchen-am-sonntag"]
    assert post["carousel"] == FIVE
    assert all((team.file.parent / name).exists() for name in FIVE)


def test_a_post_of_each_kind_is_made_of_the_files_in_the_folder(team: Team) -> None:
    """The list has what a person put there, and not the results of the transcoder."""
    (team.file.parent / "clip.mp4").write_bytes(b"")
    team.open()
    made: dict[str, tuple[list[str], str, dict[str, Any]]] = {
        "picture": (["sea.jpg"], "", {"image": "sea.jpg"}),
        "album": (["sun.jpg", "clip.mp4"], "", {"carousel": ["sun.jpg", "clip.mp4"]}),
        "film": (["clip.mp4"], "", {"video": "clip.mp4"}),
        "moment": (["sun.jpg"], "story", {"image": "sun.jpg", "placement": "story"}),
    }
    for day, (name, (files, placement, written)) in enumerate(made.items(), 1):
        form = team.form()
        expect(form.locator(".name")).to_have_text(["clip.mp4", "sea.jpg", "sun.jpg", "wide.jpg"])
        for file in files:
            form.locator(".name", has_text=file).click()
        if placement:
            form.locator("[name=placement]").select_option(placement)
        described = form.get_by_placeholder("Alt text")
        expect(described).to_have_count(1 if name in ("picture", "album") else 0)
        expect(form.locator("[name=caption]")).to_be_visible(visible=not placement)
        form.locator("[name=publish_at]").fill(on(day))
        form.locator("[name=id]").fill(name)
        form.get_by_role("button", name="Add", exact=True).click()
        expect(team.page.locator("dialog")).to_have_count(0)
        assert team.posts()[name] == {
            "id": name,
            "publish_at": on(day).replace("T", " "),
            "account": ACCOUNT,
            **written,
        }


#: What a lead enters into the fields of a reel's form, and what is then in the file. None: nothing, as by default.
OF_A_REEL: dict[str, tuple[Any, Any]] = {
    "placement": ("reels", None), "caption": ("With Ann", "With Ann"),
    "tags": ("one, two", ["one", "two"]), "approval": ("required", "required"), "note": ("ok", "ok"),
    "video_cover_timestamp_ms": ("500", 500), "location_id": ("1234", "1234"), "comment_enabled": ("false", False),
    "collaborators": ("ann.lee", ["ann.lee"]), "user_tags": ("bob", ["bob"]), "share_to_feed": ("false", False),
    "is_paid_partnership": ("true", True), "branded_content_sponsor_ids": ("one, two", ["one", "two"]),
    "is_ai_generated": ("true", True), "fit": ("blur", "blur"), "background": ("white", "white"),
    "trim": ("end", "end"), "upload": ("file", "file"),
    "on_copyright_match": ("hold", "hold"),
    "audio_name": ("Our sound", "Our sound"),
}  # fmt: skip
#: What fits to no other field of the same post, or needs a file of its own.
ALONE = {
    *("trial_graduation", "audio_id", "audio_volume", "video_volume", "poll_attachment", "is_poll_duration_extended"),
    *("is_comment_prompt_used", "cover_url", "first_comment"),
}


def test_each_field_that_a_post_declares_is_filled_in_and_changed_on_the_page(team: Team) -> None:
    (team.file.parent / "clip.mp4").write_bytes(b"")
    page = team.open()
    form = team.form()
    form.locator(".name", has_text="clip.mp4").click()
    form.get_by_text("More", exact=True).click()
    shown = {one.get_attribute("data-field") for one in form.locator("[data-field]:visible").all()}
    assert shown - {"media", "publish_at", "account", "id"} == {*OF_A_REEL, *ALONE}, "the next field is here by itself"
    for name, (typed, _) in OF_A_REEL.items():
        control = form.locator(f"[name={name}]")
        is_choice = control.evaluate("(one) => one.tagName") == "SELECT"
        control.select_option(typed) if is_choice else control.fill(typed)
    form.locator("[name=publish_at]").fill(on(1))
    form.locator("[name=id]").fill("all")
    form.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("dialog")).to_have_count(0)
    written = {name: value for name, (_, value) in OF_A_REEL.items() if value is not None}
    assert {name: value for name, value in team.posts()["all"].items() if name in OF_A_REEL} == written
    team.read()
    page.reload()
    form = team.form("all")
    form.get_by_text("More", exact=True).click()
    for name, (typed, _) in OF_A_REEL.items():
        expect(form.locator(f"[name={name}]")).to_have_value(typed)
    form.locator("[name=comment_enabled]").select_option("true")
    form.locator("[name=is_paid_partnership]").select_option("")
    form.locator("[name=branded_content_sponsor_ids]").fill("")
    form.get_by_role("button", name="Save").click()
    expect(page.locator("dialog")).to_have_count(0)
    post = team.posts()["all"]
    assert post.get("comment_enabled", True) is True
    assert not {"is_paid_partnership", "branded_content_sponsor_ids"} & post.keys()


def test_a_refused_post_keeps_what_was_typed_and_says_why_beside_the_field(team: Team) -> None:
    page = team.open()
    form = team.form()
    form.locator(".name", has_text="sun.jpg").click()
    form.locator("[name=caption]").fill("👨‍👩‍👧 am Meer")
    form.locator("[name=publish_at]").fill(on(0))  # when another post goes out
    form.get_by_role("button", name="Add", exact=True).click()
    wrong = form.locator('[data-field="publish_at"]')
    expect(wrong).to_contain_text("min_spacing is 5 min")
    expect(wrong.locator("input")).to_have_attribute("aria-invalid", "true")
    form.locator("[name=publish_at]").fill(on(1))
    form.locator("[name=id]").fill("hello")
    form.get_by_role("button", name="Add", exact=True).click()
    expect(form.locator('[data-field="id"]')).to_contain_text("the same id")
    expect(wrong).not_to_contain_text("min_spacing")

    page.reload()  # by mistake
    form = team.form()
    expect(form.locator("[name=caption]")).to_have_value("")
    form.get_by_role("button", name="Use it").click()
    expect(form.locator("[name=caption]")).to_have_value("👨‍👩‍👧 am Meer")
    expect(form.locator(".items li")).to_have_count(1)
    form.locator("[name=id]").fill("am-meer")
    form.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("dialog")).to_have_count(0)
    assert team.posts()["am-meer"]["caption"] == "👨‍👩‍👧 am Meer"
    form = team.form()
    expect(form.get_by_role("button", name="Use it")).to_have_count(0)


def test_a_session_that_ended_loses_nothing(team: Team) -> None:
    page = team.open()
    form = team.form("hello")
    form.locator("[name=caption]").fill("Long thought about")
    cookies = page.context.cookies()
    page.context.clear_cookies()
    form.get_by_role("button", name="Save").click()
    expect(form.locator(".error")).to_contain_text("Log in in another tab")
    expect(form.locator(".error")).to_be_in_viewport()
    page.context.add_cookies(cookies)  # type: ignore[arg-type]  # as they were
    form.get_by_role("button", name="Save").click()
    expect(page.locator("dialog")).to_have_count(0)
    assert team.posts()["hello"]["caption"] == "Long thought about"


def test_a_picture_is_described_and_tagged_by_a_click_and_becomes_a_carousel_in_another_order(team: Team) -> None:
    page = team.open()
    form = team.form("hello")
    form.get_by_label("Alt text of sea.jpg").fill("The sea")
    form.get_by_role("button", name="Tag people").click()
    media = page.locator(".beside .media")
    expect(media.locator("img:not(.blurred)")).to_be_visible()
    box = media.bounding_box()
    assert box is not None
    media.click(position={"x": box["width"] * 0.25, "y": box["height"] * 0.75})
    page.keyboard.type("ann lee")
    form.get_by_role("button", name="Save").click()
    expect(page.locator(".beside .tags .error")).to_contain_text("'ann lee' in user_tags is not a valid Instagram")
    expect(page.locator("[aria-invalid]")).to_have_count(0)  # the alt text is right
    page.locator(".tag-row input").first.fill("ann.lee")
    expect(media.locator(".pin")).to_have_count(1)
    form.get_by_role("button", name="Save").click()
    expect(page.locator("dialog")).to_have_count(0)
    tag = {"username": "ann.lee", "x": 0.25, "y": 0.75}
    assert team.posts()["hello"] | {"publish_at": 0} == {
        "id": "hello", "publish_at": 0, "image": "sea.jpg", "caption": "Hello", "alt_text": "The sea",
        "user_tags": [tag],
    }  # fmt: skip
    team.read()
    page.reload()
    form = team.form("hello")
    form.get_by_text("From the calendar's folder").click()
    for name in ("sun.jpg", "wide.jpg"):
        form.locator(".name", has_text=name).click()
    form.locator(".items li").nth(2).focus()
    page.keyboard.press("Alt+ArrowUp")
    expect(form.locator(".items b")).to_have_text(["sea.jpg", "wide.jpg", "sun.jpg"])
    form.locator(".items li").nth(2).locator("img").drag_to(form.locator(".items li").nth(0).locator("img"))
    expect(form.locator(".items b")).to_have_text(["sun.jpg", "sea.jpg", "wide.jpg"])
    form.get_by_role("button", name="Save").click()
    expect(page.locator("dialog")).to_have_count(0)
    assert team.posts()["hello"] | {"publish_at": 0} == {
        "id": "hello", "publish_at": 0, "caption": "Hello",
        "carousel": ["sun.jpg", {"image": "sea.jpg", "alt_text": "The sea", "user_tags": [tag]}, "wide.jpg"],
    }  # fmt: skip


def test_the_second_of_two_people_keeps_what_they_typed_and_reads_the_others_words_as_they_are(team: Team) -> None:
    page = team.open()
    form = team.form("hello")
    form.locator("[name=first_comment]").fill("mine")
    team.file.write_text(team.file.read_text().replace("caption: Hello", 'caption: "👨‍👩‍👧 at sea"'))
    form.get_by_role("button", name="Save").click()
    expect(form.locator(".error")).to_contain_text('caption is now "👨‍👩‍👧 at sea"')
    expect(form.locator("[name=caption]")).to_have_value("👨‍👩‍👧 at sea")
    form.get_by_role("button", name="Save").click()
    expect(page.locator("dialog")).to_have_count(0)
    assert team.posts()["hello"].items() >= {"caption": "👨‍👩‍👧 at sea", "first_comment": "mine"}.items()


def test_what_is_saved_and_removed_is_seen_at_once(team: Team) -> None:
    """Airflow reads the file a minute later."""
    page = team.open()
    card = page.locator(f'.card[data-key="{DAG_ID}/hello"]')
    form = team.form("hello")
    form.locator("[name=caption]").fill("Good evening")
    form.get_by_role("button", name="Save").click()
    expect(card).to_contain_text("Good evening")
    page.locator("#panel").get_by_role("button", name="Remove").click()
    page.locator("dialog").get_by_role("button", name="Remove").click()
    expect(card).to_have_count(0)
    assert "hello" not in team.posts()
    page.get_by_role("button", name="Undo").click()
    expect(card).to_be_visible()
    assert team.posts()["hello"]["caption"] == "Good evening"


def test_who_removes_what_somebody_has_changed_is_told_and_may_remove_it_again(team: Team) -> None:
    page = team.open()
    page.locator(f'.card[data-key="{DAG_ID}/hello"]').click()
    remove = page.locator("#panel").get_by_role("button", name="Remove")
    expect(remove).to_be_visible()
    team.file.write_text(team.file.read_text().replace("caption: Hello", "caption: Long thought about"))
    for said in ("Remove it again", "Removed from"):
        assert "hello" in team.posts()
        remove.click()
        page.locator("dialog").get_by_role("button", name="Remove").click()
        expect(page.locator("#live")).to_contain_text(said)
    expect(page.locator("#undo")).to_be_visible()
    assert "hello" not in team.posts()


def test_who_saves_twice_conflicts_with_nobody(team: Team) -> None:
    """The plan is still from before the first save."""
    page = team.open()
    for caption in ("One", "Two"):
        form = team.form("hello")
        form.locator("[name=caption]").fill(caption)
        form.get_by_role("button", name="Save").click()
        expect(page.locator("dialog")).to_have_count(0)
        page.locator("#panel").get_by_role("button", name="Close").click()
    assert team.posts()["hello"]["caption"] == "Two"


def test_a_form_that_is_cancelled_offers_what_was_typed_and_its_files(team: Team, pictures: list[Path]) -> None:
    page = team.open()
    form = team.form()
    form.get_by_label("Upload files").set_input_files(pictures[:2])
    form.locator("[name=caption]").fill("For Sunday")
    expect(form.locator(".items img")).to_have_count(2)
    form.get_by_role("button", name="Cancel").click()
    assert (team.file.parent / FIVE[0]).exists()
    form = team.form()
    form.get_by_role("button", name="Use it").click()
    expect(form.locator("[name=caption]")).to_have_value("For Sunday")
    expect(form.locator(".items li")).to_have_count(2)
    form.get_by_role("button", name=f"Remove {FIVE[0]}").click()
    form.locator("[name=publish_at]").fill(on(1))
    form.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("dialog")).to_have_count(0)


def test_an_upload_tells_its_percent_and_ends_with_its_form(team: Team, tmp_path: Path) -> None:
    page, before = team.open(), team.files()
    slow = page.context.new_cdp_session(page)
    slow.send("Network.enable")
    speed = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 300_000}
    (tmp_path / "long.mp4").write_bytes(bytes(3_000_000))
    form = team.form()
    slow.send("Network.emulateNetworkConditions", speed)
    form.get_by_label("Upload files").set_input_files(tmp_path / "long.mp4")
    expect(form.locator(".items small")).to_have_text(re.compile(r"is being uploaded: [1-9]\d? %"))
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)
    wait_until(lambda: uploads._places._value == uploads.MOST_UPLOADS, "the server has given the upload up", 8)
    assert team.files() == before
    slow.send("Network.emulateNetworkConditions", {**speed, "uploadThroughput": -1})


def test_a_day_is_clicked_and_a_file_dropped_on_it_to_add_a_post(team: Team) -> None:
    page = team.open()
    day = page.locator(f'[data-day="{on(1)[:10]}"]')
    day.click(position={"x": 100, "y": 200})
    form = page.locator("dialog form.edit")
    expect(form.locator("[name=publish_at]")).to_have_value(on(1))
    form.get_by_role("button", name="Cancel").click()
    picture = base64.b64encode((team.file.parent / "sun.jpg").read_bytes()).decode()
    transfer = page.evaluate_handle(
        "data => { const all = new DataTransfer();"
        " const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));"
        " all.items.add(new File([bytes], 'Brötchen.jpg')); return all; }",
        picture,
    )
    for event in ("dragover", "drop"):
        day.dispatch_event(event, {"dataTransfer": transfer})
    expect(form.locator(".items b")).to_have_text(["Brötchen.jpg"])
    form.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("dialog")).to_have_count(0)
    (added,) = [post for name, post in team.posts().items() if name != "hello"]
    assert (added["image"], added["publish_at"]) == ("Brötchen.jpg", on(1).replace("T", " "))


def test_a_cover_frame_is_chosen_by_moving_through_the_video_and_the_preview_shows_bars_or_a_crop(team: Team) -> None:
    source = ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=10:duration=6", "-pix_fmt", "yuv420p"]
    subprocess.run(["ffmpeg", "-v", "error", *source, str(team.file.parent / "clip.mp4")], check=True)
    page = team.open()
    form = team.form()
    form.locator(".name", has_text="clip.mp4").click()
    cover, video = page.get_by_label("Cover frame: move through the video"), page.locator(".beside video")
    cover.fill("2.5")
    expect(video).to_have_js_property("currentTime", 2.5)
    form.get_by_text("More", exact=True).click()
    for fit, shown in (("crop", "cover"), ("pad", "contain")):
        form.locator("[name=fit]").select_option(fit)
        expect(video).to_have_css("object-fit", shown)
    form.locator("[name=publish_at]").fill(on(1))
    form.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("dialog")).to_have_count(0)
    assert team.posts()["clip"].items() >= {"video": "clip.mp4", "video_cover_timestamp_ms": 2500}.items()


def test_a_heic_is_shown_as_a_jpeg_is_and_a_link_says_why_it_is_not(team: Team) -> None:
    register_heif_opener()
    Image.new("RGB", (900, 1200), "purple").save(team.file.parent / "IMG 2031.HEIC", "HEIF")
    page = team.open()
    form = team.form()
    form.locator(".name", has_text="IMG 2031.HEIC").click()
    for shown in (form.locator(".name", has_text="IMG").locator("img"), page.locator(".beside .media img").last):
        expect(shown).to_have_js_property("naturalWidth", 900)
    form.get_by_role("button", name="Remove IMG 2031.HEIC").click()
    form.get_by_label("Link of a file").fill("https://media.example.com/a.jpg")
    form.get_by_role("button", name="Add link").click()
    expect(page.locator(".beside .media")).to_contain_text(
        "A link has no preview, because this page opens no other site."
    )


def test_a_file_that_fails_late_does_not_hide_the_one_that_is_shown_by_then(team: Team) -> None:
    page = team.open()
    held: list[Route] = []
    page.route("**/api/file?*name=wide.jpg", lambda route: held.append(route))
    form = team.form()
    wide = form.locator(".name", has_text="wide.jpg")
    for name in ("wide.jpg", "wide.jpg", "sun.jpg"):  # chosen, taken out again, and another one in its place
        form.locator(".name", has_text=name).click()
    shown = page.locator(".beside .media img:not(.blurred)")
    expect(shown).to_be_visible()
    for route in reversed(held):
        route.fulfill(status=404)
    expect(wide.locator("img")).to_have_count(0)
    expect(shown).to_have_attribute("src", re.compile("sun.jpg"))
    page.unroute_all()


def test_a_copy_has_a_time_and_an_id_of_its_own(team: Team) -> None:
    page = team.open()
    page.locator(f'.card[data-key="{DAG_ID}/hello"]').click()
    page.locator("#panel").get_by_role("button", name="Duplicate").click()
    form = page.locator("dialog form.edit")
    form.locator("[name=caption]").fill("Hello again")
    form.get_by_role("button", name="Duplicate").click()
    expect(page.locator("dialog")).to_have_count(0)
    copied = {"id": "hello-copy", "image": "sea.jpg", "caption": "Hello again"}
    assert team.posts()["hello-copy"].items() >= copied.items()
    assert team.posts()["hello-copy"]["publish_at"][:10] == on(1)[:10]


def test_a_new_post_is_put_into_the_calendar_that_is_chosen_with_the_approval_that_its_dag_requires(
    team: Team, mocker: MockerFixture
) -> None:
    own = (DAG_ID, "other")  # the database has calendars of other tests
    mocker.patch("airflow_provider_instagram.plugin.board.boards.may_edit", lambda user, dag_id: dag_id in own)
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session
    from sqlalchemy import update

    from airflow_provider_instagram.calendar import content_calendar_dag

    other = team.file.parents[1] / "other" / "calendar.yaml"
    other.parent.mkdir()
    shutil.copy(team.file.parent / "sun.jpg", other.parent / "dawn.jpg")
    first = {"id": "first", "publish_at": on(5), "timezone": "UTC", "account": ACCOUNT, "image": "dawn.jpg"}
    other.write_text(yaml.safe_dump({"posts": [first]}))
    store_calendar(content_calendar_dag("other", other, accounts=[ACCOUNT], approval="required"))
    routes.boards = Boards()
    try:
        page = team.open("")
        form = team.form()
        form.locator("[name=calendar]").select_option(label=DAG_ID)
        expect(form.locator(".name", has_text="sea.jpg")).to_be_visible()
        form.locator("[name=caption]").fill("Dawn, at sea")
        form.locator("[name=calendar]").select_option(label="other")
        expect(form.locator(".name")).to_have_text(["dawn.jpg"])
        form.get_by_role("button", name="Use it").click()
        expect(form.locator("[name=approval]")).to_be_disabled()
        expect(form.locator("[name=approval]")).to_have_value("required")
        form.locator(".name", has_text="dawn.jpg").click()
        form.locator("[name=publish_at]").fill(on(6))
        form.locator("[name=id]").fill("dawn")
        form.get_by_role("button", name="Add", exact=True).click()
        expect(page.locator("dialog")).to_have_count(0)
        (row,) = [row for row in yaml.safe_load(other.read_text())["posts"] if row["id"] == "dawn"]
        assert row.items() >= {"image": "dawn.jpg", "caption": "Dawn, at sea", "approval": "required"}.items()
        assert "dawn" not in team.posts()
    finally:
        with create_session() as session:  # for the tests of other pages
            session.execute(update(DagModel).where(DagModel.dag_id == "other").values(is_stale=True))


@pytest.mark.parametrize("size", [(1440, 900), (390, 800)])
def test_the_form_is_accessible_and_fits(team: Team, size: tuple[int, int]) -> None:
    page = team.open()
    page.set_viewport_size({"width": size[0], "height": size[1]})
    form = team.form("hello")
    expect(form.locator("[data-field=publish_at]")).to_contain_text("Time (UTC)")
    form.get_by_text("More", exact=True).click()
    expect(page.locator(".beside .media img:not(.blurred)")).to_be_visible()
    found = Axe().run(page).response["violations"]
    assert not found, [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in found]
    for wide in ("dialog", "dialog form"):
        assert page.locator(wide).evaluate("(one) => one.scrollWidth <= one.clientWidth + 1")
