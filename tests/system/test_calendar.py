"""A content calendar in a running Airflow: every post once, at its second."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.calendar.stage import DAG_ID, Stage, distribution, entry, stage, wait_until, whole_second

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCOUNTS = ("berlin", "paris")
TOGETHER = 5
POSTS = 20
SPACING = timedelta(seconds=10)
LEAD_S = 100
LATEST_S = 2.0
LIMIT_S = 270

pytestmark = pytest.mark.on_demand


APPROVALS = "approvals"
APPROVER = "rome"


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("calendar"), (*ACCOUNTS, APPROVER)) as everything:
        yield everything


def test_twenty_posts_on_two_accounts_go_out_on_the_second(play: Stage) -> None:
    """Five are due at once, the others ten seconds apart: each exactly once, none early, all within two seconds."""
    first = whole_second(timedelta(seconds=LEAD_S + 15))
    due = {f"post-{number:02}": first + SPACING * max(0, number - TOGETHER + 1) for number in range(POSTS)}
    play.write([entry(post_id, at, ACCOUNTS[index % 2]) for index, (post_id, at) in enumerate(due.items())])
    play.add_dag(LEAD_S)
    wait_until(lambda: len(play.requests()) == POSTS, "all posts are published", LIMIT_S, 1.0)
    requests = play.requests()
    late = {post_id: requests[post_id][0] - at.timestamp() for post_id, at in due.items()}
    print(f"\nPublish requests after their time: {distribution(list(late.values()))}")  # noqa: T201
    wait_until(lambda: _states_of_runs(play, DAG_ID) == {"success"}, "all runs have succeeded", 60, 1.0)

    assert {post_id: len(times) for post_id, times in requests.items()} == dict.fromkeys(due, 1)
    assert play.sandbox.truth.per_caption == dict.fromkeys(due, 1)
    assert min(late.values()) >= 0, late
    assert max(late.values()) <= LATEST_S, late
    assert {label for task, label in play.states() if task.endswith(".publish")} >= set(due)


def test_a_person_approves_edits_and_rejects_in_the_form_and_silence_is_no(play: Stage) -> None:
    """What was left in the form goes out; a rejection shows its reason; without an answer nothing is published."""
    at = whole_second(timedelta(seconds=75))
    play.write([entry(post_id, at, APPROVER, approval="required") for post_id in ("yes", "no", "silent")], APPROVALS)
    play.add_dag(60, APPROVALS)
    asked = wait_until(lambda: _asked(play, 3), "three questions are asked", 60, 0.5)
    assert "| Placement | reels |" in asked["yes"]["body"]
    assert "> yes" in asked["yes"]["body"]
    (address,) = re.findall(r"!\[Cover\]\((/instagram/covers/[0-9a-f]{16}\.jpg)\)", asked["yes"]["body"])
    assert play.airflow.download(address)[:3] == b"\xff\xd8\xff"
    assert "Transcoded as *pass*" in asked["yes"]["body"]
    _answer(play, asked["yes"], "Approve", caption="a better caption {{ 7 * 7 }}", reason=None)
    _answer(play, asked["no"], "Reject", caption="no", reason="the logo is upside down")
    wait_until(lambda: _states_of_runs(play, APPROVALS) == {"success"}, "the run has ended", 120, 1.0)

    rome = play.users[APPROVER]
    assert [post.caption for post in play.sandbox.posts if post.user_id == rome] == ["a better caption {{ 7 * 7 }}"]
    assert len([container for container in play.sandbox.containers if container.user_id == rome]) == 1
    assert {label: state for (task, label), state in play.states(APPROVALS).items() if task.endswith(".approve")} == {
        "yes": "success",
        "no (rejected: the logo is upside down)": "skipped",
        "silent (not approved)": "skipped",
    }


def _states_of_runs(play: Stage, dag_id: str) -> set[str]:
    return {run["state"] for run in play.airflow.call("GET", f"/dags/{dag_id}/dagRuns")["dag_runs"]}


def _asked(play: Stage, number: int) -> dict[str, Any] | None:
    """Give the open questions by the post's id, once there are so many."""
    found = play.airflow.call("GET", f"/dags/{APPROVALS}/dagRuns/~/hitlDetails")["hitl_details"]
    return {one["subject"].split()[1]: one for one in found} if len(found) == number else None


def _answer(play: Stage, question: dict[str, Any], option: str, **fields: Any) -> None:
    ti = question["task_instance"]
    path = f"/dags/{APPROVALS}/dagRuns/{ti['dag_run_id']}/taskInstances/{ti['task_id']}/{ti['map_index']}/hitlDetails"
    play.airflow.call("PATCH", path, json={"chosen_options": [option], "params_input": fields})
