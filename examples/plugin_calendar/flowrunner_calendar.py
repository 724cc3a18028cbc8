"""Node type `calendar.invite`: an invitation to a meeting, as calendars read it (RFC 5545)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime

from typing_extensions import TypedDict

from flowrunner import AnyImplementation, Attempt, ErrorType, NodeFailed, Params, declare

NOT_A_TIME = ErrorType(
    name="NotATime",
    permanent=True,
    meaning="A time is not ISO 8601 with an offset, or `end` is not after `start`",
)


class InviteParams(Params):
    """Documented field by field: this is what `flowrunner nodes calendar.invite` prints."""

    title: str
    """What the meeting is about."""
    start: str
    """When it begins, in ISO 8601 with an offset, such as `2030-01-31T09:00:00+01:00`."""
    end: str
    """When it ends, likewise."""
    organizer: str
    """The mail address of whoever invites."""
    attendees: list[str]
    """The mail addresses of those who are invited."""
    place: str | None = None
    """Where it is."""


class Invite(TypedDict):
    """The file, and what it goes by."""

    uid: str
    """The meeting's id: calendars that are sent it again do not add it again."""
    text: str
    """The file, to be sent as `text/calendar` or saved as `.ics`."""


async def invite(params: InviteParams, attempt: Attempt) -> Invite:
    start, end = _moment(params.start, "start"), _moment(params.end, "end")
    if end <= start:
        raise NodeFailed(NOT_A_TIME, f"end {params.end} is not after start {params.start}")
    # the same for every attempt at this node of this run
    uid = f"{hashlib.sha256(attempt.key.encode()).hexdigest()[:32]}@flowrunner"
    return {"uid": uid, "text": "".join(_folded(line) for line in _lines(params, uid, start, end))}


def _moment(text: str, name: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise NodeFailed(NOT_A_TIME, f"{name}: {error}") from error
    if moment.tzinfo is None:
        raise NodeFailed(NOT_A_TIME, f"{name}: {text!r} has no offset, such as +01:00 or Z")
    return moment.astimezone(UTC)


def _lines(params: InviteParams, uid: str, start: datetime, end: datetime) -> Iterator[str]:
    yield from ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//flowrunner-calendar//EN")
    yield from ("METHOD:REQUEST", "BEGIN:VEVENT", f"UID:{uid}")
    # of the meeting and not of now, so that a second attempt gives the same file
    yield f"DTSTAMP:{start:%Y%m%dT%H%M%SZ}"
    yield f"DTSTART:{start:%Y%m%dT%H%M%SZ}"
    yield f"DTEND:{end:%Y%m%dT%H%M%SZ}"
    yield f"SUMMARY:{_escaped(params.title)}"
    if params.place:
        yield f"LOCATION:{_escaped(params.place)}"
    yield f"ORGANIZER:mailto:{_escaped(params.organizer)}"
    for attendee in params.attendees:
        yield f"ATTENDEE;RSVP=TRUE:mailto:{_escaped(attendee)}"
    yield from ("END:VEVENT", "END:VCALENDAR")


def _escaped(text: str) -> str:
    for mark in "\\;,":
        text = text.replace(mark, f"\\{mark}")
    return "\\n".join(text.splitlines())


def _folded(line: str) -> str:
    """No line is longer than 75 bytes: the rest goes on, after a blank, on the next one."""
    parts, part = [], b""
    for character in line:
        encoded = character.encode()
        if len(part) + len(encoded) > 74:
            parts.append(part)
            part = b""
        part += encoded
    return b"\r\n ".join([*parts, part]).decode() + "\r\n"


INVITE = declare(
    name="calendar.invite",
    summary="Write an invitation to a meeting",
    description="The file that mail programs show as an invitation, with buttons to answer it.",
    example="""\
flow: invite-to-review
input: {required: [with], properties: {with: {type: string}}}
nodes:
  invite:
    type: calendar.invite
    params:
      title: Review
      start: "2030-01-31T09:00:00+01:00"
      end: "2030-01-31T09:30:00+01:00"
      organizer: ann@example.com
      attendees: ["${input.with}"]
output: ${nodes.invite.output.text}
""",
    params=InviteParams,
    result=Invite,
    handler=invite,
    tier="local",
    errors=(NOT_A_TIME,),
    attempt_timeout=5,
)

NODE_TYPES: tuple[AnyImplementation, ...] = (INVITE,)
