"""How to reach Temporal: the same variables and the same file as the Temporal CLI.

The SDK's own reader does the work. What it lets pass in silence, a file that is not there or a
TLS switch that is neither on nor off, is an error here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, SecretBytes, SecretStr

from service.settings.environment import SettingsInvalid

if TYPE_CHECKING:
    from temporalio.envconfig import ClientConfigProfile, ClientConfigTLS, DataSource

__all__ = ["TEMPORAL_VARIABLES", "TemporalSettings", "TemporalVariable", "TlsSettings"]

DEFAULT_ADDRESS = "localhost:7233"
DEFAULT_NAMESPACE = "default"

_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s/:]+):\d{1,5}")


@dataclass(frozen=True, kw_only=True)
class TemporalVariable:
    """A line of the reference; `name` may end in `*` for a family of variables."""

    name: str
    description: str
    default: str = ""


TEMPORAL_VARIABLES = (
    TemporalVariable(
        name="TEMPORAL_ADDRESS",
        description="`HOST:PORT` of the Temporal server.",
        default=f"`{DEFAULT_ADDRESS}`",
    ),
    TemporalVariable(
        name="TEMPORAL_NAMESPACE",
        description="The namespace on that server.",
        default=f"`{DEFAULT_NAMESPACE}`",
    ),
    TemporalVariable(
        name="TEMPORAL_API_KEY", description="An API key, as Temporal Cloud has them. Turns TLS on."
    ),
    TemporalVariable(
        name="TEMPORAL_TLS",
        description="`true` or `false`.",
        default="`true` with an API key or any of the next four, else `false`",
    ),
    TemporalVariable(
        name="TEMPORAL_TLS_CLIENT_CERT_PATH", description="Our certificate for mutual TLS (PEM)."
    ),
    TemporalVariable(
        name="TEMPORAL_TLS_CLIENT_KEY_PATH", description="The private key of that certificate."
    ),
    TemporalVariable(
        name="TEMPORAL_TLS_SERVER_CA_CERT_PATH",
        description="The authority that the server's certificate is checked against.",
        default="the system's",
    ),
    TemporalVariable(
        name="TEMPORAL_TLS_SERVER_NAME",
        description="The name that the server's certificate must bear.",
        default="the host of the address",
    ),
    TemporalVariable(
        name="TEMPORAL_GRPC_META_*",
        description="A header for every call: `TEMPORAL_GRPC_META_X_TEAM=a` sends `x-team: a`.",
    ),
    TemporalVariable(
        name="TEMPORAL_PROFILE",
        description="The profile to take from the configuration file.",
        default="`default`",
    ),
    TemporalVariable(
        name="TEMPORAL_CONFIG_FILE",
        description="The configuration file of the Temporal CLI; variables win over it.",
        default="where the CLI keeps it: `temporalio/temporal.toml` in the user's configuration",
    ),
)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TlsSettings(_Frozen):
    """Certificates as bytes; None takes what the system has."""

    server_name: str | None = None
    server_ca_cert: bytes | None = None
    client_cert: bytes | None = None
    client_key: SecretBytes | None = None


class TemporalSettings(_Frozen):
    """The way to one namespace of one server; the defaults are a local one without TLS."""

    address: str = DEFAULT_ADDRESS
    namespace: str = DEFAULT_NAMESPACE
    api_key: SecretStr | None = None
    tls: TlsSettings | None = None
    grpc_meta: Mapping[str, str] = Field(default_factory=dict)


def read_temporal_settings() -> TemporalSettings:
    """Raises `SettingsInvalid`."""
    profile = _profile()
    problems: list[str] = []
    address = profile.address or DEFAULT_ADDRESS
    if problem := _address_problem(address):
        problems.append(problem)
    tls = _tls(profile, problems)
    if problems:
        raise SettingsInvalid(tuple(problems))
    return TemporalSettings(
        address=address,
        namespace=profile.namespace or DEFAULT_NAMESPACE,
        api_key=SecretStr(profile.api_key) if profile.api_key else None,
        tls=tls,
        grpc_meta=dict(profile.grpc_meta),
    )


def _profile() -> ClientConfigProfile:
    # Here, not above: the SDK takes a quarter of a second to import.
    from temporalio.envconfig import ClientConfigProfile

    file = os.environ.get("TEMPORAL_CONFIG_FILE")
    if file and not Path(file).exists():
        raise SettingsInvalid((f"TEMPORAL_CONFIG_FILE: there is no file {file!r}",))
    try:
        # Like everywhere here, an empty variable is one that is not set.
        return ClientConfigProfile.load(
            override_env_vars={name: value for name, value in os.environ.items() if value}
        )
    except Exception as error:  # the SDK's reader raises an exception type it does not export
        what = "TEMPORAL_PROFILE" if "Profile" in str(error) else "TEMPORAL_CONFIG_FILE"
        # The lines with a bar quote the file, which may hold an API key.
        text = " ".join(line for line in str(error).splitlines() if line and "|" not in line)
        problem = f"{what}: the Temporal configuration cannot be read: {text}"
        raise SettingsInvalid((problem,)) from error


def _address_problem(address: str) -> str | None:
    if _ADDRESS.fullmatch(address):
        return None
    bare = address.split("://")[-1].split("/")[0]
    near = bare if _ADDRESS.fullmatch(bare) else f"{bare.split(':')[0] or 'localhost'}:7233"
    return f"TEMPORAL_ADDRESS: found {address!r}, expected HOST:PORT; did you mean {near}?"


def _tls(profile: ClientConfigProfile, problems: list[str]) -> TlsSettings | None:
    given = profile.tls
    switch = os.environ.get("TEMPORAL_TLS")
    if switch and (given is None or given.disabled is None):
        problems.append(f"TEMPORAL_TLS: found {switch!r}, expected true or false")
    if given is None:
        return TlsSettings() if profile.api_key else None
    if given.disabled:
        return None
    if (given.client_cert is None) != (given.client_private_key is None):
        has, lacks = ("CERT", "KEY") if given.client_cert else ("KEY", "CERT")
        problems.append(
            f"TEMPORAL_TLS_CLIENT_{lacks}_PATH: nothing is set, but TEMPORAL_TLS_CLIENT_{has}_PATH "
            "is; mutual TLS takes both"
        )
    return _read_tls(given, problems)


def _read_tls(given: ClientConfigTLS, problems: list[str]) -> TlsSettings:
    key = _read("TEMPORAL_TLS_CLIENT_KEY_PATH", given.client_private_key, problems)
    return TlsSettings(
        server_name=given.server_name,
        server_ca_cert=_read(
            "TEMPORAL_TLS_SERVER_CA_CERT_PATH", given.server_root_ca_cert, problems
        ),
        client_cert=_read("TEMPORAL_TLS_CLIENT_CERT_PATH", given.client_cert, problems),
        client_key=SecretBytes(key) if key is not None else None,
    )


def _read(variable: str, source: DataSource | None, problems: list[str]) -> bytes | None:
    if source is None or isinstance(source, bytes):
        return source
    if isinstance(source, str):
        return source.encode()
    try:
        return source.read_bytes()
    except OSError as error:
        problems.append(f"{variable}: {str(source)!r} cannot be read: {error.strerror}")
        return None
