"""What ``airflow instagram limits`` and the doctor say of an account and a triggerer."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from instagram_sandbox.testing.handle import SandboxHandle


@pytest.fixture
def said(airflow_db: None, instagram_sandbox: SandboxHandle) -> Callable[[], dict[str, str]]:
    """Run the command, where nothing waits that other tests have left."""
    from airflow.models.trigger import Trigger
    from airflow.utils.session import create_session

    from airflow_provider_instagram.cli.accounts import describe

    with create_session() as session:
        session.query(Trigger).delete()

    return lambda: dict(describe("instagram_default"))


@pytest.fixture
def ledger(airflow_db: None) -> None:
    """Create the assets that Airflow creates when it parses a task of the account."""
    from airflow.models.asset import AssetModel
    from airflow.utils.session import create_session

    from airflow_provider_instagram.ledger.assets import ledger_asset

    uri = ledger_asset("instagram_default").uri
    with create_session() as session:
        if not session.query(AssetModel).filter_by(uri=uri).count():
            session.add(AssetModel(name=uri, uri=uri))


@pytest.fixture
def deferred(airflow_db: None) -> Iterator[Callable[..., None]]:
    """Return a function that stores triggers in Airflow's database: one as a deferred task does, one encrypted."""
    from airflow.models.trigger import Trigger
    from airflow.utils.session import create_session

    from airflow_provider_instagram.triggers import ContainerStatusTrigger

    def store(conn_id: str, deadline: float) -> None:
        path, arguments = ContainerStatusTrigger(conn_id, "1789", 5, deadline).serialize()
        plain = Trigger(classpath=path, kwargs={})
        plain.encrypted_kwargs = json.dumps(arguments)
        with create_session() as session:
            session.add_all([plain, Trigger(classpath=path, kwargs=arguments)])

    yield store
    with create_session() as session:
        session.query(Trigger).delete()


@pytest.mark.usefixtures("ledger")
def test_limits_says_what_may_still_be_posted_and_called(said: Callable[[], dict[str, str]]) -> None:
    described = said()
    assert described["posts, Instagram"] == "0 of 100 used in the last 24 h"
    assert described["posts, this hour"].endswith("of 500 (posts_per_hour)")
    assert described["posts, this day"].endswith("of 500 (posts_per_day)")
    assert described["next post"] == "now"
    assert described["calls"].startswith("200 an hour")
    assert described["waiting containers"] == "0"


def test_an_account_that_never_posted_has_limits_too(
    said: Callable[[], dict[str, str]], instagram_sandbox: SandboxHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_instagram.cli.accounts import describe

    monkeypatch.setenv("AIRFLOW_CONN_NEW_ACCOUNT", json.dumps(instagram_sandbox.connection))
    described = dict(describe("new_account"))
    assert described["posts, this hour"].startswith("0 of 500")
    assert described["next post"] == "now"


def test_an_unknown_connection_is_named_and_no_more(airflow_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.cli.cli_parser import get_parser

    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "")  # the command sets it, and this process is not its alone
    args = get_parser().parse_args(["instagram", "limits", "nobody"])
    with pytest.raises(SystemExit, match="There is no connection 'nobody'"):
        args.func(args)


@pytest.mark.usefixtures("ledger")
def test_limits_says_who_waits_how_often_he_is_asked_about_and_until_when(
    said: Callable[[], dict[str, str]], deferred: Callable[..., None]
) -> None:
    """Twenty wait at 100 questions an hour: one in 12 minutes each; other accounts' waits do not count."""
    first = 1_900_000_000.0
    for number in range(10):
        deferred("instagram_default", first + number)
    deferred("another_account", first - 1000)
    assert said()["waiting containers"] == (
        "20, each polled at most once every 720 s; the first one times out at 2030-03-17T17:46:40+00:00"
    )


@pytest.mark.usefixtures("ledger")
def test_limits_says_when_instagram_has_free_quota_again(
    said: Callable[[], dict[str, str]], instagram_sandbox: SandboxHandle
) -> None:
    """The quota is full with a post of three hours ago: quota is free when that post is a day old."""
    instagram_sandbox.add_foreign_post("from the app", age_s=3 * 3600)
    instagram_sandbox.switch(quota_total=0)
    at = datetime.fromisoformat(said()["next post"].removeprefix("at ").partition(";")[0])
    assert abs(at - datetime.now(timezone.utc) - timedelta(hours=21)) < timedelta(seconds=60)


@pytest.mark.usefixtures("ledger")
def test_limits_says_that_instagram_has_stopped_the_account_and_for_how_long(
    said: Callable[[], dict[str, str]], instagram_sandbox: SandboxHandle
) -> None:
    instagram_sandbox.fail("limit", 80002, regain_minutes=42)
    described = said()
    until, _, why = described["calls, Instagram"].removeprefix("stopped until ").partition(", ")
    assert abs(datetime.fromisoformat(until) - datetime.now(timezone.utc) - timedelta(minutes=42)) < timedelta(
        minutes=1
    )
    assert "too many calls" in why
    assert "posts, Instagram" not in described
    assert described["posts, this hour"].endswith("of 500 (posts_per_hour)")


def test_a_triggerer_with_too_few_files_is_named() -> None:
    from airflow_provider_instagram.cli.doctor import triggerer_capacity

    assert "6000 waiting tasks" in triggerer_capacity(6000, 12_000)
    with pytest.raises(LookupError, match="LimitNOFILE"):
        triggerer_capacity(1000, 1024)
