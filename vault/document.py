"""The vault's file: JSON with a version, and for each secret when it was set and its sealed value.

    {"flowrunner_vault": 1, "secrets": {"HR_TOKEN": {"set": "2026-11-02T09:30:00Z", "sealed": "…"}}}

`sealed` is base64 of what `claimcheck.sealing` makes, bound to the secret's name. A release that
changes this must raise the version and go on reading the old one.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from claimcheck.errors import SealBroken
from claimcheck.sealing import sealed_with
from vault.errors import VaultDamaged
from vault.values import is_secret_name

__all__ = ["Entry", "read_document", "written_document"]

_MARK: Final = "flowrunner_vault"
_VERSION: Final = 1
_NO_VAULT: Final = "this is no vault: was it written by something else than `flowrunner secrets`?"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A secret as it is kept. `set` is not authenticated: it is for people."""

    set: datetime
    sealed: bytes

    @property
    def key(self) -> str:
        """The id of the key it was encrypted with."""
        return sealed_with(self.sealed)


def read_document(data: bytes) -> dict[str, Entry]:
    """The secrets by name, in order. Raises `VaultDamaged`, whatever the bytes are."""
    found = _json(data)
    version = found.get(_MARK) if isinstance(found, dict) else None
    if not isinstance(found, dict) or type(version) is not int:
        raise VaultDamaged(_NO_VAULT)
    if version != _VERSION:
        raise VaultDamaged(
            f"this is a vault of version {version}, and only version {_VERSION} is known here; "
            "was it written by a newer release?"
        )
    secrets = found.get("secrets")
    if not isinstance(secrets, dict) or set(found) != {_MARK, "secrets"}:
        raise VaultDamaged(f"a vault has the keys `{_MARK}` and `secrets` and no others")
    return {name: _entry(name, secrets[name]) for name in sorted(secrets)}


def written_document(entries: Mapping[str, Entry]) -> bytes:
    secrets = {
        name: {"set": _moment(entry.set), "sealed": base64.b64encode(entry.sealed).decode()}
        for name, entry in sorted(entries.items())
    }
    return (json.dumps({_MARK: _VERSION, "secrets": secrets}, indent=1) + "\n").encode()


def _json(data: bytes) -> Any:
    try:
        return json.loads(data, object_pairs_hook=_each_once)
    except (ValueError, RecursionError):
        # Not from the error: it may quote the file.
        raise VaultDamaged(_NO_VAULT) from None


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise VaultDamaged("a name is there twice: were two vaults put together by hand?")
    return found


def _entry(name: str, written: Any) -> Entry:
    if not is_secret_name(name):
        raise VaultDamaged("there is a name in it that no secret can have")
    if not isinstance(written, dict) or set(written) != {"set", "sealed"}:
        raise VaultDamaged(f"the entry {name!r} does not have the keys `set` and `sealed` alone")
    try:
        moment = datetime.fromisoformat(written["set"]).astimezone(UTC)
        sealed = base64.b64decode(written["sealed"], validate=True)
        sealed_with(sealed)
    except (ValueError, TypeError, OverflowError, SealBroken):
        raise VaultDamaged(f"the entry {name!r} cannot be read") from None
    return Entry(set=moment, sealed=sealed)


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
