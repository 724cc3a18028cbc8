"""Loaded by Python as it starts, in a worker of the soak: counts, and fills pools of threads.

Every second it writes into the file `CHAOS_COUNTS_FILE` how many tasks of asyncio are not done, of
all loops, and how many blocks of memory Python's objects took when garbage was last collected, for
which it sees twice a minute: those cannot grow without a leak, while the memory of the process may,
by how the blocks lie in it.

A pool starts a thread with each piece of work until it has as many as it may, though one be idle:
else it would grow with the highest wave, an hour later, and look like a leak.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any


def _count(file: Path) -> None:
    from asyncio import tasks

    known = getattr(tasks, "_scheduled_tasks", None)  # since Python 3.12
    every = tasks._all_tasks if known is None else known  # type: ignore[attr-defined]
    seconds = blocks = 0
    while not threading.Event().wait(1):
        if seconds % 30 == 0:
            gc.collect()
            blocks = sys.getallocatedblocks()
        seconds += 1
        try:
            alive = sum(not task.done() for task in list(every))
        except RuntimeError:  # it changed meanwhile
            continue
        file.write_text(json.dumps({"tasks": alive, "blocks": blocks}))


class _NobodyIdle:
    """Of a pool, in place of the semaphore that counts its idle threads."""

    def acquire(self, timeout: float) -> bool:  # noqa: ARG002
        return False

    def release(self) -> None:
        pass


def _fill_pools() -> None:
    begin = ThreadPoolExecutor.__init__

    def fill(pool: ThreadPoolExecutor, *args: Any, **kwargs: Any) -> None:
        begin(pool, *args, **kwargs)
        pool._idle_semaphore = _NobodyIdle()  # type: ignore[assignment]

    ThreadPoolExecutor.__init__ = fill  # type: ignore[method-assign, assignment]


if path := os.environ.get("CHAOS_COUNTS_FILE"):
    threading.Thread(target=_count, args=(Path(path),), daemon=True).start()
    _fill_pools()
