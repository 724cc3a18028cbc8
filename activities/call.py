"""What the interpreter sends to have a node performed: a contract, fields are only ever added."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter

__all__ = ["NodeCall", "RetrySettings", "read_call"]


@dataclass(frozen=True, kw_only=True)
class RetrySettings:
    """When a failed attempt is followed by another; seconds.

    Temporal counts the attempts. `attempts` is there to tell the last one: None without end, or
    not known.
    """

    attempts: int | None = None
    interval: float = 1.0
    factor: float = 2.0
    max_interval: float = 60.0
    jitter: float = 0.0
    only: tuple[str, ...] = ()
    never: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class NodeCall:
    """One node, ready to be performed but for `deferred`.

    Those are JSON pointers to places in `params` that still hold template text, to be computed
    over `scope` and the secrets, of which the flow declares `secrets`.
    """

    node: str
    flow: str
    run_id: str
    key: str
    title: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    deferred: tuple[str, ...] = ()
    scope: dict[str, Any] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    retry: RetrySettings = RetrySettings()


_ADAPTER = TypeAdapter(NodeCall)


def read_call(data: dict[str, Any]) -> NodeCall:
    """Fields a newer interpreter added are passed over."""
    return _ADAPTER.validate_python(data)
