"""Opens the vault that the settings describe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.settings import SecretSettings, SettingsInvalid

if TYPE_CHECKING:
    from vault.vault import Vault

__all__ = ["check_vault", "open_vault"]


def open_vault(settings: SecretSettings) -> Vault | None:
    """None if there is none; nothing is read of it yet. Raises `SettingsInvalid`."""
    if settings.vault is None:
        return None
    # Here, not above: who has no vault does not wait for its libraries.
    from vault.vault import Vault

    keys = settings.key_ring()
    assert keys is not None, "the settings have seen to that"
    return Vault(settings.vault, keys)


def check_vault(vault: Vault) -> str | None:
    """What somebody should look after who starts a worker, in one sentence.

    Raises `SettingsInvalid` for what is no vault.
    """
    from vault.errors import VaultError

    try:
        unknown = vault.unknown_keys()
    except VaultError as error:
        raise SettingsInvalid((f"FLOWRUNNER_VAULT: {error}",)) from error
    if unknown:
        return (
            f"the vault {vault.path} has secrets that cannot be read, for the keys "
            f"{', '.join(sorted(set(unknown.values())))} are not in FLOWRUNNER_VAULT_KEYS: "
            f"{', '.join(unknown)}"
        )
    return None if vault.exists() else f"there is no vault {vault.path} yet"
