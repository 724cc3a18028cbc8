"""Secrets: only declared ones, only where nobody can see them."""

from __future__ import annotations

import pytest

from tests.unit.checking import checked, codes, messages


def test_a_secret_may_stand_in_the_parameters_that_take_it() -> None:
    assert (
        codes("""\
        flow: hello
        secrets: [TOKEN]
        nodes:
          a:
            type: http.request
            params:
              url: https://x
              headers: {Authorization: "Bearer ${secrets.TOKEN}"}
        """)
        == []
    )


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ("{type: log, params: {message: '${secrets.T}'}}", "'message' of log: a log line would"),
        ("{type: set, params: {v: '${secrets.T}'}}", "'v' of set: variables are stored in the"),
        ("{type: approval, params: {title: '${secrets.T}'}}", "'title' of approval: people would"),
        ("{type: event, params: {name: '${secrets.T}'}}", "'name' of event, which is stored in"),
        ("{type: noop, title: '${secrets.T}'}", "a title, which is stored in the history"),
        ("{type: noop, when: secrets.T == 'x'}", "a condition, which is stored in the history"),
        ("{type: noop, foreach: '${secrets.T}'}", "the items of a foreach, which is stored in"),
        (
            "{type: log, params: {message: x}, cache: {key: '${secrets.T}', ttl: 1h}}",
            "the key of a cache, which is stored in",
        ),
    ],
)
def test_a_secret_stands_nowhere_else(node: str, message: str) -> None:
    (found,) = messages(f"flow: hello\nsecrets: [T]\nvars: {{v: 1}}\nnodes:\n  a: {node}\n")
    assert found.startswith(f"the secret 'T' cannot stand in {message}")


@pytest.mark.parametrize(
    "place", ["output: '${secrets.T}'", "vars: {v: '${secrets.T}'}", "labels: {l: '${secrets.T}'}"]
)
def test_a_secret_does_not_leave_the_flow(place: str) -> None:
    text = f"flow: hello\nsecrets: [T]\nnodes: {{a: {{type: noop}}}}\n{place}\n"
    assert [code.split()[0] for code in codes(text)] == ["FR602"]


def test_a_guard_is_no_way_around() -> None:
    text = "flow: hello\nsecrets: [T]\nnodes: {a: {type: noop, when: has(secrets.T)}}\n"
    assert [code.split()[0] for code in codes(text)] == ["FR602"]


def test_a_misspelt_secret_is_not_called_unused_only() -> None:
    assert messages("""
        flow: hello
        secrets: [API_TOKEN]
        nodes:
          a: {type: http.request, params: {url: "https://x/${secrets.API_TOKN}"}}
        """) == [
        "the secret 'API_TOKEN' is declared, but nothing uses it; remove it",
        "the secret 'API_TOKN' is not declared; did you mean 'API_TOKEN'?",
    ]


def test_an_unused_secret_is_a_warning_and_the_flow_runs() -> None:
    found = checked("flow: hello\nsecrets: [A]\nnodes: {a: {type: noop}}\n")
    assert [problem.severity for problem in found.problems] == ["warning"]
    assert found.plan is not None
    assert found.plan.secrets == ("A",)


def test_a_secret_that_a_broken_expression_may_use_is_not_called_unused() -> None:
    text = """\
        flow: hello
        secrets: [A]
        nodes:
          a: {type: http.request, params: {url: "https://x/${secrets.A +}"}}
        """
    assert codes(text) == ["FR401 4:65"]
