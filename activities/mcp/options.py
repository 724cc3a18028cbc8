"""The servers that the operator lets flows use as programs on the worker's machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

__all__ = ["LocalServer", "McpOptions", "read_servers"]


class LocalServer(BaseModel):
    """A program that speaks MCP on its standard input and output.

    Its environment is a few variables of the worker's (`PATH`, `HOME` and the like), `env`, and
    `secrets`, whose values are kept out of all that is logged and kept.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    command: Annotated[list[str], Field(min_length=1)]
    env: dict[str, str] = Field(default_factory=dict)
    secrets: dict[str, str] = Field(default_factory=dict)
    folder: Path | None = None


@dataclass(frozen=True, kw_only=True)
class McpOptions:
    """The declared servers by name."""

    servers: Mapping[str, LocalServer] = field(default_factory=dict)


_SERVERS = TypeAdapter(dict[str, LocalServer])


def read_servers(path: Path) -> Mapping[str, LocalServer]:
    """What a file in YAML or JSON declares. Raises ValueError, whose text shows no value."""
    try:
        return _SERVERS.validate_python(yaml.safe_load(path.read_bytes()) or {})
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ValueError(f"{where} is not YAML: {getattr(error, 'problem', error)}") from None
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise ValueError(
            f"{path}: {where}: {first['msg']}; expected NAME: {{command: [PROGRAM, ARGUMENT…], "
            "env: {…}, secrets: {…}, folder: PATH}"
        ) from None
