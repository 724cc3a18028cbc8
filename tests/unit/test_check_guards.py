"""Reads that are safe need no guard, reads that are not are found."""

from __future__ import annotations

import re
from textwrap import dedent

import pytest

from tests.unit.checking import codes, messages

SAFE = {
    "a chain": """
        nodes:
          a: {type: noop, next: b}
          b: {type: noop, next: c}
          c: {type: noop, title: "${nodes.a.output} ${nodes.b.output}"}
        output: ["${nodes.a.output}", "${nodes.c.output}"]
    """,
    "parallel branches that meet": """
        nodes:
          a: {type: noop, next: [b, c]}
          b: {type: noop, next: d}
          c: {type: noop, next: d}
          d: {type: noop, title: "${nodes.b.output} ${nodes.c.output}"}
        output: "${nodes.b.output} ${nodes.d.output}"
    """,
    "parallel starts, and branches of unequal length": """
        nodes:
          a: {type: noop, next: c}
          b: {type: noop, next: b2}
          b2: {type: noop, next: c}
          c: {type: noop, title: "${nodes.a.output} ${nodes.b.output} ${nodes.b2.output}"}
        output: ${nodes.b2.output}
    """,
    "after a choice whose branches meet": """
        nodes:
          a: {type: noop, next: [{to: b, when: input.x}, {to: c, otherwise: true}]}
          b: {type: noop, next: d}
          c: {type: noop, next: d}
          d: {type: noop, next: e}
          e: {type: noop, title: "${nodes.d.output} ${nodes.a.output}"}
        output: ${nodes.d.output}
    """,
    "a choice beside a branch, then all meet": """
        nodes:
          a: {type: noop, next: [p, q]}
          p: {type: noop, next: [{to: b, when: input.x}, {to: c, otherwise: true}]}
          b: {type: noop, next: d}
          c: {type: noop, next: d}
          d: {type: noop, next: e}
          q: {type: noop, next: e}
          e: {type: noop, title: "${nodes.d.output} ${nodes.q.output}"}
        output: ${nodes.e.output}
    """,
    "all actions of an approval lead on": """
        nodes:
          ask: {type: approval, next: {approved: a, rejected: b}}
          a: {type: noop, next: c}
          b: {type: noop, next: c}
          c: {type: noop}
        output: "${nodes.c.output} ${nodes.ask.action}"
    """,
    "a failure that is handled leads on too": """
        nodes:
          a: {type: noop, next: {success: b, failure: c}}
          b: {type: noop, next: d}
          c: {type: noop, title: "${error.message} ${nodes.a.error.type}", next: d}
          d: {type: noop}
        output: ${nodes.d.output}
    """,
    "ways into fail do not come to the output": """
        nodes:
          a: {type: noop, next: [{to: bad, when: input.x}, {to: b, otherwise: true}]}
          bad: {type: fail, params: {message: No}}
          b: {type: noop}
        output: ${nodes.b.output}
    """,
    "ways into return do not come to the output": """
        nodes:
          a: {type: noop, next: [{to: early, when: input.x}, {to: b, otherwise: true}]}
          early: {type: return}
          b: {type: noop}
        output: ${nodes.b.output}
    """,
    "inside and after a loop": """
        nodes:
          poll: {type: noop, next: check}
          check:
            type: noop
            title: "${nodes.poll.output} ${iteration}"
            next: [{to: again, when: "nodes.poll.output == 1"}, {to: done, otherwise: true}]
          again: {type: noop, next: poll}
          done: {type: noop, title: "${nodes.poll.output} ${nodes.check.output}"}
        output: ${nodes.done.output}
    """,
    "a loop beside a branch, then all meet": """
        nodes:
          start: {type: noop, next: [poll, other]}
          poll: {type: noop, next: [{to: poll, when: input.x}, {to: done, otherwise: true}]}
          done: {type: noop, next: both}
          other: {type: noop, next: both}
          both: {type: noop, title: "${nodes.done.output} ${nodes.other.output}"}
        output: ${nodes.both.output}
    """,
    "a join of a number that is all": """
        nodes:
          a: {type: noop, next: [{to: c, when: input.x}]}
          b: {type: noop, next: [{to: c, when: input.x}]}
          c: {type: noop, join: 2, title: "${nodes.a.output} ${nodes.b.output}"}
    """,
    "a join of a number that is surely met": """
        nodes:
          a: {type: noop, next: c}
          b: {type: noop, next: c}
          c: {type: noop, join: 2}
        output: ${nodes.c.output}
    """,
    "the winner of a race": """
        nodes:
          a: {type: noop, next: c}
          b: {type: noop, next: c}
          c: {type: noop, join: race}
        output: ${nodes.c.output}
    """,
    "what has ended before a race begins": """
        nodes:
          start: {type: noop, next: [a, b]}
          a: {type: noop, next: both}
          b: {type: noop, next: both}
          both: {type: noop, title: "${nodes.a.output} ${nodes.b.output}", next: [c, d]}
          c: {type: noop, next: first}
          d: {type: noop, next: first}
          first: {type: noop, join: race, title: "${nodes.a.output} ${nodes.both.output}"}
        output: ${nodes.b.output}
    """,
    "what came before a branch point, inside a block": """
        nodes:
          a: {type: noop, next: each}
          each:
            type: block
            foreach: [1, 2]
            nodes:
              x: {type: noop, title: "${nodes.a.output} ${item} ${index}", next: y}
              y: {type: noop, title: "${nodes.x.output}"}
            output: "${nodes.y.output} ${item}"
        output: ${nodes.each.output[0]}
    """,
    "an undo sees what it undoes": """
        nodes:
          a: {type: noop, next: b}
          b: {type: noop, undo: u}
          u: {type: noop, title: "${nodes.b.output} ${nodes.a.output} ${error.message}"}
    """,
    "the condition of an edge sees its source": """
        nodes:
          a: {type: noop, next: [{to: b, when: nodes.a.output == 1}]}
          b: {type: noop, title: "${nodes.a.output}"}
    """,
    "the condition of a repeat sees this round": """
        nodes:
          a: {type: noop, repeat: {until: "nodes.a.output == iteration"}}
    """,
    "the condition of the node is the guard": """
        nodes:
          a: {type: noop, when: input.x, next: b}
          b:
            type: noop
            when: ${has(nodes.a.output)}
            title: "${nodes.a.output}"
          z: {type: noop}
        edges: [{from: a, to: b, on: skipped}]
    """,
    "the condition of the only edge is the guard": """
        nodes:
          a: {type: noop, when: input.x, next: b}
          b: {type: noop, next: [{to: c, when: "nodes.a.outcome == 'success'"}]}
          c: {type: noop, title: "${nodes.a.output}"}
        edges: [{from: a, to: b, on: skipped}]
    """,
    "cleaning up after a cancellation": """
        nodes:
          a: {type: noop, next: b}
          b: {type: noop, next: {cancelled: clean}}
          clean: {type: noop, title: "${nodes.a.output} ${error.message}"}
    """,
    "the outcome of what has surely ended": """
        nodes:
          a: {type: noop, when: input.x, next: b}
          b: {type: noop, title: "${nodes.a.outcome}"}
        edges: [{from: a, to: b, on: skipped}]
    """,
}

UNSAFE = {
    "one branch of a choice": (
        """
        nodes:
          a: {type: noop, next: [{to: b, when: input.x}, {to: c}]}
          b: {type: noop, next: c}
          c: {type: noop, title: "${nodes.b.output}"}
        """,
        "nodes.b.output",
    ),
    "a node with a condition, in the output": (
        """
        nodes:
          a: {type: noop, when: input.x}
        output: ${nodes.a.output}
        """,
        "nodes.a.output",
    ),
    "a node whose failure goes on": (
        """
        nodes:
          a: {type: noop, next: {success: b, failure: b}}
          b: {type: noop, title: "${nodes.a.output}"}
        """,
        "nodes.a.output",
    ),
    "one branch into an any": (
        """
        nodes:
          a: {type: noop, next: c}
          b: {type: noop, next: c}
          c: {type: noop, join: any, title: "${nodes.a.output}"}
        """,
        "nodes.a.output",
    ),
    "the loser of a race, in the output": (
        """
        nodes:
          a: {type: noop, next: c}
          b: {type: noop, next: c}
          c: {type: noop, join: race}
        output: ${nodes.a.output}
        """,
        "nodes.a.output",
    ),
    "the last round, in the first": (
        """
        nodes:
          a: {type: noop, title: "${nodes.b.output}", next: b}
          b: {type: noop, next: [{to: a, when: input.x}]}
        """,
        "nodes.b.output",
    ),
    "a round of its own, in the first": (
        """
        nodes:
          a: {type: noop, title: "${nodes.a.output}", repeat: {until: input.x}}
        """,
        "nodes.a.output",
    ),
    "a node after a way into fail, beside which others go on": (
        """
        nodes:
          a: {type: noop, next: [{to: slow, when: input.x}, {to: b, otherwise: true}]}
          slow: {type: wait, params: {for: 1h}, next: bad}
          bad: {type: fail, params: {message: No}}
          b: {type: noop, next: c}
          z: {type: noop, next: c}
          c: {type: noop, title: "${nodes.b.output}"}
        """,
        "nodes.b.output",
    ),
    "an error that need not be": (
        """
        nodes:
          a: {type: noop, next: {success: b, failure: b}}
          b: {type: noop, title: "${nodes.a.error.message}"}
        """,
        "nodes.a.error",
    ),
    "an action that need not be": (
        """
        nodes:
          a: {type: approval, timeout: 1h, next: {approved: b, rejected: b, timeout: b}}
          b: {type: noop, title: "${nodes.a.action}"}
        """,
        "nodes.a.action",
    ),
    "a condition of another edge": (
        """
        nodes:
          a: {type: noop, when: input.x, next: b}
          b: {type: noop, next: [{to: c, when: has(nodes.a.output)}, {to: c, on: failure}]}
          c: {type: noop, title: "${nodes.a.output}"}
        edges: [{from: a, to: b, on: skipped}]
        """,
        "nodes.a.output",
    ),
}

HEAD = "flow: hello\ninput: {required: [x], properties: {x: {type: boolean}}}\n"


@pytest.mark.parametrize("name", SAFE)
def test_a_read_of_what_is_surely_there_needs_no_guard(name: str) -> None:
    assert messages(HEAD + dedent(SAFE[name])) == []


@pytest.mark.parametrize("name", UNSAFE)
def test_a_read_of_what_may_be_absent_needs_a_guard(name: str) -> None:
    text, path = UNSAFE[name]
    (message,) = messages(HEAD + dedent(text))
    assert f"write default({path}, …), or ask has({path})" in message


@pytest.mark.parametrize("name", UNSAFE)
@pytest.mark.parametrize("guard", ["default({}, 1)", "1 if not has({}) else {}"])
def test_a_guard_settles_it(name: str, guard: str) -> None:
    text, path = UNSAFE[name]
    guarded = guard.replace("{}", path)
    settled = re.sub(r"\$\{nodes[^}]*\}", "${" + guarded + "}", text)
    assert messages(HEAD + dedent(settled)) == []


@pytest.mark.parametrize(
    ("read", "message"),
    [
        ("nodes.a.output", "'a' runs only after 'b', so it cannot be read here"),
        ("nodes.b.output", "'b' reads itself, and has not run yet"),
        ("nodes.p.output", "no path leads from 'p' to here, so it may or may not have run;"),
        ("default(nodes.a.output, 1)", "'a' runs only after 'b', so it cannot be read here"),
    ],
)
def test_what_cannot_have_run_yet_cannot_be_read(read: str, message: str) -> None:
    (found,) = messages(f"""
        flow: hello
        nodes:
          b: {{type: noop, title: "${{{read}}}", next: a}}
          a: {{type: noop}}
          p: {{type: noop}}
        """)
    assert found.startswith(message)


def test_a_block_cannot_be_read_from_inside_and_its_inside_not_from_outside() -> None:
    found = codes("""\
        flow: hello
        nodes:
          b:
            type: block
            next: c
            nodes:
              x: {type: noop, title: "${nodes.b.output}"}
          c: {type: noop, title: "${nodes.x.output}"}
        """)
    assert found == ["FR410 7:33", "FR411 8:29"]
