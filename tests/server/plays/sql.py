"""Plays of the node type that talks to databases."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from flowspec.values import JsonObject
from tests.server.plays.play import Plays, S, Setup

__all__ = ["PLAYS"]


def _sql_query(stack: ExitStack, folder: Path) -> Plays:
    del stack
    urls = (
        S,
        f"postgresql://{S}",
        f"postgresql://ann:{S}@127.0.0.1:1/shop",
        f"postgresql://127.0.0.1/{S}",
        f"sqlite:{S}",
        f"sqlite:{folder}/{S}",
    )
    fail: tuple[JsonObject, ...] = tuple({"url": url, "sql": "SELECT 1"} for url in urls)
    return Plays(succeed=(), only_fails=True, fail=fail)


PLAYS: Final[Mapping[str, Setup]] = {"sql.query": _sql_query}
