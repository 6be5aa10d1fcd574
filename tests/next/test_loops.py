"""Loops of Airflow 3.4: every pass makes a post of its own, in each shape of task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from airflow.sdk import DAG, task, task_group

from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator
from airflow_provider_instagram.sensors import ContainerStatusSensor

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_instagram.sandbox.handle import SandboxHandle


def loop_of_posts(dag_id: str, video: Path, **publish: Any) -> DAG:
    """Give a DAG of two passes, each of which creates a container, waits for it and publishes it."""
    with DAG(dag_id, schedule=None) as dag:

        @task_group
        def post() -> None:
            create = CreateContainerOperator(task_id="create", video=str(video), caption="pass {{ loop.index }}")
            wait = ContainerStatusSensor(task_id="wait", container_id=create.output)
            PublishOperator(task_id="publish", container_id=wait.output, **publish)

        cast("Any", post).loop(max_iterations=2)
    return dag


def captions(sandbox: SandboxHandle) -> list[str]:
    return sorted(post.caption for post in sandbox.posts)


def test_two_passes_make_two_posts(instagram_sandbox: SandboxHandle, run_dag: Any, portrait_video: Path) -> None:
    assert run_dag(loop_of_posts("two_passes", portrait_video)).state == "success"
    assert captions(instagram_sandbox) == ["pass 0", "pass 1"]


def test_a_pass_that_is_tried_again_keeps_its_post(
    instagram_sandbox: SandboxHandle, run_dag: Any, portrait_video: Path
) -> None:
    instagram_sandbox.fail("publish", code=2, nth=2)
    assert run_dag(loop_of_posts("tried_again", portrait_video)).state == "success"
    assert captions(instagram_sandbox) == ["pass 0", "pass 1"]
    assert [entry.outcome for entry in instagram_sandbox.journal("publish")].count("ok") == 2


def test_one_key_for_all_passes_is_one_post(
    instagram_sandbox: SandboxHandle, run_dag: Any, portrait_video: Path
) -> None:
    """Who gives the key says what is one post; the second pass finds it there."""
    with DAG("one_key", schedule=None) as dag:

        @task_group
        def post() -> None:
            create = CreateContainerOperator(
                task_id="create", video=str(portrait_video), caption="once", post_key="one_key"
            )
            PublishOperator(task_id="publish", container_id=create.output)

        cast("Any", post).loop(max_iterations=2)

    assert run_dag(dag).state == "success"
    assert captions(instagram_sandbox) == ["once"]


def test_tasks_that_are_mapped_in_a_loop_make_a_post_for_each_index_of_each_pass(
    instagram_sandbox: SandboxHandle, run_dag: Any, portrait_video: Path
) -> None:
    """And captions that are data are never rendered."""
    with DAG("mapped_in_a_loop", schedule=None) as dag:

        @task
        def posts(**context: Any) -> list[dict[str, str]]:
            index = context["loop"].index
            return [{"caption": f"{{{{ {index} }}}} of {name}"} for name in ("a", "b")]

        @task_group
        def post() -> None:
            create = CreateContainerOperator.partial(
                task_id="create", video=str(portrait_video), wait_for_completion=True
            ).expand_kwargs(posts())  # type: ignore[arg-type]
            PublishOperator.partial(task_id="publish").expand(container_id=create.output)

        cast("Any", post).loop(max_iterations=2)

    assert run_dag(dag).state == "success"
    assert captions(instagram_sandbox) == ["{{ 0 }} of a", "{{ 0 }} of b", "{{ 1 }} of a", "{{ 1 }} of b"]


def test_groups_that_are_mapped_in_a_loop_do_so_too(
    instagram_sandbox: SandboxHandle, run_dag: Any, portrait_video: Path
) -> None:
    with DAG("groups_in_a_loop", schedule=None) as dag:

        @task_group
        def one(name: str) -> None:
            create = CreateContainerOperator(
                task_id="create",
                video=str(portrait_video),
                caption=name,
                post_key=None,
                wait_for_completion=True,
            )
            PublishOperator(task_id="publish", container_id=create.output)

        @task_group
        def post() -> None:
            one.expand(name=["a", "b"])

        cast("Any", post).loop(max_iterations=2)

    assert run_dag(dag).state == "success"
    assert captions(instagram_sandbox) == ["a", "a", "b", "b"]
