"""Listens for those who ask the codec server, in the loop of whoever starts it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from claimcheck.codec_server import Guard, codec_app, is_loopback
from service.settings import Address, CodecServerSettings, SettingsInvalid

if TYPE_CHECKING:
    from claimcheck.cloakroom import Cloakroom

__all__ = ["codec_endpoint", "codec_guard", "listen"]

_MOST_CONNECTIONS = 200
_LAST_ANSWERS_SECONDS = 5


def codec_guard(
    settings: CodecServerSettings,
    *,
    host: str,
    namespace: str,
    origins: tuple[str, ...] = (),
) -> Guard:
    """Who may ask on `host`; `origins` are those of pages that may beside the settings'.

    Raises `SettingsInvalid` if everybody on a network could.
    """
    if settings.token is None and not is_loopback(host):
        raise SettingsInvalid(
            (
                "FLOWRUNNER_CODEC_TOKEN: nothing is set, but FLOWRUNNER_CODEC_ADDRESS is not on "
                f"this machine alone ({host}), so everybody who reaches it could read everything; "
                "set a token, or listen on 127.0.0.1",
            )
        )
    return Guard(
        namespace=namespace,
        origins=frozenset({*settings.origins, *origins}),
        token=settings.token.get_secret_value() if settings.token else None,
    )


def listen(address: Address) -> socket.socket:
    """Raises `OSError` if nothing can listen there."""
    listening = socket.socket(socket.AF_INET6 if ":" in address.host else socket.AF_INET)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except OSError:
        listening.close()
        raise
    return listening


@asynccontextmanager
async def codec_endpoint(
    listening: socket.socket, cloakroom: Cloakroom, guard: Guard
) -> AsyncGenerator[None]:
    """Answer while the block runs; closes the socket, and leaves the cloakroom open."""
    import uvicorn

    class Server(uvicorn.Server):
        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield  # whoever has started us listens to them

    config = uvicorn.Config(
        codec_app(cloakroom, guard),
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_graceful_shutdown=_LAST_ANSWERS_SECONDS,
    )
    server = Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving
