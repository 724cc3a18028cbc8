"""Node types `store.*`: what flows keep from one run to the next, by key."""

from __future__ import annotations

from activities.declaration import AnyImplementation, declare
from activities.errors import EXTRA_MISSING
from activities.store import params, performing
from activities.store.changes import VALUE_TOO_LARGE, WRONG_TYPE
from activities.store.options import KEY_STORE_UNAVAILABLE, SPACE_REFUSED
from activities.store.performing import QUERY_TOO_LARGE
from flowspec.catalogue import RetryDefaults

__all__ = [
    "NODE_TYPES",
    "STORE_APPEND",
    "STORE_COMPARE_AND_SET",
    "STORE_DELETE",
    "STORE_GET",
    "STORE_INCREMENT",
    "STORE_LIST",
    "STORE_QUERY",
    "STORE_SET",
]

_ERRORS = (KEY_STORE_UNAVAILABLE, SPACE_REFUSED, EXTRA_MISSING)
_RETRY = RetryDefaults(attempts=8, interval=0.5, factor=2, max_interval=30, jitter=0.2)
_TIMEOUT = 60.0

_ONCE = (
    "An attempt that is made again after a crash does not do it twice, for a week; each round and "
    "each item of a `foreach` is a node of its own."
)

STORE_GET = declare(
    name="store.get",
    summary="Look up what a flow has kept under a key",
    description=(
        "Every flow has a space of its own in the worker's key-value store (`FLOWRUNNER_STORE`), "
        "for values that outlast a run. Ends with the action `found` or `missing`, for edges to "
        "follow, or none of them."
    ),
    example="""\
flow: greet-again
input: {required: [name], properties: {name: {type: string}}}
nodes:
  look:
    type: store.get
    params: {key: "seen/${input.name}", default: {times: 0}}
    next: {found: again, missing: first}
  again: {type: log, params: {message: "Welcome back, ${input.name}"}, next: note}
  first: {type: log, params: {message: "Hello, ${input.name}"}, next: note}
  note:
    type: store.set
    join: any
    params:
      key: seen/${input.name}
      value: {times: "${nodes.look.output.value.times + 1}"}
      ttl: 90d
output: ${nodes.look.output.value.times}
""",
    params=params.GetParams,
    result=params.GetResult,
    handler=performing.get,
    actions=("found", "missing"),
    errors=_ERRORS,
    retry=_RETRY,
    attempt_timeout=_TIMEOUT,
)

STORE_SET = declare(
    name="store.set",
    summary="Keep a value under a key",
    description=(
        f"Replaces what was there, and until when it was kept. {_ONCE} Takes no secrets: whoever "
        "can read the store would read them."
    ),
    example="""\
flow: remember
input: {required: [plan], properties: {plan: {type: string}}}
nodes:
  keep:
    type: store.set
    params: {key: settings/plan, value: {name: "${input.plan}"}, ttl: 30d}
output: ${nodes.keep.output.version}
""",
    params=params.SetParams,
    result=params.SetResult,
    handler=performing.set_,
    errors=(*_ERRORS, VALUE_TOO_LARGE),
    retry=_RETRY,
    attempt_timeout=_TIMEOUT,
)

STORE_DELETE = declare(
    name="store.delete",
    summary="Delete what is kept under a key",
    description=f"A success also if there is nothing. {_ONCE}",
    example="""\
flow: forget
nodes:
  drop: {type: store.delete, params: {key: settings/plan}}
output: ${nodes.drop.output.deleted}
""",
    params=params.DeleteParams,
    result=params.DeleteResult,
    handler=performing.delete,
    errors=_ERRORS,
    retry=_RETRY,
    attempt_timeout=_TIMEOUT,
)

STORE_LIST = declare(
    name="store.list",
    summary="List what is kept, by prefix",
    description=(
        "In the order of the keys, by code points. A list ends at `limit` or 8 MB; if more are "
        "left, `cursor` says where the next one goes on."
    ),
    example="""\
flow: open-orders
nodes:
  open: {type: store.list, params: {prefix: order/, values: false, limit: 500}}
output: ${[one.key for one in nodes.open.output.items]}
""",
    params=params.ListParams,
    result=params.ListResult,
    handler=performing.list_,
    errors=_ERRORS,
    retry=_RETRY,
    attempt_timeout=_TIMEOUT,
)

STORE_QUERY = declare(
    name="store.query",
    summary="Find what is kept, by what is in it",
    description=(
        "The worker looks at every item under `prefix`: at 10,000 items or 32 MB at a time. "
        "Without `sort` it then gives what it has found so far, which may be nothing, with a "
        "`cursor` to go on from; with `sort`, which needs to see them all, it fails. The prefix "
        "is what makes a query quick. Values of different kinds are sorted as nothing, null, "
        "false, true, numbers, texts, then lists and objects, and those that are alike by key."
    ),
    example="""\
flow: large-orders
nodes:
  find:
    type: store.query
    params:
      prefix: order/
      where:
        - {field: total, gte: 1000}
        - or:
            - {field: status, in: [open, held]}
            - {field: customer.tags, contains: vip}
        - {not: {field: cancelled, exists: true}}
      sort: [{field: total, descending: true}]
      limit: 20
output: ${[one.key for one in nodes.find.output.items]}
""",
    params=params.QueryParams,
    result=params.QueryResult,
    handler=performing.query,
    errors=(*_ERRORS, QUERY_TOO_LARGE),
    retry=_RETRY,
    attempt_timeout=_TIMEOUT,
)

STORE_INCREMENT = declare(
    name="store.increment",
    summary="Add to a number that is kept",
    description=(
        "As one, however many do it at the same time, and in decimals: 0.1 and 0.2 are 0.3. A key "
        f"that is missing is made. {_ONCE}"
    ),
    example="""\
flow: at-most-ten-a-day
nodes:
  count:
    type: store.increment
    params: {key: "calls/${format_time(run.started, '%Y-%m-%d')}", ttl: 2d}
output: ${nodes.count.output.value <= 10}
""",
    params=params.IncrementParams,
    result=params.IncrementResult,
    handler=performing.increment,
    errors=(*_ERRORS, WRONG_TYPE, VALUE_TOO_LARGE),
    retry=_RETRY,
    attempt_timeout=_TIMEOUT,
)

STORE_APPEND = declare(
    name="store.append",
    summary="Append an item to a list that is kept",
    description=(
        "As one, however many do it at the same time. A key that is missing is made. The list as "
        f"a whole has 256 KB at most: `limit` keeps it short. {_ONCE}"
    ),
    example="""\
flow: last-visitors
input: {required: [name], properties: {name: {type: string}}}
nodes:
  add:
    type: store.append
    params: {key: visitors, value: "${input.name}", limit: 20, unique: true}
output: ${nodes.add.output.length}
""",
    params=params.AppendParams,
    result=params.AppendResult,
    handler=performing.append,
    errors=(*_ERRORS, WRONG_TYPE, VALUE_TOO_LARGE),
    retry=_RETRY,
    attempt_timeout=_TIMEOUT,
)

STORE_COMPARE_AND_SET = declare(
    name="store.compare_and_set",
    summary="Keep a value if nobody has changed what was there",
    description=(
        "Ends with the action `swapped`, or with `conflict` and what is there instead: edges "
        "follow either, and nothing has failed. With `absent` it takes a lock, which `ttl` gives "
        f"back if nobody else does. {_ONCE}"
    ),
    example="""\
flow: one-at-a-time
nodes:
  lock:
    type: store.compare_and_set
    params: {key: lock, value: "${run.id}", absent: true, ttl: 10m}
    next: {swapped: work, conflict: leave}
  work: {type: log, params: {message: Mine}, next: unlock}
  unlock: {type: store.delete, params: {key: lock}}
  leave: {type: log, params: {message: "Taken by ${nodes.lock.output.current}"}}
""",
    params=params.CompareAndSetParams,
    result=params.CompareAndSetResult,
    handler=performing.compare_and_set,
    actions=("swapped", "conflict"),
    errors=(*_ERRORS, VALUE_TOO_LARGE),
    exclusive=(("expected", "version", "absent"),),
    require_one=(("expected", "version", "absent"),),
    retry=_RETRY,
    attempt_timeout=_TIMEOUT,
)

NODE_TYPES: tuple[AnyImplementation, ...] = (
    STORE_GET,
    STORE_SET,
    STORE_DELETE,
    STORE_LIST,
    STORE_QUERY,
    STORE_INCREMENT,
    STORE_APPEND,
    STORE_COMPARE_AND_SET,
)
