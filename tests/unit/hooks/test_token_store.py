from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_provider_instagram.hooks.token_store import StoredToken, TokenStore

TOKEN = StoredToken(
    "IGAArefreshed",
    seen_at="2026-11-24T00:00:00+00:00",
    issued_at="2026-11-24T00:00:00+00:00",
    expires_at="2027-01-23T00:00:00+00:00",
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
        seen_at="2026-10-01T00:00:00+00:00",
        issued_at="2026-10-02T00:00:00+00:00",
        expires_at="2026-12-01T00:00:00+00:00",
        scopes=("instagram_business_basic",),
        refreshed_by="the first run",
    )


@pytest.mark.parametrize(
    ("expires_at", "data_ends_at", "day", "words"),
    [
        (None, None, None, "does not expire"),
        ("2027-01-23T00:00:00+00:00", None, 23, "expires on 2027-01-23"),
        (None, "2027-01-20T23:00:00+00:00", 20, "gets no data from 2027-01-20 on"),
        ("2027-01-23T00:00:00+00:00", "2027-01-20T00:00:00+00:00", 20, "gets no data from 2027-01-20 on"),
        ("2027-01-19T00:00:00+00:00", "2027-01-20T00:00:00+00:00", 19, "expires on 2027-01-19"),
    ],
)
def test_a_token_is_of_use_until_the_first_of_its_two_ends(
    expires_at: str | None, data_ends_at: str | None, day: int | None, words: str
) -> None:
    token = replace(TOKEN, expires_at=expires_at, data_ends_at=data_ends_at)
    assert STORE.decrypt(STORE.encrypt(token)) == token
    assert (token.expires.day if token.expires else None) == day
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
    assert STORE.decrypt(encrypted({**asdict(TOKEN), "appeared_later": {"a": 1}})) == TOKEN


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seen_at", 5),
        ("seen_at", "yesterday"),
        ("seen_at", "2026-11-24T00:00:00"),
        ("issued_at", []),
        ("expires_at", "2026-99-24T00:00:00+00:00"),
        ("tried_at", {}),
        ("scopes", "all"),
        ("refreshed_by", 5),
    ],
)
def test_a_field_that_cannot_be_read_costs_itself_and_not_the_token(field: str, value: Any) -> None:
    token = STORE.decrypt(encrypted({**asdict(TOKEN), field: value}))
    assert token is not None
    assert token.access_token == TOKEN.access_token
    assert token.minimum_age(datetime(2030, 1, 1, tzinfo=timezone.utc)) > timedelta(days=1)
    without = STORE.decrypt(encrypted({name: each for name, each in asdict(TOKEN).items() if name != field}))
    assert token == without
    if field == "seen_at":
        assert token.seen_at == "2027-01-15T08:00:00+00:00", "when it was encrypted"


NO_TOKENS: list[Any] = [None, "", "two words", 5.5e3, ["IGAA"]]


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
