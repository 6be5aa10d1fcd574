"""What a post does to others: a DAG that waits for posts of the account hears of it; a late one is made at once."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from demo.stack import wait_until
from demo.ui import connect

if TYPE_CHECKING:
    from collections.abc import Callable

    from demo.stack import AirflowStack
    from instagram_sandbox.testing.handle import SandboxHandle
    from tests.system.conftest import Run


def test_another_dag_runs_when_the_account_has_posted_and_only_then(
    airflow: AirflowStack, sandbox: SandboxHandle, start: Callable[..., Run], run_of: Callable[[str, str], Run]
) -> None:
    """The event names the post. A second run with the key finds the post there, and emits no event."""
    connect(airflow, sandbox, "talkative")
    first = start("post_and_tell", caption="Listen", post_key="told once")
    first.wait()
    again = start("post_and_tell", caption="Listen", post_key="told once")
    again.wait()
    other = start("post_and_tell", caption="Listen again", post_key="told another time")
    other.wait()

    def heard() -> list[dict[str, Any]]:
        runs = airflow.call("GET", "/dags/hears_of_posts/dagRuns")["dag_runs"]
        ended = [run["dag_run_id"] for run in runs if run["state"] == "success"]
        return [told for run_id in ended for told in run_of("hears_of_posts", run_id).result("heard")]

    posts = [run.result("publish") for run in (first, other)]
    told = [{key: post[key] for key in ("media_id", "permalink", "post_key")} for post in posts]
    wait_until(lambda: all(one in heard() for one in told), "the other DAG has heard of both", 60)
    assert len(heard()) == 2
    assert again.result("publish") == posts[0] | {"already_published": True}
    assert [len(_events(airflow, run)) for run in (first, again, other)] == [1, 0, 1]


def test_the_first_posts_of_an_account_may_all_be_made_at_once(
    airflow: AirflowStack, sandbox: SandboxHandle, start: Callable[..., Run]
) -> None:
    """Airflow fails all but one of the tasks that emit the first event of an alias in the same moment."""
    connect(airflow, sandbox, "newcomer")
    run = start("first_posts", caption="Among the first")
    run.wait()
    assert set(run.states().values()) == {"success"}
    assert [post.caption for post in sandbox.posts].count("Among the first") == 4
    assert sorted(event["extra"]["post_key"] for event in _events(airflow, run)) == [
        "first",
        "fourth",
        "second",
        "third",
    ]


def _events(airflow: AirflowStack, run: Run) -> list[dict[str, Any]]:
    found = airflow.call("GET", "/assets/events", params={"source_run_id": run.run_id})["asset_events"]
    return [event for event in found if event["uri"].endswith("/posts")]


def test_a_post_goes_out_at_its_time_although_no_triggerer_runs_its_wait(
    airflow: AirflowStack, sandbox: SandboxHandle, start: Callable[..., Run]
) -> None:
    """The wait of a triggerer that has no capacity left ends in the same way: the scheduler ends it by its timeout."""
    connect(airflow, sandbox, "talkative")
    publish_at = datetime.now(timezone.utc) + timedelta(seconds=75)
    run = start("post_and_tell", caption="Awake", publish_at=publish_at.isoformat())
    run.wait_for_state("publish", "deferred")
    airflow.stop("triggerer", force=True)
    try:
        run.wait()
    finally:
        airflow.start("triggerer")
    (post,) = [post for post in sandbox.posts if post.caption == "Awake"]
    ahead = timedelta(seconds=sandbox.now() - time.time())  # other tests have moved the sandbox's clock
    assert timedelta(seconds=-0.1) <= post.published_at - ahead - publish_at < timedelta(seconds=5)
    assert run.task("publish")["try_number"] == 1
    assert run.result("publish")["media_id"] == post.media_id
