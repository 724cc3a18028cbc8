"""Runs that moved on with an earlier release come to their end in this one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flowspec.machine import Finished, Machine, Program, Sleep, Stop
from flowspec.plan import load_plan

STATES = Path(__file__).parent / "states"
START = 1_900_000_001.0


class Execution:
    """The one that takes such a run up."""

    def __init__(self, path: str) -> None:
        moved: Any = json.loads((STATES / path).read_text(encoding="utf-8"))
        self.machine = Machine.load(Program(load_plan(moved["plan"])), moved["state"])
        self.machine.rearm()
        self._sleeps: dict[str, float] = {}

    def go_on(self) -> Finished | None:
        """Let the timers of half an hour fire, in order; then only people are waited for."""
        now = START
        while True:
            self._perform(now)
            due = {id: until for id, until in self._sleeps.items() if until < START + 1800}
            if self.machine.finished is not None or not due:
                return self.machine.finished
            id = min(due, key=lambda id: due[id])
            now = max(now, self._sleeps.pop(id))
            self.machine.answer(id, None)

    def _perform(self, now: float) -> None:
        assert self.machine.advance(now)
        for operation in self.machine.take():
            match operation:
                case Sleep():
                    self._sleeps[operation.id] = operation.until
                case Stop():
                    del self._sleeps[operation.id]
                case _:
                    raise AssertionError(operation)


@pytest.mark.parametrize("release", ["0.1.0"])
def test_a_run_that_waits(release: str) -> None:
    execution = Execution(f"{release}/waiting.json")
    assert execution.go_on() is None
    execution.machine.signal("go", "third")
    assert execution.go_on() is None
    execution.machine.complete({"node": "ask", "action": "approved", "data": {"badge": "7"}})
    finished = execution.go_on()
    assert finished is not None
    assert finished.output == {
        "total": 2,
        "each": [[[1, 2], "early"], [[3, 4], "second"], [[5], "third"]],
        "badge": "7",
    }


@pytest.mark.parametrize("release", ["0.1.0"])
def test_some_items_of_a_wide_foreach(release: str) -> None:
    finished = Execution(f"{release}/shard.json").go_on()
    assert finished is not None
    outputs = [["hi", letter, index] for letter, index in (("d", 3), ("e", 4), ("f", 5))]
    assert finished.output == {"outputs": outputs, "error": None}
