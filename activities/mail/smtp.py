"""Handing one mail over to a server by SMTP."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import cast

import aiosmtplib

from activities.attempt import Attempt
from activities.errors import NodeFailed
from activities.mail.account import (
    MAIL_AUTH_FAILED,
    MAIL_DEFERRED,
    MAIL_REFUSED,
    MAIL_TLS_ERROR,
    MAIL_UNREACHABLE,
)
from activities.mail.addresses import read_address
from activities.mail.message import build, message_id
from activities.mail.send import (
    MAIL_TOO_LARGE,
    MAIL_UNCONFIRMED,
    Refusal,
    SendParams,
    SendResult,
)
from activities.mail.socket import certificate_trouble, open_socket, open_tls
from flowspec.catalogue import ErrorType
from flowspec.values import Json, JsonObject

__all__ = ["sent"]

_HANDING_OVER = 600.0
"""Seconds for the mail itself and the server's word on it, as RFC 5321 has it."""
_SHOWN = 300
_TOO_LARGE = 552
_PERMANENT = 500


async def sent(params: SendParams, attempt: Attempt) -> SendResult:
    """The mail, sent, unless an attempt before this one has said that it did."""
    identity = message_id(params, attempt.key)
    if (done := _done_before(attempt.progress, identity)) is not None:
        return done
    if params.password is not None:
        attempt.conceal(params.password)
    data = await build(params, attempt.key)
    attempt.heartbeat({"stage": "connecting"})
    async with _connected(params, attempt) as (smtp, where):
        with _explained(where):
            await _log_in(smtp, params, where)
            accepted, refused = await _envelope(smtp, params, where, len(data))
            attempt.heartbeat({"stage": "sending"})
            await _hand_over(smtp, data, where)
        result: SendResult = {"message_id": identity, "accepted": accepted, "refused": refused}
        attempt.heartbeat({"sent": cast(Json, result)})
        with suppress(aiosmtplib.SMTPException, OSError):  # nobody needs the server's farewell
            await smtp.quit(timeout=1)
        return result


def _done_before(progress: Json, identity: str) -> SendResult | None:
    done = progress.get("sent") if isinstance(progress, dict) else None
    if isinstance(done, dict) and done.get("message_id") == identity:
        return cast(SendResult, done)
    return None


@asynccontextmanager
async def _connected(
    params: SendParams, attempt: Attempt
) -> AsyncGenerator[tuple[aiosmtplib.SMTP, str]]:
    port, security = params.reached(tls=465, starttls=587, none=25)
    where = f"{params.host}:{port}"
    tls = await attempt.resources.get(open_tls)
    made = await open_socket(params.host, port, attempt.addresses, seconds=params.timeout)
    smtp = aiosmtplib.SMTP(
        hostname=params.host,
        sock=made,
        use_tls=security == "tls",
        start_tls=False,
        tls_context=tls,
        timeout=params.timeout,
        local_hostname=_own_name(made),
    )
    transport: asyncio.BaseTransport | None = None
    try:
        with _explained(where):
            await smtp.connect()
            transport = smtp.transport
            if security == "starttls":
                await _start_tls(smtp, where)
                transport = smtp.transport
        yield smtp, where
    finally:
        smtp.close()
        _end(transport, made)


def _own_name(made: socket.socket) -> str:
    """The address in brackets is how one without a name of its own is called."""
    address = made.getsockname()[0].partition("%")[0]
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def _end(transport: asyncio.BaseTransport | None, made: socket.socket) -> None:
    """At once: a transport that is merely closed sends what it has, and that may be a mail that
    nobody waits for any more."""
    if isinstance(transport, asyncio.WriteTransport):
        transport.abort()
    elif transport is None:
        made.close()


async def _start_tls(smtp: aiosmtplib.SMTP, where: str) -> None:
    await smtp.ehlo()
    if not smtp.supports_extension("starttls"):
        raise NodeFailed(
            MAIL_TLS_ERROR,
            f"{where} does not offer STARTTLS, so that everything would be readable on the way; "
            "perhaps it wants security: tls",
        )
    await smtp.starttls()


async def _log_in(smtp: aiosmtplib.SMTP, params: SendParams, where: str) -> None:
    """In one way only: a wrong password that is tried in three locks people out of accounts."""
    if params.username is None or params.password is None:
        return
    if smtp.is_ehlo_or_helo_needed:
        await smtp.ehlo()
    offered = smtp.supported_auth_methods
    ways = {"plain": smtp.auth_plain, "login": smtp.auth_login, "cram-md5": smtp.auth_crammd5}
    way = next((way for name, way in ways.items() if name in offered), None)
    if way is None:
        raise NodeFailed(
            MAIL_AUTH_FAILED,
            f"{where} offers none of AUTH PLAIN, LOGIN and CRAM-MD5; perhaps it does without a "
            "username, or wants another security",
        )
    try:
        await way(params.username.encode(), params.password.encode())
    except aiosmtplib.SMTPAuthenticationError as error:
        kind = MAIL_AUTH_FAILED if error.code >= _PERMANENT else MAIL_DEFERRED
        raise _answered(kind, f"{where} does not let {params.username} in", error) from error


async def _envelope(
    smtp: aiosmtplib.SMTP, params: SendParams, where: str, size: int
) -> tuple[list[str], list[Refusal]]:
    """Who it is from and to, as far as the server takes it."""
    options = [f"SIZE={size}"] if smtp.supports_extension("size") else []
    await smtp.mail(read_address(params.from_).spec, options=options)
    accepted: list[str] = []
    refused: list[Refusal] = []
    given = (*params.to, *params.cc, *params.bcc)
    for recipient in dict.fromkeys(read_address(each).spec for each in given):
        try:
            await smtp.rcpt(recipient)
            accepted.append(recipient)
        except aiosmtplib.SMTPRecipientRefused as error:
            refused.append(_refusal(error))
    if refused and not (params.allow_partial and accepted):
        with suppress(aiosmtplib.SMTPException):
            await smtp.rset(timeout=1)
        raise _not_sent(where, refused, accepted)
    return accepted, refused


def _refusal(error: aiosmtplib.SMTPRecipientRefused) -> Refusal:
    return {
        "address": error.recipient,
        "code": error.code,
        "message": _plain(error.message),
        "permanent": error.code >= _PERMANENT,
    }


def _not_sent(where: str, refused: list[Refusal], accepted: list[str]) -> NodeFailed:
    """For good if one of them is refused for good: all of them are to get it."""
    kind = MAIL_REFUSED if any(each["permanent"] for each in refused) else MAIL_DEFERRED
    shown = "; ".join(
        f"{each['address']}: {each['code']} {each['message']}" for each in refused[:3]
    )
    more = f" (and {len(refused) - 3} more)" if len(refused) > 3 else ""
    hint = "; allow_partial: true sends it to the others" if accepted else ""
    details: JsonObject = {"refused": cast(Json, refused), "accepted": [*accepted]}
    return NodeFailed(
        kind, f"nothing was sent: {where} refuses {shown}{more}{hint}", details=details
    )


async def _hand_over(smtp: aiosmtplib.SMTP, data: bytes, where: str) -> None:
    try:
        await smtp.data(data, timeout=_HANDING_OVER)
    except (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPTimeoutError) as error:
        raise NodeFailed(
            MAIL_UNCONFIRMED,
            f"{where} has not said whether it took the mail over, which may have been sent: "
            f"{error.message}",
        ) from error


@contextmanager
def _explained(where: str) -> Iterator[None]:
    try:
        yield
    except aiosmtplib.SMTPResponseException as error:
        kind = MAIL_REFUSED if error.code >= _PERMANENT else MAIL_DEFERRED
        kind = MAIL_TOO_LARGE if error.code == _TOO_LARGE else kind
        raise _answered(kind, f"{where} refuses the mail", error) from error
    except (aiosmtplib.SMTPException, OSError) as error:
        known = certificate_trouble(where, error)
        raise known or NodeFailed(MAIL_UNREACHABLE, f"{where}: {_plain(str(error))}") from error


def _answered(kind: ErrorType, what: str, error: aiosmtplib.SMTPResponseException) -> NodeFailed:
    said = _plain(error.message)
    details: JsonObject = {"code": error.code, "message": said}
    return NodeFailed(kind, f"{what}: {error.code} {said}".rstrip(), details=details)


def _plain(said: str) -> str:
    """What a server said, in one line that can be written anywhere."""
    text = said.encode("utf-8", "replace").decode()
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_SHOWN]
