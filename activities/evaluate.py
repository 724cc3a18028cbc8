"""The local activity that evaluates what workflow code must not look into."""

from __future__ import annotations

from typing import Any, Protocol, cast

from pydantic_core import to_json
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.errors import EXPRESSION_ERROR, TOO_LARGE, of_claim_check
from claimcheck.errors import ClaimCheckError
from claimcheck.interceptor import takes_claims
from claimcheck.payloads import Inline
from flowspec.expressions import (
    ExpressionError,
    compile_condition,
    compile_template,
    evaluate_at,
)
from flowspec.machine.operations import Want
from flowspec.machine.wants import wanted
from flowspec.values import Json, JsonObject

__all__ = ["EVALUATE", "Evaluator"]

EVALUATE = "flowrunner.evaluate"

_MOST_ITEMS_INLINE = 32 * 1024
"""Bytes of a list that a run takes as it is, to go over it."""

_MOST_READ = 1_900_000
"""Bytes of a value that a run has to read itself, so that it travels inline: Temporal refuses
2 MB, and with it the step that the run was about to do."""


class Values(Protocol):
    """Putting values away and back, as `activities.claims.Claims` does it."""

    async def opened(self, value: Any) -> Any: ...
    async def loaded(self, value: Any) -> Any: ...
    async def stowed(self, value: Json) -> Any: ...
    async def kept(self, value: Json) -> Any: ...
    async def joined(self, parts: list[Any]) -> Any: ...


class Evaluator:
    """Works out what the interpreter asks, and puts away what is too large to be told inline.

    It reads what is needed for that: what is only handed on stays where it is.
    """

    def __init__(self, values: Values) -> None:
        self._values = values

    @activity.defn(name=EVALUATE)
    @takes_claims
    async def evaluate(self, argument: Any) -> Inline:
        """`{source, want, loose, deferred, scope}` → the answer, as `flowspec.machine.Evaluate`
        has it. Fails for good with `ExpressionError`.
        """
        try:
            outcome = await self._answer(await self._values.opened(argument))
        except ExpressionError as error:
            outcome = ApplicationError(str(error), type=EXPRESSION_ERROR.name, non_retryable=True)
        except ClaimCheckError as error:
            kind = of_claim_check(error).name
            outcome = ApplicationError(str(error), type=kind, non_retryable=not error.passing)
        if isinstance(outcome, ApplicationError):
            raise outcome
        return Inline(outcome)

    async def _answer(self, request: JsonObject) -> Any:
        want = _want(request)
        loose = cast("list[str] | None", request.get("loose"))
        if want == "joined":
            told = cast(JsonObject, request["scope"])
            return await self._values.joined(await self._values.opened(told["parts"]))
        scope = await self._values.loaded(request["scope"])
        if request.get("deferred") is None:
            compiled = compile_condition if want == "condition" else compile_template
            value = compiled(cast(Any, request["source"])).evaluate(scope)
        else:
            source = await self._strictly(request["source"], want, loose)
            value = evaluate_at(source, cast("list[str]", request["deferred"]), scope)
        return await self._small(wanted(cast(Json, value), want, None), want, loose)

    async def _strictly(self, source: Any, want: Want, loose: list[str] | None) -> Any:
        """Members that are not loose have to be read, whatever was handed on in them."""
        if want != "members" or loose is None:
            return source
        return {
            name: member if name in loose else await self._values.loaded(member)
            for name, member in source.items()
        }

    async def _small(self, value: Json, want: Want, loose: list[str] | None) -> Any:
        match want:
            case "value":
                return await self._values.stowed(value)
            case "members":
                return await self._members(cast(JsonObject, value), loose)
            case "items":
                return await self._items(cast("list[Json]", value))
        return value

    async def _members(self, members: JsonObject, loose: list[str] | None) -> JsonObject:
        for name, value in members.items():
            size = 0 if loose is None or name in loose else len(to_json(value))
            if size > _MOST_READ:
                raise ApplicationError(
                    f"{name} measures {size:,} bytes; what a run reads itself may measure "
                    f"{_MOST_READ:,} at most",
                    type=TOO_LARGE.name,
                    non_retryable=True,
                )
        return {
            name: await self._values.stowed(value) if loose is None or name in loose else value
            for name, value in members.items()
        }

    async def _items(self, items: list[Json]) -> Json:
        if len(to_json(items)) <= _MOST_ITEMS_INLINE and await self._values.stowed(items) == items:
            return items
        return {"items": await self._values.kept(items), "count": len(items)}


def _want(request: dict[str, Any]) -> Want:
    """Release 0.1.0 said no more than whether it was a condition."""
    told = "condition" if request.get("condition") else "value"
    return cast(Want, request.get("want", told))
