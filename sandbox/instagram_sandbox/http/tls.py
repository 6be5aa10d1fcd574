"""A certificate for https, by an authority of the sandbox's own, whose key is not kept."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Final

from instagram_sandbox.simulator.addresses import is_ip_address

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

NO_CRYPTOGRAPHY: Final = (
    "--tls needs the package cryptography: pip install 'instagram-sandbox[tls]'"
)
VALID: Final = timedelta(days=800)
META: Final = (
    *(
        "graph.facebook.com",
        "graph.instagram.com",
        "api.instagram.com",
        "www.instagram.com",
        "www.facebook.com",
    ),
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
    :raises ImportError: The package cryptography is missing.
    """
    made = Certificate(folder / "authority.pem", folder / "server.pem", folder / "server.key")
    if not all(path.exists() for path in (made.authority, made.certificate, made.key)):
        _make(made, dict.fromkeys(("localhost", "127.0.0.1", "::1", *names, *META)))
    return made


def _make(files: Certificate, names: Iterable[str]) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID

    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in "ab")
    authority, server = (
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        for name in ("Authority of an instagram-sandbox", "instagram-sandbox")
    )
    now = datetime.now(timezone.utc)
    usages = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
    )
    usage = dict.fromkeys(
        (*usages, "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"), False
    )
    of_authority = x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key())

    def builder(subject: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return x509.CertificateBuilder(
            authority,
            subject,
            public,
            x509.random_serial_number(),
            now - timedelta(days=1),
            now + VALID,
        )

    of_itself = (
        builder(authority, authority_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.KeyUsage(**usage | {"key_cert_sign": True, "crl_sign": True}), critical=True
        )
        .add_extension(of_authority, critical=False)
    )
    addresses = [name for name in names if is_ip_address(name)]
    alternatives = [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
    hosts = [x509.DNSName(name) for name in names if name not in addresses]
    of_server = (
        builder(server, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([*hosts, *alternatives]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(of_authority),
            critical=False,
        )
    )
    pem = serialization.Encoding.PEM
    files.authority.write_bytes(of_itself.sign(authority_key, hashes.SHA256()).public_bytes(pem))
    files.certificate.write_bytes(of_server.sign(authority_key, hashes.SHA256()).public_bytes(pem))
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    files.key.touch(mode=0o600)
    files.key.write_bytes(secret)
