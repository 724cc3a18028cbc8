"""Whom a flow tells of its end: `on_complete` and `on_failure`, each a webhook to be sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flowspec.callbacks import SENDS
from flowspec.catalogue import Catalogue
from flowspec.check.damage import Damage
from flowspec.check.node_types import check_params
from flowspec.check.notes import Notes
from flowspec.check.readers import Reader
from flowspec.check.sites import Site
from flowspec.model import Flow, Node
from flowspec.values import JsonObject

__all__ = ["Callback", "callback_sites", "callbacks", "check_callbacks"]

_WHOLE: JsonObject = {"payload": {}}
"""The event itself is what is sent if nothing else is given."""


@dataclass(frozen=True, kw_only=True)
class Callback:
    """A callback as the node that sends it; `key` is where it stands in the flow."""

    key: str
    node: Node


def callbacks(flow: Flow) -> Iterator[Callback]:
    given = {"on_complete": flow.on_complete, "on_failure": flow.on_failure.callback}
    for key, params in given.items():
        if params is not None:
            yield Callback(key=key, node=Node.made(f"~{key}", SENDS, params, path=(key,)))


def check_callbacks(flow: Flow, catalogue: Catalogue, damage: Damage, notes: Notes) -> None:
    node_type = catalogue.get(SENDS)
    for each in callbacks(flow):
        if node_type is None:
            message = f"{each.key!r} needs the node type {SENDS}, which is not known here"
            notes.add("FR501", (each.key,), message, key=True, found=SENDS)
        elif not damage.hides(each.key):
            whole = Node.made(each.node.id, SENDS, {**_WHOLE, **each.node.params}, path=())
            check_params(whole, node_type, (each.key,), notes)


def callback_sites(flow: Flow) -> Iterator[Site]:
    for each in callbacks(flow):
        failed = each.key == "on_failure"
        reader = Reader(
            names=() if failed else ("output",), error="sure" if failed else "never", node=None
        )
        for name, value in each.node.params.items():
            what = f"{name!r} of {each.key}"
            path = (each.key, name)
            yield Site(path=path, value=value, reader=reader, what=what, node=each.node, param=name)
