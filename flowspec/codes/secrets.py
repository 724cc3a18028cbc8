"""FR6xx: secrets."""

from __future__ import annotations

from flowspec.codes.declaration import ErrorCode

__all__ = ["CODES"]

CODES: tuple[ErrorCode, ...] = (
    ErrorCode(
        code="FR601",
        title="Secret not declared",
        explanation=(
            "An expression uses a secret that the flow does not list under `secrets`. A worker "
            "hands out no other secrets, so that one can see at the top of a flow what it needs."
        ),
        example="""\
flow: hello
nodes:
  fetch:
    type: http.request
    params:
      url: https://example.com
      headers: {Authorization: "Bearer ${secrets.API_TOKEN}"}
""",
        remedy="Add the name to `secrets`, or correct it.",
    ),
    ErrorCode(
        code="FR602",
        title="Secret where its value would be stored",
        explanation=(
            "Temporal keeps conditions, variables, outputs and most parameters in the history of "
            "a run, for everyone to read who may see the run. A secret may stand only in those "
            "parameters that a worker fills in by itself, when it performs the node."
        ),
        example="""\
flow: hello
secrets: [API_TOKEN]
nodes:
  tell: {type: log, params: {message: "The token is ${secrets.API_TOKEN}"}}
""",
        remedy=(
            "Use the secret directly in the node that needs it, in a parameter that takes "
            "secrets. `flowrunner nodes TYPE` says which those are."
        ),
    ),
    ErrorCode(
        code="FR603",
        title="Secret declared but not used",
        explanation=(
            "The flow lists a secret that no expression uses. This is a warning: the flow runs, "
            "with more rights than it needs."
        ),
        example="""\
flow: hello
secrets: [API_TOKEN]
nodes:
  start: {type: noop}
""",
        remedy="Remove the name from `secrets`.",
    ),
)
