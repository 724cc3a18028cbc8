"""Names that histories and other programs depend on: contracts, never changed."""

from __future__ import annotations

from temporalio.common import SearchAttributeKey

__all__ = [
    "CACHE_ENTRY",
    "COMPLETE",
    "CONTINUED",
    "COUNTS_TIMEOUTS",
    "EVALUATE",
    "FLOW_LABELS",
    "FLOW_NAME",
    "FLOW_STATUS",
    "FLOW_VERSION",
    "HELD_BY",
    "HINT",
    "INLINE",
    "KEEP",
    "KEEPS_LARGE",
    "LEAVES_TRACES",
    "LOCK",
    "LOCK_ASK",
    "LOCK_CHECK",
    "LOCK_GIVE_BACK",
    "LOCK_GRANTED",
    "PAUSE",
    "RATE",
    "RATE_RESERVE",
    "RESOLVE",
    "RESUME",
    "TRACE",
]

CACHE_ENTRY = "flowrunner.cache"
RESOLVE = "flowrunner.resolve"
EVALUATE = "flowrunner.evaluate"
KEEP = "flowrunner.keep"
LOCK = "flowrunner.lock"
LOCK_ASK = "ask"
LOCK_GIVE_BACK = "give_back"
LOCK_CHECK = "flowrunner.lock.check"
LOCK_GRANTED = "flowrunner.lock.granted"
RATE = "flowrunner.rate"
RATE_RESERVE = "reserve"
CONTINUED = "flowrunner/continued"
PAUSE = "pause"
RESUME = "resume"
COMPLETE = "complete"
TRACE = "FlowTrace"
"""In the memo: up to which event a run has looked that had nothing to ask for then."""

HINT = "claim-check"
INLINE = b"inline"
HELD_BY = "held-by"

KEEPS_LARGE = "keeps-large-2026-11"
"""Patch: what a shard takes and gives is put into the store if it is large. Runs of 0.1.0, which
had no store, sent it inline."""

COUNTS_TIMEOUTS = "counts-timeouts-2026-11"
"""Patch: the error of a node whose time is over tells of as many attempts as there were for sure.
Before, it told of as many as there might have been."""

LEAVES_TRACES = "leaves-traces-2026-11"
"""Patch: a run that waits for a decision leaves something in its history whenever it was told
anything. Before, a worker that read it anew could hear of a decision before that."""

FLOW_NAME = SearchAttributeKey.for_keyword("FlowName")
FLOW_VERSION = SearchAttributeKey.for_keyword("FlowVersion")
FLOW_STATUS = SearchAttributeKey.for_keyword("FlowStatus")
FLOW_LABELS = SearchAttributeKey.for_keyword_list("FlowLabels")
