"""A content calendar in a running Airflow: every post once, at its second."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from demo.stack import wait_until
from tests.soak.running_calendar import (
    DAG_ID,
    REEL_WIDTH,
    Stage,
    distribution,
    entry,
    form_of,
    stage,
    whole_second,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

ACCOUNTS = ("berlin", "paris")
TOGETHER = 5
POSTS = 20
SPACING = timedelta(seconds=10)
LEAD_S = 60
LATEST_S = 2.0
LIMIT_S = 300
APPROVALS = "approvals"
APPROVER = "rome"
READING = timedelta(seconds=5)
QUESTIONS = ("yes", "no", "silent", "changed")


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("calendar"), (*ACCOUNTS, APPROVER)) as everything:
        yield everything


@pytest.mark.timeout(420)
def test_twenty_posts_on_two_accounts_go_out_on_the_second(play: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """Five are due at once, the others ten seconds apart: each exactly once, none early, all within two seconds."""
    first = whole_second(timedelta(seconds=LEAD_S + 15))
    due = {f"post-{number:02}": first + SPACING * max(0, number - TOGETHER + 1) for number in range(POSTS)}
    play.write([entry(post_id, at, ACCOUNTS[index % 2]) for index, (post_id, at) in enumerate(due.items())])
    play.add_dag(LEAD_S)
    wait_until(lambda: len(play.requests()) == POSTS, "all posts are published", LIMIT_S, 1.0)
    requests = play.requests()
    late = {post_id: requests[post_id][0] - at.timestamp() for post_id, at in due.items()}
    with capsys.disabled():
        print(f"\nPublish requests after their time: {distribution(list(late.values()))}")  # noqa: T201
    wait_until(lambda: _states_of_runs(play, DAG_ID) == {"success"}, "all runs have succeeded", 60, 1.0)

    assert {post_id: len(times) for post_id, times in requests.items()} == dict.fromkeys(due, 1)
    assert play.sandbox.truth.per_caption == dict.fromkeys(due, 1)
    assert min(late.values()) >= 0, late
    assert max(late.values()) <= LATEST_S, late
    assert {label for task, label in play.states() if task.endswith(".publish")} >= set(due)


def test_a_person_approves_edits_and_rejects_in_the_form_and_silence_is_no(play: Stage, page: Page) -> None:
    """The cover is seen beside the question; what is left in the form goes out; an edit after the yes asks again."""
    at = whole_second(timedelta(seconds=110))
    posts = {post_id: entry(post_id, at, APPROVER, approval="required") for post_id in QUESTIONS}
    play.write(list(posts.values()), APPROVALS)
    play.add_dag(100, APPROVALS)
    asked = wait_until(lambda: _asked(play, *QUESTIONS), "the questions are asked", 90, 0.5)
    assert "| Placement | ` reels ` |" in asked["yes"]["body"]
    assert "```text\nyes\n```" in asked["yes"]["body"]
    assert "Transcoded as ` pass `" in asked["yes"]["body"]
    page.goto(f"{play.airflow.url}{form_of(asked['yes']['task_instance'])}")
    expect(page.get_by_alt_text("Cover")).to_have_js_property("naturalWidth", REEL_WIDTH)
    _answer(play, asked["changed"], "Approve", caption="changed", reason=None)
    _answer(play, asked["yes"], "Approve", caption="a better caption {{ 7 * 7 }}", reason=None)
    _answer(play, asked["no"], "Reject", caption="no", reason="the logo is upside down")
    created = f"{APPROVER}.create", "changed"
    wait_until(lambda: play.states(APPROVALS).get(created) == "success", "the container is made", 60, 0.5)
    posts["changed"]["caption"] = "changed after the yes"
    play.write(list(posts.values()), APPROVALS)
    again = wait_until(lambda: _asked(play, "changed"), "the changed post is asked about again", 60, 0.5)
    assert "```text\nchanged after the yes\n```" in again["changed"]["body"]
    _answer(play, again["changed"], "Approve", caption="changed after the yes", reason=None)
    wait_until(lambda: _states_of_runs(play, APPROVALS) <= {"success", "failed"}, "the runs have ended", 150, 1.0)

    assert play.failed(APPROVALS) == []
    assert _states_of_runs(play, APPROVALS) == {"success"}
    rome = play.users[APPROVER]
    captions = {"a better caption {{ 7 * 7 }}", "changed after the yes"}
    assert sorted(post.caption for post in play.sandbox.posts if post.user_id == rome) == sorted(captions)
    made = {container.caption for container in play.sandbox.containers if container.user_id == rome}
    assert made == captions | {"changed"}
    labels = {(task, label) for (task, label), state in play.states(APPROVALS).items() if state == "skipped"}
    assert labels >= {
        (f"{APPROVER}.approve", "no (rejected: the logo is upside down)"),
        (f"{APPROVER}.approve", "silent (not approved)"),
        (f"{APPROVER}.publish", "changed (edited)"),
    }


def test_a_calendar_may_let_posts_out_that_nobody_answered_for(play: Stage) -> None:
    at = whole_second(timedelta(seconds=45))
    play.write([entry("unanswered", at, APPROVER, approval="required")], "lenient")
    play.add_dag(40, "lenient", more='unanswered="publish"')
    wait_until(lambda: "unanswered" in play.requests(), "the post is published", 120, 1.0)
    assert play.requests()["unanswered"][0] >= at.timestamp()


def _states_of_runs(play: Stage, dag_id: str) -> set[str]:
    return {run["state"] for run in play.airflow.call("GET", f"/dags/{dag_id}/dagRuns")["dag_runs"]}


def _asked(play: Stage, *post_ids: str) -> dict[str, Any] | None:
    """Give the open questions by the post's id, once all of these have been there for as long as a person reads.

    Airflow 3.3.2 fails a task that is answered before its scheduler has seen that it waits.
    """
    found = play.airflow.call("GET", f"/dags/{APPROVALS}/dagRuns/~/hitlDetails")["hitl_details"]
    read = datetime.now(timezone.utc) - READING
    asked = {
        one["subject"].split()[1]: one
        for one in found
        if not one["response_received"] and datetime.fromisoformat(one["created_at"]) < read
    }
    return asked if set(post_ids) <= set(asked) else None


def _answer(play: Stage, question: dict[str, Any], option: str, **fields: Any) -> None:
    ti = question["task_instance"]
    path = f"/dags/{APPROVALS}/dagRuns/{ti['dag_run_id']}/taskInstances/{ti['task_id']}/{ti['map_index']}/hitlDetails"
    play.airflow.call("PATCH", path, json={"chosen_options": [option], "params_input": fields})
