"""How a run comes to its end when something fails, somebody cancels, or time runs out."""

from __future__ import annotations

import pytest

from flowspec.values import Json, JsonObject
from tests.stage import Way, cancel, every_way, fails, play_text, signal

pytestmark = every_way


# -- on_failure ------------------------------------------------------------------------------------


def broken(on_failure: str) -> str:
    return f"""\
flow: broken
on_failure: {on_failure}
nodes:
  bad: {{type: http.request, params: {{url: "https://api.example/"}}}}
  long: {{type: log, params: {{message: long}}, next: {{always: after, cancelled: tidy}}}}
  after: {{type: log, params: {{message: after}}}}
  tidy: {{type: log, params: {{message: tidy}}}}
  idle: {{type: wait, params: {{for: 1h}}}}
"""


def test_an_unhandled_failure_cancels_what_runs_and_follows_cancelled_edges(way: Way) -> None:
    played = play_text(broken("cancel"), way, slow=["long"], answers={"bad": fails()})
    assert played.finished.status == "failed"
    assert played.error["type"] == "Boom"
    assert sorted(played.stopped) == ["idle", "long"]
    assert sorted(played.messages) == ["after", "tidy"]


def test_with_finish_what_runs_is_left_to_end_and_nothing_follows(way: Way) -> None:
    played = play_text(broken("finish"), way, slow=["long"], answers={"bad": fails()})
    assert played.finished.status == "failed"
    assert played.error["type"] == "Boom"
    assert played.stopped == []
    assert played.messages == ["long"]


def test_a_later_failure_does_not_hide_the_first(way: Way) -> None:
    text = """\
flow: twice
on_failure: finish
nodes:
  one: {type: http.request, params: {url: "https://api.example/"}}
  two: {type: log, params: {message: two}}
"""
    answers = {"one": fails("First"), "two": fails("Second")}
    played = play_text(text, way, slow=["two"], answers=answers)
    assert played.error["type"] == "First"


def test_a_failure_in_a_loop_begins_no_further_round(way: Way) -> None:
    text = """\
flow: last-round
nodes:
  turn: {type: log, params: {message: turn}, next: [good, bad]}
  good: {type: log, params: {message: good}, next: turn}
  bad: {type: http.request, params: {url: "https://api.example/"}, next: turn}
"""
    played = play_text(text, way, slow=["bad"], answers={"bad": fails()})
    assert played.finished.status == "failed"
    assert played.calls == ["turn", "good", "bad"]


# -- undo ------------------------------------------------------------------------------------------

SAGA = """\
flow: saga
nodes:
  flight: {type: log, params: {message: flight}, undo: no_flight, next: pay}
  hotel: {type: log, params: {message: hotel}, undo: no_hotel, next: pay}
  car: {type: log, params: {message: car}, undo: no_car, next: pay}
  pay: {type: http.request, params: {url: "https://bank.example/"}}
  no_flight: {type: log, params: {message: "undo ${nodes.flight.output.message} ${error.type}"}}
  no_hotel: {type: log, params: {message: "undo ${nodes.hotel.output.message} ${error.type}"}}
  no_car: {type: log, params: {message: "undo ${nodes.car.output.message} ${error.type}"}}
"""


def test_undo_runs_newest_first_one_after_the_other(way: Way) -> None:
    answers = {"pay": fails("NoMoney")}
    played = play_text(SAGA, way, slow=["flight"], answers=answers)
    assert played.finished.status == "failed"
    assert played.error["type"] == "NoMoney"
    done = [said for said in played.messages if not said.startswith("undo")]
    assert done[-1] == "flight"
    undone = played.messages[3:]
    assert undone == [f"undo {what} NoMoney" for what in reversed(done)]
    start = played.trace.index("failed pay")
    verbs = [entry.partition(" ")[0] for entry in played.trace[start + 1 :]]
    assert verbs == ["call", "done"] * 3


def test_a_run_that_goes_well_undoes_nothing(way: Way) -> None:
    played = play_text(SAGA, way)
    assert played.finished.status == "completed"
    assert sorted(played.messages) == ["car", "flight", "hotel"]


def test_only_what_succeeded_is_undone(way: Way) -> None:
    played = play_text(SAGA, way, answers={"hotel": fails("Full")}, slow=["hotel", "car"])
    undone = sorted(said for said in played.messages if said.startswith("undo"))
    assert undone in (
        ["undo flight Full"],
        ["undo car Full", "undo flight Full"],
    )


def test_an_undo_that_fails_is_noted_and_the_next_one_runs(way: Way) -> None:
    answers = {"pay": fails("NoMoney"), "no_hotel": fails("Stuck")}
    played = play_text(SAGA, way, answers=answers)
    assert played.error["type"] == "NoMoney"
    failed = played.error["undo_failed"]
    assert isinstance(failed, list)
    assert [error["type"] for error in failed if isinstance(error, dict)] == ["Stuck"]
    assert {"undo flight NoMoney", "undo car NoMoney"} < set(played.messages)


def test_undo_in_a_loop_takes_back_every_round_newest_first(way: Way) -> None:
    text = """\
flow: rounds
vars: {count: 0}
nodes:
  book: {type: http.request, params: {url: "https://b.example/"}, undo: unbook, next: add}
  add: {type: set, params: {count: "${vars.count + 1}"}, next: pay}
  pay:
    type: http.request
    params: {url: "https://bank.example/"}
    next: [{to: book, limit: unlimited}]
  unbook: {type: log, params: {message: "unbook ${nodes.book.output.json.number}"}}
"""
    numbers = iter([1, 2, 3])

    def book(_: JsonObject) -> Json:
        return {"json": {"number": next(numbers)}}

    answers = {"book": book, "book#2": book, "book#3": book, "pay#3": fails()}
    played = play_text(text, way, answers=answers)
    assert played.messages == ["unbook 3", "unbook 2", "unbook 1"]
    assert played.calls[-3:] == ["unbook#3", "unbook#2", "unbook"]


def test_a_block_that_fails_undoes_what_is_inside_before_its_failure_is_handled(way: Way) -> None:
    text = """\
flow: inside
nodes:
  outer: {type: log, params: {message: outer}, undo: no_outer, next: trip}
  trip:
    type: block
    next: {failure: sorry}
    nodes:
      flight: {type: log, params: {message: flight}, undo: no_flight, next: pay}
      pay: {type: fail, params: {message: no money}}
      no_flight: {type: log, params: {message: no flight}}
  sorry: {type: log, params: {message: "sorry, ${error.message}"}}
  no_outer: {type: log, params: {message: no outer}}
"""
    played = play_text(text, way)
    assert played.finished.status == "completed"
    assert played.messages == ["outer", "flight", "no flight", "sorry, no money"]


def test_a_block_that_succeeded_is_undone_by_its_own_undo(way: Way) -> None:
    text = """\
flow: whole
nodes:
  trip:
    type: block
    undo: no_trip
    next: pay
    nodes:
      flight: {type: log, params: {message: flight}, undo: no_flight}
      no_flight: {type: log, params: {message: no flight}}
    output: ${nodes.flight.output.message}
  pay: {type: fail, params: {message: no money}}
  no_trip: {type: log, params: {message: "no ${nodes.trip.output} at all"}}
"""
    assert play_text(text, way).messages == ["flight", "no flight at all"]


# -- cancelling ------------------------------------------------------------------------------------

CANCELLED = """\
flow: cancelled
nodes:
  reserve: {type: log, params: {message: reserve}, undo: release, next: [ship, paid]}
  ship: {type: log, params: {message: ship}}
  paid: {type: event, next: {success: thank, cancelled: sorry}}
  thank: {type: log, params: {message: thank}}
  sorry: {type: log, params: {message: sorry}, next: write}
  write: {type: log, params: {message: write}}
  release: {type: log, params: {message: "release ${error.type}: ${error.message}"}}
"""


def test_cancelling_stops_what_runs_follows_cancelled_edges_then_undoes(way: Way) -> None:
    played = play_text(CANCELLED, way, slow=["ship"], script=[cancel("changed my mind")])
    assert played.finished.status == "cancelled"
    assert played.error == {**played.error, "type": "Cancelled", "message": "changed my mind"}
    assert played.stopped == ["ship"]
    expected = ["reserve", "sorry", "write", "release Cancelled: changed my mind"]
    assert played.messages == expected


def test_cancelling_reaches_into_blocks(way: Way) -> None:
    text = """\
flow: deep
nodes:
  outer:
    type: block
    nodes:
      inner:
        type: block
        nodes:
          book: {type: log, params: {message: book}, undo: unbook, next: hold}
          hold: {type: event, next: {cancelled: tidy}}
          tidy: {type: log, params: {message: tidy}}
          unbook: {type: log, params: {message: unbook}}
"""
    played = play_text(text, way, script=[cancel()])
    assert played.finished.status == "cancelled"
    assert played.messages == ["book", "tidy", "unbook"]


def test_cancelling_twice_changes_nothing(way: Way) -> None:
    played = play_text(CANCELLED, way, slow=["sorry"], script=[cancel("first"), cancel("again")])
    assert played.error["message"] == "first"
    assert "release Cancelled: first" in played.messages


def test_a_run_that_already_fails_stays_failed_when_cancelled(way: Way) -> None:
    text = """\
flow: both
on_failure: finish
nodes:
  bad: {type: fail, params: {type: Bad, message: no}}
  long: {type: event}
"""
    played = play_text(text, way, script=[cancel()])
    assert played.finished.status == "failed"
    assert played.error["type"] == "Bad"


# -- return ----------------------------------------------------------------------------------------


def test_return_ends_the_flow_with_a_value_and_cancels_the_rest(way: Way) -> None:
    text = """\
flow: early
nodes:
  long: {type: log, params: {message: long}, next: after}
  after: {type: log, params: {message: after}}
  idle: {type: wait, params: {for: 1h}}
  quick: {type: log, params: {message: quick}, undo: unquick, next: end}
  end: {type: return, params: {value: {said: "${nodes.quick.output.message}"}}}
  unquick: {type: log, params: {message: unquick}}
output: late
"""
    played = play_text(text, way, slow=["long"])
    assert played.finished.status == "completed"
    assert played.finished.output == {"said": "quick"}
    assert sorted(played.stopped) == ["idle", "long"]
    assert played.messages == ["quick"]


def test_return_ends_its_block_alone(way: Way) -> None:
    text = """\
flow: block-early
nodes:
  part:
    type: block
    nodes:
      long: {type: event}
      end: {type: return, params: {value: 42}}
    output: nothing
  beside: {type: log, params: {message: beside}}
output: ${nodes.part.output}
"""
    played = play_text(text, way, slow=["beside"])
    assert played.finished.output == 42
    assert played.messages == ["beside"]


# -- timeouts --------------------------------------------------------------------------------------

LATE = """\
flow: late
nodes:
  {node}
    timeout: 10s
    next: {{success: fine, timeout: late, failure: other}}
  fine: {{type: log, params: {{message: fine}}}}
  late: {{type: log, params: {{message: "${{error.type}} of ${{error.node}}"}}}}
  other: {{type: log, params: {{message: other}}}}
"""

LATE_NODES = {
    "event": "x:\n    type: event",
    "approval": "x:\n    type: approval",
    "block": "x:\n    type: block\n    nodes: {inner: {type: wait, params: {for: 1h}}}",
    "foreach": "x:\n    type: wait\n    params: {for: 1h}\n    foreach: [1, 2]",
    "repeat": "x:\n    type: wait\n    params: {for: 6s}\n    repeat: {until: iteration == 2}",
    "wait": "x:\n    type: wait\n    params: {for: 1h}",
}


@pytest.mark.parametrize("kind", list(LATE_NODES))
def test_a_timeout_ends_a_node_that_waits_too_long(way: Way, kind: str) -> None:
    played = play_text(LATE.format(node=LATE_NODES[kind]), way)
    assert played.finished.status == "completed"
    assert played.messages == ["Timeout of x"]
    started = played.trace.index("sleep x~timeout")
    assert all("1h" not in entry for entry in played.trace[started:])


def test_a_timeout_that_is_not_needed_is_given_up(way: Way) -> None:
    text = LATE.format(node=LATE_NODES["event"])
    played = play_text(text, way, script=[signal("x", 1)])
    assert played.messages == ["fine"]
    assert played.stopped == ["x~timeout"]


def test_a_timeout_over_items_stops_their_activities(way: Way) -> None:
    node = "x:\n    type: log\n    params: {message: slow}\n    foreach: [1, 2]"
    played = play_text(LATE.format(node=node), way, slow=["x.1"])
    assert played.stopped == ["x.1"]
    assert played.messages == ["slow", "Timeout of x"]


def test_a_single_activity_is_timed_by_whoever_calls_it(way: Way) -> None:
    node = "x:\n    type: log\n    params: {message: slow}"
    played = play_text(LATE.format(node=node), way)
    assert played.call("x").timeout == 10.0
    assert "sleep x~timeout" not in played.trace


def test_a_block_that_times_out_tidies_up_inside_first(way: Way) -> None:
    text = """\
flow: tidy
nodes:
  part:
    type: block
    timeout: 10s
    next: {timeout: late}
    nodes:
      book: {type: log, params: {message: book}, undo: unbook, next: hold}
      hold: {type: event, next: {cancelled: tidy}}
      tidy: {type: log, params: {message: tidy}}
      unbook: {type: log, params: {message: unbook}}
  late: {type: log, params: {message: late}}
"""
    assert play_text(text, way).messages == ["book", "tidy", "unbook", "late"]


def test_the_timeout_of_the_run_fails_it_with_undo(way: Way) -> None:
    text = """\
flow: slow
timeout: 1m
nodes:
  book: {type: log, params: {message: book}, undo: unbook, next: hold}
  hold: {type: wait, params: {for: 1h}}
  unbook: {type: log, params: {message: "unbook ${error.type}"}}
"""
    played = play_text(text, way)
    assert played.finished.status == "failed"
    assert played.error["type"] == "Timeout"
    assert "1m" in str(played.error["message"])
    assert played.messages == ["book", "unbook Timeout"]


def test_a_run_that_ends_in_time_gives_up_its_timeout(way: Way) -> None:
    text = """\
flow: quick
timeout: 1m
nodes:
  one: {type: wait, params: {for: 59s}}
"""
    played = play_text(text, way)
    assert played.finished.status == "completed"
    assert played.stopped == ["~timeout"]
