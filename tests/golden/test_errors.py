"""Every problem code has an example, and what it is told is known to the letter.

After a change that is meant: `python -m tests.golden.write`.
"""

from __future__ import annotations

import pytest

from flowspec.codes import CODES
from tests.golden.problems import GOLDEN, PAGE, message_of, page, problems_of


@pytest.mark.parametrize("code", CODES)
def test_an_example_has_exactly_its_own_problem(code: str) -> None:
    assert [problem.code for problem in problems_of(code)] == [code]


@pytest.mark.parametrize("code", CODES)
def test_what_a_problem_is_told_as_is_known_to_the_letter(code: str) -> None:
    golden = GOLDEN / f"{code}.txt"
    assert golden.exists(), f"{code} has no golden text"
    assert message_of(code) == golden.read_text(encoding="utf-8")


def test_no_golden_text_outlives_its_code() -> None:
    assert sorted(path.stem for path in GOLDEN.glob("*.txt")) == sorted(CODES)


def test_the_reference_page_is_made_from_the_codes() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()


def test_every_code_has_its_place_on_the_page() -> None:
    headings = [line for line in page().splitlines() if line.startswith("### ")]
    assert headings == [f"### {code}" for code in CODES]
