"""Checks of `call` nodes: what Temporal itself is to do for an activity that is none of ours."""

from __future__ import annotations

from flowspec.catalogue import Catalogue
from flowspec.check.notes import Notes
from flowspec.check.outline import Outline
from flowspec.model import Flow, Node, Retry

__all__ = ["check_calls"]

_RESERVED = "flowrunner."


def check_calls(outline: Outline, catalogue: Catalogue, notes: Notes) -> None:
    for _, node in outline.nodes():
        if node.type == "call":
            _activity(node, catalogue, notes)
            _queue(node, outline.flow, notes)
            _retry(node, outline.flow, notes)


def _activity(node: Node, catalogue: Catalogue, notes: Notes) -> None:
    """Ours are told who asks by the interpreter; who could tell them that by arguments of his own
    could be anybody."""
    name = node.params.get("activity")
    if not isinstance(name, str) or not (name in catalogue or name.startswith(_RESERVED)):
        return
    advice = f"write `type: {name}`" if name in catalogue else "choose another"
    message = f"{name!r} is an activity of Flowrunner itself, which `call` does not run; {advice}"
    notes.add("FR514", (*node.path, "params", "activity"), message, found=name)


def _queue(node: Node, flow: Flow, notes: Notes) -> None:
    if node.queue is None and flow.defaults.queue is None:
        message = (
            f"{node.id!r} does not say whose activity it calls; add `queue`, the task queue that "
            "the activity's worker polls"
        )
        notes.add("FR510", node.path, message, key=True, expected="queue")


def _retry(node: Node, flow: Flow, notes: Notes) -> None:
    """`only` and `jitter` are kept by our own activities, and Temporal's retries have neither."""
    written = node.retry or Retry()
    whole = written.over(flow.defaults.retry)
    for key, given, none, advice in (
        ("only", whole.only, "[]", "name under `never` the errors that end it"),
        ("jitter", whole.jitter, "0", "remove it"),
    ):
        if not given:
            continue
        own = getattr(written, key)
        if own is None:
            advice = f"the flow's `defaults` say it for every node; say `retry: {{{key}: {none}}}`"
        message = (
            f"{node.id!r} cannot be given `{key}`: what it calls is tried again by Temporal "
            f"itself, which does not have that; {advice}"
        )
        path = node.path if own is None else (*node.path, "retry", key)
        notes.add("FR511", path, message, key=True, found=key)
