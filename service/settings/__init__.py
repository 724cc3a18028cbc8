"""Every setting Flowrunner reads, from the environment alone.

One class per concern. The `load_*` functions are the only readers: they report every bad or
unknown variable at once, as `SettingsInvalid`.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic.fields import FieldInfo

from service.settings.claimcheck import ClaimCheckSettings, CodecServerSettings
from service.settings.environment import (
    PREFIXES,
    SECRET_PREFIX,
    EnvironmentSettings,
    Gathering,
    SettingsInvalid,
    load,
    refusing,
    unknown_variables,
)
from service.settings.nodes import NodeSettings
from service.settings.secrets import SecretSettings
from service.settings.temporal import (
    TEMPORAL_VARIABLES,
    TemporalSettings,
    TemporalVariable,
    TlsSettings,
    read_temporal_settings,
)
from service.settings.worker import Address, DevServerSettings, WorkerSettings

__all__ = [
    "DEBUG_VARIABLE",
    "PREFIXES",
    "SECRET_PREFIX",
    "TEMPORAL_VARIABLES",
    "Address",
    "ClaimCheckSettings",
    "CodecServerSettings",
    "DevServerSettings",
    "Gathering",
    "NodeSettings",
    "SecretSettings",
    "SettingsInvalid",
    "TemporalSettings",
    "TemporalVariable",
    "TlsSettings",
    "WorkerSettings",
    "load_claim_check_settings",
    "load_codec_server_settings",
    "load_dev_server_settings",
    "load_node_settings",
    "load_secret_settings",
    "load_temporal_settings",
    "load_worker_settings",
    "refusing",
    "setting_fields",
]

DEBUG_VARIABLE = "FLOWRUNNER_DEBUG"

_CLASSES: tuple[type[EnvironmentSettings], ...] = (
    WorkerSettings,
    NodeSettings,
    SecretSettings,
    ClaimCheckSettings,
    CodecServerSettings,
    DevServerSettings,
)


def load_worker_settings() -> WorkerSettings:
    """Raises `SettingsInvalid`."""
    return load(WorkerSettings, _known())


def load_node_settings() -> NodeSettings:
    """Raises `SettingsInvalid`."""
    return load(NodeSettings, _known())


def load_claim_check_settings() -> ClaimCheckSettings:
    """Raises `SettingsInvalid`."""
    return load(ClaimCheckSettings, _known())


def load_codec_server_settings() -> CodecServerSettings:
    """Raises `SettingsInvalid`."""
    return load(CodecServerSettings, _known())


def load_dev_server_settings() -> DevServerSettings:
    """Raises `SettingsInvalid`."""
    return load(DevServerSettings, _known())


def load_secret_settings() -> SecretSettings:
    """Raises `SettingsInvalid`."""
    return load(SecretSettings, _known())


def load_temporal_settings() -> TemporalSettings:
    """From the variables and the configuration file of the Temporal CLI; the variables win.

    Raises `SettingsInvalid`.
    """
    problems = unknown_variables(_known())
    try:
        loaded = read_temporal_settings()
    except SettingsInvalid as error:
        raise SettingsInvalid((*error.problems, *problems)) from error
    if problems:
        raise SettingsInvalid(problems)
    return loaded


def setting_fields() -> Iterator[tuple[str, FieldInfo]]:
    """Every variable of ours with its field, in the order of the reference."""
    for settings in _CLASSES:
        for field in settings.model_fields.values():
            assert isinstance(field.validation_alias, str)
            yield field.validation_alias, field


def _known() -> list[str]:
    return [*(name for name, _ in setting_fields()), DEBUG_VARIABLE]
