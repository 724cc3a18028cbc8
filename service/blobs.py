"""Looking into the store of large values: where it is, and what a blob holds."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from claimcheck.claim import Claim
from claimcheck.damage import told_of
from claimcheck.envelope import unwrap_stream
from claimcheck.errors import (
    BlobDamaged,
    BlobMissing,
    ClaimCheckError,
    ClaimInvalid,
    KeyUnknown,
    StoreFull,
    StoreUnavailable,
)
from claimcheck.inventory import given_back
from claimcheck.keyring import KeyRing
from claimcheck.keys import BlobKey, namespace_folder
from claimcheck.pointers import part_of
from claimcheck.stores.contract import BlobStore
from service.errors import InputWrong, KeyMissing, StoreFailed, ValueLost
from service.settings import ClaimCheckSettings
from service.settings.sizes import format_size

__all__ = ["claim_or_key", "opened", "opened_claim", "place_of", "store_errors", "whole_key"]

_ABBREVIATED = re.compile(
    r"(?P<folder>v1/[^/]+/[^/]+/)?(?P<digest>[0-9a-f]{4,64})(?P<dots>…|\.\.\.)?"
)
_DIGEST_LENGTH = 64
_MOST_IN_MEMORY = 1024 * 1024 * 1024


def place_of(settings: ClaimCheckSettings) -> str:
    """Where the store is, for people."""
    if settings.type == "filesystem":
        return f"folder {settings.folder}"
    folder = f", folder {settings.prefix!r}" if settings.prefix else ""
    return f"bucket {settings.bucket!r}{folder} at {settings.store_endpoint or 'AWS'}"


@contextmanager
def store_errors() -> Iterator[None]:
    """Raise the claim check's errors, which say what to do, as ours."""
    try:
        yield
    except StoreFull as error:
        raise StoreFailed(
            f"{error}\n`flowrunner blobs sweep` shows what no run needs any more."
        ) from error
    except StoreUnavailable as error:
        raise StoreFailed(str(error)) from error
    except KeyUnknown as error:
        raise KeyMissing(str(error)) from error
    except (BlobDamaged, BlobMissing) as error:
        raise ValueLost(str(error)) from error
    except ClaimCheckError as error:
        raise InputWrong(str(error)) from error


def claim_or_key(text: str) -> Claim | str:
    """What somebody has copied from somewhere: a claim as JSON, or the key of a blob, which
    `whole_key` makes whole if it is abbreviated."""
    if not text.lstrip().startswith("{"):
        if _ABBREVIATED.fullmatch(text):
            return text
        if BlobKey.parse(text).holder is not None:
            raise ClaimInvalid(f"{text!r} is a note that a blob is held; it has no value")
        return text
    try:
        written = json.loads(text)
    except ValueError as error:
        raise ClaimInvalid(f"the claim is not JSON: {error}") from error
    return Claim.from_json(written)


async def whole_key(store: BlobStore, text: str, namespace: str) -> str:
    """The key, of which `text` may have no more than the beginning of the hash, with or without
    the folder. Raises `InputWrong` if none or several are so."""
    parts = _ABBREVIATED.fullmatch(text)
    if parts is None or (parts["folder"] and len(parts["digest"]) == _DIGEST_LENGTH):
        return text
    start = f"{parts['folder']}{parts['digest']}" if parts["folder"] else ""
    place = start or f"{namespace_folder(namespace)}/"
    found: list[str] = []
    async with given_back(store.list_keys(place)) as listed:
        async for blob in listed:
            key = BlobKey.parse(blob.key)
            if key.holder is None and key.digest.startswith(parts["digest"]):
                found.append(blob.key)
            if len(found) > 1:
                raise InputWrong(f"{text!r} is not enough, for it may be {' or '.join(found)}")
    if not found:
        within = f"under {parts['folder']}" if start else f"of namespace {namespace!r}"
        raise InputWrong(f"no blob {within} has a hash that begins with {parts['digest']!r}")
    return found[0]


async def opened(
    store: BlobStore, key: str, keys: KeyRing | None, *, limit: int | None = None
) -> AsyncIterator[bytes]:
    """The value in a blob, in pieces, decrypted and decompressed.

    Nothing made of them may be relied on before the end has come.
    """
    context = key.rpartition("/")[0]
    async with given_back(store.read(key)) as stored:
        with told_of(key):
            async for piece in unwrap_stream(stored, context=context, keys=keys, limit=limit):
                yield piece


async def opened_claim(
    store: BlobStore, claim: Claim, keys: KeyRing | None
) -> AsyncIterator[bytes]:
    """As `opened`; the part alone if the claim is for a part of a JSON value."""
    pieces = opened(store, claim.key, keys, limit=claim.size)
    if not claim.at:
        async for piece in pieces:
            yield piece
        return
    if claim.size > _MOST_IN_MEMORY:
        raise InputWrong(
            f"the claim is for a part of a value of {format_size(claim.size)}, which is more than "
            "is taken into memory; get the whole by its key"
        )
    whole = b"".join([piece async for piece in pieces])
    try:
        value = json.loads(whole)
    except ValueError as error:
        raise ClaimInvalid("the claim is for a part of a value that is not JSON") from error
    yield json.dumps(part_of(value, claim.at), ensure_ascii=False).encode()
