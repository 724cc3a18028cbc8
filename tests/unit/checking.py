"""Checking small flows, for the tests of the check."""

from __future__ import annotations

from collections.abc import Collection
from textwrap import dedent

from activities.catalogue import catalogue
from flowspec.check import Checked, check
from flowspec.plan import NodePlan, Plan

__all__ = ["checked", "codes", "messages", "node_of", "plan_of"]


def checked(text: str, flow_names: Collection[str] | None = None) -> Checked:
    return check(dedent(text), catalogue(), flow_names=flow_names)


def codes(text: str, flow_names: Collection[str] | None = None) -> list[str]:
    """Each problem as `CODE LINE:COLUMN`, in order."""
    return [f"{p.code} {p.line}:{p.column}" for p in checked(text, flow_names).problems]


def messages(text: str) -> list[str]:
    return [problem.message for problem in checked(text).problems]


def plan_of(text: str) -> Plan:
    found = checked(text)
    assert found.problems == ()
    assert found.plan is not None
    return found.plan


def node_of(text: str, name: str) -> NodePlan:
    return next(node for node in plan_of(text).graph.nodes if node.id == name)
