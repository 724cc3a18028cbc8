"""What a problem's code stands for."""

from __future__ import annotations

from dataclasses import dataclass

from flowspec.values import Json

__all__ = ["ErrorCode"]


@dataclass(frozen=True, kw_only=True)
class ErrorCode:
    """One kind of problem, explained once for every place that shows it.

    `example` is a whole flow document that has exactly this problem. For a problem with a run's
    input it is the flow, and `example_input` what the run was started with. Where other files
    matter, `example_file` is the name of the flow's own and `example_flows` are all flows there
    are.
    """

    code: str
    title: str
    explanation: str
    example: str
    remedy: str
    example_input: Json = None
    example_file: str | None = None
    example_flows: tuple[str, ...] | None = None
