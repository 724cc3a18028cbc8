"""The keys that values are encrypted with."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from claimcheck.errors import KeyUnknown

__all__ = ["Key", "KeyRing", "KeyRingInvalid", "find_key", "id_in", "new_key"]

_SECRET_SIZE: Final = 32
_ID = re.compile(r"[A-Za-z0-9_.-]{1,32}")


class KeyRingInvalid(ValueError):
    """The key ring cannot be used. The text never has any part of a key in it."""


@dataclass(frozen=True, kw_only=True)
class Key:
    """32 secret bytes and the name they are known by in what was encrypted with them."""

    id: str
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if _ID.fullmatch(self.id) is None:
            raise KeyRingInvalid("its id is not 1 to 32 letters, digits, `_`, `.` or `-`")
        if len(self.secret) != _SECRET_SIZE:
            raise KeyRingInvalid(f"it has {len(self.secret)} bytes instead of {_SECRET_SIZE}")


@dataclass(frozen=True, kw_only=True, repr=False)
class KeyRing:
    """Keys in order: the first one encrypts, each of them decrypts.

    To rotate, put a new key first and leave the old one where it is for as long as anything
    encrypted with it is kept. `encrypting` is off while keys are being rolled out: values are
    read, encrypted or not, and nothing is encrypted that some process could not read yet.
    """

    keys: tuple[Key, ...]
    encrypting: bool = True

    def __post_init__(self) -> None:
        if not self.keys:
            raise KeyRingInvalid("there is no key in the key ring")
        ids = self.ids
        if twice := sorted({id for id in ids if ids.count(id) > 1}):
            raise KeyRingInvalid(f"the key id {twice[0]!r} is there twice; every id names one key")

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self.ids)}{'' if self.encrypting else '; decrypts only'})"

    @classmethod
    def parse(cls, text: str, *, encrypting: bool = True) -> KeyRing:
        """Read `id:base64-of-32-bytes`, separated by commas or line ends; `#` begins a comment.

        Raises `KeyRingInvalid`. It names a key that cannot be read by its place alone, for who
        mixes up the two sides of the colon has the secret where the id should be.
        """
        entries = enumerate(_entries(text), 1)
        keys = tuple(_key(entry, number, line) for number, (line, entry) in entries)
        return cls(keys=keys, encrypting=encrypting)

    @property
    def ids(self) -> list[str]:
        return [key.id for key in self.keys]

    @property
    def first(self) -> Key:
        """The one that encrypts."""
        return self.keys[0]


def new_key(id: str) -> str:
    """A new key as `KeyRing.parse` reads it. Raises `KeyRingInvalid` for an id that is none."""
    key = Key(id=id, secret=secrets.token_bytes(_SECRET_SIZE))
    return f"{key.id}:{base64.b64encode(key.secret).decode()}"


def find_key(keys: KeyRing | None, id: str) -> Key:
    """The key of that id. Raises `KeyUnknown`, saying what to do."""
    for key in keys.keys if keys is not None else ():
        if key.id == id:
            return key
    missing = "but there are no keys here"
    if keys is not None:
        missing = f"which is not in the key ring ({', '.join(keys.ids)})"
    raise KeyUnknown(
        f"this was encrypted with the key {id!r}, {missing}: add it to CLAIM_CHECK_KEYS"
    )


def id_in(raw: bytes) -> str | None:
    """The id of a key as it stands in what anybody may have written; None if it cannot be one."""
    id = raw.decode("ascii", "replace")
    return id if _ID.fullmatch(id) else None


def _entries(text: str) -> Iterator[tuple[int, str]]:
    """Every entry with its line."""
    for line, written in enumerate(text.splitlines(), 1):
        for entry in written.partition("#")[0].split(","):
            if entry.strip():
                yield line, entry.strip()


def _key(entry: str, number: int, line: int) -> Key:
    where = f"key {number} of the key ring (line {line})"
    id, colon, secret = entry.partition(":")
    if not colon:
        raise KeyRingInvalid(f"{where} is not of the form id:base64")
    try:
        return Key(id=id.strip(), secret=base64.b64decode(secret.strip(), validate=True))
    except KeyRingInvalid as invalid:
        reason = str(invalid)
    except ValueError:
        reason = "what follows the colon is not base64"
    # Raised out here, so that nothing that has seen the secret hangs on to the error.
    raise KeyRingInvalid(
        f"{where} cannot be used: {reason}; `flowrunner blobs new-key` makes a new one"
    )
