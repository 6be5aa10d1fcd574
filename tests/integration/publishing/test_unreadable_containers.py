"""Instagram shows no container, while it makes and publishes them: what is published then, and how it is settled.

Source: reported of May and June 2026 (Postiz #1562, #1568).
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

import pytest
from airflow.sdk.exceptions import TaskDeferred

from airflow_provider_instagram.exceptions import (
    ContainerExpiredError,
    NotReadyError,
    OutcomeUnknownError,
    TransientError,
)
from airflow_provider_instagram.graph import calls
from airflow_provider_instagram.operators import CreateContainerOperator
from airflow_provider_instagram.posts.post import Post
from airflow_provider_instagram.publishing.sources import MediaSource
from airflow_provider_instagram.sensors import ContainerStatusSensor
from tests.integration.account import OTHER, Account
from tests.integration.operators.test_waits import Rows, context_of

if TYPE_CHECKING:
    from pathlib import Path

    from instagram_sandbox.testing.handle import SandboxHandle


def hide(sandbox: SandboxHandle) -> None:
    """Show no container any more."""
    sandbox.fail("status", 100, 33, times=0)


@pytest.mark.parametrize("lost", [None, "before", "after"])
def test_a_post_goes_out_once_whatever_becomes_of_the_answer(
    account: Account, portrait_video: Path, lost: Literal["before", "after"] | None
) -> None:
    container_id = account.container(portrait_video)
    hide(account.sandbox)
    if lost is not None:
        account.sandbox.fail("publish", drop=lost)
    if lost == "before":
        with pytest.raises(TransientError):
            account.publish("post-1", container_id)
    post, is_new = account.publish("post-1", container_id)
    assert is_new
    assert [post.media_id] == [real.media_id for real in account.sandbox.posts]


@pytest.mark.parametrize("has_published", [False, True])
def test_what_a_try_that_died_has_done_is_told_by_the_list(
    account: Account, portrait_video: Path, has_published: bool
) -> None:
    container_id = account.container(portrait_video)
    account.intent(container_id)
    if has_published:
        account.client.send(calls.publish(account.sandbox.user_id, container_id))
    hide(account.sandbox)
    post, _ = account.publish("post-1", container_id)
    assert [post.media_id] == [real.media_id for real in account.sandbox.posts]


@pytest.mark.parametrize("caption", ["", "a teaser"])
def test_a_post_that_the_list_does_not_tell_apart_is_unknown(
    account: Account, portrait_video: Path, caption: str
) -> None:
    """It has no caption, or another post has the same one."""
    container_id = account.container(portrait_video, caption=caption)
    hide(account.sandbox)
    account.sandbox.fail("publish", drop="after")
    account.sandbox.add_foreign_post(caption)
    with pytest.raises(OutcomeUnknownError, match="ledger settle"):
        account.publish("post-1", container_id)
    assert account.sandbox.calls("publish") == 1


def test_a_container_that_is_not_ready_is_tried_again(account: Account, portrait_video: Path) -> None:
    container_id = account.container(portrait_video)
    hide(account.sandbox)
    account.sandbox.fail("publish", 9007, 2207027, times=2)
    post, _ = account.publish("post-1", container_id)
    assert [post.media_id] == [real.media_id for real in account.sandbox.posts]
    assert account.sandbox.calls("publish") == 3


def test_a_post_that_is_live_although_instagram_calls_it_not_ready_is_not_sent_again(
    account: Account, portrait_video: Path
) -> None:
    account.sandbox.switch(republish="second_post")
    container_id = account.container(portrait_video)
    hide(account.sandbox)
    account.sandbox.fail("publish", 9007, 2207027, when="after")
    post, _ = account.publish("post-1", container_id)
    assert [post.media_id] == [real.media_id for real in account.sandbox.posts]


def test_a_container_that_is_never_ready_is_no_unknown_post(account: Account, portrait_video: Path) -> None:
    container_id = account.container(portrait_video)
    hide(account.sandbox)
    account.sandbox.fail("publish", 9007, 2207027, times=0)
    with pytest.raises(NotReadyError):
        account.publish("post-1", container_id)
    assert account.sandbox.posts == []


def test_another_run_keeps_the_container_that_may_be_published(account: Account, portrait_video: Path) -> None:
    container_id = account.container(portrait_video)
    account.intent(container_id, OTHER)
    hide(account.sandbox)
    assert account.container(portrait_video) == container_id


def test_a_container_of_a_link_is_used_again(account: Account) -> None:
    link = "https://media.example.com/a.mp4"
    creator = account.creator("post-1", Post(video=link, upload="url"))
    made = [creator.get_or_create(MediaSource(link, link=link))]
    account.sandbox.advance(timedelta(minutes=3))
    hide(account.sandbox)
    made.append(creator.get_or_create(MediaSource(link, link=link)))
    assert made[0] == made[1]


def test_an_upload_of_which_nothing_is_shown_begins_anew(account: Account, portrait_video: Path) -> None:
    """Nobody knows how much of it Instagram has."""
    old = account.container(portrait_video)
    account.sandbox.advance(timedelta(minutes=3))
    hide(account.sandbox)
    assert account.container(portrait_video) != old


def test_the_items_of_a_carousel_that_are_not_ready_are_kept(
    account: Account, portrait_video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    children = [account.container(portrait_video, caption=str(place)) for place in range(2)]
    creator = account.creator("post-2", Post(carousel=(), caption="two"))
    hide(account.sandbox)
    account.sandbox.fail("create", 100, 2207028, nth=1)
    with pytest.raises(NotReadyError, match="not processed yet"):
        creator.get_or_create_parent("content", children)


def test_the_sensor_and_create_go_on_if_no_container_is_shown_and_not_if_this_one_is_gone(
    airflow_db: None, instagram_sandbox: SandboxHandle, portrait_video: Path
) -> None:
    rows = Rows()
    create = CreateContainerOperator(
        task_id="t", video=str(portrait_video), post_key="hidden", wait_for_completion=True
    )
    with pytest.raises(TaskDeferred):
        create.execute(context_of(rows))
    (made,) = instagram_sandbox.containers
    error: Any = NotReadyError("Unsupported request", code=100, subcode=33).as_data()
    event = {"container_id": made.container_id, "error": error, "known": None}
    sensor = ContainerStatusSensor(task_id="s", container_id=made.container_id)
    with pytest.raises(ContainerExpiredError, match="no longer exists"):
        sensor.execute_complete(context_of(rows), event)
    hide(instagram_sandbox)
    assert sensor.execute_complete(context_of(rows), event) == made.container_id
    assert create.execute(context_of(rows), event) == made.container_id
