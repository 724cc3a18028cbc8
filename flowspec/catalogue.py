"""The catalogue of node types, as data: enough to check a flow without any handler's libraries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from flowspec.jsonschemas import Judge
from flowspec.problems import Path
from flowspec.values import JsonObject

__all__ = [
    "Catalogue",
    "ErrorType",
    "NodeType",
    "Objection",
    "PluginTrouble",
    "RetryDefaults",
    "Tier",
]

Tier = Literal["inline", "local", "remote"]


@dataclass(frozen=True, kw_only=True)
class ErrorType:
    """A way a node can fail, by the name that `retry.only` and `error.type` use."""

    name: str
    permanent: bool
    meaning: str


@dataclass(frozen=True, kw_only=True)
class RetryDefaults:
    """Retry settings in seconds; `attempts` None means without end."""

    attempts: int | None = 1
    interval: float = 1.0
    factor: float = 2.0
    max_interval: float = 60.0
    jitter: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Objection:
    """What is wrong with the parameter at the path, in words that show no value of a secret."""

    path: Path
    message: str
    suggestion: str | None = None


@dataclass(frozen=True, kw_only=True)
class NodeType:
    """What a node does, seen from outside.

    The schemas are made when they are asked for, for a process uses few of the types there are.
    `tier` says where it runs: `inline` in the interpreter itself, `local` and `remote` as a
    Temporal activity whose type is `name`. `actions_param` names a parameter whose list of
    strings replaces `actions`. `secret_params` are the parameters in which `${secrets.X}` may
    stand, `*` for all. In `literal_params` no expression may stand, so that nothing but the flow
    says what is in them: `rows.*.sql` is that of every item of `rows`. `schema_params`, named in
    the same way, are themselves JSON Schemas. `objections` says what a schema cannot say against
    parameters; any of the values may be wrong otherwise, or hold expressions.
    """

    name: str
    summary: str
    description: str = ""
    params_schema: Callable[[], JsonObject] = lambda: {"type": "object"}
    output_schema: Callable[[], JsonObject] = lambda: {}
    example: str
    tier: Tier = "remote"
    actions: tuple[str, ...] = ()
    actions_param: str | None = None
    outcomes: tuple[str, ...] = ("success", "failure")
    errors: tuple[ErrorType, ...] = ()
    exclusive: tuple[tuple[str, ...], ...] = ()
    require_one: tuple[tuple[str, ...], ...] = ()
    secret_params: tuple[str, ...] = ()
    literal_params: tuple[str, ...] = ()
    schema_params: tuple[str, ...] = ()
    objections: Callable[[JsonObject], Iterable[Objection]] | None = None
    retry: RetryDefaults = RetryDefaults()
    attempt_timeout: float | None = None
    heartbeat: float | None = None

    @cached_property
    def judge(self) -> Judge:
        """Of its parameters."""
        return Judge(self.params_schema())

    @property
    def is_activity(self) -> bool:
        return self.tier != "inline"


@dataclass(frozen=True, kw_only=True)
class PluginTrouble:
    """What is wrong with a package that declares node types, in words for people.

    `node_type` is None if what it names cannot be had at all, so that any type may be missing.
    """

    package: str
    entry_point: str
    node_type: str | None = None
    problem: str
    advice: str

    def __str__(self) -> str:
        what = f"the node type {self.node_type!r}" if self.node_type else "the plug-in"
        return f"{what} of {self.package} ({self.entry_point}): {self.problem}; {self.advice}"


class Catalogue(Mapping[str, NodeType]):
    """Node types by name, in the order they were given; a name given twice is refused.

    `packages` says of those that plug-ins declare which package they come from; `troubles` is
    what plug-ins there are have wrong.
    """

    def __init__(
        self,
        node_types: Iterable[NodeType],
        *,
        packages: Mapping[str, str] | None = None,
        troubles: Iterable[PluginTrouble] = (),
    ) -> None:
        self.packages = dict(packages or {})
        self.troubles = tuple(troubles)
        self._types: dict[str, NodeType] = {}
        for node_type in node_types:
            if node_type.name in self._types:
                raise ValueError(f"node type {node_type.name!r} is declared twice")
            self._types[node_type.name] = node_type

    def __getitem__(self, name: str) -> NodeType:
        return self._types[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._types)

    def __len__(self) -> int:
        return len(self._types)
