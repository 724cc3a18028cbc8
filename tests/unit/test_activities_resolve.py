"""Resolving a flow for a run: what cannot travel through Temporal is refused here."""

from __future__ import annotations

from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.catalogue import catalogue
from activities.flows import FlowDirectory
from activities.resolve import FlowResolver

DEFAULTS = (
    "defaults: {retry: {attempts: 9, interval: 7s, factor: 3, max_interval: 9m, jitter: 0.5,\n"
    "  only: [Timeout, ExpressionError, InvalidParams, TooLarge, Cancelled]}}\n"
)


async def test_a_plan_too_large_for_temporal_is_refused_with_its_size(tmp_path: Path) -> None:
    nodes = "\n".join(f"  n{n}: {{type: log, params: {{message: x}}}}" for n in range(9_000))
    text = f"flow: huge\n{DEFAULTS}nodes:\n{nodes}\n"
    resolver = FlowResolver(FlowDirectory(tmp_path), catalogue(), search_attributes=False)
    with pytest.raises(ApplicationError, match="the flow is too large: its plan measures 2,") as it:
        await ActivityEnvironment().run(resolver.resolve, {"text": text})
    assert it.value.type == "FlowInvalid"
    assert it.value.non_retryable
