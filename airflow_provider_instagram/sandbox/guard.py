"""Who may use the sandbox's own doors: no web page of others, whatever name it gives to this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fastapi import HTTPException, Request

from airflow_provider_instagram.sandbox.addresses import is_ip_address, is_loopback, web_address

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def only_ours(allowed_hosts: tuple[str, ...]) -> Callable[[Request], Awaitable[None]]:
    """Return a check of where a call comes from.

    A page in a browser reaches the sandbox in two ways. It calls the address as a foreign site: the browser then says
    so in ``Origin``. Or its own name is made to mean this machine (DNS rebinding): the browser then sends that name in
    ``Host``. An IP address cannot be made to mean another machine, so it needs no permission.

    :param allowed_hosts: Names by which the sandbox may be called, beside ``localhost``.
    """

    async def check(request: Request) -> None:
        scheme, named = request.url.scheme, request.headers.get("host", "")
        here = _origin(f"{scheme}://{named}")
        if here is None or not (is_ip_address(here.host) or is_loopback(here.host) or here.host in allowed_hosts):
            raise HTTPException(
                403,
                f"The sandbox is not called {named[:200]!r}. If that is a name of yours, start the sandbox with "
                "--allow-host and that name.",
            )
        for origin in request.headers.getlist("origin"):
            if _origin(origin) != here:
                raise HTTPException(
                    403,
                    f"A page of {origin[:200]!r} called the sandbox, which pages of other sites may not steer. Call it "
                    "from a program, or from a page of its own address.",
                )

    return check


class _Origin(NamedTuple):
    scheme: str
    host: str
    port: int


def _origin(text: str) -> _Origin | None:
    """Return the parts of an origin, or None for what is more than one, and for ``null``."""
    parts = web_address(text)
    if parts is None or not parts.hostname or text != f"{parts.scheme}://{parts.netloc}" or "@" in parts.netloc:
        return None
    return _Origin(parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}[parts.scheme])
