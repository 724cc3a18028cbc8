"""FR7xx: the input of a run."""

from __future__ import annotations

from flowspec.codes.declaration import ErrorCode

__all__ = ["CODES"]

_ORDER = """\
flow: order
input:
  required: [sku]
  properties:
    sku: {type: string}
    amount: {type: integer, minimum: 1, default: 1}
nodes:
  start: {type: noop}
"""

CODES: tuple[ErrorCode, ...] = (
    ErrorCode(
        code="FR701",
        title="Missing input",
        explanation="The flow cannot run without this value, and has no default for it.",
        example=_ORDER,
        example_input={"amount": 2},
        remedy="Add it to the input; the flow's `input` says what it takes.",
    ),
    ErrorCode(
        code="FR702",
        title="Unknown input",
        explanation=(
            "The flow's `input` does not mention the key. It is refused, so that a misspelt "
            "optional input cannot quietly do nothing."
        ),
        example=_ORDER,
        example_input={"sku": "A-1", "ammount": 2},
        remedy=(
            "Correct the spelling or leave it out. A flow that takes anything says so with "
            "`additionalProperties: true` in its `input`."
        ),
    ),
    ErrorCode(
        code="FR703",
        title="Wrong kind of input",
        explanation="The value is of another kind than the flow's `input` says.",
        example=_ORDER,
        example_input={"sku": "A-1", "amount": "2"},
        remedy='Give the kind of value that the message asks for: `2` is a number, `"2"` text.',
    ),
    ErrorCode(
        code="FR704",
        title="Input not allowed",
        explanation="The kind of value is right, but the flow's `input` refuses this one.",
        example=_ORDER,
        example_input={"sku": "A-1", "amount": 0},
        remedy="Give a value that fits what the message says.",
    ),
    ErrorCode(
        code="FR705",
        title="The flow takes no input",
        explanation="The run was given input, but the flow has no `input`.",
        example="flow: hello\nnodes:\n  start: {type: noop}\n",
        example_input={"name": "Ada"},
        remedy="Start the run without input, or declare the input in the flow.",
    ),
    ErrorCode(
        code="FR706",
        title="Input that is not a mapping",
        explanation="The input of a run is one JSON object: names and their values.",
        example=_ORDER,
        example_input=["A-1", 2],
        remedy='Give an object, for example `{"sku": "A-1"}`.',
    ),
)
