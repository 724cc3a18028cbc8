"""Connections to servers of mail: to no address that flows may not reach, and always verified."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from activities.addresses import ADDRESS_REFUSED, AddressPolicy
from activities.errors import NodeFailed
from activities.mail.account import MAIL_TLS_ERROR, MAIL_UNREACHABLE
from flowspec.values import JsonObject

__all__ = ["certificate_trouble", "open_socket", "open_tls"]


@asynccontextmanager
async def open_tls() -> AsyncGenerator[ssl.SSLContext]:
    """What this worker trusts: the system's certificates, or those of `SSL_CERT_FILE`."""
    yield await asyncio.to_thread(ssl.create_default_context)


async def open_socket(
    host: str, port: int, policy: AddressPolicy, *, seconds: float
) -> socket.socket:
    """A connection to the first address of the host that takes one.

    The name is resolved once, so that what is looked at is what is connected to. Fails with
    `AddressRefused` or `MailUnreachable`.
    """
    where = f"{host}:{port}"
    try:
        async with asyncio.timeout(seconds):
            return await _first(await _allowed(host, port, policy))
    except TimeoutError as error:
        raise NodeFailed(MAIL_UNREACHABLE, f"no connection to {where} in time") from error
    except (OSError, UnicodeError) as error:
        raise NodeFailed(MAIL_UNREACHABLE, f"no connection to {where}: {error}") from error


_Found = tuple[socket.AddressFamily, tuple[str, int] | tuple[str, int, int, int]]


async def _allowed(host: str, port: int, policy: AddressPolicy) -> list[_Found]:
    loop = asyncio.get_running_loop()
    answers = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    found: list[_Found] = [(family, address) for family, *_, address in answers]  # type: ignore[misc]
    for _, address in found:
        if why := policy.refusal(host, address[0], port):
            details: JsonObject = {"host": host, "address": address[0], "port": port}
            raise NodeFailed(ADDRESS_REFUSED, why, details=details)
    return found


async def _first(found: list[_Found]) -> socket.socket:
    failure: OSError | None = None
    for family, address in found:
        made = socket.socket(family, socket.SOCK_STREAM)
        try:
            made.setblocking(False)
            await asyncio.get_running_loop().sock_connect(made, address)
        except OSError as error:
            made.close()
            failure = error
        except BaseException:
            made.close()
            raise
        else:
            return made
    raise failure or OSError("the name has no address")


def certificate_trouble(where: str, error: BaseException) -> NodeFailed | None:
    """What it means if TLS is at the bottom of an error, and not just a broken connection."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            why = cause.verify_message or str(cause)
            return NodeFailed(MAIL_TLS_ERROR, f"{where}: the certificate is not trusted: {why}")
        if isinstance(cause, ssl.SSLError) and not isinstance(
            cause, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError
        ):
            return NodeFailed(MAIL_TLS_ERROR, f"{where}: no TLS: {cause.reason or cause}")
        cause = cause.__cause__ or cause.__context__
    return None
