"""The reference page of the settings, made from the settings themselves.

`python -m service.settings.reference > docs/reference/settings.md` renews it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import cast

from pydantic.fields import FieldInfo

from service.settings import (
    DEBUG_VARIABLE,
    SECRET_PREFIX,
    TEMPORAL_VARIABLES,
    ClaimCheckSettings,
    CodecServerSettings,
    DevServerSettings,
    NodeSettings,
    SecretSettings,
    WorkerSettings,
)
from service.settings.environment import EnvironmentSettings

__all__ = ["settings_page"]

_INTRODUCTION = """\
# Settings

All settings are environment variables; the only files are that of the Temporal CLI and those \
that `CLAIM_CHECK_KEYS_FILE` and `FLOWRUNNER_VAULT_KEYS_FILE` name. An empty variable counts as \
one that is not set. A bad value, and a variable that begins with `FLOWRUNNER_`, `BLOB_STORAGE_` \
or `CLAIM_CHECK_` and is not listed here, is an error that names everything wrong at once.
"""

_TEMPORAL = """\
## The way to Temporal

The variables and the configuration file of the Temporal CLI, so that `temporal` and `flowrunner` \
talk to the same server.
"""

_WORKER = """\
## Worker and command

The command reads `FLOWRUNNER_TASK_QUEUE` and `FLOWS_DIR`; the worker reads all of them.
"""

_NODES = """\
## Node types

What the worker's operator lets flows do with single node types, and where these keep things. \
Only the worker reads them.
"""

_SECRETS = """\
## Secrets

Where the worker looks for the value of a secret, in this order; what is found first counts. \
`flowrunner secrets` needs the vault alone. How each of them is used is told in \
[Use secrets](../howto/secrets.md).
"""

_CLAIM_CHECK = """\
## Large values

Where values go that are too large for Temporal. Workers, the command and the codec server read \
all of these, and must be given the same. Sizes are in bytes, or have a unit: `1KB` is 1,024 \
bytes, `1MB` is 1,024 KB.
"""


def settings_page() -> str:
    """The whole page as Markdown."""
    temporal = [(one.name, one.description, one.default) for one in TEMPORAL_VARIABLES]
    secret = (
        f"{SECRET_PREFIX}<NAME>",
        "The value of the secret `NAME`, which a flow that declares it reads as `${secrets.NAME}`. "
        "Only the worker needs it.",
        "",
    )
    others = [
        (
            DEBUG_VARIABLE,
            "Anything but empty: the command shows where an error comes from. The same as "
            "`flowrunner --debug`.",
            "",
        ),
        ("NO_COLOR", "Anything but empty: no colours, on terminals either.", ""),
    ]
    sections = [
        _INTRODUCTION,
        _TEMPORAL,
        _table(temporal),
        _WORKER,
        _table(_rows(WorkerSettings)),
        _NODES,
        _table(_rows(NodeSettings)),
        _SECRETS,
        _table([secret, *_rows(SecretSettings)]),
        _CLAIM_CHECK,
        _table(_rows(ClaimCheckSettings)),
        "## The codec server\n",
        _table(_rows(CodecServerSettings)),
        "## The local server of `flowrunner dev`\n",
        _table(_rows(DevServerSettings)),
        "## The command alone\n",
        _table(others),
    ]
    return "\n".join(sections)


def _rows(settings: type[EnvironmentSettings]) -> list[tuple[str, str, str]]:
    return [_row(field) for field in settings.model_fields.values()]


def _row(field: FieldInfo) -> tuple[str, str, str]:
    extra = cast("dict[str, str]", field.json_schema_extra)
    told = f"{field.description} Expected: {extra['expected']}."
    return str(field.validation_alias), told, _default(field, extra)


def _default(field: FieldInfo, extra: dict[str, str]) -> str:
    if extra["shown"] is not None:
        return extra["shown"]
    if field.default is None:
        return ""
    default = field.default
    return f"`{default.as_posix() if isinstance(default, Path) else default}`"


def _table(rows: list[tuple[str, str, str]]) -> str:
    lines = [
        f"| `{name}` | {told.replace('|', chr(92) + '|')} | {default} |"
        for name, told, default in rows
    ]
    return "\n".join(["| variable | | default |", "|---|---|---|", *lines, ""])


if __name__ == "__main__":
    sys.stdout.write(settings_page())
