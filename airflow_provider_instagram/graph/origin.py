"""Where access tokens and app secrets may go, and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import httpx

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.graph.addresses import Origin

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

INSTAGRAM: Final = "https://graph.instagram.com"
FACEBOOK: Final = "https://graph.facebook.com"
#: Meta's host for resumable uploads. Source: Meta, IG User Media reference, resumable uploads.
UPLOAD: Final = "https://rupload.facebook.com"
#: Meta's two hosts for logins: the page where a person agrees, and the exchange of the code.
CONSENT: Final = "https://www.instagram.com"
CODE: Final = "https://api.instagram.com"

GRAPH_HOSTS: Final = frozenset({"graph.instagram.com", "graph.facebook.com"})
LOGIN_HOSTS: Final = GRAPH_HOSTS | {"www.instagram.com", "api.instagram.com"}


@dataclass(frozen=True, slots=True)
class TrustedHost:
    """One entry of ``[instagram] hosts``.

    :param host: Host name or IP address.
    :param port: The one port that is trusted; None means every port.
    :param plain_http: Whether plain http will do.
    """

    host: str
    port: int | None
    plain_http: bool

    @classmethod
    def read(cls, entry: str) -> TrustedHost:
        """Read an entry: a host name, or a URL without a path.

        :raises ValidationError: The entry is neither.
        """
        url = entry if "://" in entry else f"https://{entry}"
        origin = Origin.of(url)
        if origin is None or not _is_bare(url):
            shown = entry.rpartition("@")[2]  # what stands before an @ may be a password
            raise ValidationError(
                f"[instagram] hosts holds {shown!r}, which is neither a host name nor a URL without a path.",
                hint="Write a host like graph.proxy.example.com, or like http://sandbox:8077 to permit plain http.",
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
        """The entry as a Content-Security-Policy spells it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        schemes = ("https", "http") if self.plain_http else ("https",)
        return tuple(f"{scheme}://{host}:{self.port or '*'}" for scheme in schemes)


@dataclass(frozen=True, slots=True)
class TrustedHosts:
    """The hosts that a deployment trusts with tokens and app secrets, beside Meta's and this machine.

    :param entries: What ``[instagram] hosts`` names.
    """

    entries: tuple[TrustedHost, ...] = ()

    @classmethod
    def read(cls, text: str) -> TrustedHosts:
        """Read ``[instagram] hosts``.

        :param text: Entries, separated by commas.
        :raises ValidationError: An entry is not a host.
        """
        return cls(tuple(TrustedHost.read(entry.strip()) for entry in text.split(",") if entry.strip()))

    @property
    def csp_sources(self) -> list[str]:
        """All entries as a Content-Security-Policy spells them."""
        return [source for entry in self.entries for source in entry.csp_sources]

    def check(self, origin: Origin, what: str, metas: AbstractSet[str]) -> None:
        """Refuse an origin that is not trusted.

        :param origin: Where a token or an app secret would go.
        :param what: What names it, as the beginning of a sentence.
        :param metas: The hosts of Meta that will do.
        :raises ValidationError: The host is not trusted, or plain http is not.
        """
        if origin.is_loopback or any(entry.covers(origin) for entry in self.entries):
            return
        if origin.scheme == "http":
            raise ValidationError(
                f"{what} is {origin}: what is sent by plain http can be read on the way.",
                hint="Use https. Plain http is for this machine (127.0.0.1, localhost), and for hosts that "
                "[instagram] hosts in Airflow's configuration names with http://.",
            )
        if origin.host not in metas:
            raise ValidationError(
                f"{what} is {origin}, which this Airflow does not trust with access tokens and app secrets.",
                hint=f"Correct it; empty means Meta's own host. If {origin.host} is yours, add it to "
                "[instagram] hosts in Airflow's configuration.",
            )


#: What is trusted where nothing is configured: Meta's hosts and this machine.
NO_OTHERS: Final = TrustedHosts()


def base_url(
    host: str | None,
    port: int | None = None,
    *,
    hosts: TrustedHosts = NO_OTHERS,
    what: str = "The host of the connection",
    metas: AbstractSet[str] = GRAPH_HOSTS,
) -> str:
    """Return the base URL that a host and a port make, once they are trusted.

    :param host: Host name or URL without a path; https is assumed. Empty means Instagram.
    :param port: Port to append, 1-65535; the scheme's own is left out.
    :param hosts: The hosts that the deployment trusts, beside Meta's and this machine.
    :param what: What names the host, as the beginning of a sentence.
    :param metas: The hosts of Meta that will do.
    :return: Scheme, host and port, without a slash at the end.
    :raises ValidationError: A token must not be sent there.
    """
    text = (host or "").strip() or INSTAGRAM
    url = text if "://" in text else f"https://{text}"
    origin, named = _origin(url, what), urlsplit(url).port
    if port is not None and named not in (None, port):
        raise ValidationError(
            f"{what} names the port {named}, and the port beside it is {port}.", hint="Leave one of them out."
        )
    if port is not None and not 0 < port < 65536:
        raise ValidationError(f"The port of the connection is {port}.", hint="Ports are 1-65535; empty means 443.")
    if port is not None:
        origin = Origin(origin.scheme, origin.host, port)
    hosts.check(origin, what, metas)
    return str(origin)


def login_host(host: str | None, hosts: TrustedHosts = NO_OTHERS) -> str | None:
    """Return what replaces Meta's two login hosts, once it is trusted; None when nothing does.

    :param host: The connection's ``oauth_host``.
    :param hosts: The hosts that the deployment trusts, beside Meta's and this machine.
    :raises ValidationError: An app secret must not be sent there.
    """
    if not (host or "").strip():
        return None
    return base_url(host, hosts=hosts, what="The OAuth host of the connection", metas=LOGIN_HOSTS)


def upload_url(uri: str, base: str) -> httpx.URL:
    """Check where the bytes of a video, and the token with them, are about to go.

    :param uri: Upload URI as Instagram gave it.
    :param base: Base URL of the connection.
    :return: The same URI, parsed.
    :raises ValidationError: It is neither Meta's upload host nor on the origin of the connection.
    """
    origin = Origin.of(uri)
    if origin is None or str(origin) not in (UPLOAD, base):
        where = "is not an http address with a host" if origin is None else f"points to {origin}"
        raise ValidationError(
            f"The upload URI {where}, so no access token is sent there.",
            hint=f"Videos go to {UPLOAD} or to {base} only. Check the host of the connection.",
        )
    return httpx.URL(uri)


def _origin(url: str, what: str) -> Origin:
    if "@" in url:
        raise ValidationError(
            f"{what} holds a user name or password.", hint="Leave it out: the token is in the password field."
        )
    origin = Origin.of(url)
    if origin is None:
        raise ValidationError(
            f"{what} is not an http address with a host.",
            hint=f"Write it like {INSTAGRAM}; an international name in its ASCII form, xn--….",
        )
    if not _is_bare(url):
        raise ValidationError(
            f"{what}, {origin}, has a path or a query behind it.",
            hint="Leave it out; the API version is set by api_version in the connection's extra fields.",
        )
    return origin


def _is_bare(url: str) -> bool:
    """Return whether a URL ends behind its host and port."""
    return url.partition("://")[2].rstrip("/") == urlsplit(url).netloc
