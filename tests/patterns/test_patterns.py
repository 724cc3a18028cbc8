"""The page of control-flow patterns names all 43, and claims nothing that no test shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from activities.catalogue import catalogue
from flowspec.check import check
from tests.patterns.page import Pattern, patterns, table

NAMES = """\
Sequence / Parallel Split / Synchronization / Exclusive Choice / Simple Merge / Multi-Choice /
Structured Synchronizing Merge / Multi-Merge / Structured Discriminator / Arbitrary Cycles /
Implicit Termination / Multiple Instances without Synchronization /
Multiple Instances with a Priori Design-Time Knowledge /
Multiple Instances with a Priori Run-Time Knowledge /
Multiple Instances without a Priori Run-Time Knowledge / Deferred Choice /
Interleaved Parallel Routing / Milestone / Cancel Task / Cancel Case / Structured Loop / Recursion /
Transient Trigger / Persistent Trigger / Cancel Region / Cancel Multiple Instance Activity /
Complete Multiple Instance Activity / Blocking Discriminator / Cancelling Discriminator /
Structured Partial Join / Blocking Partial Join / Cancelling Partial Join / Generalized AND-Join /
Static Partial Join for Multiple Instances / Cancelling Partial Join for Multiple Instances /
Dynamic Partial Join for Multiple Instances / Local Synchronizing Merge /
General Synchronizing Merge / Critical Section / Interleaved Routing / Thread Merge / Thread Split /
Explicit Termination"""

_TESTED = re.compile(r"^def test_wcp_(\d+)_", re.MULTILINE)


def numbers_tested() -> list[int]:
    """The numbers of the patterns that the tests beside this one play."""
    texts = (path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    return [int(number) for text in texts for number in _TESTED.findall(text)]


def test_all_43_patterns_are_there_under_their_names() -> None:
    names = [" ".join(name.split()) for name in NAMES.split("/")]
    assert [(found.number, found.name) for found in patterns()] == list(enumerate(names, start=1))


def test_the_overview_says_what_the_sections_say() -> None:
    said = {
        found.number: (found.name, f"wcp-{found.number}-{anchor(found.name)}", *found.verdicts)
        for found in patterns()
    }
    assert table() == said


def anchor(name: str) -> str:
    return re.sub(r"[^\w\- ]", "", name.lower()).replace(" ", "-")


@pytest.mark.parametrize("pattern", patterns(), ids=lambda pattern: f"wcp-{pattern.number}")
def test_what_is_claimed_is_shown_and_tested(pattern: Pattern) -> None:
    claimed = pattern.verdicts != ("no",)
    assert bool(pattern.flows) is claimed
    assert (pattern.number in numbers_tested()) is claimed


@pytest.mark.parametrize(
    "text",
    [text for pattern in patterns() for text in pattern.flows],
    ids=lambda text: text.partition("\n")[0].removeprefix("flow: "),
)
def test_every_flow_of_the_page_is_valid(text: str) -> None:
    assert [str(problem) for problem in check(text, catalogue()).problems] == []
