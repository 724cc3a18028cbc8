"""What an activity is told, what is left for a worker to work out, and what is remembered."""

from __future__ import annotations

import pytest

from flowspec.values import Json, JsonObject
from tests.stage import Way, every_way, fails, play_text
from tests.world import Handler

pytestmark = every_way

# -- cache -----------------------------------------------------------------------------------------

CACHED = """\
flow: cached
input: {required: [who], properties: {who: {type: string}, more: {default: 1}}}
nodes:
  look:
    type: http.request
    params: {url: "https://api.example/${input.who}"}
    cache: CACHE
    next: {success: after, failure: after}
  after: {type: log, params: {message: "${default(nodes.look.output.json, 'nothing')}"}}
"""


class Shelf:
    """A result cache in memory, which notes what it is asked."""

    def __init__(self) -> None:
        self.kept: dict[str, Json] = {}
        self.ttls: list[Json] = []

    def handlers(self) -> dict[str, Handler]:
        return {"flowrunner.cache.get": self.get, "flowrunner.cache.put": self.put}

    def get(self, argument: JsonObject) -> Json:
        id = str(argument["id"])
        return {"hit": True, "value": self.kept[id]} if id in self.kept else {"hit": False}

    def put(self, argument: JsonObject) -> Json:
        self.kept[str(argument["id"])] = argument["value"]
        self.ttls.append(argument["ttl"])
        return None


def look(way: Way, shelf: Shelf, who: str, cache: str = "1h", **answers: Handler) -> list[str]:
    played = play_text(
        CACHED.replace("CACHE", cache),
        way,
        {"who": who, "more": 1},
        answers={**shelf.handlers(), **answers},
    )
    assert played.finished.status == "completed"
    return played.calls


def test_a_second_run_takes_the_output_from_the_cache(way: Way) -> None:
    shelf = Shelf()
    first = look(way, shelf, "ada", look=lambda _: {"json": "fresh"})
    assert first == ["look~cache", "look", "look~store", "after"]
    assert shelf.ttls == [3600.0]
    assert look(way, shelf, "ada", look=fails()) == ["look~cache", "after"]


def test_other_parameters_are_another_entry(way: Way) -> None:
    shelf = Shelf()
    look(way, shelf, "ada")
    assert "look" in look(way, shelf, "ben")
    assert len(shelf.kept) == 2


def test_the_key_decides_what_is_the_same(way: Way) -> None:
    shelf = Shelf()
    cache = '{key: "${input.more}", ttl: 5m}'
    look(way, shelf, "ada", cache)
    assert look(way, shelf, "ben", cache) == ["look~cache", "after"]
    assert shelf.ttls == [300.0]


def test_with_a_secret_the_rest_of_its_text_still_decides_what_is_the_same(way: Way) -> None:
    text = """\
flow: secret
secrets: [TOKEN]
input: {required: [who], properties: {who: {type: string}}}
nodes:
  look:
    type: http.request
    foreach: {in: [1, 2], concurrency: 1}
    params:
      url: https://api.example
      headers: {Authorization: "$${x} ${secrets.TOKEN} ${item} of ${input.who}"}
    cache: 1h
"""
    shelf = Shelf()
    calls = [play_text(text, way, {"who": who}, answers=shelf.handlers()).calls for who in "aab"]
    assert ["look.0" in each for each in calls] == [True, False, True]
    assert ["look.1" in each for each in calls] == [True, False, True]
    assert len(shelf.kept) == 4


def test_a_failure_is_not_kept(way: Way) -> None:
    shelf = Shelf()
    assert look(way, shelf, "ada", look=fails()) == ["look~cache", "look", "after"]
    assert shelf.kept == {}


@pytest.mark.parametrize("broken", ["get", "put"])
def test_a_cache_that_is_down_costs_time_only(way: Way, broken: str) -> None:
    answers = {f"flowrunner.cache.{broken}": fails("CacheDown")}
    played = play_text(
        CACHED.replace("CACHE", "1h"),
        way,
        {"who": "ada", "more": 1},
        answers={**Shelf().handlers(), "look": lambda _: {"json": "fresh"}, **answers},
    )
    assert played.messages == ["fresh"]


# -- what an activity is told ----------------------------------------------------------------------

TOLD = """\
flow: told
secrets: [TOKEN, OTHER]
input: {required: [who, big], properties: {who: {type: string}, big: {}}}
vars: {left: 3, unused: 4}
nodes:
  first: {type: log, params: {message: first, data: [1, 2]}, next: call}
  call:
    type: http.request
    title: "Ask ${input.who}"
    params:
      url: "https://api.example/${input.who}"
      headers:
        Authorization: "Bearer ${secrets.TOKEN} for ${vars.left}"
        X-Plain: "${nodes.first.output.message}"
"""


def test_a_secret_stays_a_name_and_only_what_its_text_needs_goes_with_it(way: Way) -> None:
    played = play_text(TOLD, way, {"who": "ada", "big": ["x"] * 100})
    argument = played.call("call").argument
    assert argument["params"] == {
        "url": "https://api.example/ada",
        "headers": {
            "Authorization": "Bearer ${secrets.TOKEN} for ${vars.left}",
            "X-Plain": "first",
        },
    }
    assert argument["deferred"] == ["/headers/Authorization"]
    assert argument["scope"] == {"vars": {"left": 3}}
    assert argument["secrets"] == ["TOKEN", "OTHER"]
    if way.keeps == "nothing":
        assert argument["title"] == "Ask ada"


def test_without_secrets_an_activity_is_told_its_parameters_only(way: Way) -> None:
    played = play_text(TOLD, way, {"who": "ada", "big": []})
    assert played.call("first").argument == {
        "node": "first",
        "params": {"message": "first", "data": [1, 2]},
        "key": "told/run-1/first",
        "flow": "told",
        "run_id": "run-1",
    }


def test_every_round_item_and_block_has_a_key_of_its_own(way: Way) -> None:
    text = """\
flow: keys
nodes:
  part:
    type: block
    foreach: [1, 2]
    nodes:
      work: {type: log, params: {message: "${item}"}, repeat: {until: iteration == 2}}
"""
    played = play_text(text, way)
    keys = [played.call(id).argument["key"] for id in played.calls]
    assert sorted(str(key) for key in keys) == [
        "keys/run-1/part.0/work",
        "keys/run-1/part.0/work#2",
        "keys/run-1/part.1/work",
        "keys/run-1/part.1/work#2",
    ]


# -- flows that call flows -------------------------------------------------------------------------


def test_a_flow_gets_its_input_and_gives_its_output(way: Way) -> None:
    outer = """\
flow: outer
nodes:
  call: {type: flow, params: {flow: inner, input: {n: 20}}}
output: ${nodes.call.output + 1}
"""
    inner = """\
flow: inner
input: {required: [n], properties: {n: {type: integer}}}
nodes:
  nothing: {type: noop}
output: ${input.n * 2}
"""
    assert play_text(outer, way, others=[inner]).finished.output == 41


def test_the_failure_of_a_called_flow_is_that_of_its_node(way: Way) -> None:
    outer = """\
flow: outer
nodes:
  call: {type: flow, params: {flow: missing}, next: {failure: after}}
  after: {type: log, params: {message: "${error.type} at ${error.node}"}}
"""
    assert play_text(outer, way).messages == ["FlowNotFound at call"]


# -- variables -------------------------------------------------------------------------------------


def test_variables_handed_on_together_stay_as_they_were(way: Way) -> None:
    text = """\
flow: together
vars: {a: 1, all: null}
nodes:
  keep: {type: set, params: {all: "${vars}"}, next: change}
  change: {type: set, params: {a: 2}}
output: ["${nodes.keep.output.all.a}", "${vars.all.a}", "${vars.a}"]
"""
    assert play_text(text, way).finished.output == [1, 1, 2]
