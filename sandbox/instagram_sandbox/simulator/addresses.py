"""Recognize web addresses and loopback hosts."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

if TYPE_CHECKING:
    from instagram_sandbox.simulator.scopes import Login


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


def login_of_host(host: str) -> Login | None:
    """Return which login one of Meta's host names belongs to, or None for any other name."""
    logins: tuple[Login, ...] = ("facebook", "instagram")
    return next((login for login in logins if f".{host.lower()}".endswith(f".{login}.com")), None)
