"""Reading and marking mails by IMAP: a session in threads, which ends when nobody waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from activities.attempt import Attempt
from activities.blobs import Kept
from activities.errors import NodeFailed
from activities.mail.account import MAIL_REFUSED
from activities.mail.mailbox import Found, Mailbox, criteria, explained
from activities.mail.reading import File, Mail, read_mail
from activities.mail.receive import (
    Account,
    Attached,
    MarkParams,
    MarkResult,
    Message,
    Person,
    ReceiveParams,
    ReceiveResult,
)
from activities.mail.socket import open_socket, open_tls
from flowspec.values import JsonObject

__all__ = ["marked", "received"]

T = TypeVar("T")

_SHORT = 64_000
_PIECE = 1_000_000


class _Session:
    """Does one thing after another in threads. Whoever stops waiting ends the connection, and
    with it what the thread is waiting for."""

    def __init__(self, mailbox: Mailbox, where: str) -> None:
        self._mailbox = mailbox
        self._where = where
        self.stopped = False

    async def do(self, work: Callable[[Mailbox], T]) -> T:
        return await self.aside(lambda: self._explained(work))

    async def aside(self, work: Callable[[], T]) -> T:
        job = asyncio.ensure_future(asyncio.to_thread(work))
        try:
            return await asyncio.shield(job)
        finally:
            if not job.done():
                self.stopped = True
                self._mailbox.hang_up()
                await asyncio.wait([job])
                job.exception()

    def _explained(self, work: Callable[[Mailbox], T]) -> T:
        with explained(self._where):
            return work(self._mailbox)


@asynccontextmanager
async def _session(params: Account, attempt: Attempt) -> AsyncGenerator[_Session]:
    attempt.conceal(params.password)
    port, security = params.reached(tls=993, starttls=143, none=143)
    where = f"{params.host}:{port}"
    tls = await attempt.resources.get(open_tls)
    made = await open_socket(params.host, port, attempt.addresses, seconds=params.timeout)
    mailbox = Mailbox(made, params.host, tls=tls, security=security, seconds=params.timeout)
    try:
        session = _Session(mailbox, where)
        await session.do(lambda box: box.log_in(params.username, params.password))
        yield session
    finally:
        await asyncio.shield(asyncio.to_thread(mailbox.close))


async def received(params: ReceiveParams, attempt: Attempt) -> ReceiveResult:
    """What is found, read one mail after the other; at most one of them is in memory."""
    async with _session(params, attempt) as session:
        validity = await session.do(lambda box: box.select(params.mailbox, readonly=True))
        uids = await session.do(lambda box: box.search(criteria(params.search)))
        chosen = uids[: params.limit]
        found = await session.do(lambda box: box.look_at(chosen))
        messages: list[Message] = []
        for number, each in enumerate(found, 1):
            attempt.heartbeat({"read": number - 1, "of": len(found)})
            message = await _message(session, each, validity, params, attempt)
            messages += [message] if message is not None else []
    return {"messages": messages, "count": len(messages), "more": len(uids) - len(chosen)}


async def _message(
    session: _Session, found: Found, validity: int, params: ReceiveParams, attempt: Attempt
) -> Message | None:
    """None if it has been deleted in the meantime."""
    whole = found.size <= params.max_bytes
    raw = await session.do(lambda box: box.fetch(found.uid, whole=whole, most=params.max_bytes))
    if raw is None:
        return None
    mail = await session.aside(
        lambda: read_mail(
            raw, wanted=tuple(params.headers), whole=whole, stop=lambda: session.stopped
        )
    )
    if not whole:
        size = f"{found.size:,} bytes, more than max_bytes: {params.max_bytes:,}"
        mail.problems.insert(0, f"it has {size}; only its headers were read")
    return await _put_away(mail, found, validity, attempt)


async def _put_away(mail: Mail, found: Found, validity: int, attempt: Attempt) -> Message:
    people = {name: [_person(*each) for each in given] for name, given in mail.people.items()}
    return {
        "id": f"{validity}.{found.uid}",
        "message_id": mail.message_id,
        "from": people["from"],
        "to": people["to"],
        "cc": people["cc"],
        "reply_to": people["reply-to"],
        "subject": mail.subject,
        "date": mail.date,
        "received": found.received,
        "text": await _long(mail.text, "text/plain", attempt),
        "html": await _long(mail.html, "text/html", attempt),
        "attachments": [await _attached(file, attempt) for file in mail.files],
        "headers": mail.headers,
        "size": found.size,
        "problems": mail.problems,
    }


def _person(name: str, address: str) -> Person:
    return {"name": name, "address": address}


async def _long(text: str | None, kind: str, attempt: Attempt) -> str | Kept | None:
    if text is None or len(text) <= _SHORT:
        return text
    data = text.encode("utf-8", "replace")
    return await attempt.keep(_pieces(data), content_type=f"{kind}; charset=utf-8")


async def _attached(file: File, attempt: Attempt) -> Attached:
    kept = await attempt.keep(_pieces(file.data), content_type=file.content_type)
    return {
        "name": file.name,
        "content_type": file.content_type,
        "size": kept.size,
        "content": kept,
    }


async def _pieces(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), _PIECE):
        yield data[start : start + _PIECE]


async def marked(params: MarkParams, attempt: Attempt) -> MarkResult:
    """What is still there of the mails, marked, and then moved or deleted."""
    asked = {each: tuple(int(number) for number in each.split(".")) for each in params.ids}
    async with _session(params, attempt) as session:
        validity = await session.do(lambda box: box.select(params.mailbox, readonly=False))
        strange = [each for each, (of, _) in asked.items() if of != validity]
        if strange:
            raise _anew(params.mailbox, strange)
        wanted = [uid for _, uid in asked.values()]
        there = await session.do(lambda box: box.still_there(wanted))
        attempt.heartbeat({"found": len(there), "of": len(wanted)})
        if there:
            await session.do(lambda box: _act(box, there, params))
    known = set(there)
    done = [each for each, (_, uid) in asked.items() if uid in known]
    return {"done": done, "gone": [each for each in asked if each not in done]}


def _act(box: Mailbox, uids: list[int], params: MarkParams) -> None:
    if params.mark is not None:
        box.mark(uids, params.mark)
    if params.move_to is not None:
        box.move(uids, params.move_to)
    if params.delete:
        box.delete(uids)


def _anew(mailbox: str, strange: list[str]) -> NodeFailed:
    details: JsonObject = {"ids": [*strange]}
    return NodeFailed(
        MAIL_REFUSED,
        f"{strange[0]} is not of the mailbox {mailbox!r} as it is now: the server has made it "
        "anew, or the mail was read from another one",
        details=details,
    )
