"""What a location is: a web address, a local path, or a URI of object storage."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from airflow_provider_instagram.exceptions import ValidationError

LOCAL_SCHEMES = ("file", "local")
#: A web address. Its user name and password, and everything after its path, may be secret, but for the … of one that is
#: shown already.
WEB_ADDRESS: Final = re.compile(
    r"(https?:[/\\]+)(?:([^/?#\s]*)@)?([^?#]*)(?:([?#])(?!…['\"\].,:;)}]*\Z)(.*))?", re.IGNORECASE | re.DOTALL
)
#: A user name with a password, which may contain slashes, as a secret key of AWS does. A name alone is that of a
#: connection; a number and a slash are a port. Beyond a slash, 200 characters are searched: a location may be long.
PASSWORD: Final = re.compile(r"(?<=://)[^/?#@:\s]*:(?!\d*/)(?:[^?#\s]{0,200}|[^/?#\s]*)@")
#: Longer locations are cut off when they are shown.
LONGEST_SHOWN: Final = 300


def is_web(location: str) -> bool:
    """Return whether a location is a web address."""
    return location.lower().startswith(("https://", "http://"))


def is_public_url(location: str) -> bool:
    """Return whether Instagram may get a location: https, ASCII, no white space. Plain http is for a local sandbox."""
    if not location.isascii() or re.search(r"\s", location):
        return False
    try:
        parts = _parts(location)
    except ValidationError:
        return False
    if not parts.hostname or "\\" in location:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1"))


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
    """Return a location as it may be logged: a web address without its query, which may hold a signature."""
    public = WEB_ADDRESS.sub(
        lambda found: f"{found[1]}{found[3]}{found[4]}…" if found[4] else found[1] + found[3], location
    )
    public = PASSWORD.sub("…@", public)
    return public if len(public) <= LONGEST_SHOWN else f"{public[:LONGEST_SHOWN]}…"


def secrets_in(location: str) -> tuple[str, ...]:
    """Return the parts of a location that :func:`shown` leaves out."""
    found, password = WEB_ADDRESS.search(location), PASSWORD.search(location)
    parts = (found and found[2], found and found[5], password and password[0].removesuffix("@"))
    return tuple(dict.fromkeys(part for part in parts if part))


def _parts(location: str) -> SplitResult:
    try:
        return urlsplit(location)
    except ValueError:
        raise ValidationError(
            f"{shown(location)} is not a valid address.",
            hint="Correct the part between :// and the next slash. Only an IPv6 address may be in brackets.",
        ) from None
