"""What a run is started with: a flow's name or YAML text, and an input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flowspec.values import Json, JsonObject, NeedsWorker, Opaque

__all__ = ["FLOW_TYPE", "Opening", "OpeningWrong", "read_opening"]

FLOW_TYPE = "flow"
"""The workflow type of a run that says itself what to run; any other type is a flow's name."""


class OpeningWrong(ValueError):
    """The arguments make no sense; the text is for whoever started the run."""


@dataclass(frozen=True, kw_only=True)
class Opening:
    """`source` for the resolver: `{name}` or `{text}`."""

    source: JsonObject
    input: Json = None


def read_opening(workflow_type: str, arguments: Sequence[Json]) -> Opening:
    """Understand the arguments of a run.

    Raises `OpeningWrong`, and `NeedsWorker` if what says which flow it is is kept elsewhere.
    """
    first = arguments[0] if arguments else None
    if workflow_type != FLOW_TYPE:
        if len(arguments) > 1:
            raise OpeningWrong(f"flow {workflow_type!r} takes one argument, its input")
        return Opening(source={"name": workflow_type}, input={} if first is None else first)
    if isinstance(first, Opaque):
        raise NeedsWorker("the flow is kept elsewhere")
    return _inline(first, list(arguments[1:]))


def _inline(first: Json, rest: list[Json]) -> Opening:
    given: Json
    if isinstance(first, str):
        flow, given = first, rest[0] if rest else None
    elif isinstance(first, dict) and isinstance(first.get("flow"), str | Opaque):
        unknown = [key for key in first if key not in ("flow", "input")]
        if unknown:
            raise OpeningWrong(f"unknown key {unknown[0]!r} beside `flow` and `input`")
        if not isinstance(first["flow"], str):
            raise NeedsWorker("the flow is kept elsewhere")
        flow, given = first["flow"], first.get("input", rest[0] if rest else None)
    else:
        raise OpeningWrong(
            "a run of type `flow` is started with YAML text, or with "
            "{flow: <YAML text or a flow's name>, input: {…}}"
        )
    source: JsonObject = {"text": flow} if "\n" in flow or ":" in flow else {"name": flow.strip()}
    return Opening(source=source, input={} if given is None else given)
