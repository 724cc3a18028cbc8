"""Following a run on the screen until it ends or the person has seen enough."""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from temporalio.client import Client, WorkflowHandle

from service.cli.ending import Waiting, finish, not_known, print_detached
from service.cli.exits import Ending, ExitCode
from service.cli.progress import ChangeLines, fitting, tree
from service.cli.screen import note, stderr
from service.errors import ServiceError
from service.runs.following import Snapshot, follow
from service.runs.view import RunView

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

__all__ = ["watch_to_end"]

_FRAMES_A_SECOND = 8


async def watch_to_end(
    client: Client,
    handle: WorkflowHandle[Any, Any],
    waiting: Waiting,
    *,
    flow: str | None,
    ended: bool = False,
) -> None:
    """Show the run until it has ended, then its output; ends the command with the exit code."""
    try:
        if not ended:
            await _watch(client, handle, waiting, flow=flow)
        await finish(client, handle, waiting, flow=flow)
    except ServiceError as error:
        if waiting.json:
            not_known(error, handle.id, flow)
        raise


async def _watch(
    client: Client, handle: WorkflowHandle[Any, Any], waiting: Waiting, *, flow: str | None
) -> None:
    """Return when the run has ended. Ctrl-C, or the end of the time for it, ends the command and
    leaves the run going."""
    with _screen(handle.id, json=waiting.json) as show:
        following = asyncio.create_task(follow(client, handle, show, views=not waiting.json))
        with _stopped_by_signal(following):
            _, late = await asyncio.wait({following}, timeout=waiting.timeout)
            if late:
                following.cancel()
                await asyncio.wait({following})
    if following.cancelled():
        print_detached(handle, flow, json=waiting.json)
        raise Ending(ExitCode.STILL_RUNNING if late else ExitCode.INTERRUPTED)
    following.result()


@contextmanager
def _stopped_by_signal(task: asyncio.Task[None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, task.cancel)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)


@contextmanager
def _screen(workflow_id: str, *, json: bool) -> Iterator[Callable[[Snapshot], None]]:
    """A live tree on a terminal, lines elsewhere; with `--json` nothing but trouble."""
    console = stderr()
    if json:
        yield _Lines(workflow_id)
    elif not console.is_terminal:
        note(f"following {workflow_id}; Ctrl-C stops following, not the run")
        yield _Lines(workflow_id)
    else:
        with _live(console, workflow_id) as show:
            yield show


_OPEN = ("running", "waiting", "paused", "failing", "cancelling")
_OTHER_ROWS = 4


class _Lines:
    def __init__(self, workflow_id: str) -> None:
        self._changes = ChangeLines(workflow_id, datetime.now(UTC))
        self._trouble: str | None = None

    def __call__(self, snapshot: Snapshot) -> None:
        if snapshot.trouble and snapshot.trouble != self._trouble:
            note(snapshot.trouble)
        self._trouble = snapshot.trouble
        if snapshot.view:
            for line in self._changes.read(snapshot.view, datetime.now(UTC)):
                note(line)


class _Tree:
    """Drawn anew for each frame, so that what runs is seen to take longer."""

    def __init__(self, workflow_id: str) -> None:
        self._workflow_id = workflow_id
        self._snapshot = Snapshot()

    def __call__(self, snapshot: Snapshot) -> None:
        view = snapshot.view or self._snapshot.view
        self._snapshot = Snapshot(view=view, trouble=snapshot.trouble)

    @staticmethod
    def _fitted(view: RunView) -> RunView:
        """As much as the terminal has room for while it runs, and all of it at the end."""
        rows = shutil.get_terminal_size().lines - _OTHER_ROWS
        return fitting(view, rows) if view.status in _OPEN else view

    def __rich__(self) -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        view, trouble = self._snapshot.view, self._snapshot.trouble
        parts: list[RenderableType] = []
        if view is None:
            parts.append(Text(f"{self._workflow_id}: starting", "dim"))
        else:
            parts.append(tree(self._fitted(view), self._workflow_id, datetime.now(UTC)))
        if trouble:
            parts.append(Text(trouble, "yellow"))
        return Group(*parts)


@contextmanager
def _live(console: Console, workflow_id: str) -> Iterator[Callable[[Snapshot], None]]:
    from rich.live import Live

    shown = _Tree(workflow_id)
    with Live(
        get_renderable=shown.__rich__,
        console=console,
        refresh_per_second=_FRAMES_A_SECOND,
        vertical_overflow="ellipsis",
    ):
        yield shown
