"""Every error that a run can end with is on one page."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from claimcheck.errors import __all__ as claim_check_errors
from flowspec.builtin import BUILTIN
from scripts.run_errors_page import run_errors_page
from tests.project.markdown import ROOT

PAGE = "docs/reference/run-errors.md"
PLACES = ("flowspec/machine", "workflows", "activities/resolve.py")


def _told() -> set[str]:
    return set(re.findall(r"^\| `(\w+)` \|", run_errors_page(), re.MULTILINE))


def _raised(file: Path) -> Iterator[str]:
    """The names in `make_error("Name", …)` and `ApplicationError(…, type="Name")`."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    constants = {
        node.targets[0].id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        kinds = [word.value for word in call.keywords if word.arg == "type"]
        kinds += call.args[:1] if name == "make_error" else []
        for kind in kinds if name in ("make_error", "ApplicationError") else []:
            value = constants.get(kind.id, kind) if isinstance(kind, ast.Name) else kind
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield value.value


def test_the_page_is_up_to_date() -> None:
    kept = (ROOT / PAGE).read_text(encoding="utf-8")
    assert kept == run_errors_page(), f"renew it: python -m scripts.run_errors_page > {PAGE}"


def test_it_has_every_error_that_the_interpreter_makes() -> None:
    places = [ROOT / place for place in PLACES]
    files = [
        file for place in places for file in (place.rglob("*.py") if place.is_dir() else [place])
    ]
    raised = {name for file in files for name in _raised(file)}
    assert {"FlowNotFound", "LoopLimit", "InterpreterError"} <= raised
    assert raised - _told() == set()


def test_it_has_every_error_of_large_values_and_of_nodes_without_an_activity() -> None:
    kinds = set(claim_check_errors) - {"ClaimCheckError"}
    inline = {error.name for node_type in BUILTIN for error in node_type.errors}
    assert (kinds | inline) - _told() == set()
