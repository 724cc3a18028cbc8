"""Places in a JSON value, by JSON pointers (RFC 6901) and by the steps of a claim."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

from claimcheck.claim import Claim, Step
from claimcheck.errors import ClaimInvalid

__all__ = ["part_of", "places", "replaced_at"]

_CONTAINERS = (dict, list, tuple)


def places(
    value: Any, wanted: Callable[[Any], bool], pointer: str = ""
) -> Iterator[tuple[str, Any]]:
    """What is wanted in a JSON value, with the JSON pointers to where it stands."""
    if wanted(value):
        yield pointer, value
    elif isinstance(value, dict):
        for key, entry in value.items():
            if isinstance(key, str) and (isinstance(entry, _CONTAINERS) or wanted(entry)):
                yield from places(entry, wanted, f"{pointer}/{_escape(key)}")
    elif isinstance(value, list | tuple):
        for index, entry in enumerate(value):
            if isinstance(entry, _CONTAINERS) or wanted(entry):
                yield from places(entry, wanted, f"{pointer}/{index}")


def _escape(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def replaced_at(value: Any, pointer: str, change: Callable[[Any], Any]) -> Any:
    """The value, changed in place where the pointer leads; as it was if that is nowhere."""
    if not pointer:
        return change(value)
    if not pointer.startswith("/"):
        return value
    *way, last = (step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])
    here = value
    for step in way:
        key = _key_in(here, step)
        here = None if key is None else here[key]
    key = _key_in(here, last)
    if key is not None:
        here[key] = change(here[key])
    return value


def _key_in(container: Any, step: str) -> str | int | None:
    if isinstance(container, dict):
        return step if step in container else None
    if isinstance(container, list) and step.isascii() and step.isdigit() and len(step) < 10:
        return int(step) if int(step) < len(container) else None
    return None


def part_of(value: Any, steps: Sequence[Step]) -> Any:
    """The part of a JSON value the steps of a claim lead to; raises `ClaimInvalid`.

    Where the way leads through another claim, it is that one's part.
    """
    for index, step in enumerate(steps):
        if isinstance(value, Claim):
            return value.inside(*steps[index:])
        try:
            value = value[slice(*step)] if isinstance(step, tuple) else _child(value, step)
        except (LookupError, TypeError):
            raise ClaimInvalid("the claim leads to a part that its value does not have") from None
    return value


def _child(value: Any, step: str | int) -> Any:
    if isinstance(step, str):
        return value[step] if isinstance(value, dict) else _nowhere(step)
    return value[step] if isinstance(value, list) else _nowhere(step)


def _nowhere(step: str | int) -> NoReturn:
    raise LookupError(step)
