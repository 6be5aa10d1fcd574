"""What ``airflow instagram limits`` and the doctor say of an account and a triggerer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from airflow_provider_instagram.sandbox.handle import SandboxHandle


@pytest.fixture
def described(airflow_db: None, instagram_sandbox: SandboxHandle) -> dict[str, str]:
    from airflow.models.asset import AssetModel
    from airflow.utils.session import create_session

    from airflow_provider_instagram.ledger import ledger_asset
    from airflow_provider_instagram.limits_command import describe

    uri = ledger_asset("instagram_default").uri
    with create_session() as session:
        if not session.query(AssetModel).filter_by(uri=uri).count():
            session.add(AssetModel(name=uri, uri=uri))
    return dict(describe("instagram_default"))


def test_limits_says_what_may_still_be_posted_and_called(described: dict[str, str]) -> None:
    assert described["posts, Instagram"].startswith("0 of 100 used")
    assert described["posts, this hour"].endswith("of 500 (posts_per_hour)")
    assert described["posts, this day"].endswith("of 500 (posts_per_day)")
    assert described["next post"] == "now"
    assert described["calls"].startswith("200 an hour")
    assert described["waiting"].partition(" ")[2].startswith("containers")


def test_a_triggerer_with_too_few_files_is_named() -> None:
    from airflow_provider_instagram.limits_command import triggerer_capacity

    assert "6000 waiting tasks" in triggerer_capacity(6000, 12_000)
    with pytest.raises(LookupError, match="LimitNOFILE"):
        triggerer_capacity(1000, 1024)
