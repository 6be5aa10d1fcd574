"""The way to S3: an HTTP proxy that answers 503, as S3 does when it is overloaded, to everybody or to some.

``python -m tests.cluster.front 9000 9001 refused`` listens on the first port and forwards to the second. While the file
exists, it refuses each request whose head contains the file's text: each one if the file is empty.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from pathlib import Path

from tests.cluster.forward import HOST, copy

END = b"\r\n\r\n"
BODY = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
REFUSAL = (
    b"HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
)
#: How long a refused client may go on sending. If the connection ended at once, it would not read the answer.
LISTEN_S = 1.0


async def front(port: int, server: int, refused: Path) -> None:
    """Accept requests for ever, one for each connection.

    :param port: The port to listen on.
    :param server: The server's port.
    :param refused: The file that says who is refused.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(END)
            if is_refused(head, refused):
                writer.write(REFUSAL % (len(BODY), BODY))
                await writer.drain()
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(reader.read(-1), LISTEN_S)
            else:
                to_read, to_write = await asyncio.open_connection(HOST, server)
                request, _, fields = head.partition(b"\r\n")
                to_write.write(request + b"\r\nConnection: close\r\n" + fields)
                await asyncio.gather(copy(reader, to_write), copy(to_read, writer))
        with suppress(OSError, RuntimeError):
            writer.close()

    listener = await asyncio.start_server(serve, HOST, port)
    await listener.serve_forever()


def is_refused(head: bytes, refused: Path) -> bool:
    """Return whether a request is refused at this moment."""
    try:
        return refused.read_bytes() in head
    except FileNotFoundError:
        return False


if __name__ == "__main__":
    asyncio.run(front(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))
