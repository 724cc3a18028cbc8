"""A small mail server on loopback for the examples: it takes every mail and delivers none."""

from __future__ import annotations

import asyncio
import logging
import threading
import warnings
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Literal

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

__all__ = ["PASSWORD", "USER", "Mailbox", "attachments"]

USER = "flowrunner@firm.example"
PASSWORD = "mail-password"
"""What the examples log in with; a laptop has no secrets to keep."""


class Mailbox:
    """Takes mails from whoever logs in, and remembers them; runs inside a `with`."""

    def __init__(
        self, port: int = 0, *, told: Callable[[EmailMessage], None] | None = None
    ) -> None:
        self.port = port
        self.mails: list[EmailMessage] = []
        self._told = told
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._connections: list[SMTP] = []

    def to(self, address: str) -> list[EmailMessage]:
        """The mails to this address, in the order they came."""
        return [mail for mail in self.mails if address in str(mail["To"])]

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        content = envelope.original_content
        assert content is not None
        mail = message_from_bytes(content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        if self._told:
            self._told(mail)
        return "250 taken"

    def __enter__(self) -> Mailbox:
        logging.getLogger("mail.log").setLevel(logging.ERROR)
        listening = self._loop.create_server(self._serve, "127.0.0.1", self.port)
        self._server = self._loop.run_until_complete(listening)
        self.port = self._server.sockets[0].getsockname()[1]
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> Literal[False]:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.run_until_complete(self._close())
        self._loop.close()
        return False

    def _serve(self) -> SMTP:
        with warnings.catch_warnings(action="ignore"):  # loopback needs no TLS
            connection = SMTP(
                self,
                hostname="mail.firm.example",
                authenticator=_authenticate,
                auth_required=True,
                auth_require_tls=False,
                loop=self._loop,
            )
        self._connections.append(connection)
        return connection

    async def _close(self) -> None:
        self._server.close()
        for connection in self._connections:
            if connection.transport is not None:
                connection.transport.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await self._server.wait_closed()


def attachments(mail: EmailMessage) -> dict[str, bytes]:
    """The files of a mail by their names."""
    found = {}
    for part in mail.iter_attachments():
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        found[str(part.get_filename())] = content
    return found


def _authenticate(
    _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any
) -> AuthResult:
    known = isinstance(data, LoginPassword) and data == LoginPassword(
        USER.encode(), PASSWORD.encode()
    )
    return AuthResult(success=known, handled=False)
