"""A mail as the bytes that go over the wire."""

from __future__ import annotations

import hashlib
import mimetypes
import re
from base64 import encodebytes
from contextlib import aclosing
from dataclasses import dataclass
from email import policy
from email.charset import BASE64, QP, Charset
from email.message import Message
from email.mime.base import MIMEBase
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.utils import encode_rfc2231, formatdate

from activities.aside import aside
from activities.blobs import BINARY_TYPE, JSON_TYPE, TEXT_TYPE
from activities.errors import NodeFailed
from activities.mail.addresses import header_text, read_address
from activities.mail.send import MAIL_TOO_LARGE, MOST_BYTES, Attachment, SendParams

__all__ = ["build", "message_id"]

_LARGE_TEXT = 100_000
_WIRE = policy.compat32.clone(linesep="\r\n")
_SAY_LITTLE = (BINARY_TYPE, TEXT_TYPE, JSON_TYPE)


@dataclass(frozen=True, kw_only=True)
class _File:
    name: str
    kind: str
    data: bytes


def message_id(params: SendParams, key: str) -> str:
    """The same for every attempt at the same node of the same run."""
    unique = hashlib.sha256(key.encode()).hexdigest()[:40]
    return f"<{unique}@{read_address(params.from_).domain}>"


async def build(params: SendParams, key: str) -> bytes:
    """The whole mail. Fails with `MailTooLarge`."""
    files: list[_File] = []
    left = MOST_BYTES
    for attachment in params.attachments:
        files.append(await _load(attachment, left))
        left -= len(files[-1].data)
    return await aside(lambda: _message(params, key, files).as_bytes(policy=_WIRE), over=files or 0)


async def _load(attachment: Attachment, left: int) -> _File:
    data = bytearray()
    async with aclosing(attachment.content.stream()) as pieces:
        async for piece in pieces:
            data += piece
            if len(data) > left:
                raise NodeFailed(
                    MAIL_TOO_LARGE,
                    f"the attachments have more than {MOST_BYTES:,} bytes together, the largest "
                    f"mail that is sent; {attachment.name!r} is where they do",
                )
    kind = attachment.content_type or await _kind(attachment)
    return _File(name=attachment.name, kind=kind, data=bytes(data))


async def _kind(attachment: Attachment) -> str:
    """What it was kept as, unless the name says more."""
    kept = await attachment.content.content_type()
    guessed, encoding = mimetypes.guess_type(attachment.name)
    if kept in _SAY_LITTLE and guessed is not None and encoding is None:
        return f"{guessed}; charset=utf-8" if guessed.startswith("text/") else guessed
    return kept


def _message(params: SendParams, key: str, files: list[_File]) -> Message:
    message = _with_files(_body(params), files)
    del message["MIME-Version"]
    for name, value in _headers(params, key):
        message[name] = value
    return message


def _headers(params: SendParams, key: str) -> list[tuple[str, str]]:
    lists = (("To", params.to), ("Cc", params.cc), ("Reply-To", params.reply_to))
    return [
        ("From", str(read_address(params.from_))),
        *((name, _joined(given)) for name, given in lists if given),
        ("Subject", header_text(params.subject)),
        ("Date", formatdate()),
        ("Message-ID", message_id(params, key)),
        *((name, header_text(value)) for name, value in params.headers.items()),
        ("MIME-Version", "1.0"),
    ]


def _joined(given: list[str]) -> str:
    """One address a line, so that no line grows too long."""
    return ",\n ".join(str(read_address(each)) for each in given)


def _body(params: SendParams) -> Message:
    if params.html is None or params.text is None:
        only, kind = (params.text, "plain") if params.html is None else (params.html, "html")
        return _text(only or "", kind)
    both = MIMEMultipart("alternative")
    both.attach(_text(params.text, "plain"))
    both.attach(_text(params.html, "html"))
    return both


def _text(text: str, kind: str) -> Message:
    charset = Charset("utf-8")
    charset.body_encoding = QP if len(text) <= _LARGE_TEXT else BASE64
    part = MIMENonMultipart("text", kind)
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    part.set_payload(lines.encode("utf-8", "replace").decode(), charset)
    return part


def _with_files(body: Message, files: list[_File]) -> Message:
    if not files:
        return body
    whole = MIMEMultipart("mixed")
    whole.attach(body)
    for file in files:
        whole.attach(_part(file))
    return whole


def _part(file: _File) -> Message:
    main, _, sub = file.kind.partition(";")[0].strip().lower().partition("/")
    if main in ("multipart", "message"):  # nothing but bytes may stand in base64
        main, sub = "application", "octet-stream"
    part = MIMEBase(main, sub)
    for name, value in _parameters(file.kind):
        part.set_param(name, value)
    part.set_payload(encodebytes(file.data).decode("ascii"))
    part["Content-Transfer-Encoding"] = "base64"
    part["Content-Disposition"] = f"attachment; {_file_name(file.name)}"
    return part


def _parameters(kind: str) -> list[tuple[str, str]]:
    told = Message()
    told["Content-Type"] = kind
    found = (told.get_params() or [])[1:]
    return [(name, value) for name, value in found if f"{value}".isascii()]


def _file_name(name: str) -> str:
    plain = name.isascii() and name.isprintable() and not set(name) & set('"\\%')
    if plain and len(name) <= 60:
        return f'filename="{name}"'
    coded = encode_rfc2231(name, "utf-8")
    pieces = re.findall("(?:%..|[^%]){1,20}", coded)
    if len(pieces) == 1:
        return f"filename*={coded}"
    return "; ".join(f"filename*{number}*={piece}" for number, piece in enumerate(pieces))
