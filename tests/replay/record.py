"""Record histories for the replay tests: `python -m tests.replay.record RELEASE`.

Run it once for a release, and commit what it writes. Recorded histories are added, never
renewed: they stand for runs that people have open.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowFailureError, WorkflowHandle

from tests.server.support import Product, start_temporal

HISTORIES = Path(__file__).parent / "histories"
Handle = WorkflowHandle[Any, Any]

EVERYTHING = """\
flow: everything
timeout: 1h
vars: {total: 0}
nodes:
  say: {type: log, params: {message: hello}, undo: unsay, next: each}
  each:
    type: block
    foreach: {in: [1, 2, 3], concurrency: 2, tolerate: 1}
    nodes:
      check: {type: noop, next: [{to: bad, when: item == 2}, {to: good, otherwise: true}]}
      bad: {type: fail, params: {message: two}}
      good: {type: log, execution: remote, params: {message: "${item}"}}
    output: ${default(nodes.good.output.message, null)}
    next: count
  count:
    type: set
    params: {total: "${vars.total + 1}"}
    next: [{to: rest, when: vars.total < 3}, {to: poll, otherwise: true}]
  rest: {type: wait, params: {for: 10ms}, next: count}
  poll:
    type: log
    repeat: {until: iteration == 2, every: 10ms}
    params: {message: poll}
    next: pay
  pay: {type: event, next: decide}
  decide: {type: approval, params: {title: Well?}, timeout: 1h, next: {approved: late}}
  late: {type: event, timeout: 10ms, next: {timeout: sub}}
  sub: {type: flow, params: {flow: small, input: {n: 1}}, next: cached}
  cached: {type: log, params: {message: kept}, cache: 1h}
  unsay: {type: noop}
output: {total: "${vars.total}", each: "${nodes.each.output}"}
"""

SMALL = """\
flow: small
input: {properties: {n: {type: integer, default: 0}}}
nodes: {a: {type: noop}}
output: ${input.n}
"""

UNDONE = """\
flow: undone
nodes:
  one: {type: log, params: {message: one}, undo: unone, next: two}
  two: {type: log, params: {message: two}, undo: untwo, next: hold}
  hold: {type: wait, params: {for: 1h}, next: {cancelled: tell}}
  tell: {type: log, params: {message: told}}
  unone: {type: log, params: {message: "${nodes.one.output.message} undone"}}
  untwo: {type: log, params: {message: two undone}}
"""

FAILS = """\
flow: fails
nodes:
  call:
    type: http.request
    params: {url: "http://127.0.0.1:1"}
    retry: {attempts: 2, interval: 10ms}
    next: {failure: race}
  race: {type: noop, next: [fast, slow]}
  fast: {type: wait, params: {for: 10ms}, next: first}
  slow: {type: wait, params: {for: 1h}, next: first}
  first:
    type: fail
    join: race
    params: {type: Enough, message: "${default(nodes.call.error.type, 0)}"}
"""

WIDE = """\
flow: wide
nodes:
  each:
    type: block
    foreach: "${range(1200)}"
    nodes: {a: {type: noop}}
    output: ${item}
output: ${len(nodes.each.output)}
"""

SHARES = """\
flow: shares
on_complete: {url: "http://127.0.0.1:1", secret: x}
defaults: {retry: {attempts: 2, interval: 10ms}}
nodes:
  held:
    type: block
    lock: {name: recorded, wait: 1h, expires: 1h}
    nodes:
      each: {type: log, foreach: [1, 2, 3], rate: 2/s, params: {message: "${item}"}}
"""


async def _no_interaction(handle: Handle) -> None:
    await handle.result()


async def _everything(handle: Handle) -> None:
    await handle.signal("pay", {"amount": 1})
    await handle.signal("pause")
    await handle.signal("resume")
    async with asyncio.timeout(30):
        while not any(w["kind"] == "approval" for w in (await handle.query("status"))["waiting"]):
            await asyncio.sleep(0.05)
    await handle.execute_update("complete", {"action": "approved", "by": "ann"})
    await handle.result()


async def _cancel(handle: Handle) -> None:
    async with asyncio.timeout(30):
        while not (await handle.query("status"))["waiting"]:
            await asyncio.sleep(0.05)
    await handle.cancel()
    await handle.result()


RUNS: dict[str, tuple[str, Callable[[Handle], Awaitable[None]]]] = {
    "everything": (EVERYTHING, _everything),
    "undone": (UNDONE, _cancel),
    "fails": (FAILS, _no_interaction),
    "wide": (WIDE, _no_interaction),
    "shares": (SHARES, _no_interaction),
}


async def _record(product: Product, folder: Path) -> None:
    client: Client = await product.client()
    for name, (flow, interact) in RUNS.items():
        handle = await client.start_workflow(
            "flow", {"flow": flow}, id=name, task_queue=product.task_queue
        )
        try:
            await interact(handle)
        except WorkflowFailureError as error:
            print(f"{name} ended with: {error.cause}")
        history = await handle.fetch_history()
        recorded = json.loads(history.to_json())
        (folder / f"{name}.json").write_text(json.dumps(_anonymous(recorded), indent=1) + "\n")


def _anonymous(value: Any) -> Any:
    """Without what only says on which machine it was recorded."""
    if isinstance(value, list):
        return [_anonymous(entry) for entry in value]
    if isinstance(value, str):
        return re.sub(r"\d+@[\w.-]+", "recorded", value)
    if not isinstance(value, dict):
        return value
    told = {"identity": "recorded", "stackTrace": ""}
    return {key: told.get(key, _anonymous(each)) for key, each in value.items()}


def main(release: str) -> None:
    folder = HISTORIES / release
    if folder.exists():
        sys.exit(f"{folder} exists: recorded histories are added, never renewed")
    with tempfile.TemporaryDirectory() as scratch, start_temporal(Path(scratch)) as server:
        product = Product(address=server.address, folder=Path(scratch) / "product")
        product.write_flow("small", SMALL)
        product.start_worker()
        try:
            folder.mkdir(parents=True)
            asyncio.run(_record(product, folder))
        finally:
            product.stop()


if __name__ == "__main__":
    main(sys.argv[1])
