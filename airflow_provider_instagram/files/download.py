"""Download a video over https, from public servers only, and check links that Instagram fetches."""

from __future__ import annotations

import logging
import re
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Final

import httpx
from airflow.sdk import conf

from airflow_provider_instagram.exceptions import InstagramError, MediaNotFetchedError, TransientError, ValidationError
from airflow_provider_instagram.files.scratch import require_space
from airflow_provider_instagram.utils.locations import shown
from airflow_provider_instagram.utils.time_limit import Cancel, Connections, run_with_time_limit

log = logging.getLogger(__name__)

MAX_REDIRECTS: Final = 5
CONNECT_TIMEOUT_S: Final = 10.0
STALL_TIMEOUT_S: Final = 30.0
TOTAL_TIMEOUT_S: Final = 3600.0
THREAD: Final = "instagram-download"
#: How long the check of a link may take.
CHECK_TIMEOUT_S: Final = 15.0
#: Refusals that a server takes back by itself, beside those of 500 and more.
TEMPORARY: Final = (408, 425, 429)

#: Networks without public servers that ``ipaddress`` of some Python version calls global, each with its source.
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
#: Forms that a network may route to the IPv4 address that they contain, and the number of bits after that address.
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
    cancel: Cancel | None = None,
    total_s: float = TOTAL_TIMEOUT_S,
    stall_s: float = STALL_TIMEOUT_S,
) -> Path:
    """Download a video into a folder, where it appears complete or not at all.

    :param url: An ``https://`` link. Its query may contain a signature, and is never shown.
    :param total_s: How long the whole download may take, in seconds: lookups, connections, handshakes, headers, bodies.
    :param stall_s: How long the server may send nothing, in seconds.
    """
    address = _address(url)
    cancel = cancel or Cancel()
    _keep_headers_out_of_logs()
    with tempfile.TemporaryDirectory(prefix=".download-", dir=folder) as work:
        part = Path(work) / "part"
        job = _Download(address, part, max_bytes, stall_s)
        try:
            run_with_time_limit(job.run, total_s, cancel, THREAD)
        except TimeoutError:
            raise TransientError(
                f"The download of {_public_link(address)} was too slow and was stopped after {total_s:g} s.",
                hint="Use a faster server.",
            ) from None
        except httpx.TransportError as error:
            why = str(error) or type(error).__name__
            raise TransientError(
                f"{_public_link(address)} could not be downloaded: {why}.", hint="Check the link and try again."
            ) from error
        return part.replace(folder / f"source{_suffix(address)}")


def read_web(
    url: str, headers: dict[str, str], check: Callable[[str], None], *, max_bytes: int, total_s: float
) -> WebAnswer:
    """Read a small text from a web server that the deployment trusts, public or not.

    :param check: Raises an error for an address that may not be read. It is asked about each redirect, too.
    :param total_s: How long all of it may take, in seconds.
    :raises TransientError: If the server does not answer in time.
    :raises ValidationError: If it answers with too much, or redirects too often.
    """
    answers: list[WebAnswer] = []
    _keep_headers_out_of_logs()

    def ask(connections: Connections) -> None:
        def request(address: httpx.URL) -> httpx.Request:
            check(str(address))
            given = {"Host": address.netloc.decode("ascii"), "Accept-Encoding": "identity", **headers}
            extensions = {"timeout": httpx.Timeout(total_s).as_dict(), "trace": connections.trace}
            return httpx.Request("GET", address, headers=given, extensions=extensions)

        with _followed(httpx.URL(url), request, httpx.URL.join) as (answer, _):
            answers.append(WebAnswer(answer.status_code, answer.headers, _body(answer, max_bytes)))

    try:
        run_with_time_limit(ask, total_s, Cancel(), THREAD)
    except TimeoutError:
        raise TransientError(f"it has not answered within {total_s:g} s.", hint="Use a faster server.") from None
    except (httpx.TransportError, httpx.InvalidURL) as error:
        raise TransientError(shown(str(error) or type(error).__name__), hint="Check the link.") from None
    return answers[0]


def _body(answer: httpx.Response, max_bytes: int) -> bytes:
    body = bytearray()
    for block in answer.iter_raw():
        body += block
        if len(body) > max_bytes:
            raise ValidationError(f"it has more than {max_bytes:,} bytes.", hint="Make it smaller.")
    return bytes(body)


@dataclass(frozen=True, slots=True)
class WebAnswer:
    """What a web server has answered."""

    status: int
    headers: httpx.Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class _Download:
    """One download, with its arguments."""

    address: httpx.URL
    part: Path
    max_bytes: int
    stall_s: float

    def run(self, connections: Connections) -> None:
        """Follow all redirects, and write the body to a file."""

        def request(address: httpx.URL) -> httpx.Request:
            return _request(address, connections, self.stall_s)

        with _followed(self.address, request, lambda base, link: _address(link, base)) as (response, address):
            _raise_for_status(response, address)
            self._save(response)

    def _save(self, response: httpx.Response) -> None:
        length = response.headers.get("content-length", "")
        expected, received = int(length) if length.isdigit() else 0, 0
        self._check_size(expected)
        require_space(self.part.parent, expected)
        with self.part.open("wb") as file:
            for block in response.iter_raw():
                received += len(block)
                self._check_size(received)
                file.write(block)

    def _check_size(self, size: int) -> None:
        if size > self.max_bytes:
            what = f"{_public_link(self.address)} is larger than {self.max_bytes:,} bytes."
            raise ValidationError(what, hint="Use a smaller file.")


@contextmanager
def _followed(
    address: httpx.URL, request: Callable[[httpx.URL], httpx.Request], join: Callable[[httpx.URL, str], httpx.URL]
) -> Iterator[tuple[httpx.Response, httpx.URL]]:
    """Yield the answer at the end of all redirects, and its address. ``request`` checks each address first.

    The transport is used without httpx's client, which would log every link with its signature.
    """
    with httpx.HTTPTransport() as transport:
        for _ in range(MAX_REDIRECTS + 1):
            response = transport.handle_request(request(address))
            try:
                if not response.has_redirect_location:
                    yield response, address
                    return
                address = join(address, response.headers["location"])
            finally:
                response.close()
    raise ValidationError(
        f"{_public_link(address)} redirects more than {MAX_REDIRECTS} times.", hint="Use the final link."
    )


def _request(address: httpx.URL, connections: Connections, stall_s: float) -> httpx.Request:
    """Return a request to the address that was checked, so that a later change of the DNS name has no effect."""
    url = address.copy_with(host=_checked_ip(address))
    headers = {"Host": address.netloc.decode("ascii"), "Accept": "*/*", "Accept-Encoding": "identity"}
    timeout = httpx.Timeout(stall_s, connect=CONNECT_TIMEOUT_S, pool=CONNECT_TIMEOUT_S).as_dict()
    extensions = {"sni_hostname": address.host, "timeout": timeout, "trace": connections.trace}
    return httpx.Request("GET", url, headers=headers, extensions=extensions)


def _public_link(address: httpx.URL) -> str:
    """Return a link without the parts that may be secret."""
    return f"{address.scheme}://{address.netloc.decode('ascii')}{address.path}"


def _address(link: str, base: httpx.URL | None = None) -> httpx.URL:
    """Read a link. A link from a redirect may be relative to the previous one."""
    try:
        address = base.join(link) if base else httpx.URL(link)
        address.host.encode("idna")  # as the DNS lookup does
    except (httpx.InvalidURL, UnicodeError) as error:
        why = "it contains a user name or password" if "@" in link else error  # httpx quotes a password as a port
        raise ValidationError(f"The link to the video is not valid: {why}.", hint="Use an https:// link.") from None
    if address.scheme != "https" or not address.host:
        raise ValidationError(
            f"{_public_link(address)} is not an https:// link.", hint="Use an https:// link, or a local path."
        )
    if address.userinfo:
        raise ValidationError(
            f"The link to {address.host} contains a user name or password.", hint="Use a signed or public link."
        )
    return address


def _checked_ip(address: httpx.URL) -> str:
    try:
        entries = socket.getaddrinfo(address.host, address.port or 443, type=socket.SOCK_STREAM)
    except OSError as error:
        raise TransientError(
            f"The host {address.host} could not be found: {error}.", hint="Check the link and try again."
        ) from error
    ips = [str(entry[4][0]) for entry in entries]
    for ip in ips:
        if not is_public(ip) and not conf.getboolean("instagram", "private_sources", fallback=False):
            raise ValidationError(
                f"{address.host} is {ip}, which is not a public address.",
                hint="Use a link to a public server. If every user who can start a run may read what this worker can "
                "reach, you can set [instagram] private_sources = True in Airflow's configuration.",
            )
    return ips[0]


def _raise_for_status(response: httpx.Response, address: httpx.URL) -> None:
    if response.status_code == 200:
        return
    message = f"{_public_link(address)} answered {response.status_code} {response.reason_phrase}".rstrip() + "."
    is_temporary = response.status_code in (408, 429) or response.status_code >= 500
    error: type[InstagramError] = TransientError if is_temporary else ValidationError
    raise error(
        message, hint="Try again later." if is_temporary else "Check that the link is right, public and not expired."
    )


def _keep_headers_out_of_logs() -> None:
    """Drop httpcore's DEBUG logs of a download, because a server's headers contain signed links."""
    for name in ("httpcore.connection", "httpcore.http11"):
        logging.getLogger(name).addFilter(_is_of_another_thread)


def _is_of_another_thread(record: logging.LogRecord) -> bool:
    return record.threadName != THREAD


def _suffix(address: httpx.URL) -> str:
    ending = re.search(r"\.[A-Za-z0-9]{1,5}$", address.path)
    return ending[0].lower() if ending else ""


def is_public(ip: str) -> bool:
    """Return whether an address belongs to a public server.

    For an IPv6 address that contains an IPv4 address, the IPv4 address counts: a private server has several forms.

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


def check_link(link: str, kind: str) -> None:
    """Read the first byte behind a link, without redirects. A server that only Instagram can reach passes.

    :raises MediaNotFetchedError: If the server fails at this moment.
    :raises ValidationError: If it refuses, or answers with something else.
    """
    answers: list[httpx.Response] = []
    _keep_headers_out_of_logs()

    def ask(connections: Connections) -> None:
        request = _request(httpx.URL(link), connections, CHECK_TIMEOUT_S)
        request.headers.update({"Range": "bytes=0-0", "User-Agent": "airflow-provider-instagram"})
        with httpx.HTTPTransport() as transport:
            answer = transport.handle_request(request)
            answer.close()
            answers.append(answer)

    try:
        run_with_time_limit(ask, CHECK_TIMEOUT_S, Cancel(), THREAD)
    except (InstagramError, httpx.HTTPError, TimeoutError) as error:
        log.info("%s could not be checked from here: %s", shown(link), type(error).__name__)
        return
    status, content_type = answers[0].status_code, answers[0].headers.get("content-type", "no content type")
    if status in TEMPORARY or status >= 500:
        raise MediaNotFetchedError(f"{shown(link)} answers {status}.", hint="Its server must work again first.")
    if not answers[0].is_success:
        raise ValidationError(
            f"Instagram cannot fetch {shown(link)}, which answers {status} to this worker as well.",
            hint="Check that the link is right, public, not expired, and without redirects.",
        )
    if not content_type.lower().startswith(f"{kind}/"):
        raise ValidationError(
            f"Instagram cannot use {shown(link)}, which is served as {content_type[:80]}.",
            hint=f"Serve it with the content type of {'a picture' if kind == 'image' else 'a video'}.",
        )
