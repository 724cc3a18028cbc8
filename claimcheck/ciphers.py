"""AES-256-GCM as it is used here: with a key for each purpose, and nonces that do not run out.

Plain GCM has nonces of 12 bytes: drawn at random, too few for the payloads of a busy cluster,
and one drawn twice gives everything away. So a nonce here has 24 bytes. A message is encrypted
with the key HMAC-SHA256(key of the purpose, first half of the nonce) and GCM's nonce is the second
half. The key of a purpose is HMAC-SHA256(secret, "claimcheck/1/<purpose>").
"""

from __future__ import annotations

import hmac
from typing import Final, Literal, TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = ["NONCE_SIZE", "OVERHEAD", "TAG_SIZE", "Cipher", "Data", "Purpose", "fingerprint"]

NONCE_SIZE: Final = 24
TAG_SIZE: Final = 16
OVERHEAD: Final = NONCE_SIZE + TAG_SIZE

Data: TypeAlias = bytes | bytearray | memoryview
Purpose: TypeAlias = Literal["payload", "frame", "nonce"]

_HALF: Final = NONCE_SIZE // 2


class Cipher:
    """Encrypts for one purpose; what it makes opens for no other, though the secret be the same."""

    def __init__(self, secret: bytes, purpose: Purpose) -> None:
        self._key = _subkey(secret, purpose)

    def encrypt(self, plain: Data, *, nonce: bytes, associated: bytes) -> bytes:
        """The nonce, then the encrypted text, then its tag: longer than `plain` by `OVERHEAD`.

        A nonce may be given twice only with the very same text and associated bytes.
        """
        return nonce + self._once(nonce).encrypt(nonce[_HALF:], plain, associated)

    def decrypt(self, sealed: memoryview, *, associated: bytes) -> bytes | None:
        """What was encrypted; None if any bit of it, or of `associated`, is another one."""
        if len(sealed) < OVERHEAD:
            return None
        nonce = bytes(sealed[:NONCE_SIZE])
        try:
            return self._once(nonce).decrypt(nonce[_HALF:], sealed[NONCE_SIZE:], associated)
        except InvalidTag:
            return None

    def _once(self, nonce: bytes) -> AESGCM:
        return AESGCM(hmac.digest(self._key, nonce[:_HALF], "sha256"))


def fingerprint(secret: bytes, associated: bytes, text: Data) -> bytes:
    """32 bytes that only the holder of the secret can tell, and that differ for any other input."""
    mac = hmac.new(_subkey(secret, "nonce"), len(associated).to_bytes(8, "big"), "sha256")
    mac.update(associated)
    mac.update(text)
    return mac.digest()


def _subkey(secret: bytes, purpose: Purpose) -> bytes:
    return hmac.digest(secret, f"claimcheck/1/{purpose}".encode(), "sha256")
