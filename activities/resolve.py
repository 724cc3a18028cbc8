"""The local activity that turns a flow's name or text into the plan a run is pinned to."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Any, cast

from pydantic_core import to_json
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.claims import Claims
from activities.errors import of_claim_check
from activities.flows import FlowDirectory, FlowMissing, FlowUnreadable
from claimcheck.claim import Claim
from claimcheck.errors import ClaimCheckError
from claimcheck.interceptor import takes_claims
from claimcheck.payloads import CLAIMS, Inline
from flowspec.catalogue import Catalogue
from flowspec.check import Checked, check
from flowspec.jsonschemas import check_input, input_refused
from flowspec.machine import labels_of, program_of
from flowspec.opening import FLOW_TYPE, OpeningWrong, read_opening
from flowspec.plan import Plan, dump_plan
from flowspec.problems import Problem, as_json, text
from flowspec.values import Json, JsonObject

__all__ = ["FLOW_INVALID", "FLOW_NOT_FOUND", "RESOLVE", "FlowResolver"]

RESOLVE = "flowrunner.resolve"
FLOW_INVALID = "FlowInvalid"
FLOW_NOT_FOUND = "FlowNotFound"

_SHOWN = 5
_KEPT = 100
_REPORTED = 200

_UNKNOWN_TYPE = "FR501"
_STARTED_BEFORE = (
    "The worker knows the node types that were installed when it started: start it anew if one "
    "has been installed since."
)

_MOST_PLAN = 1_900_000
"""A plan must be read by the run itself, so it travels inline: Temporal refuses 2 MB."""


class _Given:
    """An input as it came, and the claim it was, if it was one."""

    def __init__(self, value: Any, *, claim: Claim | None = None) -> None:
        self.value = value
        self.claim = value if isinstance(value, Claim) else claim


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """What came of checking a text, and the plan as runs are given it."""

    checked: Checked
    plan: JsonObject
    size: int


class FlowResolver:
    """Finds, checks and plans flows; a flow seen before is not checked again.

    `search_attributes` is told to the run: whether the server has those of Flowrunner.
    """

    def __init__(
        self,
        flows: FlowDirectory,
        catalogue: Catalogue,
        claims: Claims,
        *,
        search_attributes: bool,
    ) -> None:
        self._claims = claims
        self._flows = flows
        self._catalogue = catalogue
        self._search_attributes = search_attributes
        self._seen: OrderedDict[str, _Seen] = OrderedDict()
        self._lock = Lock()

    @activity.defn(name=RESOLVE)
    @takes_claims
    async def resolve(self, request: Any) -> Any:
        """`{name}` or `{text}` → `{plan, search_attributes}`.

        With an `input` that the run itself cannot read, and what it knows of the `run`, the input
        is checked here and comes back beside the plan, with the flow's `labels`; `{arguments}`
        are a run's own, if they had to be put away as a whole. Fails for good with
        `FlowNotFound`, `FlowInvalid` or `InputInvalid`; the details of `FlowInvalid` are what
        `flowrunner validate --format json` prints.
        """
        try:
            outcome = await self._resolve(await self._claims.opened(request))
        except ClaimCheckError as error:
            outcome = _store_failed(error)
        if isinstance(outcome, ApplicationError):
            raise outcome
        return Inline(outcome)

    async def _resolve(self, request: JsonObject) -> JsonObject | ApplicationError:
        given = _Given(request.get("input"))
        run = cast(JsonObject, request.get("run", {}))
        if "arguments" in request:
            try:
                request, given = await self._opened(_list(request["arguments"]))
            except OpeningWrong as error:
                return _refused(str(error))
        # a large flow takes a tenth of a second to check, in which this worker's other nodes
        # must go on
        planned = await asyncio.to_thread(self._planned, request)
        if isinstance(planned, ApplicationError):
            return planned
        plan, resolved = planned
        if given.value is None:
            return resolved
        return await self._with_input(plan, resolved, run, given)

    async def _opened(self, arguments: list[Any]) -> tuple[JsonObject, _Given]:
        """The arguments of a run read here, and where its input is in the store, if it is."""
        opened = [await self._claims.opened(each) for each in arguments]
        if opened and isinstance(opened[0], dict) and "flow" in opened[0]:
            opened[0]["flow"] = await self._claims.opened(opened[0]["flow"])
        opening = read_opening(FLOW_TYPE, opened)
        return opening.source, _Given(opening.input, claim=_claim_of_input(arguments, opened))

    async def _with_input(
        self, plan: Plan, resolved: JsonObject, run: JsonObject, given: _Given
    ) -> JsonObject | ApplicationError:
        whole = await self._claims.loaded(given.value)
        value, problems = check_input(plan.input, whole)
        if problems:
            return _refused(input_refused(plan.flow, problems))
        run = {**run, "flow": plan.flow, "version": plan.version}
        labels = labels_of(program_of(resolved["plan"]), input=value, run=run)
        if given.claim is not None and value == whole:
            shown = self._claims.shown(given.claim, value)
        else:
            parts = await self._claims.opened(given.value)
            shown = await self._claims.stowed(_with_claims(parts, whole, value))
        return {**resolved, "input": shown, "labels": cast(JsonObject, labels)}

    def _planned(self, request: JsonObject) -> tuple[Plan, JsonObject] | ApplicationError:
        name: Any = request.get("name")
        try:
            file, source = self._flows.read(name) if name is not None else (None, request["text"])
        except FlowMissing as error:
            return ApplicationError(str(error), type=FLOW_NOT_FOUND, non_retryable=True)
        except FlowUnreadable as error:
            return _invalid(str(error), (), None)
        seen = self._check(str(source), file)
        checked = seen.checked
        what = f"flow {name!r}" if name is not None else "the flow"
        if checked.plan is None:
            return _invalid(_listing(what, checked.problems, file), checked.problems, file)
        if seen.size > _MOST_PLAN:
            return _invalid(
                f"{what} is too large: its plan measures {seen.size:,} bytes and {_MOST_PLAN:,} "
                "is the most; move parts of it into flows of their own",
                (),
                file,
            )
        return checked.plan, {"plan": seen.plan, "search_attributes": self._search_attributes}

    def _check(self, source: str, file: str | None) -> _Seen:
        names = self._flows.names()
        key = hashlib.sha256("\0".join((file or "", *names, source)).encode()).hexdigest()
        with self._lock:
            if key in self._seen:
                self._seen.move_to_end(key)
                return self._seen[key]
        checked = check(source, self._catalogue, flow_names=names, file_name=file)
        plan = {} if checked.plan is None else dump_plan(checked.plan)
        seen = _Seen(checked=checked, plan=plan, size=len(to_json(plan)))
        with self._lock:
            self._seen[key] = seen
            while len(self._seen) > _KEPT:
                self._seen.popitem(last=False)
        return seen


def _listing(what: str, problems: tuple[Problem, ...], file: str | None) -> str:
    count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}"
    more = len(problems) - _SHOWN
    lines = [f"{what} has {count}:", text(problems[:_SHOWN], file)]
    if more > 0:
        lines.append(f"and {more} more")
    if any(problem.code == _UNKNOWN_TYPE for problem in problems):
        lines.append(_STARTED_BEFORE)
    return "\n".join(lines)


def _invalid(message: str, problems: tuple[Problem, ...], file: str | None) -> ApplicationError:
    details = {**as_json(problems[:_REPORTED], file), "valid": False}
    return ApplicationError(message, details, type=FLOW_INVALID, non_retryable=True)


def _refused(message: str) -> ApplicationError:
    return ApplicationError(message, type="InputInvalid", non_retryable=True)


def _store_failed(error: ClaimCheckError) -> ApplicationError:
    message = f"what the run was started with cannot be loaded: {error}"
    kind = of_claim_check(error).name
    return ApplicationError(message, type=kind, non_retryable=not error.passing)


def _claim_of_input(arguments: list[Any], opened: list[Any]) -> Claim | None:
    """Where the input stands among the arguments of a run, if it is a value in the store."""
    if isinstance(opened[0], dict) and "input" in opened[0]:
        whole = arguments[0]
        claim = whole.inside("input") if isinstance(whole, Claim) else None
    else:
        claim = arguments[1] if len(arguments) > 1 else None
    known = isinstance(claim, Claim) and CLAIMS not in claim.metadata
    return claim if known else None


def _with_claims(given: Any, whole: Json, value: Json) -> Any:
    """The value with what was given as a claim as that claim, unless defaults came into it: what
    is put away anew is JSON, and bytes are none."""
    if isinstance(given, Claim):
        return given if whole == value else value
    if isinstance(given, dict) and isinstance(whole, dict) and isinstance(value, dict):
        return {
            name: _with_claims(given[name], whole[name], each) if name in given else each
            for name, each in value.items()
        }
    if isinstance(given, list) and isinstance(whole, list) and isinstance(value, list):
        return [_with_claims(*each) for each in zip(given, whole, value, strict=True)]
    return value


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
