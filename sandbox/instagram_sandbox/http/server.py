"""The sandbox's web server, which runs in this process or in a thread beside a simulation."""

from __future__ import annotations

import socket
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import uvicorn

from instagram_sandbox.http.app import create_app
from instagram_sandbox.http.connections import LimitedProtocol
from instagram_sandbox.simulator.fetch import trusted
from instagram_sandbox.simulator.sandbox import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import ASGIApp

    from instagram_sandbox.http.tls import Certificate
    from instagram_sandbox.simulator.clock import Clock

START_LIMIT_S: Final = 30
#: Longer than the 5 s between two polls: a connection that closes just then looks like a lost
#: answer to its client.
KEEP_ALIVE_S: Final = 75


@dataclass(frozen=True, slots=True)
class Address:
    """Where a sandbox listens."""

    host: str
    port: int
    scheme: str = "http"

    @property
    def url(self) -> str:
        """The base URL of all of Meta's hosts."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


class _Server(uvicorn.Server):
    """A server that calls back when it listens."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and call back."""
        await super().startup(sockets)
        if self.started:
            self._ready()


def bind(host: str, port: int) -> tuple[socket.socket, Address]:
    """Bind a socket to a port.

    :raises OSError: The port is in use or not allowed.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns off Nagle's delay (40 ms an answer) only where the protocol is named.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock, Address(host, sock.getsockname()[1])


def serve(
    app: ASGIApp,
    sock: socket.socket,
    ready: Callable[[], None],
    certificate: Certificate | None = None,
) -> None:
    """Run an application, such as a sandbox, until the process is interrupted.

    :param ready: Called once it answers.
    :param certificate: By which it answers over https; None is http.
    """
    if certificate is not None:
        trusted().load_verify_locations(certificate.authority)  # it fetches its own samples
    _server(app, ready, certificate).run(sockets=[sock])


def _server(
    app: ASGIApp, ready: Callable[[], None], certificate: Certificate | None = None
) -> _Server:
    config = uvicorn.Config(
        app,
        http=LimitedProtocol,
        ws="none",
        loop="asyncio",
        log_config=None,
        access_log=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=1,
        backlog=2048,
        ssl_certfile=certificate.certificate if certificate else None,
        ssl_keyfile=certificate.key if certificate else None,
    )
    return _Server(config, ready)


@contextmanager
def running(settings: Settings | None = None, clock: Clock | None = None) -> Iterator[str]:
    """Run a sandbox in a thread of this process, for a simulation that shares its clock.

    :return: Its base URL.
    """
    with tempfile.TemporaryDirectory(prefix="instagram-sandbox-") as folder:
        sock, address = bind("127.0.0.1", 0)
        chosen = settings or Settings(folder=Path(folder))
        ready = threading.Event()
        server = _server(create_app(chosen, clock), ready.set)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
        thread.start()
        try:
            if not ready.wait(START_LIMIT_S):
                raise RuntimeError(f"The sandbox did not start within {START_LIMIT_S} s.")
            yield address.url
        finally:
            server.should_exit = True
            thread.join()
            sock.close()
