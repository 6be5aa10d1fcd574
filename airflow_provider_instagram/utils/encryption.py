"""Encryption with keys that are derived from secrets which all components of an Airflow share."""

from __future__ import annotations

import base64

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def derived_fernet(secret: str, purpose: str) -> Fernet:
    """Return the encryption for one purpose. Its key is derived with HKDF, so none reads the texts of another.

    :param purpose: What is encrypted, and the version of its format. A change makes stored texts
        unreadable.
    """
    info = f"airflow-provider-instagram/{purpose}".encode()
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret.encode())
    return Fernet(base64.urlsafe_b64encode(key))
