"""FR4xx: expressions and what they refer to."""

from __future__ import annotations

from flowspec.codes.declaration import ErrorCode

__all__ = ["CODES"]

CODES: tuple[ErrorCode, ...] = (
    ErrorCode(
        code="FR401",
        title="Not an expression",
        explanation="What stands in `${…}`, or the condition, breaks a rule of expressions.",
        example="""\
flow: hello
vars: {total: 1}
nodes:
  add: {type: set, params: {total: "${vars.total +}"}}
""",
        remedy=(
            "Correct it; the reference of expressions shows everything there is. Write `$${` for "
            "the characters `${` themselves."
        ),
    ),
    ErrorCode(
        code="FR402",
        title="Unknown name",
        explanation=(
            "An expression begins with a name that means nothing. The names are `input`, `nodes`, "
            "`vars`, `run`, `secrets`, in some places `item`, `index`, `iteration` and `error`, "
            "and functions, which are called with `(…)`."
        ),
        example="""\
flow: hello
input: {required: [name], properties: {name: {type: string}}}
nodes:
  start: {type: noop, title: "Hello ${inputs.name}"}
""",
        remedy="Correct the name. Text in an expression needs quotes: `'done'`.",
    ),
    ErrorCode(
        code="FR403",
        title="Name that means nothing here",
        explanation=(
            "`item` and `index` exist in a node with `foreach`, `iteration` in a loop or a node "
            "with `repeat`, and `error` where a failure led to. Inside a block, the names of the "
            "nodes around it can be used too. First values of `vars` and `labels` can use `input` "
            "and `run` only."
        ),
        example="""\
flow: hello
nodes:
  start: {type: noop, title: "Greet ${item}"}
""",
        remedy="Use another value, or add what the name belongs to, such as `foreach`.",
    ),
    ErrorCode(
        code="FR404",
        title="Unknown input",
        explanation="An expression reads an input that the flow does not declare.",
        example="""\
flow: hello
input: {required: [name], properties: {name: {type: string}}}
nodes:
  start: {type: noop, title: "Hello ${input.nane}"}
""",
        remedy="Correct the name, or add it to `properties` of `input`.",
    ),
    ErrorCode(
        code="FR405",
        title="Input that may be absent",
        explanation=(
            "The input is neither required nor has a default, and a run that is started without "
            "it would fail at this expression."
        ),
        example="""\
flow: hello
input: {properties: {name: {type: string}}}
nodes:
  start: {type: noop, title: "Hello ${input.name}"}
""",
        remedy=(
            "Add it to `required`, give it a `default`, or guard the read: "
            "`default(input.name, 'you')`, `input.name if has(input.name) else 'you'`."
        ),
    ),
    ErrorCode(
        code="FR406",
        title="Unknown variable",
        explanation="An expression reads a variable that the flow does not list under `vars`.",
        example="""\
flow: hello
vars: {total: 0}
nodes:
  start: {type: noop, title: "So far ${vars.totla}"}
""",
        remedy="Correct the name, or add the variable to `vars` with its first value.",
    ),
    ErrorCode(
        code="FR407",
        title="Unknown node",
        explanation="An expression reads a node that does not exist.",
        example="""\
flow: hello
nodes:
  fetch: {type: noop, next: store}
  store: {type: noop, title: "Store ${nodes.fetsh.output}"}
""",
        remedy="Correct the name, or add the node.",
    ),
    ErrorCode(
        code="FR408",
        title="Unknown field",
        explanation=(
            "`nodes.ID` has `output`, `outcome`, `action` and `error`; `run` has `id`, "
            "`workflow_id`, `flow`, `version` and `started`; an error has `type`, `message`, "
            "`node`, `attempt` and `details`. A node's own result begins at `output`. In an "
            "agent's tool, `call` has the `parameters` of that tool."
        ),
        example="""\
flow: hello
nodes:
  fetch: {type: noop, next: store}
  store: {type: noop, title: "Store ${nodes.fetch.result}"}
""",
        remedy="Use one of the fields there are: mostly `nodes.ID.output`.",
    ),
    ErrorCode(
        code="FR409",
        title="Output that may be absent",
        explanation=(
            "The node that is read does not surely succeed before this expression is evaluated: "
            "it may have been skipped, or have failed on a path that goes on, or be on a branch "
            "that was not taken. A join with `all` runs if only one of its edges was taken."
        ),
        example="""\
flow: hello
input: {required: [deep], properties: {deep: {type: boolean}}}
nodes:
  start: {type: noop, next: [{to: scan, when: input.deep}, {to: report}]}
  scan: {type: noop, next: report}
  report: {type: noop, title: "Found ${nodes.scan.output}"}
""",
        remedy=(
            "Guard the read with `default(nodes.scan.output, …)` or "
            "`… if has(nodes.scan.output) else …`, or change the graph so that the node always "
            "succeeds first."
        ),
    ),
    ErrorCode(
        code="FR410",
        title="Node that cannot have run yet",
        explanation=(
            "No path leads from the node that is read to the place that reads it. What runs in "
            "parallel or later can only be read by chance."
        ),
        example="""\
flow: hello
nodes:
  fetch: {type: noop, title: "Fetch ${nodes.store.output}", next: store}
  store: {type: noop}
""",
        remedy="Add an edge so that the node runs first, or read another one.",
    ),
    ErrorCode(
        code="FR411",
        title="Node inside a block",
        explanation=(
            "The nodes of a block can be read inside that block only, for it may run many times. "
            "From outside there is `nodes.BLOCK.output`: what the block's `output` says."
        ),
        example="""\
flow: hello
nodes:
  batch:
    type: block
    next: report
    nodes:
      count: {type: noop}
  report: {type: noop, title: "Counted ${nodes.count.output}"}
""",
        remedy="Hand the value out under `output` of the block and read the block's output.",
    ),
    ErrorCode(
        code="FR412",
        title="Name that has to be written out",
        explanation=(
            "Which node or secret an expression reads has to be visible in the text, so that it "
            "can be checked before a run starts. `nodes` and `secrets` as a whole, or with a "
            "computed name, cannot be read."
        ),
        example="""\
flow: hello
input: {required: [which], properties: {which: {type: string}}}
nodes:
  fetch: {type: noop, next: store}
  store: {type: noop, title: "Store ${nodes[input.which].output}"}
""",
        remedy=(
            "Write the name out. To choose by a value, build a mapping: "
            "`{'a': nodes.a.output, 'b': nodes.b.output}[input.which]`."
        ),
    ),
    ErrorCode(
        code="FR413",
        title="Error that may be absent",
        explanation=(
            "`error` says why the run came here. This place can also be reached without a failure."
        ),
        example="""\
flow: hello
nodes:
  fetch: {type: noop, next: [{to: report, on: always}]}
  report: {type: noop, title: "Failed: ${error.message}"}
""",
        remedy=(
            "Guard the read with `default(error.message, …)` or `has(error)`, or let only edges "
            "on `failure` or `timeout` lead here."
        ),
    ),
)
