"""The names in a flow document: what may be called what, each with an error that teaches."""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, Field, PlainValidator

from flowspec.refusals import refuse, wrong_kind
from flowspec.values import Json

__all__ = [
    "CONTEXTS",
    "FLOW_NAME",
    "IDENTIFIER",
    "LABEL_NAME",
    "NODE_ID",
    "SCHEDULE_NAME",
    "SECRET_NAME",
    "ErrorTypes",
    "FlowName",
    "ItemName",
    "LabelName",
    "NodeId",
    "Outcomes",
    "QueueName",
    "ScheduleName",
    "SecretNames",
    "VariableName",
    "is_node_id",
]

CONTEXTS = ("input", "nodes", "vars", "index", "iteration", "run", "error", "secrets")
"""What expressions can name already, so that no item may be called that."""

NODE_ID = r"[A-Za-z_][A-Za-z0-9_]{0,63}"
FLOW_NAME = r"[A-Za-z][A-Za-z0-9_-]{0,99}"
SECRET_NAME = r"[A-Z][A-Z0-9_]{0,99}"
IDENTIFIER = r"[A-Za-z_][A-Za-z0-9_]{0,63}"
SCHEDULE_NAME = r"[A-Za-z][A-Za-z0-9_-]{0,63}"
LABEL_NAME = r"[A-Za-z][A-Za-z0-9_.-]{0,63}"


def _name(pattern: str, what: str, alphabet: str) -> Callable[[Json], str]:
    form = re.compile(pattern, re.ASCII)

    def check(value: Json) -> str:
        if not isinstance(value, str):
            raise wrong_kind(value, what)
        name = value
        if form.fullmatch(name):
            return name
        fixed = re.sub(r"[^A-Za-z0-9_]+", "_", name, flags=re.ASCII).strip("_")
        suggestion = fixed if form.fullmatch(fixed) else None
        advice = f"; for example {suggestion!r}" if suggestion else ""
        raise refuse(
            "FR205",
            f"{name!r} cannot be {what}: {alphabet}{advice}",
            expected=alphabet,
            suggestion=suggestion,
        )

    return check


_node_id = _name(NODE_ID, "a node's id", "a letter or _, then up to 63 letters, digits and _")
_variable = _name(IDENTIFIER, "a variable", "a letter or _, then up to 63 letters, digits and _")
_action = _name(IDENTIFIER, "an outcome or action", "a letter or _, then letters, digits and _")
_secret = _name(SECRET_NAME, "a secret's name", "a capital letter, then capitals, digits and _")
_label = _name(LABEL_NAME, "a label", "a letter, then up to 63 letters, digits, _, . and -")
_item_name = _name(IDENTIFIER, "an item's name", "a letter or _, then letters, digits and _")
_flow_name = _name(FLOW_NAME, "a flow's name", "a letter, then up to 99 letters, digits, _ and -")
_schedule = _name(SCHEDULE_NAME, "a schedule", "a letter, then up to 63 letters, digits, _ and -")
_error_type = _name(r"\S{1,200}", "an error type", "one word")
_queue = _name(r"[^\x00-\x20$]{1,200}", "a task queue", "one word, without templates")


def is_node_id(name: str) -> bool:
    return re.fullmatch(NODE_ID, name, re.ASCII) is not None


def _free_flow_name(value: Json) -> str:
    name = _flow_name(value)
    if name == "flow" or name.startswith("flowrunner"):
        raise refuse(
            "FR206",
            f"the name {name!r} is reserved, as are all that begin with 'flowrunner'; choose "
            "another",
        )
    return name


def _free_item_name(value: Json) -> str:
    name = _item_name(value)
    if name in CONTEXTS or keyword.iskeyword(name) or name in ("true", "false", "null"):
        raise refuse(
            "FR206", f"{name!r} already means something in expressions; choose another name"
        )
    return name


def _unique(names: tuple[str, ...]) -> tuple[str, ...]:
    seen: dict[str, None] = {}
    for name in names:
        if name in seen:
            raise refuse("FR213", f"{name!r} is listed twice; remove one of them")
        seen[name] = None
    return names


def _outcomes(value: Json) -> tuple[str, ...]:
    expected = "an outcome or action such as failure, or a list of them"
    if not isinstance(value, list):
        if not isinstance(value, str):
            raise wrong_kind(value, expected)
        return (_action(value),)
    if not value:
        raise wrong_kind(value, expected)
    return _unique(tuple(_action(name) for name in value))


NodeId: TypeAlias = Annotated[str, PlainValidator(_node_id)]
FlowName: TypeAlias = Annotated[str, PlainValidator(_free_flow_name)]
ItemName: TypeAlias = Annotated[str, PlainValidator(_free_item_name)]
VariableName: TypeAlias = Annotated[str, PlainValidator(_variable)]
LabelName: TypeAlias = Annotated[str, PlainValidator(_label)]
ScheduleName: TypeAlias = Annotated[str, PlainValidator(_schedule)]
Outcomes: TypeAlias = Annotated[tuple[str, ...], PlainValidator(_outcomes)]
QueueName: TypeAlias = Annotated[str, PlainValidator(_queue)]

_Secret: TypeAlias = Annotated[str, PlainValidator(_secret)]
SecretNames: TypeAlias = Annotated[
    tuple[_Secret, ...], Field(strict=False), AfterValidator(_unique)
]
_ErrorType: TypeAlias = Annotated[str, PlainValidator(_error_type)]
ErrorTypes: TypeAlias = Annotated[
    tuple[_ErrorType, ...], Field(strict=False), AfterValidator(_unique)
]
