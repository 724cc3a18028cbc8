"""The reference of the flow document names every key of the model, and no other."""

from __future__ import annotations

import re

import pytest
from pydantic import BaseModel

from flowspec.document import Flow
from flowspec.edges import Arrow
from flowspec.modifiers import Foreach, Lock, Rate, Repeat, Retry
from flowspec.nodes import Node
from flowspec.schedules import Schedule
from tests.project.markdown import ROOT

PAGE = (ROOT / "docs" / "reference" / "flow-format.md").read_text(encoding="utf-8")
SECTIONS: list[tuple[str, type[BaseModel], set[str]]] = [
    ("## The flow", Flow, set()),
    ("## Nodes", Node, set()),
    ("## Edges", Arrow, {"from"}),
    ("### Foreach", Foreach, set()),
    ("### Repeat", Repeat, set()),
    ("### Retry and timeouts", Retry, set()),
    ("### Lock", Lock, set()),
    ("### Rate", Rate, set()),
    ("## Schedules", Schedule, set()),
]


@pytest.mark.parametrize(("heading", "model", "more"), SECTIONS, ids=[s[0] for s in SECTIONS])
def test_the_table_has_exactly_the_keys_of_the_model(
    heading: str, model: type[BaseModel], more: set[str]
) -> None:
    keys = {field.alias or name for name, field in model.model_fields.items()}
    assert _keys_in_table_after(heading) == keys | more


def _keys_in_table_after(heading: str) -> set[str]:
    section = PAGE.split(f"\n{heading}\n", 1)[1]
    table = re.search(r"^\| key \|.*?(?=\n\n)", section, re.MULTILINE | re.DOTALL)
    assert table is not None
    first_cells = re.findall(r"^\| (`[^|]*?) \|", table[0], re.MULTILINE)
    return {key for cell in first_cells for key in re.findall(r"`(\w+)`", cell)}
