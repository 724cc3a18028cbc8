"""Edges as they are written, on a node under `next` or beside the nodes under `edges`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Generic, Self, TypeAlias, TypeVar

from pydantic import Field, PlainValidator, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from flowspec.fields import Condition, Flag, Limit, Maybe
from flowspec.names import NodeId, Outcomes, is_node_id
from flowspec.problems import Path
from flowspec.refusals import refuse, wrong_kind
from flowspec.strict import Strict
from flowspec.values import Json, JsonObject

__all__ = ["Arrow", "Arrows", "Edge", "Link", "Links", "Written"]

DEFAULT_LIMIT = 1000


@dataclass(frozen=True, kw_only=True)
class Edge:
    """An arrow between two nodes of a graph, however it was written.

    `on` are outcomes or actions. `limit` None means without end; it was not written unless
    `limit_given`. `path` is where it stands in the document.
    """

    source: str
    target: str
    on: tuple[str, ...] = ("success",)
    when: str | bool | None = None
    otherwise: bool = False
    limit: int | None = DEFAULT_LIMIT
    limit_given: bool = False
    path: Path = ()


class Arrow(Strict):
    """An edge seen from the node it leaves."""

    to: NodeId = Field(description="The node it leads to")
    on: Outcomes = Field(
        default=("success",),
        description=(
            "The outcome that takes it: success, failure, timeout, skipped, cancelled, always, "
            "an action's name, or a list of these; success if left out"
        ),
    )
    when: Maybe[Condition] = Field(default=None, description="Taken only if this holds")
    otherwise: Flag = Field(
        default=False, description="Taken if no other edge of the node with `when` was"
    )
    limit: Limit = Field(
        default=DEFAULT_LIMIT,
        description="How many rounds the loop it closes may go, or unlimited; 1000 if left out",
    )

    @model_validator(mode="after")
    def _one_condition(self) -> Self:
        if self.otherwise and self.when is not None:
            raise refuse("FR212", "an edge has `when` or `otherwise`, not both; remove one")
        return self


class Link(Arrow):
    """An edge that names both its nodes."""

    source: NodeId = Field(alias="from", description="The node it leaves")


T = TypeVar("T", bound=Arrow)


@dataclass(frozen=True)
class Written(Generic[T]):
    """An edge and its place below `next` or `edges`."""

    place: Path
    edge: T

    def settled(self, source: str, base: Path) -> Edge:
        """The edge as others see it, `base` being the path of the `next` or `edges`."""
        edge = self.edge
        return Edge(
            source=source,
            target=edge.to,
            on=edge.on,
            when=edge.when,
            otherwise=edge.otherwise,
            limit=edge.limit,
            limit_given="limit" in edge.model_fields_set,
            path=(*base, *self.place),
        )


_Spread: TypeAlias = Iterator[tuple[Path, JsonObject | PydanticCustomError]]

_ARROWS = re.compile(r"→|[-=]+>|[-=]{2,}|>|,")
"""What people write for an arrow."""

_ARROW_KEYS = frozenset(Arrow.model_fields)
_TARGET = "a node's id, a list, or a mapping from outcomes to nodes"


def _spread_next(value: Json) -> _Spread:
    """The single edges in the value of a `next`."""
    if isinstance(value, str):
        yield (), {"to": value}
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield (index,), _single(entry)
    elif isinstance(value, dict) and value:
        if "to" in value or _ARROW_KEYS.issuperset(value):
            yield (), value
            return
        for outcome, targets in value.items():
            yield from _spread_outcome(outcome, targets)
    else:
        yield (), wrong_kind(value, _TARGET)


def _spread_outcome(outcome: str, targets: Json) -> _Spread:
    several = isinstance(targets, list)
    for index, target in enumerate(targets if isinstance(targets, list) else [targets]):
        place = (outcome, index) if several else (outcome,)
        edge = _single(target)
        if not isinstance(edge, dict):
            yield place, edge
        elif "on" in edge:
            yield (
                (*place, "on"),
                refuse("FR212", f"the key {outcome!r} already says on which outcome; remove `on`"),
            )
        else:
            yield place, {**edge, "on": outcome}


def _single(value: Json) -> JsonObject | PydanticCustomError:
    if isinstance(value, str):
        return {"to": value}
    if isinstance(value, dict):
        return value
    return wrong_kind(value, "a node's id or a mapping with `to`")


def _spread_edges(value: Json) -> _Spread:
    """The single edges in the value of an `edges`."""
    if not isinstance(value, list):
        yield (), wrong_kind(value, "a list of edges such as `- a -> b`")
        return
    for index, entry in enumerate(value):
        if isinstance(entry, str):
            for edge in _chain(entry):
                yield (index,), edge
        elif isinstance(entry, dict):
            yield (index,), entry
        else:
            yield (index,), wrong_kind(entry, "`a -> b` or a mapping with `from` and `to`")


def _chain(written: str) -> Iterable[JsonObject | PydanticCustomError]:
    names = _chained(written)
    if names:
        return [{"from": source, "to": target} for source, target in pairwise(names)]
    fixed = " -> ".join(_chained(_ARROWS.sub("->", written)))
    return [
        refuse(
            "FR211",
            f"{written!r} is not an edge; write {repr(fixed) if fixed else '`from -> to`'}",
            expected="node -> node",
            suggestion=fixed or None,
        )
    ]


def _chained(written: str) -> list[str]:
    names = [name.strip() for name in written.split("->")]
    return names if len(names) > 1 and all(map(is_node_id, names)) else []


def _reader(model: type[T], spread: Callable[[Json], _Spread]) -> PlainValidator:
    """Validates the edges one by one, so that each problem is told at its own place."""

    def read(value: Json) -> tuple[Written[T], ...]:
        edges: list[Written[T]] = []
        errors: list[InitErrorDetails] = []
        for place, edge in spread(value):
            if isinstance(edge, PydanticCustomError):
                errors.append(InitErrorDetails(type=edge, loc=place, input=value))
                continue
            try:
                edges.append(Written(place, model.model_validate(edge)))
            except ValidationError as error:
                errors += _moved(error, place)
        if errors:
            raise ValidationError.from_exception_data(model.__name__, errors)
        return tuple(edges)

    return PlainValidator(read)


def _moved(error: ValidationError, place: Path) -> list[InitErrorDetails]:
    return [
        InitErrorDetails(
            type=PydanticCustomError(found["type"], "{message}", found.get("ctx") or {}),
            loc=(*place, *found["loc"]),
            input=found["input"],
        )
        for found in error.errors(include_url=False)
    ]


Arrows: TypeAlias = Annotated[tuple[Written[Arrow], ...], _reader(Arrow, _spread_next)]
Links: TypeAlias = Annotated[tuple[Written[Link], ...], _reader(Link, _spread_edges)]
