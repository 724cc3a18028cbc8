"""Which store flows keep things in, and which of its spaces they may share."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from activities.attempt import Attempt
from activities.errors import NodeFailed, needing_extra
from activities.store.contract import KeyValueStore
from flowspec.catalogue import ErrorType

__all__ = [
    "KEY_STORE_UNAVAILABLE",
    "SPACE_REFUSED",
    "StoreOptions",
    "StorePlace",
    "read_place",
    "space_of",
    "store_of",
]

KEY_STORE_UNAVAILABLE = ErrorType(
    name="KeyStoreUnavailable",
    permanent=False,
    meaning="The key-value store cannot be reached, or is too busy",
)
SPACE_REFUSED = ErrorType(
    name="SpaceRefused",
    permanent=True,
    meaning="The worker does not let flows share the space of that name",
)

_EXPECTED: Final = (
    "expected sqlite:///PATH, postgresql://USER:PASSWORD@HOST/DATABASE or "
    "dynamodb://TABLE?region=REGION"
)
_TABLE: Final = re.compile(r"[A-Za-z0-9_.-]{3,255}")


@dataclass(frozen=True, kw_only=True)
class StorePlace:
    """Where a store is. What may hold credentials is not shown."""

    kind: str
    path: Path = Path()
    url: str = field(default="", repr=False)
    table: str = ""
    region: str | None = None
    endpoint: str | None = None
    credentials: tuple[str, str] | None = field(default=None, repr=False)

    @asynccontextmanager
    async def __call__(self) -> AsyncGenerator[KeyValueStore]:
        """The store: for `Resources.get`."""
        async with self._store() as store:
            yield store

    def _store(self) -> KeyValueStore:
        match self.kind:
            case "sqlite":
                from activities.store.sqlite import SqliteKeyValueStore

                return SqliteKeyValueStore(self.path)
            case "postgresql":
                with needing_extra("sql"):
                    from activities.store.postgres import PostgresKeyValueStore

                return PostgresKeyValueStore(self.url)
            case _:
                from activities.store.dynamodb import DynamoKeyValueStore

                return DynamoKeyValueStore(
                    self.table,
                    region=self.region,
                    endpoint=self.endpoint,
                    credentials=self.credentials,
                )


@dataclass(frozen=True, kw_only=True)
class StoreOptions:
    """What the operator has set; `shared` None lets flows share spaces of any name."""

    place: StorePlace | None = None
    shared: tuple[str, ...] | None = ()


def read_place(url: str) -> StorePlace:
    """What a URL stands for; raises `ValueError`, which does not show it."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ValueError(_EXPECTED) from error
    match parts.scheme:
        case "sqlite":
            return _sqlite(parts)
        case "postgresql" | "postgres":
            return _postgresql(url, parts)
        case "dynamodb":
            return _dynamodb(parts)
        case _:
            raise ValueError(_EXPECTED)


def _sqlite(parts: SplitResult) -> StorePlace:
    path = unquote(parts.path)
    known = path.startswith("/") and path.strip("/") and "\0" not in path
    if parts.netloc or parts.query or not known:
        raise ValueError("expected the absolute path of a file, such as sqlite:///srv/flows.db")
    return StorePlace(kind="sqlite", path=Path("/" + path.lstrip("/")))


def _postgresql(url: str, parts: SplitResult) -> StorePlace:
    try:
        known = bool(parts.hostname) and (parts.port or 5432) > 0
    except ValueError:  # of the port
        known = False
    if not known or len(parts.path) < 2:
        raise ValueError(
            "expected postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with what is no letter or "
            "digit in the user and the password percent-encoded"
        )
    return StorePlace(kind="postgresql", url=url)


def _dynamodb(parts: SplitResult) -> StorePlace:
    user, _, table = parts.netloc.rpartition("@")
    name, _, secret = user.partition(":")
    query = dict(parse_qsl(parts.query))
    fits = _TABLE.fullmatch(table) and bool(name) == bool(secret) and parts.path in ("", "/")
    if not fits or not query.keys() <= {"region", "endpoint"}:
        raise ValueError(
            "expected dynamodb://TABLE?region=REGION&endpoint=URL, or "
            "dynamodb://ACCESS_KEY_ID:SECRET_ACCESS_KEY@TABLE, with the secret percent-encoded"
        )
    return StorePlace(
        kind="dynamodb",
        table=table,
        region=query.get("region"),
        endpoint=query.get("endpoint"),
        credentials=(unquote(name), unquote(secret)) if user else None,
    )


async def store_of(attempt: Attempt) -> KeyValueStore:
    """The worker's store."""
    options = attempt.options.get(StoreOptions)
    if options.place is None:
        raise NodeFailed(
            KEY_STORE_UNAVAILABLE,
            "this worker has no key-value store, for its user has no home to keep it in; its "
            "setting FLOWRUNNER_STORE says where else",
        )
    return await attempt.resources.get(options.place)


def space_of(attempt: Attempt, shared: str | None) -> str:
    """The name of the attempt's space: written so that no two can be spelled alike."""
    if shared is None:
        return json.dumps([attempt.namespace, "flow", attempt.flow])
    allowed = attempt.options.get(StoreOptions).shared
    if allowed is not None and shared not in allowed:
        raise NodeFailed(
            SPACE_REFUSED,
            f"flows may not share the space {shared!r}; the worker's setting "
            "FLOWRUNNER_STORE_SHARED lists those they may",
        )
    return json.dumps([attempt.namespace, "shared", shared])
