"""The claim check: large values live in an object store and only references travel.

It knows nothing of flows; any user of Temporal's Python SDK can have it, see `README.md` here.
Names are loaded when they are first asked for, so that one module can be had without the rest.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from claimcheck.claim import Claim
    from claimcheck.cloakroom import Cloakroom
    from claimcheck.codec import ClaimCodec
    from claimcheck.driver import ClaimCheckDriver
    from claimcheck.errors import (
        BlobDamaged,
        BlobMissing,
        BlobTooLarge,
        ClaimCheckError,
        ClaimInvalid,
        KeyUnknown,
        StoreFull,
        StoreRefused,
        StoreUnavailable,
    )
    from claimcheck.interceptor import ClaimInterceptor, takes_claims
    from claimcheck.keyring import KeyRing
    from claimcheck.payloads import Inline, data_converter
    from claimcheck.plugin import ClaimCheckPlugin
    from claimcheck.stores import BlobStore, FilesystemStore, MemoryStore, S3Store

__all__ = [
    "BlobDamaged",
    "BlobMissing",
    "BlobStore",
    "BlobTooLarge",
    "Claim",
    "ClaimCheckDriver",
    "ClaimCheckError",
    "ClaimCheckPlugin",
    "ClaimCodec",
    "ClaimInterceptor",
    "ClaimInvalid",
    "Cloakroom",
    "FilesystemStore",
    "Inline",
    "KeyRing",
    "KeyUnknown",
    "MemoryStore",
    "S3Store",
    "StoreFull",
    "StoreRefused",
    "StoreUnavailable",
    "data_converter",
    "takes_claims",
]

_HOMES = {
    "BlobDamaged": "errors",
    "BlobMissing": "errors",
    "BlobStore": "stores",
    "BlobTooLarge": "errors",
    "Claim": "claim",
    "ClaimCheckDriver": "driver",
    "ClaimCheckError": "errors",
    "ClaimCheckPlugin": "plugin",
    "ClaimCodec": "codec",
    "ClaimInterceptor": "interceptor",
    "ClaimInvalid": "errors",
    "Cloakroom": "cloakroom",
    "FilesystemStore": "stores",
    "Inline": "payloads",
    "KeyRing": "keyring",
    "KeyUnknown": "errors",
    "MemoryStore": "stores",
    "S3Store": "stores",
    "StoreFull": "errors",
    "StoreRefused": "errors",
    "StoreUnavailable": "errors",
    "data_converter": "payloads",
    "takes_claims": "interceptor",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
