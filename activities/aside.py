"""Work on large values, done where it does not keep a worker's other nodes waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

__all__ = ["aside"]

T = TypeVar("T")

_LARGE = 64 * 1024


async def aside(work: Callable[[], T], *, over: object) -> T:
    """What the work gives, done in a thread if the value it is done over is large."""
    return await asyncio.to_thread(work) if _is_large(over) else work()


def _is_large(value: object) -> bool:
    """Looks no further than it has to; what cannot be looked into may be large."""
    left = _LARGE
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str | bytes):
            left -= len(one)
        elif isinstance(one, dict | list | tuple):
            left -= 10 * len(one)
            waiting.extend([] if left < 0 else one.values() if isinstance(one, dict) else one)
        elif not isinstance(one, int | float | None):
            return True
        if left < 0:
            return True
    return False
