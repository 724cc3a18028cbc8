"""What `blobs sweep` does and prints."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from claimcheck.keys import BlobKey
from claimcheck.servers import note_server, noted_servers, strike_server
from claimcheck.stores.contract import BlobStore
from claimcheck.sweep import SHORTEST_GRACE, Count, Sweep, Tally, Verdict
from flowspec.durations import DurationInvalid, format_duration, parse_duration
from flowspec.values import Json, JsonObject
from service.cli.exits import Ending, ExitCode
from service.cli.screen import columns, note, print_json, print_text, stderr
from service.cli.storage import store_opened
from service.client import connect
from service.errors import InputWrong
from service.retained import RetainedByTemporal, namespace_id
from service.settings import TemporalSettings, load_temporal_settings
from service.settings.sizes import format_size
from service.telemetry import quiet_runtime

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SweepOptions", "report_sweep", "tell_result"]

_LINE_EVERY = 10.0
"""Seconds between lines of progress where there is no terminal."""

_MOST_FAILURES = 10
_REASONS = {
    Verdict.RETAINED: "a run of the workflow is retained",
    Verdict.SCHEDULED: "a schedule starts it",
    Verdict.HELD: "a workflow that is retained holds it",
    Verdict.YOUNG: "put, or needed, within the grace time",
    Verdict.FAILED: "could not be deleted",
}


@dataclass(frozen=True, kw_only=True)
class SweepOptions:
    """The command line of `blobs sweep`."""

    delete: bool
    grace: str
    namespace: str | None
    after: str | None
    take_over: bool
    force: bool
    json: bool


async def report_sweep(options: SweepOptions) -> None:
    """Raises `InputWrong`, `StoreFailed`, `TemporalUnreachable`; ends with 3 if something that
    was to be deleted could not be."""
    grace = _grace(options)
    temporal = load_temporal_settings()
    if options.namespace is not None:
        temporal = temporal.model_copy(update={"namespace": options.namespace})
    with store_opened() as (_, store):
        if options.after:
            BlobKey.parse(options.after)
        client = await connect(temporal, runtime=quiet_runtime())
        async with store:
            await _check_servers(store, temporal, await namespace_id(client), options)
            with _progress() as show:
                sweep = Sweep(
                    store,
                    RetainedByTemporal(client),
                    namespace=temporal.namespace,
                    grace=grace,
                    delete=options.delete,
                    after=options.after or "",
                    progress=show,
                )
                tally = await _run(sweep)
    tell_result(tally, options, temporal.namespace)


def _grace(options: SweepOptions) -> timedelta:
    try:
        grace = timedelta(seconds=parse_duration(options.grace))
    except DurationInvalid as error:
        hint = f"; did you mean {error.suggestion}?" if error.suggestion else ""
        raise InputWrong(f"--grace: {error}{hint}") from error
    if grace < SHORTEST_GRACE and not options.force:
        shortest = format_duration(SHORTEST_GRACE.total_seconds())
        raise InputWrong(
            f"--grace: {options.grace} is too short: a value that is needed again may look older "
            f"than it is. Give at least {shortest}; or --force, if nothing is started until the "
            "sweep has ended"
        )
    return grace


# -- whose blobs these are -------------------------------------------------------------------------


async def _check_servers(
    store: BlobStore, temporal: TemporalSettings, own: str, options: SweepOptions
) -> None:
    """Blobs of one namespace name may be those of several servers, and this one knows its own."""
    noted = await noted_servers(store, temporal.namespace)
    if noted == {own}:
        return
    others = sorted(noted - {own})
    if not options.take_over:
        problem = _doubt(temporal, others)
        if options.delete:
            raise InputWrong(f"nothing has been deleted: {problem}")
        note(problem)
    elif options.delete:
        await note_server(store, temporal.namespace, own)
        for other in others:
            await strike_server(store, temporal.namespace, other)


def _doubt(temporal: TemporalSettings, others: list[str]) -> str:
    name, address = temporal.namespace, temporal.address
    if not others:
        return (
            f"it is not noted which Temporal server the blobs of namespace {name!r} belong to.\n"
            f"If it is the one at {address}, start a worker with it, or say so with --take-over."
        )
    return (
        f"the blobs of namespace {name!r} are not those of the Temporal server at {address} "
        f"alone: servers that know the namespace by the id {', '.join(others)} have put some "
        "there too, and what they retain cannot be seen from here.\n"
        "Give each server a namespace, bucket or folder of its own; or if the others are gone for "
        "good, say so with --take-over."
    )


# -- telling ---------------------------------------------------------------------------------------


async def _run(sweep: Sweep) -> Tally:
    try:
        return await sweep.run()
    except BaseException as error:
        _tell_broken_off(sweep.tally, isinstance(error, asyncio.CancelledError))
        raise


def _tell_broken_off(tally: Tally, stopped: bool) -> None:
    if not tally.examined.workflows:
        if not stopped:
            note("nothing has been deleted: not everything is known that Temporal retains")
        return
    note(f"the sweep has been broken off; {_line(tally)}")
    if tally.after:
        note(f"go on with: --after '{tally.after}'")


def _line(tally: Tally) -> str:
    if not tally.examined.workflows:
        return f"{tally.runs:,} runs are retained"
    deleted = tally.deleted
    freed = f"{deleted.blobs:,} blobs deleted, {format_size(deleted.bytes)}"
    return f"{tally.examined.workflows:,} workflows examined, {freed}"


@contextmanager
def _progress() -> Iterator[Callable[[Tally], None]]:
    """On a terminal one line that changes, else one from time to time."""
    console = stderr()
    if console.is_terminal:
        with console.status("asking Temporal what it retains") as status:
            yield lambda tally: status.update(_line(tally))
        return
    told = time.monotonic()

    def tell(tally: Tally) -> None:
        nonlocal told
        if time.monotonic() - told >= _LINE_EVERY:
            told = time.monotonic()
            note(_line(tally))

    yield tell


def tell_result(tally: Tally, options: SweepOptions, namespace: str) -> None:
    """Ends with 3 if something could not be deleted."""
    if options.json:
        print_json(_as_json(tally, options, namespace))
    else:
        _print_report(tally, options)
    for failure in tally.failures[:_MOST_FAILURES]:
        note(f"could not be deleted: {failure}")
    if len(tally.failures) > _MOST_FAILURES:
        note(f"and {len(tally.failures) - _MOST_FAILURES} more")
    if tally.failures:
        raise Ending(ExitCode.UNREACHABLE)


def _print_report(tally: Tally, options: SweepOptions) -> None:
    rows = [("", "WORKFLOWS", "BLOBS", "SIZE"), _row("examined", tally.examined)]
    for verdict, reason in _REASONS.items():
        if tally.verdicts[verdict].workflows:
            rows.append(_row(f"kept: {reason}", tally.verdicts[verdict]))
    if options.delete:
        rows.append(_row("deleted", tally.deleted))
    else:
        rows.append(_row("would be deleted", tally.verdicts[Verdict.SWEPT]))
    print_text(columns(rows))
    if not options.delete and tally.verdicts[Verdict.SWEPT].workflows:
        note("nothing has been deleted; do it with --delete")


def _row(label: str, count: Count) -> tuple[str, str, str, str]:
    return (label, f"{count.workflows:,}", f"{count.blobs:,}", format_size(count.bytes))


def _as_json(tally: Tally, options: SweepOptions, namespace: str) -> JsonObject:
    kept: JsonObject = {verdict.value: _count_json(tally.verdicts[verdict]) for verdict in _REASONS}
    return {
        "namespace": namespace,
        "dry_run": not options.delete,
        "retained_runs": tally.runs,
        "examined": _count_json(tally.examined),
        "kept": kept,
        "unneeded": _count_json(tally.verdicts[Verdict.SWEPT]),
        "deleted": _count_json(tally.deleted),
        "failures": list[Json](tally.failures),
    }


def _count_json(count: Count) -> JsonObject:
    return {"workflows": count.workflows, "blobs": count.blobs, "bytes": count.bytes}
