"""Checks of nodes against their types: parameters, events, sub-flows, retries."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from flowspec.builtin import RESERVED_EVENTS
from flowspec.catalogue import Catalogue, NodeType
from flowspec.check.damage import Damage
from flowspec.check.notes import Notes
from flowspec.check.outline import Outline
from flowspec.jsonschemas import Violation, dotted, schema_problems
from flowspec.model import Flow, Node, Retry, Tool
from flowspec.problems import Path
from flowspec.values import Json, JsonObject
from flowspec.wording import did_you_mean, listed, nearest

__all__ = ["check_node_types", "check_params", "has_template"]

_GENERAL_ERRORS = (
    *("Timeout", "ExpressionError", "InvalidParams", "TooLarge", "Cancelled", "NodeTypeMissing"),
)
"""Ways to fail that every node has."""

_NOT_STARTED = "NotStarted"
"""An attempt that had not begun: it is made again whatever `retry` says, and is not counted."""

_COMPOSITES = ("block", "flow")
_RESERVED = (*RESERVED_EVENTS, "complete")


def check_node_types(
    outline: Outline,
    catalogue: Catalogue,
    damage: Damage,
    notes: Notes,
    *,
    flow_names: Collection[str] | None,
) -> None:
    calls = any(node.type == "call" for _, node in outline.nodes())
    _default_retry(outline.flow, catalogue, notes, calls=calls)
    for _, node in outline.nodes():
        if damage.hides(*node.path, "type") or node.is_made:
            continue
        node_type = catalogue.get(node.type)
        if node_type is None:
            _unknown_type(node, catalogue, notes)
            continue
        if not damage.hides(*node.path, "params"):
            check_params(node, node_type, (*node.path, "params"), notes)
        if node.retry is not None and node.type not in (*_COMPOSITES, "call"):
            known = (*(error.name for error in node_type.errors), *_GENERAL_ERRORS)
            _retry(node.retry, (*node.path, "retry"), known, node.type, notes)
        if isinstance(node, Tool):
            _schema(node.parameters, (*node.path, "parameters"), notes)
        match node.type:
            case "set":
                _variables(node, outline.flow, damage, notes)
            case "event":
                _event(node, notes)
            case "flow" if flow_names is not None:
                _sub_flow(node, flow_names, notes)


def has_template(value: Json) -> bool:
    """Whether a text holds an expression, so that only a run knows its value."""
    return isinstance(value, str) and "${" in value and "${" in value.replace("$${", "")


def _unknown_type(node: Node, catalogue: Catalogue, notes: Notes) -> None:
    meant = nearest(node.type, catalogue)
    advice = did_you_mean(meant) or "; `flowrunner nodes` lists those there are"
    message = f"there is no node type {node.type!r}{advice}{_in_a_plugin(node.type, catalogue)}"
    path = (*node.path, "type")
    notes.add("FR501", path, message, found=node.type, suggestion=meant)


def _in_a_plugin(name: str, catalogue: Catalogue) -> str:
    """Why it may be missing: a plug-in is there, but does not work."""
    own = [trouble for trouble in catalogue.troubles if trouble.node_type == name]
    whole = [trouble for trouble in catalogue.troubles if trouble.node_type is None]
    maybe = "" if own else "it may be one of a plug-in that cannot be used: "
    return "".join(f"; {maybe}{trouble}" for trouble in own[:1] or whole[:3])


# -- parameters ------------------------------------------------------------------------------------


def check_params(node: Node, node_type: NodeType, base: Path, notes: Notes) -> None:
    """The parameters of a node, which stand at `base`, against what its type takes."""
    found = node_type.judge.violations(node.params, holes=list(_holes(node.params)))
    for violation in found:
        _unfit(node, base, violation, notes)
    _literal(node, node_type, base, notes)
    _schemas(node, node_type, base, notes)
    for objection in node_type.objections(node.params) if node_type.objections else ():
        path = (*base, *objection.path)
        message = f"{node.type}, {dotted(objection.path)}: {objection.message}"
        notes.add("FR502", path, message, suggestion=objection.suggestion)
    misspelt = [violation.suggestion for violation in found if violation.kind == "unknown"]
    for group in node_type.exclusive:
        given = [name for name in group if name in node.params]
        if len(given) > 1:
            _not_both(node, base, given, group, notes)
    for group in node_type.require_one:
        given = [name for name in group if name in node.params]
        if len(given) > 1 and group not in node_type.exclusive:
            _not_both(node, base, given, group, notes)
        elif not given and not any(name in misspelt for name in group):
            message = f"{node.type} needs one of the parameters {listed(group)}"
            notes.add("FR504", base, message, key=True, expected=listed(group))


def _literal(node: Node, node_type: NodeType, base: Path, notes: Notes) -> None:
    """No expression in, nor around, what has to stand as it is written."""
    for literal in node_type.literal_params:
        for path in _holes(node.params):
            if _meets(literal, path):
                message = (
                    f"{node_type.name} takes {literal!r} as it is written, without `${{…}}`, so "
                    "that no value can change what it does; give values by other parameters "
                    "(and where `${` is to stand there, write `$${`)"
                )
                notes.add("FR513", (*base, *path), message, found="${…}")


def _meets(pattern: str, path: Path) -> bool:
    """Whether one leads to the other, or into it."""
    steps = zip(pattern.split("."), map(str, path), strict=False)
    return all(step in ("*", found) for step, found in steps)


def _schemas(node: Node, node_type: NodeType, base: Path, notes: Notes) -> None:
    """What is to be a JSON Schema, where it is written out."""
    for pattern in node_type.schema_params:
        for path, schema in _reached(node.params, pattern.split(".")):
            if isinstance(schema, dict) and not any(True for _ in _holes(schema)):
                _schema(schema, (*base, *path), notes)


def _reached(value: Json, steps: list[str], path: Path = ()) -> Iterator[tuple[Path, Json]]:
    """Whatever the steps lead to, `*` to every item of a list."""
    if not steps:
        yield path, value
    elif isinstance(value, dict) and steps[0] in value:
        yield from _reached(value[steps[0]], steps[1:], (*path, steps[0]))
    elif isinstance(value, list) and steps[0] == "*":
        for index, item in enumerate(value):
            yield from _reached(item, steps[1:], (*path, index))


def _not_both(
    node: Node, base: Path, given: list[str], group: tuple[str, ...], notes: Notes
) -> None:
    message = f"{node.type} takes only one of {listed(group, 'and')}, found {listed(given, 'and')}"
    path = (*base, given[1])
    notes.add("FR503", path, message, key=True, found=listed(given, "and"), expected=listed(group))


def _unfit(node: Node, base: Path, violation: Violation, notes: Notes) -> None:
    where = dotted(violation.path[:-1] if violation.kind == "unknown" else violation.path)
    about = f"{node.type}, {where}" if where else node.type
    notes.add(
        "FR502",
        (*base, *violation.path),
        f"{about}: {violation.message}",
        key=violation.kind in ("unknown", "missing"),
        found=violation.found,
        expected=violation.expected,
        suggestion=violation.suggestion,
    )


def _holes(value: Json, path: Path = ()) -> Iterator[Path]:
    """Where templates stand, whose values nobody knows yet."""
    if has_template(value):
        yield path
    elif isinstance(value, dict):
        for key, entry in value.items():
            yield from _holes(entry, (*path, key))
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from _holes(entry, (*path, index))


# -- what only some types have ---------------------------------------------------------------------


def _variables(node: Node, flow: Flow, damage: Damage, notes: Notes) -> None:
    if damage.hides("vars"):
        return
    for name in node.params:
        if name not in flow.vars:
            meant = nearest(name, flow.vars)
            advice = did_you_mean(meant) or "; add it to `vars` with its first value"
            message = f"there is no variable {name!r}{advice}"
            path = (*node.path, "params", name)
            notes.add("FR506", path, message, key=True, found=name, suggestion=meant)


def _event(node: Node, notes: Notes) -> None:
    name = node.params.get("name", node.id)
    if name not in _RESERVED:
        return
    given = "name" in node.params
    path = (*node.path, "params", "name") if given else node.path
    advice = "choose another" if given else "name the event under `params`"
    message = f"the event name {name!r} is reserved, every run understands it itself; {advice}"
    notes.add("FR507", path, message, key=not given, found=str(name))


def _sub_flow(node: Node, flow_names: Collection[str], notes: Notes) -> None:
    name = node.params.get("flow")
    if not isinstance(name, str) or has_template(name) or name in flow_names:
        return
    meant = nearest(name, flow_names)
    message = f"there is no flow {name!r}{did_you_mean(meant)}"
    path = (*node.path, "params", "flow")
    notes.add("FR509", path, message, found=name, suggestion=meant)


def _schema(schema: JsonObject, base: Path, notes: Notes) -> None:
    for problem in schema_problems(schema):
        notes.add(
            problem.code,
            (*base, *problem.path),
            problem.message,
            key=problem.at_key,
            found=problem.found,
            expected=problem.expected,
            suggestion=problem.suggestion,
        )


# -- retry -----------------------------------------------------------------------------------------


def _default_retry(flow: Flow, catalogue: Catalogue, notes: Notes, *, calls: bool) -> None:
    """A `call` can end with an error of any name."""
    if flow.defaults.retry is not None and not calls:
        names = (error.name for node_type in catalogue.values() for error in node_type.errors)
        known = tuple(dict.fromkeys((*names, *_GENERAL_ERRORS)))
        _retry(flow.defaults.retry, ("defaults", "retry"), known, "no node type", notes)


def _retry(retry: Retry, base: Path, known: tuple[str, ...], owner: str, notes: Notes) -> None:
    known = tuple(name for name in known if name != _NOT_STARTED)
    for key, names in (("only", retry.only), ("never", retry.never)):
        for index, name in enumerate(names or ()):
            if name in known:
                continue
            if name == _NOT_STARTED:
                message = f"{name!r} is no attempt: it is made again whatever `retry` says; drop it"
                notes.add("FR508", (*base, key, index), message, found=name)
                continue
            meant = nearest(name, known)
            verb = "ends" if owner == "no node type" else "never ends"
            advice = did_you_mean(meant) or f"; its errors are {listed(known, 'and')}"
            message = f"{owner} {verb} with the error {name!r}{advice}"
            path = (*base, key, index)
            notes.add("FR508", path, message, found=name, suggestion=meant)
