"""What a task hands to the next one key by key, and mistakes of a DAG that no retry can mend."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mock import MockerFixture

    from instagram_sandbox.testing.handle import SandboxHandle

ENVIRONMENT = "airflow.secrets.environment_variables.EnvironmentVariablesBackend"


def test_the_next_task_takes_single_values_of_a_publication(
    instagram_sandbox: SandboxHandle, run_dag: Any, portrait_video: Path, mocker: MockerFixture
) -> None:
    """Also if the task was deferred, if it is mapped, if the post exists already, and after a dry run."""
    from airflow.sdk import DAG, task

    from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator

    mocker.patch("airflow_provider_instagram.publishing.publish.WAKE_UP_AHEAD", timedelta(seconds=1))

    @task
    def soon() -> str:
        return (datetime.now(timezone.utc) + timedelta(seconds=4)).isoformat()

    @task
    def show(media_id: Any, again: Any, mapped: Any, is_live: Any, of_dry_run: Any) -> list[Any]:
        return [media_id, again, list(mapped), is_live, of_dry_run]

    with DAG("single_values", schedule=None) as dag:
        create = CreateContainerOperator(
            task_id="create", video=str(portrait_video), caption="one by one", wait_for_completion=True
        )
        dry_run = PublishOperator(task_id="dry_run", container_id=create.output, dry_run=True)
        at = soon()
        publish = PublishOperator(task_id="publish", container_id=create.output, publish_at=at)
        again = PublishOperator(task_id="again", container_id=create.output)
        mapped = PublishOperator.partial(task_id="mapped").expand(container_id=[create.output])
        dry_run >> at >> publish >> again >> mapped
        show(
            publish.output["media_id"],
            again.output["media_id"],
            mapped.output["media_id"],
            again.output["already_published"],
            dry_run.output["media_id"],
        )

    result = run_dag(dag)

    assert result.state == "success"
    media_id = result.xcom("publish")["media_id"]
    assert [post.media_id for post in instagram_sandbox.posts] == [media_id]
    assert result.xcom("show") == [media_id, media_id, [media_id], True, None]


def test_a_mistake_of_the_dag_uses_up_no_retries(instagram_sandbox: SandboxHandle, run_dag: Any) -> None:
    """An XCom that does not exist, a name that a template does not know, no template at all, a number plus a text."""
    from airflow.sdk import DAG
    from airflow.sdk.definitions.xcom_arg import XComArg

    from airflow_provider_instagram.operators import CreateContainerOperator, RefreshTokenOperator

    with DAG("mistakes", schedule=None, default_args={"retry_delay": timedelta(0)}) as dag:
        before = RefreshTokenOperator(task_id="before", multiple_outputs=False)
        missing: Any = XComArg(before, key="caption")
        captions = (missing, "{{ params.shop.name }}", "{{ 1 + }}", "{{ params | length + 'x' }}")
        for number, caption in enumerate(captions):
            before >> CreateContainerOperator(task_id=f"create_{number}", video="/v.mp4", caption=caption)

    result = run_dag(dag)

    tried = {ti.task_id: (ti.state, ti.try_number, ti.max_tries) for ti in result.run.get_task_instances()}
    assert tried.pop("before")[0] == "success"
    assert list(tried.values()) == [("failed", 1, 8)] * 4


@pytest.mark.parametrize(("backend", "tries"), [("", 1), (ENVIRONMENT, 2)], ids=["alone", "beside a secrets backend"])
def test_a_connection_that_does_not_exist_fails_at_once_with_what_to_do(
    airflow_db: None,
    run_dag: Any,
    backend: str,
    tries: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Airflow does not tell a connection that a secrets backend lacks from a backend that is down."""
    from airflow.sdk import DAG

    from airflow_provider_instagram.operators import InsightsOperator

    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND", backend)
    with DAG("no_connection", schedule=None, default_args={"retries": 1, "retry_delay": timedelta(0)}) as dag:
        InsightsOperator(task_id="read", media_ids=["1"], instagram_conn_id="nobody")
    (ti,) = run_dag(dag).run.get_task_instances()
    assert (ti.state, ti.try_number) == ("failed", tries)
    assert ("There is no connection 'nobody'" in capsys.readouterr().out) == (tries == 1)
