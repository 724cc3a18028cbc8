"""Results as JUnit XML, which most services that run tests can show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

__all__ = ["Outcome", "junit_xml"]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One case; `failure` says what it has against it, `error` why it could not be tried."""

    file: str
    name: str
    line: int = 1
    seconds: float = 0.0
    failure: str | None = None
    error: str | None = None


def junit_xml(outcomes: Sequence[Outcome]) -> str:
    files = dict.fromkeys(each.file for each in outcomes)
    root = ElementTree.Element("testsuites", _counts(outcomes))
    for file in files:
        mine = [each for each in outcomes if each.file == file]
        suite = ElementTree.SubElement(root, "testsuite", {"name": file, **_counts(mine)})
        for each in mine:
            _add(suite, each)
    ElementTree.indent(root)
    text: str = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'


def _counts(outcomes: Sequence[Outcome]) -> dict[str, str]:
    return {
        "tests": str(len(outcomes)),
        "failures": str(sum(each.failure is not None for each in outcomes)),
        "errors": str(sum(each.error is not None for each in outcomes)),
        "time": f"{sum(each.seconds for each in outcomes):.3f}",
    }


def _add(suite: ElementTree.Element, outcome: Outcome) -> None:
    facts = {
        "classname": outcome.file,
        "name": outcome.name,
        "file": outcome.file,
        "line": str(outcome.line),
        "time": f"{outcome.seconds:.3f}",
    }
    case = ElementTree.SubElement(suite, "testcase", facts)
    for kind, text in (("failure", outcome.failure), ("error", outcome.error)):
        if text is not None:
            shown = _printable(text)
            told = ElementTree.SubElement(case, kind, {"message": shown.partition("\n")[0]})
            told.text = shown


def _printable(text: str) -> str:
    """XML has no way to write most control characters."""
    return "".join(c if c in "\n\t" or ord(c) >= 32 else "�" for c in text)
