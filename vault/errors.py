"""What can be wrong with a vault or a value; no text ever holds a value or a part of one."""

from __future__ import annotations

__all__ = [
    "ValueUnfit",
    "VaultBusy",
    "VaultDamaged",
    "VaultError",
    "VaultKeyUnknown",
    "VaultUnreadable",
]


class VaultError(Exception):
    """The root of this package's errors."""


class ValueUnfit(VaultError):
    """The bytes cannot be the value of a secret; the text goes on after «the value »."""


class VaultUnreadable(VaultError):
    """The operating system does not let us read or write the file."""


class VaultDamaged(VaultError):
    """What the file holds is no vault, or was changed by somebody without the keys."""


class VaultKeyUnknown(VaultError):
    """A secret was encrypted with a key that is not in the key ring, or with none of its name."""


class VaultBusy(VaultError):
    """Somebody else has been writing for too long."""
