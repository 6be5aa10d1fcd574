"""What a login carries through the browser, sealed so that any API worker can read it and nobody else."""

from __future__ import annotations

import base64
import json
import secrets
import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from airflow.configuration import conf
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from airflow_provider_instagram.exceptions import ValidationError

if TYPE_CHECKING:
    from collections.abc import Callable

LOGIN_LIFE: Final = timedelta(minutes=10)
_FORM_LIFE: Final = timedelta(hours=12)


@dataclass(frozen=True)
class PendingLogin:
    """A login on its way: the cookie that comes back with the browser.

    :param nonce: Drawn for this one login.
    :param user: Who began it.
    :param conn_id: The connection that it is for.
    :param app_id: The Meta app.
    :param app_secret: Its secret.
    :param base_url: Where the Graph API is.
    :param oauth_host: Replaces both of Meta's login hosts.
    """

    nonce: str
    user: str
    conn_id: str
    app_id: str
    app_secret: str = field(repr=False)
    base_url: str
    oauth_host: str | None


class Seal:
    """Seals what leaves the server, with a key that all API workers have.

    :param clock: Tells the time, in seconds since the epoch.
    :raises ValidationError: The workers share no key.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        shared = conf.get("core", "fernet_key", fallback="") or conf.get("api_auth", "jwt_secret", fallback="")
        if not shared:
            raise ValidationError(
                "Airflow has no [core] fernet_key: without it, passwords of connections are stored as plain text.",
                hint="Set one for all components of Airflow.",
            )
        self._shared = shared
        self._clock = clock

    def cookie(self, login: PendingLogin) -> str:
        """Seal a login for its cookie."""
        return self._sealed("cookie", vars(login))

    def login(self, cookie: str) -> PendingLogin | None:
        """Open a login's cookie, or None when it is forged or too old."""
        opened = self._opened("cookie", cookie, LOGIN_LIFE)
        return None if opened is None else PendingLogin(**opened)

    def state(self, login: PendingLogin) -> str:
        """Sign a login's nonce for the way to Instagram and back."""
        return self._sealed("state", {"nonce": login.nonce, "user": login.user})

    def belongs(self, state: str, login: PendingLogin) -> bool:
        """Tell whether a state that came back is the one of this login."""
        return self._opened("state", state, LOGIN_LIFE) == {"nonce": login.nonce, "user": login.user}

    def form_token(self, user: str) -> str:
        """Make the secret that our forms hold, and no other page's can."""
        return self._sealed("form", {"user": user})

    def is_form_token(self, token: str, user: str) -> bool:
        """Tell whether a form is one of ours, made for this user."""
        return self._opened("form", token, _FORM_LIFE) == {"user": user}

    def _sealed(self, purpose: str, content: dict[str, Any]) -> str:
        text = json.dumps(content).encode()
        return self._fernet(purpose).encrypt_at_time(text, int(self._clock())).decode()

    def _opened(self, purpose: str, sealed: str, life: timedelta) -> dict[str, Any] | None:
        try:
            text = self._fernet(purpose).decrypt_at_time(sealed.encode(), int(life.total_seconds()), int(self._clock()))
        except InvalidToken:
            return None
        opened: dict[str, Any] = json.loads(text)
        return opened

    def _fernet(self, purpose: str) -> Fernet:
        info = f"airflow-provider-instagram/{purpose}/1".encode()
        key = HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(self._shared.encode())
        return Fernet(base64.urlsafe_b64encode(key))


def new_nonce() -> str:
    """Draw the nonce of a login."""
    return secrets.token_urlsafe(24)
