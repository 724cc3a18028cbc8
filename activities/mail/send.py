"""Node type `email.send`: its parameters, its result and its errors."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator
from typing_extensions import TypedDict

from activities.addresses import ADDRESS_REFUSED
from activities.attempt import Attempt
from activities.blobs import Blob
from activities.declaration import AnyImplementation, Params, declare
from activities.errors import EXTRA_MISSING, needing_extra
from activities.mail.account import CONNECTION_ERRORS, Line, MailServer
from activities.mail.addresses import Recipients, Sender
from flowspec.catalogue import ErrorType, RetryDefaults

__all__ = [
    "MAIL_TOO_LARGE",
    "MAIL_UNCONFIRMED",
    "MOST_BYTES",
    "NODE_TYPES",
    "Attachment",
    "Refusal",
    "SendParams",
    "SendResult",
]

MOST_BYTES = 25_000_000
_MOST_ATTACHMENTS = 100
_MOST_RECIPIENTS = 1_000
_LONGEST_TEXT = 5_000_000

MAIL_TOO_LARGE = ErrorType(
    name="MailTooLarge",
    permanent=True,
    meaning="The attachments have more than 25 MB together, or more than the server takes",
)
MAIL_UNCONFIRMED = ErrorType(
    name="MailUnconfirmed",
    permanent=False,
    meaning="The connection broke while the mail was handed over: it may have been sent, so that "
    "another attempt may send it twice",
)

_HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,70}")
_OURS = re.compile(
    r"(from|to|cc|bcc|sender|reply-to|subject|date|message-id|mime-version|content-.*|received"
    r"|return-path|resent-.*)",
    re.IGNORECASE,
)
_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,60}/[a-z0-9][a-z0-9!#$&^_.+-]{0,60}", re.I)


def _check_headers(headers: dict[str, Line]) -> dict[str, Line]:
    for name in headers:
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a header's name")
        if _OURS.fullmatch(name):
            raise ValueError(f"the header {name!r} is written by the node type itself")
    return headers


def _check_type(kind: str) -> str:
    if not _TYPE.fullmatch(kind.partition(";")[0].strip()):
        raise ValueError(f"{kind!r} is not a content type such as application/pdf")
    return kind


class Attachment(Params):
    """One file."""

    name: Annotated[Line, Field(min_length=1, max_length=255)]
    """The file's name."""
    content: Blob
    """What is in it: a text, bytes kept in the object store, any other value as its JSON."""
    content_type: Annotated[Line, AfterValidator(_check_type)] | None = None
    """What it is, such as `application/pdf`; left out, what it was kept as or is
    called."""
    size: int | None = None
    """Not looked at: an attachment of `email.receive` can be handed on as it is."""


class SendParams(MailServer):
    """One mail."""

    username: Annotated[Line, Field(min_length=1)] | None = None
    """Who logs in; left out, nobody does."""
    password: str | None = None
    """The password for it."""
    from_: Sender = Field(alias="from")
    """Who it is from: `ann@example.com` or `Ann <ann@example.com>`."""
    to: Recipients = Field(default_factory=list)
    """To whom: one address, or a list of them. Never several in one text."""
    cc: Recipients = Field(default_factory=list)
    """To whom as well."""
    bcc: Recipients = Field(default_factory=list)
    """To whom without the others being told: it stands nowhere in the mail."""
    reply_to: Recipients = Field(default_factory=list)
    """Where answers go."""
    subject: Annotated[Line, Field(max_length=1_000)]
    """The subject, in one line."""
    text: Annotated[str, Field(max_length=_LONGEST_TEXT)] | None = None
    """The mail as plain text."""
    html: Annotated[str, Field(max_length=_LONGEST_TEXT)] | None = None
    """The mail as HTML; with `text` as well, the reader's program chooses."""
    attachments: list[Attachment] = Field(default_factory=list, max_length=_MOST_ATTACHMENTS)
    """Files, 25 MB together at most."""
    headers: Annotated[
        dict[str, Annotated[Line, Field(max_length=900)]], AfterValidator(_check_headers)
    ] = Field(default_factory=dict, max_length=50)
    """More headers, such as `Auto-Submitted: auto-generated` or `In-Reply-To`."""
    allow_partial: bool = False
    """Send it although the server refuses some of the recipients; the result names them. Otherwise
    it goes to all or to nobody."""

    @model_validator(mode="after")
    def _has_all_it_needs(self) -> Self:
        if self.text is None and self.html is None:
            raise ValueError("expected text, html or both")
        if (self.username is None) != (self.password is None):
            raise ValueError("expected username and password, or neither")
        count = len(self.to) + len(self.cc) + len(self.bcc)
        if not 0 < count <= _MOST_RECIPIENTS:
            raise ValueError(f"expected 1 to {_MOST_RECIPIENTS} recipients, found {count}")
        return self


class Refusal(TypedDict):
    """A recipient whom the server did not take."""

    address: str
    code: Annotated[int, Field(description="What the server answered, such as 550")]
    message: Annotated[str, Field(description="What it said")]
    permanent: Annotated[bool, Field(description="Whether that is for good: 5xx")]


class SendResult(TypedDict):
    """What the server took over."""

    message_id: Annotated[
        str, Field(description="The mail's `Message-ID`, the same for every attempt")
    ]
    accepted: Annotated[list[str], Field(description="Recipients the server took")]
    refused: Annotated[
        list[Refusal], Field(description="Those it did not; some only with `allow_partial`")
    ]


async def send(params: SendParams, attempt: Attempt) -> SendResult:
    with needing_extra("mail"):
        from activities.mail.smtp import sent

    return await sent(params, attempt)


EMAIL_SEND = declare(
    name="email.send",
    summary="Send a mail by SMTP",
    description=(
        "Done once the server has taken the mail over; whether it arrives, no server tells. All "
        "recipients are asked for first, and if one is refused nobody gets it, unless "
        "`allow_partial` says otherwise. SMTP cannot promise exactly once: if the connection "
        "breaks at the very end (`MailUnconfirmed`), or the worker crashes, another attempt sends "
        "it again, with the same `Message-ID`, by which most servers and programs know it for the "
        "same. Whoever would rather lose it than send it twice writes `retry: {never: "
        "[MailUnconfirmed]}`. Every address is checked, and nothing in a parameter can add a "
        "header or a recipient."
    ),
    example="""\
flow: send-report
input: {required: [to, report], properties: {to: {type: string}, report: {type: string}}}
secrets: [MAIL_PASSWORD]
nodes:
  send:
    type: email.send
    params:
      host: smtp.example.com
      username: reports@example.com
      password: ${secrets.MAIL_PASSWORD}
      from: Reports <reports@example.com>
      to: ${input.to}
      subject: Your report
      text: The report is attached.
      attachments: [{name: report.csv, content: "${input.report}"}]
output: ${nodes.send.output.message_id}
""",
    params=SendParams,
    result=SendResult,
    handler=send,
    errors=(
        *CONNECTION_ERRORS,
        MAIL_UNCONFIRMED,
        MAIL_TOO_LARGE,
        ADDRESS_REFUSED,
        EXTRA_MISSING,
    ),
    secret_params=("username", "password"),
    retry=RetryDefaults(attempts=5, interval=5, factor=4, max_interval=600, jitter=0.1),
    attempt_timeout=600,
    heartbeat=30,
)

NODE_TYPES: tuple[AnyImplementation, ...] = (EMAIL_SEND,)
