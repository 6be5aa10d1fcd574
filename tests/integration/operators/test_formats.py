"""Pictures, carousels and stories through tasks of a DAG, to posts on the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.exceptions import ValidationError

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mock import MockerFixture

    from instagram_sandbox.testing.handle import SandboxHandle
    from tests.integration.conftest import Gallery


def test_a_list_of_any_media_becomes_a_carousel(
    instagram_sandbox: SandboxHandle,
    run_dag: Any,
    gallery: Gallery,
    landscape_mov: Path,
    bucket: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The list is a run parameter. The result of the transcode fits, and nothing is made twice."""
    from airflow.sdk import DAG

    from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator, TranscodeOperator
    from airflow_provider_instagram.sensors import ContainerStatusSensor

    monkeypatch.setenv("AIRFLOW__INSTAGRAM__PUBLIC_PREFIX", f"{bucket}/public/")
    with DAG("carousel_from_a_list", schedule=None, params={"files": []}) as dag:
        transcode = TranscodeOperator(
            task_id="transcode",
            source="{{ params.files }}",
            output=f"{tmp_path}/",
            placement="carousel",
        )
        create = CreateContainerOperator(task_id="create", carousel=transcode.output, caption="Two of us {{ 1 + 1 }}")
        wait = ContainerStatusSensor(task_id="wait", container_id=create.output)
        PublishOperator(task_id="publish", container_id=wait.output)

    result = run_dag(dag, files=[gallery.file("one"), str(landscape_mov)])
    assert result.state == "success"
    (post,) = instagram_sandbox.posts
    assert (post.media_type, post.caption) == ("CAROUSEL_ALBUM", "Two of us 2")
    assert result.xcom("publish")["permalink"] == post.permalink
    assert instagram_sandbox.calls("create") == 3


def test_a_carousel_waits_for_its_videos_in_the_triggerer(
    instagram_sandbox: SandboxHandle,
    run_dag: Any,
    portrait_video: Path,
    gallery: Gallery,
    mocker: MockerFixture,
) -> None:
    """What was made before the wait is known after it: no file is read again, and no item is made again."""
    from airflow.sdk import DAG

    from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator
    from airflow_provider_instagram.triggers import container

    run, waits = container.ContainerStatusTrigger.run, []

    def observed(trigger: Any) -> Any:
        waits.append(trigger.container_id)
        return run(trigger)

    mocker.patch.object(container.ContainerStatusTrigger, "run", observed)
    instagram_sandbox.switch(processing={"after_s": 12})
    with DAG("carousel_with_a_wait", schedule=None) as dag:
        create = CreateContainerOperator(
            task_id="create", carousel=[str(portrait_video), gallery.link("one")], wait_for_completion=True
        )
        PublishOperator(task_id="publish", container_id=create.output)

    assert run_dag(dag).state == "success"
    items, whole = waits
    assert len(items) == 2
    assert [post.container_id for post in instagram_sandbox.posts] == [whole]
    assert (instagram_sandbox.calls("create"), instagram_sandbox.calls("upload")) == (3, 1)


def test_pictures_are_live_without_a_deferral(
    instagram_sandbox: SandboxHandle, run_dag: Any, gallery: Gallery, mocker: MockerFixture
) -> None:
    """A deferral costs ten seconds at least, and Instagram is done with a picture within one."""
    from airflow.sdk import DAG

    from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator
    from airflow_provider_instagram.sensors import ContainerStatusSensor
    from airflow_provider_instagram.triggers import container

    def deferred(*_: Any, **__: Any) -> None:
        raise AssertionError("A task was deferred.")

    mocker.patch.object(container.ContainerStatusTrigger, "__init__", deferred)
    instagram_sandbox.switch(processing={"after_s": 1})
    with DAG("pictures_at_once", schedule=None) as dag:
        story = CreateContainerOperator(
            task_id="story", image=gallery.link("one"), placement="story", wait_for_completion=True
        )
        PublishOperator(task_id="publish_story", container_id=story.output)
        carousel = CreateContainerOperator(
            task_id="carousel", carousel=[gallery.link("one"), {"image": gallery.link("two"), "alt_text": "Two"}]
        )
        wait = ContainerStatusSensor(task_id="wait", container_id=carousel.output)
        PublishOperator(task_id="publish_carousel", container_id=wait.output)

    assert run_dag(dag).state == "success"
    assert {post.media_product_type for post in instagram_sandbox.posts} == {"STORY", "FEED"}


def test_a_story_of_a_creator_is_refused_before_its_container(
    instagram_sandbox: SandboxHandle, run_dag: Any, gallery: Gallery, capsys: pytest.CaptureFixture[str]
) -> None:
    from airflow.sdk import DAG

    from airflow_provider_instagram.operators import CreateContainerOperator

    instagram_sandbox.change_account(instagram_sandbox.user_id, account_type="MEDIA_CREATOR")
    with DAG("story_of_a_creator", schedule=None) as dag:
        CreateContainerOperator(task_id="create", image=gallery.link("one"), placement="story", retries=0)

    assert run_dag(dag).states() == {"create": "failed"}
    assert "A business account is needed for stories" in capsys.readouterr().out
    assert instagram_sandbox.calls("create") == 0


def test_an_account_whose_type_cannot_be_read_is_not_refused(
    instagram_sandbox: SandboxHandle, run_dag: Any, gallery: Gallery
) -> None:
    from airflow.sdk import DAG

    from airflow_provider_instagram.operators import CreateContainerOperator, PublishOperator

    instagram_sandbox.fail("account", 10)
    with DAG("story_of_an_unknown", schedule=None) as dag:
        create = CreateContainerOperator(
            task_id="create", image=gallery.link("one"), placement="story", wait_for_completion=True
        )
        PublishOperator(task_id="publish", container_id=create.output)

    assert run_dag(dag).state == "success"
    assert [post.media_product_type for post in instagram_sandbox.posts] == ["STORY"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "Set exactly one of video, image and carousel"),
        ({"image": "https://x.test/a.jpg", "placement": "story", "caption": "A"}, "A story does not take caption"),
        ({"carousel": ["https://x.test/a.jpg"], "alt_text": "A"}, "Items in the carousel: 1: .*write it with the item"),
        ({"carousel": ["/nowhere/a.jpg", "https://x.test/b.jpg"]}, "/nowhere/a.jpg does not exist"),
        ({"image": "https://x.test/a.jpg", "upload": "file"}, "upload is file, but pictures reach.*: remove upload."),
        ({"carousel": ["https://x.test/a.jpg", "https://x.test/b.jpg"], "upload": "FILE"}, ": remove upload."),
        ({"image": "https://x.test/a.jpg", "caption": "a\0b"}, "caption has an invisible character, number 0. Delete"),
        ({"image": "https://x.test/a.jpg", "alt_text": "a\0b"}, "alt_text has an invisible character, number 0."),
        (
            {"carousel": ["https://x.test/a.jpg", {"image": "https://x.test/b.jpg", "alt_text": "a\x1b"}]},
            "alt_text has an invisible character, number 27.",
        ),
    ],
)
def test_what_cannot_be_posted_is_refused_before_any_call(given: dict[str, Any], said: str) -> None:
    from airflow_provider_instagram.operators import CreateContainerOperator

    with pytest.raises(ValidationError, match=said):
        CreateContainerOperator(task_id="create", **given).order(is_resumed=False)
