"""What reaches a run from outside: pauses, signals, decisions."""

from __future__ import annotations

import pytest

from flowspec.machine import Machine, Sleep
from flowspec.values import Json, JsonObject
from tests.stage import Way, cancel, decide, every_way, fails, play_text, refuse, signal

pytestmark = every_way


def pause(machine: Machine) -> None:
    machine.pause()


def resume(machine: Machine) -> None:
    machine.resume()


def status(machine: Machine) -> JsonObject:
    return machine.status(100)


# -- pause -----------------------------------------------------------------------------------------

STEPS = """\
flow: steps
nodes:
  go: {type: event, next: one}
  one: {type: log, params: {message: one}, next: two}
  two: {type: log, params: {message: two}}
"""


def test_a_paused_run_starts_nothing_until_it_is_resumed(way: Way) -> None:
    seen: list[Json] = []

    def look(machine: Machine) -> None:
        seen.append([status(machine)["status"], status(machine)["paused"]])

    def act(machine: Machine) -> None:
        look(machine)
        machine.resume()

    played = play_text(STEPS, way, script=[pause, signal("go"), act])
    assert seen == [["paused", True]]
    assert played.messages == ["one", "two"]


def test_what_runs_goes_on_while_a_run_is_paused(way: Way) -> None:
    played = play_text(STEPS, way, slow=["one"], script=[signal("go"), pause, None, resume])
    assert played.messages == ["one", "two"]


def test_a_pause_holds_items_rounds_and_nodes_in_blocks(way: Way) -> None:
    text = """\
flow: kinds
nodes:
  go: {type: event, next: [each, again, part]}
  each: {type: log, foreach: [1, 2], params: {message: "each ${item}"}}
  again:
    type: log
    params: {message: "again ${iteration}"}
    repeat: {until: iteration == 2}
  part:
    type: block
    nodes:
      wait: {type: event, next: inner}
      inner: {type: log, params: {message: inner}}
"""
    held: list[list[str]] = []

    def act(machine: Machine) -> None:
        nodes = status(machine)["nodes"]
        assert isinstance(nodes, list)
        held.append([str(node["id"]) for node in nodes if isinstance(node, dict)])
        machine.resume()

    played = play_text(text, way, script=[pause, signal("go"), signal("wait"), act])
    assert held == [["go"]]
    assert sorted(played.messages) == ["again 1", "again 2", "each 1", "each 2", "inner"]


def test_a_paused_run_can_be_cancelled(way: Way) -> None:
    played = play_text(STEPS, way, script=[pause, signal("go"), cancel()])
    assert played.finished.status == "cancelled"
    assert played.calls == []


HELD = {
    "a round": "{type: log, params: {message: x}, repeat: {until: iteration == 2, every: 1s}}",
    "items": "{type: wait, params: {for: 1s}, foreach: {in: [1, 2], concurrency: 1}}",
    "a node": "{type: wait, params: {for: 1s}, next: then}",
}


@pytest.mark.parametrize("on_failure", ["cancel", "finish"])
@pytest.mark.parametrize("held", list(HELD))
def test_a_failure_ends_a_paused_run_whatever_is_held(way: Way, on_failure: str, held: str) -> None:
    text = f"""\
flow: held
on_failure: {on_failure}
nodes:
  bad: {{type: http.request, params: {{url: "https://api.example/"}}}}
  some: {HELD[held]}
"""
    if held == "a node":
        text += "  then: {type: log, params: {message: then}}\n"
    played = play_text(text, way, slow=["bad"], script=[pause, None], answers={"bad": fails()})
    assert played.finished.status == "failed"
    assert played.error["type"] == "Boom"
    assert "then" not in played.calls


def test_the_timeout_of_a_paused_run_ends_it(way: Way) -> None:
    text = STEPS.replace("flow: steps", "flow: steps\ntimeout: 1m")
    played = play_text(text, way, script=[pause, signal("go"), None])
    assert played.finished.status == "failed"
    assert played.error["type"] == "Timeout"
    assert played.calls == []


# -- signals ---------------------------------------------------------------------------------------

QUEUE = """\
flow: queue
nodes:
  rest: {type: wait, params: {for: 1h}, next: first}
  first: {type: event, params: {name: job}, next: second}
  second: {type: event, params: {name: job}, next: third}
  third: {type: event, params: {name: job}}
output: ["${nodes.first.output}", "${nodes.second.output}", "${nodes.third.output}"]
"""


def test_signals_are_kept_and_taken_in_order(way: Way) -> None:
    script = [signal("job", 1), signal("job", 2), None, signal("job", 3)]
    played = play_text(QUEUE, way, script=script)
    assert played.finished.output == [1, 2, 3]
    assert played.trace == ["sleep rest"]


def test_the_node_that_has_waited_longest_takes_the_signal(way: Way) -> None:
    text = """\
flow: waiting
nodes:
  one: {type: event, params: {name: job}}
  two: {type: event, params: {name: job}}
output: ["${nodes.one.output}", "${nodes.two.output}"]
"""
    played = play_text(text, way, script=[signal("job", "a"), signal("job", "b")])
    assert played.finished.output == ["a", "b"]


def test_a_signal_no_node_waits_for_is_not_kept(way: Way) -> None:
    def stray(machine: Machine) -> None:
        assert machine.signal("stray", 1) is False
        assert machine.signal("job", 1) is True

    play_text(QUEUE, way, script=[stray, signal("job", 2), signal("job", 3)])


def test_the_name_of_a_signal_may_be_known_at_run_time_only(way: Way) -> None:
    text = """\
flow: named
input: {required: [order], properties: {order: {type: string}}}
nodes:
  paid: {type: event, params: {name: "paid-${input.order}"}}
output: ${nodes.paid.output}
"""
    played = play_text(text, way, {"order": "7"}, script=[signal("paid-8", 8), signal("paid-7", 7)])
    assert played.finished.output == 7


# -- approvals -------------------------------------------------------------------------------------

HIRE = """\
flow: hire
nodes:
  hire:
    type: approval
    title: Hire Ada?
    params:
      form: {properties: {badge: {type: string, minLength: 3}}, required: [badge]}
      actions: [yes_, no_]
    next: {yes_: welcome, no_: decline}
  welcome: {type: log, params: {message: "badge ${nodes.hire.output.form.badge}"}}
  decline: {type: log, params: {message: "no, says ${nodes.hire.output.by}"}}
output: ${nodes.hire.output}
"""

GOOD: JsonObject = {"badge": "A-1"}


def test_a_decision_is_the_action_and_its_data_the_output(way: Way) -> None:
    yes = decide("hire", "yes_", data=GOOD, by="ann", comment="fine")
    played = play_text(HIRE, way, script=[yes])
    assert played.messages == ["badge A-1"]
    assert played.finished.output == {
        "action": "yes_",
        "by": "ann",
        "comment": "fine",
        "form": GOOD,
        "at": "2030-03-17T17:46:40.000Z",
    }


@pytest.mark.parametrize(
    ("decision", "reason"),
    [
        ({"node": "hire", "action": "yes_"}, "badge"),
        ({"node": "hire", "action": "yes_", "data": {}}, "badge"),
        ({"node": "hire", "action": "yes_", "data": {"badge": "x"}}, "3"),
        ({"node": "hire", "action": "yes_", "data": "text"}, "mapping"),
        ({"node": "hire", "action": "no_", "data": {"badge": 1}}, "expected text"),
        ({"node": "hire", "action": "maybe"}, "yes_, no_"),
        ({"node": "hire"}, "yes_, no_"),
        ({"node": "fire", "action": "yes_"}, "'hire'"),
    ],
)
def test_a_bad_decision_is_refused_and_the_node_waits_on(
    way: Way, decision: JsonObject, reason: str
) -> None:
    def bad(machine: Machine) -> None:
        objection = machine.objection(decision)
        assert objection is not None
        assert reason in objection

    played = play_text(HIRE, way, script=[bad, decide("hire", "no_", by="ben")])
    assert played.messages == ["no, says ben"]


def test_with_one_approval_open_the_decision_need_not_name_it(way: Way) -> None:
    def unnamed(machine: Machine) -> None:
        assert machine.objection({"action": "no_"}) is None
        assert machine.complete({"action": "no_", "by": "eve"}) == {"node": "hire", "action": "no_"}

    assert play_text(HIRE, way, script=[unnamed]).messages == ["no, says eve"]


def test_items_of_one_approval_are_told_apart_by_their_path(way: Way) -> None:
    text = """\
flow: board
nodes:
  sign: {type: approval, foreach: [ann, ben]}
output: "${[one.action for one in nodes.sign.output]}"
"""
    script = [
        refuse("sign", "approved", "sign.0"),
        decide("sign.1", "rejected"),
        refuse("sign.1", "approved", "no approval"),
        decide("sign.0", "approved"),
    ]
    played = play_text(text, way, script=script)
    assert played.finished.output == ["approved", "rejected"]


def test_the_status_says_what_is_waited_for_and_until_when(way: Way) -> None:
    text = """\
flow: open
nodes:
  hire: {type: approval, timeout: 1h, params: {title: Hire?}, next: {timeout: end}}
  paid: {type: event, params: {name: payment}}
  rest: {type: wait, params: {for: 30m}}
  end: {type: noop}
"""
    seen: list[JsonObject] = []

    def look(machine: Machine) -> None:
        waiting = status(machine)["waiting"]
        assert isinstance(waiting, list)
        seen.extend(wait for wait in waiting if isinstance(wait, dict))
        assert status(machine)["status"] == "waiting"

    script = [look, signal("payment"), None, decide("hire", "approved")]
    play_text(text, way, script=script)
    assert [wait["kind"] for wait in seen] == ["approval", "event", "timer"]
    assert seen[0]["title"] == "Hire?"
    assert seen[0]["actions"] == ["approved", "rejected"]
    assert seen[0]["until"] == "2030-03-17T18:46:40.000Z"
    assert seen[1]["name"] == "payment"
    assert seen[2]["until"] == "2030-03-17T18:16:40.000Z"


DEADLINE = """\
flow: deadline
input: {required: [deadline], properties: {deadline: {}}}
nodes:
  ask:
    type: approval
    timeout: ${input.deadline}
    next: {timeout: late, failure: odd}
  late: {type: log, params: {message: late, data: {why: "${error.message}"}}}
  odd: {type: log, params: {message: odd, data: {why: "${error.message}"}}}
"""


def test_how_long_a_node_may_take_can_be_worked_out_by_the_run(way: Way) -> None:
    run = play_text(DEADLINE, way, {"deadline": "2d"})
    assert run.messages == ["late"]
    assert run.told("late") == {"why": "not done within its timeout of 2d"}
    (timer,) = [each for each in run.operations if isinstance(each, Sleep)]
    assert timer.id == "ask~timeout"


def test_a_timeout_that_is_no_duration_fails_its_node(way: Way) -> None:
    run = play_text(DEADLINE, way, {"deadline": 5})
    assert run.messages == ["odd"]
    assert run.told("odd") == {"why": "timeout: the number 5 lacks a unit"}


def test_an_activity_is_given_up_when_the_time_that_was_worked_out_is_over(way: Way) -> None:
    text = """\
flow: slow
input: {required: [limit], properties: {limit: {}}}
nodes:
  work: {type: log, timeout: "${input.limit}", params: {message: x}, next: {timeout: late}}
  late: {type: log, params: {message: late}}
"""
    run = play_text(text, way, {"limit": "5s"}, slow=["work"])
    assert run.stopped == ["work"]
    assert "late" in run.messages
