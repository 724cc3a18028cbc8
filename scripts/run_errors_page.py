"""The reference page of the errors that runs and commands end with.

python -m scripts.run_errors_page > docs/reference/run-errors.md
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import service.errors
from activities.errors import COMMON_ERRORS, EXTRA_MISSING, NODE_TYPE_MISSING

__all__ = ["run_errors_page"]

_HEAD = """\
# Errors of runs

A run that fails says which error it was, of which node, after how many attempts: \
`flowrunner result ID`, with `--json` under `error`. An edge can ask for it as `error.type`, and \
`retry` by `only` and `never`. What a check finds before anything runs has a \
[problem code](errors.md) instead.
"""

_COMMON = """\
## Of any node that a worker performs

A *retried* error is tried again as `retry` says, a *permanent* one is not. Each node type has \
errors of its own besides: [Node types](node-types.md)."""

_RUN_HEAD = """\
## Of the run, and of nodes in the interpreter

None of them is tried again."""

_RUN = {
    "FlowNotFound": "No flow of that name is in the worker's `FLOWS_DIR`. Put it there, or give "
    "the file: `flowrunner run FILE`.",
    "FlowInvalid": "The flow has problems: `flowrunner validate` shows them.",
    "InputInvalid": "The input does not fit the flow's `input`.",
    "PlanInvalid": "The run was begun by a newer Flowrunner than the worker is: update the worker.",
    "InterpreterError": "A bug in Flowrunner, not in the flow. Please report it.",
    "Failed": "A node `fail` without a `type` of its own.",
    "Timeout": "The flow's or the node's `timeout` is over, or each attempt took longer than its "
    "`attempt_timeout`.",
    "Cancelled": "The run was cancelled, or the node was no longer wanted.",
    "Terminated": "A sub-flow's run was terminated.",
    "AlreadyRunning": "A run with the id that a sub-flow wants is open.",
    "ItemsFailed": "More items of a `foreach` failed than `tolerate` lets.",
    "LoopLimit": "A loop went round more often than its `limit`.",
    "LockTimeout": "A node waited for its lock longer than `lock.wait`.",
    "LockExpired": "A node held its lock longer than `lock.expires`, and was stopped.",
    "LockUnavailable": "Temporal did not take the request for a lock.",
    "RateUnavailable": "Temporal did not answer where a node asked when it may start.",
    "ExpressionError": "A `${…}` could not be computed.",
    "InvalidParams": "The parameters, once computed, are not what the node type takes.",
    "InvalidResult": "What came back cannot be written as JSON.",
    "TooLarge": "A value is larger than can be carried: hand it on as it is instead of looking "
    "into it, or go over it in parts.",
    "NotAccepted": "A decision or an event that the run does not wait for, or that does not fit "
    "the form; the run itself goes on.",
}

_STORE_HEAD = """\
## Of large and encrypted values

Where a value that is in the object store, or encrypted, cannot be had, the node that needs it \
fails, or the run waits and tries again by itself. `flowrunner status ID` says what it waits for."""

_STORE = {
    "StoreUnavailable": "The store does not answer. Runs wait; a node whose result could not be "
    "kept for long fails, and is tried again. Mend the store; `flowrunner blobs health` tries it.",
    "StoreRefused": "The store does not let us in: credentials, permissions, a bucket that is "
    "missing. As `StoreUnavailable`.",
    "StoreFull": "There is no room in the store. As `StoreUnavailable`; `flowrunner blobs sweep` "
    "shows what no run needs any more.",
    "KeyUnknown": "The value was encrypted with a key that the worker does not have. The run "
    "waits: add the key to `CLAIM_CHECK_KEYS` of all workers and start them again.",
    "BlobMissing": "The store answers, and has no such blob. The node fails for good. Was it "
    "another store? All processes must be given the same `BLOB_STORAGE_…`. Else it was deleted by "
    "something other than `flowrunner blobs sweep`, and is lost: start the run again.",
    "BlobDamaged": "The blob is not what was put there. The node fails for good; bring it back "
    "from a backup, or start the run again.",
    "BlobTooLarge": "The blob is larger than a worker takes into memory: the node fails with "
    "`TooLarge`.",
    "ClaimInvalid": "A reference to a large value was forged, or is not for this namespace. The "
    "node fails for good.",
    "SealBroken": "An encrypted payload was changed, or stands where it was not meant to. The run "
    "waits for somebody to look at it.",
}

_COMMAND_HEAD = """\
## Of the command

What `--json` gives as the `type` when the command itself could not go on. The run may be none \
the worse for it."""


def run_errors_page() -> str:
    """The whole page."""
    common = {
        one.name: (_spelled(permanent=one.permanent), f"{one.meaning}.")
        for one in sorted({*COMMON_ERRORS, EXTRA_MISSING, NODE_TYPE_MISSING}, key=lambda e: e.name)
    }
    parts = [
        _HEAD,
        f"{_COMMON}\n\n| Error | | |\n|---|---|---|",
        *(f"| `{name}` | {kind} | {meaning} |" for name, (kind, meaning) in common.items()),
        *_table(_RUN_HEAD, sorted(_RUN.items())),
        *_table(_STORE_HEAD, sorted(_STORE.items())),
        *_table(_COMMAND_HEAD, _command_errors()),
    ]
    return "\n".join(parts) + "\n"


def _spelled(*, permanent: bool) -> str:
    return "permanent" if permanent else "retried"


def _table(head: str, rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield f"\n{head}\n\n| Error | |\n|---|---|"
    for name, meaning in rows:
        yield f"| `{name}` | {meaning} |"


def _command_errors() -> Iterator[tuple[str, str]]:
    for name in service.errors.__all__:
        kind = getattr(service.errors, name)
        if kind is not service.errors.ServiceError:
            yield name, " ".join((kind.__doc__ or "").partition("\n\n")[0].split())
    yield "SettingsInvalid", "A setting in the environment cannot be used."
    yield "UsageError", "The command line is wrong."


if __name__ == "__main__":
    print(run_errors_page(), end="")
