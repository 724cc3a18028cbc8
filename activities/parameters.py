"""A node's parameters, checked: they arrive as JSON and reach the handler as its model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from activities.aside import aside
from activities.blobs import blob_of, blob_parameters, blobs_parameters
from activities.declaration import Implementation, Params
from activities.errors import INVALID_PARAMS, NodeFailed
from activities.items import leave_items
from activities.standins import StandIns
from claimcheck.claim import Claim
from flowspec.values import Json, JsonObject

if TYPE_CHECKING:
    from activities.claims import Claims

__all__ = ["load_params", "read_params"]

_SHOWN = 3

P = TypeVar("P", bound=Params)


async def load_params(
    implementation: Implementation[P, Any], params: dict[str, Any], claims: Claims
) -> P:
    """The parameters as the handler takes them, of which it loads the blobs itself.

    Fails with `InvalidParams` and raises `ClaimCheckError`.
    """
    implementation.params.model_rebuild()  # here: in threads, pydantic 2.12 is in its own way
    one, many = blob_parameters(implementation.params), blobs_parameters(implementation.params)
    stand_ins = StandIns()
    params = await leave_items(implementation.params, params, claims, stand_ins)

    def left(value: Any) -> Any:
        return stand_ins.text_for(blob_of(value, claims)) if isinstance(value, Claim) else value

    given = {name: left(value) if name in one else value for name, value in params.items()}
    for name in many & given.keys():
        found = await claims.opened(given[name])
        is_object = isinstance(found, dict)
        given[name] = {key: left(each) for key, each in found.items()} if is_object else found
    whole: JsonObject = await claims.loaded(given)
    return await aside(lambda: read_params(implementation, whole, stand_ins), over=whole)


def read_params(
    implementation: Implementation[P, Any], params: JsonObject, stand_ins: StandIns | None = None
) -> P:
    """The parameters as the handler takes them; fails with `InvalidParams`."""
    try:
        return implementation.params.model_validate_json(json.dumps(params), context=stand_ins)
    except ValidationError as error:
        raise _invalid(implementation.node_type.name, params, error) from error


def _invalid(name: str, params: Json, error: ValidationError) -> NodeFailed:
    found = error.errors(include_url=False, include_input=False)
    placed = [(_place(params, each["loc"], each["type"]), _sentence(each)) for each in found]
    # of a union every member complains; what is said of a part says more than of the whole
    deepest = [
        f"{place}: {sentence}"
        for place, sentence in placed
        if not any(other.startswith(f"{place}.") for other, _ in placed)
    ]
    problems = list(dict.fromkeys(deepest))
    more = f" (and {len(problems) - _SHOWN} more)" if len(problems) > _SHOWN else ""
    return NodeFailed(
        INVALID_PARAMS,
        f"the parameters do not fit {name}: {'; '.join(problems[:_SHOWN])}{more}",
        details={"problems": [*problems]},
    )


def _place(params: Json, location: tuple[str | int, ...], kind: str) -> str:
    """Pydantic's location without the names of union members it puts between."""
    kept, here = ["params"], params
    for step in location:
        if isinstance(here, dict) and step in here:
            here = here[str(step)]
        elif isinstance(here, list) and isinstance(step, int) and step < len(here):
            here = here[step]
        elif not (kind == "missing" and step == location[-1]):
            continue
        kept.append(str(step))
    return ".".join(kept)


def _sentence(error: ErrorDetails) -> str:
    if error["type"] == "missing":
        return "is missing"
    if error["type"] == "extra_forbidden":
        return "there is no such parameter"
    return error["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
