"""What an activity is told: its own resolved parameters, and only what those need besides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, cast

from flowspec.expressions import (
    ExpressionError,
    Template,
    scope_for,
)
from flowspec.machine.core import Core
from flowspec.machine.operations import Call, ForeignCall, make_error
from flowspec.machine.program import Program
from flowspec.machine.state import FrameState, ItemState
from flowspec.machine.wants import is_plain
from flowspec.plan import NodePlan, RetryPlan
from flowspec.values import Json, JsonObject, NeedsWorker

__all__ = [
    "argument_of",
    "build_call",
    "build_foreign_call",
    "cache_entry",
    "deferred_part",
    "foreign_params",
    "labels_of",
    "title_of",
]

_CACHE_RETRY = RetryPlan(attempts=3)


def build_call(core: Core, frame: FrameState, item: ItemState, plan: NodePlan) -> Call | JsonObject:
    """The call of an activity node, or the error that keeps it from being made."""
    source = core.program.template(plan.id, "params", plan.params)
    scope = core.scope(frame, source, item=item, node=plan.id)
    try:
        params, deferred = core.partial_value(source, scope, "secrets")
    except ExpressionError as error:
        place = ".".join(map(str, ("params", *error.at)))
        return make_error("ExpressionError", f"{place}: {error}", node=item.path)
    assert item.operation is not None
    title = title_of(core, frame, item, plan)
    return Call(
        id=item.operation,
        activity=plan.type,
        argument={
            **argument_of(core, plan, item.operation, title),
            "params": params,
            **deferred_part(core, source, deferred, scope),
        },
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


def foreign_params(plan: NodePlan) -> tuple[JsonObject, tuple[str, ...]]:
    """The parameters of a `call` with each argument as one of them, for each is sent on its own;
    and those which nobody need read, because the activity's worker understands claims."""
    arguments = plan.params.get("args", [])
    if not isinstance(arguments, list):
        return plan.params, ()
    each = {f"args[{index}]": argument for index, argument in enumerate(arguments)}
    others = {name: value for name, value in plan.params.items() if name != "args"}
    return {**others, **each}, tuple(each) if plan.params.get("claims") is True else ()


def build_foreign_call(
    core: Core, item: ItemState, plan: NodePlan, params: JsonObject
) -> ForeignCall | str:
    """What a `call` node asks for, or what is wrong with its parameters, which are as in
    `foreign_params`."""
    activity = params.get("activity")
    written = plan.params.get("args", [])
    arguments = params.get("args")
    if isinstance(written, list):
        arguments = [params[f"args[{index}]"] for index in range(len(written))]
    if not isinstance(activity, str) or not activity:
        return "activity: expected the name of an activity"
    if not isinstance(arguments, list):
        return "args: expected a list, of one value for each argument of the activity"
    assert item.operation is not None
    return ForeignCall(
        id=item.operation,
        activity=activity,
        arguments=arguments,
        claims=params.get("claims") is True,
        node=item.path,
        title=title_of(core, core.frame_of(item), item, plan),
        timeout=None if plan.foreach or plan.repeat else plan.timeout,
        attempt_timeout=plan.attempt_timeout,
        heartbeat=plan.heartbeat,
        retry=plan.retry,
        queue=plan.queue,
        priority=plan.priority,
    )


def argument_of(core: Core, plan: NodePlan, operation: str, title: str) -> JsonObject:
    """What every activity of ours is told, whatever it does."""
    run = core.state.run
    argument: JsonObject = {
        "node": operation,
        "key": f"{run['workflow_id']}/{run['id']}/{operation}",
        "flow": run["flow"],
        "run_id": run["id"],
    }
    if title:
        argument["title"] = title
    retry = plan.retry
    if retry.jitter or retry.only or retry.never:
        argument["retry"] = dict(vars(retry))
    return argument


def deferred_part(
    core: Core, source: Template, pointers: list[str], scope: Mapping[str, Json]
) -> JsonObject:
    """What the activity needs to evaluate the texts that were left standing."""
    if not pointers:
        return {}
    read = [each for each in source.references_at(pointers) if each.path[0] != "secrets"]
    return {
        "deferred": list[Json](pointers),
        "scope": cast(JsonObject, scope_for(read, scope)),
        "secrets": list[Json](core.program.plan.secrets),
    }


def title_of(core: Core, frame: FrameState, item: ItemState | None, plan: NodePlan) -> str:
    """The node's title for people; one that cannot be worked out here is left away."""
    if "${" not in plan.title:
        return plan.title
    source = core.program.template(plan.id, "title", plan.title)
    scope = core.scope(frame, source, item=item, node=plan.id)
    return _text_for_people(partial(core.value, source, scope)) or ""


def labels_of(program: Program, *, input: Json, run: JsonObject) -> dict[str, str]:
    """The flow's labels for a run; one that cannot be worked out here is left out."""
    scope: dict[str, Json] = {"input": input, "run": run}
    labels: dict[str, str] = {}
    for name, raw in program.plan.labels.items():
        source = program.template(f"label:{name}", "labels", raw)
        text = _text_for_people(partial(source.evaluate, scope))
        if text is not None:
            labels[name] = text
    return labels


def _text_for_people(evaluate: Callable[[], Any]) -> str | None:
    """A short text; None if it cannot be worked out here."""
    try:
        value = evaluate()
    except (ExpressionError, NeedsWorker):
        return None
    return str(value)[:200] if is_plain(value) else None


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
