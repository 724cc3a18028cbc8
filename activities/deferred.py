"""Computing what the interpreter left standing in a node's parameters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from activities.call import NodeCall
from activities.errors import EXPRESSION_ERROR, NodeFailed
from activities.redaction import Redactor
from activities.secrets import LEAST_LENGTH, Secrets
from flowspec.expressions import ExpressionError, compile_template, evaluate_at
from flowspec.values import Json, JsonObject

__all__ = ["settle_params"]


_LONGEST_DERIVED = 4096
"""A longer text made with a secret holds it as it is, or is no use to anyone as a secret."""


async def settle_params(call: NodeCall, secrets: Secrets, redactor: Redactor) -> JsonObject:
    """The parameters with everything in `deferred` computed.

    The secrets used become redacted, and so does what was made of them: `upper(secrets.X)`.
    """
    if not call.deferred:
        return call.params
    try:
        used = {pointer: _secret_names(call, pointer) for pointer in call.deferred}
        names = dict.fromkeys(name for named in used.values() for name in named)
        values = await secrets.read(names, declared=call.secrets)
        for value in values.values():
            redactor.add(value)
        settled = evaluate_at(call.params, call.deferred, {**call.scope, "secrets": {**values}})
    except ExpressionError as error:
        place = ".".join(map(str, ("params", *error.at)))
        raise NodeFailed(EXPRESSION_ERROR, f"{place}: {error}") from error
    params = cast(JsonObject, settled)  # of the scope, claims have been loaded by now
    for pointer in (pointer for pointer, named in used.items() if named):
        for text in _texts(_value_at(params, pointer)):
            if LEAST_LENGTH <= len(text) <= _LONGEST_DERIVED:
                redactor.add(text)
    return params


def _secret_names(call: NodeCall, pointer: str) -> list[str]:
    found: list[str] = []
    for reference in compile_template(_value_at(call.params, pointer)).references:
        if reference.path[0] == "secrets":
            whole = len(reference.path) == 1
            found += call.secrets if whole else [str(reference.path[1])]
    return found


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _value_at(value: Json, pointer: str) -> Json:
    """What a JSON pointer (RFC 6901) points at."""
    for step in pointer.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list):
            value = value[int(key)]
        else:
            assert isinstance(value, dict)
            value = value[key]
    return value
