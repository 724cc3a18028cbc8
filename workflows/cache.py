"""An entry of the result cache: a run that ends at once with what it was given.

Temporal keeps it as long as it keeps any closed run; the `cache` modifier reads it by its id.
"""

from __future__ import annotations

from typing import Any

from temporalio import workflow

from workflows.names import CACHE_ENTRY

__all__ = ["CacheEntry"]


@workflow.defn(name=CACHE_ENTRY, sandboxed=False)
class CacheEntry:
    @workflow.run
    async def run(self, value: Any) -> Any:
        return value
