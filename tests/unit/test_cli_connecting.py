"""A connection that cannot be made is told with its cause, soon, and with what to do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from service.client import connect
from service.errors import TemporalUnreachable
from service.settings import TemporalSettings, TlsSettings


@asynccontextmanager
async def _listener(answer: bytes | None) -> AsyncIterator[str]:
    """Something that is no Temporal server: it says `answer`, or nothing at all."""
    over = asyncio.Event()

    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if answer is None:
            await over.wait()
        else:
            writer.write(answer)
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        yield f"{host}:{port}"
        over.set()


async def _error(settings: TemporalSettings) -> str:
    with pytest.raises(TemporalUnreachable) as caught:
        await connect(settings)
    return str(caught.value)


async def test_nothing_listens() -> None:
    text = await _error(TemporalSettings(address="127.0.0.1:1", namespace="hr"))
    assert text == (
        "Temporal cannot be reached at 127.0.0.1:1 (namespace 'hr'): nothing listens there "
        "(connection refused)\n"
        "Start a local server with `flowrunner dev`, or set TEMPORAL_ADDRESS to one that runs."
    )


async def test_something_else_listens() -> None:
    async with _listener(b"HTTP/1.1 200 OK\r\n\r\n") as address:
        text = await _error(TemporalSettings(address=address))
    assert "what answers there does not seem to be a Temporal server" in text


async def test_a_server_that_says_nothing_is_not_waited_for_without_end() -> None:
    async with _listener(None) as address, asyncio.timeout(15):
        text = await _error(TemporalSettings(address=address))
    assert "no answer within 5 seconds" in text


async def test_a_server_without_tls_is_told() -> None:
    async with _listener(b"hello\r\n") as address:
        text = await _error(TemporalSettings(address=address, tls=TlsSettings()))
    assert "the server does not speak TLS; is TEMPORAL_TLS right?" in text


async def test_a_host_that_is_not_known() -> None:
    text = await _error(TemporalSettings(address="nowhere.invalid:7233"))
    assert "the name of the host is not known" in text
