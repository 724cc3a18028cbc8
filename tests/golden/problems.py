"""What each problem code's example is told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from activities.catalogue import catalogue
from flowspec.check import check
from flowspec.codes import CODES
from flowspec.codes.page import errors_page
from flowspec.jsonschemas import check_input
from flowspec.problems import Problem, text

GOLDEN = Path(__file__).parent / "errors"
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "errors.md"


def problems_of(code: str) -> Sequence[Problem]:
    """The problems of a code's example: of the flow, or of the input it is started with."""
    entry = CODES[code]
    checked = check(
        entry.example,
        catalogue(),
        flow_names=entry.example_flows,
        file_name=entry.example_file,
    )
    if not code.startswith("FR7"):
        return checked.problems
    assert checked.problems == ()
    assert checked.plan is not None
    return check_input(checked.plan.input, entry.example_input)[1]


def message_of(code: str) -> str:
    file = None if code.startswith("FR7") else CODES[code].example_file or "hello.yaml"
    return text(problems_of(code), file) + "\n"


def page() -> str:
    return errors_page(CODES.values(), {code: message_of(code) for code in CODES})
