"""The page of the results: `python -m benchmarks.page` writes it anew from `results.json`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.goals import latency, megabytes, throughput, verdicts
from benchmarks.shapes import SHAPES

__all__ = ["PAGE", "RESULTS", "speed_page"]

RESULTS = Path("benchmarks/results.json")
PAGE = Path("docs/explanation/speed.md")

_HEAD = """\
# Speed

What it costs to have a flow interpreted: beside workflows that do the same, written by hand \
against Temporal's Python SDK. `make bench` measures it on your machine and writes this page; \
`make bench QUICK=1` looks at a few cases, for a few minutes, and only prints them."""

_READING = """\
## How to read the tables

*Flow* and *by hand* are medians. A *ratio* is flow ÷ by hand of two turns right after each \
other, the median of all such pairs; in brackets, between which values the middle half of them \
is. What else the machine does slows down both sides of a pair, so ratios say more than \
milliseconds do. How much they say is shown by [the control](#the-yardstick-beside-itself): the \
yardstick against itself, which would be 1.00 without noise. *CPU* is processor time of the \
worker, for workflow code and activities together."""

_HOW = """\
## How it is measured

One process is the worker: the shipped one with the settings it has by default, which beside \
flows runs the workflows written by hand (`benchmarks/by_hand.py`). A second process starts runs \
and waits for what they give. The server is Temporal's development server as `flowrunner dev` \
starts it, tuned, with SQLite. All of them share the cores of one machine.

The sides take turns, a fraction of a second each, and the one that begins changes. Before a turn \
the worker collects its garbage. Each case is warmed up by a run of each side, which must give the \
same.

**Alike**: the activities, their arguments, timeouts and retries; the tier; the converter, the \
claim check and the interceptors; the client; the process with its cache and limits; no sandbox.

**Not alike**, because nobody would write it so: the workflow by hand is a loop where the flow \
has a thousand nodes. It does not make itself findable by name and status, cannot be asked for its \
status, paused or continued as new, has no activity ids that name the node, and checks no input. \
With inline nodes a flow is beside plain Python statements.

A run of a flow has some events more, however long it is: the plan that it is pinned to, and \
its search attributes; so has each sub-flow. Where several nodes end at the same time, the \
number of workflow tasks varies with chance, on both sides.

Memory is what the worker holds after it has collected its garbage and handed back what it can, \
with so many runs in its cache that wait for a signal, less what it held with one; a worker of its \
own each time."""

_LIMITS = """\
## Where the limits are

**The beginning of a run.** Before its first node a run finds its flow, by a local activity whose \
result is the plan that it is pinned to, and makes itself findable, by search attributes. That is \
what a local step costs, once for a run and once for each sub-flow; flows of few short nodes show \
it most. It is the price of a promise: a flow that is edited never touches a run that has started.

**Each step.** The machine decides what follows ([the scheduler](#the-scheduler)), and as much \
again goes into the call of the activity and into the lines that Temporal's UI shows of the run. A \
remote step takes so long that it hardly shows; of a local one it is more than a twentieth. What \
is left is spread over everything that a step is, with nothing in it that stands out.

**Memory.** A workflow by hand that waits, and does nothing else, takes more in the SDK than what \
was set as a goal for flows.

**Checking.** The promises of a flow (what may be read where) are worked out for every node and \
edge; conditions and loops make more ways to look at than a chain has. A flow is checked once and \
its plan kept, so that a run pays for it only the first time."""

_RUN_HEAD = (
    "| shape | tier | nodes | flow, ms a step | by hand | ratio | CPU, ms a step | by hand | ratio "
    "| |\n|---|---|--:|--:|--:|--:|--:|--:|--:|---|"
)


def speed_page(results: dict[str, Any]) -> str:
    """The whole page."""
    single = [case for case in results["cases"] if case["at_once"] == 1]
    many = [case for case in results["cases"] if case["at_once"] > 1]
    at_once = many[0]["at_once"]
    parts = [
        _HEAD,
        _about(results),
        "## Goals",
        "\n".join(_goals(results)),
        _READING,
        "## One run: latency",
        "\n".join([_RUN_HEAD, *(_run(each, latency, "≤ 1.05") for each in single)]),
        f"## {at_once} runs at once: throughput",
        "The ratio here is of steps a second, flow ÷ by hand: more is better.",
        "\n".join([_RUN_HEAD, *(_run(each, throughput, "≥ 0.95") for each in many)]),
        "## The yardstick beside itself",
        "\n".join(_control(results["control"])),
        "## What a run leaves in Temporal",
        "\n".join(_left(single)),
        "## Local and remote",
        "\n".join(_tiers(results["tiers"])),
        "## Memory of runs that wait",
        "\n".join(_memory(results["memory"])),
        "## Checking and planning",
        "\n".join(_planning(results["planning"])),
        "## The scheduler",
        "What the machine does for each step, without Temporal: it takes an answer, finds what "
        "follows, evaluates its parameters, and tells what runs now.",
        "\n".join(_scheduler(results["scheduler"])),
        _LIMITS,
        _HOW,
    ]
    return "\n\n".join(parts) + "\n"


def _about(results: dict[str, Any]) -> str:
    machine, versions = results["machine"], results["versions"]
    quick = " This was a quick look with few pairs: rough." if results["quick"] else ""
    return (
        f"Measured on {results['date']} in {results['minutes']} minutes: {machine['system']}, "
        f"{machine['cores']} cores, on which there was a load of {machine['load_before']} before "
        f"it began; Python {versions['python']}, temporalio {versions['temporalio']}, "
        f"{versions['server']}.{quick}{_busy(machine)}"
    )


def _busy(machine: dict[str, Any]) -> str:
    if machine["load_before"] <= 0.5:
        return ""
    return " **The machine was busy with other things: these figures are rough.**"


def _goals(results: dict[str, Any]) -> Iterator[str]:
    yield "| goal | measured | |"
    yield "|---|---|---|"
    for each in verdicts(results):
        yield f"| {each.goal} | {each.measured} | {_verdict(each.met)} |"


def _verdict(met: bool) -> str:
    return "met" if met else "**missed**"


def _run(case: dict[str, Any], figure: Any, wanted: str) -> str:
    time, cpu = case["ratio"]["time"], case["ratio"]["cpu"]
    if figure is throughput:
        time = {"median": 1 / time["median"], "low": 1 / time["high"], "high": 1 / time["low"]}
        met = time["median"] >= float(wanted.split()[1])
    else:
        met = time["median"] <= float(wanted.split()[1])
    cells = [
        *_case(case),
        *_sides(case, "ms_a_step"),
        _ratio(time),
        *_sides(case, "cpu_ms_a_step"),
        _ratio(cpu),
        _verdict(met),
    ]
    return _row(cells)


def _case(case: dict[str, Any]) -> list[str]:
    tier = "local and remote" if case["shape"] == "mixed" else case["tier"]
    return [SHAPES[case["shape"]].title, tier, f"{case['nodes']:,}"]


def _sides(case: dict[str, Any], figure: str) -> list[str]:
    return [_short(case[side][figure]["median"]) for side in ("flow", "by_hand")]


def _control(cases: list[dict[str, Any]]) -> Iterator[str]:
    yield "| shape | tier | nodes | at once | ms a step | time | CPU | pairs |"
    yield "|---|---|--:|--:|--:|--:|--:|--:|"
    for case in cases:
        ratio = case["ratio"]
        ms = _short(case["by_hand"]["ms_a_step"]["median"])
        cells = [_ratio(ratio["time"]), _ratio(ratio["cpu"]), str(case["pairs"])]
        yield _row([*_case(case), str(case["at_once"]), ms, *cells])


def _left(cases: list[dict[str, Any]]) -> Iterator[str]:
    yield "| shape | tier | nodes | events | by hand | more | bytes | by hand | ratio |"
    yield "|---|---|--:|--:|--:|---|--:|--:|--:|"
    for case in cases:
        events, size = case["events"], case["bytes"]
        more = ", ".join(f"{n:+} {kind}" for kind, n in case["more_events"].items())
        yield _row(
            [
                *_case(case),
                *(f"{events[side]:,}" for side in ("flow", "by_hand")),
                more or "none",
                *(f"{size[side]:,}" for side in ("flow", "by_hand")),
                f"{size['flow'] / size['by_hand']:.2f}",
            ]
        )


def _tiers(cases: list[dict[str, Any]]) -> Iterator[str]:
    yield "| shape | nodes | at once | remote, ms a step | local | time, remote ÷ local | CPU |"
    yield "|---|--:|--:|--:|--:|--:|--:|"
    for case in cases:
        shape, _, nodes = _case(case)
        ms = [_short(case[side]["ms_a_step"]["median"]) for side in ("remote", "local")]
        ratio = case["ratio"]
        cells = [str(case["at_once"]), *ms, _ratio(ratio["time"]), _ratio(ratio["cpu"])]
        yield _row([shape, nodes, *cells])


def _memory(found: list[dict[str, Any]]) -> Iterator[str]:
    yield "| nodes that have ended | runs | flow, KB a run | by hand | ratio |"
    yield "|--:|--:|--:|--:|--:|"
    for each in found:
        flow, by_hand = (megabytes(each, side) * 1.024 for side in ("flow", "by_hand"))
        cells = [f"{flow:.0f}", f"{by_hand:.0f}", f"{flow / by_hand:.2f}"]
        yield _row([f"{each['nodes']:,}", f"{each['runs']:,}", *cells])


def _planning(found: list[dict[str, Any]]) -> Iterator[str]:
    yield "| shape | nodes | bytes of YAML | from the text to the plan, ms | reading the plan, ms |"
    yield "|---|--:|--:|--:|--:|"
    for each in found:
        title = SHAPES[each["shape"]].title
        cells = [f"{each['bytes']:,}", _ratio(each["plan_ms"]), _ratio(each["load_ms"])]
        yield _row([title, f"{each['nodes']:,}", *cells])


def _scheduler(found: list[dict[str, Any]]) -> Iterator[str]:
    yield "| shape | nodes | µs a step |"
    yield "|---|--:|--:|"
    for each in found:
        yield _row([SHAPES[each["shape"]].title, f"{each['nodes']:,}", _ratio(each["us_a_step"])])


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _ratio(spread: dict[str, float]) -> str:
    """A median and between what the middle half is."""
    low, high = _short(spread["low"]), _short(spread["high"])
    return f"{_short(spread['median'])} ({low} – {high})"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def main() -> None:
    root = Path(__file__).parents[1]
    results = json.loads((root / RESULTS).read_text(encoding="utf-8"))
    (root / PAGE).write_text(speed_page(results), encoding="utf-8")


if __name__ == "__main__":
    main()
