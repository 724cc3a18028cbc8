"""Blocking work in threads, each piece of it with a deadline.

Whoever waits is let go at the deadline, or when cancelled; the thread is not waited for, and ends
at the next place where its work asks for the time.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic
from typing import Final, TypeVar

__all__ = ["OutOfTime", "Threads", "allow", "check_time", "regardless_of_time"]

T = TypeVar("T")

_SLOWEST: Final = 1024 * 1024
"""Bytes a second: what is slower than this is not worth waiting for."""
_END: Final = object()


class OutOfTime(Exception):
    """The deadline is over, or nobody waits for this work any more."""


class _Deadline:
    def __init__(self, seconds: float) -> None:
        self._at = monotonic() + seconds

    def left(self) -> float:
        return self._at - monotonic()

    def allow(self, size: int) -> None:
        self._at += size / _SLOWEST

    def give_up(self) -> None:
        self._at = float("-inf")


_deadline: ContextVar[_Deadline | None] = ContextVar("deadline of this work", default=None)


def allow(size: int) -> None:
    """Called by work that is about to move so many bytes: it may take longer accordingly."""
    if (deadline := _deadline.get()) is not None:
        deadline.allow(size)


def check_time() -> None:
    """Called by work wherever it can stop; raises `OutOfTime`."""
    if (deadline := _deadline.get()) is not None and deadline.left() <= 0:
        raise OutOfTime


@contextmanager
def regardless_of_time() -> Iterator[None]:
    """For tidying up, which is done also when the time is over."""
    token = _deadline.set(None)
    try:
        yield
    finally:
        _deadline.reset(token)


class Threads:
    """Some threads of one's own, `seconds` for each piece of work. Opened by the first use."""

    def __init__(self, name: str, *, seconds: float, most: int = 32) -> None:
        self._name = name
        self._seconds = seconds
        self._most = most
        self._opening = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None

    async def run(self, work: Callable[[], T]) -> T:
        """What the work returns or raises; `OutOfTime` if it does neither in time."""
        return await _outcome(*self._start(work))

    async def each(self, items: Generator[T, None, None]) -> AsyncGenerator[T, None]:
        """What the generator yields, each piece of it a piece of work; then closes it."""

        def step() -> object:
            return next(items, _END)

        job: Future[object] | None = None
        try:
            while True:
                job, deadline = self._start(step)
                item = await _outcome(job, deadline)
                if item is _END:
                    return
                yield item  # type: ignore[misc]  # what is not the end is an item
        finally:
            # A generator cannot be closed while a thread is in it: the thread does it then.
            if job is not None:
                job.add_done_callback(lambda _: items.close())

    def close(self) -> None:
        """Begin nothing more of what was not begun; what runs is not waited for."""
        with self._opening:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)

    def _start(self, work: Callable[[], T]) -> tuple[Future[T], _Deadline]:
        deadline = _Deadline(self._seconds)

        def timed() -> T:
            _deadline.set(deadline)
            check_time()
            return work()

        with self._opening:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._most, thread_name_prefix=self._name)
            return self._pool.submit(timed), deadline


async def _outcome(job: Future[T], deadline: _Deadline) -> T:
    waiting = asyncio.wrap_future(job)
    try:
        # Asked again each time, for the work may have been allowed more.
        while not waiting.done() and (left := deadline.left()) > 0:
            await asyncio.wait([waiting], timeout=left)
        if not waiting.done():
            raise OutOfTime
        return waiting.result()
    finally:
        if not waiting.done():
            deadline.give_up()
            waiting.cancel()
