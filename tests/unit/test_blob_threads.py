"""Work in threads ends for its caller at the deadline, and for itself soon after."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Generator, Iterator
from time import monotonic

import pytest

from claimcheck.stores.threads import OutOfTime, Threads, allow, check_time, regardless_of_time


@pytest.fixture
async def threads() -> AsyncIterator[Threads]:
    opened = Threads("test", seconds=0.2)
    yield opened
    opened.close()


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Holds work up until the test, at its end at the latest, lets it go."""
    event = threading.Event()
    yield event
    event.set()


async def test_work_returns_and_raises(threads: Threads) -> None:
    assert await threads.run(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        await threads.run(lambda: 1 // 0)


async def test_nobody_waits_longer_than_agreed(threads: Threads, gate: threading.Event) -> None:
    began = monotonic()
    with pytest.raises(OutOfTime):
        await threads.run(gate.wait)
    assert monotonic() - began < 2


async def test_work_that_moves_much_may_take_longer(threads: Threads) -> None:
    def slow() -> str:
        allow(1024 * 1024)
        threading.Event().wait(0.4)
        check_time()
        return "done"

    assert await threads.run(slow) == "done"


async def test_work_learns_that_nobody_waits_any_more(
    threads: Threads, gate: threading.Event
) -> None:
    began, learnt = threading.Event(), threading.Event()

    def work() -> None:
        began.set()
        gate.wait()
        try:
            check_time()
        except OutOfTime:
            with regardless_of_time():
                check_time()
            learnt.set()

    waiting = asyncio.create_task(threads.run(work))
    await asyncio.to_thread(began.wait, 10)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    gate.set()

    assert await asyncio.to_thread(learnt.wait, 10)


async def test_what_no_thread_was_free_for_is_never_begun(gate: threading.Event) -> None:
    begun: list[str] = []
    threads = Threads("test", seconds=0.2, most=1)
    first = asyncio.create_task(threads.run(gate.wait))
    await asyncio.sleep(0)  # it is first, then
    with pytest.raises(OutOfTime):
        await threads.run(lambda: begun.append("second"))
    with pytest.raises(OutOfTime):
        await first
    gate.set()

    assert await threads.run(lambda: "third") == "third"
    assert begun == []
    threads.close()


async def test_a_generator_is_closed_at_its_end_and_when_it_is_left(threads: Threads) -> None:
    closed: list[str] = []

    def items() -> Generator[int, None, None]:
        try:
            yield from (1, 2, 3)
        finally:
            closed.append("closed")

    assert [item async for item in threads.each(items())] == [1, 2, 3]
    assert closed == ["closed"]

    kept = items()  # so that it is not closed for want of anybody who knows it
    left = threads.each(kept)
    assert await anext(left) == 1
    await left.aclose()
    assert closed == ["closed"] * 2


async def test_a_generator_that_is_left_in_the_middle_is_closed_by_its_thread(
    threads: Threads, gate: threading.Event
) -> None:
    closed = threading.Event()

    def items() -> Generator[int, None, None]:
        try:
            gate.wait()
            yield 1
        finally:
            closed.set()

    kept = items()
    with pytest.raises(OutOfTime):
        async for _ in threads.each(kept):
            pass
    assert not closed.is_set()
    gate.set()

    assert await asyncio.to_thread(closed.wait, 10)
