"""Every node type there is, and every handler."""

from __future__ import annotations

from functools import cache

from activities import log
from activities.agent import agent
from activities.archives import archive
from activities.convert import csv, json, xml
from activities.declaration import AnyImplementation
from activities.files import files
from activities.http import request, webhook
from activities.llm import chat, embed
from activities.mail import receive, send
from activities.mcp import call, tools
from activities.plugins import Plugins, load_plugins
from activities.rag import rag
from activities.script import script
from activities.shaping import template, transform, validate
from activities.shell import container, shell
from activities.sql import query as sql_query
from activities.store import store
from flowspec.builtin import BUILTIN
from flowspec.catalogue import Catalogue

__all__ = ["built_in", "catalogue", "implementations", "plugins"]


def implementations() -> tuple[AnyImplementation, ...]:
    """What a worker performs as activities, but for plug-ins."""
    return (
        *request.NODE_TYPES,
        *webhook.NODE_TYPES,
        *log.NODE_TYPES,
        *transform.NODE_TYPES,
        *template.NODE_TYPES,
        *validate.NODE_TYPES,
        *csv.NODE_TYPES,
        *json.NODE_TYPES,
        *xml.NODE_TYPES,
        *archive.NODE_TYPES,
        *files.NODE_TYPES,
        *send.NODE_TYPES,
        *receive.NODE_TYPES,
        *chat.NODE_TYPES,
        *embed.NODE_TYPES,
        *rag.NODE_TYPES,
        *agent.NODE_TYPES,
        *call.NODE_TYPES,
        *tools.NODE_TYPES,
        *script.NODE_TYPES,
        *shell.NODE_TYPES,
        *container.NODE_TYPES,
        *store.NODE_TYPES,
        *sql_query.NODE_TYPES,
    )


def built_in() -> Catalogue:
    """The interpreter's own node types, then the activities'."""
    return Catalogue((*BUILTIN, agent.AGENT, *(found.node_type for found in implementations())))


@cache
def plugins() -> Plugins:
    """What other packages declare; looked for once, for it stays while a process lasts."""
    return load_plugins(built_in())


def catalogue() -> Catalogue:
    """What a flow may use: the node types that are built in, and those of plug-ins."""
    return plugins().catalogue(built_in())
