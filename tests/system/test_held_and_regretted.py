"""A person decides about a post that the copyright check holds, and about one that is to be deleted."""

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
from tests.gallery import adapted
from tests.integration.tasks import SCOPES
from tests.system.test_board import LEAD_S, LIMIT_S, Board

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

STUDIO, PAGE = "studio", "page"
DELETES = f"delete_posts_of_{PAGE}"


@pytest.fixture(scope="module")
def calendar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCalendar]:
    with running_calendar(tmp_path_factory.mktemp("held"), (STUDIO, PAGE)) as everything:
        _connect_page(everything)
        (everything.airflow.home / "dags" / "deletes.py").write_text(
            adapted("gallery/delete_posts.py", ACCOUNTS=[PAGE])
        )
        everything.sandbox.process_next(times=2, copyright="match")  # of either post, whichever comes first
        soon = whole_second(timedelta(minutes=4))  # once Airflow has read the calendar
        everything.write([entry("held", soon, STUDIO, on_copyright_match="hold"), entry("regretted", soon, PAGE)])
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
def test_a_published_post_leads_to_the_dag_that_deletes_it_after_a_yes(calendar: RunningCalendar, board: Board) -> None:
    sandbox, airflow = calendar.sandbox, calendar.airflow
    board.reaches("regretted", "published", 3 * LIMIT_S)
    board.card("regretted").click()
    link = board.frame.locator("#panel").get_by_role("link", name="Delete it in Airflow")
    expect(link).to_have_attribute("href", f"{airflow.url}/dags/{DELETES}", timeout=60_000)
    expect(board.frame.locator("#panel")).to_contain_text(f"by its post key: {PAGE}/regretted")
    board.frame.locator("#panel").get_by_role("button", name="Close").click()

    airflow.trigger(DELETES, "once", {"post_key": f"{PAGE}/regretted"})
    task = f"/dags/{DELETES}/dagRuns/once/taskInstances/delete"
    # The question is there before its task is parked, and an answer in between is sooner than any person's.
    wait_until(lambda: airflow.call("GET", task)["state"] == "awaiting_input", "the question is asked", LIMIT_S, 1.0)
    assert sandbox.calls("delete") == 0
    answer = {"chosen_options": ["Approve"], "params_input": {}}
    airflow.call("PATCH", f"{task}/-1/hitlDetails", json=answer)
    board.reaches("regretted", "skipped")
    expect(board.card("regretted")).to_contain_text("by ")
    assert (sandbox.calls("delete"), [post.caption for post in sandbox.posts if post.caption == "regretted"]) == (1, [])
    assert board.errors == []
