"""What the expressions at a site read; those that cannot be read themselves are noted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from flowspec.check.notes import Notes, Span
from flowspec.check.sites import Site, has_expression
from flowspec.expressions import (
    ExpressionError,
    Reference,
    compile_condition,
    compile_template,
    problems_in,
)
from flowspec.problems import Path
from flowspec.values import Json

__all__ = ["Read", "reads"]


@dataclass(frozen=True, kw_only=True)
class Read:
    """One reference to a name, `keys` being the name and the steps behind it."""

    site: Site
    path: Path
    span: Span
    keys: Path
    guarded: bool

    @property
    def root(self) -> str:
        return str(self.keys[0])

    def has_guard(self, keys: Path) -> bool:
        """Whether the author has provided for the absence of what `keys` leads to."""
        return self.guarded or self.site.reader.is_guarded(keys)


def reads(site: Site, notes: Notes) -> Iterator[Read]:
    """The reads of a site in the order of the text; notes what is no expression."""
    for reference in _references(site, notes):
        yield Read(
            site=site,
            path=(*site.path, *reference.at),
            span=(reference.offset, reference.length),
            keys=reference.path,
            guarded=reference.guarded,
        )


def _references(site: Site, notes: Notes) -> tuple[Reference, ...]:
    if not site.is_condition and not has_expression(site.value):
        return ()
    try:
        if site.is_condition and isinstance(site.value, (str, bool)):
            return compile_condition(site.value).references
        return compile_template(site.value).references
    except ExpressionError as error:
        if site.is_condition:
            _unreadable(site, (), error, notes)
            return ()
        broken = problems_in(site.value)
        for path, problem in broken:
            _unreadable(site, path, problem, notes)
        return tuple(_references_beside(site.value, [path for path, _ in broken]))


def _references_beside(value: Json, broken: Sequence[Path], path: Path = ()) -> Iterator[Reference]:
    """What the texts of a value read, save those that cannot be read themselves."""
    if isinstance(value, str):
        if path not in broken:
            for reference in compile_template(value).references:
                yield replace(reference, at=path)
    elif isinstance(value, dict):
        for key, entry in value.items():
            yield from _references_beside(entry, broken, (*path, key))
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from _references_beside(entry, broken, (*path, index))


def _unreadable(site: Site, path: Path, error: ExpressionError, notes: Notes) -> None:
    in_key = bool(path) and isinstance(path[-1], str) and "${" in path[-1]
    span = None if in_key or error.offset is None else (error.offset, 0)
    notes.add("FR401", (*site.path, *path), error.message, key=in_key, span=span)
