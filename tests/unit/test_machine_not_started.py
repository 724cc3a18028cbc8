"""What never began: it is asked again without end, and counts as no attempt."""

from __future__ import annotations

from typing import Any

import pytest

from flowspec.machine import NOT_STARTED, Call, Machine, Operation, Program, Sleep, Stop
from flowspec.values import JsonObject
from tests.claims import Claim, from_text, to_text
from tests.stage import Way, cancel, plan_of, play_text
from tests.unit.test_machine_claims import DATA, EVERYWHERE
from tests.unit.test_machine_values import Shelf

RUN: JsonObject = {"id": "run-1", "workflow_id": "w", "flow": "f", "version": "1", "started": ""}
START = 1_000_000.0


def never_began(attempt: int = 1) -> JsonObject:
    return {"type": NOT_STARTED, "message": "the store is away", "attempt": attempt}


class Run:
    """A run whose operations the test answers itself."""

    def __init__(self, text: str, input: JsonObject | None = None) -> None:
        self.program = Program(plan_of(text))
        self.machine = Machine.start(self.program, run=RUN, input=input or {}, now=START)
        self.now = START

    def go(self, seconds: float = 0.0) -> list[Operation]:
        """Make the steps that are due; gives what is asked for then."""
        self.now += seconds
        assert self.machine.advance(self.now)
        return self.machine.take()

    def call(self, seconds: float = 0.0) -> Call:
        [call] = self.go(seconds)
        assert isinstance(call, Call)
        return call

    def pause(self, id: str, error: JsonObject | None = None) -> Sleep:
        self.machine.fail(id, error or never_began())
        [sleep] = self.go()
        assert isinstance(sleep, Sleep)
        return sleep

    def again(self, sleep: Sleep) -> Call:
        self.machine.answer(sleep.id, None)
        return self.call(sleep.until - self.now)


ONE = """\
flow: one
nodes:
  a: {type: http.request, params: {url: "http://x"}, MORE next: {timeout: late, failure: b}}
  b: {type: log, params: {message: "${error.type}, attempt ${error.attempt}"}}
  late: {type: log, params: {message: "${error.message}, attempt ${error.attempt}"}}
output: ${default(nodes.a.output, null)}
"""
PLAIN = ONE.replace("MORE", "")


def test_its_name_is_in_histories() -> None:
    assert NOT_STARTED == "NotStarted"


def test_it_is_asked_again_under_another_id_and_otherwise_as_before() -> None:
    run = Run(PLAIN)
    first = run.call()
    second = run.again(run.pause("a"))
    third = run.again(run.pause("a~s2"))
    assert [call.id for call in (first, second, third)] == ["a", "a~s2", "a~s3"]
    assert first.argument == second.argument == third.argument
    assert (first.retry, first.timeout) == (third.retry, third.timeout)
    run.machine.answer("a~s3", {"output": "found", "action": None})
    assert run.go() == []
    assert run.machine.finished is not None
    assert run.machine.finished.output == "found"


def test_the_pauses_grow_to_half_a_minute() -> None:
    run = Run(PLAIN)
    call = run.call()
    pauses = []
    for _ in range(8):
        sleep = run.pause(call.id)
        pauses.append(sleep.until - run.now)
        call = run.again(sleep)
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]


def test_it_counts_as_no_attempt_and_those_before_it_still_do() -> None:
    run = Run(ONE.replace("MORE", "retry: {attempts: 5, only: [HttpServerError]},"))
    first = run.call()
    assert first.retry.attempts == 5
    second = run.again(run.pause("a", never_began(attempt=3)))
    third = run.again(run.pause("a~s2", never_began(attempt=1)))
    told: Any = third.argument["retry"]
    assert (second.retry.attempts, third.retry.attempts, told["attempts"]) == (3, 3, 3)
    run.machine.fail("a~s3", {"type": "HttpServerError", "message": "no", "attempt": 3})
    assert run.call().argument["params"] == {"message": "HttpServerError, attempt 5"}


def test_the_timeout_of_the_node_counts_from_the_first_start() -> None:
    run = Run(ONE.replace("MORE", "timeout: 10s,"))
    assert run.call().timeout == 10
    run.now += 4
    second = run.again(run.pause("a"))
    assert second.timeout == pytest.approx(5)
    run.now += 4.5
    sleep = run.pause("a~s2")
    assert sleep.until == START + 10
    late = run.again(sleep)
    assert late.id == "late"
    assert late.argument["params"] == {"message": "not done within its timeout, attempt 1"}


@pytest.mark.parametrize("begun", [False, True])
def test_a_run_that_is_cancelled_waits_for_it_no_longer(begun: bool) -> None:
    run = Run(PLAIN)
    run.call()
    sleep = run.pause("a")
    asked = run.again(sleep) if begun else None
    run.machine.cancel("enough")
    assert run.go() == [Stop(id="a~s2" if asked else "a~s2~pause")]
    if asked:
        run.machine.fail("a~s2", never_began())
        assert run.go() == []
    assert run.machine.finished is not None
    assert run.machine.finished.status == "cancelled"


def test_the_timeout_of_a_foreach_ends_it() -> None:
    text = """\
flow: all
nodes:
  a:
    type: log
    foreach: [1, 2]
    params: {message: "${item}"}
    timeout: 10s
    next: {timeout: b}
  b: {type: noop}
"""
    played = play_text(text, Way(away=1000))
    assert played.finished.status == "completed"
    assert played.calls == [f"a.{item}{start}" for start in STARTS for item in (0, 1)]


STARTS = ("", "~s2", "~s3", "~s4")
"""After 0, 1, 3 and 7 seconds."""


def test_a_paused_run_does_not_ask_again_until_it_is_resumed() -> None:
    run = Run(PLAIN)
    run.call()
    sleep = run.pause("a")
    run.machine.pause()
    run.machine.answer(sleep.id, None)
    assert run.go(1) == []
    run.machine.resume()
    assert run.call(60).id == "a~s2"


@pytest.mark.parametrize("draining", [False, True])
def test_a_run_can_move_while_it_waits_to_ask_again(draining: bool) -> None:
    run = Run(ONE.replace("MORE", "retry: {attempts: 4, never: [HttpTlsError]}, timeout: 1m,"))
    first = run.call()
    assert not run.machine.may_move
    sleep = run.pause("a", never_began(attempt=2))
    assert run.machine.may_move
    if draining:
        run.machine.drain()
        run.machine.answer(sleep.id, None)
        assert run.go(1) == []
        assert run.machine.may_move
    run.machine = Machine.load(run.program, from_text(to_text(run.machine.dump())))
    run.machine.rearm()
    if not draining:
        assert run.go() == [Sleep(id=sleep.id, until=sleep.until)]
        run.machine.answer(sleep.id, None)
        run.now += 1
    second = run.call()
    assert (second.id, second.retry.attempts, second.timeout) == ("a~s2", 3, 59)
    assert {**second.argument, "retry": None} == {**first.argument, "retry": None}
    assert (second.activity, second.retry.never) == (first.activity, ("HttpTlsError",))


def test_the_failure_of_a_child_by_that_name_is_a_failure() -> None:
    run = Run("flow: f\nnodes: {a: {type: flow, params: {flow: g}}}")
    run.go()
    run.machine.fail("a", never_began())
    assert run.go() == []
    assert run.machine.finished is not None
    assert run.machine.finished.error is not None
    assert run.machine.finished.error["type"] == NOT_STARTED


# -- wherever it happens ---------------------------------------------------------------------------

WAYS = pytest.mark.parametrize(
    "way",
    [
        Way(away=away, keeps=keeps, seed=seed, revive=seed == 2, late=True)
        for away in (1, 2)
        for keeps in ("nothing", "all")
        for seed in (None, 1, 2)
    ],
    ids=lambda way: f"{way}-{way.away}-times-away",
)


@WAYS
def test_a_run_does_the_same_when_nothing_begins_at_once(way: Way) -> None:
    plain, played = (
        play_text(EVERYWHERE, input={"data": DATA}),
        play_text(EVERYWHERE, way, {"data": DATA}),
    )
    assert played.finished == plain.finished
    assert sorted(played.messages) == sorted(plain.messages)


@WAYS
def test_a_cached_result_is_found_when_nothing_begins_at_once(way: Way) -> None:
    text = """\
flow: cached
input: {required: [x], properties: {x: {}}}
nodes:
  a: {type: log, params: {message: "${input.x}"}, cache: 1h}
output: ${nodes.a.output.message}
"""
    shelf = Shelf()
    for _ in range(2):
        played = play_text(text, way, {"x": "once"}, answers=shelf.handlers())
        assert played.finished.output == "once"
    assert len(shelf.kept) == 1
    assert played.messages == []


def test_a_result_is_not_lost_that_cannot_be_cached_before_the_run_is_cancelled() -> None:
    node = "type: log, params: {message: x}, cache: 1h, undo: u"
    run = Run(f"flow: f\nnodes: {{a: {{{node}}}, u: {{type: noop}}}}")
    run.call()
    run.machine.answer("a~cache", {"hit": False})
    run.call()
    run.machine.answer("a", {"output": 1, "action": None})
    assert run.call().id == "a~store"
    run.pause("a~store")
    run.machine.cancel("enough")
    run.go()
    shown: Any = run.machine.status(10)["nodes"]
    assert {node["path"]: node["state"] for node in shown} == {"a": "success", "u": "success"}


def test_a_run_is_cancelled_while_an_evaluation_waits_to_be_asked_again() -> None:
    text = """\
flow: f
input: {required: [x], properties: {x: {}}}
nodes:
  wait: {type: wait, params: {for: "${input.x}"}}
  when: {type: noop, when: input.x}
  each: {type: noop, foreach: "${input.x}"}
  again: {type: noop, repeat: {until: input.x}}
  key: {type: log, params: {message: "${input.x}"}, cache: 1h}
"""
    run = Run(text, {"x": Claim("?")})  # type: ignore[dict-item]
    asked = [operation.id for operation in run.go()]
    assert sorted(asked) == ["again~repeat", "each~foreach", "key~key", "wait~params", "when~when"]
    for id in asked:
        run.machine.fail(id, never_began())
    pauses = [operation.id for operation in run.go()]
    run.machine.cancel("enough")
    assert sorted(o.id for o in run.go()) == sorted(pauses)
    assert run.machine.finished is not None
    assert run.machine.finished.status == "cancelled"


def test_cancelling_beforehand_is_no_reason_to_ask_again() -> None:
    played = play_text(PLAIN, Way(away=3), slow=("a",), script=[cancel()])
    assert played.finished.status == "cancelled"
    assert played.calls == ["a"]
