"""What `blobs get` does: a value out of the store, to a file, a pipe or a terminal."""

from __future__ import annotations

import asyncio
import codecs
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from claimcheck.claim import Claim
from claimcheck.errors import ClaimCheckError
from service.blobs import claim_or_key, opened, opened_claim, whole_key
from service.cli.outfile import check_output, output_file
from service.cli.screen import note, visible
from service.cli.storage import namespace_or_default, store_opened
from service.errors import InputWrong

__all__ = ["fetch"]

_BINARY = "the value is not text: write it to a file with --output FILE, or pipe it on"


async def fetch(wanted: str, output: Path | None) -> None:
    """Raises `InputWrong` for what is no claim and no key, or is not there; `StoreFailed`."""
    if output is not None:
        check_output(output)
    with store_opened() as (settings, store):
        found = claim_or_key(wanted)
        keys = settings.key_ring()
        async with store:
            if isinstance(found, Claim):
                pieces = opened_claim(store, found, keys)
            else:
                key = await whole_key(store, found, namespace_or_default(None))
                pieces = opened(store, key, keys)
            if output is not None:
                await _to_file(pieces, output)
            elif sys.stdout.isatty():
                await _to_terminal(pieces)
            else:
                await _to_pipe(pieces)


async def _to_file(pieces: AsyncIterator[bytes], output: Path) -> None:
    with output_file(output) as file:
        async for piece in pieces:
            await asyncio.to_thread(file.write, piece)


async def _to_pipe(pieces: AsyncIterator[bytes]) -> None:
    begun = False
    try:
        async for piece in pieces:
            sys.stdout.buffer.write(piece)
            begun = True
    except ClaimCheckError:
        if begun:
            note("flowrunner: what has been written is not the whole value; do not rely on it")
        raise
    finally:
        sys.stdout.buffer.flush()


async def _to_terminal(pieces: AsyncIterator[bytes]) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        async for piece in pieces:
            text = decoder.decode(piece)
            if "\0" in text:
                raise InputWrong(_BINARY)
            sys.stdout.write(visible(text))
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise InputWrong(_BINARY) from None
    sys.stdout.write("\n")
    sys.stdout.flush()
