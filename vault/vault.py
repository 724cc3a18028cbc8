"""Reading and changing a vault."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace as changed
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

from claimcheck.errors import SealBroken
from claimcheck.keyring import KeyRing
from claimcheck.sealing import seal, unseal
from vault.document import Entry, read_document, written_document
from vault.errors import ValueUnfit, VaultDamaged, VaultError, VaultKeyUnknown, VaultUnreadable
from vault.replacing import locked, replace
from vault.values import LEAST_LENGTH, LONGEST, is_secret_name

__all__ = ["Vault"]

T = TypeVar("T")

_LARGEST: Final = 16 * 1024 * 1024
_READ: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC


class Vault:
    """The secrets in one file; one that is not there has none.

    Readers need no lock, and see a change when it has been made. Every method blocks, may be
    called from any thread, and raises a `VaultError` that names the file.
    """

    def __init__(self, path: Path, keys: KeyRing) -> None:
        self.path = path
        self._keys = keys
        self._seen: tuple[tuple[int, ...], dict[str, Entry]] | None = None

    @property
    def first_key(self) -> str:
        """The id of the key that encrypts."""
        return self._keys.first.id

    def exists(self) -> bool:
        return self.path.exists()

    def entries(self) -> Mapping[str, Entry]:
        """What there is, by name; no key is needed for that."""
        with self._told():
            return self._entries(self.path)

    def unknown_keys(self) -> Mapping[str, str]:
        """The secrets that cannot be read here, each with the id of the key that is missing."""
        ids = self._keys.ids
        return {name: one.key for name, one in self.entries().items() if one.key not in ids}

    def unreadable(self) -> Mapping[str, str]:
        """The secrets that cannot be read here, each with what keeps it from being read."""
        told: dict[str, str] = {}
        for name, entry in self.entries().items():
            try:
                self._opened(name, entry)
            except VaultError as error:
                told[name] = str(error)
        return told

    def read(self, name: str) -> str | None:
        """The value; None if there is none of that name."""
        with self._told():
            entry = self._entries(self.path).get(name)
            return None if entry is None else self._opened(name, entry).decode("utf-8")

    def write(self, name: str, value: str) -> bool:
        """Set a secret; whether it was there before.

        Raises `ValueUnfit` for what none can be, and `VaultKeyUnknown` if the vault has others
        that cannot be read here: nobody would have the keys of both.
        """
        raw = _fit(name, value)

        def put(entries: dict[str, Entry]) -> bool:
            known = name in entries
            self._refuse_namesake(entries)
            self._refuse_stranger(name, entries)
            entries[name] = Entry(set=datetime.now(UTC), sealed=self._sealed(name, raw))
            return known

        return self._change(put)

    def remove(self, name: str) -> bool:
        """Forget a secret; whether it was there."""
        return self._change(lambda entries: entries.pop(name, None) is not None)

    def rotate(self) -> int:
        """Encrypt every secret anew, with the first key; how many there are.

        All of them or, if one cannot be opened, or this is interrupted, none.
        """

        def seal_anew(entries: dict[str, Entry]) -> int:
            for name, entry in entries.items():
                raw = self._opened(name, entry)
                entries[name] = changed(entry, sealed=self._sealed(name, raw))
            return len(entries)

        return self._change(seal_anew)

    def _change(self, change: Callable[[dict[str, Entry]], T]) -> T:
        with self._told():
            path = self.path.resolve()  # the file takes the place of itself, not of a link to it
            if not path.parent.is_dir():
                raise VaultUnreadable(f"there is no folder {path.parent}")
            with locked(path):
                before = self._entries(path)
                after = dict(before)
                result = change(after)
                if after != before:
                    data = written_document(after)
                    if len(data) > _LARGEST:
                        raise ValueUnfit(f"is too much: a vault has at most {_LARGEST:,} bytes")
                    replace(path, data)
                return result

    def _entries(self, path: Path) -> dict[str, Entry]:
        try:
            file = os.open(path, _READ)
        except FileNotFoundError:
            return {}
        with open(file, "rb") as reading:
            signature = _signature(os.fstat(file))
            seen = self._seen
            if seen is None or seen[0] != signature:
                data = reading.read(_LARGEST + 1)
                if len(data) > _LARGEST:
                    raise VaultDamaged(f"a vault has at most {_LARGEST:,} bytes, this has more")
                seen = self._seen = (signature, read_document(data))
            return seen[1]

    def _sealed(self, name: str, raw: bytes) -> bytes:
        return seal(raw, context=_context(name), keys=self._keys)

    def _opened(self, name: str, entry: Entry) -> bytes:
        if entry.key not in self._keys.ids:
            raise VaultKeyUnknown(
                f"the secret {name!r} was encrypted with the key {entry.key!r}, which is not in "
                f"the key ring ({', '.join(self._keys.ids)}): add it to FLOWRUNNER_VAULT_KEYS"
            )
        try:
            return unseal(entry.sealed, context=_context(name), keys=self._keys)
        except SealBroken:
            pass
        raise VaultDamaged(
            f"the secret {name!r} was changed after it had been encrypted, or moved to another "
            f"name, or encrypted with another key that is called {entry.key!r} too"
        )

    def _refuse_namesake(self, entries: Mapping[str, Entry]) -> None:
        """Two keys of one name in a vault: no worker could read both."""
        for name, entry in entries.items():
            if entry.key == self.first_key:
                self._opened(name, entry)
                return

    def _refuse_stranger(self, name: str, entries: Mapping[str, Entry]) -> None:
        """A vault whose other secrets are encrypted with keys that are not here."""
        ids = self._keys.ids
        others = [one for one in entries if one != name and entries[one].key not in ids]
        if not others:
            return
        missing = ", ".join(sorted({entries[one].key for one in others}))
        raise VaultKeyUnknown(
            f"it has secrets that were encrypted with other keys ({missing}) than those in "
            f"FLOWRUNNER_VAULT_KEYS ({', '.join(ids)}): {', '.join(others)}.\n"
            f"With {name} no one key would be enough for all. Use the vault's own key; or to "
            "change keys, put the new one before it and run `flowrunner secrets rotate`; or if it "
            "is lost, so are those secrets: remove them with `flowrunner secrets rm`."
        )

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What goes wrong, with the name of the file."""
        try:
            yield
        except ValueUnfit:
            raise
        except VaultError as error:
            raise type(error)(f"the vault {self.path}: {error}") from error
        except OSError as error:
            of = f" ({error.filename})" if error.filename not in (None, str(self.path)) else ""
            raise VaultUnreadable(f"the vault {self.path}: {error.strerror}{of}") from error


def _signature(found: os.stat_result) -> tuple[int, ...]:
    """Another one after each change. Raises `VaultUnreadable` for what is no file."""
    if not stat.S_ISREG(found.st_mode):
        raise VaultUnreadable("it is not a file")
    times = (found.st_mtime_ns, found.st_ctime_ns)
    return (found.st_dev, found.st_ino, found.st_size, *times)


def _context(name: str) -> str:
    return f"flowrunner/vault/1/{name}"


def _fit(name: str, value: str) -> bytes:
    assert is_secret_name(name)
    if len(value) < LEAST_LENGTH:
        raise ValueUnfit(
            f"has fewer than {LEAST_LENGTH} characters: too short to be kept out of results"
        )
    raw = value.encode("utf-8")
    if len(raw) > LONGEST:
        raise ValueUnfit(f"has more than {LONGEST:,} bytes")
    return raw
