"""Fetch a media file from a public link as Meta does.

Source: Meta, IG User Media reference (the link must be public and direct) and Meta Web Crawlers
(user agent, robots.txt).
"""

from __future__ import annotations

import ssl
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit, urlunsplit
from urllib.robotparser import RobotFileParser

import certifi
import httpcore

from instagram_sandbox.simulator.state import NOT_FETCHED, TOO_LARGE, TOO_SLOW

if TYPE_CHECKING:
    from pathlib import Path

USER_AGENT: Final = "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)"


#: What is read of a robots.txt. Source: RFC 9309, section 2.5, which asks for at least this.
MOST_ROBOTS_BYTES: Final = 500 * 1024
_KINDS: Final = {"video": "video", "image": "picture"}


class FetchError(Exception):
    """The media could not be fetched.

    :param subcode: Meta's subcode for it.
    :param reason: What went wrong, for the user of the sandbox.
    """

    def __init__(self, subcode: int, reason: str) -> None:
        super().__init__(reason)
        self.subcode = subcode
        self.reason = reason


async def fetch(
    url: str, target: Path, *, kind: str, limit_s: float, max_bytes: int, require_range: bool
) -> None:
    """Fetch a file as Meta does. The caller limits how long it takes as a whole.

    :param url: The link. Redirects are not followed.
    :param limit_s: How long connecting, and each wait for more bytes, may take in seconds.
    :param max_bytes: The largest file that is fetched.
    :param require_range: Whether a server without ``Range`` support is refused.
    :raises FetchError: With the documented subcode.
    """
    try:
        waits = {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), limit_s)}
        async with httpcore.AsyncConnectionPool(
            trusted() if url.lower().startswith("https:") else None
        ) as pool:
            await _ask_robots(pool, url, waits)
            asked = [("User-Agent", USER_AGENT), ("Range", "bytes=0-")]
            async with pool.stream("GET", url, headers=asked, extensions=waits) as answer:
                _check_answer(answer, kind, max_bytes, require_range)
                await _save(answer, target, kind, max_bytes)
    except FetchError:
        raise
    except httpcore.TimeoutException:
        raise FetchError(TOO_SLOW, f"the server did not answer within {limit_s:g} s") from None
    except Exception as error:  # noqa: BLE001 -- every error while fetching is a fault of the link
        raise FetchError(
            NOT_FETCHED, f"the link cannot be fetched: {type(error).__name__}: {error}"
        ) from None


@lru_cache(maxsize=1)
def trusted() -> ssl.SSLContext:
    """Return the authorities that Meta would trust, and those of this machine, as a test of https needs its own.

    ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` name them, as for every program that uses OpenSSL.
    """
    context = ssl.create_default_context(cafile=certifi.where())
    context.load_default_certs()
    return context


async def _ask_robots(
    pool: httpcore.AsyncConnectionPool, url: str, waits: dict[str, dict[str, float]]
) -> None:
    parts = urlsplit(url)
    robots = urlunsplit((parts.scheme, parts.netloc, "/robots.txt", "", ""))
    content = bytearray()
    async with pool.stream(
        "GET", robots, headers=[("User-Agent", USER_AGENT)], extensions=waits
    ) as answer:
        if answer.status != 200 or "html" in _header(answer, "content-type"):
            return
        async for block in answer.aiter_stream():
            content += block
            if len(content) > MOST_ROBOTS_BYTES:
                break
    rules = RobotFileParser()
    rules.parse(content[:MOST_ROBOTS_BYTES].decode("utf-8", "replace").splitlines())
    if not rules.can_fetch("facebookexternalhit", url):
        raise FetchError(
            NOT_FETCHED,
            "the server's robots.txt does not allow facebookexternalhit to fetch the link",
        )


def _header(answer: httpcore.Response, name: str) -> str:
    return next(
        (value.decode("latin-1") for key, value in answer.headers if key.lower() == name.encode()),
        "",
    )


def _check_answer(
    answer: httpcore.Response, kind: str, max_bytes: int, require_range: bool
) -> None:
    if 300 <= answer.status < 400 and _header(answer, "location"):
        raise FetchError(
            NOT_FETCHED, f"the link answers {answer.status}, but redirects are not followed"
        )
    if not 200 <= answer.status < 300:
        raise FetchError(NOT_FETCHED, f"the link answers {answer.status}")
    content_type = _header(answer, "content-type")
    if not content_type.lower().startswith(f"{kind}/"):
        raise FetchError(
            NOT_FETCHED, f"the content type is {content_type or 'missing'}, not of a {_KINDS[kind]}"
        )
    if require_range and answer.status != 206:
        raise FetchError(NOT_FETCHED, "the server does not support Range requests")
    if int(_header(answer, "content-length") or 0) > max_bytes:
        raise _too_large(kind, max_bytes)


def _too_large(kind: str, max_bytes: int) -> FetchError:
    subcode = TOO_LARGE if kind == "image" else NOT_FETCHED
    return FetchError(subcode, f"the file has more than {max_bytes} bytes")


async def _save(answer: httpcore.Response, target: Path, kind: str, max_bytes: int) -> None:
    received = 0
    with target.open("wb") as file:
        async for block in answer.aiter_stream():
            received += len(block)
            if received > max_bytes:
                raise _too_large(kind, max_bytes)
            file.write(block)
