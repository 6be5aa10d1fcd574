"""Protect the control routes from other sites' web pages, including those that use DNS rebinding."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fastapi import HTTPException, Request

from instagram_sandbox.simulator.addresses import is_ip_address, is_loopback, web_address

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def only_ours(allowed_hosts: tuple[str, ...]) -> Callable[[Request], Awaitable[None]]:
    """Return a check of where a call comes from.

    A page of another site can reach the sandbox in two ways. It calls the sandbox across origins, which the browser
    states in ``Origin``. Or its own host name resolves to this machine (DNS rebinding), and the browser sends that name
    in ``Host``. DNS cannot change what an IP address means, so IP addresses need no permission.

    :param allowed_hosts: Host names by which the sandbox may be called, in addition to ``localhost``.
    """

    async def check(request: Request) -> None:
        scheme, named = request.url.scheme, request.headers.get("host", "")
        here = _origin(f"{scheme}://{named}")
        if here is None or not (is_ip_address(here.host) or is_loopback(here.host) or here.host in allowed_hosts):
            raise HTTPException(
                403,
                f"The sandbox does not accept the host name {named[:200]!r}. If the name is yours, start the sandbox "
                "with --allow-host and that name.",
            )
        for origin in request.headers.getlist("origin"):
            if _origin(origin) != here:
                raise HTTPException(
                    403,
                    f"A page of {origin[:200]!r} called the sandbox, but pages of other sites may not control it. Call "
                    "the sandbox from a program, or from one of its own pages.",
                )

    return check


class _Origin(NamedTuple):
    scheme: str
    host: str
    port: int


def _origin(text: str) -> _Origin | None:
    """Return the parts of an origin, or None if the text is not exactly an origin, such as ``null``."""
    parts = web_address(text)
    if parts is None or not parts.hostname or text != f"{parts.scheme}://{parts.netloc}" or "@" in parts.netloc:
        return None
    return _Origin(parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}[parts.scheme])
