"""Node types that other packages declare, found by the entry points of their distributions.

One that is broken takes nothing down: what is wrong with it is told, and everything else is used.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from math import inf
from types import ModuleType
from typing import Any

from activities.declaration import AnyImplementation, Implementation, Params
from flowspec.catalogue import Catalogue, ErrorType, NodeType, PluginTrouble, RetryDefaults
from flowspec.problems import has_errors, text

__all__ = ["GROUP", "Plugin", "Plugins", "flaws", "load_plugins"]

GROUP = "flowrunner.node_types"
"""The group of entry points; each names a list or tuple of what `declare` returns."""

_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_RESERVED = "flowrunner."
_UPDATE = "update the package, or tell whoever maintains it"


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """A node type, and the package that declares it."""

    package: str
    entry_point: str
    implementation: AnyImplementation

    @property
    def name(self) -> str:
        return self.implementation.node_type.name

    def trouble(self, problem: str, advice: str = _UPDATE) -> PluginTrouble:
        return PluginTrouble(
            package=self.package,
            entry_point=self.entry_point,
            node_type=self.name,
            problem=problem,
            advice=advice,
        )


@dataclass(frozen=True, kw_only=True)
class Plugins:
    """What plug-ins declare, and what is wrong with them."""

    found: tuple[Plugin, ...] = ()
    troubles: tuple[PluginTrouble, ...] = ()

    def catalogue(self, own: Catalogue) -> Catalogue:
        """The node types there are: our own, then theirs."""
        return Catalogue(
            (*own.values(), *(each.implementation.node_type for each in self.found)),
            packages={each.name: each.package for each in self.found},
            troubles=self.troubles,
        )


def load_plugins(own: Catalogue) -> Plugins:
    """Import every plug-in that is installed; never raises, whatever is in them."""
    told = [each for entry in sorted(_entries(), key=_place) for each in _declared(entry)]
    declared = [each for each in told if isinstance(each, Plugin)]
    troubles = [each for each in told if isinstance(each, PluginTrouble)]
    clashes = {id(each): _clash(each, declared, own) for each in declared}
    troubles += [trouble for trouble in clashes.values() if trouble]
    usable: list[Plugin] = []
    alone = [each for each in declared if not clashes[id(each)]]
    for each, (works, problem) in zip(alone, _tried(alone, own), strict=True):
        usable += [each] if works else []
        troubles += [each.trouble(problem)] if problem else []
    return Plugins(found=tuple(usable), troubles=tuple(troubles))


def flaws(declared: Sequence[object]) -> list[str]:
    """All that is wrong with what a plug-in declares, examples included: for its own tests."""
    from activities.catalogue import built_in

    own = built_in()
    plugins: list[Plugin] = []
    found: list[str] = []
    for index, each in enumerate(declared):
        wrong = [*_flaws(each)]
        found += [f"number {index + 1}: {flaw}" for flaw in wrong]
        if isinstance(each, Implementation) and not wrong:
            plugins.append(Plugin(package="this one", entry_point="", implementation=each))
    clashes = [clash for each in plugins if (clash := _clash(each, plugins, own))]
    if found or clashes:
        return [*found, *(f"{clash.node_type}: {clash.problem}" for clash in clashes)]
    tried = zip(plugins, _tried(plugins, own), strict=True)
    return [f"{each.name}: {problem}" for each, (_, problem) in tried if problem]


# -- one entry point -------------------------------------------------------------------------------


def _entries() -> Iterable[EntryPoint]:
    return entry_points(group=GROUP)


def _place(entry: EntryPoint) -> tuple[str, str, str]:
    return (_package(entry), entry.name, entry.value)


def _package(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "a package without a name"


def _declared(entry: EntryPoint) -> Iterator[Plugin | PluginTrouble]:
    """What an entry point names, one by one."""
    package, shown = _package(entry), f"entry point {entry.name} = {entry.value!r}"

    def trouble(problem: str, advice: str = _UPDATE, node_type: str | None = None) -> PluginTrouble:
        return PluginTrouble(
            package=package,
            entry_point=shown,
            node_type=node_type,
            problem=problem,
            advice=advice,
        )

    try:
        loaded = entry.load()
    except (Exception, SystemExit) as error:  # somebody else's code may do anything
        what = f"it cannot be imported: {type(error).__name__}: {error}"
        yield trouble(what, "install what it needs, update it, or uninstall it")
        return
    if isinstance(loaded, ModuleType):
        better = f"{entry.value}:NODE_TYPES"
        yield trouble("it names a module, not the node types in it", f"let it name {better!r}")
    elif not isinstance(loaded, list | tuple):
        what = f"it names {_kind(loaded)}, not a list or tuple of node types"
        yield trouble(what)
    else:
        for index, each in enumerate(loaded):
            wrong = next(_flaws(each), None)
            if wrong is None:
                yield Plugin(package=package, entry_point=shown, implementation=each)
            else:
                yield trouble(f"number {index + 1} of them: {wrong}", node_type=_name_of(each))


def _name_of(declared: object) -> str | None:
    name = getattr(getattr(declared, "node_type", None), "name", None)
    return name if isinstance(name, str) else None


def _clash(plugin: Plugin, declared: Collection[Plugin], own: Catalogue) -> PluginTrouble | None:
    """Of two plug-ins neither is used: which of them a flow meant is not for us to guess."""
    if plugin.name in own:
        return plugin.trouble("Flowrunner has a node type of that name itself")
    others = [each for each in declared if each.name == plugin.name and each is not plugin]
    if not others:
        return None
    where = dict.fromkeys(f"{each.package} ({each.entry_point})" for each in others)
    return plugin.trouble(f"{' and '.join(where)} has that name too", "keep only one of them")


# -- one declaration -------------------------------------------------------------------------------


def _flaws(declared: object) -> Iterator[str]:
    """What is wrong with it, as far as that can be seen without using it."""
    if not isinstance(getattr(declared, "node_type", None), NodeType) or not isinstance(
        declared, Implementation
    ):
        yield f"it is {_kind(declared)}, not what `declare` returns"
        return
    node_type = declared.node_type
    name: object = node_type.name
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        yield (
            f"{name!r} is no name for a plug-in's node type: lower-case words with a dot between "
            "them, the first of them yours, such as acme.charge"
        )
    elif name.startswith(_RESERVED):
        yield f"{name!r} is reserved, as are all names that begin with {_RESERVED!r}"
    for part in ("summary", "example"):
        text: object = getattr(node_type, part)
        if not isinstance(text, str) or not text.strip():
            yield f"it has no {part}"
    if node_type.tier not in ("local", "remote"):
        yield f"its tier is {node_type.tier!r}; expected local or remote"
    params: object = declared.params
    if not isinstance(params, type) or not issubclass(params, Params):
        yield f"its params are {_kind(params)}, not a subclass of `Params`"
    elif strange := sorted({*node_type.secret_params} - {"*", *params.model_fields}):
        yield f"secret_params names {strange[0]!r}, which is none of its parameters"
    for name in ("attempt_timeout", "heartbeat"):
        seconds: object = getattr(node_type, name)
        if seconds is not None and not _is_positive(seconds):
            yield f"its {name} is {seconds!r}; expected a number of seconds over 0"
    if not isinstance(node_type.retry, RetryDefaults):
        yield f"its retry is {_kind(node_type.retry)}, not `RetryDefaults`"
    else:
        yield from _flaws_of_retry(node_type.retry)
    if not all(isinstance(each, ErrorType) for each in node_type.errors):
        yield "its errors are not all `ErrorType`"
    if not _is_async(declared.handler):
        yield "its handler is no `async def` function"


def _flaws_of_retry(retry: RetryDefaults) -> Iterator[str]:
    attempts: object = retry.attempts
    is_whole = isinstance(attempts, int) and not isinstance(attempts, bool)
    if attempts is not None and not (is_whole and _is_positive(attempts)):
        yield f"its retry has {attempts!r} attempts; expected a whole number from 1, or None"
    for name in ("interval", "max_interval"):
        seconds: object = getattr(retry, name)
        if not _is_positive(seconds):
            yield f"its retry has {seconds!r} as {name}; expected a number of seconds over 0"
    if not _is_positive(retry.factor) or retry.factor < 1:
        yield f"its retry has {retry.factor!r} as factor; expected a number from 1"
    jitter: object = retry.jitter
    if not (jitter == 0 or _is_positive(jitter)) or retry.jitter > 1:
        yield f"its retry has {jitter!r} as jitter; expected a number from 0 to 1"


def _is_positive(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < inf


def _is_async(handler: Any) -> bool:
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(
        getattr(handler, "__call__", None)  # noqa: B004
    )


def _tried(plugins: Sequence[Plugin], own: Catalogue) -> Iterator[tuple[bool, str | None]]:
    """Of each whether flows that use it can be checked, and what is wrong; that its example has a
    problem is no hindrance."""
    if not plugins:
        return  # nor is the checker loaded
    from flowspec.check import check

    types = [each.implementation.node_type for each in plugins]
    catalogue = Catalogue((*own.values(), *types))
    for each in types:
        try:
            each.params_schema()
            each.output_schema()
            problems = check(each.example, catalogue).problems
        except Exception as error:
            yield False, f"its declaration cannot be used: {type(error).__name__}: {error}"
            continue
        if has_errors(problems):
            yield True, f"its example has a problem: {text(problems[:1])}"
        elif f"type: {each.name}" not in each.example:
            yield True, "its example does not use it"
        else:
            yield True, None


def _kind(value: object) -> str:
    return f"a value of type {type(value).__name__}"
