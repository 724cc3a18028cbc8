"""Tests of flows: what can be given, and what can be expected."""

from __future__ import annotations

import pytest

from simulator import asked
from tests.flow_tests import attempt, complaints

SHOP = """\
flow: shop
input: {required: [item], properties: {item: {type: string}}}
secrets: [TOKEN]
nodes:
  reserve:
    type: http.request
    params: {url: "http://shop/${input.item}", headers: {Authorization: "Bearer ${secrets.TOKEN}"}}
    retry: {attempts: 3, interval: 2s}
    undo: release
    next: ask
  ask:
    type: approval
    timeout: 30d
    next: {approved: paid, rejected: refuse, timeout: refuse}
  paid: {type: event, params: {name: paid}, timeout: 30d, next: {success: done, timeout: refuse}}
  refuse: {type: fail, params: {type: Refused, message: "no ${input.item}"}}
  done: {type: log, params: {message: "sent ${nodes.paid.output.to}"}}
  release: {type: http.request, params: {url: "http://shop/release"}}
output: ${nodes.done.output.message}
"""
GIVEN = "input: {item: tea}\nmocks: {reserve: {output: {status: 201}}, release: {output: {}}}\n"


def test_a_flow_that_waits_for_weeks_is_tried_at_once() -> None:
    tried = attempt(
        SHOP,
        GIVEN
        + """
at:
  20d: {approve: ask, action: approved, by: grace}
  45d: {signal: paid, data: {to: Ada}}
expect: {output: sent Ada, took: 45d, path: [reserve, ask, paid, done]}
""",
    )
    assert tried.differences == ()
    assert tried.mistake is None


def test_waits_can_be_answered_by_mocks() -> None:
    tried = attempt(
        SHOP,
        """
input: {item: tea}
mocks:
  reserve: {output: {status: 201}, delay: 3s}
  ask: {action: approved, by: grace, delay: 1h}
  paid: {data: {to: Ada}, delay: 2h}
expect:
  took: 3h3s
  nodes:
    reserve: {took: 3s, began: 0s, params: {headers: {Authorization: Bearer <TOKEN>}}}
    ask: {action: approved, output: {by: grace}, began: 3s}
    paid: {output: {to: Ada}}
""",
    )
    assert tried.passed, tried


def test_what_is_undone_is_told_in_order() -> None:
    tried = attempt(
        SHOP,
        GIVEN
        + """
at: {1h: {approve: ask, action: rejected}}
expect:
  error: {type: Refused, message: {$contains: tea}}
  undone: [release]
  path: [reserve, ask, refuse]
  not_run: [paid, done]
""",
    )
    assert tried.passed, tried


def test_a_run_may_be_expected_to_wait() -> None:
    assert attempt(SHOP, GIVEN + "expect: {status: failed, error: {type: Refused}}").passed
    waits = "flow: w\nnodes: {e: {type: event}}\n"
    assert attempt(waits, "expect: {status: waiting, waiting: [e]}").passed
    (difference,) = attempt(waits, "expect: {}").differences
    assert (difference.expected, difference.found) == ("completed", "waiting")


def test_a_call_that_nothing_answers_is_a_mistake() -> None:
    tried = attempt(SHOP, "input: {item: tea}")
    assert tried.mistake == "reserve (http.request) is called, and nothing says what it answers"
    assert tried.unmocked is not None
    assert tried.unmocked.node == "reserve"


def test_it_may_get_a_sample_instead() -> None:
    tried = attempt(
        SHOP,
        "input: {item: tea}\nunmocked: sample\nexpect: {status: failed, nodes: {reserve: success}}",
    )
    assert tried.passed, tried


def test_a_mock_gives_what_its_node_type_can_give() -> None:
    wrong = attempt(SHOP, "input: {item: tea}\nmocks: {reserve: {output: {status: fine}}}")
    assert wrong.mistake is not None
    assert "the mock of reserve is nothing that http.request gives: output.status" in wrong.mistake


def test_a_mock_that_gives_nothing_gives_the_least_there_is() -> None:
    given = "mocks: {reserve: {delay: 2s}, ask: {action: rejected}, release: {}}"
    expect = "expect: {status: failed, nodes: {reserve: {took: 2s, output: {status: 0}}}}"
    assert attempt(SHOP, f"input: {{item: tea}}\n{given}\n{expect}").passed


def test_a_mock_fails_as_its_node_type_can_fail() -> None:
    wrong = attempt(SHOP, "input: {item: tea}\nmocks: {reserve: {error: ServerError}}")
    assert wrong.mistake is not None
    assert "did you mean 'HttpServerError'?" in wrong.mistake
    given = "mocks: {reserve: {error: {type: Odd, permanent: true}}}\nexpect: {error: {type: Odd}}"
    assert attempt(SHOP, f"input: {{item: tea}}\n{given}").passed


def test_wrong_parameters_fail_as_they_do_in_a_worker() -> None:
    flow = """\
flow: bad
input: {required: [url], properties: {url: {}}}
nodes: {get: {type: http.request, params: {url: "${input.url}"}}}
"""
    tried = attempt(flow, "input: {url: 7}\nexpect: {error: {type: InvalidParams, node: get}}")
    assert tried.passed, tried


def test_the_input_is_checked() -> None:
    tried = attempt(SHOP, "input: {itme: tea}\nexpect: {error: {type: InputInvalid}, path: []}")
    assert tried.passed, tried


def test_what_is_said_in_vain_is_told() -> None:
    tried = attempt(
        SHOP, GIVEN + "at: {1h: {approve: paid, action: approved}}\nexpect: {status: failed}"
    )
    assert [str(each.found) for each in tried.differences if each.where == "at"] == [
        "the decision of 'paid' is not accepted: no approval 'paid' is waiting; waiting: 'ask'"
    ]


def test_items_rounds_and_what_is_inside_of_blocks_have_paths() -> None:
    flow = """\
flow: many
nodes:
  each:
    type: block
    foreach: [a, b]
    nodes:
      get: {type: http.request, params: {url: "http://${item}"}}
    output: ${nodes.get.output.status}
  poll:
    type: http.request
    params: {url: http://poll}
    repeat: {until: nodes.poll.output.status == 200, every: 1m}
output: ${nodes.each.output}
"""
    tried = attempt(
        flow,
        """
mocks:
  get: {output: {status: 200}}
  each.1/get: {output: {status: "${404 if params.url == 'http://b' else 0}"}}
  poll: {calls: [{output: {status: 202}}, {output: {status: 202}}, {output: {status: 200}}]}
expect:
  output: [200, 404]
  path: [each, poll]
  nodes:
    get: {runs: 2}
    each.0/get: {runs: 1, params: {url: http://a}}
    poll: {took: 2m}
    poll#3: {output: {status: 200}}
""",
    )
    assert tried.passed, tried


def test_other_flows_are_played_or_mocked() -> None:
    parent = """\
flow: parent
nodes:
  call: {type: flow, foreach: [a, b], params: {flow: child, input: {name: "${item}"}}}
output: ${nodes.call.output}
"""
    child = """\
flow: child
input: {required: [name], properties: {name: {type: string}}}
nodes: {get: {type: http.request, params: {url: "http://${input.name}"}}}
output: ${nodes.get.output.status}
"""
    played = attempt(
        parent,
        """
mocks: {child/get: {output: {status: 1}}, call.1/get: {output: {status: 2}}}
expect: {output: [1, 2], nodes: {child/get: {runs: 2}, call.1: {params: {input: {name: b}}}}}
""",
        child,
    )
    assert played.passed, played
    mocked = attempt(
        parent, "mocks: {call: {output: x}}\nexpect: {output: [x, x], not_run: [child/get]}", child
    )
    assert mocked.passed, mocked
    failed = attempt(
        parent,
        """
mocks: {child/get: {error: HttpClientError}}
expect:
  error:
    type: HttpClientError
    message: {$contains: node 'get' (http.request) failed}
    node: call.0
""",
        child,
    )
    assert failed.passed, failed


def test_a_lock_that_somebody_holds_is_waited_for() -> None:
    flow = """\
flow: locked
nodes:
  work:
    type: http.request
    params: {url: http://x}
    lock: deploy
    rate: {limit: 1, per: 1m}
    foreach: [1, 2]
"""
    given = "mocks: {work: {output: {}}}\n"
    assert attempt(flow, given + "expect: {took: 1m}").passed
    held = attempt(
        flow, given + "locks: {deploy: 10m}\nexpect: {took: 11m, nodes: {work.0: {began: 10m}}}"
    )
    assert held.passed, held


def test_a_cancelled_run_and_a_paused_one() -> None:
    flow = """\
flow: long
nodes:
  work:
    type: http.request
    params: {url: http://x}
    attempt_timeout: 1h
    next: {cancelled: tidy, success: more}
  tidy: {type: log, params: {message: tidy}}
  more: {type: log, params: {message: more}}
"""
    given = "mocks: {work: {output: {}, delay: 30m}}\n"
    cancelled = attempt(
        flow,
        given
        + "at: {10m: {cancel: not wanted}}\n"
        + "expect: {status: cancelled, took: 10m, nodes: {work: cancelled, tidy: success}}",
    )
    assert cancelled.passed, cancelled
    paused = attempt(
        flow,
        given
        + "at: {10m: {pause: true}, 2h: {resume: true}}\nexpect: {nodes: {more: {began: 2h}}}",
    )
    assert paused.passed, paused


@pytest.mark.parametrize(
    ("tests", "told"),
    [
        ("cases: []", "1:8: FR204"),
        ("case: []", "1:1: FR201 unknown key 'case'; did you mean 'cases'?"),
        (
            "cases:\n  - name: x\n    mock: {}",
            "3:5: FR201 unknown key 'mock'; did you mean 'mocks'?",
        ),
        ("cases:\n  - input: {}", "2:5: FR202 'name' is missing"),
        ("cases:\n  - {name: x, mocks: {a: {delay: 5}}}", "FR203 expected a duration such as 30s"),
        (
            "cases:\n  - {name: x, mocks: {a: {outptu: 5}}}",
            "unknown key 'outptu'; did you mean 'output'?",
        ),
        ("cases:\n  - {name: x, at: {1h: {}}}", "expected exactly one of approve, signal"),
        ("cases:\n  - {name: x, at: {1h: {approve: a}}}", "'action' is missing"),
        ("cases:\n  - {name: x, at: {1h: {signal: a, by: b}}}", "'by' goes with `approve`"),
        ("cases:\n  - {name: x}\n  - {name: x}", "the case 'x' is in line 2 already"),
        (
            "cases:\n  - {name: x, expect: {output: {$is: 1}}}",
            "'$is' has to stand alone and be one of",
        ),
        (
            "cases:\n  - {name: x, expect: {status: done}}",
            "expected completed, failed, cancelled or",
        ),
    ],
)
def test_a_wrong_test_file_is_told_with_the_place(tests: str, told: str) -> None:
    assert told in complaints(tests)


@pytest.mark.parametrize(
    ("case", "told"),
    [
        ("mocks: {reserv: {output: {}}}", "the flow has no node 'reserv'; did you mean 'reserve'?"),
        ("mocks: {refuse: {output: {}}}", "'refuse' is of type fail, which asks nobody"),
        ("expect: {path: [reserve, aks]}", "the flow has no node 'aks'; did you mean 'ask'?"),
        (
            "expect: {nodes: {nobody: success}}",
            "the flow has no node 'nobody'; there are reserve, ask",
        ),
    ],
)
def test_names_that_the_flow_does_not_have_are_told(case: str, told: str) -> None:
    assert told in complaints(f"cases:\n  - name: x\n    {case}\n", SHOP)


DESK = """\
flow: desk
nodes:
  desk:
    type: agent
    params: {model: m, prompt: Where is it?}
    tools:
      order:
        type: http.request
        parameters: {properties: {number: {type: string}}}
        params: {url: "http://shop/${call.number}"}
output: ${nodes.desk.output.text}
"""


def test_an_agent_is_answered_turn_by_turn() -> None:
    tried = attempt(
        DESK,
        """
mocks:
  desk_turn:
    calls:
      - {output: {calls: {order: [{number: "7"}]}}, action: tools}
      - {output: {calls: {order: []}, result: {text: On its way}}, action: answered}
  order: {output: {json: {state: sent}}}
expect: {status: completed, output: On its way}
""",
    )
    assert tried.passed, tried
    assert "mock 'desk_turn'" in complaints(
        "cases: [{name: a, mocks: {desk: {output: {}}}, expect: {}}]", DESK
    )


def test_a_flow_that_goes_round_for_ever_is_a_mistake_of_its_mocks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asked, "_MOST_STEPS", 200)
    asking = "{output: {calls: {order: [{}]}}, action: tools}"
    tried = attempt(DESK, f"mocks: {{desk_turn: {asking}, order: {{output: {{}}}}}}\nexpect: {{}}")
    assert "go round for ever" in str(tried.mistake)
