"""How the command ends: exit codes, and the words for an error."""

from __future__ import annotations

from enum import IntEnum

from service.errors import (
    FlowInvalid,
    InputWrong,
    ServiceError,
    StoreFailed,
    TemporalUnreachable,
    ValueLost,
)

__all__ = ["Ending", "ExitCode", "explain"]


class ExitCode(IntEnum):
    """What scripts may rely on."""

    OK = 0
    FLOW_FAILED = 1
    WRONG = 2
    UNREACHABLE = 3
    BUG = 70
    STILL_RUNNING = 124
    INTERRUPTED = 130

    @property
    def meaning(self) -> str:
        return _MEANINGS[self]


_MEANINGS = {
    ExitCode.OK: "All went well; a run that was waited for completed.",
    ExitCode.FLOW_FAILED: (
        "The run failed, was cancelled or terminated, or ran out of time; a value of it is lost; "
        "or a flow does not pass its tests."
    ),
    ExitCode.WRONG: "The input, the flow, a setting or the command line is wrong.",
    ExitCode.UNREACHABLE: (
        "Temporal or the store of large values cannot be reached, or no worker answers."
    ),
    ExitCode.BUG: "An error that Flowrunner does not foresee.",
    ExitCode.STILL_RUNNING: "The time of --timeout is over; the run goes on.",
    ExitCode.INTERRUPTED: "Ctrl-C; a run that was followed goes on.",
}


class Ending(Exception):
    """End the command with `code`, everything there was to say having been said."""

    def __init__(self, code: ExitCode) -> None:
        super().__init__(code)
        self.code = code


def explain(error: BaseException) -> tuple[ExitCode, str]:
    """The exit code for an error, and its text; empty where everything has been said."""
    code, text = _told(error)
    # A flow's problems stand alone, as editors and scripts read them.
    return code, text if not text or isinstance(error, FlowInvalid) else f"flowrunner: {text}"


def _told(error: BaseException) -> tuple[ExitCode, str]:
    if isinstance(error, Ending):
        return error.code, ""
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.INTERRUPTED, ""
    if isinstance(error, TemporalUnreachable | StoreFailed):
        return ExitCode.UNREACHABLE, str(error)
    if isinstance(error, InputWrong):
        return ExitCode.WRONG, str(error)
    if isinstance(error, ValueLost):
        return ExitCode.FLOW_FAILED, str(error)
    if isinstance(error, ServiceError):
        return ExitCode.BUG, str(error)
    return ExitCode.BUG, (
        f"an error that Flowrunner does not foresee: {type(error).__name__}: {error}\n"
        "Run the command again with --debug, or FLOWRUNNER_DEBUG=1, to see where it comes from."
    )
