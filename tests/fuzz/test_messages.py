"""What a run, a lock and a rate are told by whoever can reach them."""

from __future__ import annotations

import json
import zlib
from base64 import b64encode
from contextlib import suppress
from functools import cache
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from flowspec.jsonschemas import check_input
from flowspec.machine import Machine, Program
from flowspec.opening import OpeningWrong, read_opening
from flowspec.sharing import LockBook, RateBook, read_claimant, read_reservation
from flowspec.values import Json, JsonObject, NeedsWorker
from tests.fuzz.hostile import changed_json, json_values
from tests.stage import plan_of
from workflows.packing import unpack

NOW = 1_900_000_000.0
WAITING = """\
flow: waiting
nodes:
  held:
    type: block
    lock: {name: room}
    nodes: {a: {type: noop}}
  event: {type: event, params: {name: go}, next: after}
  ask:
    type: approval
    params:
      title: Well?
      form: {required: [n], properties: {n: {type: integer}, s: {type: string, pattern: "^a+$"}}}
  after: {type: log, params: {message: "${nodes.event.output}"}}
"""


def _waiting() -> Machine:
    run: Any = {"id": "r", "workflow_id": "w", "flow": "waiting", "version": "1", "started": "x"}
    machine = Machine.start(_program(), run=run, input={}, now=NOW)
    for _ in range(5):
        machine.advance(NOW)
        for operation in machine.take():
            machine.answer(operation.id, None)
    return machine


@cache
def _program() -> Program:
    return Program(plan_of(WAITING))


def _goes_on(machine: Machine) -> None:
    for _ in range(5):
        machine.advance(NOW)
        machine.take()
    json.dumps(machine.status(50))
    json.dumps(machine.dump())
    assert machine.finished is None or machine.finished.status != "failed"


DECISION: Json = {"node": "ask", "action": "approved", "data": {"n": 1}, "by": "a", "comment": "b"}


@settings(max_examples=150)
@given(changed_json([DECISION]).filter(lambda told: isinstance(told, dict)))
def test_a_decision_is_accepted_or_refused_in_words(decision: Any) -> None:
    machine = _waiting()
    objection = machine.objection(decision)
    if objection is None:
        assert machine.complete(decision)["action"] in ("approved", "rejected")
    else:
        assert len(objection) < 100_000
    _goes_on(machine)


@settings(max_examples=100)
@given(st.sampled_from(["go", "stop", "", "~", "flowrunner.x"]) | st.text(), json_values())
def test_a_signal_is_taken_or_passed_over(name: str, value: Json) -> None:
    machine = _waiting()
    machine.signal(name, value)
    _goes_on(machine)


GRANT: Json = {"id": "flowrunner-lock/room", "token": "r/held", "until": NOW + 5}


@settings(max_examples=100)
@given(changed_json([GRANT]).filter(lambda told: isinstance(told, dict)))
def test_a_grant_is_taken_or_passed_over(grant: Any) -> None:
    machine = _waiting()
    machine.granted(grant)
    _goes_on(machine)


ASKED: Json = {"token": "r/a", "workflow_id": "w", "run_id": "r", "slots": 1, "expires": 5.0}


@settings(max_examples=150)
@given(st.lists(changed_json([ASKED]) | st.just(ASKED), max_size=4))
def test_a_lock_is_kept_whoever_asks_for_it(asked: list[Any]) -> None:
    book = LockBook()
    for each in asked:
        claimant = read_claimant(each)
        if claimant is not None:
            book.ask(claimant)
        book.let_in(NOW)
        book.expel(NOW + 100)
        assert LockBook.load(json.loads(json.dumps(book.dump(), allow_nan=False))) == book


WANTED: Json = {"count": 3, "limit": 2, "per": 1.5}


@settings(max_examples=150)
@given(st.lists(changed_json([WANTED]) | st.just(WANTED), max_size=4))
def test_a_rate_is_kept_whoever_reserves(wanted: list[Any]) -> None:
    book = RateBook()
    for each in wanted:
        read = read_reservation(each)
        if isinstance(read, str):
            assert read
        else:
            assert len(book.reserve(NOW, **read)) == read["count"]
    json.dumps(book.dump(), allow_nan=False)


OPENINGS: list[Json] = [
    ["flow: a\nnodes: {a: {type: noop}}"],
    [{"flow": "a", "input": {"x": 1}}],
    ["a", {"x": 1}],
    [],
    [{"~continued": {"plan": {}, "state": {}}}],
]


@settings(max_examples=150)
@given(changed_json([{"args": each} for each in OPENINGS]), st.sampled_from(["flow", "a", ""]))
def test_an_opening_is_understood_or_refused(told: Any, workflow_type: str) -> None:
    arguments = told.get("args") if isinstance(told, dict) else None
    with suppress(OpeningWrong, NeedsWorker):
        read_opening(workflow_type, arguments if isinstance(arguments, list) else [told])


LEFT: Json = {"plan": {}, "state": [{"a": "mark 0"}, "mark 1", "mark -1", "mark x"]}


@settings(max_examples=150)
@given(
    changed_json([LEFT]).map(lambda left: zlib.compress(json.dumps(left).encode()))
    | st.binary(max_size=200)
    | st.integers(0, 2_000).map(lambda depth: zlib.compress(b"[" * depth + b"]" * depth)),
    changed_json([["first"]]),
)
def test_what_somebody_calls_packed_is_unpacked_or_refused(data: bytes, claims: Any) -> None:
    packed: JsonObject = {"packed": b64encode(data).decode(), "mark": "mark ", "claims": claims}
    with suppress(ValueError):
        unpack(packed)


INPUT_SCHEMA: JsonObject = {
    "type": "object",
    "required": ["a"],
    "properties": {
        "a": {"type": "string", "pattern": "^(a+)+$", "maxLength": 100},
        "b": {"type": "array", "items": {"type": "integer"}, "uniqueItems": True},
        "d": {"type": "number", "default": 2.5},
    },
}


@settings(max_examples=100)
@given(changed_json([{"a": "aaa", "b": [1, 2], "c": None}]))
def test_an_input_fits_or_is_told_why_not(value: Json) -> None:
    _, problems = check_input(INPUT_SCHEMA, value)
    assert len(problems) < 1_000
