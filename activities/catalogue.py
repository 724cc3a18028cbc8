"""Every node type there is, and every handler."""

from __future__ import annotations

from activities import http, log, webhook
from activities.declaration import AnyImplementation
from flowspec.builtin import BUILTIN
from flowspec.catalogue import Catalogue

__all__ = ["catalogue", "implementations"]


def implementations() -> tuple[AnyImplementation, ...]:
    """What a worker performs as activities."""
    return (*http.NODE_TYPES, *webhook.NODE_TYPES, *log.NODE_TYPES)


def catalogue() -> Catalogue:
    """What a flow may use: the interpreter's own node types, then the activities'."""
    return Catalogue((*BUILTIN, *(found.node_type for found in implementations())))
