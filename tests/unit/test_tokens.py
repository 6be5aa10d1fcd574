from __future__ import annotations

import pytest

from airflow_provider_instagram.tokens import StoredToken, TokenStore

TOKEN = StoredToken(
    "IGAArefreshed",
    seen_at="2026-11-24T00:00:00+00:00",
    issued_at="2026-11-24T00:00:00+00:00",
    expires_at="2027-01-23T00:00:00+00:00",
    scopes=("instagram_business_basic",),
    refreshed_by="dag/run/task/-1",
)
STORE = TokenStore("brand", "IGAAseed")


def test_a_sealed_token_opens_under_the_same_password() -> None:
    sealed = STORE.sealed(TOKEN)
    assert "IGAA" not in sealed
    assert TokenStore("brand", "IGAAseed").opened(sealed) == TOKEN


@pytest.mark.parametrize(
    "other",
    [
        TokenStore("brand", "IGAApasted"),
        TokenStore("other", "IGAAseed"),
        TokenStore("brand", "IGAAseed", "a key of its own"),
    ],
    ids=["new password", "another connection", "another key"],
)
def test_it_opens_for_nobody_else(other: TokenStore) -> None:
    assert other.opened(STORE.sealed(TOKEN)) is None


def test_what_is_no_sealed_token_is_none() -> None:
    assert STORE.opened("edited by hand") is None


def test_it_does_not_show_in_logs() -> None:
    assert "IGAArefreshed" not in repr(TOKEN)


def test_airflow_does_not_mask_the_encrypted_text() -> None:
    """It would compile all texts to mask anew for each account: 200 accounts kept a triggerer busy for two minutes."""
    from airflow.sdk._shared.secrets_masker import should_hide_value_for_key

    assert should_hide_value_for_key("instagram_access_token__brand")
    assert not should_hide_value_for_key(STORE.variable)
