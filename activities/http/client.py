"""The worker's client for HTTP, which connects to no address that flows may not reach."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from urllib.request import getproxies

import httpcore2
import httpx2
import structlog

from activities.addresses import ADDRESS_REFUSED, AddressPolicy
from activities.errors import NodeFailed

__all__ = ["ClientOpener", "GuardedBackend", "Resolve", "resolve"]

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""The addresses of a host, those to be tried first at the beginning. Raises OSError."""

_LIMITS = httpx2.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=5)
_HEAD_START = 0.25
"""How long an address is tried alone before the next one is tried beside it (RFC 8305)."""


@dataclass(frozen=True, kw_only=True)
class ClientOpener:
    """Opens the client of one policy; equal for equal policies, so a worker has one for each."""

    policy: AddressPolicy

    def __call__(self) -> AbstractAsyncContextManager[httpx2.AsyncClient]:
        return _open_client(self.policy)


@asynccontextmanager
async def _open_client(policy: AddressPolicy) -> AsyncGenerator[httpx2.AsyncClient]:
    """Pooled, following nothing by itself, keeping no cookies.

    A guarded one connects by itself: the proxies of the environment would connect to wherever a
    name leads them.
    """
    if policy.guarded and (proxies := sorted(set(getproxies()) & {"http", "https", "all"})):
        structlog.stdlib.get_logger(__name__).warning(
            "proxies of the environment are not used while private addresses are refused; "
            "FLOWRUNNER_HTTP_PRIVATE=allow uses them and leaves it to them what can be reached",
            proxies=proxies,
        )
    async with httpx2.AsyncClient(
        cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
        headers={"User-Agent": "flowrunner"},
        limits=_LIMITS,
        follow_redirects=False,
        transport=_GuardedTransport(policy) if policy.guarded else None,
    ) as client:
        yield client


class _GuardedTransport(httpx2.AsyncHTTPTransport):
    """httpx's own, but for how its pool connects."""

    def __init__(self, policy: AddressPolicy) -> None:
        super().__init__(limits=_LIMITS)
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=httpx2.create_ssl_context(),
            max_connections=_LIMITS.max_connections,
            max_keepalive_connections=_LIMITS.max_keepalive_connections,
            keepalive_expiry=_LIMITS.keepalive_expiry,
            network_backend=GuardedBackend(policy),
        )


async def resolve(host: str, port: int) -> list[str]:
    """As the machine resolves names."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Resolves a name once, refuses it if one of its addresses may not be reached, and connects
    to the very addresses it has looked at. Encryption and `Host` know only the name."""

    def __init__(self, policy: AddressPolicy, *, resolve: Resolve = resolve) -> None:
        self._policy = policy
        self._resolve = resolve
        self._backend = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore2's own signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        async def connect(address: str) -> httpcore2.AsyncNetworkStream:
            return await self._backend.connect_tcp(
                address, port, local_address=local_address, socket_options=socket_options
            )

        try:
            async with asyncio.timeout(timeout):
                return await _first(await self._allowed(host, port), connect)
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout(f"no connection to {host} in time") from error

    async def _allowed(self, host: str, port: int) -> list[str]:
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError(f"the name {host} has no address: {error}") from error
        for address in addresses:
            if why := self._policy.refusal(host, address, port):
                raise NodeFailed(
                    ADDRESS_REFUSED, why, details={"host": host, "address": address, "port": port}
                )
        return addresses


async def _first(
    addresses: list[str], connect: Callable[[str], Awaitable[httpcore2.AsyncNetworkStream]]
) -> httpcore2.AsyncNetworkStream:
    """The first connection that comes about; the others are given up."""
    trying: set[asyncio.Future[httpcore2.AsyncNetworkStream]] = set()
    failure: BaseException | None = None
    left = list(addresses)
    try:
        while left or trying:
            if left:
                trying.add(asyncio.ensure_future(connect(left.pop(0))))
            done, trying = await asyncio.wait(
                trying, timeout=_HEAD_START if left else None, return_when="FIRST_COMPLETED"
            )
            if made := [each for each in done if each.exception() is None]:
                trying |= set(made[1:])
                return made[0].result()
            failure = next((each.exception() for each in done), failure)
    finally:
        await _give_up(trying)
    raise failure or httpcore2.ConnectError("the name has no address")


async def _give_up(trying: set[asyncio.Future[httpcore2.AsyncNetworkStream]]) -> None:
    for each in trying:
        each.cancel()
    for each in trying:
        with suppress(asyncio.CancelledError, Exception):
            await (await each).aclose()
