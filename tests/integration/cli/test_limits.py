"""What ``airflow instagram limits`` and the doctor say of an account and a triggerer."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from instagram_sandbox.testing.handle import SandboxHandle


@pytest.fixture
def said(airflow_db: None, instagram_sandbox: SandboxHandle) -> Callable[[], dict[str, str]]:
    from airflow_provider_instagram.cli.accounts import describe

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


@pytest.mark.usefixtures("ledger")
def test_limits_says_what_may_still_be_posted_and_called(said: Callable[[], dict[str, str]]) -> None:
    described = said()
    assert described["posts, Instagram"] == "0 of 100 used in the last 24 h"
    assert described["posts, this hour"].endswith("of 500 (posts_per_hour)")
    assert described["posts, this day"].endswith("of 500 (posts_per_day)")
    assert described["next post"] == "now"
    assert described["calls"].startswith("200 an hour")


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


def test_a_triggerer_with_too_few_files_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_provider_instagram.cli.doctor import triggerer_capacity

    monkeypatch.setattr("resource.getrlimit", lambda _: (12_000, 12_000))
    assert "6000 waiting tasks" in triggerer_capacity(6000)
    with pytest.raises(LookupError, match="LimitNOFILE"):
        triggerer_capacity(6001)
