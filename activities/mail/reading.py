"""A mail taken apart, whatever its sender has made of it: within bounds, and without an error."""

from __future__ import annotations

import base64
import quopri
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.errors import MessageError
from email.message import Message
from email.parser import BytesFeedParser
from email.policy import Compat32, Policy, compat32
from email.utils import getaddresses, parsedate_to_datetime
from typing import TypeVar

__all__ = ["File", "Mail", "read_mail"]

T = TypeVar("T")

_MOST_PARTS = 1_000
_MOST_FILES = 100
_MOST_LINES = 2_000_000
_MOST_PEOPLE = 1_000
_LONGEST_HEAD = 64 * 1024
_LONGEST_HEADER = 16 * 1024
_LONGEST_NAME = 200
_MOST_HEADERS = 10_000
_PIECE = 16 * 1024
_SECONDS = 10.0
_BROKEN = (ValueError, LookupError, TypeError, AttributeError, AssertionError, RecursionError)
"""What the standard library raises for mails it did not expect."""

_NO_TEXT = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined"})
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_WORD = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]*?)\?=")
_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,100}/[a-z0-9!#$&^_.+-]{1,100}")


@dataclass(frozen=True, kw_only=True)
class File:
    """Something in a mail that is not its text."""

    name: str
    content_type: str
    data: bytes


@dataclass(kw_only=True)
class Mail:
    """What could be read of a mail, and in `problems` what could not."""

    message_id: str = ""
    subject: str = ""
    date: str | None = None
    people: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    """By lower-case name of the header, names with addresses."""
    headers: dict[str, str] = field(default_factory=dict)
    text: str | None = None
    html: str | None = None
    files: list[File] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class _Unreadable(Exception):
    """A mail that is not taken any further apart; the message says why."""


def read_mail(
    raw: bytes, *, wanted: tuple[str, ...] = (), whole: bool = True, stop: Callable[[], bool]
) -> Mail:
    """Of a mail that is not given as a `whole`, only the headers are looked at.

    Takes some seconds at most. `stop` is asked now and then whether to give up.
    """
    mail = Mail()
    try:
        message = _parsed(raw, stop) if whole else _headers_of(raw)
    except (_Unreadable, MessageError, *_BROKEN) as error:
        deep = isinstance(error, RecursionError)
        why = "its parts are nested too deeply" if deep else str(error)
        mail.problems.append(f"it cannot be taken apart: {why}")
        message, whole = _headers_of(raw), False
    _read_headers(mail, message, wanted)
    if whole:
        _read_parts(mail, message)
    return mail


def _parsed(raw: bytes, stop: Callable[[], bool]) -> Message:
    lines = raw.count(b"\n") + raw.count(b"\r") - raw.count(b"\r\n")
    if lines > _MOST_LINES:
        raise _Unreadable(f"it has more than {_MOST_LINES:,} lines")
    bounds = _Bounds()
    parser = BytesFeedParser(_factory=bounds.part, policy=bounds)
    ends = time.monotonic() + _SECONDS
    for start in range(0, len(raw), _PIECE):
        parser.feed(raw[start : start + _PIECE])
        if stop() or time.monotonic() > ends:
            raise _Unreadable("it takes too long")
    return parser.close()


class _Bounds(Compat32):
    """How mails are read everywhere, but for what there may be of everything."""

    made = 0
    headers = 0

    def part(self, policy: Policy[Message] | None = None) -> Message:
        object.__setattr__(self, "made", self.made + 1)
        if self.made > _MOST_PARTS:
            raise _Unreadable(f"it has more than {_MOST_PARTS:,} parts")
        return Message(policy=policy or self)

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        object.__setattr__(self, "headers", self.headers + 1)
        if self.headers > _MOST_HEADERS:
            raise _Unreadable(f"it has more than {_MOST_HEADERS:,} headers")
        name, value = super().header_source_parse(sourcelines)
        return name, _utf8(value[:_LONGEST_HEADER])


def _headers_of(raw: bytes) -> Message:
    """Just those, of which no nesting and no amount can make much."""
    head = re.split(rb"\r?\n\r?\n", raw[:_LONGEST_HEAD], maxsplit=1)[0]
    parser = BytesFeedParser(policy=compat32)
    try:
        parser.feed(re.sub(rb"(?im)^content-type:", b"X-Content-Type:", head))
        return parser.close()
    except (MessageError, *_BROKEN):
        return Message()


# Headers


def _read_headers(mail: Mail, message: Message, wanted: tuple[str, ...]) -> None:
    found = _all_headers(message)
    mail.subject = _line(found, "subject")
    mail.message_id = _line(found, "message-id")
    mail.date = _tried(lambda: parsedate_to_datetime(_line(found, "date")).isoformat(), None)
    for name in ("from", "to", "cc", "reply-to"):
        mail.people[name] = _people(found.get(name, []))
    for name in dict.fromkeys(each.lower() for each in wanted):
        if name in found:
            mail.headers[name] = "\n".join(decoded(each) for each in found[name][:100])


def _all_headers(message: Message) -> dict[str, list[str]]:
    """By lower-case name, each on one line and not decoded."""
    found: dict[str, list[str]] = {}
    for name, value in message.raw_items():
        text = _utf8(re.sub(r"[\r\n]+[ \t]*", " ", str(value)[:_LONGEST_HEADER]))
        found.setdefault(name.lower(), []).append(text)
    return found


def _line(found: dict[str, list[str]], name: str) -> str:
    return decoded(found[name][0]) if name in found else ""


def _people(values: list[str]) -> list[tuple[str, str]]:
    people: list[tuple[str, str]] = []
    for value in values[:10]:
        listed = _addresses(value)
        people += [(decoded(name), _clean(address)) for name, address in listed if address]
    return people[:_MOST_PEOPLE]


def _addresses(value: str) -> list[tuple[str, str]]:
    return _tried(lambda: getaddresses([value]), [])


def decoded(value: str) -> str:
    """A header's text, with what stands in coded words as it was meant; without line breaks."""
    text, end = "", 0
    waiting, charset = b"", ""
    for found in _WORD.finditer(value):
        between = value[end : found.start()]
        if between.strip() or found[1].lower() != charset:  # else one word goes on in the next
            text += in_charset(waiting, charset) if waiting else ""
            text += between if between.strip() or not charset else ""
            waiting = b""
        waiting += _word(found[2].lower(), found[3])
        charset, end = found[1].lower(), found.end()
    text += in_charset(waiting, charset) if waiting else ""
    return _clean(text + value[end:]).strip()


def _word(way: str, coded: str) -> bytes:
    raw = coded.encode("utf-8", "replace")
    if way == "q":
        return quopri.decodestring(raw, header=True)
    return _tried(lambda: base64.b64decode(raw + b"=="), raw)


def _utf8(text: str) -> str:
    """Bytes that are no ASCII, which the parser escapes, as the text they should be."""
    return in_charset(text.encode("utf-8", "surrogateescape"), None)


def _clean(text: str) -> str:
    return _CONTROL.sub(" ", text)


# Parts


def _read_parts(mail: Mail, message: Message) -> None:
    texts: dict[str, list[str]] = {"plain": [], "html": []}
    left_out = 0
    for number, part in enumerate(_leaves(message), 1):
        kind = _kind(part)
        try:
            if _is_text(part, kind):
                texts[kind.partition("/")[2]].append(_text(part))
            elif len(mail.files) < _MOST_FILES:
                mail.files.append(_file(part, kind, number))
            else:
                left_out += 1
        except (MessageError, *_BROKEN) as error:
            mail.problems.append(f"part {number}, {kind}, cannot be read: {type(error).__name__}")
    if left_out:
        mail.problems.append(f"{left_out} attachments are left out: it has more than {_MOST_FILES}")
    mail.text = "\n".join(texts["plain"]) if texts["plain"] else None
    mail.html = "\n".join(texts["html"]) if texts["html"] else None


def _leaves(message: Message) -> Iterator[Message]:
    """The parts that hold no others, in their order; a mail inside of a mail is one."""
    waiting: list[Message] = [message]
    while waiting:
        part = waiting.pop()
        if part.is_multipart() and _tried(part.get_content_maintype, "") == "multipart":
            waiting.extend(reversed(_inner(part)))
        else:
            yield part


def _inner(part: Message) -> list[Message]:
    inner = part.get_payload() if part.is_multipart() else []
    return [each for each in inner if isinstance(each, Message)]


def _kind(part: Message) -> str:
    """What it says it is; what should hold parts and has none is shown as text."""
    said = _tried(part.get_content_type, "application/octet-stream")
    if said.startswith("multipart/"):
        return "text/plain"
    return said if _TYPE.fullmatch(said) else "application/octet-stream"


def _is_text(part: Message, kind: str) -> bool:
    if kind not in ("text/plain", "text/html") or part.is_multipart():
        return False
    attached = _tried(part.get_content_disposition, None) == "attachment"
    return not attached and not _tried(part.get_filename, None)


def _text(part: Message) -> str:
    text = in_charset(_bytes(part), _charset(part)).replace("\r\n", "\n")
    return text.replace("\0", "")


def _charset(part: Message) -> str | None:
    charset = _tried(part.get_content_charset, None)
    return charset if isinstance(charset, str) else None


def _bytes(part: Message) -> bytes:
    if part.is_multipart():
        return b"".join(each.as_bytes() for each in _inner(part))
    data = part.get_payload(decode=True)
    return data if isinstance(data, bytes) else b""


def _file(part: Message, kind: str, number: int) -> File:
    ending = ".eml" if kind == "message/rfc822" else ""
    name = _file_name(_tried(part.get_filename, None)) or f"part-{number}{ending}"
    charset = _charset(part)
    known = charset if charset and re.fullmatch(r"[a-z0-9_.:-]{1,40}", charset) else None
    described = f"{kind}; charset={known}" if known and kind.startswith("text/") else kind
    return File(name=name, content_type=described, data=_bytes(part))


def _file_name(given: str | None) -> str:
    """Without folders, so that nobody who writes it somewhere writes it elsewhere."""
    name = re.split(r"[/\\]", decoded(_utf8(given or "")))[-1].strip().lstrip(".")
    if len(name) <= _LONGEST_NAME:
        return name
    stem, dot, ending = name.rpartition(".")
    short = dot and len(ending) <= 10
    return f"{stem[: _LONGEST_NAME - 11]}.{ending}" if short else name[:_LONGEST_NAME]


def in_charset(data: bytes, charset: str | None) -> str:
    """Text in what it says it is in, or in what it looks like; what is neither is replaced."""
    named = (charset or "").lower().replace("-", "_")
    for each in (named, "utf_8"):
        if each and each not in _NO_TEXT and not each.startswith("unknown"):
            try:
                return data.decode(each)
            except (LookupError, ValueError):
                continue
    try:
        return data.decode("cp1252" if named in ("", "us_ascii", "ascii", "utf_8") else named)
    except (LookupError, ValueError):
        return data.decode("utf-8", "replace")


def _tried(work: Callable[[], T], otherwise: T) -> T:
    try:
        return work()
    except (MessageError, *_BROKEN):
        return otherwise
