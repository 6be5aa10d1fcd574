"""Meta's hosts, and how web addresses and loopback hosts are recognized."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from instagram_sandbox.simulator.scopes import Login

INSTAGRAM = "https://graph.instagram.com"
FACEBOOK = "https://graph.facebook.com"
UPLOADS = "https://rupload.facebook.com"
GRAPH_HOSTS = frozenset({"graph.instagram.com", "graph.facebook.com", "graph-video.facebook.com"})
UPLOAD_HOSTS = frozenset({"rupload.facebook.com"})


def web_address(text: str) -> SplitResult | None:
    """Return the parts of a URL in visible US-ASCII characters, or None if it is not valid."""
    if not re.fullmatch(r"[!-~]+", text):
        return None
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises if the port is not valid
    except ValueError:
        return None
    if "[" in parts.netloc and not re.fullmatch(r"\[[0-9A-Fa-f:.]+\](:[0-9]*)?", parts.netloc):
        return None
    return parts if parts.scheme in {"http", "https"} and parts.hostname else None


def is_ip_address(host: str) -> bool:
    """Return whether a host is an IP address, without brackets."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Return whether a host can only mean this machine."""
    return ip_address(host).is_loopback if is_ip_address(host) else host == "localhost"


def origin(text: str) -> str:
    """Return the origin that a host name or an address names: https, or http on this machine.

    :raises ValueError: It names none, or http elsewhere.
    """
    parts = web_address(text if "://" in text else f"https://{text}")
    if parts is None or parts.path.strip("/") or parts.query or "@" in parts.netloc:
        raise ValueError(f"{text!r} is not a host: give one such as graph.facebook.com")
    if parts.scheme == "http" and not is_loopback(str(parts.hostname)):
        raise ValueError(f"{text!r} is http, by which others could read the token: give https")
    return f"{parts.scheme}://{parts.netloc.lower()}"


def login_of_host(host: str) -> Login | None:
    """Return which login one of Meta's host names belongs to, or None for any other name."""
    logins: tuple[Login, ...] = ("facebook", "instagram")
    return next((login for login in logins if f".{host.lower()}".endswith(f".{login}.com")), None)


def metas_host(headers: Mapping[str, str]) -> str:
    """Return which of Meta's hosts a client has called, by a redirect helper's header or by ``Host``; else nothing."""
    named = headers.get("x-meta-host") or headers.get("host", "").partition(":")[0]
    return named.lower() if login_of_host(named) else ""
