"""Every place of a flow where expressions stand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from flowspec.check.outline import Outline, Section
from flowspec.check.readers import Reader, Readers
from flowspec.model import Node
from flowspec.problems import Path
from flowspec.source import Source
from flowspec.values import Json

__all__ = ["Site", "has_expression", "sites"]


@dataclass(frozen=True, kw_only=True)
class Site:
    """A value with expressions in it, or a condition; `param` is the node's parameter it is in."""

    path: Path
    value: Json
    reader: Reader
    what: str
    is_condition: bool = False
    node: Node | None = None
    param: str | None = None


def sites(outline: Outline, readers: Readers, source: Source) -> Iterator[Site]:
    """All sites, graph by graph."""
    flow, start = outline.flow, readers.start()
    for name, value in flow.vars.items():
        yield Site(path=("vars", name), value=value, reader=start, what="a variable's first value")
    for name, text in flow.labels.items():
        yield Site(path=("labels", name), value=text, reader=start, what="a label")
    for section in outline.sections:
        for node in section.graph.nodes.values():
            if node.is_made:
                continue  # what it has from its agent is looked at there
            before = readers.node(section, node)
            yield from _before(node, before, source)
            yield from _with_each_item(section, node, readers, readers.item(node, before))
        for index, edge in enumerate(section.written):
            if isinstance(edge.when, str):
                yield _condition((*edge.path, "when"), edge.when, readers.edge(section, index))
        yield Site(
            path=(*section.graph.path, "output"),
            value=section.graph.output,
            reader=readers.output(section),
            what="an output",
        )


def _before(node: Node, before: Reader, source: Source) -> Iterator[Site]:
    """What is evaluated once, before there are items."""
    if isinstance(node.when, str):
        yield _condition((*node.path, "when"), node.when, before)
    if node.foreach is not None:
        path = _below((*node.path, "foreach"), "in", source)
        items = before if node.when is None else _given(before, node.when)
        yield Site(path=path, value=node.foreach.items, reader=items, what="the items of a foreach")
    if isinstance(node.timeout, str):
        path = (*node.path, "timeout")
        yield Site(path=path, value=node.timeout, reader=before, what="a timeout")
    for key, modifier in (("lock", node.lock), ("rate", node.rate)):
        if modifier is not None and modifier.name is not None:
            path = _below((*node.path, key), "name", source)
            yield Site(path=path, value=modifier.name, reader=before, what=f"the name of a {key}")


def _with_each_item(section: Section, node: Node, readers: Readers, item: Reader) -> Iterator[Site]:
    """What is evaluated for each item, or once if there are none."""
    if has_expression(node.title):
        yield Site(path=(*node.path, "title"), value=node.title, reader=item, what="a title")
    for name, value in node.params.items():
        if not has_expression(value):
            continue
        yield Site(
            path=(*node.path, "params", name),
            value=value,
            reader=item,
            what=f"{name!r} of {node.type}",
            node=node,
            param=name,
        )
    if node.cache is not None and node.cache.key is not None:
        path = (*node.path, "cache", "key")
        yield Site(path=path, value=node.cache.key, reader=item, what="the key of a cache")
    if node.repeat is not None and isinstance(node.repeat.condition, str):
        key = "until" if node.repeat.is_until else "while"
        path = (*node.path, "repeat", key)
        yield _condition(path, node.repeat.condition, readers.round(section, node, item))


def has_expression(value: Json) -> bool:
    """Whether `${` stands anywhere in a value, in a key or in `$${` even."""
    if isinstance(value, str):
        return "${" in value
    if isinstance(value, dict):
        return any("${" in key or has_expression(entry) for key, entry in value.items())
    return isinstance(value, list) and any(map(has_expression, value))


def _condition(path: Path, value: str, reader: Reader) -> Site:
    return Site(path=path, value=value, reader=reader, what="a condition", is_condition=True)


def _given(reader: Reader, condition: str | bool) -> Reader:
    return replace(reader, conditions=(*reader.conditions, condition))


def _below(path: Path, key: str, source: Source) -> Path:
    """The path of a value that may be written short, without the key."""
    longer = (*path, key)
    return longer if longer in source.marks else path
