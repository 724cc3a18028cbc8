"""What an activity is told: its own resolved parameters, and only what those need besides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import cast

from flowspec.expressions import (
    ExpressionError,
    Reference,
    compile_template,
    scope_for,
)
from flowspec.machine.core import Core
from flowspec.machine.operations import Call, make_error
from flowspec.machine.state import FrameState, ItemState
from flowspec.plan import NodePlan, RetryPlan
from flowspec.values import Json, JsonObject, NeedsWorker

__all__ = ["build_call", "cache_entry", "title_of"]

_CACHE_RETRY = RetryPlan(attempts=3)


def build_call(core: Core, frame: FrameState, item: ItemState, plan: NodePlan) -> Call | JsonObject:
    """The call of an activity node, or the error that keeps it from being made."""
    source = core.program.template(plan.id, "params", plan.params)
    scope = core.scope(frame, source, item=item, node=plan.id)
    try:
        params, deferred = source.evaluate_partially(scope)
    except ExpressionError as error:
        return make_error("ExpressionError", str(error), node=item.path)
    assert item.operation is not None
    title = title_of(core, frame, item, plan)
    return Call(
        id=item.operation,
        activity=plan.type,
        argument=_argument(core, plan, item.operation, title, params, deferred, scope),
        local=plan.tier == "local",
        node=item.path,
        title=title,
        timeout=None if plan.foreach or plan.repeat else plan.timeout,
        attempt_timeout=plan.attempt_timeout,
        heartbeat=plan.heartbeat,
        retry=plan.retry,
        queue=plan.queue,
        priority=plan.priority,
    )


def _argument(
    core: Core,
    plan: NodePlan,
    operation: str,
    title: str,
    params: Json,
    deferred: list[str],
    scope: Mapping[str, Json],
) -> JsonObject:
    run = core.state.run
    argument: JsonObject = {
        "node": operation,
        "params": params,
        "key": f"{run['workflow_id']}/{run['id']}/{operation}",
        "flow": run["flow"],
        "run_id": run["id"],
    }
    if title:
        argument["title"] = title
    if deferred:
        argument["deferred"] = list[Json](deferred)
        argument["scope"] = scope_for(_references(params, deferred), scope)
        argument["secrets"] = list[Json](core.program.plan.secrets)
    retry = plan.retry
    if retry.jitter or retry.only or retry.never:
        argument["retry"] = cast(JsonObject, {**asdict(retry)})
    return argument


def _references(params: Json, pointers: list[str]) -> tuple[Reference, ...]:
    return tuple(
        reference
        for pointer in pointers
        for reference in compile_template(_at(params, pointer)).references
        if reference.path[0] != "secrets"
    )


def _at(value: Json, pointer: str) -> Json:
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        value = value[int(name)] if isinstance(value, list) else cast(JsonObject, value)[name]
    return value


def title_of(core: Core, frame: FrameState, item: ItemState, plan: NodePlan) -> str:
    """The node's title for people; one that cannot be worked out must not stop the node."""
    if "${" not in plan.title:
        return plan.title
    source = core.program.template(plan.id, "title", plan.title)
    try:
        value = source.evaluate(core.scope(frame, source, item=item, node=plan.id))
    except (ExpressionError, NeedsWorker):
        return plan.id
    return str(value)[:200]


def cache_entry(id: str, verb: str, argument: JsonObject) -> Call:
    """A look into the result cache, or a note in it."""
    return Call(
        id=id,
        activity=f"flowrunner.cache.{verb}",
        argument=argument,
        local=True,
        node=id,
        attempt_timeout=10.0,
        retry=_CACHE_RETRY,
    )
