"""How long a workflow may compute before Temporal's SDK takes it for stuck."""

from __future__ import annotations

from temporalio.worker import Worker

__all__ = ["be_patient"]

_SECONDS = 8
"""Less than the ten that a workflow task has."""


def be_patient(worker: Worker) -> Worker:
    """Let workflows be slow on a busy machine.

    After two seconds the SDK would interrupt one, at any line, and there are some that it cannot
    put away afterwards: their slots are lost, and the worker does not stop. Ours are never stuck,
    for what they do is counted. There is no option for this.
    """
    if worker._workflow_worker is not None:
        worker._workflow_worker._deadlock_timeout_seconds = _SECONDS
    return worker
