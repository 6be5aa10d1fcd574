"""A load balancer for TCP: each connection goes to the next server that accepts it.

``python -m tests.cluster.forward 8080 8081 8082`` listens on the first port and forwards to the others.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from itertools import count

HOST = "127.0.0.1"
BLOCK_BYTES = 1 << 16


async def forward(port: int, servers: list[int]) -> None:
    """Accept connections for ever.

    :param port: The port to listen on.
    :param servers: The ports of the servers.
    """
    turn = count()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = next(turn)
        for offset in range(len(servers)):
            with suppress(OSError):
                server = servers[(first + offset) % len(servers)]
                to_read, to_write = await asyncio.open_connection(HOST, server)
                await asyncio.gather(copy(reader, to_write), copy(to_read, writer))
                return
        writer.close()

    listener = await asyncio.start_server(serve, HOST, port)
    await listener.serve_forever()


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy what a connection sends to another one, until it ends."""
    with suppress(OSError):
        while block := await reader.read(BLOCK_BYTES):
            writer.write(block)
            await writer.drain()
    with suppress(OSError, RuntimeError):
        writer.close()


if __name__ == "__main__":
    asyncio.run(forward(int(sys.argv[1]), [int(port) for port in sys.argv[2:]]))
