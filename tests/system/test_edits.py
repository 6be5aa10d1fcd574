"""Edits on the Posts page in a running Airflow and a browser: with the mouse, by keys, and several posts at once."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import yaml
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from demo.bucket import BUCKET, KEYS, picture_bucket
from demo.stack import AirflowStack, free_port, wait_until
from tests.calendars.fate import Due, is_good, observed, table
from tests.calendars.running_calendar import (
    DAG_ID,
    RunningCalendar,
    entry,
    running_calendar,
    task_instances,
    version_of,
    whole_second,
)
from tests.processes import kill, running_with
from tests.system.test_board import LEAD_S, LIMIT_S, Board, send

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

STUDIO, SHOP = "studio", "shop"
DAY_S = 86_400
SETTINGS = {
    "AIRFLOW__INSTAGRAM__CALENDAR_EDITING": "True",
    # Tasks of a killed scheduler hold their places until the next one looks for them.
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "20",
}
ON_S3, TOGETHER = "on_s3", "together"
KILLS = "kills"
KILLED = ("worker", "triggerer", "dag-processor", "api-server", "scheduler")
#: The posts stand in one week, whatever day it is, and at noon, so that no zone moves them to another day.
MONDAY = whole_second(timedelta(days=14)).replace(hour=12, minute=0, second=0)
MONDAY -= timedelta(days=MONDAY.weekday())
WEEK = {"view": "week", "day": f"{MONDAY:%Y-%m-%d}"}


@pytest.fixture(scope="module")
def calendar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCalendar]:
    with (
        picture_bucket() as storage,
        running_calendar(tmp_path_factory.mktemp("edits"), (STUDIO, SHOP), **storage, **SETTINGS) as everything,
    ):
        everything.write(posts())
        everything.add_dag(LEAD_S, more="default_args={'retries': 0}", ahead_s=3 * DAY_S)
        yield everything


def posts() -> list[dict[str, Any]]:
    def post(post_id: str, day: int, account: str = STUDIO, **more: Any) -> dict[str, Any]:
        return entry(post_id, MONDAY + timedelta(days=day), account, **more)

    on_sunday = whole_second(timedelta(days=2))  # if today is Friday: asked about days ahead
    return [
        post("dragged", 0),
        post("keyed", 1),
        post("typed", 2),
        post("copied", 3),
        post("removed", 4),
        post("first", 5),
        post("second", 6),
        *(entry(name, on_sunday, SHOP, approval="required") for name in ("asked", "asked-too", "asked-last")),
    ]


def in_file(calendar: RunningCalendar) -> dict[str, dict[str, Any]]:
    """Return the posts in the calendar's file."""
    document = yaml.safe_load((calendar.folder / f"{DAG_ID}.yaml").read_text())
    return {post["id"]: post for post in document["posts"]}


def day_of(calendar: RunningCalendar, post_id: str) -> str:
    return str(in_file(calendar)[post_id]["publish_at"])[:10]


def day(later: int) -> str:
    return f"{MONDAY + timedelta(days=later):%Y-%m-%d}"


@pytest.fixture
def board(calendar: RunningCalendar, page: Page) -> Board:
    wait_until(lambda: calendar.airflow.has(f"/dags/{DAG_ID}"), "Airflow has read the calendar", LIMIT_S)
    return Board(calendar, page)


@pytest.mark.timeout(900)
def test_a_card_is_dragged_to_another_day_and_moved_by_keys_and_both_can_be_undone(
    calendar: RunningCalendar, board: Board
) -> None:
    board.open(**WEEK)
    board.card("dragged").hover()
    board.page.mouse.down()
    board.frame.locator(f'[data-day="{day(2)}"]').hover()
    expect(board.frame.locator(".drop")).to_have_count(1)
    board.page.keyboard.press("Escape")
    board.page.mouse.up()
    expect(board.frame.locator(".drop, .dragged")).to_have_count(0)
    assert (day_of(calendar, "dragged"), board.frame.locator("#panel").is_visible()) == (day(0), False)
    board.card("dragged").drag_to(board.frame.locator(f'[data-day="{day(2)}"]'))
    expect(board.frame.locator(f'[data-day="{day(2)}"]')).to_contain_text("dragged", timeout=60_000)
    assert (day_of(calendar, "dragged"), board.frame.locator("#panel").is_visible()) == (day(2), False)
    board.frame.get_by_role("button", name="Undo").click()
    wait_until(lambda: day_of(calendar, "dragged") == day(0), "the move is undone", 60)
    board.card("keyed").focus()
    board.page.keyboard.press("Shift+ArrowRight")
    wait_until(lambda: day_of(calendar, "keyed") == day(2), "a key has moved it by a day", 60)
    expect(board.frame.locator(f'[data-day="{day(2)}"]')).to_contain_text("keyed")
    expect(board.card("keyed")).not_to_contain_text("Airflow reads it soon", timeout=1000 * LIMIT_S)
    expect(board.frame.locator(f'[data-day="{day(2)}"]')).to_contain_text("keyed")
    assert board.errors == []


@pytest.mark.timeout(900)
def test_a_post_is_edited_duplicated_removed_and_brought_back_in_the_panel(
    calendar: RunningCalendar, board: Board
) -> None:
    board.open(**WEEK)
    panel = board.frame.locator("#panel")
    board.card("typed").click()
    panel.get_by_role("button", name="Edit", exact=True).click(timeout=60_000)
    form = board.frame.locator("form.edit")
    form.locator("[name=publish_at]").fill(f"{day(2)}T15:45")
    form.locator("[name=caption]").fill("typed\nin two lines")
    form.locator("[name=tags]").fill("spring, sale")
    form.get_by_role("button", name="Save").click()
    wait_until(lambda: in_file(calendar)["typed"].get("tags") == ["spring", "sale"], "the edit is written", 60)
    written = in_file(calendar)["typed"]
    assert (written["caption"], str(written["publish_at"])[:16]) == ("typed\nin two lines", f"{day(2)} 15:45")
    panel.get_by_role("button", name="Close").click()

    board.card("copied").click()
    panel.get_by_role("button", name="Duplicate").click(timeout=60_000)
    form.locator("[name=id]").fill("the-copy")
    form.get_by_role("button", name="Duplicate", exact=True).click()
    wait_until(lambda: "the-copy" in in_file(calendar), "the copy is in the file", 60)
    assert list(in_file(calendar)).index("the-copy") == list(in_file(calendar)).index("copied") + 1
    panel.get_by_role("button", name="Close").click()

    before = (calendar.folder / f"{DAG_ID}.yaml").read_text()
    board.card("removed").click()
    panel.get_by_role("button", name="Remove").click(timeout=60_000)
    board.frame.locator("dialog").get_by_role("button", name="Remove").click()
    wait_until(lambda: "removed" not in in_file(calendar), "the post is out of the file", 60)
    board.frame.get_by_role("button", name="Undo").click()
    wait_until(lambda: (calendar.folder / f"{DAG_ID}.yaml").read_text() == before, "the removal is undone", 60)
    assert board.errors == []


@pytest.mark.timeout(900)
def test_a_post_is_added_from_a_file_that_is_uploaded(calendar: RunningCalendar, board: Board) -> None:
    board.open(**WEEK)
    board.frame.get_by_role("button", name="Add post").click()
    dialog = board.frame.locator("dialog")
    dialog.locator("[name=id]").fill("uploaded")
    dialog.locator("[name=publish_at]").fill(f"{day(3)}T18:00")
    dialog.locator("[name=caption]").fill("From a phone")
    video = (calendar.folder / "reel.mp4").read_bytes()
    dialog.locator("[type=file]").set_input_files({"name": "phone.mp4", "mimeType": "video/mp4", "buffer": video})
    dialog.get_by_role("button", name="Add", exact=True).click()
    wait_until(lambda: "uploaded" in in_file(calendar), "the post is in the file", 60)
    assert (calendar.folder / "phone.mp4").read_bytes() == video
    assert {"video": "phone.mp4", "caption": "From a phone"}.items() <= in_file(calendar)["uploaded"].items()
    expect(board.card("uploaded")).to_be_visible(timeout=1000 * LIMIT_S)
    assert board.errors == []


@pytest.mark.timeout(900)
def test_several_posts_are_moved_and_tagged_at_once(calendar: RunningCalendar, board: Board) -> None:
    board.open(**WEEK)
    for post_id in ("first", "second"):
        board.card(post_id).focus()
        board.page.keyboard.press("x")
    bulk = board.frame.get_by_role("region", name="Chosen posts")
    expect(bulk).to_contain_text("2 chosen")
    bulk.get_by_label("Tag", exact=True).fill("may")
    bulk.get_by_role("button", name="Add tag").click()
    wait_until(lambda: in_file(calendar)["second"].get("tags") == ["may"], "both have the tag", 60)
    assert in_file(calendar)["first"]["tags"] == ["may"]
    expect(bulk).to_be_hidden(timeout=60_000)
    for post_id in ("first", "second"):
        board.card(post_id).focus()
        board.page.keyboard.press("x")
    bulk.get_by_label("Days").fill("-1")
    bulk.get_by_role("button", name="Move by days").click()
    wait_until(lambda: day_of(calendar, "second") == day(5), "both are moved", 60)
    assert day_of(calendar, "first") == day(4)
    assert board.errors == []


@pytest.mark.timeout(900)
def test_the_posts_that_wait_are_answered_one_after_the_other_by_keys_only(
    calendar: RunningCalendar, board: Board
) -> None:
    board.open(view="list")
    keys, panel = board.page.keyboard, board.frame.locator("#panel")
    names = ("asked", "asked-last", "asked-too")
    for post_id in names:
        board.reaches(post_id, "waiting")
        board.card(post_id).focus()
        keys.press("x")
    board.frame.get_by_role("button", name="Approve 3 …").press("Enter")
    held = ""
    for key, post_id in zip("anr", names, strict=True):
        expect(panel.locator("h2")).to_have_text(post_id, timeout=60_000)
        expect(panel.get_by_role("button", name="Approve", exact=True)).to_be_visible(timeout=60_000)
        if held:  # the key of the post before, which is still down, answers nothing here
            keys.down(held)
            keys.up(held)
        keys.down(key)
        held = key
    keys.up(held)
    expect(board.frame.locator("dialog").get_by_label("Reason")).to_be_focused()
    keys.type("too dark")
    keys.press("Enter")
    board.reaches("asked", "ready")
    board.reaches("asked-too", "skipped")
    expect(board.card("asked-too")).to_contain_text("rejected: too dark")
    board.reaches("asked-last", "waiting")

    board.card("asked").click()
    panel.get_by_role("button", name="Edit", exact=True).click(timeout=60_000)
    board.frame.locator("form.edit [name=caption]").fill("asked again")
    board.frame.get_by_role("button", name="Save").click()
    question = board.frame.locator("dialog:not(.wide)")
    expect(question).to_contain_text("its approval is asked for again", timeout=60_000)
    assert in_file(calendar)["asked"]["caption"] == "asked"
    question.get_by_role("button", name="Edit anyway").click()
    board.reaches("asked", "waiting")
    assert in_file(calendar)["asked"]["caption"] == "asked again"
    assert board.errors == []


@pytest.mark.timeout(900)
def test_the_second_of_two_editors_sees_what_the_first_wrote_and_keeps_what_he_typed(
    calendar: RunningCalendar, board: Board
) -> None:
    board.open(**WEEK)
    panel, file = board.frame.locator("#panel"), calendar.folder / f"{DAG_ID}.yaml"
    board.card("dragged").click()
    panel.get_by_role("button", name="Edit", exact=True).click(timeout=60_000)
    form = board.frame.locator("form.edit")
    form.locator("[name=first_comment]").fill("mine")
    file.write_text(file.read_text().replace("caption: dragged", "caption: somebody else's"))
    form.get_by_role("button", name="Save").click()
    expect(form.locator(".error")).to_contain_text('caption is now "somebody else\'s"', timeout=60_000)
    assert "first_comment" not in in_file(calendar)["dragged"]
    expect(form.locator("[name=caption]")).to_have_value("somebody else's")
    form.get_by_role("button", name="Save").click()
    wait_until(lambda: in_file(calendar)["dragged"].get("first_comment") == "mine", "both words are in the file", 60)
    assert in_file(calendar)["dragged"]["caption"] == "somebody else's"
    assert board.errors == []


@pytest.mark.timeout(900)
def test_the_forms_are_accessible(board: Board) -> None:
    board.open(**WEEK)
    board.card("dragged").click()
    board.frame.locator("#panel").get_by_role("button", name="Edit", exact=True).click(timeout=60_000)
    board.frame.locator("#view .card").first.dispatch_event("click", {"ctrlKey": True})
    expect(board.frame.locator("#bulk")).to_contain_text(re.compile("chosen"))
    found = Axe().run(board.page_frame()).response["violations"]
    assert not found, [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in found]


@contextmanager
def second_server(airflow: AirflowStack) -> Iterator[AirflowStack]:
    """Start another API server of an Airflow."""
    port = free_port()
    url = f"http://localhost:{port}"
    own = {"AIRFLOW__API__PORT": str(port), "AIRFLOW__API__BASE_URL": url}
    server = AirflowStack(url, airflow.home, airflow.settings | own)
    server.start("api-server")
    try:
        server.wait_until_healthy()
        yield server
    finally:
        server.stop()


def bucket(calendar: RunningCalendar) -> Any:
    """Return a client of the object storage."""
    extra = json.loads(calendar.airflow.settings["AIRFLOW_CONN_DEMO_STORAGE"])["extra"]
    return boto3.client("s3", **extra, aws_access_key_id=KEYS[0], aws_secret_access_key=KEYS[1])


@pytest.mark.timeout(900)
def test_editors_on_two_api_servers_see_each_others_words_in_a_calendar_on_s3(
    calendar: RunningCalendar, page: Page, browser: Browser
) -> None:
    """The second of two editors of one post keeps what they typed, as on one server and on disk."""
    calendar.write([entry(name, MONDAY, STUDIO) for name in ("moved", TOGETHER)], ON_S3)
    storage, key = bucket(calendar), f"plan/{ON_S3}.yaml"
    for name, file in {key: f"{ON_S3}.yaml", "plan/reel.mp4": "reel.mp4"}.items():
        storage.put_object(Bucket=BUCKET, Key=name, Body=(calendar.folder / file).read_bytes())

    def stored() -> dict[str, dict[str, Any]]:
        text = storage.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return {post["id"]: post for post in yaml.safe_load(text)["posts"]}

    calendar.add_dag(LEAD_S, ON_S3, plan=f"s3://demo_storage@{BUCKET}/{key}")
    calendar.airflow.wait_for_dag(ON_S3)
    with second_server(calendar.airflow) as server:
        first = Board(calendar, page, ON_S3).open(**WEEK)
        second = Board(replace(calendar, airflow=server), browser.new_page(), ON_S3).open(**WEEK)
        first.card("moved").focus()
        first.page.keyboard.press("Shift+ArrowRight")
        expect(second.frame.locator(f'[data-day="{day(1)}"]')).to_contain_text("moved", timeout=1000 * LIMIT_S)
        assert str(stored()["moved"]["publish_at"]).startswith(day(1))

        forms = [one.frame.locator("form.edit") for one in (first, second)]
        for one in (first, second):
            one.card(TOGETHER).click()
            one.frame.locator("#panel").get_by_role("button", name="Edit", exact=True).click(timeout=60_000)
        forms[0].locator("[name=caption]").fill("of the first")
        forms[1].locator("[name=first_comment]").fill("of the second")
        forms[0].get_by_role("button", name="Save").click()
        wait_until(lambda: stored()[TOGETHER]["caption"] == "of the first", "the first edit is written", 60)
        forms[1].get_by_role("button", name="Save").click()
        seen = forms[1].locator(".error")
        expect(seen).to_contain_text('caption is now "of the first"', timeout=60_000)
        assert "first_comment" not in stored()[TOGETHER]
        forms[1].get_by_role("button", name="Save").click()
        wait_until(lambda: stored()[TOGETHER].get("first_comment") == "of the second", "both have written", 60)
        assert stored()[TOGETHER]["caption"] == "of the first"
        assert first.errors + second.errors == []


@pytest.mark.timeout(1200)
def test_a_post_goes_out_once_in_its_last_version_whichever_component_is_killed_after_its_edit(
    calendar: RunningCalendar,
) -> None:
    """Each post has a container by then. Its edit brings it forward, so that few minutes are left for a new one."""
    later = whole_second(timedelta(minutes=50))
    calendar.write([entry(component, later, STUDIO) for component in KILLED], KILLS)
    calendar.add_dag(LEAD_S, KILLS)
    made = {("create", component): "success" for component in KILLED}
    wait_until(lambda: made.items() <= calendar.states(KILLS).items(), "all have a container", LIMIT_S, 1.0)
    posts = []
    for component in KILLED:
        at = whole_second(timedelta(minutes=4)).replace(second=0)
        post = Due(component, at, STUDIO, f"{component} killed", KILLS, edited_caption=f"{component}, edited")
        fields = {"caption": post.caption, "publish_at": f"{at:%Y-%m-%dT%H:%M}"}
        edit = {"do": "change", "dag_id": KILLS, "post_id": component, "seen": {"caption": component}}
        answer = send(calendar.airflow, "edits", {**edit, "fields": fields})
        assert answer.status_code == 200, answer.text
        _kill(calendar.airflow, component)
        assert datetime.now(timezone.utc) < at, f"the {component} was killed too late"
        posts.append(post)
    captions = {post.caption for post in posts}
    wait_until(lambda: captions <= calendar.requests().keys(), "all are published", 2.5 * LIMIT_S, 1.0)
    wait_until(lambda: "running" not in calendar.states(KILLS).values(), "no task runs any more", 90, 1.0)
    fates = observed(posts, calendar.airflow, calendar.sandbox)
    assert is_good(fates), "\n".join(table(fates))
    assert calendar.requests().keys().isdisjoint(KILLED), "an older version went out"


def _kill(airflow: AirflowStack, component: str) -> None:
    """Kill a component, and start it again. That of the worker is the process of a task."""
    if component != "worker":
        airflow.stop(component, force=True)
        airflow.start(component)
        airflow.wait_until_healthy()
        return

    def at_work() -> list[int]:
        steps = ("prepare", "create")
        tasks = [ti for ti in task_instances(airflow, KILLS) if ti["task_id"] in steps and ti["state"] == "running"]
        return [pid for ti in tasks if version_of(ti["dag_run_id"])[1] > 1 for pid in running_with(ti["id"])]

    for pid in wait_until(at_work, "a task of the edited post runs", 150, 0.1):
        kill(pid)
