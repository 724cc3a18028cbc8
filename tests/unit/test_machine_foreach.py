"""Many items, many rounds, many attempts."""

from __future__ import annotations

from itertools import pairwise

import pytest

from flowspec.machine import Sleep
from flowspec.values import Json, JsonObject
from tests.stage import (
    IN_ORDER,
    Way,
    every_way,
    fails,
    play_text,
)
from tests.world import Fail, Handler


def numbered(modifiers: str = "") -> str:
    return f"""\
flow: numbered
input: {{required: [items], properties: {{items: {{}}}}}}
nodes:
  each:
    type: log
    foreach: {{in: "${{input.items}}"{modifiers}}}
    params: {{message: "${{index}}", data: "${{item}}"}}
    next: {{success: after, failure: handled}}
  after: {{type: log, params: {{message: after, data: "${{default(nodes.each.error, null)}}"}}}}
  handled: {{type: log, params: {{message: handled, data: "${{error}}"}}}}
output: ${{[out.data if out != null else null for out in default(nodes.each.output, [])]}}
"""


def failing(*indices: int) -> dict[str, Handler]:
    return {f"each.{index}": fails("Boom", f"no {index}") for index in indices}


@every_way
def test_the_outputs_are_in_the_order_of_the_items(way: Way) -> None:
    items: list[Json] = ["a", {"b": 1}, None, [2]]
    played = play_text(numbered(), way, {"items": items}, slow=["each.0"])
    assert played.finished.output == items
    assert sorted(played.messages[:4]) == ["0", "1", "2", "3"]


@every_way
@pytest.mark.parametrize("concurrency", [1, 3, 50])
def test_no_more_items_run_at_once_than_allowed(way: Way, concurrency: int) -> None:
    items: list[Json] = list(range(12))
    played = play_text(numbered(f", concurrency: {concurrency}"), way, {"items": items})
    running = most = 0
    for entry in played.trace:
        verb, _, node = entry.partition(" ")
        if node.startswith("each."):
            running += {"call": 1, "done": -1}[verb]
            most = max(most, running)
    assert most == min(concurrency, 12)
    assert played.finished.output == items


@every_way
def test_an_empty_list_gives_an_empty_list(way: Way) -> None:
    played = play_text(numbered(), way, {"items": []})
    assert played.calls == ["after"]
    assert played.finished.output == []


@every_way
def test_a_mapping_is_a_list_of_keys_and_values(way: Way) -> None:
    played = play_text(numbered(), way, {"items": {"b": 1, "a": 2}})
    assert played.finished.output == [{"key": "b", "value": 1}, {"key": "a", "value": 2}]


@every_way
def test_what_is_no_list_fails_the_node(way: Way) -> None:
    played = play_text(numbered(), way, {"items": "text"})
    assert played.calls == ["handled"]
    assert played.told("handled")["type"] == "ExpressionError"


@every_way
def test_a_batch_is_a_list_of_items(way: Way) -> None:
    played = play_text(numbered(", batch: 2"), way, {"items": [1, 2, 3, 4, 5]})
    assert played.finished.output == [[1, 2], [3, 4], [5]]


@every_way
@pytest.mark.parametrize("slow", [[], ["each.2"]])
def test_the_first_failure_cancels_the_other_items_and_names_its_index(
    way: Way, slow: list[str]
) -> None:
    items: list[Json] = list(range(3))
    played = play_text(
        numbered(), way, {"items": items}, slow=[*slow, "each.0"], answers=failing(1)
    )
    error = played.told("handled")
    assert error["type"] == "Boom"
    assert error["message"] == "no 1"
    assert error["node"] == "each.1"
    details = error["details"]
    assert isinstance(details, dict)
    assert details["index"] == 1
    assert "each.0" in played.stopped
    assert "after" not in played.calls


@every_way
def test_a_failure_starts_no_further_items(way: Way) -> None:
    items: list[Json] = list(range(6))
    played = play_text(numbered(", concurrency: 1"), way, {"items": items}, answers=failing(2))
    assert played.calls == ["each.0", "each.1", "each.2", "handled"]
    assert played.finished.status == "completed"


@every_way
@pytest.mark.parametrize(
    ("tolerate", "broken", "succeeds"),
    [
        ("1", [2], True),
        ("1", [0, 3], False),
        ("50%", [0, 3], True),
        ("50%", [0, 1, 3], False),
        ("74%", [0, 1], True),
        ("74%", [0, 1, 2], False),
        ("100%", [0, 1, 2, 3], True),
        ("0", [0], False),
    ],
)
def test_as_many_items_may_fail_as_are_tolerated(
    way: Way, tolerate: str, broken: list[int], succeeds: bool
) -> None:
    items: list[Json] = ["a", "b", "c", "d"]
    played = play_text(
        numbered(f', tolerate: "{tolerate}"' if "%" in tolerate else f", tolerate: {tolerate}"),
        way,
        {"items": items},
        answers=failing(*broken),
    )
    assert ("after" in played.calls) is succeeds
    assert ("handled" in played.calls) is not succeeds
    if not succeeds:
        return
    assert played.finished.output == [
        None if index in broken else item for index, item in enumerate(items)
    ]
    error = played.told("after")
    assert error["type"] == "ItemsFailed"
    details = error["details"]
    assert isinstance(details, dict)
    shown = details["failed"]
    assert isinstance(shown, list)
    told_of = [one for one in shown if isinstance(one, dict)]
    assert [one["message"] for one in told_of] == [f"no {i}" for i in broken]
    assert [one["index"] for one in told_of] == broken


@every_way
def test_when_is_asked_once_before_the_items(way: Way) -> None:
    text = """\
flow: once
nodes:
  each: {type: log, when: "false", foreach: [1, 2], params: {message: "${item}"}}
output: ${nodes.each.outcome}
"""
    played = play_text(text, way)
    assert played.calls == []
    assert played.finished.output == "skipped"


# -- repeat ----------------------------------------------------------------------------------------


def repeated(repeat: str) -> str:
    return f"""\
flow: repeated
nodes:
  poll:
    type: http.request
    params: {{url: "https://api.example/${{iteration}}"}}
    repeat: {repeat}
    next: {{success: after, failure: handled}}
  after: {{type: log, params: {{message: "${{nodes.poll.output.json}}"}}}}
  handled: {{type: log, params: {{message: "${{error.type}}"}}}}
"""


def counting() -> dict[str, Handler]:
    rounds = iter(range(1, 100))
    return {"http.request": lambda _: {"json": next(rounds)}}


@every_way
@pytest.mark.parametrize(
    "condition", ["until: nodes.poll.output.json >= 3", "while: nodes.poll.output.json < 3"]
)
def test_repeat_runs_then_asks_about_the_output_of_this_round(way: Way, condition: str) -> None:
    played = play_text(repeated(f'{{"{condition}"}}'.replace('"', "")), way, answers=counting())
    assert played.calls == ["poll", "poll#2", "poll#3", "after"]
    assert played.messages == ["3"]
    urls = [played.call(id).argument["params"] for id in ("poll", "poll#2", "poll#3")]
    assert [str(url)[-3] for url in urls] == ["1", "2", "3"]


@every_way
def test_repeat_pauses_between_rounds_and_not_after_the_last(way: Way) -> None:
    text = repeated("{until: nodes.poll.output.json == 3, every: 5s}")
    played = play_text(text, way, answers=counting())
    assert played.trace == [
        "call poll",
        "done poll",
        "sleep poll#2~pause",
        "call poll#2",
        "done poll#2",
        "sleep poll#3~pause",
        "call poll#3",
        "done poll#3",
        "call after",
        "done after",
    ]


@every_way
def test_repeat_fails_at_its_limit(way: Way) -> None:
    played = play_text(repeated("{until: false, limit: 4}"), way, answers=counting())
    assert played.calls == ["poll", "poll#2", "poll#3", "poll#4", "handled"]
    assert played.messages == ["LoopLimit"]


@every_way
def test_a_failure_ends_repeat(way: Way) -> None:
    answers = {**counting(), "poll#2": fails()}
    played = play_text(repeated("{until: false}"), way, answers=answers)
    assert played.calls == ["poll", "poll#2", "handled"]
    assert played.messages == ["Boom"]


@every_way
def test_every_item_is_repeated_by_itself(way: Way) -> None:
    text = """\
flow: both
nodes:
  each:
    type: log
    foreach: [1, 3, 2]
    params: {message: "${item}.${iteration}"}
    repeat: {until: iteration >= item}
"""
    played = play_text(text, way)
    assert sorted(played.messages) == ["1.1", "2.1", "2.2", "3.1", "3.2", "3.3"]
    assert "call each.1#3" in played.trace


# -- retry of composites ---------------------------------------------------------------------------


def retried(retry: str) -> str:
    return f"""\
flow: retried
nodes:
  part:
    type: block
    retry: {retry}
    next: {{success: after, failure: handled}}
    nodes:
      first: {{type: log, params: {{message: first}}, next: second}}
      second: {{type: http.request, params: {{url: "https://api.example/"}}}}
  after: {{type: log, params: {{message: after}}}}
  handled: {{type: log, params: {{message: "${{error.type}} ${{error.attempt}}"}}}}
"""


def flaky(*errors: str) -> dict[str, Handler]:
    waiting = [*errors]

    def answer(_: JsonObject) -> Json:
        if waiting:
            raise Fail(waiting.pop(0))
        return {}

    return {"http.request": answer}


@every_way
def test_a_block_is_tried_again_as_a_whole(way: Way) -> None:
    played = play_text(retried("{attempts: 3, interval: 1s}"), way, answers=flaky("A", "B"))
    assert played.messages == ["first", "first", "first", "after"]
    assert "call part~2/second" in played.trace
    assert "call part~3/second" in played.trace


@every_way
def test_a_block_fails_after_its_last_attempt(way: Way) -> None:
    played = play_text(retried("2"), way, answers=flaky("A", "B", "C"))
    assert played.messages == ["first", "first", "B 2"]


@every_way
@pytest.mark.parametrize(
    ("retry", "error", "again"),
    [
        ("{attempts: 2, only: [A]}", "A", True),
        ("{attempts: 2, only: [A]}", "B", False),
        ("{attempts: 2, never: [A]}", "A", False),
        ("{attempts: 2, never: [A]}", "B", True),
    ],
)
def test_only_some_errors_are_tried_again(way: Way, retry: str, error: str, again: bool) -> None:
    played = play_text(retried(retry), way, answers=flaky(error))
    assert ("after" in played.calls) is again


def test_the_pause_between_attempts_grows_up_to_its_limit() -> None:
    text = retried("{attempts: 5, interval: 1s, factor: 3, max_interval: 5s}")
    played = play_text(text, answers=flaky("A", "A", "A", "A"))
    sleeps = [o.until for o in played.operations if isinstance(o, Sleep)]
    assert len(sleeps) == 4
    pauses = [round(later - earlier) for earlier, later in pairwise([1_900_000_000.0, *sleeps])]
    assert pauses == [1, 3, 5, 5]


@every_way
def test_a_flow_is_tried_again(way: Way) -> None:
    text = """\
flow: outer
nodes:
  call: {type: flow, params: {flow: inner}, retry: {attempts: 3, interval: 1s}}
"""
    inner = """\
flow: inner
nodes:
  work: {type: http.request, params: {url: "https://api.example/"}}
"""
    played = play_text(text, way, others=[inner], answers=flaky("A", "B"))
    assert played.finished.status == "completed"
    assert [entry for entry in played.trace if entry.startswith("child")] == [
        "child call",
        "child call~2",
        "child call~3",
    ]


def test_the_same_way_gives_the_same_trace() -> None:
    items: list[Json] = list(range(9))
    first, again = (
        play_text(numbered(), way, {"items": items}, answers=failing(3))
        for way in (IN_ORDER, Way(revive=True))
    )
    assert first.trace == again.trace
