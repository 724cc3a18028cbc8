"""One session with an IMAP server, as imaplib and imap-tools speak; it blocks."""

from __future__ import annotations

import imaplib
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, Literal

from imap_tools.query import AND
from imap_tools.utils import encode_folder

from activities.errors import NodeFailed
from activities.mail.account import (
    MAIL_AUTH_FAILED,
    MAIL_DEFERRED,
    MAIL_REFUSED,
    MAIL_TLS_ERROR,
    MAIL_UNREACHABLE,
    Security,
)
from activities.mail.receive import Search
from activities.mail.socket import certificate_trouble

__all__ = ["Found", "Mailbox", "criteria", "explained"]

_ROOM: Final = 20_000_000
"""Bytes a server may say beside what it is asked for: numbers of two million mails."""
_HEADERS: Final = 64 * 1024
_SHOWN: Final = 300
_AT_ONCE: Final = 100
_LATER = re.compile(r"\[(UNAVAILABLE|INUSE|LIMIT|SERVERBUG)\b", re.IGNORECASE)
_FLAGS = {
    "seen": ("+FLAGS.SILENT", "(\\Seen)"),
    "unseen": ("-FLAGS.SILENT", "(\\Seen)"),
    "flagged": ("+FLAGS.SILENT", "(\\Flagged)"),
    "unflagged": ("-FLAGS.SILENT", "(\\Flagged)"),
}


@dataclass(frozen=True, kw_only=True)
class Found:
    """A mail on the server."""

    uid: int
    size: int
    received: str | None


class _Refused(Exception):
    """The server answered NO; the message is what it said."""


class _Client(imaplib.IMAP4):
    """Over a connection that is there already, reading no more than was asked for."""

    def __init__(self, made: socket.socket, host: str, seconds: float, tls: Any) -> None:
        self._made = made
        self._tls: ssl.SSLContext | None = tls
        self.left = _ROOM
        super().__init__(host, 0, seconds)

    def _create_socket(self, timeout: float | None) -> socket.socket:
        self._made.settimeout(timeout)
        if self._tls is None:
            return self._made
        return self._tls.wrap_socket(self._made, server_hostname=self.host)

    def read(self, size: int) -> bytes:
        self._spend(size)
        return super().read(size)

    def readline(self) -> bytes:
        line = super().readline()
        self._spend(len(line))
        return line

    def _spend(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise self.abort("the server says more than it was asked for")


class Mailbox:
    """To be used by one thread at a time, but for `hang_up`. Connects when first used."""

    def __init__(
        self,
        made: socket.socket,
        host: str,
        *,
        tls: ssl.SSLContext,
        security: Security,
        seconds: float,
    ) -> None:
        self._made = made
        self._line = made.dup()  # the same connection, for another thread to end it
        self._host = host
        self._tls = tls
        self._security = security
        self._seconds = seconds
        self._client: _Client | None = None
        self._can: frozenset[str] = frozenset()

    def hang_up(self) -> None:
        """From any thread: whatever waits for the server waits no more."""
        with suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        if self._client is not None:
            with suppress(OSError, imaplib.IMAP4.error):
                self._client.sock.settimeout(1)  # nobody needs the server's farewell
                self._client.logout()
        self.hang_up()
        self._line.close()
        self._made.close()

    def log_in(self, username: str, password: str) -> None:
        tls = self._tls if self._security == "tls" else None
        client = self._client = _Client(self._made, self._host, self._seconds, tls)
        if self._security == "starttls":
            self._start_tls(client)
        try:
            self._authenticate(client, username, password)
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error as error:
            said = _plain(error)
            kind = MAIL_DEFERRED if _LATER.search(said) else MAIL_AUTH_FAILED
            raise NodeFailed(
                kind, f"{self._host} does not let {username} in: {said}", details={"said": said}
            ) from error
        self._can = frozenset(
            _first(client.capability()).decode("ascii", "replace").upper().split()
        )

    def _start_tls(self, client: _Client) -> None:
        if "STARTTLS" not in client.capabilities:
            raise NodeFailed(
                MAIL_TLS_ERROR,
                f"{self._host} does not offer STARTTLS, so that everything would be readable on "
                "the way; perhaps it wants security: tls",
            )
        client.starttls(self._tls)

    def _authenticate(self, client: _Client, username: str, password: str) -> None:
        if "AUTH=PLAIN" in client.capabilities:
            token = f"\0{username}\0{password}".encode()
            client.authenticate("PLAIN", lambda _: token)
        elif "LOGINDISABLED" in client.capabilities:
            raise client.error("it takes no passwords this way; perhaps security is another")
        elif not f"{username}{password}".isascii():
            raise client.error("it takes only passwords in ASCII")
        else:
            client.login(username, password)

    @property
    def _open(self) -> _Client:
        assert self._client is not None, "it has logged in"
        self._client.left = _ROOM
        return self._client

    def select(self, mailbox: str, *, readonly: bool) -> int:
        """The number that tells whether the mails' numbers are still the same ones."""
        client = self._open
        _ok(client.select(_quoted(mailbox), readonly=readonly), f"the mailbox {mailbox!r}")
        _, told = client.response("UIDVALIDITY")
        if not told or not isinstance(told[0], bytes) or not told[0].isdigit():
            raise client.abort("the server does not tell whether numbers of mails stay the same")
        return int(told[0])

    def search(self, wanted: str) -> list[int]:
        """The mails, the oldest first."""
        ascii_only = wanted.isascii()
        charset = () if ascii_only else ("CHARSET", "UTF-8")
        found = self._open.uid("SEARCH", *charset, wanted.encode())  # type: ignore[arg-type]
        return sorted(int(uid) for uid in _first(_ok(found, "the search")).split())

    def still_there(self, uids: list[int]) -> list[int]:
        return self.search(f"UID {_set(uids)}") if uids else []

    def look_at(self, uids: list[int]) -> list[Found]:
        """What is known of them without reading them, in their order."""
        found: dict[int, Found] = {}
        for start in range(0, len(uids), _AT_ONCE):
            some = _set(uids[start : start + _AT_ONCE])
            lines = _ok(self._open.uid("FETCH", some, "(UID RFC822.SIZE INTERNALDATE)"), "mails")
            for line in lines:
                if isinstance(line, bytes) and (one := _found(line.decode("ascii", "replace"))):
                    found[one.uid] = one
        return [found[uid] for uid in uids if uid in found]

    def fetch(self, uid: int, *, whole: bool, most: int) -> bytes | None:
        """The mail, or the beginning of its headers; None if it is gone. Marks nothing."""
        client = self._open
        client.left += most
        part = "BODY.PEEK[]" if whole else f"BODY.PEEK[HEADER]<0.{_HEADERS}>"
        for item in _ok(client.uid("FETCH", str(uid), f"({part})"), f"the mail {uid}"):
            if isinstance(item, tuple) and b"BODY[" in item[0]:
                return bytes(item[1])
        return None

    def mark(self, uids: list[int], how: Literal["seen", "unseen", "flagged", "unflagged"]) -> None:
        change, flags = _FLAGS[how]
        _ok(self._open.uid("STORE", _set(uids), change, flags), f"marking as {how}")

    def move(self, uids: list[int], target: str) -> None:
        what = f"moving to {target!r}"
        if "MOVE" in self._can:
            _ok(self._open.uid("MOVE", _set(uids), _quoted(target)), what)
            return
        self._can_expunge(what)
        _ok(self._open.uid("COPY", _set(uids), _quoted(target)), what)
        self.delete(uids)

    def delete(self, uids: list[int]) -> None:
        """These alone: what others have marked for it stays."""
        self._can_expunge("deleting")
        _ok(self._open.uid("STORE", _set(uids), "+FLAGS.SILENT", "(\\Deleted)"), "deleting")
        _ok(self._open.uid("EXPUNGE", _set(uids)), "deleting")

    def _can_expunge(self, what: str) -> None:
        if "UIDPLUS" not in self._can:
            raise _Refused(f"{what}: the server cannot delete single mails (UIDPLUS)")


def criteria(search: Search) -> str:
    """The search in the words of IMAP."""
    given: dict[str, Any] = {
        "seen": None if search.unseen is None else not search.unseen,
        "flagged": search.flagged,
        "date_gte": search.since and date.fromisoformat(search.since),
        "date_lt": search.before and date.fromisoformat(search.before),
        "from_": search.from_,
        "to": search.to,
        "subject": search.subject,
    }
    known = {name: value for name, value in given.items() if value is not None}
    parts = [str(AND(**known))] if known else []
    return " ".join([*parts, *([search.raw] if search.raw else [])]) or "ALL"


@contextmanager
def explained(where: str) -> Iterator[None]:
    """Whatever goes wrong between here and a server, as what a node fails with."""
    try:
        yield
    except _Refused as error:
        said = str(error)
        kind = MAIL_DEFERRED if _LATER.search(said) else MAIL_REFUSED
        raise NodeFailed(kind, f"{where}: {said}", details={"said": said}) from error
    except imaplib.IMAP4.readonly as error:
        raise NodeFailed(MAIL_REFUSED, f"{where}: the mailbox can only be read") from error
    except (imaplib.IMAP4.abort, OSError) as error:
        known = certificate_trouble(where, error)
        raise known or NodeFailed(MAIL_UNREACHABLE, f"{where}: {_plain(error)}") from error
    except imaplib.IMAP4.error as error:
        raise NodeFailed(MAIL_REFUSED, f"{where}: {_plain(error)}") from error


def _ok(answer: tuple[str, list[Any]], what: str) -> list[Any]:
    status, data = answer
    if status != "OK":
        said = b" ".join(each for each in data if isinstance(each, bytes))
        raise _Refused(f"{what} is refused: {_plain(said.decode('utf-8', 'replace'))}")
    return data


def _first(data: Any) -> bytes:
    lines = data[1] if isinstance(data, tuple) else data
    return lines[0] if lines and isinstance(lines[0], bytes) else b""


def _found(line: str) -> Found | None:
    uid = re.search(r"\bUID (\d+)", line)
    size = re.search(r"\bRFC822\.SIZE (\d+)", line)
    if uid is None or size is None:
        return None  # the server tells of another mail, unasked
    came = re.search(r'\bINTERNALDATE "([^"]*)"', line)
    return Found(uid=int(uid[1]), size=int(size[1]), received=_moment(came[1] if came else ""))


def _moment(text: str) -> str | None:
    try:
        return datetime.strptime(text.strip(), "%d-%b-%Y %H:%M:%S %z").isoformat()
    except ValueError:
        return None


def _set(uids: list[int]) -> str:
    return ",".join(str(uid) for uid in uids)


def _quoted(mailbox: str) -> str:
    return encode_folder(mailbox).decode("ascii")


def _plain(said: object) -> str:
    text = str(said).encode("utf-8", "replace").decode()
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_SHOWN]
