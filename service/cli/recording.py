"""`flowrunner test --record`: a real run as a test of its flow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml
from temporalio.client import Client

from flowspec.catalogue import NodeType
from flowspec.durations import format_duration
from flowspec.source import MAX_BYTES
from flowspec.values import Json, JsonObject
from service.cli.composition import Composition
from service.cli.context import connected, run_async
from service.errors import InputWrong
from service.runs.looking import ask_status, describe, outcome_of, state_of
from service.runs.outcome import RunOutcome
from service.runs.recording import RecordedCall, Recording, record
from service.runs.view import RunView
from service.settings import load_worker_settings
from service.settings.sizes import format_size

__all__ = ["Recorded", "as_test", "read_run", "record_run"]

_HEADER = 1024


def record_run(
    workflow_id: str, file: Path | None, composition: Composition
) -> tuple[Path, list[str]]:
    """Write the test, and say what could not be taken over. Raises `InputWrong`."""
    recorded = run_async(_connected_and_read(workflow_id))
    path = file or _beside_the_flow(recorded.view.flow, workflow_id)
    if path.exists():
        raise InputWrong(f"{str(path)!r} is there already; give another file to write")
    try:
        path.write_text(as_test(recorded, composition), encoding="utf-8")
    except OSError as error:
        raise InputWrong(f"{str(path)!r} cannot be written: {error.strerror}") from error
    return path, recorded.recording.notes


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """All there is to know of a run that has ended."""

    workflow_id: str
    recording: Recording
    view: RunView
    outcome: RunOutcome


def as_test(recorded: Recorded, composition: Composition) -> str:
    """The test file. Must be called outside of any event loop. Raises `InputWrong` if the values
    of the run are more than such a file holds."""
    document = _document(recorded.recording, recorded.view, recorded.outcome, composition)
    text: str = yaml.dump(document, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=100)
    if len(text.encode()) > MAX_BYTES - _HEADER:
        raise InputWrong(
            f"what the nodes of run {recorded.workflow_id!r} gave is more than a test file holds: "
            f"{format_size(len(text.encode()))}, and it may measure {format_size(MAX_BYTES)}"
        )
    return f"# Recorded from the run {recorded.workflow_id}\n{text}"


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        """What stands twice is written twice."""
        return True


def _beside_the_flow(flow: str, workflow_id: str) -> Path:
    safe = "".join(c if c.isalnum() or c in "-_" else "-" for c in workflow_id)
    return load_worker_settings().flows_dir / f"{safe if safe != flow else flow}.test.yaml"


async def _connected_and_read(workflow_id: str) -> Recorded:
    return await read_run(await connected(), workflow_id)


async def read_run(client: Client, workflow_id: str) -> Recorded:
    """Raises `RunNotFound`, and `InputWrong` for a run that has not ended by itself."""
    handle = client.get_workflow_handle(workflow_id)
    state = state_of((await describe(handle)).status)
    if state not in ("completed", "failed", "cancelled"):
        raise InputWrong(
            f"run {workflow_id!r} is {state}: only one that has ended by itself makes a test"
        )
    view = await ask_status(handle)
    outcome = await outcome_of(client, handle, flow=view.flow)
    recording = await record(client, handle)
    return Recorded(workflow_id=workflow_id, recording=recording, view=view, outcome=outcome)


# -- the file --------------------------------------------------------------------------------------


def _document(
    recording: Recording, view: RunView, outcome: RunOutcome, composition: Composition
) -> JsonObject:
    assert recording.started is not None
    case: JsonObject = {
        "name": f"as recorded on {recording.started:%Y-%m-%d}",
        "start": recording.started.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "input": recording.input,
        "mocks": _mocks(recording, composition),
        "at": _said(recording),
        "expect": _expectation(recording, view, outcome),
    }
    kept = {key: value for key, value in case.items() if value not in ({}, None)}
    return {"flow": view.flow, "cases": [cast(Json, kept)]}


def _mocks(recording: Recording, composition: Composition) -> JsonObject:
    """Not for what does here what it did there: node types that need nothing."""
    catalogue, performs = composition.catalogue(), composition.performs()
    mocks: JsonObject = {}
    for call in recording.calls:
        if not call.answers or call.path.startswith("~"):
            continue
        if "output" in call.answers[-1] and performs(call.type, {}) is not None:
            continue
        node_type = None if call.type == "flow" else catalogue.get(call.type)
        answers: list[Json] = [_answer(each, node_type) for each in call.answers]
        last = cast(JsonObject, answers[-1])
        delay = _delay(call, recording)
        if delay is not None and "delay" not in last:
            last["delay"] = delay
        mocks[call.path] = answers[0] if len(answers) == 1 else answers
    return mocks


def _answer(answer: JsonObject, node_type: NodeType | None) -> JsonObject:
    """`node_type` None for an activity that is none of ours, and for another flow."""
    told: JsonObject = dict(answer)
    output, error = told.get("output"), told.get("error")
    if node_type is not None and isinstance(output, dict):  # `{output, action}`
        told = {key: value for key, value in output.items() if value is not None}
        told.setdefault("output", None)
    if "output" in told:
        told["output"] = _literal(told["output"])
    if "delay" in told:
        told["delay"] = format_duration(cast(float, told["delay"]))
    if isinstance(error, dict):
        declared = [] if node_type is None else [each.name for each in node_type.errors]
        known = error["type"] in (*declared, "Timeout")
        plain = {key: value for key, value in error.items() if key != "permanent"}
        told["error"] = plain if known else {"permanent": False, **error}
    return told


def _delay(call: RecordedCall, recording: Recording) -> str | None:
    """How long the last attempt took, where it is long or may have decided who was first."""
    if call.ended is None:
        return None
    began = call.began if call.attempt_began is None else call.attempt_began
    took = call.ended - began
    if took < 1 and not any(map(call.overlaps, recording.calls)):
        return None
    return format_duration(took) if took >= 0.001 else None


def _literal(value: Json) -> Json:
    """As mocks write it, in which `${` begins a template."""
    if isinstance(value, str):
        return value.replace("${", "$${")
    if isinstance(value, list):
        return [_literal(each) for each in value]
    if isinstance(value, dict):
        return {key: _literal(each) for key, each in value.items()}
    return value


def _said(recording: Recording) -> JsonObject:
    said: dict[str, Any] = {}
    for each in recording.said:
        said.setdefault(format_duration(each.at), []).append(each.word)
    return {at: words[0] if len(words) == 1 else words for at, words in said.items()}


# -- what is expected ------------------------------------------------------------------------------


def _expectation(recording: Recording, view: RunView, outcome: RunOutcome) -> JsonObject:
    expect: JsonObject = {"status": outcome.status}
    if outcome.status == "completed":
        whole = isinstance(outcome.output, dict | list)
        expect["output"] = {"$equals": outcome.output} if whole else outcome.output
    if outcome.status == "failed" and outcome.error is not None:
        error = outcome.error
        expect["error"] = {"type": error.type, "node": error.node, "attempt": error.attempt}
    ran = [each for each in view.nodes if "/" not in each.path and not each.path.startswith("~")]
    nodes = dict(_nodes(recording, view))
    if nodes:
        expect["nodes"] = nodes
    rounds = any(each.iteration is not None for each in ran)
    if not rounds and not view.truncated and outcome.status == "completed":
        expect["path"] = [each.path for each in ran if each.state != "skipped"]
    return expect


def _nodes(recording: Recording, view: RunView) -> Iterator[tuple[str, Json]]:
    attempts = {each.path: each.attempts for each in recording.calls}
    for node in view.nodes:
        if node.state == "running" or node.path.startswith("~"):
            continue
        tried = attempts.get(node.path, 1)
        many: JsonObject = {"outcome": node.state, "attempts": tried}
        yield node.path, many if tried > 1 and node.state != "cancelled" else node.state
