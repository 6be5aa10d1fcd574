"""A loop in a running Airflow: what is cleared afterwards, and made anew, posts nothing again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from demo.stack import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from demo.stack import AirflowStack
    from instagram_sandbox.testing.handle import SandboxHandle

DAG_ID, RUN_ID = "loop_of_posts", "two-posts"
RUN = f"/dags/{DAG_ID}/dagRuns/{RUN_ID}"
RUN_LIMIT_S = 180


class Loop:
    """The run of a loop of posts, seen over Airflow's REST API."""

    def __init__(self, airflow: AirflowStack) -> None:
        self.airflow = airflow

    def passes(self, task_id: str) -> list[dict[str, Any]]:
        """Return the instances of a task, the first pass first."""
        found = [ti for ti in self.airflow.tasks(DAG_ID, RUN_ID) if ti["task_id"] == task_id]
        return sorted(found, key=lambda ti: int(ti["loop_iteration"]["iteration"]))

    def published(self) -> list[dict[str, Any]]:
        """Wait for the end of the run, and give what publish returned in each pass."""
        ended = lambda: self.airflow.run_state(DAG_ID, RUN_ID) in ("success", "failed")  # noqa: E731
        wait_until(ended, "the run has ended", RUN_LIMIT_S)
        tasks = self.airflow.tasks(DAG_ID, RUN_ID)
        assert {ti["state"] for ti in tasks} == {"success"}, tasks
        path = f"{RUN}/taskInstances/post.publish/xcomEntries/return_value"
        places = [{key: ti[key] for key in ("region_id", "region_index")} for ti in self.passes("post.publish")]
        answers = [self.airflow.call("GET", path, params=place | {"deserialize": False}) for place in places]
        return [answer["value"] for answer in answers]

    def events(self) -> list[str]:
        """Return the keys of the posts that events were emitted for."""
        events = self.airflow.call("GET", "/assets/events", params={"source_dag_id": DAG_ID})["asset_events"]
        return sorted(event["extra"]["post_key"] for event in events if event["extra"].get("post_key"))


@pytest.fixture
def loop(airflow: AirflowStack, portrait_video: Path) -> Loop:
    airflow.wait_for_dag(DAG_ID)
    airflow.trigger(DAG_ID, RUN_ID, {"video": str(portrait_video)})
    return Loop(airflow)


def test_a_cleared_pass_and_a_cleared_run_post_nothing_again(loop: Loop, sandbox: SandboxHandle) -> None:
    first = loop.published()
    by_caption = {post.caption: post.permalink for post in sandbox.posts}
    assert [post["permalink"] for post in first] == [by_caption["pass 0"], by_caption["pass 1"]]
    assert loop.events() == [post["post_key"] for post in first]
    again = [post | {"already_published": True} for post in first]

    one_pass = [loop.passes(task_id)[0]["id"] for task_id in ("post.create", "post.wait", "post.publish")]
    cleared = {"dry_run": False, "only_failed": False, "dag_run_id": RUN_ID, "task_instance_ids": one_pass}
    loop.airflow.call("POST", f"/dags/{DAG_ID}/clearTaskInstances", json=cleared)
    assert loop.published() == [again[0], first[1]]

    region = loop.passes("post.publish")[1]["region_id"]
    loop.airflow.call("POST", f"{RUN}/clear", json={"dry_run": False})
    assert loop.published() == again
    assert loop.passes("post.publish")[1]["region_id"] != region, "the second pass was to be made anew"
    assert len(sandbox.posts) == len(first)
    assert loop.events() == [post["post_key"] for post in first]
