from __future__ import annotations

import pytest
from flowrunner_calendar import NODE_TYPES, InviteParams, invite

from flowrunner import Attempt, NodeFailed, flaws

GIVEN = InviteParams(
    title="Review; and then, lunch",
    start="2030-01-31T09:00:00+01:00",
    end="2030-01-31T09:30:00+01:00",
    organizer="ann@example.com",
    attendees=["bob@example.com", "a-very-long-name-of-somebody-in-some-department@example.com"],
)


def attempt(number: int = 1, run: str = "run-1") -> Attempt:
    key = f"order-7/{run}/invite"
    return Attempt(node="invite", flow="review", run_id=run, key=key, number=number)


def test_the_declaration_is_sound() -> None:
    assert flaws(NODE_TYPES) == []


async def test_the_file_is_what_calendars_read() -> None:
    made = await invite(GIVEN, attempt())
    lines = made["text"].split("\r\n")
    assert lines[:2] == ["BEGIN:VCALENDAR", "VERSION:2.0"]
    assert "DTSTART:20300131T080000Z" in lines
    assert "SUMMARY:Review\\; and then\\, lunch" in lines
    assert f"UID:{made['uid']}" in lines
    assert all(len(line.encode()) <= 75 for line in lines)
    assert "somebody-in-some-department@example.com" in made["text"].replace("\r\n ", "")


async def test_another_attempt_gives_the_same_meeting_and_another_run_another_one() -> None:
    first = await invite(GIVEN, attempt())
    assert await invite(GIVEN, attempt(number=2)) == first
    assert (await invite(GIVEN, attempt(run="run-2")))["uid"] != first["uid"]


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ("tomorrow", "start: Invalid isoformat string"),
        ("2030-01-31T09:00:00", "has no offset"),
        ("2030-01-31T12:00:00+01:00", "is not after start"),
    ],
)
async def test_times_that_make_no_sense_fail_for_good(start: str, message: str) -> None:
    with pytest.raises(NodeFailed, match=message) as failed:
        await invite(GIVEN.model_copy(update={"start": start}), attempt())
    assert failed.value.error.permanent
