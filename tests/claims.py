"""Values kept elsewhere, as the in-memory world keeps them."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from flowspec.values import Json, Opaque

__all__ = ["Claim", "Keeps", "Putter", "from_text", "loaded", "to_text"]

Keeps: TypeAlias = Literal["nothing", "some", "all"]
"""Which values are kept elsewhere: with a threshold of one byte, all of them."""

_MARK = "a claim for"


@dataclass(frozen=True)
class Claim(Opaque):
    """Stands for a value kept elsewhere."""

    value: Json

    def part(self, start: int, stop: int | None = None) -> Claim:
        assert isinstance(self.value, list)
        assert 0 <= start <= len(self.value)
        if stop is None:
            return Claim(self.value[start])
        assert start <= stop <= len(self.value)
        return Claim(self.value[start:stop])


@dataclass(kw_only=True)
class Putter:
    """Puts values away, each as it may be where it stands."""

    keeps: Keeps = "nothing"
    seed: int = 0
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def __call__(self, value: Any) -> Any:
        if self.keeps == "nothing":
            return value
        if self.keeps == "all" or self._random.random() < 0.3:
            return Claim(loaded(value))
        if isinstance(value, dict):
            return {key: self(entry) for key, entry in value.items()}
        return value


def loaded(value: Any) -> Any:
    """A copy with every claim in it replaced by what it stands for."""
    match value:
        case Claim():
            return loaded(value.value)
        case dict():
            return {key: loaded(entry) for key, entry in value.items()}
        case list() | tuple():
            return [loaded(entry) for entry in value]
        case _:
            return value


def to_text(value: Any) -> str:
    """JSON with claims in it."""
    return json.dumps(value, default=_written)


def _written(value: object) -> Any:
    assert isinstance(value, Claim), f"a {type(value).__name__} is no JSON"
    return {_MARK: value.value}


def from_text(text: str) -> Any:
    def read(entry: dict[str, Any]) -> Any:
        return Claim(entry[_MARK]) if entry.keys() == {_MARK} else entry

    return json.loads(text, object_hook=read)
