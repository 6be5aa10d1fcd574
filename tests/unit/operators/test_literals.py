"""A literal argument is checked when the DAG is parsed, by the rule of a run. What is not known yet is left alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from airflow.sdk import DAG, literal, task_group

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.operators import (
    CommentOperator,
    CreateContainerOperator,
    HideCommentOperator,
    InsightsOperator,
    PrivateReplyOperator,
    PublishOperator,
    TranscodeOperator,
)
from airflow_provider_instagram.sensors import ContainerStatusSensor

TEMPLATE = "{{ params.one }}"
MISTAKES: list[tuple[Any, dict[str, Any], str]] = [
    (TranscodeOperator, {"source": "a.mov", "fit": "streach"}, r"fit='streach' is not valid.*pad, blur, crop"),
    (TranscodeOperator, {"source": TEMPLATE, "trim": "start"}, r"trim='start' is not valid"),
    (TranscodeOperator, {"source": "a.mov", "background": "#12"}, r"background='#12' is not a colour"),
    (TranscodeOperator, {"source": "a.mov", "placement": "reel"}, r"'reel' is not a valid placement"),
    (TranscodeOperator, {"source": "a.mov", "spec": "reels_max"}, r"spec must be a VideoSpec or a PictureSpec"),
    (TranscodeOperator, {"source": ["a.mov", "b.mov"], "output": "/out.mp4"}, r"source is a list"),
    (TranscodeOperator, {"source": ["a.mov"], "preview": "/a.jpg"}, r"preview is for one source"),
    (TranscodeOperator, {"source": []}, r"source is an empty list"),
    (TranscodeOperator, {"source": ""}, r"source is empty"),
    (TranscodeOperator, {"source": "a.mov", "output": "/out.webm"}, r"output='/out.webm' ends in .webm"),
    (TranscodeOperator, {"source": "a.mov", "output": "s3://m@b/A.PNG"}, r"ends in .png, but .* an MP4 or a JPEG"),
    (TranscodeOperator, {"source": "a.mov", "preview": "/cover.mp4"}, r"preview='/cover.mp4' ends in .mp4.*JPEG"),
    (CreateContainerOperator, {"video": "a.mp4", "image": "a.jpg"}, r"video and image are set"),
    (CreateContainerOperator, {"video": "a.mp4", "carousel": ["a.jpg", TEMPLATE], "image": "b.jpg"}, r"are set"),
    (CreateContainerOperator, {"caption": "Alone"}, r"video is empty, and so are image and carousel"),
    (CreateContainerOperator, {"carousel": ["a.jpg"]}, r"Items in the carousel: 1"),
    (CreateContainerOperator, {"carousel": [{"picture": "a.jpg"}, "b.jpg"]}, r"unknown key 'picture'"),
    (CreateContainerOperator, {"video": TEMPLATE, "caption": "x" * 2201}, r"caption has 2201 characters"),
    (CreateContainerOperator, {"video": TEMPLATE, "caption": "#a " * 31}, r"31 hashtags"),
    (CreateContainerOperator, {"video": TEMPLATE, "caption": ["x"]}, r"caption must be text"),
    (CreateContainerOperator, {"video": "a.mp4", "placement": "reel"}, r"placement is 'reel'"),
    (CreateContainerOperator, {"video": TEMPLATE, "alt_text": "A tree"}, r"A reel does not take alt_text"),
    (
        CreateContainerOperator,
        {"video": "a.mp4", "placement": "story", "caption": "x"},
        r"A story does not take caption",
    ),
    (CreateContainerOperator, {"video": "a.mp4", "video_cover_timestamp_ms": -1}, r"video_cover_timestamp_ms is -1"),
    (
        CreateContainerOperator,
        {"video": "a.mp4", "video_cover_timestamp_ms": "1.5 s"},
        r"video_cover_timestamp_ms must",
    ),
    (CreateContainerOperator, {"video": "a.mp4", "share_to_feed": "perhaps"}, r"share_to_feed must be true or false"),
    (CreateContainerOperator, {"video": "a.mp4", "upload": "ftp"}, r"upload is 'ftp'"),
    (CreateContainerOperator, {"image": TEMPLATE, "upload": "file"}, r"upload is file, but pictures"),
    (CreateContainerOperator, {"image": "a.jpg", "upload": "file"}, r"upload is file, but pictures"),
    (CreateContainerOperator, {"video": "a.mp4", "publish_at": "noon"}, r"publish_at must be a time"),
    (CreateContainerOperator, {"video": "a.mp4", "publish_at": datetime(2026, 12, 24)}, r"publish_at has no time zone"),
    (CreateContainerOperator, {"video": "a.mp4", "deferrable": "maybe"}, r"deferrable must be true or false"),
    (PublishOperator, {"container_id": ""}, r"container_id is empty"),
    (PublishOperator, {"container_id": "1", "publish_at": "tomorrow"}, r"publish_at must be a time"),
    (PublishOperator, {"container_id": TEMPLATE, "max_lateness": "1h"}, r"max_lateness must be a number"),
    (PublishOperator, {"container_id": "1", "max_lateness": timedelta(-1)}, r"max_lateness must not be negative"),
    (PublishOperator, {"container_id": "1", "dry_run": "perhaps"}, r"dry_run must be true or false"),
    (ContainerStatusSensor, {"container_id": "1", "timeout": "half an hour"}, r"timeout must be a number"),
    (ContainerStatusSensor, {"container_id": "1", "poke_interval": "often"}, r"poke_interval must be a number"),
    (CommentOperator, {"media_id": TEMPLATE, "message": "#a #b #c #d #e"}, r"The comment has 5 hashtags"),
    (CommentOperator, {"media_id": "https://instagram.com/p/1", "message": "x"}, r"is not a media id"),
    (CommentOperator, {"reply_to": "17912_1", "message": "x"}, r"'17912_1' is not the id of a comment"),
    (CommentOperator, {"media_id": "1", "reply_to": "2", "message": "x"}, r"media_id and reply_to are both set"),
    (HideCommentOperator, {"comment_id": "me"}, r"'me' is not the id of a comment"),
    (PrivateReplyOperator, {"comment_id": "1", "message": "é" * 501}, r"has 1,002 bytes"),
    (InsightsOperator, {"metrics": ["views per day"]}, r"'views per day' is not the name of a metric"),
    (InsightsOperator, {"media_ids": ["1", "b"]}, r"'b' is not a media id"),
]


@pytest.mark.parametrize(("task", "given", "message"), MISTAKES)
def test_a_wrong_literal_fails_when_the_dag_is_parsed(task: Any, given: dict[str, Any], message: str) -> None:
    with DAG("d", schedule=None), pytest.raises(ValidationError, match=message):
        task(task_id="t", **given)


def test_a_wrong_literal_of_a_mapped_task_fails_when_the_dag_is_parsed() -> None:
    with DAG("d", schedule=None):
        with pytest.raises(ValidationError, match="fit='streach'"):
            TranscodeOperator.partial(task_id="t", fit="streach")
        with pytest.raises(ValidationError, match="caption has 2201 characters"):
            CreateContainerOperator.partial(task_id="c", caption="x" * 2201)
        mapped = CreateContainerOperator.partial(task_id="m", caption="x", placement="feed").expand(image=["a.jpg"])
    assert mapped.is_mapped


@pytest.mark.parametrize("unknown", [TEMPLATE, "{% if params.one %}crop{% endif %}", literal("{{ crop }}"), None])
def test_what_is_only_known_in_the_run_is_left_to_the_run(unknown: Any) -> None:
    """Templates, results of other tasks, and arguments of a mapped group."""
    with DAG("d", schedule=None, params={"one": ""}):
        before = TranscodeOperator(task_id="before", source="a.mov")
        unknown = before.output if unknown is None else unknown
        TranscodeOperator(task_id="transcode", source=[unknown], fit=unknown, output=unknown, preview=unknown)
        CreateContainerOperator(task_id="any", video=unknown, image=unknown, carousel=unknown, caption="Hello")
        CreateContainerOperator(task_id="either", video="a.mp4", image=unknown, placement=unknown, caption="Hello")
        CreateContainerOperator(task_id="place", image="a.jpg", placement=unknown, audio_name="Rain")
        CreateContainerOperator(task_id="items", carousel=["a.jpg", unknown], user_tags=[unknown])
        PublishOperator(task_id="publish", container_id=unknown, publish_at=unknown, max_lateness=unknown)
        CommentOperator(task_id="comment", media_id=unknown, message=f"{unknown} #a #b #c #d #e")

        @task_group
        def group(item: Any) -> None:
            CreateContainerOperator(task_id="create", carousel=item, caption=item)

        group.expand(item=before.output)


def test_a_dag_with_templates_of_its_own_form_is_left_to_the_run() -> None:
    with DAG("d", schedule=None, jinja_environment_kwargs={"variable_start_string": "[["}):
        TranscodeOperator(task_id="t", source="a.mov", fit="[[ params.fit ]]")


def test_a_subclass_may_set_its_arguments_later() -> None:
    class Chosen(TranscodeOperator):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(source="", **kwargs)
            self.source = "{{ params.video }}"

    assert Chosen(task_id="t").source == "{{ params.video }}"
