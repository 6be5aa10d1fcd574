"""What a login carries through the browser: readable to every API worker, to nobody else, and not for long."""

from __future__ import annotations

import time

import pytest

from airflow_provider_instagram.accounts.login import LoginApp
from airflow_provider_instagram.graph.capabilities import MetaLogin
from airflow_provider_instagram.plugin.users import PendingLogin, Purpose, opened, sealed

APP = LoginApp(
    "99", "app-secret", "https://airflow.example.com/callback", "https://graph.instagram.com", login=MetaLogin.UNIFIED
)
LOGIN = PendingLogin("nonce", "ada", "brand", APP)


def test_another_worker_opens_what_one_sealed() -> None:
    cookie = LOGIN.cookie
    assert PendingLogin.of(cookie) == LOGIN
    assert "app-secret" not in cookie


def test_a_login_lasts_ten_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    cookie, state, now_s = LOGIN.cookie, sealed("state", LOGIN.about), time.time()
    monkeypatch.setattr(time, "time", lambda: now_s + 598)
    assert (PendingLogin.of(cookie), opened("state", state)) == (LOGIN, {"nonce": "nonce", "user": "ada"})
    monkeypatch.setattr(time, "time", lambda: now_s + 602)
    assert (PendingLogin.of(cookie), opened("state", state)) == (None, None)


@pytest.mark.parametrize("forged", ["", "forged", "gAAAAABforged"])
def test_what_is_forged_is_nothing(forged: str) -> None:
    assert PendingLogin.of(forged) is None
    assert opened("form", forged) is None


@pytest.mark.parametrize("other", ["cookie", "form", "undo"])
def test_no_kind_of_seal_is_taken_for_another(other: Purpose) -> None:
    assert opened(other, sealed("state", LOGIN.about)) is None
    assert opened("state", sealed(other, LOGIN.about)) is None
