"""FR5xx: node types and their parameters."""

from __future__ import annotations

from flowspec.codes.declaration import ErrorCode

__all__ = ["CODES"]

CODES: tuple[ErrorCode, ...] = (
    ErrorCode(
        code="FR501",
        title="Unknown node type",
        explanation="No node type of that name is known here.",
        example="""\
flow: hello
nodes:
  fetch: {type: http.requst, params: {url: "https://example.com"}}
""",
        remedy=(
            "Correct the name; `flowrunner nodes` lists them all. If a plug-in declares the "
            "type, install it here too."
        ),
    ),
    ErrorCode(
        code="FR502",
        title="Parameter that does not fit",
        explanation=(
            "The parameters of a node have to fit what its type takes. Values that a template "
            "gives are checked when the node runs."
        ),
        example="""\
flow: hello
nodes:
  tell: {type: log, params: {mesage: Hello}}
""",
        remedy=(
            "Write what the message asks for. `flowrunner nodes TYPE` shows what a type takes, "
            "with an example."
        ),
    ),
    ErrorCode(
        code="FR503",
        title="Parameters that exclude each other",
        explanation="Of some parameters only one can be given.",
        example="""\
flow: hello
nodes:
  rest: {type: wait, params: {for: 5s, until: "2030-01-01T00:00:00Z"}}
""",
        remedy="Keep one of them.",
    ),
    ErrorCode(
        code="FR504",
        title="One of several parameters is missing",
        explanation="The node type needs one of some parameters, and none is given.",
        example="""\
flow: hello
nodes:
  rest: {type: wait}
""",
        remedy="Add one of them.",
    ),
    ErrorCode(
        code="FR505",
        title="Setting without effect",
        explanation=(
            "The setting says nothing for this node. What the interpreter does itself is not "
            "tried again, cached or sent to a queue; what runs as a local activity goes to no "
            "queue and sends no heartbeat; `return` ends its graph and can be neither repeated "
            "nor undone; what takes no time holds no lock, and what only waits keeps to no rate."
        ),
        example="""\
flow: hello
nodes:
  rest: {type: wait, params: {for: 5s}, retry: 3}
""",
        remedy=(
            "Remove the setting, move it to the node it is meant for, or put it on a `block` "
            "around the node."
        ),
    ),
    ErrorCode(
        code="FR506",
        title="Variable not declared",
        explanation="A `set` node changes a variable that the flow does not list under `vars`.",
        example="""\
flow: hello
vars: {total: 0}
nodes:
  add: {type: set, params: {totla: 1}}
""",
        remedy="Correct the name, or add the variable to `vars` with its first value.",
    ),
    ErrorCode(
        code="FR507",
        title="Reserved event name",
        explanation=(
            "Every run understands the signals `pause` and `resume` and the update `complete` "
            "itself, so no node can wait for events of those names."
        ),
        example="""\
flow: hello
nodes:
  paused: {type: event, params: {name: pause}}
""",
        remedy="Choose another name.",
    ),
    ErrorCode(
        code="FR508",
        title="Error type that never occurs",
        explanation=(
            "`retry.only` and `retry.never` name types of errors. This is none that the node's "
            "type declares, nor one that every node can end with."
        ),
        example="""\
flow: hello
nodes:
  fetch:
    type: http.request
    params: {url: "https://example.com"}
    retry: {attempts: 3, only: [Timeuot]}
""",
        remedy="Correct the name. `flowrunner nodes TYPE` lists the errors of a node type.",
    ),
    ErrorCode(
        code="FR509",
        title="Unknown flow",
        explanation="A `flow` node runs a flow that is not among the flows there are.",
        example="""\
flow: hello
nodes:
  child: {type: flow, params: {flow: helo_world}}
""",
        example_flows=("hello", "hello_world"),
        remedy="Correct the name, or add the flow.",
    ),
    ErrorCode(
        code="FR510",
        title="Call without a queue",
        explanation=(
            "A `call` node runs an activity of some other worker, and Temporal finds workers by "
            "the task queue they poll."
        ),
        example="""\
flow: hello
nodes:
  charge: {type: call, params: {activity: ChargeCard}}
""",
        remedy="Add `queue` to the node, or to the `defaults` of the flow.",
    ),
    ErrorCode(
        code="FR511",
        title="Retry setting that a call cannot have",
        explanation=(
            "The attempts of Flowrunner's own node types are judged where they run. What a `call` "
            "node runs is tried again by Temporal, which knows how often, how soon, and after "
            "which errors never; but not `only`, and not `jitter`."
        ),
        example="""\
flow: hello
nodes:
  charge:
    type: call
    queue: payments
    params: {activity: ChargeCard}
    retry: {attempts: 5, jitter: 0.2}
""",
        remedy="Remove the setting; instead of `only`, list the other errors under `never`.",
    ),
    ErrorCode(
        code="FR512",
        title="Lock that is held already",
        explanation=(
            "A lock is held by a node, not by a run. A node inside a block would wait for the "
            "lock of the block, which is only given back once everything in the block has ended."
        ),
        example="""\
flow: hello
nodes:
  deploy:
    type: block
    lock: production
    nodes:
      migrate:
        type: http.request
        params: {url: "https://example.com/migrate", method: POST}
        lock: production
""",
        remedy="Remove the inner lock: the outer one is held all the time.",
    ),
    ErrorCode(
        code="FR513",
        title="Expression in what has to stand as it is written",
        explanation=(
            "Some parameters are programs, such as the SQL of `sql.query` and the code of "
            "`script.js`. If values were put into their text, whoever gives the values could "
            "change what the program does. So they are written in the flow as they are, and take "
            "values by other parameters."
        ),
        example="""\
flow: hello
secrets: [SHOP_DB]
input: {required: [name], properties: {name: {type: string}}}
nodes:
  find:
    type: sql.query
    params:
      url: ${secrets.SHOP_DB}
      sql: SELECT * FROM people WHERE name = '${input.name}'
""",
        remedy=(
            "Write the text without `${…}`, and give the value beside it: `name = :name` with "
            '`params: {name: "${input.name}"}`.'
        ),
    ),
    ErrorCode(
        code="FR514",
        title="Call of an activity of Flowrunner itself",
        explanation=(
            "`call` runs activities of other workers. Those of Flowrunner are told by the "
            "interpreter for which flow and run they work; a flow that told them that itself could "
            "reach what belongs to another."
        ),
        example="""\
flow: hello
nodes:
  read:
    type: call
    queue: flows
    params: {activity: store.get, args: [{key: name}]}
""",
        remedy="Use the node type: `type: store.get`.",
    ),
)
