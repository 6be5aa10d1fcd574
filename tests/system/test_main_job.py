"""The main job in a running Airflow: from a file to one post, with nothing held while Instagram works."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable

    from instagram_sandbox.testing.handle import SandboxHandle
    from tests.system.conftest import Run

PROCESSING_S = 3600


def test_a_reel_is_published_after_a_wait_that_holds_no_worker_slot(
    start: Callable[..., Run], sandbox: SandboxHandle, posts_of: Callable[[str], list[str]]
) -> None:
    """The sensor is deferred for as long as Instagram needs; an hour of it passes on the sandbox's clock."""
    sandbox.process_next(after_s=PROCESSING_S)
    run = start("publish_reel", caption="An hour at work")

    waiting = run.wait_for_state("wait", "deferred")
    assert waiting["trigger"]["classpath"].endswith(".ContainerStatusTrigger")
    assert posts_of("An hour at work") == []
    sandbox.advance(PROCESSING_S)
    run.wait()

    post = run.result("publish")
    assert posts_of("An hour at work") == [post["permalink"]]
    calls = sandbox.journal(container_id=run.result("create"))
    order = list(dict.fromkeys(entry.operation for entry in calls))
    assert order == ["create", "upload", "status", "publish"]
    at = {entry.operation: entry.at for entry in calls}
    assert at["publish"] - at["upload"] >= PROCESSING_S, "published before it was FINISHED"
    assert [entry.outcome for entry in calls if entry.operation == "publish"] == ["ok"]

    links = run.airflow.call("GET", f"{run.path}/taskInstances/publish/links")["extra_links"]
    assert links == {"View on Instagram": post["permalink"]}
    page = httpx.get(links["View on Instagram"], trust_env=False).raise_for_status()
    assert "An hour at work" in page.text


def test_every_shape_of_task_makes_each_post_once(
    start: Callable[..., Run], posts_of: Callable[[str], list[str]]
) -> None:
    """A task group, a mapped group, and steps mapped one by one; captions that are data are never rendered."""
    mapped = ["mapped one", "mapped {{ 1 + 1 }}"]
    expanded = ["expanded one", "expanded {{ var.value.secret }}"]
    runs = [
        start("shape_group", caption="grouped"),
        start("shape_mapped_group", captions=mapped),
        start("shape_expand", captions=expanded),
    ]
    for run in runs:
        run.wait()

    grouped, mapped_run, expanded_run = runs
    assert posts_of("grouped") == [grouped.result("post.publish")["permalink"]]
    for index, caption in enumerate(mapped):
        assert posts_of(caption) == [mapped_run.result("post.publish", index)["permalink"]]
    for index, caption in enumerate(expanded):
        assert posts_of(caption) == [expanded_run.result("publish", index)["permalink"]]
