"""A turn of an agent: what came of its calls is told to the model, which says what is next."""

from __future__ import annotations

from activities.agent.agent import BUDGET_SPENT, AgentParams, AgentResult, Turn, TurnParams
from activities.agent.conversation import answers, sorted_out
from activities.agent.toolbox import Toolbox
from activities.attempt import Attempt
from activities.declaration import Acted
from activities.errors import NodeFailed
from activities.llm.chat import ChatParams, ChatResult, chat
from activities.llm.endpoint import Usage
from flowspec.values import Json, JsonObject

__all__ = ["take"]

_NOTHING: Usage = {"input_tokens": 0, "output_tokens": 0, "cached_tokens": 0, "calls": 0}
_ASKED_ALIKE = (
    *("provider", "base_url", "model", "api_key", "timeout", "extra", "schema", "structured"),
    *("repair", "temperature", "max_tokens", "price"),
)
"""The parameters that a model is asked with, in every turn."""


async def take(params: TurnParams, attempt: Attempt) -> Acted[Turn]:
    toolbox = Toolbox(params.tools, params.servers)
    transcript = _opening(params) if params.so_far is None else _continued(params)
    _check_budget(params, transcript)
    answer = await chat(_question(params, transcript, toolbox), attempt)
    calls: list[JsonObject] = [{**call} for call in answer["message"].get("tool_calls", [])]  # type: ignore[dict-item]
    nodes = [*params.tools, *params.servers]
    action, asked, given = sorted_out(calls, toolbox, nodes)
    result = _result(params, transcript, answer)
    return Acted(output={"calls": given, "asked": asked, "result": result}, action=action)


def _opening(params: AgentParams) -> list[JsonObject]:
    prompt = params.model_dump(mode="json", by_alias=True, include={"prompt"})["prompt"]
    system: list[JsonObject] = [{"role": "system", "content": params.system}]
    return [*(system if params.system else []), {"role": "user", "content": prompt}]


def _continued(params: TurnParams) -> list[JsonObject]:
    assert params.so_far is not None
    told = answers(params.so_far["asked"], params.results, params.longest_result)
    return [*params.so_far["result"]["transcript"], *told]


def _question(params: AgentParams, transcript: list[JsonObject], toolbox: Toolbox) -> ChatParams:
    alike = params.model_dump(by_alias=True, include=None, exclude_unset=True)
    asked = {name: alike[name] for name in _ASKED_ALIKE if name in alike}
    return ChatParams.model_validate(
        {**asked, "messages": transcript, "tools": toolbox.described()}
    )


def _check_budget(params: TurnParams, transcript: list[JsonObject]) -> None:
    if params.so_far is None:
        return
    budget, so_far = params.budget, params.so_far["result"]
    tokens = so_far["usage"]["input_tokens"] + so_far["usage"]["output_tokens"]
    spent: dict[str, tuple[float, float | None]] = {
        "steps": (so_far["steps"], budget.steps),
        "tokens": (tokens, budget.tokens),
        "cost": (so_far["cost"] or 0.0, budget.cost),
    }
    for name, (used, limit) in spent.items():
        if limit is not None and used >= limit:
            details: JsonObject = {
                "budget": name,
                "transcript": [*transcript],
                "usage": {**so_far["usage"]},  # type: ignore[dict-item]
                "cost": so_far["cost"],
            }
            message = f"no answer within its budget: {name} {used:g} of {limit:g}"
            raise NodeFailed(BUDGET_SPENT, message, details=details)


def _result(params: TurnParams, transcript: list[JsonObject], answer: ChatResult) -> AgentResult:
    before = params.so_far["result"] if params.so_far is not None else None
    message: dict[str, Json] = {**answer["message"]}  # type: ignore[dict-item]
    result: AgentResult = {
        "text": answer["text"],
        "stop": answer["stop"],
        "transcript": [*transcript, message],
        "steps": 1 + (before["steps"] if before else 0),
        "usage": _sum(before["usage"] if before else _NOTHING, answer["usage"]),
        "cost": _cost(before["cost"] if before else 0.0, answer["cost"]),
    }
    if "json" in answer:
        result["json"] = answer["json"]
    return result


def _sum(one: Usage, other: Usage) -> Usage:
    return {
        "input_tokens": one["input_tokens"] + other["input_tokens"],
        "output_tokens": one["output_tokens"] + other["output_tokens"],
        "cached_tokens": one["cached_tokens"] + other["cached_tokens"],
        "calls": one["calls"] + other["calls"],
    }


def _cost(one: float | None, other: float | None) -> float | None:
    """None once nobody knows what a turn did cost."""
    return None if one is None or other is None else round(one + other, 10)
