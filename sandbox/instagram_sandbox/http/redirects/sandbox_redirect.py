"""Lead a client with constant hosts to the sandbox: ``import sandbox_redirect`` before the client's first call.

Calls of requests, httpx, httpx2 and urllib to Meta's hosts go to ``SANDBOX_URL``, with a header
that names the host. Other libraries are stopped before they call Meta. The few that cannot be
stopped are named on stderr.
"""

from __future__ import annotations

import errno
import importlib.util
import os
import re
import sys
import urllib.request
from typing import Any
from urllib.parse import urlsplit, urlunsplit

ADDRESS = os.environ.get("SANDBOX_URL", "http://127.0.0.1:8077")
SANDBOX = urlsplit(ADDRESS)
HEADER = "X-Meta-Host"
#: They resolve names without Python's sockets.
NOT_STOPPED = {
    "curl_cffi",
    "primp",
    "pycares",
    "pycurl",
    "pyreqwest",
    "rnet",
    "tls_client",
    "uvloop",
    "wreq",
}


def metas_host(host: object) -> str:
    """Return a host if it is one of Meta's, otherwise nothing."""
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host or "")
    return name if re.search(r"(^|\.)(facebook|instagram)\.com\.?$", name, re.IGNORECASE) else ""


def here(url: str) -> str:
    """Return a link to the sandbox in place of one to Meta's hosts; any other link as it is."""
    parts = urlsplit(url)
    if not metas_host(parts.hostname):
        return url
    return urlunsplit((SANDBOX.scheme, SANDBOX.netloc, parts.path, parts.query, parts.fragment))


def _lead(owner: Any, name: str, change: Any) -> None:
    real = getattr(owner, name)

    def led(self: Any, request: Any, *args: Any, **options: Any) -> Any:
        return real(self, change(request), *args, **options)

    setattr(owner, name, led)


def _of_requests(request: Any) -> Any:
    host = metas_host(urlsplit(request.url).hostname)
    if host:
        request.url, request.headers[HEADER] = here(request.url), host
    return request


def _of_httpx(request: Any) -> Any:
    host = metas_host(request.url.host)
    if host:
        request.url, request.headers[HEADER] = type(request.url)(here(str(request.url))), host
        request.headers["host"] = request.url.netloc.decode()
    return request


def _of_urllib(request: Any) -> Any:
    if isinstance(request, str):
        request = urllib.request.Request(request)  # noqa: S310 -- the client's own link
    host = metas_host(urlsplit(request.full_url).hostname)
    if host:
        request.full_url = here(request.full_url)
        request.add_header(HEADER, host)
    return request


def _stop(event: str, arguments: tuple[Any, ...]) -> None:
    """Stop a look-up of one of Meta's hosts, and a connection to one by its name."""
    host = None
    if event in {"socket.getaddrinfo", "socket.gethostbyname"}:
        host = arguments[0]
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    elif event == "import":
        _warn_of(arguments[0])
    if metas_host(host):
        raise ConnectionRefusedError(
            errno.ECONNREFUSED,
            f"sandbox_redirect has stopped a call to {host!r}, because it leads only requests, httpx, httpx2 and "
            f"urllib to the sandbox. Give the client's library the address {ADDRESS}.",
        )


def _warn_of(module: str) -> None:
    if module in NOT_STOPPED:
        print(  # noqa: T201
            f"sandbox_redirect: {module} CAN CALL META, because it does not use Python's sockets. "
            f"Give it the address {ADDRESS}.",
            file=sys.stderr,
        )


_lead(urllib.request.OpenerDirector, "open", _of_urllib)
if importlib.util.find_spec("requests"):
    _lead(importlib.import_module("requests").Session, "send", _of_requests)
for _name in ("httpx", "httpx2"):
    if importlib.util.find_spec(_name):
        _lead(importlib.import_module(_name).Client, "send", _of_httpx)
        _lead(importlib.import_module(_name).AsyncClient, "send", _of_httpx)
for _name in sorted(NOT_STOPPED & set(sys.modules)):
    _warn_of(_name)
sys.addaudithook(_stop)
