"""What an expression finds where it stands: which nodes have run, which names there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from flowspec.check.damage import Damage
from flowspec.check.guards import View
from flowspec.check.outline import Section
from flowspec.expressions import ExpressionError, compile_condition
from flowspec.model import Node
from flowspec.plan import EdgePlan
from flowspec.problems import Path

__all__ = ["Certainty", "Reader", "Readers"]

Certainty: TypeAlias = Literal["sure", "maybe", "never"]

_FAILED = frozenset(("failure", "timeout"))
_FAILING = _FAILED | {"cancelled"}
_CARRYING = _FAILING | {"always"}


@dataclass(frozen=True, kw_only=True)
class Reader:
    """A place in the flow from which expressions read.

    `views` are the nodes of the graphs around it as they are found there, the innermost first.
    `names` are those that only some places have; `known_names` is false where a mistake hides
    them. `failed` are the nodes that have surely failed, `conditions` those that surely held.
    `node` is whose place it is, or which the edge leaves; `repeated` if it finds its last round.
    """

    views: tuple[tuple[Section, View | None], ...] = ()
    reads: tuple[str, ...] = ("input", "run")
    names: tuple[str, ...] = ()
    known_names: bool = True
    error: Certainty = "never"
    failed: tuple[str, ...] = ()
    conditions: tuple[str | bool, ...] = ()
    node: str | None = None
    repeated: bool = False
    before_items: bool = False

    def is_guarded(self, path: Path) -> bool:
        """Whether a condition that held proves that what is at the path is there."""
        return any(_proves(condition, path) for condition in self.conditions)


def _proves(condition: str | bool, path: Path) -> bool:
    if isinstance(condition, bool):
        return False
    bare = condition.strip()
    if bare.startswith("${") and bare.endswith("}"):
        bare = bare[2:-1]
    probe = _spelled(path)
    try:
        both = compile_condition(f"({bare}) and {probe}")
    except ExpressionError:
        return False
    return any(found.guarded for found in both.references if found.offset > len(bare) + 2)


def _spelled(path: Path) -> str:
    text = str(path[0])
    for step in path[1:]:
        plain = isinstance(step, str) and step.isidentifier()
        text += f".{step}" if plain else f"[{step!r}]"
    return text


class Readers:
    """The readers of the graphs of one flow."""

    def __init__(self, damage: Damage) -> None:
        self._damage = damage
        self._inside: dict[Path, Reader] = {}

    def start(self) -> Reader:
        """Where a run begins: the first values of variables, the labels."""
        return Reader()

    def node(self, section: Section, node: Node) -> Reader:
        """The node's `when` and `foreach`: once, before its items."""
        around = self._around(section)
        names = (*around.names, *(("iteration",) if section.in_loop(node.id) else ()))
        view = section.guards.before(node.id) if section.guards else None
        error = _error_at(section, node)
        led = section.into(node.id)
        common = led[0].when if len(led) == 1 and led[0].when is not None else None
        return replace(
            around,
            views=((section, view), *around.views),
            names=names,
            error=error if error != "never" else around.error,
            failed=_failed_before(led),
            conditions=(*around.conditions, *(() if common is None else (common,))),
            node=node.id,
            repeated=False,
            before_items=node.foreach is not None,
        )

    def item(self, node: Node, reader: Reader) -> Reader:
        """The node's parameters and title: for each item, in each round; `reader` is that of the
        node itself."""
        if self._hides_names(node):
            reader = replace(reader, known_names=False)
        if node.when is None and node.foreach is None and node.repeat is None:
            return reader
        return replace(
            reader,
            names=(*reader.names, *_item_names(node)),
            conditions=(*reader.conditions, *(() if node.when is None else (node.when,))),
            repeated=node.repeat is not None,
            before_items=False,
        )

    def round(self, section: Section, node: Node, reader: Reader) -> Reader:
        """The condition of the node's `repeat`, which finds this round's output; `reader` is that
        of the items."""
        view = section.guards.after(node.id) if section.guards else None
        return replace(reader, views=((section, view), *reader.views[1:]))

    def edge(self, section: Section, index: int) -> Reader:
        """The `when` of an edge, once its source has ended."""
        edge, around = section.edges[index], self._around(section)
        view = section.guards.along(index) if section.guards else None
        in_loop = ("iteration",) if section.in_loop(edge.source) else ()
        error = _carried(edge)
        return replace(
            around,
            views=((section, view), *around.views),
            names=(*around.names, *in_loop),
            error=error if error != "never" else around.error,
            failed=_failed_before([edge]),
            node=edge.source,
        )

    def output(self, section: Section) -> Reader:
        """The output of a flow or block, once everything in it has ended well."""
        around = self._around(section)
        view = section.guards.at_end() if section.guards else None
        return replace(around, views=((section, view), *around.views))

    def _around(self, section: Section) -> Reader:
        """What is found everywhere inside a graph."""
        path = section.graph.path
        if path not in self._inside:
            self._inside[path] = self._inside_of(section)
        return self._inside[path]

    def _inside_of(self, section: Section) -> Reader:
        if section.owner is None or section.parent is None:
            return Reader(reads=("input", "run", "vars", "nodes"))
        outer = self.item(section.owner, self.node(section.parent, section.owner))
        return replace(outer, node=None, repeated=False, failed=())

    def _hides_names(self, node: Node) -> bool:
        return any(self._damage.hides(*node.path, key) for key in ("foreach", "repeat"))


def _item_names(node: Node) -> Iterator[str]:
    if node.foreach is not None:
        yield from (node.foreach.name, "index")
    if node.repeat is not None:
        yield "iteration"


def _error_at(section: Section, node: Node) -> Certainty:
    if section.undoes(node.id):
        return "sure"
    found = [_carried(edge) for edge in section.into(node.id)]
    if node.id in section.shape.starts:
        found.append("never")
    return _summed(found)


def _summed(found: list[Certainty]) -> Certainty:
    if found and all(certainty == "sure" for certainty in found):
        return "sure"
    return "never" if all(certainty == "never" for certainty in found) else "maybe"


def _carried(edge: EdgePlan) -> Certainty:
    if _CARRYING.isdisjoint(edge.on):
        return "never"
    return "sure" if _FAILING.issuperset(edge.on) else "maybe"


def _failed_before(edges: Sequence[EdgePlan]) -> tuple[str, ...]:
    sources = dict.fromkeys(edge.source for edge in edges)
    failing = all(_FAILED.issuperset(edge.on) for edge in edges)
    return tuple(sources) if failing and len(sources) == 1 else ()
