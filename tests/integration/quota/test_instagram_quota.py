"""What PublishOperator does when the account's quota is used up; the ledger is on a dict."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import TaskDeferred

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.quota.reservations import time_until_quota_frees

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from instagram_sandbox.testing.handle import SandboxHandle
    from tests.integration.account import Account
    from tests.integration.conftest import Gallery


class DictStore(dict[str, Any]):
    def set(self, key: str, value: Any) -> None:
        self[key] = value


class Dag:
    """Create and publish of one account, executed one by one as a worker would."""

    def __init__(self, sandbox: SandboxHandle, video: Path) -> None:
        from airflow_provider_instagram.ledger.assets import ledger_asset

        self.sandbox, self.video, self.store = sandbox, video, DictStore()
        self.ledger_asset = ledger_asset("instagram_default")

    def context(self, task_id: str) -> Any:
        told = SimpleNamespace(add=lambda *_, **__: None, limit=lambda number: [None] * number)
        ti = SimpleNamespace(
            dag_id="dag",
            run_id="run",
            task_id=task_id,
            map_index=-1,
            try_number=1,
            max_tries=3,
            get_task_states=lambda *_, **__: {},
        )
        everything = type("Everything", (dict,), {"__missing__": lambda *_: told})()
        store = {self.ledger_asset: self.store}
        return {"ti": ti, "asset_state_store": store, "outlet_events": everything, "inlet_events": everything}

    def create(self, post_key: str) -> str:
        from airflow_provider_instagram.operators import CreateContainerOperator

        made = CreateContainerOperator(task_id="create", video=str(self.video), post_key=post_key)
        container_id = made.execute(self.context(f"create_{post_key}"))
        self.sandbox.settle()
        self.sandbox.advance(5)
        return container_id

    def publish(self, container_id: str) -> dict[str, Any]:
        from airflow_provider_instagram.operators import PublishOperator

        publish = PublishOperator(task_id="publish", container_id=container_id)
        return publish.execute(self.context(f"publish_{container_id}"))


@pytest.fixture
def dag(
    airflow_db: None, instagram_sandbox: SandboxHandle, portrait_video: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[int], Dag]:
    """Return a function that makes the tasks of an account with a limit of posts per hour."""

    def allowing(posts_per_hour: int) -> Dag:
        connection = instagram_sandbox.connection
        connection["extra"] |= {"posts_per_hour": posts_per_hour}
        monkeypatch.setenv("AIRFLOW_CONN_INSTAGRAM_DEFAULT", json.dumps(connection))
        return Dag(instagram_sandbox, portrait_video)

    return allowing


def test_publish_waits_without_a_slot_until_quota_is_free(
    dag: Callable[[int], Dag], caplog: pytest.LogCaptureFixture
) -> None:
    """Of two posts in an account that allows itself one an hour, the second is deferred, and says until when."""
    account, began = dag(1), datetime.now(timezone.utc)
    account.publish(account.create("first"))
    second = account.create("second")
    with pytest.raises(TaskDeferred) as deferred:
        account.publish(second)
    moment = deferred.value.trigger.moment
    assert began + timedelta(hours=1) <= moment <= datetime.now(timezone.utc) + timedelta(hours=1)
    assert account.sandbox.calls("publish") == 1
    said = caplog.text
    assert "The account has reached its limit of posts per hour (1)" in said
    assert f"Publishing again at {moment.isoformat(timespec='seconds')}" in said


def test_a_container_that_expires_before_quota_is_free_says_what_to_do(dag: Callable[[int], Dag]) -> None:
    """Instagram's own quota is used up for 24 hours, and the container was made before the post that used it up."""
    account = dag(5)
    container_id = account.create("first")
    account.publish(account.create("another"))
    account.sandbox.switch(quota_total=1)
    account.sandbox.advance(20)  # until that post is listed
    with pytest.raises(ValidationError, match="expires at") as refused:
        account.publish(container_id)
    assert "clear create and the tasks downstream of it" in str(refused.value)
    assert account.sandbox.calls("publish") == 1


def test_the_quota_of_a_story_frees_before_that_of_a_later_post(account: Account, gallery: Gallery) -> None:
    """A story counts as a post of the quota, and is not among the account's media."""
    account.publish("story", account.single("story", image=gallery.link("one"), placement="story"))
    account.wait(10 * 3600)
    account.publish("picture", account.single("picture", image=gallery.link("two")))
    account.wait(20)  # until that post is listed
    frees_in = time_until_quota_frees(account.client, account.sandbox.user_id, account.now())
    assert frees_in is not None
    assert timedelta(hours=13, minutes=50) < frees_in < timedelta(hours=14, minutes=1)
