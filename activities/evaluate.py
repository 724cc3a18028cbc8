"""The local activity that evaluates what workflow code must not look into."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, cast

from pydantic_core import to_json
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.errors import EXPRESSION_ERROR
from claimcheck.payloads import Inline
from flowspec.expressions import ExpressionError, compile_condition, compile_template
from flowspec.machine.operations import Want
from flowspec.machine.wants import wanted
from flowspec.values import Json, JsonObject

__all__ = ["EVALUATE", "Evaluator"]

EVALUATE = "flowrunner.evaluate"

_MOST_ITEMS_INLINE = 32 * 1024
"""Bytes of a list that a run takes as it is, to go over it."""

_PutAway: TypeAlias = Callable[[Json], Awaitable[Json]]


class Evaluator:
    """Works out what the interpreter asks, and puts away what is too large to be told inline.

    `stow` puts the large parts of a value away, or the whole if it is large; `keep` puts a value
    away in any case. Both give what is to travel instead.
    """

    def __init__(self, stow: _PutAway, keep: _PutAway) -> None:
        self._stow = stow
        self._keep = keep

    @activity.defn(name=EVALUATE)
    async def evaluate(self, request: dict[str, Any]) -> Inline:
        """`{source, want, loose, scope}` → the answer, as `flowspec.machine.Evaluate` has it.

        The scope's values have been loaded by the time it comes here. Fails for good with
        `ExpressionError`.
        """
        want = _want(request)
        outcome = _evaluated(request, want)
        if isinstance(outcome, ExpressionError):
            raise ApplicationError(str(outcome), type=EXPRESSION_ERROR.name, non_retryable=True)
        return Inline(await self._small(outcome, want, request.get("loose")))

    async def _small(self, value: Json, want: Want, loose: list[str] | None) -> Json:
        match want:
            case "value":
                return await self._stow(value)
            case "members":
                return await self._members(cast(JsonObject, value), loose)
            case "items":
                return await self._items(cast("list[Json]", value))
        return value

    async def _members(self, members: JsonObject, loose: list[str] | None) -> JsonObject:
        return {
            name: await self._stow(value) if loose is None or name in loose else value
            for name, value in members.items()
        }

    async def _items(self, items: list[Json]) -> Json:
        if len(to_json(items)) <= _MOST_ITEMS_INLINE and await self._stow(items) == items:
            return items
        return {"items": await self._keep(items), "count": len(items)}


def _want(request: dict[str, Any]) -> Want:
    """Release 0.1.0 said no more than whether it was a condition."""
    told = "condition" if request.get("condition") else "value"
    return cast(Want, request.get("want", told))


def _evaluated(request: dict[str, Any], want: Want) -> Json | ExpressionError:
    compiled = compile_condition if want == "condition" else compile_template
    try:
        value = compiled(request["source"]).evaluate(request["scope"])
        return wanted(cast(Json, value), want, None)
    except ExpressionError as error:
        return error
