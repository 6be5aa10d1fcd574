"""Refreshed access tokens, kept encrypted where a task may write: an Airflow Variable."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass, field
from datetime import datetime

from airflow.sdk import Variable
from airflow.sdk.log import mask_secret
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

VERSION = "1"


@dataclass(frozen=True)
class StoredToken:
    """A refreshed access token.

    :param access_token: The token itself.
    :param issued_at: When Meta issued it, ISO 8601 in UTC.
    :param expires_at: When it ends, ISO 8601 in UTC.
    :param refreshed_by: The task instance that refreshed it.
    """

    access_token: str = field(repr=False)
    issued_at: str
    expires_at: str
    refreshed_by: str

    @property
    def issued(self) -> datetime:
        """When Meta issued it."""
        return datetime.fromisoformat(self.issued_at)

    @property
    def expires(self) -> datetime:
        """When it ends."""
        return datetime.fromisoformat(self.expires_at)


class TokenStore:
    """The refreshed token of one connection.

    It is encrypted under a key made from the connection's own password: reading Variables gives nothing, and pasting a
    new token into the connection makes the stored one void by itself.

    :param conn_id: The connection.
    :param password: The access token that stands in the connection.
    :param token_key: An additional secret, ``[instagram] token_key``.
    """

    def __init__(self, conn_id: str, password: str, token_key: str = "") -> None:
        self.variable = f"instagram_access_token__{conn_id}"
        derived = HKDF(
            algorithm=SHA256(),
            length=32,
            salt=None,
            info=f"airflow-provider-instagram/token/{VERSION}/{conn_id}".encode(),
        ).derive(f"{password}\0{token_key}".encode())
        self._fernet = Fernet(base64.urlsafe_b64encode(derived))

    def load(self) -> StoredToken | None:
        """Read the stored token, or None when there is none for the connection's present password."""
        sealed = Variable.get(self.variable, default=None)
        token = self.opened(sealed) if sealed is not None else None
        if token is not None:
            mask_secret(token.access_token)
        return token

    def save(self, token: StoredToken) -> None:
        """Keep a token in place of the one before it."""
        mask_secret(token.access_token)
        Variable.set(
            self.variable,
            self.sealed(token),
            description="Refreshed Instagram access token, encrypted. Made by airflow-provider-instagram.",
        )

    def sealed(self, token: StoredToken) -> str:
        """Encrypt a token."""
        return self._fernet.encrypt(json.dumps(asdict(token)).encode()).decode()

    def opened(self, sealed: str) -> StoredToken | None:
        """Decrypt a token, or None when it was sealed under another password, key or connection."""
        try:
            return StoredToken(**json.loads(self._fernet.decrypt(sealed.encode())))
        except InvalidToken:
            return None
