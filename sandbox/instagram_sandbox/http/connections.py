"""Close a client's connection without an answer, which ASGI itself cannot do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from collections.abc import MutableMapping

_open: dict[tuple[str, int], asyncio.BaseTransport] = {}


class DroppableProtocol(H11Protocol):
    """uvicorn's HTTP protocol, whose connections can be found by the client's address."""

    _peer: tuple[str, int] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Remember a new connection."""
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        self._peer = (str(peer[0]), int(peer[1]))
        _open[self._peer] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection."""
        super().connection_lost(exc)
        if self._peer is not None:
            _open.pop(self._peer, None)


def drop_connection(scope: MutableMapping[str, Any]) -> None:
    """Close the connection of a request immediately."""
    host, port = scope["client"]
    transport = _open.get((host, port))
    if isinstance(transport, asyncio.Transport):
        transport.abort()
