"""Locks, rates and callbacks: what can be said of them before a run."""

from __future__ import annotations

from typing import Any

import pytest

from flowspec.plan import LockPlan, RatePlan
from tests.unit.checking import checked, messages, node_of, plan_of


def node(keys: str, type: str = "log, params: {message: x}") -> list[str]:
    told = "flow: hello\ninput: {required: [i], properties: {i: {}}}\nnodes:\n  a: {type: "
    return messages(f"{told}{type}, {keys}}}\n")


@pytest.mark.parametrize(
    ("written", "planned"),
    [
        ("a", LockPlan(name="a")),
        ('"a-${input.i}"', LockPlan(name="a-${input.i}")),
        (
            "{name: a, slots: 3, expires: 1h, wait: 5s}",
            LockPlan(name="a", slots=3, expires=3600, wait=5),
        ),
    ],
)
def test_a_lock_is_a_name_or_a_mapping(written: str, planned: LockPlan) -> None:
    text = f"""\
flow: hello
input: {{required: [i], properties: {{i: {{}}}}}}
nodes:
  a: {{type: log, params: {{message: x}}, lock: {written}}}
"""
    assert node_of(text, "a").lock == planned


@pytest.mark.parametrize(
    ("written", "planned"),
    [
        ("10/s", RatePlan(name="hello/a", limit=10, per=1)),
        ("5 / 10m", RatePlan(name="hello/a", limit=5, per=600)),
        ("1/1.5h", RatePlan(name="hello/a", limit=1, per=5400)),
        ("{name: crm, limit: 2, per: 1m30s}", RatePlan(name="crm", limit=2, per=90)),
    ],
)
def test_a_rate_is_short_or_a_mapping(written: str, planned: RatePlan) -> None:
    text = f"flow: hello\nnodes:\n  a: {{type: log, params: {{message: x}}, rate: {written}}}\n"
    assert node_of(text, "a").rate == planned


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("lock: 5", "lock: expected the name of a lock, or a mapping with `name`, found"),
        ("lock: ''", "lock: a name has to say something"),
        (f"lock: {{name: {'x' * 201}}}", "lock: a name has at most 200 bytes, found 201"),
        ("lock: {slots: 2}", "'name' is missing"),
        ("lock: {name: a, slots: 0}", "slots: expected a whole number from 1 to 1000, found 0"),
        ("lock: {name: a, wait: 0s}", "wait: expected a duration longer than nothing"),
        ("lock: {name: a, ttl: 1h}", "unknown key 'ttl'"),
        ("lock: '${secrets.T}'", "the secret 'T' is not declared"),
        ("lock: '${nodes.b.output}'", "there is no node 'b'"),
        ("lock: '${item}', foreach: [1]", "there is no 'item' here yet"),
        ("rate: 10", "rate: expected a rate such as 10/s, or a mapping with"),
        ("rate: 10/sec", "rate: expected a rate such as 10/s, or a mapping with"),
        ("rate: 0/s", "limit: expected a whole number from 1 to 1000, found 0"),
        ("rate: 2000/s", "limit: expected a whole number from 1 to 1000, found 2000"),
        ("rate: 1/0s", "per: expected a duration longer than nothing"),
        ("rate: {limit: 5}", "'per' is missing"),
        ("rate: {name: '', limit: 5, per: 1s}", "rate: a name has to say something"),
    ],
)
def test_what_is_wrong_is_said(keys: str, message: str) -> None:
    assert node(keys)[0].startswith(message)


@pytest.mark.parametrize(
    "type", ["noop", "set, params: {v: 1}", 'fail, params: {message: "no"}', "return"]
)
def test_what_takes_no_time_takes_no_lock_and_no_rate(type: str) -> None:
    assert "it holds a lock; remove it" in " ".join(node("lock: a", type))
    assert "starts nothing outside of the run; remove" in " ".join(node("rate: 1/s", type))


def test_what_waits_may_hold_a_lock_and_has_no_rate() -> None:
    assert node("lock: a", "event") == []
    assert "starts nothing outside of the run" in node("rate: 1/s", "event")[0]


INNER = """\
flow: hello
nodes:
  outer:
    type: block
    lock: a
    nodes:
      middle:
        type: block
        nodes: {inner: {type: log, params: {message: x}, lock: LOCK}}
"""


def test_a_lock_inside_of_itself_is_found_at_any_depth() -> None:
    assert "'inner' would wait for ever" in messages(INNER.replace("LOCK", "a"))[0]
    assert messages(INNER.replace("LOCK", "b")) == []
    assert messages(INNER.replace("LOCK", "{name: a, slots: 2}")) == []


CALLBACKS = """\
flow: hello
secrets: [KEY]
input: {required: [i], properties: {i: {}}}
defaults: {queue: hooks, retry: {attempts: 2}}
on_complete: {url: "https://a.example", secret: "${secrets.KEY}"}
on_failure: {running: finish, url: "https://b.example", secret: "${secrets.KEY}", payload: 1}
nodes: {a: {type: noop}}
"""


def test_callbacks_are_planned_as_the_nodes_that_send_them() -> None:
    plan = plan_of(CALLBACKS)
    assert plan.graph.on_failure == "finish"
    well, bad = plan.on_complete, plan.on_failure
    assert well is not None
    assert bad is not None
    assert (well.id, well.type, well.queue, well.retry.attempts) == (
        "~on_complete",
        "webhook.send",
        "hooks",
        2,
    )
    assert bad.params == {"url": "https://b.example", "secret": "${secrets.KEY}", "payload": 1}


def test_what_happens_to_nodes_that_still_run_can_be_said_alone() -> None:
    for written in ("finish", "{running: finish}"):
        plan = plan_of(f"flow: hello\non_failure: {written}\nnodes: {{a: {{type: noop}}}}\n")
        assert (plan.graph.on_failure, plan.on_failure, plan.on_complete) == ("finish", None, None)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('url: "https://a.example", ', "", "webhook.send: 'url' is missing"),
        ('url: "https://b.example"', "ulr: x", "webhook.send: unknown key 'ulr'"),
        ("running: finish", "running: stop", "running: expected cancel or finish"),
        ("https://a.example", "${error.type}", "there is no 'error' here"),
        ("https://b.example", "${output}", "'output' means nothing here"),
        ("https://b.example", "${error.kind}", "an error has"),
        ("https://a.example", "${nodes.a.outcome}", "'nodes' cannot be used here"),
        ("https://a.example", "${input.x}", "input has no 'x'"),
        ("${secrets.KEY}", "${secrets.OTHER}", "the secret 'OTHER' is not declared"),
    ],
)
def test_what_is_wrong_with_a_callback_is_said(old: str, new: str, message: str) -> None:
    found: Any = messages(CALLBACKS.replace(old, new, 1))
    assert any(each.startswith(message) for each in found), found


def test_a_block_has_no_callbacks() -> None:
    text = "flow: hello\nnodes: {a: {type: block, on_failure: {url: x}, nodes: {b: {type: noop}}}}"
    assert checked(text).plan is None
