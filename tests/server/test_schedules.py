"""Schedules of flows, as people and scripts use them, on a real server."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from temporalio.client import (
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleOverlapPolicy,
    ScheduleSpec,
)
from temporalio.service import RPCError

from flowspec.moments import in_zone, read_moment
from flowspec.recurrence import RecurrenceInvalid, read_cron
from service.schedules.wanted import recurrence_of
from tests.server.support import Product, until

FLOW = """\
flow: {name}
input: {{required: [day], properties: {{day: {{type: string}}}}}}
nodes:
  say: {{type: log, params: {{message: "It is ${{input.day}}"}}}}
output: ${{nodes.say.output.message}}
schedules:
  night: {{{night}, input: {{day: monday}}}}
"""
HOLDING = """\
flow: {name}
nodes: {{hold: {{type: event, params: {{name: go}}}}}}
schedules: {{often: {{every: 1d}}}}
"""
NIGHTLY = 'cron: "30 2 * * *", timezone: Europe/Vienna'


def _apply(product: Product, name: str, *options: str) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = product.cli_json("schedule", "apply", name, "--json", *options)
    return steps


def _actions(steps: list[dict[str, Any]]) -> dict[str, str]:
    return {step["id"]: step["action"] for step in steps}


def _show(product: Product, id: str) -> dict[str, Any]:
    shown: dict[str, Any] = product.cli_json("schedule", "show", id, "--json")
    return shown


def _schedule(product: Product, name: str, text: str = FLOW, night: str = NIGHTLY) -> str:
    """A flow with one schedule, which is in Temporal then; gives the schedule's id."""
    product.write_flow(name, text.format(name=name, night=night))
    (step,) = _apply(product, name)
    assert step["action"] == "create"
    return str(step["id"])


def _listed(product: Product, *options: str) -> dict[str, dict[str, Any]]:
    listed = product.cli_json("schedule", "list", "--json", *options)
    return {view["id"]: view for view in listed}


# -- apply -----------------------------------------------------------------------------------------


def test_apply_creates_once_updates_what_differs_and_leaves_the_rest(product: Product) -> None:
    id = _schedule(product, "sched_apply")
    assert _actions(_apply(product, "sched_apply")) == {id: "keep"}
    later = NIGHTLY.replace("30 2", "30 3") + ", jitter: 5m, overlap: buffer_one"
    product.write_flow("sched_apply", FLOW.format(name="sched_apply", night=later))
    planned = _apply(product, "sched_apply", "--dry-run")
    assert _actions(planned) == {id: "update"}
    assert {
        change["point"]: (change["old"], change["new"]) for change in planned[0]["changes"]
    } == {
        "times": ("30 2 * * *", "30 3 * * *"),
        "jitter": ("none", "5m"),
        "overlap": ("skip", "buffer_one"),
    }
    assert _show(product, id)["times"] == ["30 2 * * *"], "a dry run does nothing"
    done = product.cli("schedule", "apply", "sched_apply")
    assert done.returncode == 0
    assert done.stdout.startswith(f"updated    {id}  times 30 2 * * * -> 30 3 * * *; jitter")
    assert _actions(_apply(product, "sched_apply")) == {id: "keep"}
    shown = _show(product, id)
    assert (shown["times"], shown["jitter"], shown["overlap"]) == (
        ["30 3 * * *"],
        "5m",
        "buffer_one",
    )


def test_apply_says_what_will_keep_runs_from_going_on(
    product: Product, own_product: Product
) -> None:
    file = own_product.folder / "sched_unknown.yaml"
    file.write_text(FLOW.format(name="sched_unknown", night=NIGHTLY), encoding="utf-8")
    nobody = f"no worker polls the task queue {own_product.task_queue!r}"
    unknown = "put it into the FLOWS_DIR of every worker as sched_unknown.yaml"
    done = own_product.cli("schedule", "apply", str(file))
    assert done.returncode == 0
    assert nobody in done.stderr
    assert unknown in done.stderr
    done = own_product.cli("schedule", "apply", str(file))
    assert nobody in done.stderr
    assert unknown not in done.stderr, "once is enough"
    product.write_flow("sched_known", FLOW.format(name="sched_known", night=NIGHTLY))
    assert product.cli("schedule", "apply", "sched_known").stderr == ""


def test_two_ways_to_write_the_same_times_are_no_difference(product: Product) -> None:
    id = _schedule(product, "sched_same", night='cron: "*/30 9 * * mon-fri"')
    same = "calendar: {weekday: [1-4, friday], hour: 9, minute: [0, 30]}"
    product.write_flow("sched_same", FLOW.format(name="sched_same", night=same))
    assert _actions(_apply(product, "sched_same")) == {id: "keep"}


def test_what_the_flow_has_no_more_goes_with_prune_alone(product: Product) -> None:
    text = FLOW.format(name="sched_prune", night=NIGHTLY)
    product.write_flow("sched_prune", text + "  day: {every: 1h, input: {day: x}}\n")
    assert len(_apply(product, "sched_prune")) == 2
    until(lambda: "sched_prune.day" in _listed(product), what="the schedules to be listed")
    product.write_flow("sched_prune", text)
    assert _actions(_apply(product, "sched_prune")) == {"sched_prune.night": "keep"}
    assert _actions(_apply(product, "sched_prune", "--prune", "--dry-run")) == {
        "sched_prune.night": "keep",
        "sched_prune.day": "delete",
    }
    done = product.cli("schedule", "apply", "sched_prune", "--prune")
    assert "deleted    sched_prune.day" in done.stdout
    assert product.cli("schedule", "show", "sched_prune.day").returncode == 2
    assert product.cli("schedule", "show", "sched_prune.night").returncode == 0


def test_nothing_is_done_if_one_flow_of_several_is_wrong(product: Product) -> None:
    product.write_flow("sched_right", FLOW.format(name="sched_right", night=NIGHTLY))
    product.write_flow("sched_wrong", FLOW.format(name="sched_wrong", night='cron: "0 25 * * *"'))
    done = product.cli("schedule", "apply", "sched_right", "sched_wrong")
    assert done.returncode == 2
    assert "FR218" in done.stderr
    assert product.cli("schedule", "show", "sched_right.night").returncode == 2


async def test_temporal_is_told_all_that_is_written(product: Product) -> None:
    night = (
        "every: {interval: 1h, offset: 10m}, from: 2030-01-01, until: 2031-01-01, catch_up: 30m, "
        "timezone: Europe/Vienna, overlap: cancel_other, pause_on_failure: true, paused: true, "
        "note: Ask Ada"
    )
    id = _schedule(product, "sched_told", night=night)
    found = await (await product.plain_client()).get_schedule_handle(id).describe()
    spec, policy, action = found.schedule.spec, found.schedule.policy, found.schedule.action
    assert [(each.every, each.offset) for each in spec.intervals] == [
        (timedelta(hours=1), timedelta(minutes=10))
    ]
    assert spec.start_at == in_zone(read_moment("2029-12-31T23:00Z"), ZoneInfo("UTC"))
    assert spec.end_at == in_zone(read_moment("2030-12-31T23:00Z"), ZoneInfo("UTC"))
    assert spec.time_zone_name == "Europe/Vienna"
    assert policy.overlap is ScheduleOverlapPolicy.CANCEL_OTHER
    assert policy.catchup_window == timedelta(minutes=30)
    assert policy.pause_on_failure
    assert (found.schedule.state.paused, found.schedule.state.note) == (True, "Ask Ada")
    assert isinstance(action, ScheduleActionStartWorkflow)
    assert (action.workflow, action.id, action.task_queue) == ("sched_told", id, product.task_queue)
    assert [json.loads(payload.data) for payload in action.args] == [{"day": "monday"}]
    assert await found.memo() == {"flowrunner.schedule": {"flow": "sched_told", "name": "night"}}


# -- times -----------------------------------------------------------------------------------------


def test_times_are_those_of_the_zone_in_summer_and_in_winter(product: Product) -> None:
    id = _schedule(product, "sched_zone", night='cron: "30 2 1 1,7 *", timezone: Europe/Vienna')
    zone = ZoneInfo("Europe/Vienna")
    shown = _show(product, id)
    times = [read_moment(each) for each in shown["next"]]
    assert len(times) == 10
    assert {f"{each.astimezone(zone):%d. %H:%M}" for each in times} == {"01. 02:30"}
    assert {each.hour for each in times} == {0, 1}
    text = product.cli("schedule", "show", id).stdout
    assert "Next times (Europe/Vienna):" in text
    assert len([line for line in text.splitlines() if line.endswith(("CET", "CEST"))]) == 10


def test_a_schedule_without_a_time_to_come_says_so(product: Product) -> None:
    product.write_flow("sched_never", FLOW.format(name="sched_never", night='cron: "0 0 31 2 *"'))
    done = product.cli("schedule", "apply", "sched_never")
    assert done.stdout.strip() == "created    sched_never.night  no time to come"


CRON = [
    *("* * * * *", "5/25 * * * *", "*/20 9-11 1,15 jan-mar/2 MON", "0 0 * * 7", "0 0 * * 6-7"),
    *("0 0 * * sunday", "1-10/3 * * * *", "0 0 */2 * *", "05 07 * december 1,3,5"),
    *("@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually"),
]
NOT_CRON = [
    *("0 0 ? * *", "0 0 L * *", "61 * * * *", "0 0 30-5 * *", "*/0 * * * *", "@reboot", "@HOURLY"),
    *("0,,1 * * * *", "0 0 * * fri-sun", "*-5 * * * *", "0 24 * * *", "0 0 0 * *", "* * * 13 *"),
]


def _raw(cron: str) -> Schedule:
    action = ScheduleActionStartWorkflow("any", id="any", task_queue="nobody")
    return Schedule(action=action, spec=ScheduleSpec(cron_expressions=[cron]))


@pytest.mark.parametrize("cron", CRON)
async def test_cron_means_here_what_it_means_to_temporal(product: Product, cron: str) -> None:
    client = await product.plain_client()
    handle = await client.create_schedule(f"cron-{CRON.index(cron)}", _raw(cron))
    (calendar,) = (await handle.describe()).schedule.spec.calendars
    assert recurrence_of(calendar) == read_cron(cron)


@pytest.mark.parametrize("cron", NOT_CRON)
async def test_what_temporal_refuses_is_refused_before(product: Product, cron: str) -> None:
    with pytest.raises(RecurrenceInvalid):
        read_cron(cron)
    client = await product.plain_client()
    with pytest.raises(RPCError, match="Invalid schedule spec"):
        await client.create_schedule("not-cron", _raw(cron))


# -- steering --------------------------------------------------------------------------------------


def test_what_is_paused_by_hand_stays_paused_until_the_flow_says_otherwise(
    product: Product,
) -> None:
    id = _schedule(product, "sched_pause", night=f"{NIGHTLY}, note: By night")
    assert product.cli("schedule", "pause", id, "--note", "the source is down").returncode == 0
    assert _actions(_apply(product, "sched_pause")) == {id: "keep"}
    shown = _show(product, id)
    assert (shown["paused"], shown["note"]) == (True, "the source is down")
    later = f"{NIGHTLY.replace('30 2', '30 3')}, note: By night"
    product.write_flow("sched_pause", FLOW.format(name="sched_pause", night=later))
    done = product.cli("schedule", "apply", "sched_pause")
    assert done.stdout.startswith("updated")
    assert done.stdout.rstrip().endswith("paused")
    assert _show(product, id)["paused"]
    assert product.cli("schedule", "resume", id).returncode == 0
    assert not _show(product, id)["paused"]
    assert [each["point"] for each in _apply(product, "sched_pause")[0]["changes"]] == ["note"]
    product.write_flow(
        "sched_pause", FLOW.format(name="sched_pause", night=f"{later}, paused: true")
    )
    assert [each["point"] for each in _apply(product, "sched_pause")[0]["changes"]] == ["paused"]
    assert _show(product, id)["paused"]


def test_trigger_starts_the_flow_with_its_input_and_prints_the_runs_id(product: Product) -> None:
    id = _schedule(product, "sched_trigger")
    done = product.cli("schedule", "trigger", id)
    assert done.returncode == 0, done.stderr
    run = done.stdout.strip()
    assert run.startswith(f"{id}-20")
    result = product.cli_json("result", run, "--json")
    assert (result["status"], result["output"]) == ("completed", "It is monday")
    assert _show(product, id)["last"][0]["workflow_id"] == run


def test_trigger_says_why_nothing_was_started(product: Product) -> None:
    id = _schedule(product, "sched_busy", HOLDING)
    first = product.cli_json("schedule", "trigger", id, "--json")["workflow_id"]
    again = product.cli("schedule", "trigger", id)
    assert again.returncode == 2
    assert first in again.stderr
    waits = product.cli_json("schedule", "trigger", id, "--overlap", "buffer_one", "--json")
    assert waits["workflow_id"] is None
    assert product.cli("signal", first, "go").returncode == 0
    until(lambda: len(_show(product, id)["last"]) == 2, what="the run that waited")


def test_a_failed_run_pauses_a_schedule_that_says_so(product: Product) -> None:
    text = (
        "flow: {name}\nnodes: {{stop: {{type: fail, params: {{message: no}}}}}}\n"
        "schedules: {{often: {{every: 1d, pause_on_failure: true}}}}\n"
    )
    id = _schedule(product, "sched_failing", text)
    assert product.cli("schedule", "trigger", id).returncode == 0
    until(lambda: bool(_show(product, id)["paused"]), what="the schedule to be paused")


def test_backfill_starts_what_would_have_been_started_both_ends_included(
    product: Product,
) -> None:
    id = _schedule(product, "sched_backfill")
    told = product.cli_json(
        *("schedule", "backfill", id, "--json"),
        *("--from", "2026-03-01T02:30", "--to", "2026-03-03T02:30", "--overlap", "allow_all"),
    )
    assert (told["times"], told["from"]) == (3, "2026-03-01T01:30:00.000Z")
    until(lambda: len(_show(product, id)["last"]) == 3, what="three runs")
    assert sorted(run["scheduled"] for run in _show(product, id)["last"]) == [
        f"2026-03-0{day}T01:30:00.000Z" for day in (1, 2, 3)
    ]


@pytest.mark.parametrize(
    ("begin", "end", "said"),
    [
        ("2026-03-01T03:00", "2026-03-02T02:00", "no times in between"),
        ("2020-01-01", "2026-01-01", "do it in parts"),
        ("2026-03-02", "2026-03-01", "later than --to"),
        ("yesterday", "2026-03-01", "no point in time"),
    ],
)
def test_a_backfill_that_makes_no_sense_is_refused(
    product: Product, begin: str, end: str, said: str
) -> None:
    name = "sched_backfill_no"
    product.write_flow(name, FLOW.format(name=name, night=NIGHTLY))
    _apply(product, name)
    done = product.cli("schedule", "backfill", f"{name}.night", "--from", begin, "--to", end)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_deleted_schedule_is_gone_and_commands_say_so(product: Product) -> None:
    id = _schedule(product, "sched_delete")
    assert product.cli("schedule", "delete", id).returncode == 0
    for words in (["show"], ["pause"], ["resume"], ["trigger"], ["delete"]):
        done = product.cli("schedule", *words, id)
        assert done.returncode == 2
        assert f"there is no schedule '{id}'" in done.stderr


async def test_only_schedules_of_ours_are_listed_and_changed(product: Product) -> None:
    id = _schedule(product, "sched_ours")
    client = await product.plain_client()
    await client.create_schedule("sched_foreign.night", _raw("0 0 * * *"))
    until(
        lambda: {id, "sched_foreign.night"} <= set(_listed(product, "--all")),
        what="both schedules",
    )
    listed = _listed(product)
    assert "sched_foreign.night" not in listed
    ours = listed[id]
    assert (ours["name"], ours["flow"], ours["paused"]) == ("night", "sched_ours", False)
    assert len(ours["next"]) >= 1
    product.write_flow("sched_foreign", FLOW.format(name="sched_foreign", night=NIGHTLY))
    done = product.cli("schedule", "apply", "sched_foreign")
    assert done.returncode == 2
    assert "that Flowrunner has not made" in done.stderr
    table = product.cli("schedule", "list", "--flow", "sched_ours").stdout
    assert [line.split()[0] for line in table.splitlines()] == ["ID", id]


# -- large inputs ----------------------------------------------------------------------------------

LARGE = """\
flow: sched_large
input: {{required: [text], properties: {{text: {{type: string}}}}}}
nodes:
  count: {{type: log, params: {{message: "${{len(input.text)}}"}}}}
output: ${{nodes.count.output.message}}
schedules:
  weekly: {{every: 7d, input: {{text: {text}}}}}
"""


async def test_a_large_input_is_in_the_store_for_as_long_as_the_schedule(
    make_product: Callable[..., Product],
) -> None:
    product = make_product(CLAIM_CHECK_THRESHOLD="1KB")
    product.start_worker()
    product.write_flow("sched_large", LARGE.format(text="x" * 5000))
    id = "sched_large.weekly"
    assert _actions(_apply(product, "sched_large")) == {id: "create"}
    found = await (await product.plain_client()).get_schedule_handle(id).describe()
    assert isinstance(found.schedule.action, ScheduleActionStartWorkflow)
    (payload,) = found.schedule.action.args
    assert payload.metadata["encoding"] == b"json/claim"
    assert _actions(_apply(product, "sched_large")) == {id: "keep"}
    assert _show(product, id)["input"] == {"text": "x" * 5000}

    _sweep(product)
    run = product.cli("schedule", "trigger", id).stdout.strip()
    result = product.cli_json("result", run, "--json")
    assert (result["status"], result["output"]) == ("completed", "5000")

    assert product.cli("schedule", "delete", id).returncode == 0
    _sweep(product)
    assert _blobs(product, id), "the run that it started is still there"


def test_the_input_of_a_schedule_that_never_ran_goes_after_it(
    make_product: Callable[..., Product],
) -> None:
    product = make_product(CLAIM_CHECK_THRESHOLD="1KB")
    product.start_worker()
    text = LARGE.replace("sched_large", "sched_idle").format(text="y" * 5000)
    product.write_flow("sched_idle", text)
    id = "sched_idle.weekly"
    _apply(product, "sched_idle")
    until(lambda: id in _listed(product), what="the schedule to be listed")
    _sweep(product)
    assert _blobs(product, id)
    assert product.cli("schedule", "delete", id).returncode == 0
    until(lambda: id not in _listed(product), what="the schedule to be listed no more")
    _sweep(product)
    assert not _blobs(product, id)


def _sweep(product: Product) -> None:
    done = product.cli("blobs", "sweep", "--delete", "--grace", "0s", "--force")
    assert done.returncode == 0, done.stderr


def _blobs(product: Product, owner: str) -> list[str]:
    return product.cli("blobs", "ls", owner).stdout.splitlines()
