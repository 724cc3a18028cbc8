"""Key rings in variables and in files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, SecretStr

from service.settings.environment import SettingsInvalid, ValueRefused

if TYPE_CHECKING:
    from claimcheck.keyring import KeyRing

__all__ = ["KeysFile", "KeysValue", "key_ring"]


def _keys(value: SecretStr) -> SecretStr:
    _parse(value.get_secret_value(), ValueRefused)
    return value


def _keys_file(path: Path) -> Path:
    _parse(_read(path, ValueRefused), lambda text: ValueRefused(f"{path}: {text}"))
    return path


KeysValue = Annotated[SecretStr, AfterValidator(_keys)]
KeysFile = Annotated[Path, AfterValidator(_keys_file)]


def key_ring(
    variable: str, keys: SecretStr | None, file: Path | None, *, encrypting: bool = True
) -> KeyRing | None:
    """The keys of `variable`, or of the file that `variable` with `_FILE` names, read now.

    Raises `SettingsInvalid`.
    """
    if keys is not None:
        return _parse(keys.get_secret_value(), _refused(variable), encrypting=encrypting)
    if file is not None:
        refused = _refused(f"{variable}_FILE")
        return _parse(_read(file, refused), refused, encrypting=encrypting)
    return None


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
