"""Loaded by Python as it starts, in a worker of the soak: counts the tasks of asyncio.

Every second it writes how many are not done, of all loops, into the file `CHAOS_TASKS_FILE`.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path


def _count(file: Path) -> None:
    from asyncio import tasks

    known = getattr(tasks, "_scheduled_tasks", None)  # since Python 3.12
    every = tasks._all_tasks if known is None else known  # type: ignore[attr-defined]
    while not threading.Event().wait(1):
        try:
            alive = sum(not task.done() for task in list(every))
        except RuntimeError:  # it changed meanwhile
            continue
        file.write_text(str(alive))


if path := os.environ.get("CHAOS_TASKS_FILE"):
    threading.Thread(target=_count, args=(Path(path),), daemon=True).start()
