"""A plan as a picture: Mermaid and Graphviz DOT text.

Names in the picture are generated (`n0`, `n1`, …), so that no id can collide with a keyword of
either language, and every label is escaped: a flow is text from elsewhere and must not be able
to add markup to the page that shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from flowspec.plan import EdgePlan, GraphPlan, NodePlan, Plan

__all__ = ["dot", "mermaid"]

_LONGEST_LABEL = 80
_MERMAID_PLAIN = frozenset(" _-.,:/·…")


@dataclass(frozen=True, kw_only=True)
class _Box:
    """A node to draw; `inside` is its graph when it is a block."""

    name: str
    lines: tuple[str, ...]
    inside: _Drawing | None


@dataclass(frozen=True, kw_only=True)
class _Arrow:
    source: _Box
    target: _Box
    label: str
    back: bool = False
    undo: bool = False


@dataclass(frozen=True, kw_only=True)
class _Drawing:
    boxes: tuple[_Box, ...]
    arrows: tuple[_Arrow, ...]


def mermaid(plan: Plan) -> str:
    """The flow as a Mermaid flowchart: back edges thick, undo dotted, blocks as subgraphs."""
    lines = ["flowchart TD", *_mermaid_graph(_draw(plan.graph, _names()), "  ")]
    return "\n".join(lines) + "\n"


def dot(plan: Plan) -> str:
    """The flow in Graphviz DOT: back edges bold, undo dotted, blocks as clusters."""
    lines = [
        f"digraph {_dot_text(plan.flow)} {{",
        "  compound=true;",
        '  node [shape=box, style=rounded, fontname="sans-serif"];',
        '  edge [fontname="sans-serif", fontsize=10];',
        *_dot_graph(_draw(plan.graph, _names()), "  "),
        "}",
    ]
    return "\n".join(lines) + "\n"


def _names() -> Callable[[], str]:
    numbers = iter(range(10**9))
    return lambda: f"n{next(numbers)}"


def _draw(graph: GraphPlan, name: Callable[[], str]) -> _Drawing:
    boxes = {
        node.id: _Box(
            name=name(),
            lines=_lines(node),
            inside=_draw(node.graph, name) if node.graph else None,
        )
        for node in graph.nodes
    }
    arrows = [
        _Arrow(
            source=boxes[edge.source],
            target=boxes[edge.target],
            label=_edge_label(edge),
            back=edge.back,
        )
        for edge in graph.edges
    ]
    undos = [
        _Arrow(source=boxes[node.id], target=boxes[node.undo], label="undo", undo=True)
        for node in graph.nodes
        if node.undo is not None
    ]
    return _Drawing(boxes=tuple(boxes.values()), arrows=(*arrows, *undos))


def _lines(node: NodePlan) -> tuple[str, ...]:
    kind = " · ".join([node.type, *_modifiers(node)])
    if node.title:
        return (_shorten(node.title), f"{node.id} · {kind}")
    return (node.id, kind)


def _modifiers(node: NodePlan) -> Iterator[str]:
    if node.join != "all":
        yield f"join {node.join}"
    if node.when is not None:
        yield "when " + _condition(node.when)
    if node.foreach is not None:
        yield "foreach"
    if node.repeat is not None:
        yield "repeat"


def _edge_label(edge: EdgePlan) -> str:
    parts = []
    if edge.back:
        parts.append("back")
    if edge.on != ("success",):
        parts.append(" or ".join(edge.on))
    if edge.when is not None:
        parts.append("when " + _condition(edge.when))
    if edge.otherwise:
        parts.append("otherwise")
    return ", ".join(parts)


def _condition(condition: str | bool) -> str:
    if isinstance(condition, bool):
        return "true" if condition else "false"
    text = condition.strip()
    if text.startswith("${") and text.endswith("}") and text.count("${") == 1:
        text = text[2:-1]
    return _shorten(text)


def _shorten(text: str) -> str:
    """One line of bearable length: control characters and runs of space become one space."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _LONGEST_LABEL else line[: _LONGEST_LABEL - 1] + "…"


def _mermaid_graph(drawing: _Drawing, indent: str) -> Iterator[str]:
    for box in drawing.boxes:
        label = "<br/>".join(_mermaid_text(line) for line in box.lines)
        if box.inside is None:
            yield f'{indent}{box.name}["{label}"]'
        else:
            yield f'{indent}subgraph {box.name}["{label}"]'
            yield from _mermaid_graph(box.inside, indent + "  ")
            yield f"{indent}end"
    for arrow in drawing.arrows:
        line = "-.->" if arrow.undo else "==>" if arrow.back else "-->"
        label = f'|"{_mermaid_text(arrow.label)}"|' if arrow.label else ""
        yield f"{indent}{arrow.source.name} {line}{label} {arrow.target.name}"


def _mermaid_text(text: str) -> str:
    """Everything but letters, digits and a little punctuation as `#code;`, Mermaid's escape."""
    return "".join(c if c.isalnum() or c in _MERMAID_PLAIN else f"#{ord(c)};" for c in text)


def _dot_graph(drawing: _Drawing, indent: str) -> Iterator[str]:
    for box in drawing.boxes:
        label = _dot_text("\n".join(box.lines))
        if box.inside is None:
            yield f"{indent}{box.name} [label={label}];"
        else:
            yield f"{indent}subgraph cluster_{box.name} {{"
            yield f"{indent}  label={label};"
            yield from _dot_graph(box.inside, indent + "  ")
            yield f"{indent}}}"
    for arrow in drawing.arrows:
        yield f"{indent}{_first(arrow.source)} -> {_first(arrow.target)}{_dot_attributes(arrow)};"


def _first(box: _Box) -> str:
    """Graphviz draws edges between nodes only: one at a cluster goes to a node inside it."""
    return _first(box.inside.boxes[0]) if box.inside else box.name


def _dot_attributes(arrow: _Arrow) -> str:
    attributes = []
    if arrow.label:
        attributes.append(f"label={_dot_text(arrow.label)}")
    if arrow.undo:
        attributes.append("style=dotted")
    if arrow.back:
        attributes.append("style=bold")
    if arrow.source.inside:
        attributes.append(f"ltail=cluster_{arrow.source.name}")
    if arrow.target.inside:
        attributes.append(f"lhead=cluster_{arrow.target.name}")
    return f" [{', '.join(attributes)}]" if attributes else ""


def _dot_text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")
    return '"' + escaped.replace("\n", "\\n") + '"'
