"""Key-value stores under test, each empty, with a clock that a test can set."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from activities.store.contract import KeyValueStore
from tests.s3 import S3Server

__all__ = ["NOW", "OpenStore", "SetClock", "open_dynamodb", "open_postgres", "open_sqlite"]

NOW = 1_800_000_000.0

OpenStore: TypeAlias = Callable[[], KeyValueStore]
"""A store at the same place, each time as another process would open it."""


@dataclass
class SetClock:
    """Says what it is told."""

    now: float = field(default=NOW)

    def __call__(self) -> float:
        return self.now


def open_sqlite(path: Path, clock: SetClock) -> OpenStore:
    from activities.store.sqlite import SqliteKeyValueStore

    return lambda: SqliteKeyValueStore(path, clock=clock)


def open_postgres(url: str, clock: SetClock) -> OpenStore:
    from activities.store.postgres import PostgresKeyValueStore

    return lambda: PostgresKeyValueStore(url, clock=clock)


def open_dynamodb(server: S3Server, clock: SetClock) -> OpenStore:
    """A new table on moto's server, which is one for S3 as well."""
    from activities.store.dynamodb import DynamoKeyValueStore

    table = f"table-{uuid.uuid4().hex}"
    credentials = (server.credentials.access_key_id, server.credentials.secret_access_key)
    return lambda: DynamoKeyValueStore(
        table,
        region=server.region,
        endpoint=server.endpoint,
        credentials=credentials,
        clock=clock,
    )
