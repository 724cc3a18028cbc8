"""What can go wrong at the edges; the text of each is for people and says what to do."""

from __future__ import annotations

from flowspec.values import JsonObject

__all__ = [
    "AlreadyRunning",
    "DevServerFailed",
    "FlowInvalid",
    "InputInvalid",
    "InputWrong",
    "KeyMissing",
    "NamespaceMissing",
    "NoWorker",
    "RequestRefused",
    "RunEnded",
    "RunNotFound",
    "ScheduleNotFound",
    "ServiceError",
    "StoreFailed",
    "TemporalFailed",
    "TemporalUnreachable",
    "ValueLost",
]


class ServiceError(Exception):
    """The root of this package's errors."""


class TemporalUnreachable(ServiceError):
    """No server, or one that does not let us in."""


class NamespaceMissing(TemporalUnreachable):
    """The server is there, the namespace is not."""


class DevServerFailed(TemporalUnreachable):
    """The local Temporal server could not be started, or has stopped by itself."""


class NoWorker(TemporalUnreachable):
    """The server is there, but no worker answers for the run."""

    @classmethod
    def of(cls, workflow_id: str) -> NoWorker:
        return cls(
            f"no worker answers for run {workflow_id!r}: does one run on its task queue?\n"
            "Start one with `flowrunner worker`, or everything with `flowrunner dev`; if there is "
            f"one, `flowrunner status {workflow_id}` says what keeps it from going on."
        )


class StoreFailed(ServiceError):
    """The store of large values cannot be reached, lets us not in, or gives what is damaged."""


class ValueLost(ServiceError):
    """A value of a run is not to be had: its blob is gone or damaged, or what leads there is."""


class TemporalFailed(ServiceError):
    """The server answered with an error that nothing here foresees."""


class InputWrong(ServiceError):
    """What the user gave cannot be used."""


class KeyMissing(InputWrong):
    """A value was encrypted with a key that the settings here do not have."""


class FlowInvalid(InputWrong):
    """The flow has problems; the text is theirs alone, a line for each."""

    def __init__(self, lines: str, problems: JsonObject) -> None:
        super().__init__(lines)
        self.problems = problems


class InputInvalid(InputWrong):
    """The input does not fit the flow."""

    def __init__(self, lines: str, problems: JsonObject) -> None:
        super().__init__(f"the input does not fit the flow\n{lines}")
        self.problems = problems


class RequestRefused(InputWrong):
    """The run has looked at the request and does not accept it."""


class RunNotFound(InputWrong):
    """There is no such run."""


class ScheduleNotFound(InputWrong):
    """There is no such schedule."""

    @classmethod
    def of(cls, schedule_id: str) -> ScheduleNotFound:
        return cls(f"there is no schedule {schedule_id!r}: see `flowrunner schedule list`")


class RunEnded(InputWrong):
    """The run has ended and takes no more messages."""

    @classmethod
    def of(cls, workflow_id: str, how: str | None = None) -> RunEnded:
        """`how` is the state it has ended in, where that is known."""
        known = f" ({how.replace('_', ' ')})" if how else ""
        return cls(
            f"run {workflow_id!r} has ended already{known}: see `flowrunner result {workflow_id}`"
        )


class AlreadyRunning(InputWrong):
    """A run with that id is open."""

    def __init__(self, workflow_id: str, run_id: str | None) -> None:
        super().__init__(
            f"a run with the id {workflow_id!r} is open already (run {run_id}).\n"
            f"See it with `flowrunner status {workflow_id}`, follow it with "
            f"`flowrunner run … --id {workflow_id} --attach`, or choose another --id."
        )
        self.workflow_id = workflow_id
        self.run_id = run_id
