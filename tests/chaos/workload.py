"""The flows of `flows/`, and what each run of them must come to: its end, and its effects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from tests.chaos.ledger import HOOK, digest, rows

__all__ = ["FLOWS", "KINDS", "LOOPS", "Expected", "Kept", "Kind", "Run"]

FLOWS = Path(__file__).parent / "flows"

LOOPS = 12
"""How often the flow `rounds` goes round."""

Status: TypeAlias = Literal["completed", "failed", "cancelled"]


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run of the workload; all it does follows from its number."""

    kind: str
    id: str
    n: int


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What a run leaves in the key-value store, and in what order it was written."""

    key: str
    value: Any


@dataclass(frozen=True, kw_only=True)
class Expected:
    """How a run ends. `effects` are the numbers of its steps, by run and step; those in `ordered`
    first happen one after the other. `children` are runs that may outlive it."""

    status: Status = "completed"
    output: Any = None
    effects: dict[tuple[str, str], Any]
    ordered: tuple[str, ...] = ()
    kept: tuple[Kept, ...] = ()
    children: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A flow of the workload. `signals` and `approves` are what people do in it, `cancels` after
    which effect somebody stops it; `often` is its share of all runs."""

    expected: Callable[[Run], Expected]
    signals: Callable[[Run], dict[str, Any]] = field(default=lambda _: {})
    approves: str | None = None
    cancels: str | None = None
    often: int = 2


def _steps(run: Run) -> Expected:
    steps = ["near", "far", "left", "right", "webhook"]
    return Expected(
        output={
            "sum": 2 * run.n,
            "heard": {"n": run.n},
            "token": run.n,
            "stamps": [f"{run.id}/{step}" for step in steps[:-1]],
        },
        effects=_effects(run, {**dict.fromkeys(steps, run.n), HOOK: "flow.completed"}),
        ordered=(*steps[:2], "webhook", HOOK),
    )


def _items(run: Run) -> Expected:
    items = {f"item-{i}": run.n + i for i in range(12)}
    blocks = {f"block-{i}": run.n * i for i in range(4)}
    return Expected(
        output={
            "each": [None if i % 5 == 4 else run.n + i for i in range(12)],
            "failed": [4, 9],
            "blocks": list(blocks.values()),
        },
        effects=_effects(run, {**items, **blocks}),
    )


def _rounds(run: Run) -> Expected:
    numbers = range(1, LOOPS + 1)
    notes = {f"round-{i}": run.n for i in numbers}
    polls = {f"poll-{i}": i for i in range(1, 4)}
    return Expected(
        output={
            "total": run.n * LOOPS,
            "heard": [run.n + i for i in numbers],
            "count": sum(numbers),
            "list": list(numbers),
            "poll": 3,
        },
        effects=_effects(run, {**notes, **polls}),
        ordered=(*notes, *polls),
        kept=(
            Kept(key=f"count/{run.id}", value=sum(numbers)),
            Kept(key=f"list/{run.id}", value=list(numbers)),
            Kept(key=f"once/{run.id}", value=run.n),
        ),
    )


def _family(run: Run) -> Expected:
    numbers = {"one": run.n, **{str(i): run.n + i for i in range(3)}, "stray": run.n}
    outputs = {name: {"id": f"{run.id}.{name}", "n": n} for name, n in numbers.items()}
    return Expected(
        output={
            "one": outputs["one"],
            "several": [outputs[str(i)] for i in range(3)],
            "stray": f"{run.id}.stray",
        },
        effects={(f"{run.id}.{name}", "note"): n for name, n in numbers.items()},
        children=(f"{run.id}.stray",),
    )


def _saga(run: Run) -> Expected:
    steps = ("flaky", "refused", "instead", "uninstead", "unflaky")
    effects = {**dict.fromkeys(steps, run.n), HOOK: "flow.failed"}
    return Expected(
        status="failed",
        output={"type": "Enough", "message": f"enough of {run.n}"},
        effects=_effects(run, effects),
        ordered=tuple(effects),
    )


def _stopped(run: Run) -> Expected:
    steps = ("make", "tell", "unmake")
    effects = _effects(run, dict.fromkeys(steps, run.n))
    return Expected(status="cancelled", effects=effects, ordered=steps)


def _shared(run: Run) -> Expected:
    steps = ("enter", "leave", "slowly")
    return Expected(
        output={"apart": run.n, "slowly": run.n, "kept": (run.n % 3) ** 2},
        effects=_effects(run, dict.fromkeys(steps, run.n)),
        ordered=steps,
    )


def _large(run: Run) -> Expected:
    all_rows = rows(run.n)
    picked = [row["v"] for row in all_rows if row["i"] >= 100]
    effects = {"send": run.n, "last": picked[7], HOOK: "flow.completed"}
    return Expected(
        output={"picked": picked, "digest": digest(all_rows), "seventh": picked[7]},
        effects=_effects(run, effects),
        ordered=tuple(effects),
    )


def _wide(run: Run) -> Expected:
    last = 1099 * run.n
    return Expected(output={"items": 1100, "last": last}, effects=_effects(run, {"last": last}))


def _effects(run: Run, numbers: dict[str, Any]) -> dict[tuple[str, str], Any]:
    return {(run.id, step): n for step, n in numbers.items()}


KINDS: dict[str, Kind] = {
    "steps": Kind(
        expected=_steps, signals=lambda run: {"go": {"n": run.n}}, approves="decide", often=4
    ),
    "items": Kind(expected=_items),
    "rounds": Kind(
        expected=_rounds,
        signals=lambda run: {f"part-{i}": run.n + i for i in range(1, LOOPS + 1)},
        often=3,
    ),
    "family": Kind(expected=_family),
    "saga": Kind(expected=_saga),
    "stopped": Kind(expected=_stopped, cancels="make"),
    "shared": Kind(expected=_shared, often=3),
    "large": Kind(expected=_large, often=3),
    "wide": Kind(expected=_wide, often=1),
}
