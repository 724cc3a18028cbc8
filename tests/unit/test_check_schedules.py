"""What is said of `schedules` before anything is started."""

from __future__ import annotations

from datetime import UTC, datetime
from textwrap import indent

import pytest

from flowspec.model import parse_flow
from flowspec.moments import MomentInvalid, in_zone, read_moment, zone_named
from flowspec.recurrence import PARTS, Recurrence, RecurrenceInvalid, ranges, read_cron, read_part
from flowspec.schedules import Schedule
from tests.unit.checking import checked, codes, messages, plan_of

FLOW = """\
flow: sync
input: {required: [day], properties: {day: {type: string}, size: {type: integer}}}
nodes:
  start: {type: noop}
schedules:
"""
INPUT = "input: {day: monday}"


def flow(*schedules: str) -> str:
    return FLOW + indent("\n".join(schedules), "  ") + "\n"


def schedule(written: str) -> Schedule:
    parsed = parse_flow(flow(f"it: {{{written}}}"))
    assert parsed.flow is not None, parsed.problems
    return parsed.flow.schedules["it"]


@pytest.mark.parametrize(
    "written",
    [
        'cron: "0 2 * * *"',
        'cron: ["0 2 * * *", "@daily"]',
        "every: 30m",
        "every: {interval: 1h, offset: 10m}",
        "calendar: {weekday: mon-fri, hour: [9, 17-19], minute: '*/15', second: 30}",
        "calendar: [{day: 1, month: jan}, {year: 2027}]",
        'cron: "@hourly", every: 7m, calendar: {hour: 3}',
        "every: 1h, timezone: Europe/Vienna, from: 2026-11-01, until: 2026-12-01T12:00:00Z",
        "every: 1h, jitter: 5m, overlap: buffer_one, catch_up: 10s, pause_on_failure: true",
        "every: 1h, paused: true, note: Ask Ada first",
    ],
)
def test_what_the_language_has_is_accepted(written: str) -> None:
    assert codes(flow(f"it: {{{written}, {INPUT}}}")) == []


@pytest.mark.parametrize(
    ("written", "problem", "said"),
    [
        ("every: 1h, tz: UTC", "FR201 6:19", "did you mean 'timezone'"),
        ("calendar: {day_of_week: 1}", "FR201 6:19", "did you mean 'weekday'"),
        ("calendar: [{hour: 1}, {hour: 99}]", "FR204 6:37", "99 is out of range"),
        ("calendar: {month: febr}", "FR204 6:26", "did you mean 'feb'"),
        ("calendar: {month: []}", "FR203 6:26", "a list"),
        ('cron: "0 25 * * *"', "FR218 6:14", "hour: 25 is out of range"),
        ('cron: ["@daily", "* * *"]', "FR218 6:25", "five fields"),
        ('cron: "0 0 * * fri-sun"', "FR218 6:14", "did you mean '5-6,0'"),
        ('cron: "@every 5m"', "FR218 6:14", "`every: 5m`"),
        ('cron: "@dayly"', "FR218 6:14", "did you mean '@daily'"),
        ('cron: "CRON_TZ=CET 0 0 * * *"', "FR218 6:14", "`timezone: CET`"),
        ('cron: "0 0 0 * * *"', "FR218 6:14", "seconds and years go under `calendar`"),
        ('cron: "*/90 * * * *"', "FR218 6:14", "there is `every`"),
        ("every: 90", "FR207 6:8", "write 90s"),
        ("every: 10ms", "FR204 6:8", "at least 1s"),
        ("every: {interval: 1h, offset: 1h}", "FR204 6:15", "less than the interval"),
        ("every: {offset: 1h}", "FR202 6:8", "'interval' is missing"),
        ("every: 1h, timezone: Europe/Viena", "FR219 6:29", "did you mean 'Europe/Vienna'"),
        ("every: 1h, timezone: Local", "FR219 6:29", "there is no time zone"),
        ("every: 1h, from: 1.12.2026", "FR220 6:25", "2026-11-21"),
        ("every: 1h, until: 2026-02-30", "FR220 6:26", "no such time"),
        ("every: 1h, jitter: 5", "FR207 6:27", "write 5s"),
        ("every: 1h, catch_up: 9s", "FR204 6:29", "at least 10s"),
        ("every: 1h, overlap: buffer", "FR204 6:28", "did you mean 'buffer_"),
        ("every: 1h, paused: 1", "FR203 6:27", "true or false"),
        ("timezone: UTC", "FR221 6:7", "add `cron`, `every` or `calendar`"),
        (
            "every: 1h, from: 2026-12-01, until: 2026-12-01",
            "FR204 6:44",
            "later than `from`",
        ),
    ],
)
def test_what_is_wrong_is_told_at_its_place(written: str, problem: str, said: str) -> None:
    text = flow(f"it: {{{written}, {INPUT}}}")
    assert codes(text) == [problem]
    assert said in messages(text)[0]


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("every: 1h", "FR701 6:3"),
        ("every: 1h, input: {}", "FR701 6:19"),
        ("every: 1h, input: {day: mon, sise: 1}", "FR702 6:37"),
        ("every: 1h, input: {day: mon, size: big}", "FR703 6:43"),
        ("every: 1h, input: [1]", "FR203 6:26"),
    ],
)
def test_its_input_is_checked_as_that_of_a_run(written: str, problem: str) -> None:
    assert codes(flow(f"it: {{{written}}}")) == [problem]


def test_a_flow_that_takes_no_input_is_given_none() -> None:
    text = "flow: f\nnodes: {a: {type: noop}}\nschedules: {s: {every: 1h, input: {x: 1}}}\n"
    assert codes(text) == ["FR705 3:28"]


def test_many_mistakes_in_one_list_do_not_hide_those_elsewhere() -> None:
    text = flow('one: {cron: ["x", "y", "z"], input: {day: mon}}', "two: {every: 1h}")
    assert codes(text) == ["FR218 6:16", "FR218 6:21", "FR218 6:26", "FR701 7:3"]


def test_schedules_are_no_part_of_the_plan() -> None:
    with_one = flow(f"it: {{every: 1h, {INPUT}}}")
    without = FLOW.replace("schedules:\n", "")
    assert plan_of(with_one).hash == plan_of(without).hash


def test_a_schedule_by_any_name_is_read() -> None:
    found = checked(flow(*(f"{name}: {{every: 1h, {INPUT}}}" for name in ("nodes", "every"))))
    assert found.flow is not None
    assert list(found.flow.schedules) == ["nodes", "every"]


# -- times -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 2 * * *", Recurrence(hour=(2,))),
        ("*/20 9-11 1,15 jan-mar/2 MON", Recurrence(
            minute=(0, 20, 40), hour=(9, 10, 11), day=(1, 15), month=(1, 3), weekday=(1,)
        )),
        ("5/25 * * * *", Recurrence(minute=(5, 30, 55), hour=PARTS["hour"].all)),
        ("0 0 * * 7", Recurrence(weekday=(0,))),
        ("0 0 * * 5-7", Recurrence(weekday=(0, 5, 6))),
        ("0 0 * * sunday", Recurrence(weekday=(0,))),
        ("@weekly", Recurrence(weekday=(0,))),
        ("@monthly", Recurrence(day=(1,))),
        ("@yearly", Recurrence(day=(1,), month=(1,))),
    ],
)  # fmt: skip
def test_cron(text: str, expected: Recurrence) -> None:
    assert read_cron(text) == expected


@pytest.mark.parametrize("text", ["", "1-", "-1", "1,,2", "?", "L", "1-2-3", "*-5", "5/0", "1/x"])
def test_what_no_part_of_a_date_can_be(text: str) -> None:
    with pytest.raises(RecurrenceInvalid):
        read_part(text, PARTS["day"])


@pytest.mark.parametrize("text", ["*", "1,2,5", "2-20/3", "1-3,10-12", "7", "1,31"])
def test_ranges_give_the_values_back(text: str) -> None:
    values = read_part(text, PARTS["day"])
    found = [n for first, last, step in ranges(values) for n in range(first, last + 1, step)]
    assert tuple(found) == values
    assert len(ranges(values)) <= len(text.split(","))


def test_a_recurrence_is_shown_by_what_it_says() -> None:
    shown = str(schedule(f"calendar: {{weekday: mon-fri, hour: [9, 12]}}, {INPUT}").recurrences)
    assert "weekday=1-5 hour=9,12" in shown


def test_times_without_a_zone_are_those_of_the_schedule() -> None:
    it = schedule(
        f"every: 1h, timezone: Europe/Vienna, from: 2026-07-01, until: 2026-12-01T12:00Z, {INPUT}"
    )
    assert it.begins == datetime(2026, 6, 30, 22, tzinfo=UTC)
    assert it.ends == datetime(2026, 12, 1, 12, tzinfo=UTC)


def test_moments() -> None:
    zone = zone_named("America/New_York")
    assert in_zone(read_moment("2026-11-21"), zone) == datetime(2026, 11, 21, 5, tzinfo=UTC)
    assert in_zone(read_moment("2026-11-21T09:30+02:00"), zone).hour == 7
    for wrong in ("21.11.2026", "2026-11-21T", "2026-13-01", "now", "2026-11-21 25:00"):
        with pytest.raises(MomentInvalid):
            read_moment(wrong)
