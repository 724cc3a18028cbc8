"""Checks of the names that expressions begin with, and of what is read below them."""

from __future__ import annotations

from flowspec.agents import CALL, MCP_CALL
from flowspec.catalogue import Catalogue
from flowspec.check.damage import Damage
from flowspec.check.inputs import lack
from flowspec.check.node_reads import NodeReads
from flowspec.check.notes import Notes
from flowspec.check.outline import Outline
from flowspec.check.readers import Reader
from flowspec.check.reads import Read, reads
from flowspec.check.secrets import Secrets
from flowspec.check.sites import Site
from flowspec.expressions import CONTEXT_NAMES, FUNCTIONS
from flowspec.jsonschemas import dotted
from flowspec.model import Tool
from flowspec.wording import did_you_mean, listed, nearest

__all__ = ["Names"]

_RUN = ("id", "workflow_id", "flow", "version", "started")
_ERROR = ("type", "message", "node", "attempt", "details", "undo_failed")


class Names:
    """Judges the reads of a flow, site by site."""

    def __init__(
        self,
        outline: Outline,
        catalogue: Catalogue,
        damage: Damage,
        notes: Notes,
        secrets: Secrets,
        *,
        input_is_sound: bool,
    ) -> None:
        self._flow = outline.flow
        self._damage = damage
        self._notes = notes
        self._secrets = secrets
        self._input_is_sound = input_is_sound
        self._nodes = NodeReads(outline, catalogue, notes)
        self._item_names = {
            node.foreach.name: None for _, node in outline.nodes() if node.foreach is not None
        }

    def check(self, site: Site) -> None:
        for read in reads(site, self._notes):
            self._check(read)

    def _check(self, read: Read) -> None:
        root, reader = read.root, read.site.reader
        if root in reader.names:
            self._given_by_model(read)
            return
        if root == "secrets":
            self._secrets.use(read)
        elif root in reader.reads:
            self._known(read)
        elif root == "error" and reader.error != "never":
            self._error(read)
        elif root in CONTEXT_NAMES or root in self._item_names:
            if reader.known_names:
                self._not_here(read)
        elif reader.known_names:
            self._unknown(read)

    def _known(self, read: Read) -> None:
        match read.root:
            case "input":
                self._input(read)
            case "run":
                self._field(read, _RUN, "a run")
            case "vars":
                self._variable(read)
            case "nodes":
                self._nodes.check(read)

    # -- what is below a name --------------------------------------------------------------------

    def _input(self, read: Read) -> None:
        if len(read.keys) < 2 or not self._input_is_sound or self._damage.hides("input"):
            return
        schema = self._flow.input
        if schema is None:
            message = "the flow declares no input; add `input` with this under `properties`"
            self._notes.of_read("FR404", read, message, found=dotted(read.keys))
            return
        found = lack(schema, read.keys[1:])
        if found is None:
            return
        path = ("input", *found.path)
        name, parent = str(found.path[-1]), dotted(path[:-1])
        meant = nearest(name, found.choices)
        if found.kind == "unknown" or (name not in found.choices and meant is not None):
            advice = did_you_mean(meant) or "; add it to `properties` of `input`"
            message = f"{parent} has no {name!r}{advice}"
            self._notes.of_read("FR404", read, message, found=name, suggestion=meant)
        elif not read.has_guard(path):
            spelled = dotted(path)
            message = (
                f"{spelled} may be absent: it is not required and has no default; add it to "
                f"`required`, or write default({spelled}, …)"
            )
            self._notes.of_read(
                "FR405", read, message, found=spelled, suggestion=f"default({spelled}, …)"
            )

    def _given_by_model(self, read: Read) -> None:
        """What a tool reads of a call has to be among the parameters its model is told of."""
        tool = read.site.node
        if read.root != CALL or not isinstance(tool, Tool) or len(read.keys) < 2:
            return
        if tool.type == MCP_CALL and not tool.parameters:
            return  # a server says itself what its tools take
        found = lack(tool.parameters, read.keys[1:])
        if found is None or str(found.path[-1]) in found.choices:
            return
        name, parent = str(found.path[-1]), dotted((CALL, *found.path[:-1]))
        meant = nearest(name, found.choices)
        if found.kind == "unknown" or meant is not None:
            advice = did_you_mean(meant) or "; add it to `parameters` of the tool"
            message = f"{parent} has no {name!r}{advice}"
            self._notes.of_read("FR408", read, message, found=name, suggestion=meant)

    def _variable(self, read: Read) -> None:
        if len(read.keys) < 2 or self._damage.hides("vars"):
            return
        name = str(read.keys[1])
        if name not in self._flow.vars:
            meant = nearest(name, self._flow.vars)
            advice = did_you_mean(meant) or "; add it to `vars` with its first value"
            message = f"there is no variable {name!r}{advice}"
            self._notes.of_read("FR406", read, message, found=name, suggestion=meant)

    def _error(self, read: Read) -> None:
        if read.site.reader.error == "maybe" and not read.has_guard(("error",)):
            spelled = dotted(read.keys)
            message = (
                "there may be no error here, for this can also be reached without a failure; "
                f"write default({spelled}, …), or ask has(error)"
            )
            suggestion = f"default({spelled}, …)"
            self._notes.of_read("FR413", read, message, found=spelled, suggestion=suggestion)
            return
        self._field(read, _ERROR, "an error")

    def _field(self, read: Read, fields: tuple[str, ...], what: str) -> None:
        if len(read.keys) < 2 or read.keys[1] in fields:
            return
        name = str(read.keys[1])
        meant = nearest(name, fields)
        message = f"{what} has {listed(fields, 'and')}, not {name!r}{did_you_mean(meant)}"
        expected = listed(fields)
        self._notes.of_read("FR408", read, message, found=name, expected=expected, suggestion=meant)

    # -- names that are not there ----------------------------------------------------------------

    def _not_here(self, read: Read) -> None:
        self._notes.of_read("FR403", read, self._why_not_here(read), found=read.root)

    def _why_not_here(self, read: Read) -> str:
        root, reader = read.root, read.site.reader
        if root in ("vars", "nodes"):
            readable = listed((*reader.reads, *reader.names, *self._if_failed(reader)), "and")
            return f"{root!r} cannot be used here: {read.site.what} can read {readable} only"
        if root == "error":
            return (
                "there is no 'error' here: it exists only after an edge on failure, timeout, "
                "cancelled or always, and in an undo"
            )
        if root == "iteration":
            return "there is no 'iteration' here: it exists only in a loop or under `repeat`"
        items = [name for name in reader.names if name in self._item_names]
        if root == "item" and items:
            return f"the items here are called {listed(items)}, as `as` says"
        if reader.before_items and root in ("index", *self._item_names):
            return f"there is no {root!r} here yet: this is evaluated once, before the items"
        return (
            f"there is no {root!r} here: it exists only in a node with `foreach`, and inside a "
            "block with one"
        )

    @staticmethod
    def _if_failed(reader: Reader) -> tuple[str, ...]:
        return () if reader.error == "never" else ("error",)

    def _unknown(self, read: Read) -> None:
        root, reader = read.root, read.site.reader
        names = (*reader.reads, *reader.names, *self._if_failed(reader))
        meant = nearest(root, names)
        advice = did_you_mean(meant) or f"; text needs quotes: '{root}'"
        if root in FUNCTIONS:
            advice = f"; {root} is a function: {FUNCTIONS[root].signature}"
        message = f"{root!r} means nothing here{advice}"
        expected = listed(names)
        self._notes.of_read("FR402", read, message, found=root, expected=expected, suggestion=meant)
