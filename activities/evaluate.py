"""The local activity that evaluates what workflow code must not look into."""

from __future__ import annotations

from typing import Any, cast

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.errors import EXPRESSION_ERROR
from flowspec.expressions import ExpressionError, compile_condition, compile_template
from flowspec.values import Json

__all__ = ["EVALUATE", "evaluate"]

EVALUATE = "flowrunner.evaluate"


@activity.defn(name=EVALUATE)
async def evaluate(request: dict[str, Any]) -> Any:
    """`{source, condition, scope}` → the value; `condition` says which kind `source` is.

    The scope's values have been loaded by the time it comes here. Fails for good with
    `ExpressionError`.
    """
    outcome = _evaluate(request)
    if isinstance(outcome, ExpressionError):
        raise ApplicationError(str(outcome), type=EXPRESSION_ERROR.name, non_retryable=True)
    return outcome


def _evaluate(request: dict[str, Any]) -> Json | ExpressionError:
    compiled = compile_condition if request["condition"] else compile_template
    try:
        value = compiled(request["source"]).evaluate(request["scope"])
    except ExpressionError as error:
        return error
    return cast(Json, value)
