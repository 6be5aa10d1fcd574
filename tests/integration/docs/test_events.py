"""What ``docs/reference/events.md`` says is so: its DAG runs when there is a post, and is told of each post once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.integration.docs.pages import BLOCKS, run

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from airflow.sdk import Asset

    from instagram_sandbox.testing.handle import SandboxHandle

(EXAMPLE,) = (block for block in BLOCKS if block.page == "docs/reference/events.md" and block.language == "python")


def triggering_asset_events(run_id: str, asset: Asset) -> Any:
    """Return what Airflow hands to a task of a run that the events of another run and an asset have started."""
    from airflow.api_fastapi.execution_api.datamodels.taskinstance import AssetEventDagRunReference
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.sdk.execution_time.comms import AssetEventDagRunReferenceResult
    from airflow.sdk.execution_time.context import TriggeringAssetEventsAccessor
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        of_run = select(AssetEvent).where(AssetEvent.source_run_id == run_id)
        rows = session.scalars(of_run.where(AssetEvent.asset_id == AssetModel.id, AssetModel.uri == asset.uri)).unique()
        stored = [AssetEventDagRunReference.model_validate(row, from_attributes=True) for row in rows]
    return TriggeringAssetEventsAccessor.build(AssetEventDagRunReferenceResult(**one.model_dump()) for one in stored)


def test_the_example_is_told_of_each_post_once(
    instagram_sandbox: SandboxHandle, run_dag: Any, portrait_video: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from airflow.sdk import DAG

    from airflow_provider_instagram.ledger.assets import posts_asset
    from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator
    from tests.integration.conftest import store_dag

    example = run(EXAMPLE, sandbox=instagram_sandbox)["dag"]
    store_dag(example)
    with DAG("before_it", schedule=None) as dag:
        create = CreateContainerOperator(task_id="create", video=str(portrait_video), wait_for_completion=True)
        PublishOperator(task_id="publish", container_id=create.output)
    result = run_dag(dag)
    capsys.readouterr()

    example.get_task("thank").python_callable(triggering_asset_events(result.run.run_id, *example.schedule))

    post = result.xcom("publish")
    told = [line for line in capsys.readouterr().out.splitlines() if post["media_id"] in line]
    assert told == [f"{post['permalink']} {post['media_id']} {post['post_key']}"]
    assert example.schedule == [posts_asset("instagram_default")]
