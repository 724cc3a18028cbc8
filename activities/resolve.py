"""The local activity that turns a flow's name or text into the plan a run is pinned to."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from threading import Lock
from typing import Any

from pydantic_core import to_json
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.flows import FlowDirectory, FlowMissing, FlowUnreadable
from activities.results import MAX_RESULT_BYTES
from flowspec.catalogue import Catalogue
from flowspec.check import Checked, check
from flowspec.plan import dump_plan
from flowspec.problems import Problem, as_json, text
from flowspec.values import JsonObject

__all__ = ["FLOW_INVALID", "FLOW_NOT_FOUND", "RESOLVE", "FlowResolver"]

RESOLVE = "flowrunner.resolve"
FLOW_INVALID = "FlowInvalid"
FLOW_NOT_FOUND = "FlowNotFound"

_SHOWN = 5
_KEPT = 100
_REPORTED = 200


class FlowResolver:
    """Finds, checks and plans flows; a flow seen before is not checked again.

    `search_attributes` is told to the run: whether the server has those of Flowrunner.
    """

    def __init__(
        self, flows: FlowDirectory, catalogue: Catalogue, *, search_attributes: bool
    ) -> None:
        self._flows = flows
        self._catalogue = catalogue
        self._search_attributes = search_attributes
        self._plans: OrderedDict[str, Checked] = OrderedDict()
        self._lock = Lock()

    @activity.defn(name=RESOLVE)
    async def resolve(self, request: dict[str, Any]) -> dict[str, Any]:
        """`{name}` or `{text}` → `{plan, search_attributes}`.

        Fails for good with `FlowNotFound` or `FlowInvalid`; the details of the latter are what
        `flowrunner validate --format json` prints.
        """
        # a large flow takes a tenth of a second to check, in which this worker's other nodes
        # must go on
        resolved = await asyncio.to_thread(self._resolve, request)
        if isinstance(resolved, ApplicationError):
            raise resolved
        return resolved

    def _resolve(self, request: dict[str, Any]) -> JsonObject | ApplicationError:
        name = request.get("name")
        try:
            file, source = self._flows.read(name) if name is not None else (None, request["text"])
        except FlowMissing as error:
            return ApplicationError(str(error), type=FLOW_NOT_FOUND, non_retryable=True)
        except FlowUnreadable as error:
            return _invalid(str(error), (), None)
        checked = self._check(source, file)
        what = f"flow {name!r}" if name is not None else "the flow"
        if checked.plan is None:
            return _invalid(_listing(what, checked.problems, file), checked.problems, file)
        plan = dump_plan(checked.plan)
        size = len(to_json(plan))
        if size > MAX_RESULT_BYTES:
            return _invalid(
                f"{what} is too large: its plan measures {size:,} bytes and {MAX_RESULT_BYTES:,} "
                "is the most; move parts of it into flows of their own",
                (),
                file,
            )
        return {"plan": plan, "search_attributes": self._search_attributes}

    def _check(self, source: str, file: str | None) -> Checked:
        names = self._flows.names()
        key = hashlib.sha256("\0".join((file or "", *names, source)).encode()).hexdigest()
        with self._lock:
            if key in self._plans:
                self._plans.move_to_end(key)
                return self._plans[key]
        checked = check(source, self._catalogue, flow_names=names, file_name=file)
        with self._lock:
            self._plans[key] = checked
            while len(self._plans) > _KEPT:
                self._plans.popitem(last=False)
        return checked


def _listing(what: str, problems: tuple[Problem, ...], file: str | None) -> str:
    count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}"
    more = len(problems) - _SHOWN
    lines = [f"{what} has {count}:", text(problems[:_SHOWN], file)]
    if more > 0:
        lines.append(f"and {more} more")
    return "\n".join(lines)


def _invalid(message: str, problems: tuple[Problem, ...], file: str | None) -> ApplicationError:
    details = {**as_json(problems[:_REPORTED], file), "valid": False}
    return ApplicationError(message, details, type=FLOW_INVALID, non_retryable=True)
