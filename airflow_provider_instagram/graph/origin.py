"""Where an access token may go, and nowhere else."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final

import httpx

from airflow_provider_instagram.exceptions import ValidationError

INSTAGRAM: Final = "https://graph.instagram.com"
FACEBOOK: Final = "https://graph.facebook.com"
#: Meta's host for resumable uploads. Source: Meta, IG User Media reference, resumable uploads.
UPLOAD: Final = "https://rupload.facebook.com"


def base_url(host: str | None, port: int | None = None) -> str:
    """Make the host and port of a connection the base URL of the Graph API.

    :param host: Host name or URL without a path; https is assumed, http is for loopback only. Empty means Instagram.
    :param port: Port to append, 1-65535; the scheme's own is left out.
    :return: Scheme, host and port, without a slash at the end.
    :raises ValidationError: A token must not be sent there.
    """
    text = (host or "").strip() or INSTAGRAM
    url = _url(text if "://" in text else f"https://{text}", "host of the connection")
    if url.path not in ("", "/") or url.query or url.fragment:
        raise ValidationError(
            f"The host of the connection, {_origin(url)}, has a path or a query behind it.",
            hint="Leave it out; the API version is set by api_version in the connection's extra fields.",
        )
    if port is not None and url.port not in (None, port):
        raise ValidationError(
            f"The connection names two ports, {url.port} in its host and {port} beside it.", hint="Leave one out."
        )
    port = url.port if port is None else port
    if port is not None and not 0 < port < 65536:
        raise ValidationError(f"The port of the connection is {port}.", hint="Ports are 1-65535; empty means 443.")
    url = url.copy_with(port=port)
    return _origin(url)


def upload_url(uri: str, base: str) -> httpx.URL:
    """Check where the bytes of a video, and the token with them, are about to go.

    :param uri: Upload URI as Instagram gave it.
    :param base: Base URL of the connection.
    :return: The same URI, parsed.
    :raises ValidationError: It is neither Meta's upload host nor on the origin of the connection.
    """
    url = _url(uri, "upload URI")
    if _origin(url) not in (UPLOAD, base):
        raise ValidationError(
            f"The upload URI points to {_origin(url)}, where no access token is sent.",
            hint=f"Videos go to {UPLOAD} or to {base} only. Check the host of the connection.",
        )
    return url


def is_loopback(host: str) -> bool:
    """Whether a host name can only mean this machine.

    :param host: Host name or IP address.
    """
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _url(text: str, what: str) -> httpx.URL:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise ValidationError(f"The {what} is not a URL: {error}.", hint=f"An example: {INSTAGRAM}") from None
    if url.userinfo:
        raise ValidationError(
            f"The {what} holds a user name or password.", hint="Leave it out: the token is in the password field."
        )
    if not url.host or url.scheme not in ("http", "https"):
        raise ValidationError(f"The {what} is not an http address with a host.", hint=f"An example: {INSTAGRAM}")
    if url.scheme == "http" and not is_loopback(url.host):
        raise ValidationError(
            f"The {what} is {_origin(url)}: a token sent by http can be read on the way.",
            hint="Use https. Plain http is for this machine (127.0.0.1, localhost) only.",
        )
    return url


def _origin(url: httpx.URL) -> str:
    return str(httpx.URL(scheme=url.scheme, host=url.host, port=url.port))
