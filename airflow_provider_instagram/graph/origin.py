"""The hosts that may receive access tokens and app secrets."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import chain
from typing import Final
from urllib.parse import urlsplit

import httpx

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.graph.capabilities import MetaLogin
from airflow_provider_instagram.utils.urls import Origin

INSTAGRAM: Final = "https://graph.instagram.com"
FACEBOOK: Final = "https://graph.facebook.com"
#: Meta's Graph host of each login.
HOST_OF: Final = {
    MetaLogin.INSTAGRAM: INSTAGRAM,
    MetaLogin.FACEBOOK: FACEBOOK,
    MetaLogin.UNIFIED: FACEBOOK,
}
#: Meta's host for resumable uploads. Source: Meta, IG User Media reference, resumable uploads.
UPLOAD: Final = "https://rupload.facebook.com"
#: Meta's two login hosts: the consent page, and the exchange of the code.
CONSENT: Final = "https://www.instagram.com"
CODE: Final = "https://api.instagram.com"
#: Meta's consent page of Unified Login.
DIALOG: Final = "https://www.facebook.com"

GRAPH_HOSTS: Final = frozenset({"graph.instagram.com", "graph.facebook.com"})
LOGIN_HOSTS: Final = GRAPH_HOSTS | {"www.instagram.com", "api.instagram.com", "www.facebook.com"}


@dataclass(frozen=True, slots=True)
class TrustedHost:
    """One entry of ``[instagram] hosts``, for all ports if it names none."""

    host: str
    port: int | None
    plain_http: bool

    @classmethod
    def read(cls, entry: str, setting: str = "hosts") -> TrustedHost:
        """Read an entry of a setting: a host name, or a URL without a path."""
        url = entry if "://" in entry else f"https://{entry}"
        origin = Origin.of(url)
        if origin is None or not _has_no_path(url):
            shown = entry.rpartition("@")[2]  # the part before an @ may be a password
            raise ValidationError(
                f"[instagram] {setting} contains {shown!r}, which is neither a host name nor a URL without a path.",
                hint="Use a host such as graph.proxy.example.com, or http://sandbox:8077 to allow plain http.",
            )
        return cls(origin.host, urlsplit(url).port, origin.scheme == "http")

    def covers(self, origin: Origin) -> bool:
        """Return whether the entry names this origin."""
        return (
            origin.host == self.host
            and self.port in (None, origin.port)
            and (self.plain_http or origin.scheme == "https")
        )

    @property
    def csp_sources(self) -> tuple[str, ...]:
        """The entry in the syntax of a Content-Security-Policy."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        schemes = ("https", "http") if self.plain_http else ("https",)
        return tuple(f"{scheme}://{host}:{self.port or '*'}" for scheme in schemes)


@dataclass(frozen=True, slots=True)
class TrustedHosts:
    """The hosts that a deployment trusts with tokens and app secrets, beside Meta's and this machine."""

    entries: tuple[TrustedHost, ...] = ()

    @classmethod
    def read(cls, text: str) -> TrustedHosts:
        """Read ``[instagram] hosts``."""
        return cls(
            tuple(TrustedHost.read(entry.strip()) for entry in text.split(",") if entry.strip())
        )

    @property
    def csp_sources(self) -> list[str]:
        """All entries as a Content-Security-Policy spells them."""
        return list(chain.from_iterable(entry.csp_sources for entry in self.entries))

    def check(self, origin: Origin, what: str, meta_hosts: AbstractSet[str]) -> None:
        """Check that an origin is trusted."""
        if origin.is_loopback or any(entry.covers(origin) for entry in self.entries):
            return
        if origin.scheme == "http":
            raise ValidationError(
                f"{what} is {origin}, but plain http can be read by others on the network.",
                hint="Use https. Plain http is only allowed for this machine (127.0.0.1, localhost), and for hosts "
                "that [instagram] hosts in Airflow's configuration lists with http://.",
            )
        if origin.host not in meta_hosts:
            raise ValidationError(
                f"{what} is {origin}, which this Airflow does not trust with access tokens and app secrets.",
                hint=f"Correct it, or leave it empty for Meta's own host. If {origin.host} is yours, add it to "
                "[instagram] hosts in Airflow's configuration.",
            )


#: The trusted hosts without any configuration: Meta's hosts and this machine.
NO_EXTRA_HOSTS: Final = TrustedHosts()


def base_url(
    host: str | None,
    port: int | None = None,
    *,
    hosts: TrustedHosts = NO_EXTRA_HOSTS,
    what: str = "The host of the connection",
    meta_hosts: AbstractSet[str] = GRAPH_HOSTS,
) -> str:
    """Return the base URL of a host and a port, and check that they are trusted.

    :param host: Host name, or URL without a path. The default scheme is https. Empty means
        Instagram.
    :param port: Port to append, 1-65535. The default port of the scheme is omitted.
    :return: Scheme, host and port, without a slash at the end.
    """
    text = (host or "").strip() or INSTAGRAM
    url = text if "://" in text else f"https://{text}"
    origin = _origin(url, what)
    named = urlsplit(url).port
    if port is not None and named not in (None, port):
        raise ValidationError(
            f"{what} contains the port {named}, but the port field contains {port}.",
            hint="Remove one of them.",
        )
    if port is not None and not 0 < port < 65536:
        raise ValidationError(
            f"The port of the connection is {port}, which is not a valid port.",
            hint="Use a port from 1 to 65535, or leave it empty for 443.",
        )
    if port is not None:
        origin = Origin(origin.scheme, origin.host, port)
    hosts.check(origin, what, meta_hosts)
    return str(origin)


def login_host(host: str | None, hosts: TrustedHosts = NO_EXTRA_HOSTS) -> str | None:
    """Return the base URL that replaces Meta's two login hosts, or None if nothing replaces them."""
    if not (host or "").strip():
        return None
    return base_url(
        host, hosts=hosts, what="The OAuth host of the connection", meta_hosts=LOGIN_HOSTS
    )


def upload_url(uri: str, base: str) -> httpx.URL:
    """Check the upload URI, which receives the bytes of a video together with the token.

    :raises ValidationError: If the URI is neither on Meta's upload host nor on the origin of the
        connection.
    """
    origin = Origin.of(uri)
    if origin is None or str(origin) not in (UPLOAD, base):
        where = "is not an http address with a host" if origin is None else f"points to {origin}"
        raise ValidationError(
            f"The upload URI {where}, so no access token is sent there.",
            hint=f"Videos are uploaded only to {UPLOAD} or {base}. Check the host of the connection.",
        )
    return httpx.URL(uri)


def _origin(url: str, what: str) -> Origin:
    if "@" in url:
        raise ValidationError(
            f"{what} contains a user name or password.",
            hint="Remove it. The token belongs in the password field.",
        )
    origin = Origin.of(url)
    if origin is None:
        raise ValidationError(
            f"{what} is not an http address with a host.",
            hint=f"Use the form {INSTAGRAM}. Write an international name in its ASCII form, xn--….",
        )
    if not _has_no_path(url):
        raise ValidationError(
            f"{what}, {origin}, has a path or a query.",
            hint="Remove it. To set the API version, use api_version in the connection's extra fields.",
        )
    return origin


def _has_no_path(url: str) -> bool:
    return url.partition("://")[2].rstrip("/") == urlsplit(url).netloc
