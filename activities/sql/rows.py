"""Rows as JSON, in memory or on their way into the object store."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, field

from activities.errors import NodeFailed
from activities.sql.query import MOST_BYTES, SQL_TOO_LARGE
from flowspec.values import Json

__all__ = ["Batches", "Gathered", "as_json", "gathered", "saved"]

Batches = AsyncIterator[Sequence[Sequence[object]]]
"""Rows as the driver has them, some at a time."""


def as_json(value: object) -> Json:
    """A value of a database: what JSON has no word for becomes text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, list | tuple):
        return [as_json(each) for each in value]
    if isinstance(value, dict):
        return {str(key): as_json(each) for key, each in value.items()}
    return str(value)


@dataclass
class Gathered:
    """Rows in memory: those of several sets of values have one limit together."""

    columns: list[str]
    most: int
    rows: list[dict[str, Json]] = field(default_factory=list)
    size: int = 0

    def add(self, row: Sequence[object]) -> None:
        """Fails with `SqlTooLarge`."""
        made = dict(zip(self.columns, map(as_json, row), strict=True))
        self.size += len(json.dumps(made))
        if len(self.rows) == self.most or self.size > MOST_BYTES:
            raise NodeFailed(
                SQL_TOO_LARGE,
                f"there are more rows than the {self.most} of max_rows, or more than "
                f"{MOST_BYTES} bytes of them; ask for less by LIMIT, or keep them by save: true",
            )
        self.rows.append(made)


async def gathered(batches: Batches, into: Gathered) -> None:
    async for batch in batches:
        for row in batch:
            into.add(row)


async def saved(batches: Batches, columns: list[str], counted: list[int]) -> AsyncGenerator[bytes]:
    """The JSON of a list of all rows, in pieces; `counted` gets their number."""
    count = 0
    async for batch in batches:
        rows = [dict(zip(columns, map(as_json, row), strict=True)) for row in batch]
        texts = (json.dumps(row, ensure_ascii=False) for row in rows)
        piece = "".join(f"{',' if count + n else '['}{text}" for n, text in enumerate(texts))
        count += len(rows)
        yield piece.encode()
    counted.append(count)
    yield b"]" if count else b"[]"
