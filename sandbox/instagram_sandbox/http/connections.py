"""The clients' connections: how many there may be, and how one is closed without an answer, which ASGI cannot do."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import JSONResponse
from uvicorn.protocols.http.h11_impl import H11Protocol

from instagram_sandbox.simulator.fetches import MOST_DESCRIPTORS

if TYPE_CHECKING:
    import asyncio
    from collections.abc import MutableMapping

OTHER_DESCRIPTORS: Final = 48
"""Those of the state, of ffmpeg, and of connections that are refused."""
REFUSED_AT_ONCE: Final = 16
SILENT_S: Final = 5.0
"""A new connection without a request counts as idle after this time."""
_WHERE_NO_LIMIT_IS_KNOWN: Final = 1024

_open: Final[dict[tuple[str, int], LimitedProtocol]] = {}


class LimitedProtocol(H11Protocol):
    """uvicorn's HTTP protocol, whose connections are bounded and can be found by the client's address."""

    _made_at: float
    _peer: tuple[str, int] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Remember a new connection. One too many takes the place of an idle one, or its calls are refused."""
        super().connection_made(transport)
        limit = most_connections()
        if len(_open) >= limit:
            idle = next((one for one in _open.values() if one.is_idle), None)
            if idle is not None:
                idle.forget()
                idle.transport.close()
            elif len(_open) < limit + REFUSED_AT_ONCE:
                self.app = _refusal(limit)
            else:
                transport.abort()
                return
        peer = transport.get_extra_info("peername")
        self._made_at = self.loop.time()
        self._peer = (str(peer[0]), int(peer[1]))
        _open[self._peer] = self

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection."""
        super().connection_lost(exc)
        self.forget()

    @property
    def is_idle(self) -> bool:
        """Whether no call of this connection waits for an answer."""
        if not self.cycle:
            return self.loop.time() > self._made_at + SILENT_S
        return self.cycle.response_complete

    def forget(self) -> None:
        """Forget the connection, which no longer counts."""
        if self._peer is not None:
            _open.pop(self._peer, None)


def most_connections() -> int:
    """Return how many clients may be connected: each may need a file, too, and fetching has its own descriptors."""
    descriptors = _WHERE_NO_LIMIT_IS_KNOWN
    with suppress(ImportError):  # Windows has no such limit
        import resource

        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        descriptors = soft if soft != resource.RLIM_INFINITY else descriptors
    return max(REFUSED_AT_ONCE, (descriptors - MOST_DESCRIPTORS - OTHER_DESCRIPTORS) // 2)


def _refusal(limit: int) -> JSONResponse:
    """Return an answer in the form of Meta, which has one for too many calls, but not for too many connections."""
    what = f"(#4) The sandbox serves {limit} connections at once, as its limit of open files allows (ulimit -n)"
    error = {"message": what, "type": "OAuthException", "code": 4}
    return JSONResponse({"error": error}, 429, headers={"Connection": "close"})


def drop_connection(scope: MutableMapping[str, Any]) -> None:
    """Close the connection of a request immediately."""
    host, port = scope["client"]
    if found := _open.get((host, port)):
        found.transport.abort()
