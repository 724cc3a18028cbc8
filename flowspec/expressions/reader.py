"""What reads a scope: what it names, worked out once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from flowspec.expressions.references import Reference

__all__ = ["Reader"]


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Whatever names values: an expression, a text, a template, or many of them together."""

    references: tuple[Reference, ...]

    @cached_property
    def roots(self) -> tuple[str, ...]:
        """The names in the scope that are read, each once."""
        return tuple(dict.fromkeys(str(reference.path[0]) for reference in self.references))

    @cached_property
    def nodes(self) -> tuple[str, ...]:
        """The nodes that are read, each once."""
        paths = (reference.path for reference in self.references)
        named = (str(path[1]) for path in paths if path[0] == "nodes" and len(path) > 1)
        return tuple(dict.fromkeys(named))
