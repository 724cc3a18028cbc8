"""Each code's example has exactly the problem it explains."""

from __future__ import annotations

import pytest

from flowspec.jsonschemas import check_input
from flowspec.model import parse_flow
from flowspec.problems import CODES

DOCUMENT = [code for code in CODES if code.startswith(("FR1", "FR2"))]
INPUT = [code for code in CODES if code.startswith("FR7")]


@pytest.mark.parametrize("code", DOCUMENT)
def test_the_example_of_a_document_code_has_that_problem_alone(code: str) -> None:
    problems = parse_flow(CODES[code].example).problems
    assert [problem.code for problem in problems] == [code]


@pytest.mark.parametrize("code", INPUT)
def test_the_example_of_an_input_code_has_that_problem_alone(code: str) -> None:
    parsed = parse_flow(CODES[code].example)
    assert parsed.problems == ()
    assert parsed.flow is not None
    _, problems = check_input(parsed.flow.input, CODES[code].example_input)
    assert [problem.code for problem in problems] == [code]
