"""Node type `validate`: does a value fit a JSON Schema?"""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from activities.attempt import Attempt
from activities.declaration import Acted, AnyImplementation, Params, declare
from activities.errors import NodeFailed
from flowspec.catalogue import ErrorType, RetryDefaults
from flowspec.values import Json

__all__ = ["INVALID_SCHEMA", "NODE_TYPES", "Problem", "ValidateParams", "ValidateResult"]

_TOLD = 3

INVALID = ErrorType(
    name="Invalid",
    permanent=True,
    meaning="The value does not fit the schema; the details list every `problem`",
)
INVALID_SCHEMA = ErrorType(
    name="InvalidSchema", permanent=True, meaning="`schema` is not a usable JSON Schema"
)


class ValidateParams(Params):
    """What to check by what."""

    value: Json
    """The value."""
    schema_: dict[str, Json] = Field(alias="schema")
    """A JSON Schema, draft 2020-12, as in a flow's `input`: formats are checked, nothing is
    fetched, and a keyword that does not exist is an error."""
    on_invalid: Literal["fail", "continue"] = "fail"
    """With `continue` a value that does not fit is a success with the action `invalid`."""


class Problem(TypedDict):
    """One thing the value has against the schema."""

    path: Annotated[str, Field(description="Where, such as `items[2].price`; empty for the whole")]
    message: Annotated[str, Field(description="What was found there and what was expected")]
    keyword: Annotated[str, Field(description="The schema's word for the rule")]


class ValidateResult(TypedDict):
    """The judgement."""

    valid: bool
    problems: Annotated[list[Problem], Field(description="None if it is valid, at most 100")]


async def validate(params: ValidateParams, _attempt: Attempt) -> Acted[ValidateResult]:
    problems = await asyncio.to_thread(_problems, params.schema_, params.value)
    if problems and params.on_invalid == "fail":
        raise _invalid(problems)
    result: ValidateResult = {"valid": not problems, "problems": problems}
    return Acted(output=result, action="invalid" if problems else "valid")


def _problems(schema: dict[str, Json], value: Json) -> list[Problem]:
    from flowspec.jsonschemas import dotted, schema_problems, violations

    if wrong := schema_problems(schema):
        told = [f"{dotted(('schema', *one.path))}: {one.message}" for one in wrong]
        raise NodeFailed(INVALID_SCHEMA, "; ".join(told[:_TOLD]), details={"problems": [*told]})
    return [
        {"path": dotted(one.path), "message": one.message, "keyword": one.keyword}
        for one in violations(schema, value)
    ]


def _invalid(problems: list[Problem]) -> NodeFailed:
    told = [f"{one['path']}: {one['message']}".removeprefix(": ") for one in problems[:_TOLD]]
    more = f" (and {len(problems) - _TOLD} more)" if len(problems) > _TOLD else ""
    listed: list[Json] = [
        {"path": one["path"], "message": one["message"], "keyword": one["keyword"]}
        for one in problems
    ]
    return NodeFailed(
        INVALID, f"the value is not valid: {'; '.join(told)}{more}", details={"problems": listed}
    )


VALIDATE = declare(
    name="validate",
    summary="Check a value by a JSON Schema",
    description=(
        "A value that does not fit ends the node with `Invalid`, and the error's `details.problems`"
        " has every problem with `path`, `message` and `keyword`. With `on_invalid: continue` it "
        "ends with one of the actions instead, for edges to follow."
    ),
    example="""\
flow: take-order
input: {required: [order], properties: {order: {}}}
nodes:
  check:
    type: validate
    params:
      value: ${input.order}
      schema:
        type: object
        required: [id, items]
        properties:
          id: {type: string, pattern: "^[A-Z]{2}[0-9]+$"}
          items: {type: array, minItems: 1}
      on_invalid: continue
    next: {valid: accept, invalid: refuse}
  accept: {type: log, params: {message: "Order ${input.order.id}"}}
  refuse: {type: log, params: {message: "Refused", data: "${nodes.check.output.problems}"}}
""",
    params=ValidateParams,
    result=ValidateResult,
    handler=validate,
    actions=("valid", "invalid"),
    errors=(INVALID, INVALID_SCHEMA),
    schema_params=("schema",),
    tier="local",
    retry=RetryDefaults(attempts=3),
    attempt_timeout=60,
)

NODE_TYPES: tuple[AnyImplementation, ...] = (VALIDATE,)
