"""Declaring a node type, once: its parameters, result, handler, defaults and errors.

Everything else is derived: the entry in the catalogue, the JSON Schemas, the activity.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from activities.attempt import Attempt
from activities.errors import COMMON_ERRORS
from activities.schemas import schema_of_params, schema_of_result
from flowspec.catalogue import ErrorType, NodeType, Objection, RetryDefaults, Tier
from flowspec.values import JsonObject

__all__ = ["Acted", "AnyImplementation", "Implementation", "Params", "declare"]


class Params(BaseModel):
    """Base of every node type's parameters: closed, strict, with documented fields."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        validate_by_name=True,
        validate_by_alias=True,
        defer_build=True,  # a process uses few of them
    )


P = TypeVar("P", bound=Params)
R = TypeVar("R")


@dataclass(frozen=True, kw_only=True)
class Acted(Generic[R]):
    """A result with the action the node ended by."""

    output: R
    action: str


Handler = Callable[[P, Attempt], Awaitable[R | Acted[R]]]


@dataclass(frozen=True, kw_only=True)
class Implementation(Generic[P, R]):
    """A node type together with the code that performs it."""

    node_type: NodeType
    params: type[P]
    result: type[R]
    handler: Handler[P, R]


AnyImplementation = Implementation[Any, Any]

_ONCE = RetryDefaults(attempts=1)


def declare(
    *,
    name: str,
    summary: str,
    description: str,
    example: str,
    params: type[P],
    result: type[R],
    handler: Handler[P, R],
    tier: Tier = "remote",
    actions: tuple[str, ...] = (),
    errors: tuple[ErrorType, ...] = (),
    exclusive: tuple[tuple[str, ...], ...] = (),
    require_one: tuple[tuple[str, ...], ...] = (),
    secret_params: tuple[str, ...] = (),
    literal_params: tuple[str, ...] = (),
    schema_params: tuple[str, ...] = (),
    objections: Callable[[JsonObject], Iterable[Objection]] | None = None,
    retry: RetryDefaults = _ONCE,
    attempt_timeout: float | None = None,
    heartbeat: float | None = None,
) -> Implementation[P, R]:
    """A node type and its code; the fields are those of `NodeType`.

    The handler raises `NodeFailed` with one of `errors`. `result` is what it returns: anything
    pydantic can write as JSON. A handler that has actions returns `Acted`.
    """
    node_type = NodeType(
        name=name,
        summary=summary,
        description=description,
        example=example,
        params_schema=schema_of_params(params),
        output_schema=schema_of_result(result),
        tier=tier,
        actions=actions,
        errors=(*errors, *COMMON_ERRORS),
        exclusive=exclusive,
        require_one=require_one,
        secret_params=secret_params,
        literal_params=literal_params,
        schema_params=schema_params,
        objections=objections,
        retry=retry,
        attempt_timeout=attempt_timeout,
        heartbeat=heartbeat,
    )
    return Implementation(node_type=node_type, params=params, result=result, handler=handler)
