"""Access tokens and their expiry dates, stored encrypted in Airflow Variables, which tasks may write."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import conf
from airflow.sdk.log import mask_secret
from cryptography.fernet import InvalidToken
from pydantic import AwareDatetime, ConfigDict, TypeAdapter
from pydantic.dataclasses import dataclass

from airflow_provider_instagram.utils.connection import CONN_TYPE
from airflow_provider_instagram.utils.encryption import derived_fernet

if TYPE_CHECKING:
    from airflow_provider_instagram.graph.models import Token, TokenInfo

VERSION: Final = "1"
_ENVIRONMENT: Final = "AIRFLOW_CONN_"
#: No part of it is a word that Airflow takes for sensitive. Airflow would mask the value, which is
#: encrypted anyway, and each masked text blocks a triggerer of hundreds of accounts for a tenth of
#: a second.
VARIABLE_PREFIX: Final = "instagram_login__"
DESCRIPTION: Final = "Encrypted Instagram access token, managed by airflow-provider-instagram."

# Source: Meta, Instagram API with Instagram Login, long-lived access tokens.
MIN_AGE_TO_REFRESH: Final = timedelta(hours=24)
LONG_LIVED_LIFETIME: Final = timedelta(days=60)
#: The remaining life from which the log warns and alerts are sent.
EXPIRY_WARNING: Final = timedelta(days=14)


@dataclass(frozen=True, config=ConfigDict(hide_input_in_errors=True))
class StoredToken:
    """An access token and its known dates.

    :param seen_at: When it was first used here; the token is at least this old.
    :param issued_at: When Meta issued it; None if it was pasted into the connection.
    :param expires_at: When it expires; None if that is unknown.
    :param data_ends_at: When Meta stops to answer it although it lives on; None if that is unknown,
        or never.
    :param scopes: What it may do; empty if that is unknown.
    :param refreshed_by: The run or the person that got it from Meta; None if it was pasted.
    :param tried_at: When a refresh of it was last tried, or when Meta was last asked about it.
    """

    access_token: str = field(repr=False)
    seen_at: AwareDatetime
    issued_at: AwareDatetime | None = None
    expires_at: AwareDatetime | None = None
    scopes: tuple[str, ...] = ()
    refreshed_by: str | None = None
    tried_at: AwareDatetime | None = None
    data_ends_at: AwareDatetime | None = None

    @classmethod
    def issued(cls, answer: Token, now: datetime, scopes: Sequence[str], by: str) -> StoredToken:
        """Record a token that Meta has just issued."""
        expires = now + (answer.expires_in or LONG_LIVED_LIFETIME)
        return cls(answer.access_token, now, now, expires, tuple(scopes), by)

    @property
    def expires(self) -> datetime | None:
        """When the token is of no use any more, if known: it expires, or Meta gives it no data."""
        return min(filter(None, (self.expires_at, self.data_ends_at)), default=None)

    @property
    def end(self) -> str:
        """The end of the token in words, as a predicate of it."""
        if self.expires is None:
            return "does not expire" if self.scopes else "expires on an unknown day"
        day = f"{self.expires:%Y-%m-%d}"
        if self.expires == self.expires_at:
            return f"expires on {day}"
        return f"gets no data from {day} on, 90 days after its person last used the app"

    def with_info(self, info: TokenInfo) -> StoredToken:
        """Return the token with what Meta tells about it."""
        return replace(
            self,
            expires_at=info.expires_at,
            data_ends_at=info.data_access_ends_at,
            scopes=info.scopes,
        )

    def time_left(self, now: datetime) -> timedelta | None:
        """Return the remaining life of the token; negative once it has expired, None if it is unknown."""
        return None if self.expires is None else self.expires - now

    def lifetime(self, now: datetime) -> str:
        """Return the remaining life of the token in words. Meta told all of it if it told the scopes."""
        if (left := self.time_left(now)) is None:
            return "does not expire" if self.scopes else "unknown"
        return f"{left // timedelta(days=1)} days"

    def minimum_age(self, now: datetime) -> timedelta:
        """Return the age that the token has at least."""
        return now - (self.issued_at or self.seen_at)

    def is_due(self, now: datetime) -> bool:
        """Return whether to refresh: less than a third of the life is left, or the expiry date is unknown."""
        if self.minimum_age(now) < MIN_AGE_TO_REFRESH:
            return False
        if self.expires is None:
            return True
        life = self.expires - (self.issued_at or self.seen_at)
        return self.expires - now < life / 3

    def was_tried_within(self, span: timedelta, now: datetime) -> bool:
        """Return whether any process tried to refresh the token within this span."""
        return self.tried_at is not None and now - self.tried_at < span


_ROW: Final = TypeAdapter(StoredToken)


class TokenStore:
    """The token of one connection.

    It is encrypted with a key derived from the connection's password. Reading the Variable does not
    reveal the token, and a new token in the connection invalidates the stored one.

    :param token_key: An additional secret, ``[instagram] token_key``.
    :param is_masked: Whether the password is already masked in logs.
    """

    def __init__(
        self, conn_id: str, password: str, token_key: str = "", *, is_masked: bool = False
    ) -> None:
        self.variable = f"{VARIABLE_PREFIX}{conn_id}"
        self._fernet = derived_fernet(f"{password}\0{token_key}", f"token/{VERSION}/{conn_id}")
        self._masked_digest = _digest(password) if is_masked else b""

    def load(self) -> StoredToken | None:
        """Return the stored token, or None if none is stored for the connection's present password."""
        encrypted = _variables().get(self.variable, None)
        token = self.decrypt(str(encrypted)) if encrypted is not None else None
        if token is not None:
            self._mask(token)
        return token

    def save(self, token: StoredToken) -> None:
        """Store a token in place of the previous one."""
        self._mask(token)
        _variables().set(self.variable, self.encrypt(token), description=DESCRIPTION)

    def _mask(self, token: StoredToken) -> None:
        """Mask a token in logs, but only once: each message takes a full triggerer a tenth of a second."""
        if (digest := _digest(token.access_token)) != self._masked_digest:
            mask_secret(token.access_token)
            self._masked_digest = digest

    def encrypt(self, token: StoredToken) -> str:
        """Encrypt a token."""
        return self._fernet.encrypt(_ROW.dump_json(token)).decode()

    def decrypt(self, encrypted: str) -> StoredToken | None:
        """Decrypt a token, or return None if it is damaged or belongs to another password, key or connection."""
        try:
            return _ROW.validate_json(self._fernet.decrypt(encrypted.encode()))
        except (InvalidToken, ValueError):
            return None


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()


def configured_token_key() -> str:
    """Return ``[instagram] token_key``, or an empty text."""
    return str(conf.get("instagram", "token_key", fallback=""))


def stored_connections() -> list[str]:
    """Return the ids of the connections whose token is stored: all that were connected, used or refreshed."""
    return sorted(key.removeprefix(VARIABLE_PREFIX) for key in _stored_keys())


def _is_in_a_task() -> bool:
    """Return whether this is a task or a trigger, which reaches Variables through its supervisor."""
    return hasattr(sys.modules.get("airflow.sdk.execution_time.task_runner"), "SUPERVISOR_COMMS")


def _variables() -> Any:
    """Return the class ``Variable`` of this process: the task's, or the server's."""
    return import_module("airflow.sdk" if _is_in_a_task() else "airflow.models").Variable


def _stored_keys() -> list[str]:
    if _is_in_a_task():
        return list(_variables().keys(VARIABLE_PREFIX))
    from airflow.utils.session import create_session
    from sqlalchemy import select

    key = _variables().key
    with create_session() as session:
        return list(
            session.scalars(select(key).where(key.startswith(VARIABLE_PREFIX, autoescape=True)))
        )


def environment_connections() -> list[str]:
    """List the Instagram connections of this process's environment."""
    return sorted(
        name.removeprefix(_ENVIRONMENT).lower()
        for name, value in os.environ.items()
        if name.startswith(_ENVIRONMENT) and _is_instagram_connection(value)
    )


def visible_connections() -> list[str]:
    """List the connections that a task can find, because Airflow has no API that lists all connections to a task."""
    return sorted({*environment_connections(), *stored_connections()})


def _is_instagram_connection(value: str) -> bool:
    if not value.lstrip().startswith("{"):
        return value.startswith(f"{CONN_TYPE}:")
    try:
        return bool(json.loads(value).get("conn_type") == CONN_TYPE)
    except ValueError:
        return False
