"""What a DAG's author gets when the DAG is parsed: refusals with the remedy, and defaults that can be overridden."""

from __future__ import annotations

import copy
import inspect
import json
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG, Asset, task_group

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.ledger.assets import ledger_alias, ledger_asset, posts_alias
from airflow_provider_instagram.ledger.records import PublishedPost
from airflow_provider_instagram.operators import (
    CommentOperator,
    CreateContainerOperator,
    HideCommentOperator,
    PrivateReplyOperator,
    PublishOperator,
    RefreshTokenOperator,
    SwitchOffCommentsOperator,
    TranscodeOperator,
)
from airflow_provider_instagram.operators.base import InstagramRetryPolicy
from airflow_provider_instagram.publishing.create import Create
from airflow_provider_instagram.sensors import ContainerStatusSensor
from airflow_provider_instagram.utils import arguments

ACCOUNT_TASKS = [
    (CreateContainerOperator, {"video": "a.mp4"}),
    (ContainerStatusSensor, {"container_id": "1"}),
    (PublishOperator, {"container_id": "1"}),
]


@pytest.mark.parametrize(("task", "given"), ACCOUNT_TASKS)
@pytest.mark.parametrize("conn_id", ["{{ params.account }}", "", None, 7])
def test_the_connection_is_plain_text_or_refused(task: Any, given: dict[str, str], conn_id: Any) -> None:
    with pytest.raises(ValidationError, match="one task or one task group for each"):
        task(task_id="t", instagram_conn_id=conn_id, **given)


def test_a_connection_mapped_over_a_group_is_refused() -> None:
    with DAG("d", schedule=None):

        @task_group
        def group(account: str) -> None:
            PublishOperator(task_id="publish", container_id="1", instagram_conn_id=account)

        with pytest.raises(ValidationError, match="one task or one task group for each"):
            group.expand(account=["a", "b"])


@pytest.mark.filterwarnings("ignore:Task 'p' was never mapped")
def test_a_connection_mapped_by_expand_is_refused() -> None:
    """By the text that a template gets."""
    with DAG("d", schedule=None), pytest.raises(ValidationError, match="one task or one task group for each"):
        PublishOperator.partial(task_id="p", container_id="1").expand(instagram_conn_id=["a", "b"])
    with DAG("e", schedule=None), pytest.raises(ValidationError, match="one task or one task group for each"):
        PublishOperator.partial(task_id="p").expand_kwargs([{"container_id": "1", "instagram_conn_id": "a"}])


@pytest.mark.parametrize(("task", "given"), ACCOUNT_TASKS)
def test_the_ledger_is_an_inlet_beside_the_authors_own(task: Any, given: dict[str, str]) -> None:
    mine = Asset("mine")
    made = task(task_id="t", instagram_conn_id="brand", inlets=[mine], **given)
    assert made.inlets[:2] == [mine, ledger_asset("brand")]


@pytest.mark.parametrize(("task", "given"), ACCOUNT_TASKS)
def test_the_ledger_is_an_inlet_of_mapped_tasks_too(task: Any, given: dict[str, str]) -> None:
    (name, value), mine = next(iter(given.items())), Asset("mine")
    with DAG("d", schedule=None, default_args={"instagram_conn_id": "brand"}):
        mapped = task.partial(task_id="t", inlets=[mine]).expand(**{name: [value]})
    assert mapped.inlets[:2] == [mine, ledger_asset("brand")]
    assert mapped.partial_kwargs["instagram_conn_id"] == "brand"
    assert isinstance(mapped.retry_policy, InstagramRetryPolicy)
    assert mapped.retries == 8
    assert mapped.max_retry_delay == timedelta(minutes=10)


def test_a_mapped_publish_can_tell_of_its_posts_and_see_whether_others_were_told_of() -> None:
    with DAG("d", schedule=None):
        mapped = PublishOperator.partial(task_id="t", instagram_conn_id="brand").expand(container_id=["1"])
    assert mapped.outlets == [posts_alias("brand"), ledger_alias("brand")]
    assert mapped.inlets == [ledger_asset("brand"), posts_alias("brand"), ledger_alias("brand")]


@pytest.mark.parametrize(("task", "given"), ACCOUNT_TASKS)
def test_default_args_and_the_author_win_over_our_defaults(task: Any, given: dict[str, str]) -> None:
    ours = {"retries": 7, "retry_policy": None, "priority_weight": 3, "weight_rule": "upstream"}
    with DAG("d", schedule=None, default_args={**ours, "instagram_conn_id": "brand"}):
        by_default = task(task_id="a", **given)
        by_author = task(task_id="b", retries=1, priority_weight=4, **given)
        mapped = task.partial(task_id="c").expand(**{name: [value] for name, value in given.items()})
    assert (by_default.retries, by_default.retry_policy, by_default.instagram_conn_id) == (7, None, "brand")
    assert (by_author.retries, mapped.retries, mapped.retry_policy) == (1, 7, None)
    assert [each.priority_weight for each in (by_default, by_author, mapped)] == [3, 4, 3]
    assert {each.weight_rule for each in (by_default, by_author, mapped)} == {"upstream"}


def test_what_publishes_gets_a_slot_before_what_prepares_also_if_it_is_mapped() -> None:
    in_order: list[tuple[Any, dict[str, Any]]] = [
        (PublishOperator, {"container_id": "1"}),
        (CommentOperator, {"media_id": "1", "message": "first"}),
        (ContainerStatusSensor, {"container_id": "1"}),
        (TranscodeOperator, {"source": "a.mp4"}),
    ]
    with DAG("d", schedule=None):
        alone = [task(task_id=f"a{place}", **given) for place, (task, given) in enumerate(in_order)]
        mapped = [
            task.partial(task_id=f"m{place}").expand(**{name: [value] for name, value in given.items()})
            for place, (task, given) in enumerate(in_order)
        ]
    for tasks in (alone, mapped):
        weights = [task.priority_weight for task in tasks]
        assert weights == sorted(set(weights), reverse=True)
        assert weights[-1] > 1, "a task of anybody else"
        assert {task.weight_rule for task in tasks} == {"absolute"}, "the length of the DAG says nothing of urgency"


def test_every_argument_but_the_connection_is_templated() -> None:
    create = CreateContainerOperator(task_id="c", video="a.mp4")
    taken = set(inspect.signature(CreateContainerOperator.__init__).parameters)
    assert set(create.template_fields) == taken - {"self", "priority_weight", "kwargs"}
    for made in (
        create,
        PublishOperator(task_id="p", container_id="1"),
        TranscodeOperator(task_id="t", source="a.mov"),
        ContainerStatusSensor(task_id="s", container_id="1"),
        RefreshTokenOperator(task_id="r"),
    ):
        assert all(hasattr(made, field) for field in made.template_fields)
        assert "instagram_conn_id" not in made.template_fields
        assert made.template_ext == ()


def test_a_transcode_still_offers_its_output_to_the_next_task() -> None:
    """BaseOperator.output is how tasks are chained: our argument of that name must not hide it."""
    with DAG("d", schedule=None):
        transcode = TranscodeOperator(task_id="transcode", source="a.mov", output="/videos/")
        create = CreateContainerOperator(task_id="create", video=transcode.output)
    assert create.upstream_task_ids == {"transcode"}
    assert transcode.output_location == "/videos/"


def test_more_hashtags_than_instagram_has_announced_are_a_warning_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Of an operator and of a calendar alike: both create by the same use case."""
    nobody: Any = None
    ledger: Any = SimpleNamespace(post=lambda _: PublishedPost("key", "1", "2030-05-06T08:30:00+00:00"))
    for number in (5, 6):
        task = CreateContainerOperator(task_id=f"c{number}", video="https://a.example/v.mp4", caption="#a " * number)
        assert Create(nobody, ledger, nobody, "key").run(task.order(is_resumed=False)) == "1"
        assert ("has 6 hashtags" in caplog.text) == (number == 6)


def test_numbers_of_the_sensor_may_be_templates() -> None:
    sensor = ContainerStatusSensor(task_id="s", container_id="1", timeout="{{ params.t }}", poke_interval="10")
    assert [str(sensor.timeout), str(sensor.poke_interval)] == ["{{ params.t }}", "10"]


KEYED = [
    (CreateContainerOperator, {"video": "a.mp4"}, "post_key"),
    (PublishOperator, {"container_id": "1"}, "post_key"),
    (CommentOperator, {"media_id": "1", "message": "first"}, "comment_key"),
    (SwitchOffCommentsOperator, {"media_id": "1"}, "comment_key"),
    (HideCommentOperator, {"comment_id": "1"}, "comment_key"),
    (PrivateReplyOperator, {"comment_id": "1", "message": "first"}, "comment_key"),
]


@pytest.mark.filterwarnings("ignore:Task 'm' was never mapped")
@pytest.mark.parametrize(("task", "given", "key"), KEYED)
def test_a_key_that_is_given_and_empty_is_refused_before_anything_is_sent(
    task: Any, given: dict[str, str], key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The default key has the run's id: it would post again in each run."""
    monkeypatch.setenv("AIRFLOW_CONN_INSTAGRAM_DEFAULT", "instagram://:IGtoken@")
    for empty in (None, "", " "):
        with pytest.raises(ValidationError, match=key):
            task(task_id="t", **given, **{key: empty})
        with DAG("d", schedule=None), pytest.raises(ValidationError, match=key):
            task.partial(task_id="m", **{key: empty}, **given)
    with DAG("e", schedule=None, params={"name": ""}):
        made = task(task_id="t", **given, **{key: "{{ params.name }}"})
    context: Any = {"params": {"name": ""}}
    made.render_template_fields(context)
    with pytest.raises(ValidationError, match=f"{key}.*leave it out"):
        made.execute(context)


@pytest.mark.parametrize(("task", "given", "key"), KEYED)
def test_a_key_that_is_not_given_may_be_copied_rendered_and_stored(task: Any, given: dict[str, str], key: str) -> None:
    with DAG("d", schedule=None) as dag:
        task(task_id="t", **given)
    made: Any = copy.deepcopy(dag).get_task("t")
    made.render_template_fields({})
    assert task.argument_readers[key](key, getattr(made, key)) is None
    assert json.loads(json.dumps(getattr(made, key))) == arguments.NOT_GIVEN
