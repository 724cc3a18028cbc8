"""Work on large values leaves the event loop to others."""

from __future__ import annotations

import threading

import pytest
from pydantic import BaseModel, field_serializer

from activities.aside import aside
from activities.attempt import Attempt
from activities.declaration import Params, declare
from tests.attempts import perform


@pytest.mark.parametrize(
    ("value", "goes_aside"),
    [
        (None, False),
        ({"status": 200, "items": [1.5, True, None, "text"] * 100}, False),
        ("x" * 100_000, True),
        (b"x" * 100_000, True),
        ([{"n": n} for n in range(10_000)], True),
        ({"deep": [[["x" * 100_000]]]}, True),
        (object(), True),
    ],
)
async def test_what_is_large_is_worked_on_in_a_thread(value: object, goes_aside: bool) -> None:
    worked_in = await aside(threading.get_ident, over=value)
    assert (worked_in != threading.get_ident()) is goes_aside


async def test_errors_come_through() -> None:
    def fail() -> None:
        raise KeyError("colour")

    for value in ("", "x" * 100_000):
        with pytest.raises(KeyError):
            await aside(fail, over=value)


class Nothing(Params):
    """No parameters."""


async def test_large_results_are_written_in_a_thread() -> None:
    written_in: list[int] = []

    class Large(BaseModel):
        text: str

        @field_serializer("text")
        def write(self, text: str) -> str:
            written_in.append(threading.get_ident())
            return text

    async def handle(_params: Nothing, _attempt: Attempt) -> Large:
        return Large(text="x" * 100_000)

    node = declare(
        name="sample",
        summary="",
        description="",
        example="",
        params=Nothing,
        result=Large,
        handler=handle,
    )
    call = {"node": "n", "flow": "f", "run_id": "r", "key": "k", "params": {}}
    await perform(node, call)
    assert len(written_in) == 1
    assert written_in[0] != threading.get_ident()
