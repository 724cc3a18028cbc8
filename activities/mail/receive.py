"""Node types `email.receive` and `email.mark`: their parameters, results and errors."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from typing_extensions import TypedDict

from activities.addresses import ADDRESS_REFUSED
from activities.attempt import Attempt
from activities.blobs import Kept
from activities.declaration import AnyImplementation, Params, declare
from activities.errors import EXTRA_MISSING, needing_extra
from activities.mail.account import CONNECTION_ERRORS, Line, MailServer
from flowspec.catalogue import RetryDefaults

__all__ = [
    "NODE_TYPES",
    "Account",
    "Attached",
    "MarkParams",
    "MarkResult",
    "Message",
    "Person",
    "ReceiveParams",
    "ReceiveResult",
    "Search",
]

_LITERAL = re.compile(r"\{\d+\+?\}\s*$")
_ID = re.compile(r"[1-9]\d{0,9}\.[1-9]\d{0,9}")


def _check_day(text: str) -> str:
    date.fromisoformat(text)
    return text


def _check_raw(text: str) -> str:
    if _LITERAL.search(text):
        raise ValueError("a search does not end with {…}, which announces more to the server")
    return text


def _check_id(text: str) -> str:
    if not _ID.fullmatch(text):
        raise ValueError(f"{text!r} is no id of a mail, as email.receive gives them")
    return text


Day = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$"), AfterValidator(_check_day)]
Sought = Annotated[Line, Field(min_length=1, max_length=1_000)]


class Account(MailServer):
    """Whose mail it is."""

    username: Annotated[Line, Field(min_length=1)]
    """Who logs in."""
    password: Annotated[Line, Field(min_length=1)]
    """The password for it."""
    mailbox: Annotated[Line, Field(min_length=1, max_length=500)] = "INBOX"
    """The mailbox, also called folder; its parts are separated as on the server."""


class Search(Params):
    """What is looked for; all of it must hold."""

    unseen: bool | None = None
    """True: not read yet. False: read."""
    flagged: bool | None = None
    """Whether it is flagged, which some programs show as a star."""
    since: Day | None = None
    """Came in on this day, such as `2026-02-28`, or later; by the server's clock."""
    before: Day | None = None
    """Came in before this day."""
    from_: Sought | None = Field(default=None, alias="from")
    """Stands in the sender's name or address."""
    to: Sought | None = None
    """Stands in the name or address of somebody it is to."""
    subject: Sought | None = None
    """Stands in the subject."""
    raw: Annotated[Sought, AfterValidator(_check_raw)] | None = None
    """More, in IMAP's own words, such as `LARGER 1000000 NOT HEADER X-Spam yes`."""


class ReceiveParams(Account):
    """Which mails to read."""

    search: Search = Field(default_factory=lambda: Search(unseen=True))
    """What is looked for; left out, what is unseen. `{}` is every mail."""
    limit: int = Field(default=20, ge=1, le=200)
    """The most mails that are read, the oldest first."""
    max_bytes: int = Field(default=25_000_000, ge=1_000, le=100_000_000)
    """A larger mail is not fetched: of it, only headers and `problems` are there."""
    headers: list[Annotated[str, Field(pattern=r"^[!-9;-~]{1,100}$")]] = Field(
        default_factory=list, max_length=50
    )
    """Headers to be given as well, such as `List-Id`."""


class Person(TypedDict):
    """A name with an address."""

    name: str
    address: str


class Attached(TypedDict):
    """A file in a mail."""

    name: Annotated[
        str, Field(description="Its name without folders; made up if the mail gives none")
    ]
    content_type: Annotated[str, Field(description="What the mail says it is")]
    size: int
    content: Annotated[
        Kept, Field(description="Its bytes, in the object store; hand it on whole, best of all")
    ]


Message = TypedDict(
    "Message",
    {
        "id": Annotated[str, Field(description="What `email.mark` knows the mail by")],
        "message_id": Annotated[str, Field(description="Its `Message-ID`, empty without one")],
        "from": Annotated[list[Person], Field(description="Who it says it is from")],
        "to": list[Person],
        "cc": list[Person],
        "reply_to": list[Person],
        "subject": str,
        "date": Annotated[str | None, Field(description="When it says it was written")],
        "received": Annotated[str | None, Field(description="When the server got it")],
        "text": Annotated[
            str | Kept | None,
            Field(description="What is plain text in it; over 64 KB in the object store"),
        ],
        "html": Annotated[
            str | Kept | None, Field(description="What is HTML in it, just as it came")
        ],
        "attachments": Annotated[
            list[Attached], Field(description="Everything else in it, pictures and mails included")
        ],
        "headers": Annotated[
            dict[str, str],
            Field(
                description="Those asked for, by lower-case name; one given several times is "
                "joined with line breaks"
            ),
        ],
        "size": Annotated[int, Field(description="The bytes of the whole mail")],
        "problems": Annotated[
            list[str],
            Field(description="What of it could not be read or was left out, in words"),
        ],
    },
)


class ReceiveResult(TypedDict):
    """The mails, the oldest first."""

    messages: list[Message]
    count: Annotated[int, Field(description="How many those are")]
    more: Annotated[int, Field(description="How many more there are beyond `limit`")]


class MarkParams(Account):
    """What to do with which mails."""

    ids: Annotated[
        list[Annotated[str, AfterValidator(_check_id)]], Field(min_length=1, max_length=1_000)
    ]
    """The mails, by the `id` that `email.receive` gave them, all of this mailbox."""
    mark: Literal["seen", "unseen", "flagged", "unflagged"] | None = None
    """What to mark them as."""
    move_to: Annotated[Line, Field(min_length=1, max_length=500)] | None = None
    """The mailbox to move them to, which must exist."""
    delete: bool = False
    """Delete them for good."""

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if self.mark is None and self.move_to is None and not self.delete:
            raise ValueError("expected mark, move_to or delete")
        if self.move_to is not None and self.delete:
            raise ValueError("expected move_to or delete, found both")
        return self


class MarkResult(TypedDict):
    """What became of them."""

    done: Annotated[list[str], Field(description="Those that were still there")]
    gone: Annotated[
        list[str],
        Field(description="Those that were not, such as what an attempt before had moved already"),
    ]


async def receive(params: ReceiveParams, attempt: Attempt) -> ReceiveResult:
    with needing_extra("mail"):
        from activities.mail.imap import received

    return await received(params, attempt)


async def mark(params: MarkParams, attempt: Attempt) -> MarkResult:
    with needing_extra("mail"):
        from activities.mail.imap import marked

    return await marked(params, attempt)


EMAIL_RECEIVE = declare(
    name="email.receive",
    summary="Read mails by IMAP",
    description=(
        "Reading changes nothing on the server: no mail is marked as seen, so none is lost if the "
        "worker crashes before the flow has it. Let `email.mark` mark, move or delete them once "
        "the flow has done with them; until then, the next run finds them again. Attachments go "
        "into the object store. A mail that is damaged, too large or made to do harm does not "
        "stop the others: its `problems` say what is missing. Nothing in a mail is to be trusted, "
        "who it says it is from least of all."
    ),
    example="""\
flow: read-orders
secrets: [MAIL_PASSWORD]
nodes:
  read:
    type: email.receive
    params:
      host: imap.example.com
      username: orders@example.com
      password: ${secrets.MAIL_PASSWORD}
      search: {unseen: true, subject: Order}
      limit: 10
    next: note
  note:
    type: log
    foreach: ${nodes.read.output.messages}
    params: {message: "${item.subject}", data: "${item.text}"}
    next: done
  done:
    type: email.mark
    when: ${nodes.read.output.count > 0}
    params:
      host: imap.example.com
      username: orders@example.com
      password: ${secrets.MAIL_PASSWORD}
      ids: "${[each.id for each in nodes.read.output.messages]}"
      mark: seen
output: ${nodes.read.output.count}
""",
    params=ReceiveParams,
    result=ReceiveResult,
    handler=receive,
    errors=(*CONNECTION_ERRORS, ADDRESS_REFUSED, EXTRA_MISSING),
    secret_params=("username", "password"),
    retry=RetryDefaults(attempts=5, interval=5, factor=4, max_interval=600, jitter=0.1),
    attempt_timeout=600,
    heartbeat=30,
)

EMAIL_MARK = declare(
    name="email.mark",
    summary="Mark, move or delete mails that were read",
    description=(
        "To be repeated without harm: what is not there any more is counted as `gone`. Only the "
        "mails named are deleted, never others that somebody else has marked for it. If the server "
        "has made the mailbox anew, the ids mean nothing any more, which is an error."
    ),
    example="""\
flow: file-mail
input: {required: [ids], properties: {ids: {type: array, items: {type: string}}}}
secrets: [MAIL_PASSWORD]
nodes:
  file:
    type: email.mark
    params:
      host: imap.example.com
      username: orders@example.com
      password: ${secrets.MAIL_PASSWORD}
      ids: ${input.ids}
      mark: seen
      move_to: Done
""",
    params=MarkParams,
    result=MarkResult,
    handler=mark,
    errors=(*CONNECTION_ERRORS, ADDRESS_REFUSED, EXTRA_MISSING),
    exclusive=(("move_to", "delete"),),
    secret_params=("username", "password"),
    retry=RetryDefaults(attempts=5, interval=5, factor=4, max_interval=600, jitter=0.1),
    attempt_timeout=120,
    heartbeat=30,
)

NODE_TYPES: tuple[AnyImplementation, ...] = (EMAIL_RECEIVE, EMAIL_MARK)
