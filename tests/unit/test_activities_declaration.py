"""One declaration gives the catalogue's entry, the schemas and the code."""

from __future__ import annotations

import subprocess
import sys
from typing import Literal

import pytest
from pydantic import Field
from typing_extensions import TypedDict

from activities.attempt import Attempt
from activities.declaration import Params, declare
from activities.errors import COMMON_ERRORS, NodeFailed
from activities.http.request import HTTP_REQUEST
from activities.log import LOG
from activities.parameters import read_params
from flowspec.catalogue import NodeType
from flowspec.values import Json, JsonObject


class Inner(Params):
    """Not shown."""

    size: int = Field(default=1, ge=1)
    """How many."""


class Sample(Params):
    """Not shown either."""

    title: str
    """What it is called."""
    kind: Literal["a", "b"] = "a"
    data: Json = None
    inner: Inner | None = None
    """The inside."""
    amount: int | str | None = None
    many: list[str] = Field(default_factory=list)


class SampleResult(TypedDict):
    title: str


async def handle(params: Sample, attempt: Attempt) -> SampleResult:
    del attempt
    return {"title": params.title}


SAMPLE = declare(
    name="sample",
    summary="A sample",
    description="",
    example="flow: x\nnodes: {a: {type: sample}}\n",
    params=Sample,
    result=SampleResult,
    handler=handle,
)


def test_the_parameter_schema_is_closed_plain_and_documented() -> None:
    assert SAMPLE.node_type.params_schema() == {
        "type": "object",
        "additionalProperties": False,
        "required": ["title"],
        "properties": {
            "title": {"type": "string", "description": "What it is called."},
            "kind": {"type": "string", "enum": ["a", "b"], "default": "a"},
            "data": {},
            "inner": {
                "type": "object",
                "additionalProperties": False,
                "description": "The inside.",
                "properties": {
                    "size": {
                        "type": "integer",
                        "minimum": 1,
                        "default": 1,
                        "description": "How many.",
                    }
                },
            },
            "amount": {"type": ["integer", "string"]},
            "many": {"type": "array", "items": {"type": "string"}},
        },
    }
    assert SAMPLE.node_type.output_schema() == {
        "type": "object",
        "required": ["title"],
        "properties": {"title": {"type": "string"}},
    }


def test_every_node_type_declares_the_errors_of_any_attempt() -> None:
    assert SAMPLE.node_type.errors == COMMON_ERRORS
    names = [error.name for error in HTTP_REQUEST.node_type.errors]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("node_type", [HTTP_REQUEST.node_type, LOG.node_type])
def test_every_parameter_is_described(node_type: NodeType) -> None:
    schema = node_type.params_schema()
    undescribed = [place for place in _undescribed(schema) if not place.startswith("auth.basic.")]
    assert undescribed == ["auth.api_key.value"] * ("auth" in str(schema))


def _undescribed(schema: Json, place: str = "") -> list[str]:
    if not isinstance(schema, dict) or not isinstance(schema.get("properties"), dict):
        return []
    found = []
    properties = schema["properties"]
    assert isinstance(properties, dict)
    for name, inner in properties.items():
        assert isinstance(inner, dict)
        if "description" not in inner:
            found.append(f"{place}{name}")
        found += _undescribed(inner, f"{place}{name}.")
    return found


@pytest.mark.parametrize(
    ("params", "problems"),
    [
        ({}, ["params.title: is missing"]),
        ({"title": 1}, ["params.title: expected a valid string"]),
        ({"title": "x", "titel": "x"}, ["params.titel: there is no such parameter"]),
        (
            {"title": "x", "kind": "c", "inner": {"size": 0}},
            [
                "params.kind: expected 'a' or 'b'",
                "params.inner.size: expected greater than or equal to 1",
            ],
        ),
        ({"title": "x", "inner": {"size": True}}, ["params.inner.size: expected a valid integer"]),
        ({"title": "x", "many": ["a", 1]}, ["params.many.1: expected a valid string"]),
    ],
)
def test_parameters_that_do_not_fit_are_listed_by_place(
    params: JsonObject, problems: list[str]
) -> None:
    with pytest.raises(NodeFailed) as caught:
        read_params(SAMPLE, params)
    assert caught.value.error.name == "InvalidParams"
    assert caught.value.details == {"problems": problems}
    assert caught.value.message == f"the parameters do not fit sample: {'; '.join(problems)}"


def test_a_wrong_value_is_not_repeated_in_the_error() -> None:
    with pytest.raises(NodeFailed) as caught:
        read_params(SAMPLE, {"title": "x", "kind": "hunter22", "inner": {"size": "hunter22"}})
    assert "hunter22" not in f"{caught.value.message}{caught.value.details}"


def test_checking_a_flow_loads_no_handlers_libraries() -> None:
    code = (
        "import sys; from activities.catalogue import catalogue; catalogue();"
        "print(*sorted({'httpx2', 'temporalio', 'boto3'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
