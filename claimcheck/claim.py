"""A claim: what travels instead of a value that is in the store."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final, Self, TypeAlias

from claimcheck.errors import ClaimInvalid
from claimcheck.keys import BlobKey

__all__ = ["JSON_METADATA", "MOST_METADATA", "Claim", "Step"]

Step: TypeAlias = str | int | tuple[int, int]
"""A step into a JSON value: a name, a position, or the positions from one up to another."""

JSON_METADATA: Final[Mapping[str, str]] = {"encoding": "json/plain"}

_VERSION = 1
_FIELDS = {"claim", "key", "size", "metadata", "at"}
_NEVER_KEPT = ("json/claim", "binary/encrypted")
_LONGEST_FLAW = 500
_MOST_STEPS = 100

_LARGEST = 2**53 - 1
"""No store keeps more, Temporal has 63 bits for it, and every JSON reader reads it exactly."""

MOST_METADATA: Final = 100
"""Entries of metadata that a claim can have."""


class Claim:
    """A value in the store, or a part of one.

    `size` is that of the whole value in bytes. `metadata` is that of the payload the bytes are
    of: how they are to be read. `at` leads to the part of a JSON value. Claims are values:
    equal if they stand for the same, never changed. (A plain class, for JSON writers take a
    dataclass for an object.)
    """

    __slots__ = ("at", "flaw", "key", "metadata", "size")

    key: str
    size: int
    metadata: Mapping[str, str]
    at: tuple[Step, ...]
    flaw: str | None
    """Why this claim can never be redeemed."""

    def __init__(
        self,
        *,
        key: str,
        size: int,
        metadata: Mapping[str, str] = JSON_METADATA,
        at: tuple[Step, ...] = (),
        flaw: str | None = None,
    ) -> None:
        given = (("key", key), ("size", size), ("metadata", metadata), ("at", at), ("flaw", flaw))
        for name, value in given:
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a claim is never changed: {name!r}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Claim) and self.as_json() == other.as_json()

    def __hash__(self) -> int:
        return hash((self.key, self.at) if self.flaw is None else self.flaw)

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies are made anew, for nothing can be set in them: programs copy what they are given,
        and an activity may run in another process."""
        made = partial(
            type(self),
            key=self.key,
            size=self.size,
            metadata=dict(self.metadata),
            at=self.at,
            flaw=self.flaw,
        )
        return made, ()

    def __repr__(self) -> str:
        if self.flaw is not None:
            return f"Claim(flawed: {self.flaw})"
        return f"Claim({self.key!r}, {self.size} bytes{f', at {self.at}' if self.at else ''})"

    @property
    def encoding(self) -> str:
        return self.metadata.get("encoding", "")

    @property
    def is_json(self) -> bool:
        return self.encoding == "json/plain"

    @property
    def means_json(self) -> bool:
        """Whether the claim, alone in a payload, means JSON though its bytes are none, and not the
        payload that they are of. Nobody's does but for those who know nothing but JSON."""
        return False

    def inside(self, *steps: Step) -> Self:
        """The claim for a part of this one's value."""
        return type(self)(
            key=self.key,
            size=self.size,
            metadata=self.metadata,
            at=(*self.at, *steps),
            flaw=self.flaw,
        )

    def as_json(self) -> dict[str, Any]:
        """Version 1 of how a claim is written: a contract."""
        if self.flaw is not None:
            return {"flaw": self.flaw}
        written: dict[str, Any] = {"claim": _VERSION, "key": self.key, "size": self.size}
        if dict(self.metadata) != JSON_METADATA:
            written["metadata"] = dict(self.metadata)
        if self.at:
            written["at"] = [list(step) if isinstance(step, tuple) else step for step in self.at]
        return written

    @classmethod
    def read(cls, written: object) -> Self:
        """As `from_json`, but what is wrong comes out when the claim is redeemed: where claims
        are only handed on, such as in workflow code, nobody can stop anything with a bad one."""
        try:
            return cls.from_json(written)
        except ClaimInvalid as error:
            return cls(key="", size=0, flaw=str(error))

    @classmethod
    def from_json(cls, written: object) -> Self:
        """Read what anybody may have written; raises `ClaimInvalid`."""
        if isinstance(written, dict) and isinstance(written.get("flaw"), str):
            raise ClaimInvalid(written["flaw"][:_LONGEST_FLAW])
        if not isinstance(written, dict) or not set(written) <= _FIELDS:
            raise ClaimInvalid("what stands for a claim is none")
        if type(written.get("claim")) is not int or written["claim"] != _VERSION:
            raise ClaimInvalid(
                f"a claim of version {str(written.get('claim'))[:20]!r} cannot be read here; "
                "was it written by a newer release?"
            )
        key, size = written.get("key"), written.get("size")
        if not isinstance(key, str) or type(size) is not int or not 0 <= size <= _LARGEST:
            raise ClaimInvalid("a claim needs a key and a size that can be")
        if BlobKey.parse(key).holder is not None:
            raise ClaimInvalid("a claim names a note, not a blob")
        return cls(
            key=key,
            size=size,
            metadata=_metadata(written.get("metadata", dict(JSON_METADATA))),
            at=_steps(written.get("at", [])),
        )


def _metadata(written: object) -> dict[str, str]:
    if (
        not isinstance(written, dict)
        or len(written) > MOST_METADATA
        or not all(isinstance(k, str) and isinstance(v, str) for k, v in written.items())
    ):
        raise ClaimInvalid("the metadata of a claim are texts under names")
    if written.get("encoding") in _NEVER_KEPT:
        raise ClaimInvalid("the value of a claim is no claim itself, nor encrypted once more")
    return dict(written)


def _steps(written: object) -> tuple[Step, ...]:
    if not isinstance(written, list) or len(written) > _MOST_STEPS:
        raise ClaimInvalid(f"a claim leads to a part by at most {_MOST_STEPS} steps")
    return tuple(_step(step) for step in written)


def _step(step: object) -> Step:
    if isinstance(step, str) or (type(step) is int and step >= 0):
        return step
    if isinstance(step, list) and len(step) == 2 and all(type(n) is int and n >= 0 for n in step):
        return (step[0], step[1])
    raise ClaimInvalid(f"{str(step)[:50]!r} is no step into a value")
