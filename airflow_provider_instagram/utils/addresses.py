"""Web addresses from untrusted sources, parsed by one strict parser and never passed on unchecked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Final
from urllib.parse import urlsplit

#: Visible ASCII without the backslash, which browsers read as a slash and other parsers do not.
_VISIBLE: Final = re.compile(r"[!-\[\]-~]+")
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
#: Source: RFC 1035, 2.3.4.
_LONGEST_NAME: Final = 253
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_IN_BRACKETS: Final = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::[0-9]*)?")
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port of an address, in normalised form.

    :param host: Host name or IP address in lower-case ASCII, without brackets.
    :param port: The port, even if it is the scheme's default.
    """

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, address: str | None) -> Origin | None:
        """Return the origin of an address, or None for anything but a plain http or https address with a host."""
        if address is None or not _VISIBLE.fullmatch(address):
            return None
        try:
            parts = urlsplit(address)
            port, host = parts.port, _host(parts.netloc, parts.hostname or "")
        except ValueError:
            return None
        if parts.scheme not in _PORTS or host is None or port == 0:
            return None
        return cls(parts.scheme, host, port or _PORTS[parts.scheme])

    @property
    def is_loopback(self) -> bool:
        """Whether the host can only mean this machine."""
        return is_loopback(self.host)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port == _PORTS[self.scheme] else f":{self.port}")


def is_loopback(host: str) -> bool:
    """Return whether a host name can only mean this machine."""
    try:
        address = ip_address(host)
        # Python 3.13 and newer count an IPv4 address inside an IPv6 address, older ones do not.
        return address.is_loopback and getattr(address, "ipv4_mapped", None) is None
    except ValueError:
        return host == "localhost"


def web_address(text: str | None) -> str | None:
    """Return an http or https address as it is, or None when `text` is anything else, such as ``javascript:…``."""
    return text if Origin.of(text) is not None else None


def safe_link(text: str | None) -> str | None:
    """Return an address that a page may link to, or None: https, and http on this machine."""
    origin = Origin.of(text)
    return text if origin is not None and (origin.scheme == "https" or origin.is_loopback) else None


def _host(netloc: str, host: str) -> str | None:
    if "[" in netloc:
        match = _IN_BRACKETS.fullmatch(netloc)
        return IPv6Address(match[1]).compressed if match else None
    return host if "@" not in netloc and len(host) <= _LONGEST_NAME and _NAME.fullmatch(host) else None
