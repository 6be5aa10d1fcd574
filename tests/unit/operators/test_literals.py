"""A literal argument is checked when the DAG is parsed, by the rule of a run. What is not known yet is left alone."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from airflow.sdk import DAG, ObjectStoragePath, literal, task, task_group

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.media.spec import VideoSpec
from airflow_provider_instagram.operators import (
    CommentOperator,
    CreateContainerOperator,
    DeleteOperator,
    HideCommentOperator,
    InsightsOperator,
    PrivateReplyOperator,
    PublishOperator,
    RefreshTokenOperator,
    SwitchOffCommentsOperator,
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
    (TranscodeOperator, {"source": []}, r"source is an empty list"),
    (TranscodeOperator, {"source": ""}, r"source is empty"),
    (TranscodeOperator, {"source": "a.mov", "output": "/out.webm"}, r"output='/out.webm' ends in .webm"),
    (TranscodeOperator, {"source": TEMPLATE, "output": "s3://m@b/A.PNG"}, r"ends in .png, but .* an MP4 or a JPEG"),
    (TranscodeOperator, {"source": "a.mov", "output": "/out.mov"}, r"ends in .mov, but .* an MP4. End it in .mp4"),
    (TranscodeOperator, {"source": TEMPLATE, "output": "/Ü.MOV"}, r"ends in .mov, but .* an MP4 or a JPEG"),
    (TranscodeOperator, {"source": "a.mov", "output": "/out.jpg"}, r"ends in .jpg, but the result is an MP4"),
    (TranscodeOperator, {"source": "a.heic", "output": "/out.mp4"}, r"ends in .mp4, but the result is a JPEG"),
    (TranscodeOperator, {"source": "a.mov", "output": "https://a.example/b.mp4"}, r"which nothing can be written to"),
    (TranscodeOperator, {"source": "http://a.example/b.mov?sig=x"}, r"source='http://a.example/b.mov\?…' is not https"),
    (TranscodeOperator, {"source": ["a.jpg", "HTTP://a.example/b.jpg"]}, r"is not https. Write its https:// address"),
    (TranscodeOperator, {"source": "a.mov", "background": "reddish"}, r"background='reddish' is not a colour.*white"),
    (TranscodeOperator, {"source": "a.mov", "background": "grün"}, r"background='grün' is not a colour"),
    (TranscodeOperator, {"source": "a.mov", "background": "random"}, r"background='random' is not a colour"),
    (TranscodeOperator, {"source": "a.mov", "background": ["red"]}, r"background must be text"),
    (TranscodeOperator, {"source": "a.mov", "fit": True}, r"fit must be text, not True"),
    (TranscodeOperator, {"source": 1.5}, r"source must be text"),
    (TranscodeOperator, {"source": {"video": "a.mov"}}, r"source must be text"),
    (TranscodeOperator, {"source": (name for name in ("a.mov",))}, r"source must be text"),
    (TranscodeOperator, {"source": "a.mov", "spec": VideoSpec}, r"spec must be a VideoSpec or a PictureSpec"),
    (TranscodeOperator, {"source": "a.mov", "spec": {"name": "wide"}}, r"spec must be a VideoSpec or a PictureSpec"),
    (CreateContainerOperator, {"video": "http://a.example/b.mp4"}, r"a link must be https.*write its https:// address"),
    (CreateContainerOperator, {"video": "https://a.example/ü.mp4"}, r"in plain ASCII.*percent-encoded"),
    (CreateContainerOperator, {"video": "http://a.example/b.mp4", "upload": "file"}, r"a link must be https"),
    (CreateContainerOperator, {"image": "http://a.example/b.jpg", "placement": TEMPLATE}, r"a link must be https"),
    (
        CreateContainerOperator,
        {"carousel": ["a.jpg", {"image": "http://a.example/b.jpg"}]},
        r"item 2 of carousel",
    ),
    (CreateContainerOperator, {"video": True}, r"video must be text, not True"),
    (CreateContainerOperator, {"video": "a.mp4", "caption": False}, r"caption must be text, not False"),
    (CreateContainerOperator, {"video": "a.mp4", "post_key": ["a"]}, r"post_key must be text"),
    (CreateContainerOperator, {"video": "a.mp4", "user_tags": {"ann"}}, r"user_tags must be a list"),
    (
        CreateContainerOperator,
        {"video": "a.mp4", "video_cover_timestamp_ms": float("nan")},
        r"must be a whole number",
    ),
    (CreateContainerOperator, {"video": "a.mp4", "publish_at": 1_800_000_000}, r"publish_at must be a time"),
    (PublishOperator, {"container_id": "create"}, r"container_id='create' is not the id of a container.*create.output"),
    (PublishOperator, {"container_id": ["1"]}, r"container_id must be text"),
    (PublishOperator, {"container_id": "1", "max_lateness": float("inf")}, r"max_lateness must be a number, not inf"),
    (PublishOperator, {"container_id": "1", "max_lateness": True}, r"max_lateness must be a number, not True"),
    (ContainerStatusSensor, {"container_id": ""}, r"container_id is empty"),
    (
        ContainerStatusSensor,
        {"container_id": "1", "poke_interval": 0},
        r"poke_interval is 0.0. Set it to a number of s",
    ),
    (ContainerStatusSensor, {"container_id": "1", "poke_interval": "0"}, r"poke_interval is '0'"),
    (
        ContainerStatusSensor,
        {"container_id": "1", "poke_interval": timedelta()},
        r"poke_interval is 0.0",
    ),
    (ContainerStatusSensor, {"container_id": "1", "timeout": 0}, r"timeout is 0"),
    (CommentOperator, {"message": "x"}, r"media_id is empty, and so is reply_to. Write media_id=publish.output"),
    (CommentOperator, {"media_id": "", "reply_to": None, "message": "x"}, r"media_id is empty, and so is reply_to"),
    (CommentOperator, {"media_id": 1.5, "message": "x"}, r"media_id must be text"),
    (HideCommentOperator, {"comment_id": ""}, r"comment_id is empty"),
    (SwitchOffCommentsOperator, {"media_id": ""}, r"There is no media id"),
    (PrivateReplyOperator, {"comment_id": None, "message": "x"}, r"comment_id is empty"),
    (DeleteOperator, {}, r"post_key is empty, and so is media_id. Set one of them"),
    (DeleteOperator, {"post_key": " ", "media_id": ""}, r"post_key is empty, and so is media_id"),
    (DeleteOperator, {"post_key": "a", "response_timeout": 0}, r"response_timeout is 0"),
    (DeleteOperator, {"post_key": "a", "response_timeout": None}, r"response_timeout is empty. Set it to a number"),
    (DeleteOperator, {"media_id": {}}, r"There is no media id"),
    (CommentOperator, {"media_id": {}, "message": "x"}, r"There is no media id"),
    (CommentOperator, {"media_id": [], "message": "x"}, r"media_id must be text"),
    (CommentOperator, {"reply_to": {}, "message": "x"}, r"reply_to is empty"),
    (CreateContainerOperator, {"video": TranscodeOperator}, r"video must be text"),
    (DeleteOperator, {"media_id": "me"}, r"'me' is not a media id"),
    (RefreshTokenOperator, {"on_token_ending": print}, r"must be a list of notifiers.*on_token_ending=\[notify\]"),
    (RefreshTokenOperator, {"on_token_ending": ["slack"]}, r"must be a list of notifiers"),
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
    (
        PublishOperator,
        {"container_id": TEMPLATE, "max_lateness": "noon"},
        r"max_lateness is 'noon', which is not a length",
    ),
    (PublishOperator, {"container_id": "1", "max_lateness": timedelta(-1)}, r"max_lateness must not be negative"),
    (PublishOperator, {"container_id": "1", "deferrable": "perhaps"}, r"deferrable must be true or false"),
    (PublishOperator, {"container_id": "1", "dry_run": "perhaps"}, r"dry_run must be true or false"),
    (ContainerStatusSensor, {"container_id": "1", "timeout": "half an hour"}, r"timeout is 'half an hour', which is n"),
    (ContainerStatusSensor, {"container_id": "1", "poke_interval": "often"}, r"poke_interval is 'often'.*15 minutes"),
    (CommentOperator, {"media_id": TEMPLATE, "message": "#a #b #c #d #e"}, r"The comment has 5 hashtags"),
    (CommentOperator, {"media_id": "https://instagram.com/p/1", "message": "x"}, r"is not a media id"),
    (CommentOperator, {"reply_to": "17912_1", "message": "x"}, r"'17912_1' is not the id of a comment"),
    (CommentOperator, {"media_id": "1", "reply_to": "2", "message": "x"}, r"media_id and reply_to are both set"),
    (HideCommentOperator, {"comment_id": "me"}, r"'me' is not the id of a comment"),
    (PrivateReplyOperator, {"comment_id": "1", "message": "é" * 501}, r"has 1,002 bytes"),
    (InsightsOperator, {"metrics": ["views per day"]}, r"Instagram has no metric 'views per day'"),
    (InsightsOperator, {"metrics": ["views", "reech"]}, r"Instagram has no metric 'reech'.*Did you mean 'reach'\?"),
    (InsightsOperator, {"metrics": "plays"}, r"Instagram has no metric 'plays'"),
    (InsightsOperator, {"media_ids": ["1", "b"]}, r"'b' is not a media id"),
]


@pytest.mark.parametrize(("operator", "given", "message"), MISTAKES)
def test_a_wrong_literal_fails_when_the_dag_is_parsed(operator: Any, given: dict[str, Any], message: str) -> None:
    with DAG("d", schedule=None), pytest.raises(ValidationError, match=f"(?s){message}"):
        operator(task_id="t", **given)


def test_a_wrong_literal_of_a_mapped_task_fails_when_the_dag_is_parsed() -> None:
    with DAG("d", schedule=None):
        with pytest.raises(ValidationError, match="fit='streach'"):
            TranscodeOperator.partial(task_id="t", fit="streach")
        with pytest.raises(ValidationError, match="caption has 2201 characters"):
            CreateContainerOperator.partial(task_id="c", caption="x" * 2201)
        mapped = CreateContainerOperator.partial(task_id="m", caption="x", placement="feed").expand(image=["a.jpg"])
    assert mapped.is_mapped


def test_what_a_mapped_task_gets_in_the_run_is_left_to_the_run() -> None:
    with DAG("d", schedule=None, params={"one": ""}):
        before = TranscodeOperator(task_id="before", source=["a.mov"], output="/o/")
        named = CreateContainerOperator.partial(task_id="b", caption="x").expand(video=before.output)
        assert named.is_mapped
        CreateContainerOperator.partial(task_id="c").expand(video=before.output, caption=["x", TEMPLATE])
        CreateContainerOperator.partial(task_id="d").expand_kwargs(before.output)
        CreateContainerOperator.partial(task_id="e").expand_kwargs([{"video": TEMPLATE}, {"image": literal("{{ x }}")}])
        TranscodeOperator.partial(task_id="f").expand(source=["a.mov", TEMPLATE], fit=[TEMPLATE])
        CommentOperator.partial(task_id="g", media_id=TEMPLATE).expand(message=before.output)
        CommentOperator.partial(task_id="h", message="x").expand(media_id=before.output)
        rows = [before.output]
        PublishOperator.partial(task_id="i").expand_kwargs(rows)
    with DAG("own", schedule=None, jinja_environment_kwargs={"variable_start_string": "[["}):
        TranscodeOperator.partial(task_id="t", source="a.mov").expand(fit=["[[ params.fit ]]"])


@pytest.mark.parametrize(
    ("operator", "argument"),
    [
        *((CreateContainerOperator, name) for name in ("video", "carousel", "caption", "publish_at", "deferrable")),
        *((TranscodeOperator, name) for name in ("source", "output", "fit", "background", "spec")),
        *((PublishOperator, name) for name in ("container_id", "post_key", "publish_at", "max_lateness", "dry_run")),
        *((ContainerStatusSensor, name) for name in ("container_id", "poke_interval", "timeout", "deferrable")),
        *((CommentOperator, name) for name in ("media_id", "reply_to", "message", "comment_key")),
        *((PrivateReplyOperator, name) for name in ("comment_id", "message")),
        *((DeleteOperator, name) for name in ("post_key", "media_id", "response_timeout")),
        *((InsightsOperator, name) for name in ("media_ids", "metrics")),
    ],
)
@pytest.mark.parametrize("within", [lambda one: one, lambda one: [one], lambda one: {"video": one}])
def test_a_task_in_place_of_its_result_is_named(operator: Any, argument: str, within: Any) -> None:
    """Airflow renders it as its id, or as the text of an object."""
    needed = {
        CommentOperator: {"message": TEMPLATE},
        ContainerStatusSensor: {"container_id": TEMPLATE},
        PrivateReplyOperator: {"comment_id": TEMPLATE, "message": TEMPLATE},
        PublishOperator: {"container_id": TEMPLATE},
        TranscodeOperator: {"source": TEMPLATE},
    }
    with DAG("d", schedule=None, params={"one": ""}, jinja_environment_kwargs={"trim_blocks": True}):
        create = TranscodeOperator(task_id="create", source="a.mov")
        said = f"{argument} is the task 'create', not its result. Write its output: {argument}=create.output"
        wrong = within(create)
        with pytest.raises(ValidationError, match=said):
            operator(task_id="t", **{**needed.get(operator, {}), argument: wrong})
        with pytest.raises(ValidationError, match=said):
            operator.partial(task_id="p", **{argument: wrong})


def test_other_things_in_place_of_a_result_are_named() -> None:
    with DAG("d", schedule=None):

        @task
        def made() -> str:
            return "1"

        @task_group
        def group() -> None:
            PublishOperator(task_id="inner", container_id="1")

        uncalled: Any = made
        whole: Any = group()
        mapped: Any = TranscodeOperator.partial(task_id="mapped").expand(source=["a.mov"])
        with pytest.raises(ValidationError, match=r"container_id is the task 'made', which is not called.*made\(\)"):
            PublishOperator(task_id="a", container_id=uncalled)
        with pytest.raises(ValidationError, match="container_id is the task group 'group'"):
            PublishOperator(task_id="b", container_id=whole)
        with pytest.raises(ValidationError, match=r"carousel=mapped\.output"):
            CreateContainerOperator(task_id="c", carousel=mapped)
        PublishOperator(task_id="f", container_id=made())


def test_a_colour_of_css_is_taken_in_any_case() -> None:
    with DAG("d", schedule=None):
        for number, name in enumerate(("White", "rebeccapurple", "#A0b0C0")):
            TranscodeOperator(task_id=f"t{number}", source="a.mov", background=name)


@pytest.mark.parametrize("unknown", [TEMPLATE, "{% if params.one %}crop{% endif %}", literal("{{ crop }}"), None])
def test_what_is_only_known_in_the_run_is_left_to_the_run(unknown: Any) -> None:
    """Templates, results of other tasks, and arguments of a mapped group."""
    with DAG("d", schedule=None, params={"one": ""}):
        before = TranscodeOperator(task_id="before", source="a.mov")
        unknown = before.output if unknown is None else unknown
        TranscodeOperator(task_id="transcode", source=[unknown], fit=unknown, output=unknown)
        CreateContainerOperator(task_id="any", video=unknown, image=unknown, carousel=unknown, caption="Hello")
        CreateContainerOperator(task_id="either", video="a.mp4", image=unknown, placement=unknown, caption="Hello")
        CreateContainerOperator(task_id="place", image="a.jpg", placement=unknown, audio_name="Rain")
        CreateContainerOperator(task_id="items", carousel=["a.jpg", unknown], user_tags=[unknown])
        PublishOperator(task_id="publish", container_id=unknown, publish_at=unknown, max_lateness=unknown)
        ContainerStatusSensor(task_id="wait", container_id=unknown, poke_interval=unknown, timeout=unknown)
        DeleteOperator(task_id="delete", post_key=unknown, media_id=unknown, response_timeout=unknown)
        CommentOperator(task_id="comment", media_id=unknown, message=f"{unknown} #a #b #c #d #e")

        @task_group
        def group(item: Any) -> None:
            CreateContainerOperator(task_id="create", carousel=item, caption=item)

        group.expand(item=before.output)


def test_a_function_and_a_path_with_a_template_are_left_to_the_run() -> None:
    """Airflow calls the one, and renders the other."""

    def chosen(context: Any, jinja_env: Any) -> str:
        return "1"

    unknown: Any = chosen
    path: Any = ObjectStoragePath("file:///media/{{ params.name }}")
    with DAG("d", schedule=None):
        TranscodeOperator(task_id="a", source=unknown, fit=unknown, output=path)
        CreateContainerOperator(task_id="b", video=unknown, caption=unknown)
        PublishOperator(task_id="c", container_id=unknown, publish_at=unknown, dry_run=unknown)
        CommentOperator(task_id="e", media_id=unknown, message=unknown)
        TranscodeOperator.partial(task_id="f", source=unknown).expand(fit=["crop"])


def test_a_dag_with_templates_of_its_own_form_is_left_to_the_run() -> None:
    with DAG("d", schedule=None, jinja_environment_kwargs={"variable_start_string": "[["}):
        TranscodeOperator(task_id="t", source="a.mov", fit="[[ params.fit ]]")


@pytest.mark.parametrize(
    ("hours", "max_lateness", "is_refused"),
    [(25, None, True), (25, "1 h", True), (23, "1 h", False), (23, None, False), (25, "2 days", False)],
)
def test_a_literal_time_that_has_passed_by_more_than_a_day_is_refused_unless_the_post_may_be_so_late(
    hours: int, max_lateness: str | None, is_refused: bool
) -> None:
    at = datetime.now(timezone.utc) - timedelta(hours=hours)
    for publish_at in (at, at.isoformat()):
        times: dict[str, Any] = {"publish_at": publish_at, "max_lateness": max_lateness}
        if is_refused:
            with pytest.raises(ValidationError, match="later publish_at"):
                PublishOperator(task_id="p", container_id="1", **times)
        else:
            PublishOperator(task_id="p", container_id="1", **times)
    PublishOperator(task_id="p", container_id="1", publish_at=at, max_lateness=TEMPLATE)
