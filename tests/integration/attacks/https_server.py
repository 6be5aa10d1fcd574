"""An https server that behaves as it is told."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from tests.integration.certificate import certificate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Behave = Callable[["HttpsServer", socket.socket], None]

PAUSE_S = 0.02
#: A drip ends by itself after this, so that a test of code that waits for its end fails and does not hang.
DRIPS_S = 20.0


class HttpsServer:
    """Hands each connection to a function; it may shake hands itself."""

    def __init__(self, folder: Path) -> None:
        self.trusted, key = certificate(folder)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(self.trusted, key)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self._held_s = 0.0
        self.behave: Behave | None = None
        self.connected = threading.Event()
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"https://localhost:{self._listener.getsockname()[1]}"

    def serve(self) -> None:
        with suppress(OSError):  # the listener is closed at the end
            while True:
                connection, _ = self._listener.accept()
                thread = threading.Thread(target=self._answer, args=(connection,))
                thread.start()
                self._threads.append(thread)

    def _answer(self, connection: socket.socket) -> None:
        assert self.behave is not None
        started_s = time.monotonic()
        with connection, suppress(OSError):  # the client may hang up at any moment
            self.behave(self, connection)
        self._held_s = max(self._held_s, time.monotonic() - started_s)

    def held_s(self) -> float:
        """Wait until all clients hung up, and give the longest time that one of them was held, in seconds."""
        for thread in self._threads:
            thread.join()
        return self._held_s

    def stop(self) -> None:
        self.released.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.held_s()

    def tls(self, connection: socket.socket) -> ssl.SSLSocket:
        """Shake hands, and read a request."""
        secured = self._context.wrap_socket(connection, server_side=True)
        self.asked = secured.recv(65536).decode("latin-1")
        self.connected.set()
        return secured

    def drip(self, connection: socket.socket, first: bytes, again: bytes, *, at_once: bool = False) -> None:
        """Send a beginning, and then the same again and again, byte by byte: never long silent, never at an end."""
        parts = [first] if at_once else [first[at : at + 1] for at in range(len(first))]
        for _ in range(int(DRIPS_S / PAUSE_S)):
            connection.sendall(parts.pop(0) if parts else again)
            if self.released.wait(PAUSE_S):
                return
