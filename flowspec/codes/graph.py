"""FR3xx: the graph."""

from __future__ import annotations

from flowspec.codes.declaration import ErrorCode

__all__ = ["CODES"]

CODES: tuple[ErrorCode, ...] = (
    ErrorCode(
        code="FR301",
        title="Edge to an unknown node",
        explanation="An edge leads to a node that does not exist.",
        example="""\
flow: hello
nodes:
  fetch: {type: noop, next: stroe}
  store: {type: noop}
""",
        remedy="Correct the name, or add the node.",
    ),
    ErrorCode(
        code="FR302",
        title="Edge from an unknown node",
        explanation="An entry of `edges` begins at a node that does not exist.",
        example="""\
flow: hello
nodes:
  fetch: {type: noop}
  store: {type: noop}
edges:
  - fetsh -> store
""",
        remedy="Correct the name, or add the node.",
    ),
    ErrorCode(
        code="FR303",
        title="Edge given twice",
        explanation=(
            "Two edges lead from the same node to the same node on the same outcome, so one of "
            "them says nothing. `next` and `edges` together make up one list of edges."
        ),
        example="""\
flow: hello
nodes:
  fetch: {type: noop, next: store}
  store: {type: noop}
edges:
  - fetch -> store
""",
        remedy=(
            "Remove one of them. Two edges between the same nodes are possible where their `on` "
            "differ; to ask for one of two conditions, join them with `or` in one `when`."
        ),
    ),
    ErrorCode(
        code="FR304",
        title="Edge across the border of a block",
        explanation=(
            "A block is a graph of its own: its edges lead from node to node inside, and from "
            "outside one can only enter or leave the block as a whole."
        ),
        example="""\
flow: hello
nodes:
  fetch: {type: noop, next: inner}
  batch:
    type: block
    nodes:
      inner: {type: noop}
""",
        remedy="Lead the edge to or from the block, or move the node to the other graph.",
    ),
    ErrorCode(
        code="FR305",
        title="Node that can never be reached",
        explanation=(
            "Nodes without incoming edges start a graph. This node has incoming edges, but no "
            "path leads to it from a node that starts: it waits in a circle for itself."
        ),
        example="""\
flow: hello
nodes:
  start: {type: noop}
  ping: {type: noop, next: pong}
  pong: {type: noop, next: ping}
""",
        remedy="Add an edge from a node that runs, or remove the circle.",
    ),
    ErrorCode(
        code="FR306",
        title="Loop with two entries",
        explanation=(
            "A loop is entered at one node, and an edge back to that node starts its next round. "
            "These nodes form a circle that can be entered at more than one of them, so there is "
            "no saying where a round begins."
        ),
        example="""\
flow: hello
nodes:
  start: {type: noop, next: [left, right]}
  left: {type: noop, next: right}
  right: {type: noop, next: left}
""",
        remedy=(
            "Let all edges from outside lead to one node of the loop; a `noop` in front of it "
            "can gather them. What is repeated can also be a `block` with `repeat`."
        ),
    ),
    ErrorCode(
        code="FR307",
        title="Join that can never be met",
        explanation=(
            "`join` asks for more edges than can ever be taken into the node. Edges of one node "
            "on different outcomes exclude each other and count as one; edges that close a loop "
            "do not count."
        ),
        example="""\
flow: hello
nodes:
  left: {type: noop, next: both}
  right: {type: noop, next: both}
  both: {type: noop, join: 3}
""",
        remedy="Lower the number, or add the edges that are missing.",
    ),
    ErrorCode(
        code="FR308",
        title="Limit on an edge that closes no loop",
        explanation="`limit` says how many rounds a loop may go, and this edge leads forward.",
        example="""\
flow: hello
nodes:
  fetch: {type: noop, next: [{to: store, limit: 5}]}
  store: {type: noop}
""",
        remedy=(
            "Move `limit` to the edge that leads back to the node at which the loop is entered, "
            "or remove it."
        ),
    ),
    ErrorCode(
        code="FR309",
        title="Otherwise without a condition",
        explanation=(
            "`otherwise: true` means: if none of the node's other edges that have a `when` was "
            "taken. No edge of this node on the same outcome has one."
        ),
        example="""\
flow: hello
nodes:
  fetch: {type: noop, next: [{to: store, otherwise: true}]}
  store: {type: noop}
""",
        remedy="Give another edge of the node a `when`, or remove `otherwise`.",
    ),
    ErrorCode(
        code="FR310",
        title="Action that the node never gives",
        explanation=(
            "The `on` of an edge is an outcome (success, failure, timeout, skipped, cancelled, "
            "always) or one of the actions that the node's type can end with."
        ),
        example="""\
flow: hello
nodes:
  ask: {type: approval, next: {aproved: store}}
  store: {type: noop}
""",
        remedy="Correct the name. `flowrunner nodes TYPE` lists the actions of a node type.",
    ),
    ErrorCode(
        code="FR311",
        title="Outcome that the node never has",
        explanation=(
            "An edge waits for an outcome that this type of node cannot have: `return` ends the "
            "graph, so nothing follows it, and `fail` never succeeds."
        ),
        example="""\
flow: hello
nodes:
  stop: {type: fail, params: {message: Enough}, next: store}
  store: {type: noop}
""",
        remedy="Remove the edge, or give it the outcome that the node has, such as `on: failure`.",
    ),
    ErrorCode(
        code="FR312",
        title="Undo names no node",
        explanation="`undo` names the node that undoes this one, and there is none of that name.",
        example="""\
flow: hello
nodes:
  reserve: {type: noop, undo: relase}
  release: {type: noop}
""",
        remedy="Correct the name, or add the node.",
    ),
    ErrorCode(
        code="FR313",
        title="Node that cannot undo",
        explanation=(
            "A node named by `undo` runs only when the run fails or is cancelled after the node "
            "it undoes has succeeded. It stands in the same graph, has no edges in or out, and "
            "is not undone itself."
        ),
        example="""\
flow: hello
nodes:
  reserve: {type: noop, undo: release, next: release}
  release: {type: noop}
""",
        remedy=(
            "Remove its edges and its own `undo`, and move it beside the node it undoes. To undo "
            "in several steps, let `undo` name a `block`."
        ),
    ),
    ErrorCode(
        code="FR314",
        title="File and flow have different names",
        explanation=(
            "A flow is found by the name of its file, so a file `order.yaml` holds the flow "
            "`order`."
        ),
        example="""\
flow: hello
nodes:
  start: {type: noop}
""",
        example_file="order.yaml",
        remedy="Rename the file, or the flow.",
    ),
)
