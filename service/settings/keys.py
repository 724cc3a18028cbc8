"""Key rings in variables and in files."""

from __future__ import annotations

import logging
import os
import shlex
import stat
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, SecretStr

from service.settings.environment import SettingsInvalid, ValueRefused
from service.settings.places import absolute

if TYPE_CHECKING:
    from claimcheck.keyring import KeyRing

__all__ = ["KeysFile", "KeysValue", "key_ring"]

_LOGGER = logging.getLogger("flowrunner.settings")
"""Which the worker writes into its log, and a command to standard error as it is."""


def _keys(value: SecretStr) -> SecretStr:
    _parse(value.get_secret_value(), ValueRefused)
    return value


def _keys_file(path: Path) -> Path:
    absolute(path, "file")
    _parse(_read(path, ValueRefused), lambda text: ValueRefused(f"{path}: {text}"))
    return path


KeysValue = Annotated[SecretStr, AfterValidator(_keys)]
KeysFile = Annotated[Path, AfterValidator(_keys_file)]


def key_ring(
    variable: str, keys: SecretStr | None, file: Path | None, *, encrypting: bool = True
) -> KeyRing | None:
    """The keys of `variable`, or of the file that `variable` with `_FILE` names, read now.

    Raises `SettingsInvalid`. Warns, once, of a file that other users of this machine can read.
    """
    if keys is not None:
        return _parse(keys.get_secret_value(), _refused(variable), encrypting=encrypting)
    if file is not None:
        refused = _refused(f"{variable}_FILE")
        _warn_if_open(f"{variable}_FILE", file)
        return _parse(_read(file, refused), refused, encrypting=encrypting)
    return None


@cache
def _warn_if_open(variable: str, file: Path) -> None:
    """Only of a file of one's own, as ssh does: what a platform mounts is as it makes it."""
    with suppress(OSError):  # reading it will say that better
        found = file.stat()
        if found.st_uid == os.getuid() and found.st_mode & stat.S_IROTH:
            _LOGGER.warning(
                "%s: other users of this machine can read the keys in it: chmod 600 %s",
                variable,
                shlex.quote(str(file)),
            )


def _refused(name: str) -> Callable[[str], Exception]:
    return lambda text: SettingsInvalid((f"{name}: {text}",))


def _read(path: Path, refused: Callable[[str], Exception]) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise refused(f"{str(path)!r} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        # Not from the error: it holds the file's bytes.
        raise refused(f"{str(path)!r} is not a text file") from None


def _parse(text: str, refused: Callable[[str], Exception], *, encrypting: bool = True) -> KeyRing:
    # Here, not above: only those who have keys wait for the libraries.
    from claimcheck.keyring import KeyRing, KeyRingInvalid

    try:
        return KeyRing.parse(text, encrypting=encrypting)
    except KeyRingInvalid as error:
        raise refused(str(error)) from error
