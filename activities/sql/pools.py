"""Connections to PostgreSQL, kept for a while by a worker: to no address flows may not reach."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import ssl
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import asyncpg

from activities.addresses import ADDRESS_REFUSED, AddressPolicy
from activities.errors import INVALID_PARAMS, NodeFailed

__all__ = ["Database", "Pools", "open_pools", "read_url"]

_POOLS: Final = 16
_CONNECTIONS: Final = 8
_CONNECTING: Final = 15.0
_HOST: Final = re.compile(r"[A-Za-z0-9._:-]{1,253}")
_IDLE: Final = 120.0
_MODES: Final = ("disable", "require", "verify-full")
_AS_TEXT: Final = (
    *("date", "time", "timetz", "timestamp", "timestamptz", "interval", "numeric", "uuid"),
    *("inet", "cidr", "macaddr"),
)


@dataclass(frozen=True, kw_only=True)
class Database:
    """What a URL says."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    name: str
    tls: str


def read_url(url: str) -> Database:
    """Fails with `InvalidParams`, without showing the URL."""
    try:
        parts = urlsplit(url)
        port = parts.port or 5432
        query = dict(parse_qsl(parts.query, strict_parsing=True)) if parts.query else {}
    except ValueError:
        raise _unfit("a URL such as postgresql://USER:PASSWORD@HOST:PORT/DATABASE") from None
    host, name = parts.hostname or "", unquote(parts.path.strip("/"))
    if not _HOST.fullmatch(host) or not name or not parts.username:
        raise _unfit("a user, a host and a database: postgresql://USER:PASSWORD@HOST/DATABASE")
    tls = query.get("sslmode", "disable" if _is_loopback(host) else "verify-full")
    if not query.keys() <= {"sslmode"} or tls not in _MODES:
        raise _unfit(f"nothing after the ? but sslmode as one of {', '.join(_MODES)}")
    return Database(
        host=host,
        port=port,
        user=unquote(parts.username),
        password=unquote(parts.password or ""),
        name=name,
        tls=tls,
    )


def _unfit(expected: str) -> NodeFailed:
    return NodeFailed(INVALID_PARAMS, f"url: expected {expected}")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class Pools:
    """A pool for each database, of which those used last are kept."""

    def __init__(self) -> None:
        self._pools: OrderedDict[Database, asyncpg.Pool[Any]] = OrderedDict()
        self._users: dict[Database, int] = {}

    @asynccontextmanager
    async def connection(
        self, where: Database, policy: AddressPolicy
    ) -> AsyncGenerator[asyncpg.pool.PoolConnectionProxy[Any]]:
        pool = await self._pool(where, policy)
        self._users[where] = self._users.get(where, 0) + 1
        try:
            async with pool.acquire() as db:
                yield db
        finally:
            self._users[where] -= 1
            await self._tidy()

    async def close(self) -> None:
        for pool in self._pools.values():
            pool.terminate()
        self._pools.clear()

    async def _pool(self, where: Database, policy: AddressPolicy) -> asyncpg.Pool[Any]:
        if where not in self._pools:

            async def connect(*_: object, **options: Any) -> Any:
                return await _connected(where, policy, options)

            self._pools[where] = asyncpg.create_pool(
                min_size=0,
                max_size=_CONNECTIONS,
                max_inactive_connection_lifetime=_IDLE,
                connect=connect,
                init=_speak_json,
            )
        self._pools.move_to_end(where)
        return await self._pools[where]

    async def _tidy(self) -> None:
        idle = [one for one in self._pools if not self._users.get(one)]
        for where in idle[: max(0, len(self._pools) - _POOLS)]:
            self._users.pop(where, None)
            self._pools.pop(where).terminate()


@asynccontextmanager
async def open_pools() -> AsyncGenerator[Pools]:
    """For `Resources.get`."""
    pools = Pools()
    try:
        yield pools
    finally:
        await pools.close()


async def _connected(where: Database, policy: AddressPolicy, options: dict[str, Any]) -> Any:
    """A connection to the first address that takes one; what was looked at is connected to."""
    failure: OSError | None = None
    for address in await _allowed(where, policy):
        try:
            return await asyncpg.connect(
                host=address,
                port=where.port,
                user=where.user,
                password=where.password,
                database=where.name,
                ssl=_tls(where),
                timeout=_CONNECTING,
                statement_cache_size=0,  # there may be a pooler on the way
                server_settings={"application_name": "flowrunner"},
                **{key: options[key] for key in ("connection_class", "record_class")},
            )
        except ssl.SSLCertVerificationError:
            raise
        except TimeoutError as error:
            failure = OSError(f"no answer within {_CONNECTING:g} s")
            failure.__cause__ = error
        except OSError as error:
            failure = error
    raise failure or OSError("the name has no address")


async def _allowed(where: Database, policy: AddressPolicy) -> list[str]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(where.host, where.port)
    addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
    for address in addresses:
        if why := policy.refusal(where.host, address, where.port):
            raise NodeFailed(
                ADDRESS_REFUSED,
                why,
                details={"host": where.host, "address": address, "port": where.port},
            )
    return addresses


class _Named(ssl.SSLContext):
    """Asks for the certificate of a host that is connected to by its address."""

    host = ""

    def wrap_bio(self, *given: Any, **options: Any) -> ssl.SSLObject:
        return super().wrap_bio(*given, **{**options, "server_hostname": self.host})


def _tls(where: Database) -> ssl.SSLContext | bool:
    if where.tls == "disable":
        return False
    context = _Named(ssl.PROTOCOL_TLS_CLIENT)
    context.host = where.host
    if where.tls == "require":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_default_certs()
    return context


async def _speak_json(db: Any) -> None:
    """Values as JSON has them, in both directions: the server reads and writes the texts."""
    for name in _AS_TEXT:
        read = _moment if name.startswith(("time", "date")) else str
        await _codec(db, name, write=str, read=read)
    for name in ("json", "jsonb"):
        await _codec(db, name, write=json.dumps, read=json.loads)
    await _codec(db, "bytea", write=_hex_of, read=_base64_of)


async def _codec(db: Any, name: str, *, write: Any, read: Any) -> None:
    await db.set_type_codec(name, schema="pg_catalog", encoder=write, decoder=read, format="text")


def _moment(text: str) -> str:
    """ISO 8601, of what PostgreSQL writes."""
    moment = text.replace(" ", "T", 1)
    return f"{moment}:00" if "T" in moment and moment[-3:-2] in ("+", "-") else moment


def _hex_of(text: str) -> str:
    return f"\\x{base64.b64decode(text, validate=True).hex()}"


def _base64_of(text: str) -> str:
    return base64.b64encode(bytes.fromhex(text.removeprefix("\\x"))).decode()
