"""A certificate for https, by an authority of the sandbox's own, whose key is not kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import trustme

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

META: Final = (
    "graph.facebook.com",
    "graph.instagram.com",
    "api.instagram.com",
    "www.instagram.com",
    "www.facebook.com",
    "rupload.facebook.com",
)
"""Names that a client with constant hosts may be led here by."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """The files of a certificate. A client that trusts ``authority`` trusts the sandbox."""

    authority: Path
    certificate: Path
    key: Path


def certificate(folder: Path, names: Iterable[str]) -> Certificate:
    """Return the certificate in a folder, and make it if there is none.

    :param names: Host names and addresses, beside those of this machine and of Meta.
    """
    made = Certificate(folder / "authority.pem", folder / "server.pem", folder / "server.key")
    if not all(path.exists() for path in (made.authority, made.certificate, made.key)):
        _make(made, dict.fromkeys(("localhost", "127.0.0.1", "::1", *names, *META)))
    return made


def _make(files: Certificate, names: Iterable[str]) -> None:
    authority = trustme.CA()
    server = authority.issue_cert(*names)
    authority.cert_pem.write_to_path(files.authority)
    server.cert_chain_pems[0].write_to_path(files.certificate)
    files.key.touch(mode=0o600)
    server.private_key_pem.write_to_path(files.key)
