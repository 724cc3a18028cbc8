"""Locks when workers die at any moment: what was done and not yet written down is done again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from flowspec.machine import Call, Machine, Program
from flowspec.sharing import Claimant, LockBook
from flowspec.values import JsonObject
from tests.stage import plan_of

PROGRAM = Program(
    plan_of("""\
flow: f
vars: {n: 0}
nodes:
  begin: {type: log, execution: remote, params: {message: begin}, next: work}
  work: {type: log, execution: remote, lock: one, params: {message: work}, next: count}
  count: {type: set, params: {n: "${vars.n + 1}"}, next: [{to: work, when: vars.n < 2}]}
""")
)


@dataclass(kw_only=True)
class Run:
    """A run as Temporal has it: what is written down of it, and what came since.

    A worker that has picked it up brings its machine on. When that dies, what it was about to
    send is lost, or comes late, and its successor begins with what is written down.
    """

    name: str
    written: str
    grants: list[JsonObject] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    under_way: list[str] = field(default_factory=list)
    over: bool = False
    machine: Machine | None = None
    heard: tuple[int, int] = (0, 0)
    sends: list[Call] = field(default_factory=list)
    begins: list[str] = field(default_factory=list)

    def pick_up(self) -> None:
        self.machine = Machine.load(PROGRAM, json.loads(self.written))
        self.heard = len(self.grants), len(self.answers)
        for grant in self.grants:  # signals come first
            self.machine.granted(grant)
        for id in self.answers:
            self.machine.answer(id, {"output": None, "action": None})
        self.go_on()

    def go_on(self) -> None:
        assert self.machine is not None
        self.machine.advance(0.0)
        for operation in self.machine.take():
            assert isinstance(operation, Call)
            if operation.local:
                self.sends.append(operation)
            else:
                self.begins.append(operation.id)

    def die(self) -> list[Call]:
        self.machine, self.begins = None, []
        lost, self.sends = self.sends, []
        return lost

    def write_down(self) -> list[str]:
        """What is under way from now on."""
        assert self.machine is not None
        grants, answers = self.heard
        self.written = json.dumps(self.machine.dump())
        self.over = self.machine.finished is not None
        self.grants, self.answers = self.grants[grants:], self.answers[answers:]
        self.machine, begun, self.begins = None, self.begins, []
        self.under_way += begun
        return begun


class Life:
    """Some runs that want one lock, the lock, and what is on its way between them."""

    def __init__(self, chance: Random, *, runs: int, deaths: int) -> None:
        self._chance = chance
        self._deaths = deaths
        self._book = LockBook()
        self._late: list[Call] = []
        self._told: list[Claimant] = []
        self._runs = [Run(name=str(n), written=_begun(str(n))) for n in range(runs)]
        self._inside: set[str] = set()

    def goes_by(self) -> None:
        for _ in range(5000):
            steps = [step for run in self._runs for step in self._steps_of(run)]
            if not steps:
                return
            steps.append(self._look_after)
            steps += [self._tell] * bool(self._told) + [self._come_late] * bool(self._late)
            self._chance.choice(steps)()
        raise AssertionError(f"nobody gets on: {self._book}")

    def _steps_of(self, run: Run) -> list[Callable[[], None]]:
        steps: list[Callable[[], None]] = []
        if run.under_way:
            steps.append(partial(self._end, run))
        if run.machine is None:
            steps += [run.pick_up] * (not run.over)
        else:
            steps += [partial(self._die, run)] * (self._deaths > 0)
            steps.append(partial(self._send if run.sends else self._write_down, run))
        return steps

    def _die(self, run: Run) -> None:
        self._deaths -= 1
        self._late += run.die()

    def _send(self, run: Run) -> None:
        call = run.sends.pop(self._chance.randrange(len(run.sends)))
        self._arrive(call)
        assert run.machine is not None
        run.machine.answer(call.id, None)
        run.go_on()

    def _come_late(self) -> None:
        self._arrive(self._late.pop(self._chance.randrange(len(self._late))))

    def _write_down(self, run: Run) -> None:
        if any(id.startswith("work") for id in run.write_down()):
            self._inside.add(run.name)
            assert len(self._inside) == 1, f"{self._inside} hold the lock"

    def _end(self, run: Run) -> None:
        id = run.under_way.pop()
        run.answers.append(id)
        if id.startswith("work"):
            self._inside.remove(run.name)

    # -- the lock ------------------------------------------------------------------------------

    def _arrive(self, call: Call) -> None:
        token = str(call.argument["token"])
        if call.activity == "flowrunner.lock.ask":
            name = token.split("/")[1]
            held = self._book.ask(Claimant(token=token, workflow_id="w", run_id=name))
            self._told += [held] if held else []
        else:
            self._book.leave(token)
        self._told += self._book.let_in(0.0)

    def _look_after(self) -> None:
        """A run that has ended holds nothing."""
        for token in [t for t, each in self._book.holders.items() if self._run_of(each).over]:
            self._book.leave(token)
        self._told += self._book.let_in(0.0)

    def _run_of(self, claimant: Claimant) -> Run:
        return self._runs[int(claimant.run_id)]

    def _tell(self) -> None:
        holder = self._told.pop(self._chance.randrange(len(self._told)))
        run = self._run_of(holder)
        if not run.over:
            run.grants.append({"id": "flowrunner-lock/one", "token": holder.token, "until": None})


def _begun(name: str) -> str:
    run: JsonObject = {"id": name, "workflow_id": "w", "flow": "f", "version": "", "started": ""}
    return json.dumps(Machine.start(PROGRAM, run=run, input={}, now=0.0).dump())


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 3), st.integers(0, 4))
def test_no_two_runs_hold_a_lock_whoever_dies(seed: int, runs: int, deaths: int) -> None:
    Life(Random(seed), runs=runs, deaths=deaths).goes_by()
