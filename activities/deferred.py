"""Computing what the interpreter left standing in a node's parameters."""

from __future__ import annotations

from collections.abc import Iterator

from activities.call import NodeCall
from activities.errors import EXPRESSION_ERROR, NodeFailed
from activities.redaction import Redactor
from activities.secrets import EnvironmentSecrets
from flowspec.expressions import ExpressionError, compile_template, evaluate_at
from flowspec.values import Json

__all__ = ["settle_params"]


def settle_params(call: NodeCall, secrets: EnvironmentSecrets, redactor: Redactor) -> Json:
    """The parameters with everything in `deferred` computed; the secrets used become redacted."""
    if not call.deferred:
        return call.params
    try:
        names = dict.fromkeys(_secret_names(call))
        values = secrets.read(names, declared=call.secrets)
        for value in values.values():
            redactor.add(value)
        return evaluate_at(call.params, call.deferred, {**call.scope, "secrets": {**values}})
    except ExpressionError as error:
        raise NodeFailed(EXPRESSION_ERROR, str(error)) from error


def _secret_names(call: NodeCall) -> Iterator[str]:
    for pointer in call.deferred:
        for reference in compile_template(_value_at(call.params, pointer)).references:
            if reference.path[0] != "secrets":
                continue
            if len(reference.path) == 1:
                yield from call.secrets
            else:
                yield str(reference.path[1])


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
