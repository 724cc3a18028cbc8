"""Payloads that travel inline, encrypted.

    sealed  version 1, length of the key's id, the key's id, nonce, encrypted text, tag

The numbers have one byte, the nonce 24, drawn at random. All of it and the context are
authenticated by the tag.
"""

from __future__ import annotations

import os
from typing import Final

from claimcheck.ciphers import NONCE_SIZE, Cipher
from claimcheck.errors import SealBroken
from claimcheck.keyring import KeyRing, find_key, id_in

__all__ = ["seal", "sealed_with", "unseal"]

_VERSION: Final = 1


def seal(data: bytes, *, context: str, keys: KeyRing) -> bytes:
    """The data encrypted with the first key, to other bytes each time; `unseal` opens it with
    the same context alone. Raises `ValueError` if the key ring is not encrypting.
    """
    if not keys.encrypting:
        raise ValueError("this key ring decrypts only: ask for `encrypting` before you seal")
    id = keys.first.id.encode()
    header = bytes((_VERSION, len(id))) + id
    return header + Cipher(keys.first.secret, "payload").encrypt(
        data, nonce=os.urandom(NONCE_SIZE), associated=header + context.encode()
    )


def unseal(data: bytes, *, context: str, keys: KeyRing | None) -> bytes:
    """Open what `seal` has made, or anybody else. Raises `KeyUnknown`, and `SealBroken` if it was
    changed or made for another context.
    """
    header, id = _header(data)
    opened = Cipher(find_key(keys, id).secret, "payload").decrypt(
        memoryview(data)[len(header) :], associated=header + context.encode()
    )
    if opened is None:
        raise SealBroken(
            "the payload was changed after it had been encrypted, or with another key of the id "
            f"{id!r}, or for another place than {context[:200]!r}"
        )
    return opened


def sealed_with(data: bytes) -> str:
    """The id of the key that it was, or says it was, sealed with. Raises `SealBroken`."""
    return _header(data)[1]


def _header(data: bytes) -> tuple[bytes, str]:
    """The header, and the id of the key in it."""
    header = data[: 2 + data[1]] if len(data) > 1 else b""
    if len(header) < 2 or header[0] != _VERSION:
        raise SealBroken(
            "this is no encrypted payload of a version that is known here; "
            "was it written by a newer release?"
        )
    id = id_in(header[2:])
    if id is None or len(header) != 2 + header[1]:
        raise SealBroken("the payload does not say with which key it was encrypted")
    return header, id
