"""What a login carries through the browser: readable to every API worker, to nobody else, and not for long."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_provider_instagram.plugin.state import BrowserState, PendingLogin

LOGIN = PendingLogin("nonce", "ada", "brand", "99", "app-secret", "https://graph.instagram.com", None)


class At:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def test_another_worker_opens_what_one_sealed() -> None:
    sealed = BrowserState().cookie(LOGIN)
    assert BrowserState().login(sealed) == LOGIN
    assert "app-secret" not in sealed


def test_a_login_lasts_ten_minutes() -> None:
    clock = At()
    cookie, state = BrowserState(clock).cookie(LOGIN), BrowserState(clock).oauth_state(LOGIN)
    clock.now += 599
    assert BrowserState(clock).login(cookie) == LOGIN
    assert BrowserState(clock).is_state_of(state, LOGIN)
    clock.now += 3
    assert BrowserState(clock).login(cookie) is None
    assert not BrowserState(clock).is_state_of(state, LOGIN)


@pytest.mark.parametrize("forged", ["", "forged", "gAAAAABforged"])
def test_what_is_forged_is_nothing(forged: str) -> None:
    assert BrowserState().login(forged) is None
    assert not BrowserState().is_state_of(forged, LOGIN)
    assert not BrowserState().is_form_token(forged, "ada")


def test_a_state_is_good_for_its_own_login_and_user_only() -> None:
    state = BrowserState().oauth_state(LOGIN)
    assert not BrowserState().is_state_of(state, replace(LOGIN, nonce="another"))
    assert not BrowserState().is_state_of(state, replace(LOGIN, user="bob"))


def test_no_kind_of_seal_is_taken_for_another() -> None:
    assert BrowserState().login(BrowserState().oauth_state(LOGIN)) is None
    assert not BrowserState().is_state_of(BrowserState().cookie(LOGIN), LOGIN)
    assert not BrowserState().is_form_token(BrowserState().oauth_state(LOGIN), "ada")


def test_a_form_is_good_for_its_own_user_only() -> None:
    token = BrowserState().form_token("ada")
    assert BrowserState().is_form_token(token, "ada")
    assert not BrowserState().is_form_token(token, "bob")
