"""What needs no server: checking and planning a flow, and what the machine does for each step."""

from __future__ import annotations

import gc
import time
from collections import deque
from collections.abc import Callable
from typing import Any, cast

from benchmarks.shapes import SHAPES, written_with
from benchmarks.turns import spread
from flowspec.check import check
from flowspec.machine import Call, Machine, Program, program_of
from flowspec.plan import Plan, dump_plan, load_plan
from flowspec.values import JsonObject
from worker import catalogue

__all__ = ["measure_planning", "measure_scheduler"]

_RUN: JsonObject = {"id": "r", "workflow_id": "w", "flow": "", "version": "", "started": ""}
_SHOWN = 20


def measure_planning(sizes: list[int], *, times: int) -> list[dict[str, Any]]:
    """From the text of a flow to the plan a run is pinned to, and from that to what is run."""
    found = []
    for shape in ("chain", "mixed"):
        for nodes in sizes:
            text = written_with(shape, nodes)
            plan = _plan(text)
            dumped = dump_plan(plan)
            found.append(
                {
                    "shape": shape,
                    "nodes": len(plan.graph.nodes),
                    "bytes": len(text),
                    "plan_ms": _cpu_ms(lambda text=text: dump_plan(_plan(text)), times),  # type: ignore[misc]
                    "load_ms": _cpu_ms(lambda dumped=dumped: load_plan(dumped), times),  # type: ignore[misc]
                }
            )
    return found


def measure_scheduler(sizes: list[int]) -> list[dict[str, Any]]:
    """A step of the machine as a run takes it: an answer, what follows from it, a look at what
    runs now."""
    found = []
    for shape in ("chain", "fan"):
        for nodes in sizes:
            text = SHAPES[shape].text(shape, nodes, "local")
            shorter = text.replace("message: step, level: debug", "message: m")  # at most 1 MiB
            program = program_of(dump_plan(_plan(shorter)))
            _played(program)  # templates are compiled by the first run of a program
            taken = [_step_us(program) for _ in range(2 if nodes > 1000 else 7)]
            found.append({"shape": shape, "nodes": nodes, "us_a_step": spread(taken).told()})
    return found


def _plan(text: str) -> Plan:
    checked = check(text, catalogue())
    if checked.plan is None:
        raise SystemExit(f"a flow of the benchmark is wrong: {checked.problems[0]}")
    return checked.plan


def _cpu_ms(action: Callable[[], Any], times: int) -> dict[str, float]:
    taken = []
    for _ in range(times):
        gc.collect()
        begin = time.process_time()
        action()
        taken.append((time.process_time() - begin) * 1000)
    return spread(taken).told()


def _step_us(program: Program) -> float:
    gc.collect()
    begin = time.process_time()
    steps = _played(program)
    return (time.process_time() - begin) * 1e6 / steps


def _played(program: Program) -> int:
    """One answer after the other, the oldest first; gives how many there were."""
    run: JsonObject = {**_RUN, "flow": program.plan.flow}
    machine = Machine.start(program, run=run, input={}, now=0.0)
    asked: deque[Call] = deque()
    steps = 0
    while True:
        while not machine.advance(0.0):
            pass
        asked.extend(cast("list[Call]", machine.take()))
        if machine.finished is not None:
            return steps
        machine.glance(_SHOWN)
        call = asked.popleft()
        params = cast(JsonObject, call.argument["params"])
        machine.answer(call.id, {"output": {"data": params["data"]}, "action": None})
        steps += 1
