"""Flows from the command line people already have: Temporal's own, without anything of ours."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.server.support import Product, until

GREET = """\
flow: greet_cli
input: {required: [name], properties: {name: {type: string}}}
nodes:
  say: {type: log, params: {message: "Hello ${input.name}"}}
output: ${nodes.say.output.message}
"""

WAITS = """\
flow: waits_cli
nodes:
  paid: {type: event, params: {name: payment}, next: decide}
  decide:
    type: approval
    params: {title: Ship it?, form: {properties: {badge: {type: string}}, required: [badge]}}
    next: {approved: shipped, rejected: stopped}
  shipped: {type: noop}
  stopped: {type: fail, params: {message: Not shipped}}
output:
  paid: ${nodes.paid.output.amount}
  badge: ${nodes.decide.output.form.badge}
"""


def _result(product: Product, *arguments: str) -> Any:
    done = product.temporal("workflow", *arguments, "--output", "json")
    assert done.returncode == 0, done.stderr + done.stdout
    return json.loads(done.stdout)


def test_a_flow_is_started_by_its_name_as_the_workflow_type(product: Product) -> None:
    product.write_flow("greet_cli", GREET)
    result = _result(
        product,
        *("execute", "--type", "greet_cli", "-t", product.task_queue, "-w", "cli-by-type"),
        *("--input", '{"name": "Ada"}'),
    )
    assert result["status"] == "COMPLETED"
    assert result["result"] == "Hello Ada"


def test_a_flow_is_started_from_its_yaml_file(product: Product) -> None:
    path = product.folder / "inline.yaml"
    path.write_text("flow: inline\nnodes: {a: {type: noop}}\noutput: done\n")
    result = _result(
        product,
        *("execute", "--type", "flow", "-t", product.task_queue, "-w", "cli-by-file"),
        *("--input-file", str(path), "--input-meta", "encoding=text/yaml"),
    )
    assert result["result"] == "done"


def test_a_flow_is_started_from_yaml_with_an_input_beside_it(product: Product) -> None:
    result = _result(
        product,
        *("execute", "--type", "flow", "-t", product.task_queue, "-w", "cli-with-input"),
        *("--input", GREET, "--input", '{"name": "Bo"}'),
        *("--input-meta", "encoding=text/yaml", "--input-meta", "encoding=json/plain"),
    )
    assert result["result"] == "Hello Bo"


def test_a_run_is_signalled_queried_and_decided(product: Product) -> None:
    product.write_flow("waits_cli", WAITS)
    here = ("-w", "cli-waits")
    _result(product, "start", "--type", "waits_cli", "-t", product.task_queue, *here)
    until(lambda: _waits_for(product, "event"), what="the event node")
    metadata = product.temporal("workflow", "metadata", *here).stdout
    assert "signal `payment`" in metadata
    product.temporal("workflow", "signal", *here, "--name", "payment", "--input", '{"amount": 7}')
    until(lambda: _waits_for(product, "approval"), what="the approval node")

    refused = product.temporal(
        "workflow",
        "update",
        "execute",
        *here,
        "--name",
        "complete",
        "--input",
        '{"action": "approved"}',
    )
    assert refused.returncode != 0
    assert "badge" in refused.stderr

    accepted = product.temporal(
        "workflow",
        "update",
        "execute",
        *here,
        "--name",
        "complete",
        "--input",
        '{"action": "approved", "data": {"badge": "B7"}, "by": "ann"}',
    )
    assert accepted.returncode == 0, accepted.stderr
    result = _result(product, "result", *here)
    assert result["result"] == {"paid": 7, "badge": "B7"}


def _waits_for(product: Product, kind: str) -> bool:
    status = _result(product, "query", "-w", "cli-waits", "--type", "status")
    waits = status["queryResult"][0]["waiting"]
    return [wait["kind"] for wait in waits] == [kind]


def test_a_cancelled_run_undoes_what_it_did(product: Product) -> None:
    product.write_flow(
        "cancel_cli",
        """\
flow: cancel_cli
nodes:
  book: {type: log, params: {message: booked}, undo: unbook, next: rest}
  rest: {type: wait, params: {for: 1h}}
  unbook: {type: log, params: {message: "unbooked after ${error.type}"}}
""",
    )
    here = ("-w", "cli-cancel")
    _result(product, "start", "--type", "cancel_cli", "-t", product.task_queue, *here)
    until(lambda: _running(product, "cli-cancel", "rest"), what="the wait node")
    product.temporal("workflow", "cancel", *here)
    ended = product.temporal("workflow", "result", *here, "--output", "json")
    assert json.loads(ended.stdout)["status"] == "CANCELED"
    history = product.temporal("workflow", "show", *here, "--output", "json").stdout
    assert "unbooked after Cancelled" in _decoded(history)


def _running(product: Product, run: str, node: str) -> bool:
    status = _result(product, "query", "-w", run, "--type", "status")["queryResult"][0]
    return {"id": node, "state": "running"}.items() <= {
        key: value for each in status["nodes"] if each["id"] == node for key, value in each.items()
    }.items()


def _decoded(history: str) -> str:
    """All payload data of a history, as text."""
    import base64
    import re

    found = re.findall(r'"data": "([A-Za-z0-9+/=]+)"', history)
    return history + "\n".join(base64.b64decode(data).decode(errors="replace") for data in found)


@pytest.mark.parametrize(
    ("flow_type", "arguments", "told"),
    [
        ("no_such_flow", ("--input", "{}"), "no_such_flow"),
        ("flow", ("--input", '{"wrong": 1}'), "a run of type `flow` is started with"),
        ("greet_cli", ("--input", '{"nme": "Ada"}'), "name"),
    ],
)
def test_a_wrong_start_fails_the_run_with_what_is_wrong(
    product: Product, flow_type: str, arguments: tuple[str, ...], told: str
) -> None:
    product.write_flow("greet_cli", GREET)
    done = product.temporal(
        *("workflow", "execute", "--type", flow_type, "-t", product.task_queue),
        *("-w", f"cli-wrong-{flow_type}", *arguments),
    )
    assert done.returncode == 1
    assert told in done.stdout + done.stderr
