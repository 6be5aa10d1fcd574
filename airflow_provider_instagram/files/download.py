"""Read from the web: a video from public servers only, a sheet, and the first byte of a link that Instagram fetches."""

from __future__ import annotations

import logging
import socket
import tempfile
import time
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias, TypeVar

import httpx
from airflow.sdk import conf

from airflow_provider_instagram.exceptions import (
    InstagramError,
    MediaNotFetchedError,
    TransientError,
    ValidationError,
)
from airflow_provider_instagram.files.scratch import require_space
from airflow_provider_instagram.utils.time_limit import within_timeout
from airflow_provider_instagram.utils.urls import Origin, ending, shown

T = TypeVar("T")
#: What is made of an answer and its address.
Use: TypeAlias = Callable[[httpx.Response, httpx.URL], T]
#: Checks an address, and returns where the request for it is sent.
Checked: TypeAlias = Callable[[httpx.URL], httpx.URL]

log = logging.getLogger(__name__)

MAX_REDIRECTS: Final = 5
CONNECT_TIMEOUT_S: Final = 10.0
STALL_TIMEOUT_S: Final = 30.0
TOTAL_TIMEOUT_S: Final = 3600.0
THREAD: Final = "instagram-download"
#: How long the check of a link may take.
CHECK_TIMEOUT_S: Final = 15.0
#: More of an ending says nothing of the format.
LONGEST_SUFFIX: Final = 6
#: Refusals that a server takes back by itself, beside those of 500 and more.
TEMPORARY: Final = (408, 425, 429)

#: Networks without public servers that ``ipaddress`` of some Python version calls global, each with
#: its source.
NOT_PUBLIC_V4: Final = (
    IPv4Network("168.63.129.16/32"),  # Microsoft Azure: the host of a virtual machine
    IPv4Network("192.0.0.0/24"),  # RFC 6890: protocols; Oracle Cloud's metadata is 192.0.0.192
    IPv4Network("192.88.99.0/24"),  # RFC 7526: relays of 6to4, deprecated
    IPv4Network("224.0.0.0/4"),  # RFC 5771: multicast
)
NOT_PUBLIC_V6: Final = (
    IPv6Network("2001::/23"),  # RFC 2928: protocols, among them Teredo (RFC 4380)
    IPv6Network("3fff::/20"),  # RFC 9637: documentation
)
#: The only IPv6 addresses that are assigned to servers so far. Source: IANA, IPv6 Address Space.
GLOBAL_UNICAST_V6: Final = IPv6Network("2000::/3")
LAST_32_BITS: Final = 0xFFFF_FFFF
#: Forms that a network may route to the IPv4 address that they contain, and the number of bits
#: after that address.
EMBEDDED_IPV4: Final = (
    (IPv6Network("::ffff:0:0/96"), 0),  # RFC 4291: IPv4-mapped
    (IPv6Network("64:ff9b::/96"), 0),  # RFC 6052: NAT64
    (IPv6Network("2002::/16"), 80),  # RFC 3056: 6to4
)
#: The beginning of the last 64 bits of an ISATAP address, in any network. Source: RFC 5214.
ISATAP: Final = (0x0000_5EFE, 0x0200_5EFE)


def download(
    url: str,
    folder: Path,
    *,
    max_bytes: int,
    total_s: float = TOTAL_TIMEOUT_S,
) -> Path:
    """Download a video into a folder, where it appears complete or not at all.

    :param url: An ``https://`` link. Its query may contain a signature, and is never shown.
    :param total_s: How long the whole download may take, in seconds: lookups, connections,
        handshakes, headers, bodies.
    """
    until_s = time.monotonic() + total_s
    with tempfile.TemporaryDirectory(prefix=".download-", dir=folder) as work:
        part = Path(work) / "part"

        def save(answer: httpx.Response, address: httpx.URL) -> None:
            _raise_for_status(answer, address)
            _save(answer, part, max_bytes, shown(url), until_s)

        _get(url, save, _secure, total_s=total_s)
        return part.replace(folder / f"source{ending(url)[:LONGEST_SUFFIX]}")


def read_web(
    url: str,
    checked: Checked,
    *,
    max_bytes: int,
    total_s: float,
) -> WebAnswer:
    """Read a small text from a web server that the deployment trusts, public or not.

    :param checked: Returns an address if it may be read, and raises an error if not. It is asked
        about each redirect, too.
    :param total_s: How long all of it may take, in seconds.
    :raises TransientError: If the server does not answer in time.
    :raises ValidationError: If it answers with too much, or redirects too often.
    """

    def read(answer: httpx.Response, _: httpx.URL) -> WebAnswer:
        body = bytearray()
        for block in answer.iter_raw():
            body += block
            if len(body) > max_bytes:
                raise ValidationError(
                    f"it has more than {max_bytes:,} bytes.", hint="Make it smaller."
                )
        return WebAnswer(answer.status_code, answer.headers, bytes(body))

    return _get(url, read, checked, total_s=total_s)


def check_link(link: str, kind: str) -> None:
    """Read the first byte behind a link, without redirects. A server that only Instagram can reach passes.

    :raises MediaNotFetchedError: If the server fails at this moment.
    :raises ValidationError: If it refuses, or answers with something else.
    """
    headers = {"Range": "bytes=0-0", "User-Agent": "airflow-provider-instagram"}
    try:
        answer = _get(
            link,
            lambda answer, _: answer,
            _public,
            total_s=CHECK_TIMEOUT_S,
            headers=headers,
            redirects=0,
        )
    except InstagramError as error:
        log.info("%s could not be checked from here: %s", shown(link), error.message)
        return
    if is_temporary(answer.status_code):
        raise MediaNotFetchedError(
            f"{shown(link)} answers {answer.status_code}.", hint="Its server must work again first."
        )
    if not answer.is_success:
        raise ValidationError(
            f"Instagram cannot fetch {shown(link)}, which answers {answer.status_code} to this worker as well.",
            hint="Check that the link is right, public, not expired, and without redirects.",
        )
    content_type = answer.headers.get("content-type", "no content type")
    if not content_type.lower().startswith(f"{kind}/"):
        raise ValidationError(
            f"Instagram cannot use {shown(link)}, which is served as {content_type[:80]}.",
            hint=f"Serve it with a content type that begins with {kind}/.",
        )


class WebAnswer(NamedTuple):
    """What a web server has answered."""

    status: int
    headers: httpx.Headers
    body: bytes


def _get(
    url: str,
    use: Use[T],
    checked: Checked,
    *,
    total_s: float,
    headers: dict[str, str] | None = None,
    redirects: int = MAX_REDIRECTS,
) -> T:
    """Return what ``use`` makes of the answer at the end of all redirects, and of its address.

    The transport is used without httpx's client, which would log every link with its signature.

    :param checked: Checks each address, and returns where the request for it is sent.
    :raises TransientError: If the server fails, or all of it takes longer than ``total_s``.
    """
    stall_s = min(STALL_TIMEOUT_S, total_s)  # nobody waits for the thread any more after that
    timeout = httpx.Timeout(stall_s, connect=min(stall_s, CONNECT_TIMEOUT_S)).as_dict()
    given = {"Accept": "*/*", "Accept-Encoding": "identity", **(headers or {})}

    def request_to(address: httpx.URL) -> httpx.Request:
        return httpx.Request(
            "GET",
            checked(address),
            headers={"Host": address.netloc.decode("ascii"), **given},
            extensions={"sni_hostname": address.host, "timeout": timeout},
        )

    _keep_headers_out_of_logs()
    try:
        return within_timeout(
            total_s, lambda: _follow(httpx.URL(url), use, request_to, redirects), THREAD
        )
    except TimeoutError:
        raise TransientError(
            f"The download of {shown(url)} was too slow and was stopped after {total_s:g} s.",
            hint="Use a faster server.",
        ) from None
    except httpx.TransportError as error:
        why = shown(str(error) or type(error).__name__)
        raise TransientError(
            f"{shown(url)} could not be downloaded: {why}.", hint="Check the link and try again."
        ) from None
    except httpx.InvalidURL:
        raise _not_valid() from None


def _follow(
    address: httpx.URL,
    use: Use[T],
    request_to: Callable[[httpx.URL], httpx.Request],
    redirects: int,
) -> T:
    """Return what ``use`` makes of the answer at the end of all redirects."""
    with httpx.HTTPTransport() as transport:
        for _ in range(redirects + 1):
            answer = transport.handle_request(request_to(address))
            try:
                if not redirects or not answer.has_redirect_location:
                    return use(answer, address)
                address = address.join(answer.headers["location"])
            finally:
                answer.close()
    raise ValidationError(
        f"{shown(str(address))} redirects more than {redirects} times.",
        hint="Use the final link.",
    )


def _save(answer: httpx.Response, part: Path, max_bytes: int, name: str, until_s: float) -> None:
    """Write an answer to a file, unless nobody waits for it any more."""
    length = answer.headers.get("content-length", "")
    announced = int(length) if length.isdigit() else 0
    received = 0
    require_space(part.parent, min(announced, max_bytes))
    with part.open("wb") as file:
        for block in answer.iter_raw():
            received += len(block)
            if max(announced, received) > max_bytes:
                raise ValidationError(
                    f"{name} is larger than {max_bytes:,} bytes.", hint="Use a smaller file."
                )
            if time.monotonic() > until_s:
                raise TimeoutError
            file.write(block)


def _secure(address: httpx.URL) -> httpx.URL:
    """Return a public address by its number, if it is one of https."""
    if address.scheme != "https":
        raise ValidationError(
            f"{shown(str(address))} is not an https:// link.",
            hint="Use an https:// link, or a local path.",
        )
    return _public(address)


def _public(address: httpx.URL) -> httpx.URL:
    """Return a public address by its number, so that a later change of the DNS name has no effect."""
    origin = Origin.of(str(address))
    if origin is None:
        raise _not_valid()
    try:
        entries = socket.getaddrinfo(address.host, origin.port, type=socket.SOCK_STREAM)
    except UnicodeError:  # no host has such a name
        raise _not_valid() from None
    except OSError as error:
        raise TransientError(
            f"The host {origin.host} could not be found: {error}.",
            hint="Check the link and try again.",
        ) from error
    ips = [str(entry[4][0]) for entry in entries]
    allows_private = conf.getboolean("instagram", "private_sources", fallback=False)
    for ip in ips:
        if not is_public(ip) and not allows_private:
            raise ValidationError(
                f"{origin.host} is {ip}, which is not a public address.",
                hint="Use a link to a public server. If every user who can start a run may read what this worker can "
                "reach, you can set [instagram] private_sources = True in Airflow's configuration.",
            )
    return address.copy_with(host=ips[0])


def _not_valid() -> ValidationError:
    return ValidationError(
        "The link is not valid.",
        hint="Use an https:// link without a user name and a password.",
    )


def _raise_for_status(answer: httpx.Response, address: httpx.URL) -> None:
    if answer.status_code == 200:
        return
    message = (
        f"{shown(str(address))} answered {answer.status_code} {answer.reason_phrase}".rstrip() + "."
    )
    if is_temporary(answer.status_code):
        raise TransientError(message, hint="Try again later.")
    raise ValidationError(message, hint="Check that the link is right, public and not expired.")


def is_temporary(status: int) -> bool:
    """Return whether a server takes a refusal back by itself."""
    return status in TEMPORARY or status >= 500


def _keep_headers_out_of_logs() -> None:
    """Drop httpcore's DEBUG logs of a download, because a server's headers contain signed links."""
    for name in ("httpcore.connection", "httpcore.http11"):
        logging.getLogger(name).addFilter(_is_of_another_thread)


def _is_of_another_thread(record: logging.LogRecord) -> bool:
    return record.threadName != THREAD


def is_public(ip: str) -> bool:
    """Return whether an address belongs to a public server.

    For an IPv6 address that contains an IPv4 address, the IPv4 address counts: a private server has
    several forms.

    :param ip: An IPv4 or IPv6 address, with or without a zone (``%eth0``).
    """
    address = ip_address(ip.partition("%")[0])
    if isinstance(address, IPv4Address):
        return address.is_global and not any(address in network for network in NOT_PUBLIC_V4)
    bits = int(address)
    for network, bits_after in EMBEDDED_IPV4:
        if address in network:
            return is_public(str(IPv4Address(bits >> bits_after & LAST_32_BITS)))
    if bits >> 32 & LAST_32_BITS in ISATAP and not is_public(str(IPv4Address(bits & LAST_32_BITS))):
        return False
    is_assigned = address in GLOBAL_UNICAST_V6 and address.is_global
    return is_assigned and not any(address in network for network in NOT_PUBLIC_V6)
