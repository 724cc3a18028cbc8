"""What stands between the workers and their object store, to be killed and frozen in its place.

`python proxy.py PORT TARGET_PORT` forwards connections on loopback until it is ended. The store
itself keeps what it has in memory, so it must live; to workers a dead proxy is a dead store.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

_PIECE = 65536


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(_PIECE):
            writer.write(piece)
            await writer.drain()
    with suppress(OSError):
        writer.close()


async def _serve(port: int, target: int) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner, outer = await asyncio.open_connection("127.0.0.1", target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_forward(reader, outer), _forward(inner, writer))

    server = await asyncio.start_server(connected, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), int(sys.argv[2])))
