"""What a worker reads for single families of node types."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import quote

from pydantic import BeforeValidator, SecretStr

from service.settings.contradictions import default_folder
from service.settings.environment import EnvironmentSettings, setting
from service.settings.sizes import parse_size

__all__ = ["NodeSettings"]


def _read_texts(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(text for part in value.split(",") if (text := part.strip()))


def _read_size(value: object) -> object:
    return parse_size(value) if isinstance(value, str) else value


_Size = Annotated[int, BeforeValidator(_read_size)]
_Texts = Annotated[tuple[str, ...], BeforeValidator(_read_texts)]
_FILES = {"store": "store.db", "vectors": "vectors.db"}
"""What is kept in which file, for who says nothing else."""
_SPACE = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def _read_spaces(value: object) -> object:
    if not isinstance(value, str):
        return value
    if value.strip() == "*":
        return None
    names = tuple(name for part in value.split(",") if (name := part.strip()))
    if not all(_SPACE.fullmatch(name) for name in names):
        raise ValueError("not names of spaces")
    return names


def _shown(file: str) -> str:
    beside = f"`{file}` beside the folder of `BLOB_STORAGE_PATH`'s default"
    return f"{beside}; with `flowrunner dev` in its `--data-dir`"


class NodeSettings(EnvironmentSettings):
    """What the operator lets node types do on the worker's machine, and where they keep things.

    `store_shared` None lets flows share spaces of any name.
    """

    store: SecretStr | None = setting(
        "FLOWRUNNER_STORE",
        "The key-value store that the node types `store.*` keep values in: a file on this machine, "
        "a PostgreSQL database (with the extra `sql`), or a DynamoDB table, for which credentials "
        "may stand before the table or come from where AWS's own tools would take them. All "
        "workers have to have the same. A secret, if there are credentials in it.",
        "`sqlite:///PATH`, `postgresql://USER:PASSWORD@HOST/DATABASE` or "
        "`dynamodb://TABLE?region=REGION&endpoint=URL`",
        default=None,
        shown=_shown("store.db"),
    )
    store_shared: Annotated[tuple[str, ...] | None, BeforeValidator(_read_spaces)] = setting(
        "FLOWRUNNER_STORE_SHARED",
        "The spaces that flows may share by `shared`, in `store.*` and `rag.*`, separated by "
        "commas; `*` for all. None when empty: each flow has its own alone.",
        "`*`, or names such as `prices,customers`",
        default=(),
        shown="",
    )
    vectors: SecretStr | None = setting(
        "FLOWRUNNER_VECTORS",
        "Where the node types `rag.*` (with the extra `vector`) keep passages with their vectors: "
        "a file on this machine, or a PostgreSQL database with pgvector. All workers have to have "
        "the same. A secret, if there is a password in it.",
        "`sqlite:///PATH` or `postgresql://USER:PASSWORD@HOST/DATABASE`",
        default=None,
        shown=_shown("vectors.db"),
    )
    script_memory: _Size = setting(
        "FLOWRUNNER_SCRIPT_MEMORY",
        "The most memory that one script of `script.js` may ask for. As many scripts as the "
        "worker has processors run at the same time.",
        "a size of at least 1MB, such as `256MB`",
        default=256 * 1024 * 1024,
        ge=1024 * 1024,
        shown="`256MB`",
    )
    shell_allow: _Texts = setting(
        "FLOWRUNNER_SHELL_ALLOW",
        "The programs on this machine that flows may run with `shell`, separated by commas. A name "
        "is looked for on the PATH when the worker starts. With a shell or another interpreter "
        "among them flows may do whatever the worker's user may. None when empty.",
        "names or absolute paths, for example `pdftotext,/opt/report/bin/report`",
        default=(),
        shown="",
    )
    container_allow: _Texts = setting(
        "FLOWRUNNER_CONTAINER_ALLOW",
        "The images that flows may run with `container`, separated by commas; `*` in one stands "
        "for anything. None when empty.",
        "images, for example `docker.io/library/python:3.12-slim,registry.example.com/tools/*`",
        default=(),
        shown="",
    )
    container_engine: str | None = setting(
        "FLOWRUNNER_CONTAINER_ENGINE",
        "The command that containers are run by: Docker's or Podman's.",
        "`docker`, `podman` or an absolute path",
        default=None,
        shown="`docker` if it is on the PATH, else `podman`",
    )
    container_network: Literal["none", "bridge"] = setting(
        "FLOWRUNNER_CONTAINER_NETWORK",
        "Whether flows may give a container the engine's default network, through which it reaches "
        "what this machine reaches: nothing of FLOWRUNNER_HTTP_PRIVATE holds there.",
        "`none` or `bridge`",
        default="none",
    )

    mcp_servers: Path | None = setting(
        "FLOWRUNNER_MCP_SERVERS",
        "The MCP servers that the worker starts for flows, by name: a file in YAML or JSON with "
        "`NAME: {command: [PROGRAM, ARGUMENT…], env: {…}, secrets: {…}, folder: PATH}`. Read once, "
        "when the worker starts. None when empty.",
        "a path",
        default=None,
    )

    def kept_in(self, folder: Path) -> Self:
        """The same with the files in that folder which nothing else is said of."""
        unsaid = {name: getattr(self, name) or _url(folder / file) for name, file in _FILES.items()}
        return self.model_copy(update=unsaid)

    @property
    def store_url(self) -> str | None:
        """Where the key-value store is; None if nothing says, and the user has no home."""
        if self.store is not None:
            return self.store.get_secret_value()
        return _default_url("store")

    @property
    def vectors_url(self) -> str | None:
        """Where vectors are kept; None if nothing says, and the user has no home."""
        return self.vectors.get_secret_value() if self.vectors else _default_url("vectors")


def _default_url(name: str) -> str | None:
    folder = default_folder()
    return None if folder is None else _url(folder.with_name(_FILES[name])).get_secret_value()


def _url(file: Path) -> SecretStr:
    return SecretStr(f"sqlite://{quote(str(file))}")
