"""Names that histories and other programs depend on: contracts, never changed."""

from __future__ import annotations

from temporalio.common import SearchAttributeKey

__all__ = [
    "CACHE_ENTRY",
    "COMPLETE",
    "CONTINUED",
    "EVALUATE",
    "FLOW_LABELS",
    "FLOW_NAME",
    "FLOW_STATUS",
    "FLOW_TYPE",
    "FLOW_VERSION",
    "PAUSE",
    "RESOLVE",
    "RESUME",
]

FLOW_TYPE = "flow"
CACHE_ENTRY = "flowrunner.cache"
RESOLVE = "flowrunner.resolve"
EVALUATE = "flowrunner.evaluate"
CONTINUED = "flowrunner/continued"
PAUSE = "pause"
RESUME = "resume"
COMPLETE = "complete"

FLOW_NAME = SearchAttributeKey.for_keyword("FlowName")
FLOW_VERSION = SearchAttributeKey.for_keyword("FlowVersion")
FLOW_STATUS = SearchAttributeKey.for_keyword("FlowStatus")
FLOW_LABELS = SearchAttributeKey.for_keyword_list("FlowLabels")
