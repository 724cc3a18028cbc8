"""The page of the node types is what their declarations say."""

from __future__ import annotations

from activities.catalogue import catalogue
from scripts.node_types_page import node_types_page
from tests.project.markdown import ROOT

PAGE = "docs/reference/node-types.md"


def test_the_page_is_up_to_date() -> None:
    kept = (ROOT / PAGE).read_text(encoding="utf-8")
    assert kept == node_types_page(), f"renew it: python -m scripts.node_types_page > {PAGE}"


def test_it_describes_every_node_type_with_an_example_of_it() -> None:
    sections = node_types_page().split("\n## ")[1:]
    assert [section.partition("\n")[0] for section in sections] == list(catalogue())
    assert all("```yaml\nflow:" in section for section in sections)
