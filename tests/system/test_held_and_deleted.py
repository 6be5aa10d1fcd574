"""A person chooses music, decides about a post that the copyright check holds, and about one that is to be deleted."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from demo.stack import wait_until
from demo.ui import connect
from instagram_sandbox.testing.handle import SandboxHandle
from tests.calendars.running_calendar import (
    CALLS_PER_HOUR,
    DAG_ID,
    POSTS,
    RunningCalendar,
    entry,
    running_calendar,
    whole_second,
)
from tests.integration.tasks import SCOPES
from tests.system.test_board import LEAD_S, LIMIT_S, Board

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

STUDIO, PAGE = "studio", "page"
DELETES = "delete_posts"
MUSIC = "587000000000001"
DELETION_FILE = f"""\
from airflow_provider_instagram.calendar import post_deletion_dag

dag = post_deletion_dag({DELETES!r}, accounts=[{PAGE!r}])
"""


@pytest.fixture(scope="module")
def calendar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCalendar]:
    folder, settings = tmp_path_factory.mktemp("held"), {"AIRFLOW__INSTAGRAM__DELETION_DAG": DELETES}
    settings["AIRFLOW__INSTAGRAM__CALENDAR_EDITING"] = "True"
    with running_calendar(folder, (STUDIO, PAGE), **settings) as everything:
        _connect_page(everything)
        (everything.airflow.home / "dags" / "deletes.py").write_text(DELETION_FILE)
        everything.sandbox.process_next(times=2, copyright="match")  # of either post, whichever comes first
        soon = whole_second(timedelta(minutes=4))  # once Airflow has read the calendar
        held, regretted = entry("held", soon, STUDIO, on_copyright_match="hold"), entry("regretted", soon, PAGE)
        everything.write([held, regretted, entry("tune", whole_second(timedelta(minutes=50)), PAGE)])
        everything.add_dag(LEAD_S)  # a try that a busy machine loses is tried again
        yield everything


def _connect_page(calendar: RunningCalendar) -> None:
    """Connect an account by Facebook Login, which can delete."""
    user_id, sandbox = calendar.users[PAGE], calendar.sandbox
    sandbox.switch(login="any")
    token = sandbox.add_token(user_id, kind="page", scopes=list(SCOPES))
    account = SandboxHandle(sandbox.url, token, user_id)
    limits = {"calls_per_hour": CALLS_PER_HOUR, **POSTS}
    connect(calendar.airflow, account, PAGE, login_type="facebook", **limits)
    account.close()


@pytest.fixture
def board(calendar: RunningCalendar, page: Page) -> Board:
    paths = [f"/dags/{dag_id}" for dag_id in (DAG_ID, DELETES)]
    wait_until(lambda: all(map(calendar.airflow.has, paths)), "Airflow has read both DAGs", LIMIT_S)
    return Board(calendar, page).open()


@pytest.mark.timeout(1200)
def test_music_is_found_by_its_title_and_chosen_for_a_reel(calendar: RunningCalendar, board: Board) -> None:
    board.card("tune").click()
    panel = board.frame.locator("#panel")
    panel.get_by_role("button", name="Edit", exact=True).click(timeout=60_000)
    words = panel.get_by_role("searchbox", name="Music, by title or artist")
    words.fill("no such song")
    words.press("Enter")
    expect(panel.locator(".music")).to_contain_text("Nothing was found.", timeout=1000 * LIMIT_S)
    words.fill("harbour")
    panel.get_by_role("button", name="Search music").click()
    panel.get_by_role("button", name="Harbour Lights").click(timeout=1000 * LIMIT_S)
    expect(panel.locator("[name=audio_id]")).to_have_value(MUSIC)
    board.page.screenshot(path=str(calendar.folder / "music.png"))
    panel.get_by_role("button", name="Save").click()
    wait_until(lambda: MUSIC in (calendar.folder / f"{DAG_ID}.yaml").read_text(), "the file has the music", LIMIT_S)
    assert (calendar.sandbox.calls("audio"), board.errors) == (2, [])


@pytest.mark.timeout(1200)
def test_a_post_that_the_copyright_check_holds_is_published_once_after_a_yes(
    calendar: RunningCalendar, board: Board
) -> None:
    board.reaches("held", "waiting")
    board.card("held").click()
    expect(board.frame.locator("#panel .why").first).to_contain_text("copyright")
    expect(board.frame.locator("#panel [name=caption]")).to_have_count(0)  # the container has it already
    board.frame.locator("#panel").get_by_role("button", name="Close").click()
    assert calendar.sandbox.truth.per_caption.get("held", 0) == 0

    board.act("held", "Approve")
    board.reaches("held", "published", 3 * LIMIT_S)
    made = [container for container in calendar.sandbox.containers if container.caption == "held"]
    assert (len(made), calendar.sandbox.truth.per_caption["held"]) == (1, 1), "nothing is uploaded again"


@pytest.mark.timeout(1200)
def test_a_published_post_is_deleted_on_the_page_after_a_yes_beside_it(calendar: RunningCalendar, board: Board) -> None:
    sandbox = calendar.sandbox
    board.reaches("regretted", "published", 3 * LIMIT_S)
    (post,) = [post for post in sandbox.posts if post.caption == "regretted"]

    board.act("regretted", "Delete …")
    expect(board.card("regretted")).to_contain_text("a person is asked whether to delete it", timeout=1000 * LIMIT_S)
    assert sandbox.calls("delete") == 0
    board.card("regretted").click()
    panel = board.frame.locator("#panel")
    panel.get_by_role("button", name="Delete it …").click()
    expect(panel.locator(".asked")).to_contain_text(f"Delete {PAGE}/regretted from {PAGE}?")
    expect(panel.locator(".asked")).to_contain_text(post.permalink)
    board.page.screenshot(path=str(calendar.folder / "deletion.png"))
    panel.get_by_role("button", name="Delete it", exact=True).click()
    board.reaches("regretted", "deleted")
    board.page.screenshot(path=str(calendar.folder / "deleted.png"))
    expect(board.card("regretted")).to_contain_text("by ")
    assert (sandbox.calls("delete"), [post.caption for post in sandbox.posts if post.caption == "regretted"]) == (1, [])
    assert board.errors == []
