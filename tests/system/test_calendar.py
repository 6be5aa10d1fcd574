"""A content calendar in a running Airflow: every post once, at its second."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from tests.calendar.stage import DAG_ID, distribution, entry, stage, wait_until, whole_second

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNTS = ("berlin", "paris")
TOGETHER = 5
POSTS = 20
SPACING = timedelta(seconds=10)
LEAD_S = 100
LATEST_S = 2.0
LIMIT_S = 270


def test_twenty_posts_on_two_accounts_go_out_on_the_second(tmp_path: Path) -> None:
    """Five are due at once, the others ten seconds apart: each exactly once, none early, all within two seconds."""
    with stage(tmp_path, ACCOUNTS) as play:
        first = whole_second(timedelta(seconds=LEAD_S + 15))
        due = {f"post-{number:02}": first + SPACING * max(0, number - TOGETHER + 1) for number in range(POSTS)}
        play.write([entry(post_id, at, ACCOUNTS[index % 2]) for index, (post_id, at) in enumerate(due.items())])
        play.add_dag(LEAD_S)
        wait_until(lambda: len(play.requests()) == POSTS, "all posts are published", LIMIT_S, 1.0)
        requests = play.requests()
        late = {post_id: requests[post_id][0] - at.timestamp() for post_id, at in due.items()}
        print(f"\nPublish requests after their time: {distribution(list(late.values()))}")  # noqa: T201
        wait_until(lambda: _all_ended(play.airflow.call("GET", f"/dags/{DAG_ID}/dagRuns")), "all runs ended", 60, 1.0)

        assert {post_id: len(times) for post_id, times in requests.items()} == dict.fromkeys(due, 1)
        assert play.sandbox.truth.per_caption == dict.fromkeys(due, 1)
        assert min(late.values()) >= 0, late
        assert max(late.values()) <= LATEST_S, late
        assert {label for task, label in play.states() if task.endswith(".publish")} >= set(due)


def _all_ended(runs: dict[str, list[dict[str, str]]]) -> bool:
    states = {run["state"] for run in runs["dag_runs"]}
    return states == {"success"}
