"""What a race between refreshers may do to the store, played move by move."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_provider_instagram.graph.models import Token
from airflow_provider_instagram.hooks.token_refresh import TokenManager
from airflow_provider_instagram.hooks.token_store import StoredToken, TokenStore

NOW = datetime(2026, 11, 24, tzinfo=timezone.utc)
OLD = StoredToken("IGAAold", seen_at=NOW - timedelta(days=30))


class Raced(TokenStore):
    """A store over whose new token another refresher, who had read the former one, writes its note once."""

    def __init__(self) -> None:
        super().__init__("brand", OLD.access_token)
        self.token: StoredToken | None = OLD
        self.raced = False

    def load(self) -> StoredToken | None:
        return self.token

    def save(self, token: StoredToken) -> None:
        self.token = token
        if token.access_token == "IGAAnew" and not self.raced:
            self.token, self.raced = OLD, True


def test_a_new_token_outlives_the_note_of_another_refresher() -> None:
    store = Raced()

    def meta(token: StoredToken, call: Any) -> Token:
        return Token("IGAAnew", expires_in=timedelta(days=60))

    manager = TokenManager("brand", OLD.access_token, store, meta, clock=lambda: NOW, sleep=lambda _: None)
    assert manager.refresh("daily").refreshed
    assert store.raced
    assert store.token is not None
    assert store.token.access_token == "IGAAnew"


@pytest.mark.parametrize(("refused", "given"), [(OLD.access_token, None), ("IGAAstored", OLD.access_token)])
def test_a_store_that_cannot_be_read_hides_neither_a_refusal_nor_the_token_in_the_connection(
    refused: str, given: str | None
) -> None:
    class Unreadable(Raced):
        def load(self) -> StoredToken | None:
            raise RuntimeError("The backend is down.")

    manager = TokenManager("brand", OLD.access_token, Unreadable(), lambda *_: None)
    assert manager.replacement_for(refused) == given
