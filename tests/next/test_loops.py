"""Loops of Airflow 3.4: every pass makes a post of its own, in each shape of task."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk import DAG, task, task_group

from airflow_provider_instagram.ledger.records import Owner, is_at_work
from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator
from airflow_provider_instagram.sensors import ContainerStatusSensor

if TYPE_CHECKING:
    from pathlib import Path

    from airflow.sdk import Context

    from instagram_sandbox.testing.handle import SandboxHandle


class DiesOnceItHasPosted(PublishOperator):
    """A publish whose first try ends before it can return its post."""

    def execute(self, context: Context, event: Any = None) -> dict[str, Any]:
        post = super().execute(context, event)
        if context["ti"].try_number == 1:
            raise RuntimeError(f"{post['post_key']} is live, and this try ends here")
        return post


def captions(sandbox: SandboxHandle) -> list[str]:
    return sorted(post.caption for post in sandbox.posts)


def test_two_passes_make_two_posts(instagram_sandbox: SandboxHandle, run_dag: Any, portrait_video: Path) -> None:
    """The same holds if every task is tried again after it has published."""
    with DAG("two_passes", schedule=None) as dag:

        @task_group
        def post() -> None:
            create = CreateContainerOperator(
                task_id="create", video=str(portrait_video), caption="pass {{ loop.index }}"
            )
            wait = ContainerStatusSensor(task_id="wait", container_id=create.output)
            DiesOnceItHasPosted(
                task_id="publish", container_id=wait.output, retry_delay=timedelta(0), retry_policy=None
            )

        cast("Any", post).loop(max_iterations=2)

    result = run_dag(dag)
    assert result.state == "success"
    assert captions(instagram_sandbox) == ["pass 0", "pass 1"]
    tries = [ti.try_number for ti in result.run.get_task_instances() if ti.task_id == "post.publish"]
    assert tries == [2, 2]


def test_one_key_for_all_passes_is_one_post(
    instagram_sandbox: SandboxHandle, run_dag: Any, portrait_video: Path
) -> None:
    """A key that the author sets is one post: the second pass finds it there."""
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
            ).expand_kwargs(posts())
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
                wait_for_completion=True,
            )
            PublishOperator(task_id="publish", container_id=create.output)

        @task_group
        def post() -> None:
            one.expand(name=["a", "b"])

        cast("Any", post).loop(max_iterations=2)

    assert run_dag(dag).state == "success"
    assert captions(instagram_sandbox) == ["a", "a", "b", "b"]


def test_airflow_tells_which_passes_have_ended(run_dag: Any) -> None:
    at_work: list[list[bool]] = []
    with DAG("ended_passes", schedule=None) as dag:

        @task
        def publish() -> None:
            """Do nothing, and end."""

        @task
        def look(**context: Any) -> None:
            ti, me = context["ti"], Owner.of(cast("Context", context))
            passes = [Owner(ti.dag_id, ti.run_id, "post.publish", -1, index) for index in (0, 1)]
            owners = [*passes, me, replace(me, run_id="deleted")]
            at_work.append([is_at_work(ti, owner) for owner in owners])

        @task_group
        def post() -> None:
            publish() >> look()

        cast("Any", post).loop(max_iterations=2)

    assert run_dag(dag).state == "success"
    assert at_work == [[False, True, True, False], [False, False, True, False]]
