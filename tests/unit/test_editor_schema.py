"""The schema that editors complete flows by."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from flowspec.builtin import BUILTIN
from flowspec.catalogue import Catalogue, NodeType
from flowspec.document import Defaults, Flow
from flowspec.edges import Arrow, Link
from flowspec.editor_schema import flow_json_schema
from flowspec.jsonschemas import violations
from flowspec.jsonschemas.validators import META
from flowspec.model import parse_flow
from flowspec.modifiers import Cache, Foreach, Lock, Rate, Repeat, Retry
from flowspec.nodes import Node
from flowspec.problems import CODES
from flowspec.schedules import Calendar, Every, Schedule
from flowspec.source import read_yaml

REQUEST = NodeType(
    name="http.request",
    summary="Send a request",
    params_schema=lambda: {
        "type": "object",
        "properties": {
            "url": {"type": "string", "format": "uri", "description": "Where to"},
            "retries": {"type": "integer"},
            "tree": {"$ref": "#/$defs/tree"},
            "json": {},
            "form": {},
        },
        "required": ["url"],
        "additionalProperties": False,
        "$defs": {
            "tree": {
                "type": "object",
                "properties": {"children": {"type": "array", "items": {"$ref": "#/$defs/tree"}}},
                "additionalProperties": False,
            }
        },
    },
    exclusive=(("json", "form"),),
    example="flow: f\nnodes: {a: {type: http.request, params: {url: 'https://example.com'}}}",
)
WEBHOOK = NodeType(
    name="webhook.send",
    summary="Send a webhook",
    params_schema=lambda: {
        "type": "object",
        "properties": {"url": {}, "secret": {}, "payload": {}},
        "required": ["url", "secret", "payload"],
        "additionalProperties": False,
    },
    example="flow: f\nnodes: {a: {type: webhook.send, params: {url: u, secret: s, payload: 1}}}",
)
LOG = NodeType(name="log", summary="Write a line", example="flow: f\nnodes: {a: {type: log}}")
CATALOGUE = Catalogue((*BUILTIN, REQUEST, WEBHOOK, LOG))
SCHEMA: Any = flow_json_schema(CATALOGUE)


def found_in(text: str) -> list[str]:
    return [violation.message for violation in violations(SCHEMA, read_yaml(text).data)]


def node(keys: str) -> list[str]:
    return found_in(f"flow: f\nnodes: {{a: {{{keys}}}}}")


def test_it_is_a_json_schema() -> None:
    assert violations(META, SCHEMA) == []


@pytest.mark.parametrize("node_type", CATALOGUE.values(), ids=lambda node_type: node_type.name)
def test_the_example_of_every_node_type_fits(node_type: NodeType) -> None:
    assert found_in(node_type.example) == []


@pytest.mark.parametrize(
    ("model", "schema"),
    [
        (Flow, SCHEMA),
        (Node, SCHEMA["$defs"]["node"]),
        (Arrow, SCHEMA["$defs"]["arrow"]),
        (Link, SCHEMA["$defs"]["link"]),
        (Defaults, SCHEMA["$defs"]["defaults"]),
        (Retry, SCHEMA["$defs"]["retry"]),
        (Foreach, SCHEMA["$defs"]["foreach"]),
        (Repeat, SCHEMA["$defs"]["repeat"]),
        (Cache, SCHEMA["$defs"]["cache"]),
        (Lock, SCHEMA["$defs"]["lock"]),
        (Rate, SCHEMA["$defs"]["rate"]),
        (Schedule, SCHEMA["$defs"]["schedule"]),
        (Every, SCHEMA["$defs"]["every"]),
        (Calendar, SCHEMA["$defs"]["calendar"]),
    ],
)
def test_it_has_the_keys_of_the_language_and_a_description_for_each(
    model: type[BaseModel], schema: Any
) -> None:
    keys = {field.alias or name: field for name, field in model.model_fields.items()}
    assert set(schema["properties"]) == set(keys)
    assert set(schema["required"]) == {key for key, f in keys.items() if f.is_required()}
    assert all(property["description"] for property in schema["properties"].values())


EVERYTHING = """
flow: every-key
description: All of them
input:
  required: [a]
  properties: {a: {type: [string, "null"], default: a@b.example, format: email}}
secrets: [TOKEN]
vars: {count: 0}
defaults: {retry: 3, attempt_timeout: 1m, heartbeat: 5s, queue: gpu, priority: 2}
labels: {team: "${input.a}"}
nodes:
  a:
    type: http.request
    title: Hello
    description: Says hello
    params: {url: "${input.url}", retries: "${input.n}", tree: {children: "${input.c}"}}
    next: {approved: b, failure: [c, {to: d, when: true}], always: {to: e, limit: unlimited}}
    join: 2
    when: ${input.a == 1}
    foreach: {in: [1], as: n, concurrency: 5, tolerate: 10%, batch: 2}
    repeat: {until: vars.done, every: PT2S, limit: 5}
    retry: {attempts: unlimited, interval: 1s, factor: 1.5, max_interval: 1m, jitter: 0.5}
    timeout: 1h30m
    attempt_timeout: 30s
    heartbeat: 5s
    queue: gpu
    priority: 1
    cache: {key: "${input.a}", ttl: 1d}
    undo: u
    execution: local
    lock: {name: "a-${input.a}", slots: 2, expires: 1h, wait: 5m}
    rate: {name: crm, limit: 10, per: 1s}
  b:
    type: noop
    foreach: ${input.b}
    retry: {only: [A], never: [B]}
    cache: 5m
    lock: b
    rate: 100/m
    next: [c, {to: d, on: [x]}]
  c: {type: block, nodes: {f: {type: noop, next: g}, g: {type: noop}}, output: 1}
  d: {type: noop, next: {to: e, otherwise: true}}
  e: {type: log}
  u: {type: log}
edges:
  - a -> b -> c
  - {from: a, to: b, on: failure}
output: {x: 1}
timeout: 2w
on_complete: {url: "https://a.example", secret: "${secrets.TOKEN}"}
on_failure: {running: finish, url: "https://a.example", secret: x, payload: "${error.type}"}
schedules:
  night: {cron: "0 2 * * *", timezone: Europe/Vienna, jitter: 5m, overlap: skip, input: {a: x}}
  often:
    cron: ["@hourly", "5 * * * *"]
    every: {interval: 1h, offset: 5m}
    calendar: [{weekday: mon-fri, hour: [9, 12-14], minute: 30}, {year: 2027}]
    from: 2026-11-21
    until: 2027-11-21T09:30:00Z
    catch_up: 1h
    pause_on_failure: true
    paused: false
    note: Often
    input: {a: x}
"""


def test_a_flow_with_every_key_fits_and_is_a_flow() -> None:
    assert found_in(EVERYTHING) == []
    assert parse_flow(EVERYTHING).problems == ()


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ("type: htp.request", "did you mean 'http.request'?"),
        ("title: x", "'type' is missing"),
        ("type: noop, tittle: x", "did you mean 'title'?"),
        ("type: http.request", "'params' is missing"),
        ("type: http.request, params: {}", "'url' is missing: Where to"),
        ("type: http.request, params: {url: 'https://a.b', ulr: x}", "unknown key 'ulr'"),
        ("type: http.request, params: {url: 'https://a.b', retries: x}", "expected a whole number"),
        ("type: http.request, params: {url: 'https://a.b', json: 1, form: 1}", "no such value"),
        (
            "type: http.request, params: {url: 'https://a.b', tree: {children: [{x: 1}]}}",
            "unknown key 'x'",
        ),
        ("type: wait, params: {}", "is missing"),
        ("type: wait", "'params' is missing"),
        ("type: noop, output: x", "no such value"),
        ("type: block", "'nodes' is missing"),
        ("type: noop, timeout: 30", "expected text"),
        ("type: noop, timeout: soon", "expected text that matches"),
        ("type: noop, priority: 9", "at most 5"),
        ("type: noop, repeat: {every: 1s}", "is missing"),
    ],
)
def test_what_is_wrong_on_a_node_is_underlined(keys: str, says: str) -> None:
    assert any(says in message for message in node(keys))


@pytest.mark.parametrize(
    "code",
    [
        "FR201",
        "FR202",
        "FR203",
        "FR204",
        "FR205",
        "FR206",
        "FR207",
        "FR209",
        "FR210",
        "FR220",
        "FR221",
    ],
)
def test_the_examples_of_wrong_shapes_do_not_fit(code: str) -> None:
    assert found_in(CODES[code].example)


def test_a_template_may_stand_for_any_parameter_but_text_may_not() -> None:
    for value in ('"${input.n}"', '"n${input.n}"', "3"):
        params = f"{{url: 'https://a.b', retries: {value}}}"
        assert node(f"type: http.request, params: {params}") == []


def test_the_descriptions_of_parameters_stay_where_editors_look() -> None:
    url = SCHEMA["$defs"]["params.http.request"]["properties"]["url"]
    assert url["description"] == "Where to"


def test_node_types_are_offered_in_the_order_of_the_catalogue_with_a_summary() -> None:
    offered = SCHEMA["$defs"]["node"]["properties"]["type"]
    assert offered["enum"] == list(CATALOGUE)
    assert offered["enumDescriptions"][-1] == "Write a line"
