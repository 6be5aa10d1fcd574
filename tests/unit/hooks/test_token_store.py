from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest

from airflow_provider_instagram.hooks.token_store import StoredToken, TokenStore


def day(year: int, month: int, number: int, hour: int = 0) -> datetime:
    return datetime(year, month, number, hour, tzinfo=timezone.utc)


TOKEN = StoredToken(
    "IGAArefreshed",
    seen_at=day(2026, 11, 24),
    issued_at=day(2026, 11, 24),
    expires_at=day(2027, 1, 23),
    scopes=("instagram_business_basic",),
    refreshed_by="dag/run/task/-1",
)
STORE = TokenStore("brand", "IGAAseed")
#: A token as an installation of October 2026 stored it.
STORED_BEFORE = (
    "gAAAAABrB427AHyniGIR_tMA3_soei2WA5PKu4Ul53pVq3h2yPS_iBpRyZo_vCdiery9b3vqywJK3KZrapDS1uBWrrzSsWHgOfuWtG9G"
    "ryo80IDFZWai2PoaOax1FTjc-X8QB5UyTEwzHHyrtyEJNvkuGNQFgQJ4UPk-Lk2fxK2jlkmn-yyOLInybnbxrMoy6dfY9I1HOVts2XDn"
    "rzQejPH5nc683U9_tVdvpAH0t40oLHghtxSR4bzFF4pirVjfhr4QCZQqFtXD4tI_QldMVGlM5fODwGO4-GYDdss2hgBMnFl8-YpMUVPG"
    "n7cnm9XkqL0kL6U1nG9Acg-mFko0UkaU8356AHhk0HTGptgr1-pkBbfLoa5pTUGmaqo8B8B0GtlK-DVAi5tvjjMma6EsP9ka0BEfWvp0"
    "nw=="
)


def test_a_token_that_was_stored_before_is_still_read() -> None:
    assert TokenStore("brand", "IGAAseed", "extra secret").decrypt(STORED_BEFORE) == StoredToken(
        "IGAAstoredBefore",
        seen_at=day(2026, 10, 1),
        issued_at=day(2026, 10, 2),
        expires_at=day(2026, 12, 1),
        scopes=("instagram_business_basic",),
        refreshed_by="the first run",
    )


@pytest.mark.parametrize(
    ("expires_at", "data_ends_at", "last", "words"),
    [
        (None, None, None, "does not expire"),
        (day(2027, 1, 23), None, 23, "expires on 2027-01-23"),
        (None, day(2027, 1, 20, 23), 20, "gets no data from 2027-01-20 on"),
        (day(2027, 1, 23), day(2027, 1, 20), 20, "gets no data from 2027-01-20 on"),
        (day(2027, 1, 19), day(2027, 1, 20), 19, "expires on 2027-01-19"),
    ],
)
def test_a_token_is_of_use_until_the_first_of_its_two_ends(
    expires_at: datetime | None, data_ends_at: datetime | None, last: int | None, words: str
) -> None:
    token = replace(TOKEN, expires_at=expires_at, data_ends_at=data_ends_at)
    assert STORE.decrypt(STORE.encrypt(token)) == token
    assert (token.expires.day if token.expires else None) == last
    assert token.end.startswith(words)


def test_an_encrypted_token_opens_under_the_same_password() -> None:
    encrypted = STORE.encrypt(TOKEN)
    assert "IGAA" not in encrypted
    assert TokenStore("brand", "IGAAseed").decrypt(encrypted) == TOKEN


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
    assert other.decrypt(STORE.encrypt(TOKEN)) is None


def test_a_text_that_is_not_an_encrypted_token_is_none() -> None:
    assert STORE.decrypt("edited by hand") is None


def encrypted(row: Any) -> str:
    """Encrypt anything as the row of a token is encrypted."""
    text = row if isinstance(row, bytes) else json.dumps(row).encode()
    return STORE._fernet.encrypt_at_time(text, 1_800_000_000).decode()


def test_a_row_with_fields_of_another_version_is_read() -> None:
    stored = json.loads(STORE._fernet.decrypt(STORE.encrypt(TOKEN)))
    assert STORE.decrypt(encrypted(stored | {"appeared_later": {"a": 1}})) == TOKEN


NO_TOKENS: list[Any] = [None, 5.5e3, ["IGAA"]]


@pytest.mark.parametrize(
    "row",
    [*({"access_token": one} for one in NO_TOKENS), None, [], "text", 5, {}, b"{", b"\xff\xfe", b"[" * 100_000, b""],
)
def test_a_row_without_a_token_is_none(row: Any) -> None:
    assert STORE.decrypt(encrypted(row)) is None


def test_it_does_not_show_in_logs() -> None:
    assert "IGAArefreshed" not in repr(TOKEN)


def test_airflow_does_not_mask_the_encrypted_text() -> None:
    """It would compile all texts to mask anew for each account: 200 accounts kept a triggerer busy for two minutes."""
    from airflow.sdk._shared.secrets_masker import should_hide_value_for_key

    assert should_hide_value_for_key("instagram_access_token__brand")
    assert not should_hide_value_for_key(STORE.variable)
