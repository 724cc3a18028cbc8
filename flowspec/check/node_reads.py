"""Checks of `nodes.…` in expressions: the node exists, and has surely run by then."""

from __future__ import annotations

from flowspec.agents import AGENT
from flowspec.catalogue import Catalogue
from flowspec.check.guards import View
from flowspec.check.inputs import lack
from flowspec.check.notes import Notes
from flowspec.check.outline import Outline, Section, actions_of
from flowspec.check.reads import Read
from flowspec.jsonschemas import dotted
from flowspec.model import Node
from flowspec.values import Json, JsonObject
from flowspec.wording import did_you_mean, listed, nearest

__all__ = ["NodeReads"]

_FIELDS = ("output", "outcome", "action", "error")
_ELSEWHERE = dict.fromkeys(("result", "outputs", "value", "data", "response"), "output") | {
    "status": "outcome",
    "state": "outcome",
}
"""What other systems call the fields."""


class NodeReads:
    def __init__(self, outline: Outline, catalogue: Catalogue, notes: Notes) -> None:
        self._outline = outline
        self._catalogue = catalogue
        self._notes = notes

    def check(self, read: Read) -> None:
        if len(read.keys) < 2:
            message = "which node is read has to be written out, such as nodes.fetch.output"
            self._notes.of_read("FR412", read, message, found="nodes")
            return
        name = str(read.keys[1])
        home = self._outline.home.get(name)
        if home is None:
            visible = [n for section, _ in read.site.reader.views for n in section.graph.nodes]
            meant = nearest(name, visible)
            message = f"there is no node {name!r}{did_you_mean(meant)}"
            self._notes.of_read("FR407", read, message, found=name, suggestion=meant)
            return
        views = [view for section, view in read.site.reader.views if section is home]
        if not views:
            self._inside(read, name)
            return
        node = home.graph.nodes[name]
        if not self._field(read, node):
            return
        view = views[0]
        if view is None or self._order(read, node, home, view):
            self._part_of_output(read, node)

    def _inside(self, read: Read, name: str) -> None:
        """The node is in a block that the reader is not in."""
        around = (self._outline.block_around(name, seen) for seen, _ in read.site.reader.views)
        block = next(found for found in around if found is not None)
        if block.type == AGENT:
            message = f"{name!r} is a tool of the agent {block.id!r}, and read by its model alone"
            self._notes.of_read("FR411", read, message, found=name)
            return
        message = (
            f"{name!r} is inside the block {block.id!r}; hand the value out under `output` of the "
            f"block and read nodes.{block.id}.output"
        )
        self._notes.of_read(
            "FR411", read, message, found=name, suggestion=f"nodes.{block.id}.output"
        )

    def _field(self, read: Read, node: Node) -> bool:
        """Whether the read names one of the things that a node has."""
        if len(read.keys) < 3:
            if read.guarded:
                return False
            message = f"a node is not read as a whole; write nodes.{node.id}.output"
            self._notes.of_read(
                "FR408", read, message, found=dotted(read.keys), expected=listed(_FIELDS)
            )
            return False
        field = str(read.keys[2])
        if field in _FIELDS:
            return True
        meant = _ELSEWHERE.get(field) or nearest(field, _FIELDS)
        advice = did_you_mean(meant) or f"; a node's own result is nodes.{node.id}.output.{field}"
        message = f"a node has {listed(_FIELDS, 'and')}, not {field!r}{advice}"
        expected = listed(_FIELDS)
        self._notes.of_read(
            "FR408", read, message, found=field, expected=expected, suggestion=meant
        )
        return False

    def _order(self, read: Read, node: Node, home: Section, view: View) -> bool:
        """Whether the node can have run, and is there or guarded."""
        reader, field = read.site.reader, str(read.keys[2])
        if not view.possibly_ended(node.id) and not (reader.repeated and node.id == reader.node):
            self._notes.of_read("FR410", read, self._too_early(read, node, home), found=node.id)
            return False
        if self._is_sure(read, node, view, field) or read.has_guard(read.keys[:3]):
            return True
        path = dotted(read.keys[:3])
        message = f"{self._may_lack(node, field)}; write default({path}, …), or ask has({path})"
        self._notes.of_read("FR409", read, message, found=path, suggestion=f"default({path}, …)")
        return False

    def _is_sure(self, read: Read, node: Node, view: View, field: str) -> bool:
        if field == "error":
            return node.id in read.site.reader.failed
        if field == "outcome":
            return view.surely_ended(node.id) or view.surely_succeeded(node.id)
        if field == "action":
            node_type = self._catalogue.get(node.type)
            gives = actions_of(node, node_type) if node_type is not None else None
            return view.surely_succeeded(node.id) and gives != ()
        return view.surely_succeeded(node.id)

    def _may_lack(self, node: Node, field: str) -> str:
        if field == "error":
            return f"{node.id!r} has an error only if it failed"
        if field == "outcome":
            return f"{node.id!r} may not have ended here"
        if field == "action":
            return f"{node.id!r} may have no action here"
        why = "it has a `when`" if node.when not in (None, True) else "it may be skipped or fail"
        return f"{node.id!r} may have no output here: {why}"

    def _too_early(self, read: Read, node: Node, home: Section) -> str:
        reader = read.site.reader
        if node.id == reader.node:
            return f"{node.id!r} reads itself, and has not run yet"
        around = [section.owner.id for section, _ in reader.views if section.owner is not None]
        if node.id in around:
            return f"{node.id!r} is the block around this, and ends only after it"
        if home.undoes(node.id):
            return f"{node.id!r} undoes another node, and runs only when the run is ending"
        here = reader.node
        if here is not None and here in home.graph.nodes and self._leads(here, node.id, home):
            return f"{node.id!r} runs only after {here!r}, so it cannot be read here"
        return f"no path leads from {node.id!r} to here, so it may or may not have run; add an edge"

    @staticmethod
    def _leads(start: str, goal: str, section: Section) -> bool:
        seen, waiting = {start: None}, [start]
        while waiting:
            here = waiting.pop()
            for edge in section.out_of(here):
                if edge.target not in seen:
                    seen[edge.target] = None
                    waiting.append(edge.target)
        return goal in seen

    def _part_of_output(self, read: Read, node: Node) -> None:
        """What is read of the output, as far as it is known what that will be."""
        keys = read.keys[3:]
        if read.keys[2] != "output" or not keys:
            return
        if node.foreach is not None:
            if isinstance(keys[0], str):
                message = (
                    f"the output of {node.id!r} is a list, for it has a `foreach`; read a place "
                    f"of it, such as nodes.{node.id}.output[0].{keys[0]}"
                )
                self._notes.of_read("FR408", read, message, found=str(keys[0]))
            return
        schema = self._output_schema(node)
        found = lack(schema, keys) if schema is not None and schema.get("properties") else None
        if found is None or found.kind != "unknown":
            return
        name = str(found.path[-1])
        meant = nearest(name, found.choices)
        known = did_you_mean(meant) or f"; it has {listed(found.choices, 'and')}"
        whole = dotted((*read.keys[:3], *found.path[:-1]))
        message = f"{whole} has no {name!r}{known}"
        self._notes.of_read("FR408", read, message, found=name, suggestion=meant)

    def _output_schema(self, node: Node) -> JsonObject | None:
        if node.type == "block":
            return _of_literal(node)
        node_type = self._catalogue.get(node.type)
        return node_type.output_schema() if node_type is not None else None


def _of_literal(node: Node) -> JsonObject | None:
    """A block's output that is a mapping as it is written, unless a `return` gives another."""
    output = node.output
    inside = node.graph.nodes.values() if node.graph is not None else ()
    if not isinstance(output, dict) or any(inner.type == "return" for inner in inside):
        return None
    names: list[Json] = [*output]
    return {"properties": {name: {} for name in output}, "required": names}
