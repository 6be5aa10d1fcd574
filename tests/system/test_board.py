"""The Posts page in a running Airflow: each state is brought about for real, and each act is done through the page."""

from __future__ import annotations

import json
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import expect

from demo.stack import wait_until
from tests.calendars.running_calendar import DAG_ID, RunningCalendar, entry, running_calendar, whole_second

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Locator, Page

    from demo.stack import AirflowStack

STUDIO, SHOP, FILM = "studio", "shop", "film"
LEAD_S = 3600
LIMIT_S = 240
EVIL = "<script>alert(1)</script>"
ITEMS = ["one.jpg", {"image": "two.jpg", "alt_text": "Orange"}, "reel.mp4"]
BASE = "/plugin/instagram-calendar/instagram/calendar/"


@pytest.fixture(scope="module")
def calendar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCalendar]:
    with running_calendar(tmp_path_factory.mktemp("board"), (STUDIO, SHOP, FILM)) as everything:
        _make_media(everything)
        everything.write(_posts())
        everything.add_dag(LEAD_S, more="default_args={'retries': 0}")
        yield everything


def _make_media(calendar: RunningCalendar) -> None:
    (calendar.folder / "broken.mp4").write_bytes(b"this is no video")
    for name, colour in (("one.jpg", "teal"), ("two.jpg", "orange")):
        Image.new("RGB", (640, 640), colour).save(calendar.folder / name)
    source = "testsrc2=size=1920x1080:rate=30:duration=25"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, "-c:v", "libx264", "-preset", "ultrafast"]
    subprocess.run([*command, str(calendar.folder / "long.mov")], check=True)


def _posts() -> list[dict[str, Any]]:
    def post(post_id: str, account: str = STUDIO, **more: Any) -> dict[str, Any]:
        after = more.pop("after", timedelta(minutes=45))
        return entry(post_id, whole_second(after), account, **more)

    hours = timedelta(hours=1)
    return [
        post("live", after=timedelta(seconds=60)),
        post("ready"),
        post("slow", video="long.mov", after=timedelta(seconds=LEAD_S + 100)),  # once the page is open
        post("album", SHOP, video=None, carousel=ITEMS, approval="required"),
        post("broken", SHOP, video="broken.mp4"),
        post("asked", SHOP, approval="required"),
        post("refused", SHOP, approval="required"),
        post("contested", SHOP, approval="required"),
        post("undecided", SHOP, approval="required"),
        post("lost", FILM, after=timedelta(minutes=6)),
        post("planned", FILM, after=2 * hours),
        post("early", after=3 * hours),
        post("unwanted", FILM, after=4 * hours),
        post("mistyped", FILM, after=5 * hours, capton="oh"),
        post("typed", SHOP, approval="required"),
        post("evil", FILM, after=6 * hours, tags=[EVIL, "javascript:alert(2)"]) | {"caption": EVIL},
    ]


class Board:
    """The page in a browser."""

    def __init__(self, calendar: RunningCalendar, page: Page, dag_id: str = DAG_ID) -> None:
        self.calendar = calendar
        self.dag_id = dag_id
        self.page = page
        self.frame = page.frame_locator("iframe")
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("dialog", lambda dialog: self.errors.append(dialog.message))

    def open(self, **query: str) -> Board:
        """Open the page in Airflow's frame."""
        address = httpx.URL(f"{self.calendar.airflow.url}{BASE}", params={"view": "list", **query})
        self.page.goto(str(address))
        expect(self.frame.locator("#view .card").first).to_be_visible(timeout=1000 * LIMIT_S)
        return self

    def page_frame(self) -> Any:
        """Return the frame itself, for programs that take no locator."""
        return next(frame for frame in self.page.frames if "/instagram/calendar" in frame.url and frame.parent_frame)

    def card(self, post_id: str) -> Locator:
        """Return the card of a post."""
        return self.frame.locator(f'.card[data-key="{self.dag_id}/{post_id}"]')

    def reaches(self, post_id: str, state: str, limit_s: float = LIMIT_S) -> None:
        """Wait until the card of a post shows a state, without a reload."""
        expect(self.card(post_id)).to_have_attribute("data-state", state, timeout=1000 * limit_s)

    def act(self, post_id: str, name: str, sure: str = "", **typed: str) -> None:
        """Open a post, press a button, and press the second one that asks whether the user is sure."""
        self.card(post_id).click()
        panel = self.frame.locator("#panel")
        for field, text in typed.items():
            if not sure:
                panel.locator(f"[name={field}]").fill(text)
        panel.get_by_role("button", name=name).click(timeout=30_000)
        if sure:
            for field, text in typed.items():
                panel.locator(f"[name={field}]").fill(text)
            panel.get_by_role("button", name=sure, exact=True).click()
        expect(self.frame.locator("#live")).not_to_be_empty(timeout=60_000)
        panel.get_by_role("button", name="Close").click()


@pytest.fixture
def board(calendar: RunningCalendar, page: Page) -> Board:
    wait_until(lambda: calendar.airflow.has(f"/dags/{DAG_ID}"), "Airflow has read the calendar", LIMIT_S)
    return Board(calendar, page)


@pytest.mark.timeout(1500)
def test_each_state_shows_and_each_act_does_what_it_says(calendar: RunningCalendar, board: Board) -> None:
    sandbox = calendar.sandbox
    board.open()
    for post_id, state in {"planned": "planned", "mistyped": "problem"}.items():
        board.reaches(post_id, state)
    board.reaches("slow", "in_work")
    board.reaches("lost", "ready")
    film = calendar.users[FILM]
    sandbox.fail("publish", drop="after", account=film)
    sandbox.fail("status", 2, nth=2, times=200, account=film)  # the first is read before the request
    board.reaches("live", "published")
    board.reaches("ready", "ready")
    board.reaches("broken", "failed")
    expect(board.card("broken")).to_contain_text("broken.mp4 is not a video")
    for post_id in ("asked", "refused", "contested"):
        board.reaches(post_id, "waiting")
    expect(board.card("asked")).to_contain_text(re.compile(r"\d+ min left"))
    board.reaches("lost", "unknown", 2 * LIMIT_S)
    assert board.errors == []

    _approve_and_reject(calendar, board)
    _repair(calendar, board)
    _publish_and_skip(calendar, board)


def _approve_and_reject(calendar: RunningCalendar, board: Board) -> None:
    board.act("asked", "Approve", caption="edited on the page")
    board.reaches("asked", "ready")
    assert "edited on the page" in {made.caption for made in calendar.sandbox.containers}
    board.act("refused", "Reject …", "Reject", reason="the logo is upside down")
    board.reaches("refused", "skipped")
    expect(board.card("refused")).to_contain_text("rejected: the logo is upside down")
    with ThreadPoolExecutor(2) as both:
        answers = list(both.map(lambda act: _post(board, act, "contested"), ("approve", "reject")))
    assert sorted(answers) == [200, 409], "of two answers at once, one counts"


def _post(board: Board, act: str, post_id: str) -> int:
    """Act as the page does, from another program."""
    airflow, post = board.calendar.airflow, {"dag_id": DAG_ID, "post_id": post_id}
    shown = json.loads(airflow.download(str(httpx.URL("/instagram/calendar/api/post", params=post))))
    seen = {name: shown[name] for name in ("version", "sha256", "held") if name in shown}
    return send(airflow, "acts", {**post, **seen, "act": act}).status_code


def send(airflow: AirflowStack, to: str, body: dict[str, Any]) -> httpx.Response:
    """Send what the page sends, from another program."""
    with httpx.Client(base_url=airflow.url, timeout=120, trust_env=False) as http:
        http.headers["Authorization"] = f"Bearer {http.get('/auth/token').json()['access_token']}"
        token = re.search('name="form-token" content="([^"]+)"', http.get("/instagram/calendar/").text)
        assert token is not None
        whole = {**body, "form_token": token[1]}
        return http.post(f"/instagram/calendar/api/{to}", json=whole, headers={"Origin": airflow.url})


def _repair(calendar: RunningCalendar, board: Board) -> None:
    (calendar.folder / "broken.mp4").write_bytes((calendar.folder / "reel.mp4").read_bytes())
    board.act("broken", "Try again")
    board.reaches("broken", "ready")
    board.act("lost", "It is live …", "Record as live")
    board.reaches("lost", "published")
    assert len(calendar.requests()["lost"]) == 1, "nothing was sent again"


def _publish_and_skip(calendar: RunningCalendar, board: Board) -> None:
    board.act("unwanted", "Skip …", "Skip")
    board.reaches("unwanted", "skipped")
    board.act("unwanted", "Bring back")
    board.reaches("unwanted", "planned")
    calendar.sandbox.fail("publish", when="after", delay_s=15, account=calendar.users[STUDIO])
    board.act("early", "Publish now …", "Publish now")
    board.reaches("early", "in_work")
    board.reaches("early", "published")
    assert len(calendar.requests()["early"]) == 1
    assert calendar.sandbox.truth.per_caption["early"] == 1


@pytest.mark.timeout(600)
def test_a_hostile_calendar_shows_as_text(board: Board) -> None:
    board.open()
    board.card("evil").click()
    expect(board.frame.locator("#panel .caption")).to_contain_text(EVIL)
    expect(board.frame.locator("#panel .tag").first).to_have_text(EVIL)
    assert board.frame.locator('[href^="javascript"]').count() == 0
    assert board.errors == []


@pytest.mark.timeout(600)
def test_a_carousel_turns_by_buttons_and_arrow_keys(board: Board) -> None:
    board.open()
    expect(board.card("album").locator("img").first).to_be_visible(timeout=1000 * LIMIT_S)
    board.card("album").click()
    media = board.frame.locator("#panel .media")
    expect(media.locator("img")).to_have_attribute("alt", "Item 1 of 3", timeout=60_000)
    media.get_by_role("button", name="Next item").click()
    expect(media.locator("img")).to_have_attribute("alt", "Item 2 of 3: Orange")
    expect(board.frame.locator("#panel .alt")).to_have_text("Alt text: Orange")
    board.page.keyboard.press("ArrowRight")
    expect(media.locator("video")).to_have_attribute("aria-label", "Item 3 of 3")
    for item in ("Item 2 of 3: Orange", "Item 1 of 3", "Item 1 of 3"):
        board.page.keyboard.press("ArrowLeft")
        expect(media.locator("img")).to_have_attribute("alt", item)
    assert board.errors == []


@pytest.mark.timeout(600)
def test_a_video_plays_in_the_panel(board: Board) -> None:
    board.open()
    expect(board.card("ready").locator("img").first).to_be_visible(timeout=1000 * LIMIT_S)
    board.card("ready").click()
    video = board.frame.locator("#panel video")
    expect(video).to_be_visible(timeout=60_000)
    video.evaluate("video => { video.muted = true; return video.play(); }")
    wait_until(lambda: video.evaluate("video => video.currentTime > 0.5"), "the video plays", 60)
    assert board.errors == []


@pytest.mark.timeout(600)
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("view", ["weeks", "week", "list", "profile"])
def test_the_page_is_accessible_in_both_themes(board: Board, theme: str, view: str) -> None:
    board.page.add_init_script(f"localStorage.setItem('theme', '{theme}')")
    board.open(view=view, post=f"{DAG_ID}/ready")
    expect(board.frame.locator("#panel .history")).to_be_visible(timeout=60_000)
    expect(board.frame.locator("html")).to_have_attribute("data-theme", theme)
    found = Axe().run(board.page_frame()).response["violations"]
    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    assert not serious, [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in serious]


@pytest.mark.timeout(600)
def test_a_post_is_approved_by_keys_and_a_caption_that_was_begun_is_kept(
    calendar: RunningCalendar, board: Board
) -> None:
    board.open(q="typed")
    board.reaches("typed", "waiting")
    keys, panel = board.page.keyboard, board.frame.locator("#panel")
    keys.press("ArrowRight")
    for words in (" by", " keys"):
        keys.press("Enter")
        expect(panel.locator("[name=caption]")).to_be_visible(timeout=60_000)
        keys.press("Tab")
        keys.press("Control+End")
        keys.type(words)
        keys.press("Escape")
        expect(panel).to_be_hidden()
    keys.press("Enter")
    expect(panel.locator("[name=caption]")).to_have_value("typed by keys", timeout=60_000)
    keys.press("Tab")
    keys.press("Tab")
    keys.press("Enter")
    expect(board.frame.locator("#live")).to_contain_text("Approved", timeout=60_000)
    expect(panel.get_by_role("button", name="Close")).to_be_focused(timeout=60_000)
    keys.press("Escape")
    board.reaches("typed", "ready")
    assert "typed by keys" in {made.caption for made in calendar.sandbox.containers}


@pytest.mark.timeout(600)
def test_what_waits_for_a_decision_stands_above_all_views_whatever_their_days(board: Board) -> None:
    board.open(view="week", q="undecided")  # a search in the list shows posts of all days
    board.reaches("undecided", "waiting")
    board.frame.locator("[data-filter=day]").fill("2040-01-02")
    board.frame.locator("[data-filter=day]").dispatch_event("change")
    expect(board.card("undecided")).to_have_count(0)
    waits = board.frame.locator("[data-waits]")
    expect(waits.first).to_be_visible()
    waits.first.click()
    decides = re.compile("Waiting for approval|Failed|Unknown")
    expect(board.frame.locator("#panel .badge").first).to_contain_text(decides, timeout=60_000)
    assert board.errors == []


@pytest.mark.timeout(600)
def test_at_200_percent_the_posts_have_most_of_the_height(board: Board) -> None:
    board.page.set_viewport_size({"width": 820, "height": 470})
    board.open(view="weeks")
    frame = board.page_frame()
    top, height = frame.evaluate("[document.querySelector('#view').getBoundingClientRect().top, innerHeight]")
    assert top < height / 2


@pytest.mark.timeout(600)
def test_the_page_fits_a_phone(board: Board) -> None:
    board.page.set_viewport_size({"width": 390, "height": 844})
    for view in ("weeks", "week", "list", "profile"):
        board.open(view=view)
        wide = board.frame.locator("html").evaluate("page => page.scrollWidth > page.clientWidth")
        assert not wide, view


@pytest.mark.timeout(600)
def test_keys_move_open_and_close(board: Board) -> None:
    board.open(view="weeks")
    board.page.keyboard.press("Tab")
    board.frame.locator("#view .card").first.focus()
    board.page.keyboard.press("ArrowRight")
    key = board.frame.locator(".card:focus").get_attribute("data-key")
    board.page.keyboard.press("Enter")
    expect(board.frame.locator("#panel h2")).to_have_text(str(key).partition("/")[2])
    assert f"post={DAG_ID}%2F" in board.page.url, "the address can be sent to a colleague"
    board.page.keyboard.press("Escape")
    expect(board.frame.locator("#panel")).to_be_hidden()
    expect(board.frame.locator(".card:focus")).to_have_attribute("data-key", str(key))
