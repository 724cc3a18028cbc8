"""What a campaign tells at its end: a table for people, and everything as JSON."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

from tests.chaos.campaign import Campaign

__all__ = ["as_json", "table"]

_PHASES = ("at random", "before", "during", "after")


def table(campaign: Campaign) -> str:
    """How many faults of each kind struck in which phase of a step, and of each step."""
    by_fault = Counter((each.fault, each.phase or "at random") for each in campaign.struck)
    by_step = Counter((each.step, each.phase or "") for each in campaign.struck if each.step)
    return "\n".join(
        [
            *_table("fault", _PHASES, by_fault),
            "",
            *_table("kind of step", _PHASES[1:], by_step),
            "",
            f"{len(campaign.struck)} faults, {sum(not each.came for each in campaign.struck)} of "
            "them at a chosen moment that did not come in time",
            f"{campaign.runs} runs, {campaign.effects} effects, {campaign.repeated} repetitions",
            f"{len(campaign.findings)} wrong",
        ]
    )


def _table(title: str, columns: tuple[str, ...], counted: Counter[Any]) -> list[str]:
    names = sorted({name for name, _ in counted})
    head = f"{title:34}" + "".join(f"{column:>11}" for column in columns)
    rows = (
        f"{name:34}" + "".join(f"{counted[name, column]:>11}" for column in columns)
        for name in names
    )
    return [head, *rows]


def as_json(campaign: Campaign, *, seconds: float) -> dict[str, Any]:
    """Everything of a campaign, for programs."""
    return {
        "seed": campaign.plan.seed,
        "seconds": round(seconds),
        "runs": campaign.runs,
        "effects": campaign.effects,
        "repetitions": campaign.repeated,
        "faults": [asdict(each) for each in campaign.struck],
        "wrong": campaign.findings,
    }
