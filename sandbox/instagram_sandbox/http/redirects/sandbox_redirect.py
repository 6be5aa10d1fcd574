"""Lead a client with constant hosts to the sandbox: ``import sandbox_redirect`` before the client's first call.

Calls of requests, httpx and urllib to Meta's hosts go to ``SANDBOX_URL``. Nothing else of the client changes.
"""

from __future__ import annotations

import importlib.util
import os
import re
import urllib.request
from typing import Any
from urllib.parse import urlsplit, urlunsplit

SANDBOX = urlsplit(os.environ.get("SANDBOX_URL", "http://127.0.0.1:8077"))


def here(url: str) -> str:
    """Return a link to the sandbox in place of one to Meta's hosts; any other link as it is."""
    parts = urlsplit(url)
    if not re.search(r"(^|\.)(facebook|instagram)\.com$", parts.hostname or ""):
        return url
    return urlunsplit((SANDBOX.scheme, SANDBOX.netloc, parts.path, parts.query, parts.fragment))


def _lead(owner: Any, name: str, change: Any) -> None:
    real = getattr(owner, name)

    def led(self: Any, request: Any, *args: Any, **options: Any) -> Any:
        return real(self, change(request), *args, **options)

    setattr(owner, name, led)


def _of_requests(request: Any) -> Any:
    request.url = here(request.url)
    return request


def _of_httpx(request: Any) -> Any:
    request.url = type(request.url)(here(str(request.url)))
    request.headers["host"] = request.url.netloc.decode()
    return request


def _of_urllib(request: Any) -> Any:
    if isinstance(request, str):
        return here(request)
    request.full_url = here(request.full_url)
    return request


_lead(urllib.request.OpenerDirector, "open", _of_urllib)
if importlib.util.find_spec("requests"):
    _lead(importlib.import_module("requests").Session, "send", _of_requests)
if importlib.util.find_spec("httpx"):
    _lead(importlib.import_module("httpx").Client, "send", _of_httpx)
    _lead(importlib.import_module("httpx").AsyncClient, "send", _of_httpx)
