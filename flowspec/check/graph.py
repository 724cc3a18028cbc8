"""Checks of edges, joins, loops and undo."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from flowspec.catalogue import Catalogue
from flowspec.check.damage import Damage
from flowspec.check.notes import Notes, Span
from flowspec.check.outline import OUTCOMES, Outline, Section, actions_of
from flowspec.model import Edge, Node
from flowspec.problems import Path
from flowspec.wording import did_you_mean, listed, nearest

__all__ = ["check_graph"]


def check_graph(outline: Outline, catalogue: Catalogue, damage: Damage, notes: Notes) -> None:
    for section in outline.sections:
        for edge in section.graph.edges:
            _ends(edge, section, outline, notes)
        _twice(section, notes)
        for edge in section.written:
            _otherwise(edge, section, notes)
            _outcomes(edge, section, catalogue, notes)
        for node in section.graph.nodes.values():
            _undo(node, section, outline, notes)
        if section.is_whole and not damage.hides_edges(section.graph.path):
            _limits(section, notes)
            _shape(section, notes)


# -- the two ends of an edge -----------------------------------------------------------------------


def _ends(edge: Edge, section: Section, outline: Outline, notes: Notes) -> None:
    ends = (("FR302", "from", edge.source), ("FR301", "to", edge.target))
    for code, key, name in ends:
        if name in section.graph.nodes:
            continue
        path, span = _place_of(edge, key, name, notes)
        if name in outline.home:
            message = f"the node {name!r} is {_elsewhere(name, section, outline)}"
            notes.add("FR304", path, message, span=span, found=name)
            continue
        meant = nearest(name, [n for n in section.graph.nodes if n != edge.source])
        message = f"there is no node {name!r}{did_you_mean(meant)}"
        notes.add(code, path, message, span=span, found=name, suggestion=meant)


def _elsewhere(name: str, section: Section, outline: Outline) -> str:
    block = outline.block_around(name, section)
    if block is not None:
        return f"inside the block {block.id!r}, and this edge is not; lead the edge to {block.id!r}"
    owner = section.owner.id if section.owner is not None else ""
    return (
        f"outside the block {owner!r}, and this edge is inside; lead an edge there from {owner!r}"
    )


def _place_of(edge: Edge, key: str, name: str, notes: Notes) -> tuple[Path, Span | None]:
    """Where the document names an end of an edge: under its key, or in `a -> b`."""
    path = (*edge.path, key)
    if path in notes.source.marks:
        return path, None
    written = notes.value_at(edge.path)
    if isinstance(written, str) and "->" in written:
        return edge.path, (written.find(name), len(name))
    return edge.path, None


def _twice(section: Section, notes: Notes) -> None:
    first: dict[tuple[str, str, str], Edge] = {}
    for edge in section.written:
        again = [first[key] for on in edge.on if (key := (edge.source, edge.target, on)) in first]
        if again:
            line = notes.line_of(again[0].path)
            what = f"{edge.source} -> {edge.target}"
            message = f"the edge {what} is already given in line {line}; remove one"
            path, span = _place_of(edge, "to", edge.target, notes)
            notes.add("FR303", path, message, span=span, found=what)
            continue
        for on in edge.on:
            first[edge.source, edge.target, on] = edge


# -- what an edge asks for -------------------------------------------------------------------------


def _otherwise(edge: Edge, section: Section, notes: Notes) -> None:
    if edge.otherwise and not any(
        other.when is not None and _can_both_fit(edge.on, other.on)
        for other in section.written_at(edge.source)
    ):
        message = (
            f"no other edge of {edge.source!r} on {listed(edge.on)} has a `when`, so `otherwise` "
            "says nothing; remove it, or give the other edge a `when`"
        )
        notes.add("FR309", (*edge.path, "otherwise"), message, key=True)


def _limits(section: Section, notes: Notes) -> None:
    in_trouble = [*section.shape.unreachable, *chain.from_iterable(section.shape.irreducible)]
    for edge, plan in zip(section.written, section.edges, strict=True):
        if edge.limit_given and not plan.back and edge.source not in in_trouble:
            message = (
                f"the edge {edge.source} -> {edge.target} closes no loop, so `limit` says "
                "nothing; remove it"
            )
            notes.add("FR308", (*edge.path, "limit"), message, key=True)


def _can_both_fit(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether one end of a node can answer to both; an action comes with a success."""
    return any(
        first == second
        or "always" in (first, second)
        or {first, second} == {"failure", "timeout"}
        or ("success" in (first, second) and not {first, second} <= {*OUTCOMES})
        for first in one
        for second in other
    )


def _outcomes(edge: Edge, section: Section, catalogue: Catalogue, notes: Notes) -> None:
    node = section.graph.nodes[edge.source]
    node_type = catalogue.get(node.type)
    if node_type is None:
        return
    actions = actions_of(node, node_type)
    for name in edge.on:
        path, key = _place_of_outcome(edge, name, notes)
        if not node_type.outcomes:
            message = f"nothing comes after {node.id!r}: {node.type} ends its graph"
            notes.add("FR311", path, f"{message}; remove the edge", key=key, found=name)
            return
        if name == "success" and name not in node_type.outcomes:
            message = f"{node.id!r} never succeeds: {node.type} only fails; write `on: failure`"
            notes.add("FR311", path, message, key=key, found=name, expected="failure")
        elif name not in OUTCOMES and actions is not None and name not in actions:
            meant = nearest(name, (*actions, *OUTCOMES))
            given = listed(actions, "and") if actions else "no actions"
            message = f"{node.id!r} never ends with {name!r}: {node.type} gives {given}"
            advice = did_you_mean(meant)
            expected = listed((*actions, *OUTCOMES))
            notes.add(
                "FR310",
                path,
                message + advice,
                key=key,
                found=name,
                expected=expected,
                suggestion=meant,
            )


def _place_of_outcome(edge: Edge, name: str, notes: Notes) -> tuple[Path, bool]:
    """The path of an outcome, and whether it stands there as a key."""
    on = (*edge.path, "on")
    if on in notes.source.marks:
        several = len(edge.on) > 1 and (*on, edge.on.index(name)) in notes.source.marks
        return ((*on, edge.on.index(name)) if several else on), False
    length = len(edge.path) - 1 if isinstance(edge.path[-1], int) else len(edge.path)
    is_key = edge.path[length - 1] == name and "next" in edge.path[: length - 1]
    return (edge.path[:length], True) if is_key else (edge.path, False)


# -- undo ------------------------------------------------------------------------------------------


def _undo(node: Node, section: Section, outline: Outline, notes: Notes) -> None:
    if node.undo is None:
        return
    path = (*node.path, "undo")
    if node.undo not in outline.home:
        meant = nearest(node.undo, [name for name in section.graph.nodes if name != node.id])
        message = f"there is no node {node.undo!r}{did_you_mean(meant)}"
        notes.add("FR312", path, message, found=node.undo, suggestion=meant)
        return
    why = _cannot_undo(node, node.undo, section)
    if why is not None:
        notes.add("FR313", path, f"{node.undo!r} cannot undo {node.id!r}: {why}", found=node.undo)


def _cannot_undo(node: Node, name: str, section: Section) -> str | None:
    if name == node.id:
        return "it is the same node"
    if name not in section.graph.nodes:
        return "it is in another graph; move it beside the node it undoes"
    if section.into(name) or section.out_of(name):
        return "it has edges; an undo runs by itself when the run fails"
    if section.graph.nodes[name].undo is not None:
        return "it has an undo itself; use a block for several steps"
    return None


# -- the whole -------------------------------------------------------------------------------------


def _shape(section: Section, notes: Notes) -> None:
    nodes = section.graph.nodes
    for first, others in _heads(section.shape.unreachable, section):
        message = (
            f"no path leads to {first!r} from a node that starts: it waits in a circle for "
            f"itself{_others(others)}; lead an edge to it from a node that runs"
        )
        notes.add("FR305", nodes[first].path, message, key=True, found=first)
    for members in section.shape.irreducible:
        if members[0] in section.shape.unreachable:
            continue
        entries = [name for name in members if _is_entered(name, members, section)]
        message = (
            f"the loop of {listed(members, 'and')} can be entered at "
            f"{listed(entries, 'and')}; let all edges from outside lead to one of them"
        )
        notes.add("FR306", nodes[members[0]].path, message, key=True, found=listed(members, "and"))
    for node in nodes.values():
        _join(node, section, notes)


def _others(names: Sequence[str]) -> str:
    if not names:
        return ""
    shown = listed([repr(name) for name in names[:3]], "and")
    return f" (and with it {shown}{', …' if len(names) > 3 else ''})"


def _heads(unreachable: Sequence[str], section: Section) -> Iterator[tuple[str, list[str]]]:
    """One node of each circle that nothing outside leads to, and what follows from it."""
    following: dict[str, list[str]] = {}
    for edge in section.edges:
        following.setdefault(edge.source, []).append(edge.target)
    after = {name: _closure(name, following) for name in unreachable}
    told: list[str] = []
    for name in unreachable:
        before = [other for other in unreachable if name in after[other]]
        if all(other in after[name] for other in before) and not any(
            name in after[head] for head in told
        ):
            told.append(name)
            yield name, [other for other in unreachable if other in after[name] and other != name]


def _closure(start: str, following: dict[str, list[str]]) -> dict[str, None]:
    seen: dict[str, None] = {}
    waiting = [start]
    while waiting:
        for name in following.get(waiting.pop(), ()):
            if name not in seen:
                seen[name] = None
                waiting.append(name)
    return seen


def _is_entered(name: str, members: Iterable[str], section: Section) -> bool:
    inside = [*members]
    return name in section.shape.starts or any(
        edge.source not in inside for edge in section.into(name)
    )


def _join(node: Node, section: Section, notes: Notes) -> None:
    if isinstance(node.join, str) or node.join == 1:
        return
    possible = sum(
        _most_at_once(source, node.id, section)
        for source in dict.fromkeys(edge.source for edge in section.into(node.id))
    )
    if node.join > possible:
        edges = "1 edge" if possible == 1 else f"{possible or 'no'} edges"
        message = f"{node.id!r} waits for {node.join} edges, but at most {edges} can be taken to it"
        path = (*node.path, "join")
        notes.add("FR307", path, message, found=str(node.join), expected=f"at most {possible}")


def _most_at_once(source: str, target: str, section: Section) -> int:
    """How many edges from one node to another can be taken at one end of the first."""
    edges = [e for e in section.out_of(source) if e.target == target and not e.back]
    ends = dict.fromkeys(("success", *(name for edge in edges for name in edge.on)))
    return max(sum(_fits(end, edge.on) for edge in edges) for end in ends)


def _fits(end: str, on: Sequence[str]) -> bool:
    is_action = end not in OUTCOMES
    return end in on or "always" in on or (is_action and "success" in on)
