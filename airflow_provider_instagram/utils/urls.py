"""Addresses and locations: what they are, which may be followed, and what of them may be shown.

A location is a web address, a local path, or a URI of object storage. One from an untrusted source
is read by one strict parser, :class:`Origin`. Its login and its query, which may hold a signature,
are in no message.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from airflow_provider_instagram.exceptions import ValidationError

#: Visible ASCII without the backslash, which browsers read as a slash and other parsers do not.
_VISIBLE: Final = re.compile(r"[!-\[\]-~]+")
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
#: Source: RFC 1035, 2.3.4.
_LONGEST_NAME: Final = 253
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_IN_BRACKETS: Final = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::[0-9]*)?")
_PORTS: Final = {"http": 80, "https": 443}
LOCAL_SCHEMES: Final = ("file", "local")


def spelled(signs: str) -> str:
    """Return a pattern for signs as they are, and as URLs, YAML, JSON and HTML spell them. It ignores case."""
    escapes = r"%(?:25)*|\\x|\\u00|\\U000000|&\#x0*"
    each = (rf"{re.escape(sign)}|(?:{escapes}){ord(sign):x};?|&\#0*{ord(sign)};" for sign in signs)
    return "|".join(each)


SLASH: Final = rf"{spelled('/')}|&sol;"
QUESTION_MARK: Final = rf"{spelled('?')}|&quest;"
_SLASH: Final = rf"(?:{SLASH}|\\)"
_COLON, _AT, _EQUALS = (f"(?:{spelled(sign)})" for sign in ":@=")
#: How a web address begins, with or without its scheme; any other one, such as that of an object in
#: a storage.
_WEB: Final = rf"https?{_COLON}{_SLASH}*|(?<![\w.~/\\:]){_SLASH}{{2}}"
_ADDRESS: Final = re.compile(rf"{_WEB}|{_COLON}{_SLASH}{{2}}", re.IGNORECASE)
#: A text that is one location, so that white space does not end its query.
_WHOLE: Final = re.compile(
    rf"\s*(?:(?:[a-z][a-z0-9+.-]*::?)*{_SLASH}{{2}}|https?{_COLON})[^…]*\Z", re.IGNORECASE
)
_NAMED: Final = rf"(?=[\w.~-]{{1,99}}{_EQUALS})"
#: Where the path of an address ends, and what follows may be a signature.
_PATH_ENDS: Final = re.compile(
    rf"[?\#;]|{QUESTION_MARK}|(?:{spelled('#;&')}){_NAMED}|(?:\bsig|signature|token){_EQUALS}",
    re.IGNORECASE,
)
#: The same in a word that does not begin as an address.
_SIGNED: Final = re.compile(
    rf"(?:{spelled('?#;&')}){_NAMED}|(?:\bsig|signature|token|secret|password|credential){_EQUALS}",
    re.IGNORECASE,
)
#: A user name and a password, as far as the next slash. Of other addresses than web addresses, a
#: name alone is that of a connection.
_LOGIN: Final = re.compile(
    rf"({_WEB}|(?!://){_COLON}{_SLASH}{{2}}(?=[^/@\s]{{0,99}}{_COLON}))([^/\\?\#\s]{{0,500}}){_AT}",
    re.IGNORECASE,
)
#: A password with slashes, as a secret key of AWS may have. A number and a slash are a port. Beyond
#: a slash, 200 characters are searched: a location may be long.
_PASSWORD: Final = re.compile(r"(?<=//)([^/?#@:\s]*:(?!\d*(?:[/?#]|\Z))(?:\S{0,200}|[^/\s]*))@")
#: A text in quotes, or a word.
_PART: Final = re.compile(r"""(?<!\S)(?:"[^"]*"|'[^']*')|\S+""")
#: What ends a sentence or a quotation rather than a query.
_CLOSING: Final = "'\"].,:;)}>"
#: Longer locations are cut off when they are shown.
LONGEST_SHOWN: Final = 300


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
            port = parts.port
            host = _host(parts.netloc, parts.hostname or "")
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
        return f"{self.scheme}://{host}" + (
            "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        )


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
    return (
        host if "@" not in netloc and len(host) <= _LONGEST_NAME and _NAME.fullmatch(host) else None
    )


def is_web(location: str) -> bool:
    """Return whether a location is a web address."""
    return location.lower().startswith(("https://", "http://"))


def is_public_url(location: str) -> bool:
    """Return whether Instagram may get a location: https, or http on this machine for a local sandbox."""
    return safe_link(location) is not None


def is_local(location: str) -> bool:
    """Return whether a location is a path on this machine, plain or as ``file://`` in any form.

    :raises ValidationError: If the location is not a valid address.
    """
    return "://" not in location or _parts(location).scheme in LOCAL_SCHEMES


def local_path(location: str) -> Path:
    """Return the path of a local location."""
    return Path(unquote(_parts(location).path)) if "://" in location else Path(location)


def ending(location: str) -> str:
    """Return the end of the name of a file, such as ``.jpg``, in lower case. Empty if it has none."""
    path = re.split("[?#]", location, maxsplit=1)[0] if is_web(location) else location
    return os.path.splitext(path)[1].lower()  # noqa: PTH122 -- for thousands of posts, pathlib is slow


def shown(location: str) -> str:
    """Return a location as it may be logged: without a login and without a query, which may hold a signature."""
    public = _public(location) if _WHOLE.match(location) else shown_in(location)
    return public if len(public) <= LONGEST_SHOWN else f"{public[:LONGEST_SHOWN]}…"


def shown_in(text: str) -> str:
    """Return a text with each address in it as :func:`shown` returns it."""
    return _PART.sub(lambda part: _public(part[0]), text)


def secrets_in(location: str) -> tuple[str, ...]:
    """Return the parts of a location that :func:`shown` leaves out."""
    logins = [login for _, login in _LOGIN.findall(location)]
    secrets = [*logins, *_PASSWORD.findall(location), location[_path_ends(location) :]]
    return tuple(dict.fromkeys(filter(None, secrets)))


def _public(address: str) -> str:
    public = _PASSWORD.sub("…@", _LOGIN.sub(r"\1", address))
    ends = _path_ends(public)
    query = public[ends:]
    closing = query[len(query.rstrip(_CLOSING)) :]
    # there is nothing to hide, or it is hidden already
    return public if query in (closing, f"…{closing}") else f"{public[:ends]}…{closing}"


def _path_ends(address: str) -> int:
    """Return the index after the sign that begins the query of an address in a text, or the length of the text."""
    begins = _ADDRESS.search(address)
    ends = _PATH_ENDS.search(address, begins.end()) if begins else _SIGNED.search(address)
    return ends.end() if ends else len(address)


def _parts(location: str) -> SplitResult:
    try:
        return urlsplit(location)
    except ValueError:
        raise ValidationError(
            f"{shown(location)} is not a valid address.",
            hint="Correct the part between :// and the next slash. Only an IPv6 address may be in brackets.",
        ) from None
