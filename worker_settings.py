"""What the environment says to a worker, as its parts take it.

The composition root's second half: it alone knows both the settings and the node types. What is
not used is not loaded, so imports stand where they are used.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from activities.addresses import AddressPolicy
    from activities.attempt import Options
    from activities.mcp.options import McpOptions
    from activities.rag.options import VectorOptions
    from activities.script.script import ScriptOptions
    from activities.secrets import Secrets
    from activities.shell.options import ContainerOptions, ShellOptions
    from activities.store.options import StoreOptions
    from service.settings import NodeSettings, SecretSettings, WorkerSettings

__all__ = ["address_policy", "file_folders", "node_options", "open_secrets", "worker_settings"]


def worker_settings(*, local: bool = False) -> WorkerSettings:
    """What the environment says to a worker; `local` to the one of `flowrunner dev`.

    Raises `SettingsInvalid` with all that the worker would stumble over.
    """
    import service.settings as read

    found = read.Gathering()
    settings = found.read(read.load_worker_settings)
    if settings is not None:
        found.read(partial(address_policy, settings))
        found.read(partial(file_folders, settings))
    if (nodes := found.read(read.load_node_settings)) is not None:
        for options in _NODE_OPTIONS:
            found.read(partial(options, nodes))
    if (storage := found.read(read.load_claim_check_settings)) is not None:
        found.read(storage.key_ring)
    if (secrets := found.read(read.load_secret_settings)) is not None:
        found.read(secrets.key_ring)
    if local:
        found.read(read.load_codec_server_settings)
        found.read(read.load_dev_server_settings)
    else:
        found.read(read.load_temporal_settings)
    found.tell()
    assert settings is not None, "what cannot be read has been told"
    return settings


def open_secrets(settings: WorkerSettings, sources: SecretSettings) -> Secrets:
    """Everywhere a secret is looked for, in order. Raises `SettingsInvalid`."""
    import structlog

    from activities.secret_files import FolderSource
    from activities.secrets import EnvironmentSource, Secrets, SecretSource, VaultSource
    from service.vault import check_vault, open_vault

    found: list[SecretSource] = [EnvironmentSource(os.environ)]
    if sources.folder is not None:
        found.append(FolderSource(sources.folder))
    vault = open_vault(sources)
    if vault is not None:
        found.append(VaultSource(vault))
        if trouble := check_vault(vault):
            structlog.stdlib.get_logger("flowrunner.worker").warning(trouble)
    return Secrets(found, allowed=settings.secrets_allowed)


def address_policy(settings: WorkerSettings) -> AddressPolicy:
    """Where on the network flows may connect to. Raises `SettingsInvalid`."""
    from activities.addresses import AddressPolicy, read_rules
    from service.settings import refusing

    with refusing("FLOWRUNNER_HTTP_ALLOW"):
        rules = read_rules(settings.http_allow)
    return AddressPolicy(guarded=settings.http_private != "allow", allow=rules)


def file_folders(settings: WorkerSettings) -> tuple[Path, ...]:
    """The folders whose files flows may use, all of them there. Raises `SettingsInvalid`."""
    from service.settings import refusing

    with refusing("FLOWRUNNER_FILES_DIRS"):
        for folder in settings.files_dirs:
            if not folder.is_dir():
                raise ValueError(f"there is no folder {str(folder)!r}")
    return settings.files_dirs


def node_options(settings: NodeSettings) -> Options:
    """What the settings say to families of node types, each in its own words.

    Raises `SettingsInvalid`.
    """
    from activities.attempt import Options

    return Options(*(read(settings) for read in _NODE_OPTIONS))


def _script_options(settings: NodeSettings) -> ScriptOptions:
    from activities.script.script import ScriptOptions

    return ScriptOptions(most_memory=settings.script_memory)


def _shell_options(settings: NodeSettings) -> ShellOptions:
    from activities.shell.options import ShellOptions, read_programs
    from service.settings import refusing

    with refusing("FLOWRUNNER_SHELL_ALLOW"):
        return ShellOptions(programs=read_programs(settings.shell_allow))


def _container_options(settings: NodeSettings) -> ContainerOptions:
    from activities.shell.options import ContainerOptions, read_engine
    from service.settings import refusing

    with refusing("FLOWRUNNER_CONTAINER_ENGINE"):
        engine = read_engine(settings.container_engine)
    return ContainerOptions(
        images=settings.container_allow,
        engine=engine,
        bridge=settings.container_network == "bridge",
    )


def _store_options(settings: NodeSettings) -> StoreOptions:
    from activities.store.options import StoreOptions, read_place
    from service.settings import refusing

    url = settings.store_url
    with refusing("FLOWRUNNER_STORE"):  # by an error that does not show the URL
        place = None if url is None else read_place(url)
    return StoreOptions(place=place, shared=settings.store_shared)


def _vector_options(settings: NodeSettings) -> VectorOptions:
    from activities.rag.options import VectorOptions, read_vector_place
    from service.settings import refusing

    url, store = settings.vectors_url, _store_options(settings)
    with refusing("FLOWRUNNER_VECTORS"):  # by an error that does not show the URL
        place = None if url is None else read_vector_place(url)
        if place and store.place and place.path == store.place.path:
            said = "expected another file than that of FLOWRUNNER_STORE, in which other things are"
            raise ValueError(said)
    return VectorOptions(place=place)


def _mcp_options(settings: NodeSettings) -> McpOptions:
    from activities.mcp.options import McpOptions, read_servers
    from service.settings import refusing

    if settings.mcp_servers is None:
        return McpOptions()
    with refusing("FLOWRUNNER_MCP_SERVERS"):  # by an error that shows no value
        return McpOptions(servers=read_servers(settings.mcp_servers))


_NODE_OPTIONS: tuple[Callable[[NodeSettings], object], ...] = (
    _store_options,
    _vector_options,
    _script_options,
    _shell_options,
    _container_options,
    _mcp_options,
)
