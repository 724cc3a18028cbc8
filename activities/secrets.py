"""Where the values behind `${secrets.NAME}` come from."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from activities.errors import SECRET_MISSING, SECRET_REFUSED, SECRET_UNREADABLE, NodeFailed
from vault.errors import VaultError
from vault.values import LEAST_LENGTH, is_secret_name

if TYPE_CHECKING:
    from vault.vault import Vault

__all__ = [
    "LEAST_LENGTH",
    "SECRET_PREFIX",
    "EnvironmentSource",
    "SecretSource",
    "Secrets",
    "VaultSource",
]

SECRET_PREFIX = "FLOWRUNNER_SECRET_"


class SecretSource(Protocol):
    """A place where secrets are looked for. It may be asked from any thread."""

    blocking: bool
    """Whether looking may take a while."""

    def place(self, name: str) -> str:
        """Where that secret would be, in words: «the environment variable …»."""
        ...

    def find(self, name: str) -> str | None:
        """The value as it is now; None or empty if it is not there.

        Fails with `SecretUnreadable` if that cannot be told.
        """
        ...


class EnvironmentSource:
    """Environment variables with a prefix. Any mapping will do, also one that changes."""

    blocking = False

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def place(self, name: str) -> str:
        return f"the environment variable {SECRET_PREFIX}{name}"

    def find(self, name: str) -> str | None:
        return self._environment.get(SECRET_PREFIX + name)


class VaultSource:
    """The encrypted file of `flowrunner secrets`; what is changed there counts at once."""

    blocking = True

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def place(self, name: str) -> str:
        missing = "" if self._vault.exists() else ", which does not exist"
        return f"the vault {self._vault.path}{missing} (`flowrunner secrets set {name}`)"

    def find(self, name: str) -> str | None:
        try:
            return self._vault.read(name)
        except VaultError as error:
            message = f"the secret {name!r} cannot be read: {error}"
        raise NodeFailed(SECRET_UNREADABLE, message)


class Secrets:
    """Secrets from the first source that has them, and from an allow-list if there is one.

    A source that cannot be read is not passed over: what comes after it may be outdated.
    """

    def __init__(
        self, sources: Sequence[SecretSource], *, allowed: Collection[str] | None = None
    ) -> None:
        self._sources = sources
        self._allowed = allowed
        self._blocking = any(source.blocking for source in sources)

    async def read(self, names: Iterable[str], *, declared: Collection[str]) -> dict[str, str]:
        """The values of `names` as they are now, never a part of them.

        Fails with `SecretRefused`, `SecretMissing` or `SecretUnreadable`.
        """
        wanted = list(names)
        for name in wanted:
            self._permit(name, declared)
        if wanted and self._blocking:
            return await asyncio.to_thread(self._values, wanted)
        return self._values(wanted)

    def _permit(self, name: str, declared: Collection[str]) -> None:
        if not is_secret_name(name):
            raise NodeFailed(SECRET_REFUSED, f"no secret can be called {name!r}")
        if name not in declared:
            raise NodeFailed(
                SECRET_REFUSED,
                f"the flow does not declare the secret {name!r}: add it to the list `secrets`",
            )
        if self._allowed is not None and name not in self._allowed:
            raise NodeFailed(
                SECRET_REFUSED,
                f"this worker does not let flows use the secret {name!r}: add it to "
                "FLOWRUNNER_SECRETS_ALLOWED where the worker is started",
            )

    def _values(self, names: list[str]) -> dict[str, str]:
        return {name: self._value(name) for name in names}

    def _value(self, name: str) -> str:
        for source in self._sources:
            if value := source.find(name):
                return _long_enough(value, source.place(name))
        places = [source.place(name) for source in self._sources]
        raise NodeFailed(
            SECRET_MISSING,
            f"the secret {name!r} is not set on this worker; looked for it in "
            f"{' and in '.join(places) or 'nothing, for it has no sources'}",
        )


def _long_enough(value: str, place: str) -> str:
    if len(value) >= LEAST_LENGTH:
        return value
    raise NodeFailed(
        SECRET_REFUSED,
        f"the value in {place} has fewer than {LEAST_LENGTH} characters: too short to be kept out "
        "of results; if it is no secret, pass it as input",
    )
