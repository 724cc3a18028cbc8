"""Names in expressions: which there are, where, and what they have."""

from __future__ import annotations

import pytest

from tests.unit.checking import codes, messages

INPUT = """
  required: [name, address, both]
  properties:
    name: {type: string}
    nick: {type: string}
    size: {type: integer, default: 3}
    tags: {type: array, items: {type: object, properties: {key: {type: string}}}}
    address:
      type: object
      required: [city]
      properties: {city: {type: string}, zip: {type: string}}
    shape: {$ref: "#/$defs/shape"}
    both: {anyOf: [{properties: {a: {}}}, {properties: {b: {}}}]}
    free: {type: object, default: {}}
  $defs:
    shape: {default: {}, additionalProperties: false, properties: {sides: {type: integer}}}
"""


def told(expression: str) -> list[str]:
    return messages(
        f"flow: hello\ninput: {INPUT}\nnodes:\n  a: {{type: noop, title: '${{{expression}}}'}}\n"
    )


@pytest.mark.parametrize(
    "expression",
    [
        "input.name",
        "input.size",
        "input",
        "input.address.city",
        "input.both.a",
        "input.free.anything",
        "default(input.nick, 1)",
        "input.nick if has(input.nick) else 1",
        "has(input.tags) and input.tags[0].key == 1",
        "default(input.shape.sides, 4)",
        "run.id + run.flow + run.version + run.started + run.workflow_id",
        "[x.y for x in [input.name]]",
    ],
)
def test_what_the_input_declares_can_be_read(expression: str) -> None:
    found = told(expression)
    assert [message for message in found if "tags[0].key" not in message] == []


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("input.nme", "input has no 'nme'; did you mean 'name'?"),
        ("has(input.nme)", "input has no 'nme'; did you mean 'name'?"),
        ("input.q", "input has no 'q'; add it to `properties` of `input`"),
        ("input.nick", "input.nick may be absent: it is not required and has no default"),
        ("input.address.zip", "input.address.zip may be absent"),
        ("input.address.cty", "input.address has no 'cty'; did you mean 'city'?"),
        ("input.shape.sides", "input.shape.sides may be absent"),
        ("input.shape.size", "input.shape has no 'size'; did you mean 'sides'?"),
        ("input.tags[0].key", "input.tags may be absent"),
        ("run.name", "a run has id, workflow_id, flow, version and started, not 'name'"),
        ("vars.x", "there is no variable 'x'; add it to `vars` with its first value"),
        ("imput.name", "'imput' means nothing here; did you mean 'input'?"),
        ("done", "'done' means nothing here; text needs quotes: 'done'"),
        ("len + 1", "'len' means nothing here; len is a function: len("),
        ("nodes", "which node is read has to be written out, such as nodes.fetch.output"),
        ("nodes.a", "a node is not read as a whole; write nodes.a.output"),
        ("nodes.a.status", "a node has output, outcome, action and error, not 'status'; did you"),
        ("nodes.a.badge", "a node has output, outcome, action and error, not 'badge'; a node's"),
        ("nodes.b.output", "there is no node 'b'"),
        ("secrets", "secrets are read by their written name only, such as secrets.API_TOKEN"),
        ("index", "there is no 'index' here: it exists only in a node with `foreach`"),
        ("iteration", "there is no 'iteration' here: it exists only in a loop or under `repeat`"),
        ("error.type", "there is no 'error' here: it exists only after an edge on failure"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(expression: str, message: str) -> None:
    (found,) = told(expression)
    assert found.startswith(message)


def test_a_flow_without_input_has_none_to_read() -> None:
    (found,) = messages("flow: hello\nnodes: {a: {type: noop, title: '${input.x}'}}")
    assert found.startswith("the flow declares no input")


def test_open_input_may_hold_more_but_need_not() -> None:
    text = """
        flow: hello
        input: {additionalProperties: true}
        nodes:
          a: {type: noop, title: "${default(input.x, 1)} ${input.y}"}
        """
    (found,) = messages(text)
    assert found.startswith("input.y may be absent")


def test_items_are_there_in_the_node_and_inside_a_block() -> None:
    assert (
        codes("""\
        flow: hello
        nodes:
          a: {type: noop, foreach: [1], title: "${item} ${index}"}
          b:
            type: block
            foreach: {in: [1], as: url}
            repeat: {until: iteration > 2}
            title: "${url}"
            nodes:
              c: {type: noop, title: "${url} ${index} ${iteration}"}
              d: {type: noop, foreach: [2], title: "${url} ${item}"}
            output: ${url}
        """)
        == []
    )


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ("{type: noop, foreach: [1], when: item == 1}", "there is no 'item' here yet"),
        ("{type: noop, foreach: '${[index]}'}", "there is no 'index' here yet"),
        (
            "{type: noop, foreach: {in: [1], as: url}, title: '${item}'}",
            "the items here are called url, as `as` says",
        ),
        ("{type: noop, repeat: {until: true}, when: iteration > 1}", "there is no 'iteration'"),
        ("{type: noop, when: '${vars.n > }'}", "the expression ends too early"),
        ("{type: noop, when: '${true} and ${false}'}", "a condition is one expression"),
    ],
)
def test_where_names_are_not_there_yet(node: str, message: str) -> None:
    (found,) = messages(f"flow: hello\nvars: {{n: 1}}\nnodes:\n  a: {node}")
    assert found.startswith(message)


def test_first_values_and_labels_read_input_and_run_only() -> None:
    assert messages("""
        flow: hello
        vars: {a: "${run.id}", b: "${vars.a}", c: "${nodes.x.output}", d: "${1 +}"}
        labels: {l: "${vars.a} ${run.flow}"}
        nodes: {x: {type: noop}}
        """) == [
        "'vars' cannot be used here: a variable's first value can read input and run only",
        "'nodes' cannot be used here: a variable's first value can read input and run only",
        "the expression ends too early: something is missing",
        "'vars' cannot be used here: a label can read input and run only",
    ]


@pytest.mark.parametrize(
    ("edge", "read", "found"),
    [
        ("on: failure", "error.message", []),
        ("on: [failure, timeout, cancelled]", "error.message", []),
        ("on: always", "error.message", ["FR413"]),
        ("on: always", "default(error.message, 1)", []),
        ("on: [success, failure]", "error.type if has(error) else 1", []),
        ("on: success", "error.message", ["FR403"]),
        ("on: failure", "error.mesage", ["FR408"]),
        ("on: failure, when: error.type == 'X'", "error.details.code", []),
        ("on: success, when: error.type == 'X'", "1", ["FR403"]),
    ],
)
def test_an_error_is_there_where_a_failure_leads(edge: str, read: str, found: list[str]) -> None:
    text = f"""
        flow: hello
        nodes:
          a: {{type: noop, next: [{{to: b, {edge}}}]}}
          b: {{type: noop, title: "${{{read}}}"}}
        """
    assert [code.split()[0] for code in codes(text)] == found


def test_a_node_that_two_ways_lead_to_may_have_no_error() -> None:
    assert codes("""\
        flow: hello
        nodes:
          a: {type: noop, next: {failure: c}}
          b: {type: noop, next: c}
          c: {type: noop, title: "${error.message}", next: {failure: d}}
          d: {type: block, nodes: {x: {type: noop, title: "${error.message}"}}}
        """) == ["FR413 5:29"]


def test_what_is_known_of_an_output_is_checked() -> None:
    assert messages("""
        flow: hello
        nodes:
          ask: {type: approval, next: {approved: b, rejected: b}}
          b:
            type: block
            next: [c, d]
            nodes: {x: {type: noop}}
            output: {count: 1, list: []}
          c: {type: noop, foreach: [1]}
          d:
            type: noop
            title: "${nodes.ask.output.bye} ${nodes.b.output.cuont} ${nodes.b.output.count.x}"
        output: "${nodes.c.output.x} ${nodes.c.output[0].x}"
        """) == [
        "nodes.ask.output has no 'bye'; did you mean 'by'?",
        "nodes.b.output has no 'cuont'; did you mean 'count'?",
        "the output of 'c' is a list, for it has a `foreach`; read a place of it, such as "
        "nodes.c.output[0].x",
    ]


PLACES = r"""flow: hello
nodes:
  a:
    type: log
    title: plain ${one} text
    description: "nothing ${here}"
    params:
      message: "quoted \"x\" ${two} ${two}"
      data:
        - |
          first line
          second ${three}
        - >-
          folded
          text ${four}
        - 'single ''quotes'' ${five}'
    when: six > 1
    next:
      - to: b
        when: ${seven}
  b: {type: noop, title: "${ eight }"}
output: {deep: [{x: "${nine}"}]}
"""


def test_a_problem_is_placed_inside_its_text() -> None:
    lines = PLACES.splitlines()
    found = [tuple(map(int, code.split()[1].split(":"))) for code in codes(PLACES)]
    words = [lines[line - 1][column - 1 :].split("}")[0].split()[0] for line, column in found]
    assert words == ["one", "two", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    assert found[1] != found[2]


BLANKS = """flow: hello
nodes:
  a:
    type: log
    params:
      message: one ${run.id + }
      data:
        - two ${ run.id +   }
        - "three ${ }"
        - |
          four ${run.id +
          }
        - ${run.id
    next: [{to: b, when: "run.id == "}]
  b: {type: noop}
"""


def test_a_mistake_at_a_blank_is_placed_at_what_stands_next_to_it() -> None:
    lines = BLANKS.splitlines()
    found = [tuple(map(int, code.split()[1].split(":"))) for code in codes(BLANKS)]
    signs = [lines[line - 1][column - 1 :] for line, column in found]
    assert signs == ["}", "}", '}"', "}", "${run.id", '= "}]']


def test_a_timeout_that_a_run_works_out_is_checked_like_any_expression() -> None:
    found = codes("""\
        flow: f
        nodes:
          a: {type: noop, next: b}
          b: {type: approval, timeout: "${nodes.c.output}"}
        """)
    assert found == ["FR407 4:35"]
