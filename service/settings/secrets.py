"""Where secrets are, beside the environment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator

from service.settings.environment import EnvironmentSettings, ValueRefused, setting
from service.settings.keys import KeysFile, KeysValue, key_ring
from service.settings.places import absolute

if TYPE_CHECKING:
    from claimcheck.keyring import KeyRing

__all__ = ["SecretSettings"]

_KEYS = ("FLOWRUNNER_VAULT_KEYS", "FLOWRUNNER_VAULT_KEYS_FILE")
_NEW_KEY = "`flowrunner secrets new-key` makes a key"


def _folder(path: Path) -> Path:
    if absolute(path).is_dir():
        return path
    raise ValueRefused(f"there is no folder {str(path)!r}")


def _file(path: Path) -> Path:
    return absolute(path, "file")


class SecretSettings(EnvironmentSettings):
    """The sources of secrets that are files; the worker and `flowrunner secrets` read them."""

    folder: Annotated[Path, AfterValidator(_folder)] | None = setting(
        "FLOWRUNNER_SECRETS_DIR",
        "A folder with a file for each secret, called by its name, as Docker and Kubernetes mount "
        "them. Read whenever a node needs one.",
        "the absolute path of a folder that is there, such as `/run/secrets`",
        default=None,
    )
    vault: Annotated[Path, AfterValidator(_file)] | None = setting(
        "FLOWRUNNER_VAULT",
        "The encrypted file that `flowrunner secrets` keeps secrets in. It need not exist yet.",
        "an absolute path",
        default=None,
    )
    keys: KeysValue | None = setting(
        "FLOWRUNNER_VAULT_KEYS",
        "The keys of the vault, separated by commas: the first one encrypts, all decrypt. A "
        f"secret; {_NEW_KEY}.",
        "keys such as `k1:…`, the base64 of 32 bytes after a name",
        default=None,
    )
    keys_file: KeysFile | None = setting(
        "FLOWRUNNER_VAULT_KEYS_FILE",
        "The same from a file that nobody else can read, a key a line; what follows a `#` is a "
        "comment.",
        "an absolute path",
        default=None,
    )

    @classmethod
    def contradictions(cls, given: Mapping[str, object]) -> Iterator[str]:
        named = [name for name in _KEYS if name in given]
        if len(named) == 2:
            yield f"{_KEYS[1]}: is set, but {_KEYS[0]} is set too; unset one of the two"
        if "FLOWRUNNER_VAULT" in given and not named:
            yield (
                f"FLOWRUNNER_VAULT: is set, but there are no keys; set {_KEYS[0]} or {_KEYS[1]} "
                f"({_NEW_KEY})"
            )
        if named and "FLOWRUNNER_VAULT" not in given:
            yield f"{named[0]}: is set, but FLOWRUNNER_VAULT is not; set it to the vault's path"

    def key_ring(self) -> KeyRing | None:
        """Reads the file of the keys, if that is where they are. Raises `SettingsInvalid`."""
        return key_ring(_KEYS[0], self.keys, self.keys_file)
