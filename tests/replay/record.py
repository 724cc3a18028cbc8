"""Record histories for the replay tests: `python -m tests.replay.record RELEASE`.

Run it once for a release, and commit what it writes: the runs below, and every run that the tests
of the examples, of the applications among them and of the control-flow patterns start. Recorded
histories are added, never renewed: they stand for runs that people have open.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import sys
import tempfile
from collections.abc import Awaitable, Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle

from tests.applications import APPLICATIONS
from tests.server.support import ROOT, Product, TemporalServer, start_temporal

HISTORIES = Path(__file__).parent / "histories"
Handle = WorkflowHandle[Any, Any]
TESTS = [
    "test_examples.py",
    "test_thresholds.py",
    *(f"test_{folder.name.replace('-', '_')}.py" for folder in APPLICATIONS),
]

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

LABORIOUS = """\
flow: laborious
vars: {text: ""}
nodes:
  write:
    type: set
    params: {text: "${join(range(6000), 'and')}"}
    next: [{to: write, when: iteration < 39}, {to: decide, otherwise: true}]
  decide: {type: approval, params: {title: Well?}}
output: ${len(vars.text)}
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
    await _asks(handle)
    await handle.execute_update("complete", {"action": "approved", "by": "ann"})
    await handle.result()


async def _decide_late(handle: Handle) -> None:
    """It is told something before that makes no difference."""
    await _asks(handle)
    await handle.signal("nobody-waits-for-it", 1)
    await asyncio.sleep(1)
    await handle.execute_update("complete", {"action": "approved", "by": "ann"})
    await handle.result()


async def _asks(handle: Handle) -> None:
    async with asyncio.timeout(30):
        while not any(w["kind"] == "approval" for w in (await handle.query("status"))["waiting"]):
            await asyncio.sleep(0.05)


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
    "laborious": (LABORIOUS, _decide_late),
}


async def _play(product: Product) -> None:
    client: Client = await product.client()
    for name, (flow, interact) in RUNS.items():
        handle = await client.start_workflow(
            "flow", {"flow": flow}, id=name, task_queue=product.task_queue
        )
        try:
            await interact(handle)
        except WorkflowFailureError as error:
            print(f"{name} ended with: {error.cause}")


async def _record(server: TemporalServer, folder: Path) -> None:
    """Write down the histories of the runs that the server knows; of those alike, one."""
    client = await Client.connect(server.address)
    known: set[tuple[str, ...]] = set()
    async for run in client.list_workflows(""):
        history = await client.get_workflow_handle(run.id, run_id=run.run_id).fetch_history()
        name = re.sub(r"[^\w.~-]+", "-", re.sub(r"\b[0-9a-f]{8}\b", "", run.id))[:80]
        recorded = _anonymous(json.loads(history.to_json()))
        shape = (name, *(event["eventType"] for event in recorded["events"]))
        if shape not in known:
            known.add(shape)
            text = json.dumps(recorded, separators=(",", ":"))
            _new(folder, name).write_bytes(gzip.compress(text.encode(), mtime=0))


def _new(folder: Path, name: str) -> Path:
    """Runs may have the same name, one with values inline and one without, for example."""
    count = 1
    while (path := folder / f"{name}.{count}.json.gz").exists():
        count += 1
    return path


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


class _Recorder:
    """Of a session of tests, records what their Temporal server knows when the last has ended."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server: TemporalServer | None = None

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self,
    ) -> Generator[None, object, object]:
        value = yield
        if isinstance(value, TemporalServer):
            self._server = value
        return value

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self, nextitem: pytest.Item | None) -> None:
        if nextitem is None and self._server is not None:
            asyncio.run(_record(self._server, self._folder))


def _record_tests(folder: Path) -> None:
    tests = [str(ROOT / "tests" / "server" / name) for name in TESTS]
    if pytest.main(["-q", *tests], plugins=[_Recorder(folder)]):
        sys.exit("not all of what is recorded has gone well")


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
            asyncio.run(_play(product))
            asyncio.run(_record(server, folder))
        finally:
            product.stop()
    _record_tests(folder)


if __name__ == "__main__":
    main(sys.argv[1])
