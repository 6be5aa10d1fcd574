"""The state of a login that travels through the browser, encrypted so that only our API workers can read it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from airflow.configuration import conf
from cryptography.fernet import Fernet, InvalidToken

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.utils.encryption import derived_fernet

LOGIN_LIFE: Final = timedelta(minutes=10)
_FORM_LIFE: Final = timedelta(hours=12)


@dataclass(frozen=True)
class PendingLogin:
    """A login in progress, kept in a cookie of the browser.

    :param nonce: A random value for this login only.
    :param oauth_host: Replaces both of Meta's login hosts.
    """

    nonce: str
    user: str
    conn_id: str
    app_id: str
    app_secret: str = field(repr=False)
    base_url: str
    oauth_host: str | None
    scopes: str = ""
    login: str = ""
    config_id: str = ""
    account_id: str = ""


class BrowserState:
    """Encrypts data for the browser with a key that all API workers share.

    :param clock: Returns the time, in seconds since the epoch.
    :raises ValidationError: The workers do not share a key.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        shared = conf.get("core", "fernet_key", fallback="") or conf.get("api_auth", "jwt_secret", fallback="")
        if not shared:
            raise ValidationError(
                "[core] fernet_key is not set, so Airflow would store the passwords of connections as plain text.",
                hint="Set the same key on all components of Airflow.",
            )
        self._shared = shared
        self._clock = clock

    def cookie(self, login: PendingLogin) -> str:
        """Encrypt a login for its cookie."""
        return self._encrypted("cookie", vars(login))

    def login(self, cookie: str) -> PendingLogin | None:
        """Return the login in a cookie, or None if the cookie is forged or too old."""
        opened = self._decrypted("cookie", cookie, LOGIN_LIFE)
        return None if opened is None else PendingLogin(**opened)

    def oauth_state(self, login: PendingLogin) -> str:
        """Sign a login's nonce for the way to Instagram and back."""
        return self._encrypted("state", {"nonce": login.nonce, "user": login.user})

    def is_state_of(self, state: str, login: PendingLogin) -> bool:
        """Return whether a state that came back belongs to this login."""
        return self._decrypted("state", state, LOGIN_LIFE) == {"nonce": login.nonce, "user": login.user}

    def form_token(self, user: str) -> str:
        """Return the secret that only our own forms contain."""
        return self._encrypted("form", {"user": user})

    def is_form_token(self, token: str, user: str) -> bool:
        """Return whether a form token is ours and was made for this user."""
        return self._decrypted("form", token, _FORM_LIFE) == {"user": user}

    def undo_token(self, removed: dict[str, Any]) -> str:
        """Encrypt a post that was removed from a calendar, because its links may have signatures."""
        return self._encrypted("undo", removed)

    def removed_post(self, token: str) -> dict[str, Any] | None:
        """Return the post that a token holds, or None if the token is forged or too old."""
        return self._decrypted("undo", token, _FORM_LIFE)

    def _encrypted(self, purpose: str, content: dict[str, Any]) -> str:
        text = json.dumps(content).encode()
        return self._fernet(purpose).encrypt_at_time(text, int(self._clock())).decode()

    def _decrypted(self, purpose: str, encrypted: str, life: timedelta) -> dict[str, Any] | None:
        try:
            text = self._fernet(purpose).decrypt_at_time(
                encrypted.encode(), int(life.total_seconds()), int(self._clock())
            )
        except InvalidToken:
            return None
        opened: dict[str, Any] = json.loads(text)
        return opened

    def _fernet(self, purpose: str) -> Fernet:
        return derived_fernet(self._shared, f"{purpose}/1")
