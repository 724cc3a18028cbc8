"""An expression once read: only what the language has, every name resolved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from flowspec.expressions.function import Function
from flowspec.values import Json

__all__ = [
    "Arithmetic",
    "Call",
    "Choice",
    "Comparison",
    "Comprehension",
    "Junction",
    "ListOf",
    "Literal",
    "Lookup",
    "Loop",
    "Node",
    "Not",
    "ObjectOf",
    "Path",
    "Sign",
    "Slice",
    "children",
]


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where the part stands in the source, in characters."""

    offset: int
    length: int


@dataclass(frozen=True, kw_only=True)
class Literal(_Place):
    value: Json


@dataclass(frozen=True, kw_only=True)
class Path(_Place):
    """A name and the constant steps behind it. `slot` numbers the name a comprehension gave,
    None means a name of the scope."""

    root: str
    slot: int | None
    keys: tuple[str | int, ...]

    @property
    def whole(self) -> tuple[str | int, ...]:
        return (self.root, *self.keys)


@dataclass(frozen=True, kw_only=True)
class Lookup(_Place):
    """One step into a computed value, or by a computed key. `name` is how the source calls the
    value that is read."""

    container: Node
    key: Node
    name: str


@dataclass(frozen=True, kw_only=True)
class Slice(_Place):
    container: Node
    start: Node | None
    stop: Node | None


@dataclass(frozen=True, kw_only=True)
class ListOf(_Place):
    items: tuple[Node, ...]


@dataclass(frozen=True, kw_only=True)
class ObjectOf(_Place):
    entries: tuple[tuple[Node, Node], ...]


@dataclass(frozen=True, kw_only=True)
class Sign(_Place):
    operand: Node
    negative: bool


@dataclass(frozen=True, kw_only=True)
class Not(_Place):
    operand: Node


@dataclass(frozen=True, kw_only=True)
class Arithmetic(_Place):
    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, kw_only=True)
class Comparison(_Place):
    first: Node
    rest: tuple[tuple[str, Node], ...]


@dataclass(frozen=True, kw_only=True)
class Junction(_Place):
    """`and` if `every`, else `or`."""

    every: bool
    parts: tuple[Node, ...]


@dataclass(frozen=True, kw_only=True)
class Choice(_Place):
    test: Node
    then: Node
    otherwise: Node


@dataclass(frozen=True, kw_only=True)
class Call(_Place):
    function: Function
    arguments: tuple[Node, ...]


@dataclass(frozen=True, kw_only=True)
class Loop:
    """One `for`: an item goes into one slot, or its parts into several."""

    slots: tuple[int, ...]
    items: Node
    conditions: tuple[Node, ...]


@dataclass(frozen=True, kw_only=True)
class Comprehension(_Place):
    """A list, or an object if there is a key. A round costs `cost` steps."""

    key: Node | None
    value: Node
    loops: tuple[Loop, ...]
    cost: int


Node: TypeAlias = (
    Literal
    | Path
    | Lookup
    | Slice
    | ListOf
    | ObjectOf
    | Sign
    | Not
    | Arithmetic
    | Comparison
    | Junction
    | Choice
    | Call
    | Comprehension
)


def children(node: Node) -> tuple[Node, ...]:
    """The parts directly inside, in the order of their evaluation."""
    match node:
        case Literal() | Path():
            return ()
        case Lookup():
            return (node.container, node.key)
        case Slice():
            return tuple(p for p in (node.container, node.start, node.stop) if p is not None)
        case ListOf():
            return node.items
        case ObjectOf():
            return tuple(part for entry in node.entries for part in entry)
        case Sign() | Not():
            return (node.operand,)
        case Arithmetic():
            return (node.left, node.right)
        case Comparison():
            return (node.first, *(part for _, part in node.rest))
        case Junction():
            return node.parts
        case Choice():
            return (node.test, node.then, node.otherwise)
        case Call():
            return node.arguments
        case Comprehension():
            loops = [part for loop in node.loops for part in (loop.items, *loop.conditions)]
            return (*loops, *([] if node.key is None else [node.key]), node.value)
