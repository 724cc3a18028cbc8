"""Where the values behind `${secrets.NAME}` come from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from activities.errors import SECRET_MISSING, SECRET_REFUSED, NodeFailed

__all__ = ["LEAST_LENGTH", "SECRET_PREFIX", "EnvironmentSecrets"]

SECRET_PREFIX = "FLOWRUNNER_SECRET_"

LEAST_LENGTH = 4
"""A shorter value turns up everywhere by chance, so it cannot be kept out of results."""


class EnvironmentSecrets:
    """Secrets from environment variables with a prefix, and from an allow-list if there is one.

    The environment is read at each look-up, so it may be any mapping that changes.
    """

    def __init__(
        self, environment: Mapping[str, str], *, allowed: Collection[str] | None = None
    ) -> None:
        self._environment = environment
        self._allowed = allowed

    def read(self, names: Iterable[str], *, declared: Collection[str]) -> dict[str, str]:
        """The values of `names`; fails with `SecretRefused` or `SecretMissing`, never in part."""
        return {name: self._read(name, declared) for name in names}

    def _read(self, name: str, declared: Collection[str]) -> str:
        variable = SECRET_PREFIX + name
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
        value = self._environment.get(variable, "")
        if not value:
            raise NodeFailed(
                SECRET_MISSING,
                f"the secret {name!r} is not set: give the worker the environment variable "
                f"{variable}",
            )
        if len(value) < LEAST_LENGTH:
            raise NodeFailed(
                SECRET_REFUSED,
                f"the value of {variable} has fewer than {LEAST_LENGTH} characters: too short to "
                "be kept out of results; if it is no secret, pass it as input",
            )
        return value
