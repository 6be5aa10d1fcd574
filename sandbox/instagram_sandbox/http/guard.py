"""Protect pages, decisions and control routes from other sites' web pages, including those that use DNS rebinding."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fastapi import HTTPException, Request

from instagram_sandbox.simulator.addresses import (
    is_ip_address,
    is_loopback,
    login_of_host,
    web_address,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def only_ours(
    allowed_hosts: tuple[str, ...], *, may_be_linked: bool = False
) -> Callable[[Request], Awaitable[None]]:
    """Return a check of where a request comes from.

    A page of another site can reach the sandbox in two ways. It calls the sandbox across origins,
    which the browser states in ``Origin``, ``Sec-Fetch-Site`` or ``Referer``. Or its own host name
    resolves to this machine (DNS rebinding), and the browser sends that name in ``Host``. DNS
    cannot change what an IP address means, and no other site owns one of Meta's names, so both need
    no permission. Programs that are not browsers state no origin.

    :param allowed_hosts: Host names by which the sandbox may be called, in addition to
        ``localhost``.
    :param may_be_linked: Whether other sites may lead a person here, as an app does to the login
        page.
    """

    async def check(request: Request) -> None:
        headers = request.headers
        named = request.headers.get("host", "")
        here = _origin(f"{request.url.scheme}://{named}")
        if here is None or not (here.host in allowed_hosts or _is_harmless(here.host)):
            raise HTTPException(
                403,
                f"The sandbox does not accept the host name {named[:200]!r}, because a page of another site could make "
                "its own name lead here. If the name is yours, such as that of a Compose service, start the sandbox "
                f"with: --allow-host {here.host[:200] if here else 'NAME'}",
            )
        callers = headers.getlist("origin")
        if not may_be_linked:
            callers = callers or [_page_origin(page) for page in headers.getlist("referer")]
            callers += [
                f"another origin ({site})"
                for site in headers.getlist("sec-fetch-site")
                if site not in _OWN_SITE
            ]
        for caller in callers:
            if _origin(caller) != here:
                raise HTTPException(
                    403,
                    f"A page of {caller[:200]!r} called the sandbox, but pages of other sites may not control it. Call "
                    "the sandbox from a program, or from one of its own pages.",
                )

    return check


def _is_harmless(host: str) -> bool:
    return is_ip_address(host) or is_loopback(host) or login_of_host(host) is not None


#: ``none`` is what a person has typed. ``same-site`` is another port of this machine, and so
#: another site.
_OWN_SITE = frozenset({"same-origin", "none"})


class _Origin(NamedTuple):
    scheme: str
    host: str
    port: int


def _origin(text: str) -> _Origin | None:
    """Return the parts of an origin, or None if the text is not exactly an origin, such as ``null``."""
    parts = web_address(text)
    if (
        parts is None
        or not parts.hostname
        or text != f"{parts.scheme}://{parts.netloc}"
        or "@" in parts.netloc
    ):
        return None
    return _Origin(
        parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}[parts.scheme]
    )


def _page_origin(address: str) -> str:
    parts = web_address(address)
    return f"{parts.scheme}://{parts.netloc}" if parts else address
