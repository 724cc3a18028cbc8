"""Node type `transform`: a value, looked through by a JMESPath query."""

from __future__ import annotations

import asyncio
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from activities.attempt import Attempt
from activities.declaration import AnyImplementation, Params, declare
from activities.errors import NodeFailed
from flowspec.catalogue import ErrorType, RetryDefaults
from flowspec.expressions.budget import Budget, check_size
from flowspec.expressions.errors import BudgetExceeded, ExpressionError
from flowspec.values import Json

__all__ = ["NODE_TYPES", "TransformParams", "TransformResult"]

_STEPS = 3_000_000
_MOST_ITEMS = 1_000_000

INVALID_QUERY = ErrorType(
    name="InvalidQuery",
    permanent=True,
    meaning="The JMESPath query cannot be read, or does not fit the value",
)
TOO_MUCH_WORK = ErrorType(
    name="TooMuchWork",
    permanent=True,
    meaning="The query takes too many steps, or makes too large a value",
)


class TransformParams(Params):
    """What to make of what."""

    value: Json
    """The value; `${…}` in it is computed as everywhere."""
    jmespath: str | None = Field(default=None, min_length=1, max_length=2_000)
    """A JMESPath query that is put to `value`. Left out, the value stays as it is."""


class TransformResult(TypedDict):
    """What was made."""

    value: Annotated[Json, Field(description="What the query found, null if nothing")]


class _Steps(Budget):
    """Far more than an expression has, for here no workflow waits for it."""

    def __init__(self) -> None:
        super().__init__(_STEPS)

    def spend(self, steps: int = 1) -> None:
        self.left -= steps
        if self.left < 0:
            raise BudgetExceeded(f"the query takes more than {_STEPS:,} steps; give it less")

    def text(self, length: int) -> None:
        self.spend(1 + (length >> 8))

    def items(self, count: int) -> None:
        if count > _MOST_ITEMS:
            raise BudgetExceeded(f"the query makes or reads a list of more than {_MOST_ITEMS:,}")
        self.spend(1 + count)


async def transform(params: TransformParams, _attempt: Attempt) -> TransformResult:
    query = params.jmespath
    if query is None:
        return {"value": params.value}
    return {"value": await asyncio.to_thread(_found, query, params.value)}


def _found(query: str, value: Json) -> Json:
    from flowspec.expressions.functions.queries import search

    try:
        found = search(_Steps(), query, value)
        check_size(found)
    except BudgetExceeded as error:
        raise NodeFailed(TOO_MUCH_WORK, str(error)) from error
    except ExpressionError as error:
        raise NodeFailed(INVALID_QUERY, str(error)) from error
    return found


TRANSFORM = declare(
    name="transform",
    summary="Reshape a value with a JMESPath query",
    description=(
        "For values that are too large for `jmes(…)` in an expression: a query may take "
        f"{_STEPS:,} steps, about as many as it looks at items, over lists of up to "
        f"{_MOST_ITEMS:,}, and make a value of 64 million characters. What an expression can do "
        "as well, `set` does without a worker."
    ),
    example="""\
flow: adults
input: {required: [people], properties: {people: {type: array}}}
nodes:
  pick:
    type: transform
    params:
      value: ${input.people}
      jmespath: "[?age >= `18`].{name: name, city: address.city} | sort_by(@, &name)"
output: ${nodes.pick.output.value}
""",
    params=TransformParams,
    result=TransformResult,
    handler=transform,
    errors=(INVALID_QUERY, TOO_MUCH_WORK),
    tier="local",
    retry=RetryDefaults(attempts=3),
    attempt_timeout=60,
)

NODE_TYPES: tuple[AnyImplementation, ...] = (TRANSFORM,)
