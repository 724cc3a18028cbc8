"""The shipped worker, which beside flows runs the workflows that were written by hand.

`python -m benchmarks.worker` is `python worker.py` but for that: the same settings from the
environment, the same client and converter, the same interceptors and limits.
"""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import temporalio.worker
from temporalio import activity, workflow
from temporalio.client import Client

import worker
from benchmarks.by_hand import BY_HAND

__all__ = ["SETTLE", "main"]

SETTLE = "benchmark-settle"


@activity.defn(name=SETTLE)
async def settle() -> int:
    """Throw away what nobody needs any more; gives the bytes of memory that are left."""
    return _settled()


def _settled() -> int:
    gc.collect()
    with suppress(OSError, AttributeError):  # not every C library has it
        ctypes.CDLL(None).malloc_trim(0)
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


@workflow.defn(name=SETTLE, sandboxed=False)
class Settle:
    @workflow.run
    async def run(self) -> int:
        left: int = await workflow.execute_local_activity(
            settle, start_to_close_timeout=timedelta(seconds=60)
        )
        return left


class _WorkerWithBoth(temporalio.worker.Worker):
    def __init__(self, client: Client, **options: Any) -> None:
        options["workflows"] = [*options["workflows"], *BY_HAND, Settle]
        options["activities"] = [*options["activities"], settle]
        super().__init__(client, **options)


def main() -> None:
    # `build_worker` looks it up when it is called
    temporalio.worker.Worker = _WorkerWithBoth  # type: ignore[misc]
    worker.main(["worker"])


if __name__ == "__main__":
    main()
