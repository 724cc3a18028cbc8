"""Finding runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from temporalio.client import Client, WorkflowExecution
from temporalio.common import SearchAttributeKey
from temporalio.service import RPCError, RPCStatusCode

from flowspec.values import Json, JsonObject
from service.errors import InputWrong
from service.runs.failures import mapped
from service.runs.looking import first_run_id, flow_of, state_of

__all__ = ["STATUSES", "Listing", "RunFilter", "RunSummary", "list_runs", "visibility_query"]

_FLOW_STATUS = SearchAttributeKey.for_keyword("FlowStatus")
_FLOW_LABELS = SearchAttributeKey.for_keyword_list("FlowLabels")

_HELPERS = ("flowrunner.cache", "flowrunner.lock", "flowrunner.rate")
_SHARD = "~shard"
"""Runs that the interpreter makes for itself: nobody has started them, nobody looks for them."""

_EXECUTION_STATUS = {
    "running": "Running",
    "completed": "Completed",
    "failed": "Failed",
    "cancelled": "Canceled",
    "terminated": "Terminated",
    "timed_out": "TimedOut",
}
_FLOW_STATUSES = ("waiting", "paused", "failing", "cancelling")
STATUSES = (*_EXECUTION_STATUS, *_FLOW_STATUSES)

_REGISTER = (
    "temporal operator search-attribute create "
    "--name FlowName --type Keyword --name FlowVersion --type Keyword "
    "--name FlowStatus --type Keyword --name FlowLabels --type KeywordList"
)
_UNREGISTERED = (
    "this namespace lacks Flowrunner's search attributes, so flows sent as YAML are not found by "
    "name, nor runs by label.\nRegister them with: " + _REGISTER
)


@dataclass(frozen=True, kw_only=True)
class RunFilter:
    """What runs to list; `labels` are `name=value`."""

    task_queue: str
    flow: str | None = None
    status: str | None = None
    labels: tuple[str, ...] = ()
    limit: int = 20


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """One line of the list."""

    workflow_id: str
    run_id: str
    flow: str | None
    status: str
    started: datetime
    ended: datetime | None
    labels: tuple[str, ...] = ()

    def as_json(self) -> JsonObject:
        return {
            "workflow_id": self.workflow_id,
            "run_id": self.run_id,
            "flow": self.flow,
            "status": self.status,
            "started": _iso(self.started),
            "ended": _iso(self.ended) if self.ended else None,
            "labels": list[Json](self.labels),
        }


@dataclass(frozen=True, kw_only=True)
class Listing:
    """`note` says what the list cannot show; `more` that the limit cut it."""

    runs: tuple[RunSummary, ...]
    more: bool = False
    note: str | None = None


async def list_runs(client: Client, wanted: RunFilter) -> Listing:
    """The newest first. Raises `InputWrong` for a filter the namespace cannot serve."""
    try:
        return await _list(client, wanted, visibility_query(wanted))
    except RPCError as error:
        if error.status != RPCStatusCode.INVALID_ARGUMENT:
            with mapped():
                raise
        return await _list_unregistered(client, wanted, error)


async def _list_unregistered(client: Client, wanted: RunFilter, error: RPCError) -> Listing:
    if wanted.labels or wanted.status in _FLOW_STATUSES:
        raise InputWrong(f"{_UNREGISTERED}\n(Temporal says: {error.message})") from error
    with mapped():
        listing = await _list(client, wanted, visibility_query(wanted, registered=False))
    return Listing(runs=listing.runs, more=listing.more, note=_UNREGISTERED)


def visibility_query(wanted: RunFilter, *, registered: bool = True) -> str:
    """The filter in Temporal's own language."""
    terms = [
        f"TaskQueue = {_quoted(wanted.task_queue)}",
        *(f"WorkflowType != '{helper}'" for helper in _HELPERS),
        "ExecutionStatus != 'ContinuedAsNew'",  # the run it continues as stands for the whole
    ]
    if wanted.flow:
        name = _quoted(wanted.flow)
        either = f"(FlowName = {name} OR WorkflowType = {name})"
        terms.append(either if registered else f"WorkflowType = {name}")
    if wanted.status:
        execution = _EXECUTION_STATUS.get(wanted.status)
        key, value = ("ExecutionStatus", execution) if execution else ("FlowStatus", wanted.status)
        terms.append(f"{key} = {_quoted(value)}")
        if not execution:
            terms.append("ExecutionStatus = 'Running'")
    terms += [f"FlowLabels = {_quoted(label)}" for label in wanted.labels]
    return " AND ".join(terms)


def _quoted(text: str) -> str:
    if any(sign in text for sign in "'\"\\"):
        raise InputWrong(f"{text!r} cannot be looked for: quotes and backslashes do not go there")
    return f"'{text}'"


async def _list(client: Client, wanted: RunFilter, query: str) -> Listing:
    runs: list[RunSummary] = []
    async for run in client.list_workflows(query, page_size=min(wanted.limit + 1, 1000)):
        if run.parent_id is not None and _SHARD in run.id:
            continue
        if len(runs) == wanted.limit:
            return Listing(runs=tuple(runs), more=True)
        runs.append(_summary(run))
    return Listing(runs=tuple(runs))


def _summary(run: WorkflowExecution) -> RunSummary:
    state = state_of(run.status)
    told = run.typed_search_attributes.get(_FLOW_STATUS) if state == "running" else None
    return RunSummary(
        workflow_id=run.id,
        run_id=first_run_id(run),
        flow=flow_of(run),
        status=told or state,
        started=run.start_time,
        ended=run.close_time,
        labels=tuple(run.typed_search_attributes.get(_FLOW_LABELS) or ()),
    )


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
