"""The node types that have no handler: the interpreter performs them itself, or a worker that is
none of ours."""

from __future__ import annotations

from flowspec.catalogue import ErrorType, NodeType, RetryDefaults
from flowspec.values import Json, JsonObject

__all__ = ["BUILTIN", "RESERVED_EVENTS"]

RESERVED_EVENTS = ("pause", "resume")
"""Signal names a run understands itself, so no `event` node may wait for them."""


def _object(*required: str, **properties: Json) -> JsonObject:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list[Json](required),
        "additionalProperties": False,
    }


def _text(description: str, **more: Json) -> JsonObject:
    return {"type": "string", "description": description, **more}


SET = NodeType(
    name="set",
    summary="Change variables of the run",
    description=(
        "Each parameter names a variable declared under `vars` and gives its new value. All are "
        "computed from the old values, then changed together. The output is what was set."
    ),
    params_schema=lambda: {"type": "object", "minProperties": 1},
    output_schema=lambda: {
        "type": "object",
        "description": "The variables set, with their new values",
    },
    example="""\
flow: count
vars: {total: 0}
nodes:
  add: {type: set, params: {total: "${vars.total + 1}"}}
output: ${vars.total}
""",
    tier="inline",
)

NOOP = NodeType(
    name="noop",
    summary="Do nothing",
    description="A place where edges meet or part.",
    params_schema=lambda: _object(),
    output_schema=lambda: {"type": "null"},
    example="""\
flow: meet
nodes:
  left: {type: noop, next: both}
  right: {type: noop, next: both}
  both: {type: noop}
""",
    tier="inline",
)

WAIT = NodeType(
    name="wait",
    summary="Wait for a time or until a moment",
    description="A durable timer: it costs nothing while it runs and outlives every restart.",
    params_schema=lambda: _object(
        **{
            "for": _text("How long, for example `90s`, `3d` or `PT1H`", format="duration-text"),
            "until": _text("The moment, in ISO 8601 with an offset; in the past means go on"),
        }
    ),
    output_schema=lambda: _object(until=_text("When the wait ended")),
    example="""\
flow: patience
nodes:
  rest: {type: wait, params: {for: 2s}}
""",
    tier="inline",
    require_one=(("for", "until"),),
    errors=(ErrorType(name="InvalidParams", permanent=True, meaning="`until` is not a moment"),),
)

EVENT = NodeType(
    name="event",
    summary="Wait for an event: a Temporal signal",
    description=(
        "Takes the oldest signal of that name that no other node has taken, also one that came "
        "before the node was reached. The output is what the signal carried."
    ),
    params_schema=lambda: _object(name=_text("The signal's name; the node's id if left out")),
    output_schema=lambda: {"description": "What the signal carried"},
    example="""\
flow: payment
nodes:
  paid: {type: event, params: {name: payment}, timeout: 3d, next: {timeout: remind}}
  remind: {type: log, params: {message: Nobody has paid}}
""",
    tier="inline",
    errors=(ErrorType(name="Timeout", permanent=True, meaning="Nothing came in `timeout`"),),
)

APPROVAL = NodeType(
    name="approval",
    summary="Wait for a person's decision",
    description=(
        "Waits for the update `complete`. Its data is checked against `form` before it is "
        "accepted; for actions other than the first the data may be left out. The decision is "
        "the node's action."
    ),
    params_schema=lambda: _object(
        title=_text("What is to be decided"),
        description=_text("What the person should know"),
        form={"type": "object", "description": "JSON Schema of the data the person gives"},
        actions={
            "type": "array",
            "items": {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
            "minItems": 1,
            "uniqueItems": True,
            "description": "The possible decisions; `[approved, rejected]` if left out",
        },
    ),
    output_schema=lambda: {
        "type": "object",
        "properties": {
            "action": _text("The decision"),
            "by": {"type": ["string", "null"], "description": "Who decided"},
            "comment": {"type": ["string", "null"]},
            "form": {"description": "The data given"},
            "at": _text("When it was decided"),
        },
    },
    example="""\
flow: hire
nodes:
  approve:
    type: approval
    params: {title: "Hire Ada?", form: {properties: {badge: {type: string}}, required: [badge]}}
    timeout: 3d
    next: {approved: welcome, rejected: decline, timeout: decline}
  welcome: {type: log, params: {message: "Badge ${nodes.approve.output.form.badge}"}}
  decline: {type: noop}
""",
    tier="inline",
    actions=("approved", "rejected"),
    actions_param="actions",
    schema_params=("form",),
    errors=(ErrorType(name="Timeout", permanent=True, meaning="Nobody decided in `timeout`"),),
)

BLOCK = NodeType(
    name="block",
    summary="A graph inside a node",
    description=(
        "Has `nodes`, `edges` and `output` of its own, so that `foreach`, `repeat`, `retry`, "
        "`timeout` and `undo` apply to the whole. Inside, variables are shared, except under "
        "`foreach`, where every item works on a copy of its own."
    ),
    params_schema=lambda: _object(),
    output_schema=lambda: {"description": "What `output` of the block says, else null"},
    example="""\
flow: each
input: {required: [names], properties: {names: {type: array}}}
nodes:
  greet:
    type: block
    foreach: ${input.names}
    nodes:
      say: {type: log, params: {message: "Hello ${item}"}}
    output: ${nodes.say.output.message}
output: ${nodes.greet.output}
""",
    tier="inline",
)

FLOW = NodeType(
    name="flow",
    summary="Run another flow",
    description=(
        "Starts the named flow as a run of its own (a child workflow) and waits for its result; "
        "with `wait: false` goes on once it has started. The flow is looked up when it starts."
    ),
    params_schema=lambda: _object(
        "flow",
        flow=_text("The flow's name"),
        input={"type": "object", "description": "Its input"},
        wait={"type": "boolean", "description": "Wait for its result (default true)"},
        id=_text("Its workflow id; made from this run's if left out", minLength=1),
    ),
    output_schema=lambda: {
        "description": "The flow's output, or with `wait: false` `{id, run_id}`"
    },
    example="""\
flow: parent
nodes:
  child: {type: flow, params: {flow: hello, input: {name: Ada}}}
output: ${nodes.child.output}
""",
    tier="inline",
    retry=RetryDefaults(attempts=1),
    errors=(
        ErrorType(name="FlowNotFound", permanent=True, meaning="No flow has that name"),
        ErrorType(name="FlowInvalid", permanent=True, meaning="The flow has problems"),
        ErrorType(name="InputInvalid", permanent=True, meaning="Its input does not fit"),
        ErrorType(name="AlreadyRunning", permanent=True, meaning="A run with that id is open"),
    ),
)

FAIL = NodeType(
    name="fail",
    summary="Fail on purpose",
    params_schema=lambda: _object(
        "message",
        message=_text("What went wrong, for people"),
        type=_text("The error's type, for edges and programs; `Failed` if left out", minLength=1),
        details={"description": "More, as any JSON"},
    ),
    example="""\
flow: strict
input: {required: [amount], properties: {amount: {type: integer}}}
nodes:
  check: {type: noop, next: [{to: too_much, when: input.amount > 100}]}
  too_much: {type: fail, params: {type: TooMuch, message: "${input.amount} is over 100"}}
""",
    tier="inline",
    outcomes=("failure",),
)

RETURN = NodeType(
    name="return",
    summary="End the flow or block early, with a value",
    description="What still runs in that flow or block is cancelled; the outcome is success.",
    params_schema=lambda: _object(value={"description": "The output; null if left out"}),
    example="""\
flow: first
nodes:
  slow: {type: wait, params: {for: 1h}}
  quick: {type: noop, next: done}
  done: {type: return, params: {value: quick}}
""",
    tier="inline",
    outcomes=(),
)

CALL = NodeType(
    name="call",
    summary="Run any activity that some worker has, in whatever language",
    description=(
        "Schedules the Temporal activity of that name on the task queue that the node's `queue` "
        "names, with the arguments as plain JSON, just as a workflow of any SDK would; its worker "
        "need know nothing of Flowrunner. `retry`, `timeout`, `attempt_timeout` and `heartbeat` "
        "become Temporal's own options; `retry.only` and `retry.jitter`, which Temporal does not "
        "have, are refused. If the activity fails, the type and the message of its error are the "
        "node's. While no worker polls the queue the node waits, for as long as its `timeout`. "
        "Together the arguments may measure 256 KB; with `claims: true` large ones go through the "
        "object store, for a worker that has the claim check's plugin."
    ),
    params_schema=lambda: _object(
        "activity",
        activity=_text("The activity's name, by which its worker has it", minLength=1),
        args={"type": "array", "description": "Its arguments, in order; none if left out"},
        claims={
            "type": "boolean",
            "description": "Whether its worker has the claim check's plugin, with the same store "
            "(default false)",
        },
    ),
    output_schema=lambda: {"description": "What the activity returns, which has to be JSON"},
    literal_params=("activity",),
    example="""\
flow: charge
input: {required: [order, amount], properties: {order: {type: string}, amount: {type: integer}}}
nodes:
  charge:
    type: call
    queue: payments
    params: {activity: ChargeCard, args: ["${input.order}", {cents: "${input.amount}"}]}
    retry: {attempts: 5, never: [CardDeclined]}
    attempt_timeout: 30s
    timeout: 10m
output: ${nodes.charge.output}
""",
    errors=(
        ErrorType(
            name="InvalidParams", permanent=True, meaning="The parameters are not what `call` takes"
        ),
        ErrorType(
            name="TooLarge", permanent=True, meaning="The arguments are larger than can be sent"
        ),
        ErrorType(
            name="InvalidResult", permanent=True, meaning="What the activity returned is no JSON"
        ),
        ErrorType(
            name="Timeout",
            permanent=False,
            meaning="It was not done in time, or no worker polls the queue",
        ),
    ),
)

BUILTIN: tuple[NodeType, ...] = (
    *(SET, NOOP, WAIT, EVENT, APPROVAL, BLOCK, FLOW, CALL, FAIL, RETURN),
)
