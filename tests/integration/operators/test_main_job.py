"""The main job, from a file to a post on the sandbox, in each shape of task."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.conftest import load_dag

if TYPE_CHECKING:
    from pytest_mock import MockerFixture

    from instagram_sandbox.testing.handle import SandboxHandle

ROOT = Path(__file__).parents[3]
STEPS = ("transcode", "create", "wait", "publish")


def captions(sandbox: SandboxHandle) -> list[str]:
    return sorted(post.caption for post in sandbox.posts)


@pytest.fixture(autouse=True)
def _media_roots(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__MEDIA_ROOTS", str(tmp_path_factory.getbasetemp()))


def test_a_landscape_mov_becomes_a_reel(instagram_sandbox: SandboxHandle, run_dag: Any, landscape_mov: Path) -> None:
    """The example DAG as it is, started with the parameters of its form."""
    result = run_dag(
        load_dag(ROOT / "dags/publish_reel.py"), video=str(landscape_mov), caption="From the beach", cover_ms=1500
    )

    assert result.states() == dict.fromkeys(STEPS, "success")
    post = result.xcom("publish")
    assert [seen.permalink for seen in instagram_sandbox.posts] == [post["permalink"]]
    assert captions(instagram_sandbox) == ["From the beach"]
    (created,) = instagram_sandbox.journal("create")
    assert created.parameters["thumb_offset"] == "1500"
    operations = [entry.operation for entry in instagram_sandbox.journal()]
    assert list(dict.fromkeys(operations)) == ["create", "upload", "status", "limit", "publish", "media"]
    assert result.xcom("transcode", key="report")["tier"] == "full"


def test_a_list_of_videos_goes_to_the_feed_through_a_mapped_group(
    instagram_sandbox: SandboxHandle, run_dag: Any, landscape_mov: Path
) -> None:
    """The second example DAG: one map index each, and a second run posts nothing again."""
    posts = [
        {"id": "monday", "video": str(landscape_mov), "caption": "Monday"},
        {"id": "tuesday", "video": str(landscape_mov), "caption": "Tuesday"},
    ]
    dag = load_dag(ROOT / "dags/publish_to_feed.py")

    assert run_dag(dag, posts=posts).state == "success"
    assert captions(instagram_sandbox) == ["Monday", "Tuesday"]
    assert {entry.parameters["share_to_feed"] for entry in instagram_sandbox.journal("create")} == {"true"}

    again = run_dag(dag, posts=posts)
    assert again.state == "success"
    assert again.xcom("publish_one.publish", map_index=0)["already_published"] is True
    assert captions(instagram_sandbox) == ["Monday", "Tuesday"]


def test_the_chain_works_in_a_group(instagram_sandbox: SandboxHandle, run_dag: Any, portrait_video: Path) -> None:
    from airflow.sdk import DAG, task_group

    from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator
    from airflow_provider_instagram.sensors import ContainerStatusSensor

    with DAG("in_a_group", schedule=None) as dag:

        @task_group
        def post() -> None:
            create = CreateContainerOperator(task_id="create", video=str(portrait_video), caption="grouped")
            wait = ContainerStatusSensor(task_id="wait", container_id=create.output)
            PublishOperator(task_id="publish", container_id=wait.output)

        post()

    assert run_dag(dag).state == "success"
    assert captions(instagram_sandbox) == ["grouped"]


def test_tasks_are_mapped_one_by_one(instagram_sandbox: SandboxHandle, run_dag: Any, portrait_video: Path) -> None:
    """``partial().expand()`` drops what a constructor sets; the ledger and the retries are there all the same."""
    from airflow.sdk import DAG

    from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator
    from airflow_provider_instagram.sensors import ContainerStatusSensor

    with DAG("mapped_one_by_one", schedule=None) as dag:
        create = CreateContainerOperator.partial(task_id="create", video=str(portrait_video)).expand(
            caption=["first", "second"]
        )
        wait = ContainerStatusSensor.partial(task_id="wait").expand(container_id=create.output)
        publish = PublishOperator.partial(task_id="publish").expand(container_id=wait.output)

    assert publish.retries == 8
    assert publish.has_retry_policy
    assert run_dag(dag).state == "success"
    assert captions(instagram_sandbox) == ["first", "second"]


def test_a_wrong_value_of_a_mapped_task_fails_its_index_at_once(
    instagram_sandbox: SandboxHandle, run_dag: Any, portrait_video: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Airflow builds the task in the run only. The other indexes go on, and no retry is used up."""
    from airflow.sdk import DAG

    from airflow_provider_instagram.operators import CreateContainerOperator

    with DAG("mapped_wrong_value", schedule=None) as dag:
        CreateContainerOperator.partial(task_id="create", video=str(portrait_video)).expand(
            caption=["right", "x" * 2201]
        )
    assert run_dag(dag).states() == {"create[0]": "success", "create[1]": "failed"}
    assert "caption has 2201 characters" in capsys.readouterr().out
    assert [call.parameters["caption"] for call in instagram_sandbox.journal("create")] == ["right"]


def test_a_caption_from_data_is_posted_as_it_is(
    instagram_sandbox: SandboxHandle, run_dag: Any, portrait_video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A caption in a spreadsheet cannot read a secret, in whatever shape it arrives."""
    from airflow.sdk import DAG, task, task_group

    from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator
    from airflow_provider_instagram.sensors import ContainerStatusSensor

    monkeypatch.setenv("AIRFLOW_VAR_BANK", "s3cret")

    def stolen(name: str) -> str:
        return f"{name} {{{{ var.value.bank }}}}"

    with DAG("data_is_not_a_template", schedule=None, params={"caption": stolen("parameter")}) as dag:

        @task
        def sheet() -> list[dict[str, str]]:
            return [{"caption": stolen("expand_kwargs")}]

        @task
        def caption(name: str) -> list[str]:
            return [stolen(name)]

        video = str(portrait_video)
        by_kwargs = CreateContainerOperator.partial(task_id="by_kwargs", video=video).expand_kwargs(sheet())
        by_expand = CreateContainerOperator.partial(
            task_id="by_expand", video=video, audio_name="{{ task.task_id }}"
        ).expand(caption=caption.override(task_id="c1")("expand"))
        by_parameter = CreateContainerOperator(
            task_id="by_parameter", video=video, caption="{{ params.caption }}", audio_name="{{ task.task_id }}"
        )

        @task_group
        def group(caption: str) -> None:
            CreateContainerOperator(task_id="create", video=video, caption=caption)

        group.expand(caption=caption.override(task_id="c2")("group"))
        for name, containers in {"kwargs": by_kwargs, "expand": by_expand}.items():
            wait = ContainerStatusSensor.partial(task_id=f"wait_{name}").expand(container_id=containers.output)
            PublishOperator.partial(task_id=f"publish_{name}").expand(container_id=wait.output)
        PublishOperator(
            task_id="publish",
            container_id=ContainerStatusSensor(task_id="wait", container_id=by_parameter.output).output,
        )

    assert run_dag(dag).state == "success"
    sent = {entry.parameters["caption"] for entry in instagram_sandbox.journal("create")}
    assert sent == {stolen(name) for name in ("parameter", "expand_kwargs", "expand", "group")}
    names = {entry.parameters.get("audio_name") for entry in instagram_sandbox.journal("create")}
    assert names == {None, "by_expand", "by_parameter"}  # what the author wrote is a template all the same


@pytest.mark.parametrize("mode", ["poke", "reschedule"])
def test_the_sensor_waits_in_a_worker_when_it_may_not_defer(
    instagram_sandbox: SandboxHandle, run_dag: Any, portrait_video: Path, mode: str
) -> None:
    from airflow.sdk import DAG

    from airflow_provider_instagram.operators import CreateContainerOperator
    from airflow_provider_instagram.sensors import ContainerStatusSensor

    with DAG(f"sensor_{mode}", schedule=None) as dag:
        create = CreateContainerOperator(task_id="create", video=str(portrait_video))
        ContainerStatusSensor(
            task_id="wait", container_id=create.output, deferrable=False, mode=mode, poke_interval=0.5
        )

    assert run_dag(dag).state == "success"
    assert instagram_sandbox.calls("status") >= 1


def test_create_can_wait_itself(instagram_sandbox: SandboxHandle, run_dag: Any, portrait_video: Path) -> None:
    from airflow.sdk import DAG

    from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator

    with DAG("create_waits", schedule=None) as dag:
        create = CreateContainerOperator(
            task_id="create", video=str(portrait_video), caption="patient", wait_for_completion=True
        )
        PublishOperator(task_id="publish", container_id=create.output)

    assert run_dag(dag).state == "success"
    assert captions(instagram_sandbox) == ["patient"]


def test_a_dry_run_stops_before_publishing(
    instagram_sandbox: SandboxHandle, run_dag: Any, portrait_video: Path
) -> None:
    from airflow.sdk import DAG

    from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator

    with DAG("dry", schedule=None) as dag:
        create = CreateContainerOperator(task_id="create", video=str(portrait_video), wait_for_completion=True)
        PublishOperator(task_id="publish", container_id=create.output, dry_run="true")

    result = run_dag(dag)
    assert result.state == "success"
    assert result.xcom("publish")["media_id"] is None
    assert instagram_sandbox.posts == []


def test_publishing_waits_for_its_second_and_measures_it(
    instagram_sandbox: SandboxHandle, run_dag: Any, portrait_video: Path, mocker: MockerFixture
) -> None:
    from datetime import timedelta

    from airflow.sdk import DAG
    from airflow.sdk.observability.stats import Stats

    from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator

    measured = {}
    mocker.patch.object(Stats, "timing", lambda name, ms, tags=None: measured.update({name: ms}))
    publish_at = datetime.now(timezone.utc) + timedelta(seconds=20)
    with DAG("on_time", schedule=None) as dag:
        create = CreateContainerOperator(
            task_id="create", video=str(portrait_video), publish_at=publish_at, wait_for_completion=True
        )
        PublishOperator(task_id="publish", container_id=create.output, publish_at=publish_at.isoformat())

    assert run_dag(dag).state == "success"
    (post,) = instagram_sandbox.posts
    assert timedelta(0) <= post.published_at - publish_at < timedelta(seconds=2)
    assert 0 <= measured["instagram.published_late"] < 2000
