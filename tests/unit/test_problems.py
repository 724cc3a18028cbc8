"""How problems are told: to people, to programs, to code hosts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flowspec.problems import (
    CODES,
    FlowInvalid,
    Problem,
    as_json,
    as_sarif,
    has_errors,
    in_order,
    text,
)

TITLE = Problem(
    code="FR201",
    message="unknown key 'tittle'; did you mean 'title'?",
    path=("nodes", "a", "tittle"),
    line=3,
    column=9,
    found="tittle",
    expected="type or title",
    suggestion="title",
)
LATER = Problem(code="FR202", message="'type' is missing", line=10, column=2)
WARNING = Problem(code="FR207", message="odd", line=1, column=1, severity="warning")
NOWHERE = Problem(code="FR701", message="input: 'sku' is missing", path=("input",))


def test_a_problem_has_a_declared_code() -> None:
    with pytest.raises(ValueError, match="'FR999' is not a declared problem code"):
        Problem(code="FR999", message="what")


def test_a_place_is_whole_or_not_there() -> None:
    with pytest.raises(ValueError, match="a line and a column"):
        Problem(code="FR201", message="what", line=1)


def test_the_anchor_leads_to_the_code_in_the_reference() -> None:
    assert TITLE.anchor == "docs/reference/errors.md#fr201"


def test_problems_are_ordered_by_place_and_those_without_come_last() -> None:
    assert in_order([NOWHERE, LATER, TITLE, WARNING]) == (WARNING, TITLE, LATER, NOWHERE)


def test_as_text_a_problem_is_a_line_as_compilers_write_it() -> None:
    assert text([WARNING, TITLE, NOWHERE], "flows/a.yaml").splitlines() == [
        "flows/a.yaml:1:1: FR207 warning: odd",
        "flows/a.yaml:3:9: FR201 unknown key 'tittle'; did you mean 'title'?",
        "flows/a.yaml: FR701 input: 'sku' is missing",
    ]
    assert text([TITLE]).startswith("3:9: FR201 ")
    assert text([NOWHERE]) == "FR701 input: 'sku' is missing"


def test_only_errors_make_a_flow_invalid() -> None:
    assert has_errors([WARNING, TITLE])
    assert not has_errors([WARNING])
    assert as_json([WARNING])["valid"] is True


def test_as_json_a_problem_has_all_its_parts() -> None:
    assert as_json([TITLE], "a.yaml") == {
        "file": "a.yaml",
        "valid": False,
        "problems": [
            {
                "code": "FR201",
                "severity": "error",
                "message": "unknown key 'tittle'; did you mean 'title'?",
                "path": ["nodes", "a", "tittle"],
                "line": 3,
                "column": 9,
                "found": "tittle",
                "expected": "type or title",
                "suggestion": "title",
                "anchor": "docs/reference/errors.md#fr201",
            }
        ],
    }


def test_as_sarif_problems_refer_to_the_rules_they_break() -> None:
    log: Any = as_sarif([TITLE, WARNING, NOWHERE, TITLE], "my flows/a.yaml", version="1.2")
    assert json.loads(json.dumps(log)) == log
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert (driver["name"], driver["version"]) == ("flowrunner", "1.2")
    assert [rule["id"] for rule in driver["rules"]] == ["FR201", "FR207", "FR701"]
    results = run["results"]
    assert [(r["ruleId"], r["ruleIndex"], r["level"]) for r in results] == [
        ("FR201", 0, "error"),
        ("FR207", 1, "warning"),
        ("FR701", 2, "error"),
        ("FR201", 0, "error"),
    ]
    place = results[0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "my%20flows/a.yaml"}
    assert place["region"] == {"startLine": 3, "startColumn": 9}
    assert "region" not in results[2]["locations"][0]["physicalLocation"]


def test_as_sarif_without_problems_is_a_log_without_results() -> None:
    log: Any = as_sarif([])
    (run,) = log["runs"]
    assert run["results"] == []


def test_an_invalid_flow_tells_all_its_problems() -> None:
    invalid = FlowInvalid([LATER, TITLE])
    assert invalid.problems == (TITLE, LATER)
    assert str(invalid).splitlines() == [
        "3:9: FR201 unknown key 'tittle'; did you mean 'title'?",
        "10:2: FR202 'type' is missing",
    ]


def test_codes_are_listed_in_order_and_explained() -> None:
    assert list(CODES) == sorted(CODES)
    for entry in CODES.values():
        assert entry.title
        assert entry.explanation.strip()
        assert entry.remedy.strip()
        assert entry.example.strip()
