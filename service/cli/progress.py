"""A run on the screen: a live tree on a terminal, else a line for each change."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from service.cli.screen import visible
from service.runs.view import NodeView, RunView, WaitView

if TYPE_CHECKING:
    from rich.tree import Tree

__all__ = ["ChangeLines", "fitting", "seconds", "tree", "view_lines"]

_MARKS = {
    "running": ("●", "cyan"),
    "retrying": ("↻", "yellow"),
    "success": ("✔", "green"),
    "failure": ("✘", "red"),
    "skipped": ("–", "dim"),
    "cancelled": ("⊘", "yellow"),
}
_TOLERANT = ("!", "yellow")
"""Of a node that succeeded, though something in it failed."""
_STATUS_STYLES = {
    "completed": "green",
    "failed": "red",
    "failing": "red",
    "terminated": "red",
    "timed_out": "red",
    "paused": "yellow",
    "cancelled": "yellow",
    "cancelling": "yellow",
}


def seconds(number: float) -> str:
    """A length of time, short enough for a column: `0.04 s`, `12.3 s`, `3 min 04 s`."""
    if number < 1:
        return f"{max(number, 0):.2f} s"
    if number < 60:
        return f"{number:.1f} s"
    minutes, rest = divmod(round(number), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min"


def tree(view: RunView, title: str, now: datetime) -> Tree:
    """The run as a tree: a block's nodes under the block, waits under the nodes that wait."""
    from rich.text import Text
    from rich.tree import Tree

    head = Text.assemble(
        (view.flow or "flow", "bold"), "  ", (view.status, _STATUS_STYLES.get(view.status, "cyan"))
    )
    if view.started:
        head.append(f"  {seconds((_end(view, now) - view.started).total_seconds())}", "dim")
    head.append(f"  {title}", "dim")
    root = Tree(head, guide_style="dim")
    branches: dict[str, Tree] = {}
    waits = _waits(view, title)
    for node in view.nodes:
        parent = branches.get(_parent(node.path), root)
        mark, style = _mark(node)
        line = Text.assemble((mark, style), " ", (_label(node, parent is root), "bold"))
        if facts := "  ".join(_facts(node, waits.get(node.path), now)):
            told = node.state == "failure" or node.is_tolerant
            line.append(f"  {visible(facts)}", style if told else "dim")
        branches[_bare(node.path)] = parent.add(line)
    shown = {node.path for node in view.nodes}
    for path, words in waits.items():
        if path not in shown:
            root.add(Text.assemble(("…", "cyan"), f" {path}  {visible(words)}"))
    if view.truncated:
        root.add(Text(f"and {view.truncated} more", "dim"))
    return root


def _mark(node: NodeView) -> tuple[str, str]:
    return _TOLERANT if node.is_tolerant else _MARKS.get(node.state, ("?", ""))


_DONE = ("success", "skipped")


def fitting(view: RunView, rows: int) -> RunView:
    """The view with at most so many nodes: those that are simply done give way, oldest first."""
    surplus = len(view.nodes) - max(rows, 1)
    if surplus <= 0:
        return view
    done = [node.path for node in view.nodes if node.state in _DONE and not node.is_tolerant]
    left_out = dict.fromkeys(done[:surplus])
    nodes = tuple(node for node in view.nodes if node.path not in left_out)
    return replace(view, nodes=nodes, truncated=view.truncated + len(left_out))


def view_lines(view: RunView, workflow_id: str, now: datetime) -> list[str]:
    """The same as lines of plain text."""
    waits = _waits(view, workflow_id)
    lines = []
    for node in view.nodes:
        mark, _ = _mark(node)
        facts = "  ".join(_facts(node, waits.get(node.path), now))
        depth = "  " * node.path.count("/")
        lines.append(f"{depth}{mark} {node.path}  {node.state}  {facts}".rstrip())
    shown = {node.path for node in view.nodes}
    lines += [f"… {path}  {words}" for path, words in waits.items() if path not in shown]
    if view.truncated:
        lines.append(f"and {view.truncated} more")
    return lines


class ChangeLines:
    """Says of each view only what is new since the last one."""

    def __init__(self, workflow_id: str, started: datetime) -> None:
        self._workflow_id = workflow_id
        self._started = started
        self._nodes: dict[str, tuple[object, ...]] = {}
        self._waits: dict[str, str] = {}
        self._paused = False

    def read(self, view: RunView, now: datetime) -> Iterator[str]:
        """Each line begins with when it happened, counted from the run's start."""
        started = view.started or self._started

        def line(moment: datetime, *words: str) -> str:
            since = f"{seconds((moment - started).total_seconds()):>9}"
            return "  ".join([since, *words]).rstrip()

        for node in view.nodes:
            key = (node.state, node.attempt, node.iteration, node.started)
            if self._nodes.get(node.path) == key:
                continue
            self._nodes[node.path] = key
            fresh = node.state == "retrying"
            moment = now if fresh else node.ended or node.started or now
            yield line(moment, node.path, node.state, *_facts(node, None, now))
        waits = _waits(view, self._workflow_id)
        for path, words in waits.items():
            if self._waits.get(path) != words:
                yield line(now, path, words)
        self._waits = waits
        if view.paused != self._paused:
            self._paused = view.paused
            yield line(now, "paused" if view.paused else "resumed")


def _facts(node: NodeView, waits_for: str | None, now: datetime) -> Iterator[str]:
    if node.title and node.title != node.path:
        yield node.title
    if node.type:
        yield node.type
    if node.total is not None:
        yield f"{node.done or 0}/{node.total}"
    if node.iteration is not None and node.iteration > 1:
        yield f"round {node.iteration}"
    if node.attempt is not None and node.attempt > 1:
        yield f"attempt {node.attempt}"
    if node.action:
        yield node.action
    if node.started:
        yield seconds(((node.ended or now) - node.started).total_seconds())
    if waits_for is not None:
        yield waits_for
    if node.next_at and node.next_at > now:
        yield f"next attempt in {seconds((node.next_at - now).total_seconds())}"
    if node.error:
        yield node.error


def _waits(view: RunView, workflow_id: str) -> dict[str, str]:
    """What each of the nodes that wait waits for, and how to decide where that is asked."""
    approvals = sum(wait.kind == "approval" for wait in view.waiting)
    return {
        wait.path: _waits_for(wait) + _how_to_decide(wait, workflow_id, alone=approvals == 1)
        for wait in view.waiting
    }


def _waits_for(wait: WaitView) -> str:
    what = {
        "approval": f"waits for a decision ({' or '.join(wait.actions) or 'approved'})",
        "event": f"waits for the event {wait.name!r}",
        "timer": "waits",
        "lock": f"waits for the lock {wait.name!r}",
    }.get(wait.kind, f"waits for {wait.kind}")
    title = f": {wait.title}" if wait.title and wait.title != wait.path else ""
    until = f", until {wait.until.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if wait.until else ""
    return f"{what}{title}{until}"


def _how_to_decide(wait: WaitView, workflow_id: str, *, alone: bool) -> str:
    """The command for it; nothing for what is no approval."""
    if wait.kind != "approval":
        return ""
    words = ["flowrunner", "approve", shlex.quote(workflow_id)]
    if not alone:
        words.append(shlex.quote(wait.path))
    if wait.actions and "approved" not in wait.actions:
        words += ["--action", shlex.quote(wait.actions[0])]
    return f"  → {' '.join(words)}"


def _end(view: RunView, now: datetime) -> datetime:
    """When a run that is over ended, as near as its nodes tell."""
    over = view.status in ("completed", "failed", "cancelled", "terminated", "timed_out")
    ends = [node.ended for node in view.nodes if node.ended]
    return max(ends) if over and ends else now


def _parent(path: str) -> str:
    return _bare(path.rpartition("/")[0])


def _bare(path: str) -> str:
    """A block's path without its item and round: where its nodes hang in the tree."""
    folder, slash, name = path.rpartition("/")
    return f"{_bare(folder) if folder else ''}{slash}{name.split('#')[0].split('.')[0]}"


def _label(node: NodeView, top: bool) -> str:
    if top:
        return node.path
    folder, _, name = node.path.rpartition("/")
    block = folder.rpartition("/")[2]
    item = block.split("#")[0].partition(".")[2]
    return f"{name}  [item {item}]" if item else name
