"""What has been said between an agent's model and its tools, and what comes next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NotRequired

from typing_extensions import TypedDict

from activities.agent.toolbox import Toolbox, shortened
from flowspec.values import Json, JsonObject

__all__ = ["Asked", "Result", "answers", "sorted_out"]

_MOST_CALLS = 32


class Asked(TypedDict):
    """A call the model made: the `index`-th of the node, or why it was not made."""

    id: str
    name: str
    node: NotRequired[str]
    index: NotRequired[int]
    refused: NotRequired[str]


class Result(TypedDict):
    """What became of a node that was called; both null if it was not."""

    output: Json
    error: Json


Action = Literal["tools", "again", "answered"]


def sorted_out(
    calls: list[JsonObject], toolbox: Toolbox, nodes: list[str]
) -> tuple[Action, list[Asked], dict[str, list[Json]]]:
    """The calls of a model by the nodes that perform them, and those that cannot be made."""
    asked: list[Asked] = []
    given: dict[str, list[Json]] = {node: [] for node in nodes}
    for number, call in enumerate(calls):
        name, arguments = str(call["name"]), call.get("arguments")
        about: Asked = {"id": str(call["id"]), "name": name}
        objection = toolbox.objection(name, arguments)
        if number >= _MOST_CALLS:
            objection = f"at most {_MOST_CALLS} tools are called in one turn; call it in the next"
        if objection is not None or not isinstance(arguments, dict):
            asked.append({**about, "refused": objection or "the arguments are not a JSON object"})
            continue
        node, argument = toolbox.call(name, arguments)
        asked.append({**about, "node": node, "index": len(given[node])})
        given[node].append(argument)
    if not asked:
        return "answered", asked, given
    return ("tools" if any(given.values()) else "again"), asked, given


def answers(asked: list[Asked], results: Mapping[str, Result], limit: int) -> list[JsonObject]:
    """What the model is told of the calls it made, in the order it made them."""
    return [_answer(each, results, limit) for each in asked]


def _answer(asked: Asked, results: Mapping[str, Result], limit: int) -> JsonObject:
    about: JsonObject = {"role": "tool", "id": asked["id"]}
    if "refused" in asked:
        return {**about, "content": asked["refused"], "failed": True}
    result, index = results[asked["node"]], asked["index"]
    failure = _failure(result["error"], index)
    if failure is not None:
        return {**about, "content": shortened(failure, limit), "failed": True}
    outputs = result["output"]
    assert isinstance(outputs, list), "a tool that has not failed has given something"
    return {**about, "content": shortened(outputs[index], limit)}


def _failure(error: Json, index: int) -> str | None:
    """Why a call failed; an error is that of single calls, or of the node as a whole."""
    if not isinstance(error, dict):
        return None
    details = error.get("details")
    failed = details.get("failed") if isinstance(details, dict) else None
    if error.get("type") != "ItemsFailed" or not isinstance(failed, list):
        return f"{error.get('type')}: {error.get('message')}"
    for one in failed:
        if isinstance(one, dict) and one.get("index") == index:
            return f"{one.get('type')}: {one.get('message')}"
    return None
