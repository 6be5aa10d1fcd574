"""What the doctor says of an account's limits and of a triggerer."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_mock import MockerFixture

    from instagram_sandbox.testing.handle import SandboxHandle


def posts_of(conn_id: str) -> tuple[bool | None, str]:
    """Return what the doctor says of the posts that the ledger counts."""
    from airflow_provider_instagram.cli.doctor import _own_posts

    finding = _own_posts(conn_id)
    return finding.good, finding.text


def test_the_doctor_says_how_many_posts_are_left_and_when_the_next_one_is_possible(
    airflow_db: None, instagram_sandbox: SandboxHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.models.asset import AssetModel
    from airflow.utils.session import create_session

    from airflow_provider_instagram.ledger.assets import ledger_asset
    from airflow_provider_instagram.ledger.database import open_ledger
    from airflow_provider_instagram.ledger.ledger import Ledger
    from airflow_provider_instagram.quota.reservations import QuotaReservations, post_quotas

    connection = {**instagram_sandbox.connection, "extra": {"posts_per_hour": 1, "posts_per_day": 25}}
    monkeypatch.setenv("AIRFLOW_CONN_COUNTED", json.dumps(connection))
    assert posts_of("counted") == (True, "none was made here yet")
    uri = ledger_asset("counted").uri
    with create_session() as session:
        session.add(AssetModel(name=uri, uri=uri))
    assert posts_of("counted") == (True, "0 of 1 this hour, 0 of 25 this day by the ledger's count")
    with open_ledger("counted") as store:
        QuotaReservations(Ledger(store, "counted"), post_quotas(1, 25)).reserve("monday", "nonce")
    good, text = posts_of("counted")
    assert good is False
    assert text.startswith(
        "1 of 1 this hour, 1 of 25 this day by the ledger's count. Wait: the next post is possible at "
    )


def test_the_doctor_says_until_when_instagram_has_stopped_the_account(
    airflow_db: None, instagram_sandbox: SandboxHandle
) -> None:
    from airflow_provider_instagram.doctor.checks import account_findings

    instagram_sandbox.fail("limit", 80002, regain_minutes=42)
    said = {finding.what: finding.text for finding in account_findings("instagram_default")}
    assert "too many calls" in said["quota"]
    until = datetime.strptime(said["quota"][-len("2030-12-24 18:00 UTC") :], "%Y-%m-%d %H:%M UTC")
    left = until.replace(tzinfo=timezone.utc) - datetime.now(timezone.utc)
    assert timedelta(minutes=40) < left <= timedelta(minutes=42)


def test_a_triggerer_with_too_few_files_is_named(mocker: MockerFixture) -> None:
    from airflow_provider_instagram.cli.doctor import triggerer_capacity

    mocker.patch("resource.getrlimit", return_value=(12_000, 12_000))
    assert "6000 waiting tasks" in triggerer_capacity(6000)
    with pytest.raises(LookupError, match="LimitNOFILE"):
        triggerer_capacity(6001)
