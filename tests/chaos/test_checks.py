"""The checks of the chaos suite find what they are for: forged ends, ledgers and samples."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from random import Random

import pytest
from temporalio.client import WorkflowUpdateRPCTimeoutOrCancelledError

from tests.chaos.checks import Ended, log_findings, round_findings
from tests.chaos.growth import judged, slope
from tests.chaos.ledger import Effect
from tests.chaos.moments import MOMENTS
from tests.chaos.traffic import insisting
from tests.chaos.workload import KINDS, Run

RUNS = [Run(kind=kind, id=f"q-{kind}-{n}", n=7 + 1000 * n) for n, kind in enumerate(KINDS)]
EXPECTED = {run.id: KINDS[run.kind].expected(run) for run in RUNS}
ENDED = [
    Ended(run=run, status=EXPECTED[run.id].status, output=EXPECTED[run.id].output) for run in RUNS
]
EFFECTS = [
    Effect(run=run, step=step, key=f"{run}/{step}", n=n)
    for expected in EXPECTED.values()
    for (run, step), n in expected.effects.items()
]
KEPT = {kept.key: kept.value for expected in EXPECTED.values() for kept in expected.kept}


def place(kind: str, step: str) -> int:
    """Where the effect of that step stands in the ledger."""
    return next(
        i for i, one in enumerate(EFFECTS) if one.run.startswith(f"q-{kind}") and one.step == step
    )


def found(
    ended: list[Ended] | None = None,
    effects: list[Effect] | None = None,
    kept: dict[str, object] | None = None,
) -> list[str]:
    return round_findings(
        ENDED if ended is None else ended,
        EFFECTS if effects is None else effects,
        KEPT if kept is None else kept,
    )


def test_nothing_is_wrong_with_a_round_as_it_should_be() -> None:
    assert found() == []


def test_an_effect_under_the_same_key_again_is_no_more_than_was_promised() -> None:
    assert found(effects=[*EFFECTS, *Random(1).sample(EFFECTS, 20)]) == []


def test_a_run_that_has_not_ended_is_found() -> None:
    assert found([replace(ENDED[0], status=None), *ENDED[1:]]) == [f"{RUNS[0].id} has not ended"]


@pytest.mark.parametrize("number", range(len(RUNS)), ids=lambda number: RUNS[number].kind)
def test_the_output_of_another_run_is_found(number: int) -> None:
    foreign = KINDS[RUNS[number].kind].expected(replace(RUNS[number], id="other", n=5))
    forged = replace(ENDED[number], output=foreign.output, status="completed")
    changed = forged != ENDED[number]
    assert len(found([*ENDED[:number], forged, *ENDED[number + 1 :]])) == changed == 1


@pytest.mark.parametrize("number", range(0, len(EFFECTS), 7))
def test_an_effect_that_never_happened_is_found(number: int) -> None:
    [wrong] = found(effects=[*EFFECTS[:number], *EFFECTS[number + 1 :]])
    assert wrong == f"{EFFECTS[number].run}: the effect {EFFECTS[number].step!r} never happened"


def test_an_effect_under_another_key_is_found() -> None:
    [wrong] = found(effects=[*EFFECTS, replace(EFFECTS[0], key="another")])
    assert "came under 2 keys" in wrong


def test_an_effect_without_a_key_is_found() -> None:
    [wrong] = found(effects=[replace(EFFECTS[0], key=""), *EFFECTS[1:]])
    assert "came without a key" in wrong


def test_one_key_for_two_effects_is_found() -> None:
    forged = replace(EFFECTS[1], key=EFFECTS[0].key)
    [wrong] = found(effects=[EFFECTS[0], forged, *EFFECTS[2:]])
    assert wrong.startswith("one key for several effects")


def test_an_effect_with_what_belongs_to_another_run_is_found() -> None:
    [wrong] = found(effects=[*EFFECTS, replace(EFFECTS[0], n=5)])
    assert "came with 5, not with 7" in wrong


def test_an_effect_that_nobody_asked_for_is_found() -> None:
    [wrong] = found(effects=[*EFFECTS, replace(EFFECTS[0], step="undo", key="new")])
    assert "nobody asked for" in wrong


def test_an_undo_before_what_comes_first_is_found() -> None:
    one, other = place("saga", "uninstead"), place("saga", "unflaky")
    effects = list(EFFECTS)
    effects[one], effects[other] = effects[other], effects[one]
    [wrong] = found(effects=effects)
    assert "'unflaky' happened before 'uninstead'" in wrong


def test_two_runs_under_one_lock_are_found() -> None:
    run = Run(kind="shared", id="q-second", n=9)
    second = KINDS["shared"].expected(run)
    ended = [*ENDED, Ended(run=run, status="completed", output=second.output)]
    more = [Effect(run=r, step=s, key=f"{r}/{s}", n=n) for (r, s), n in second.effects.items()]
    assert found(ended, [*EFFECTS, *more]) == []
    between = place("shared", "leave")
    [wrong] = found(ended, [*EFFECTS[:between], *more, *EFFECTS[between:]])
    assert "had the lock before" in wrong


@pytest.mark.parametrize("key", KEPT)
def test_what_was_counted_twice_or_not_at_all_is_found(key: str) -> None:
    value = KEPT[key]
    twice = value + value[-1:] if isinstance(value, list) else value + 1
    assert len(found(kept={**KEPT, key: twice})) == 1
    assert len(found(kept={name: each for name, each in KEPT.items() if name != key})) == 1


def test_a_log_with_more_than_a_lost_connection_is_found() -> None:
    calm = '{"event": "away", "exception": "Traceback (most recent call last) … ConnectError"}'
    broken = '{"event": "oh", "exception": "Traceback (most recent call last) … KeyError: 1"}'
    assert log_findings("worker-0", [calm, "all is well"]) == []
    assert log_findings("worker-0", [calm, broken]) == [f"worker-0: {broken}"]


def test_every_kind_of_run_has_moments_of_its_own() -> None:
    assert {moment.flow for moment in MOMENTS} == set(KINDS)


# -- the soak ----------------------------------------------------------------------------------


def test_a_slope_is_not_bent_by_a_few_outliers() -> None:
    points = [(float(t), 2.0 * t + (1000 if t % 10 == 0 else 0)) for t in range(200)]
    assert slope(points) == pytest.approx(2.0, abs=0.1)


def test_what_goes_up_and_down_does_not_grow() -> None:
    points = [(t * 5.0, 200 + t % 7) for t in range(700)]
    assert not judged("rss_mb", points).grows


def test_what_leaks_slowly_grows() -> None:
    random = Random(1)
    points = [(t * 5.0, 200 + t * 0.02 + random.uniform(-3, 3)) for t in range(700)]
    assert judged("rss_mb", points).grows


def test_one_file_more_each_ten_minutes_grows() -> None:
    points = [(t * 5.0, float(30 + t // 120)) for t in range(700)]
    assert judged("files", points).grows


async def test_who_insists_is_not_deaf() -> None:
    """An update that is cancelled while it is on its way says so with an error of its own."""
    calls = 0

    async def update() -> None:
        nonlocal calls
        calls += 1
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError as error:
            raise WorkflowUpdateRPCTimeoutOrCancelledError from error

    task = asyncio.create_task(insisting(update))
    await asyncio.sleep(0.01)
    task.cancel()
    _, going_on = await asyncio.wait([task], timeout=1)
    task.cancel()
    assert (calls, going_on, task.cancelled()) == (1, set(), True)
