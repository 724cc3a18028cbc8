"""A run on the screen, from what it answers to `status`."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from service.cli.progress import ChangeLines, fitting, seconds, tree, view_lines
from service.runs.view import NodeView, PendingAttempt, RunView, read_view, with_pending

START = datetime(2026, 11, 21, 10, 0, 0, tzinfo=UTC)


def _at(number: float) -> str:
    moment = START + timedelta(seconds=number)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _node(path: str, state: str = "success", **more: Any) -> dict[str, Any]:
    ended = {} if state in ("running", "retrying") else {"ended": _at(2)}
    return (
        {"id": path, "path": path, "type": "log", "state": state, "started": _at(1)} | ended | more
    )


def _view(*nodes: dict[str, Any], **more: Any) -> RunView:
    status = {
        "flow": "hire",
        "version": "0123456789ab",
        "status": "running",
        "started": _at(0),
        "paused": False,
        "nodes": list(nodes),
        "truncated": 0,
        "waiting": [],
    }
    return read_view({**status, **more})


def _drawn(view: RunView, after: float = 5.0) -> list[str]:
    console = Console(file=io.StringIO(), width=200, color_system=None)
    console.print(tree(view, "hire-1", START + timedelta(seconds=after)))
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


APPROVAL = {
    "path": "ask",
    "node": "ask",
    "kind": "approval",
    "title": "Hire Ada?",
    "actions": ["approved", "rejected"],
    "form": None,
    "until": _at(3600),
}


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0444, "0.04 s"),
        (-1, "0.00 s"),
        (1.25, "1.2 s"),
        (59.94, "59.9 s"),
        (184, "3 min 04 s"),
        (7500, "2 h 05 min"),
    ],
)
def test_a_length_of_time_is_short(number: float, text: str) -> None:
    assert seconds(number) == text


def test_the_tree_shows_how_each_node_stands() -> None:
    view = _view(
        _node("account", title="Make the account"),
        _node("mail", "failure", error={"type": "HttpStatus", "message": "503", "attempt": 4}),
        _node("note", "skipped"),
        _node("ask", "running", type="approval"),
        status="waiting",
        waiting=[APPROVAL],
    )
    assert _drawn(view) == [
        "hire  waiting  5.0 s  hire-1",
        "├── ✔ account  Make the account  log  1.0 s",
        "├── ✘ mail  log  attempt 4  1.0 s  HttpStatus: 503",
        "├── – note  log  1.0 s",
        "└── ● ask  approval  4.0 s  waits for a decision (approved or rejected): Hire Ada?, until "
        "2026-11-21 11:00:00 UTC  → flowrunner approve hire-1",
    ]


def test_a_node_that_succeeded_though_items_failed_does_not_look_like_the_others() -> None:
    first = {"index": 1, "type": "HttpStatus", "message": "404"}
    message = "1 of 2 items failed"
    error = {"type": "ItemsFailed", "message": message, "attempt": 1, "first": first}
    view = _view(_node("a"), _node("each", total=2, done=2, error=error))
    says = "ItemsFailed: 1 of 2 items failed; each.1: HttpStatus: 404"
    told = f"each  log  2/2  1.0 s  {says}"
    assert _drawn(view)[1:] == ["├── ✔ a  log  1.0 s", f"└── ! {told}"]
    lines = view_lines(view, "hire-1", START)
    assert lines[1] == f"! each  success  log  2/2  1.0 s  {says}"
    assert [node.path for node in fitting(view, 1).nodes] == ["each"]


def test_nodes_of_a_block_stand_under_it_with_their_item() -> None:
    view = _view(
        _node("each", "running", type="block", done=1, total=3),
        _node("each.0/inner"),
        _node("each.1/inner", "running"),
        _node("each.1/deep", "running", type="block"),
        _node("each.1/deep/last", "running"),
    )
    assert _drawn(view) == [
        "hire  running  5.0 s  hire-1",
        "└── ● each  block  1/3  4.0 s",
        "    ├── ✔ inner  [item 0]  log  1.0 s",
        "    ├── ● inner  [item 1]  log  4.0 s",
        "    └── ● deep  [item 1]  block  4.0 s",
        "        └── ● last  log  4.0 s",
    ]


def test_a_loop_shows_its_round_and_a_decision_its_action() -> None:
    view = _view(_node("poll#3", iteration=3), _node("ask", action="approved"))
    assert _drawn(view)[1:] == [
        "├── ✔ poll#3  log  round 3  1.0 s",
        "└── ✔ ask  log  approved  1.0 s",
    ]


def test_a_run_that_is_over_no_longer_takes_longer() -> None:
    view = _view(_node("a"), status="completed")
    assert _drawn(view, after=500)[0] == "hire  completed  2.0 s  hire-1"


def test_nodes_left_out_are_counted() -> None:
    assert _drawn(_view(truncated=17))[-1] == "└── and 17 more"


def test_a_title_cannot_steer_the_terminal() -> None:
    text = "\n".join(_drawn(_view(_node("a", title="\x1b[2Jgone [red]x[/red]"))))
    assert "\x1b" not in text
    assert "\\x1b[2Jgone [red]x[/red]" in text


def test_plain_lines_say_the_same_as_the_tree() -> None:
    view = _view(
        _node("each", "running", type="block"),
        _node("each/inner"),
        _node("ask", "running", type="approval"),
        waiting=[APPROVAL],
        truncated=2,
    )
    assert view_lines(view, "hire-1", START + timedelta(seconds=5)) == [
        "● each  running  block  4.0 s",
        "  ✔ each/inner  success  log  1.0 s",
        "● ask  running  approval  4.0 s  waits for a decision (approved or rejected): Hire Ada?, "
        "until 2026-11-21 11:00:00 UTC  → flowrunner approve hire-1",
        "and 2 more",
    ]


def test_the_command_for_a_decision_names_what_has_to_be_named() -> None:
    other = {**APPROVAL, "path": "each.0/ask", "actions": ["yes", "no"], "until": None}
    event = {"path": "paid", "kind": "event", "name": "payment"}
    view = _view(waiting=[APPROVAL, other, event])
    assert [line.partition("  → ")[2] for line in view_lines(view, "Ada's", START)] == [
        """flowrunner approve 'Ada'"'"'s' ask""",
        """flowrunner approve 'Ada'"'"'s' each.0/ask --action yes""",
        "",
    ]


def test_change_lines_tell_each_change_once_and_when_it_happened() -> None:
    lines = ChangeLines("hire-1", START)
    moment = START + timedelta(seconds=4)
    first = _view(_node("a", "running"))
    assert list(lines.read(first, moment)) == ["    1.0 s  a  running  log  3.0 s"]
    assert list(lines.read(first, moment + timedelta(seconds=1))) == []
    second = _view(_node("a"), _node("ask", "running"), waiting=[APPROVAL])
    assert list(lines.read(second, moment)) == [
        "    2.0 s  a  success  log  1.0 s",
        "    1.0 s  ask  running  log  3.0 s",
        "    4.0 s  ask  waits for a decision (approved or rejected): Hire Ada?, until "
        "2026-11-21 11:00:00 UTC  → flowrunner approve hire-1",
    ]
    assert list(lines.read(second, moment)) == []


def test_change_lines_tell_pause_and_resume() -> None:
    lines = ChangeLines("hire-1", START)
    moment = START + timedelta(seconds=3)
    assert list(lines.read(_view(paused=True), moment)) == ["    3.0 s  paused"]
    assert list(lines.read(_view(), moment)) == ["    3.0 s  resumed"]


def test_a_pending_attempt_makes_a_running_node_a_retrying_one() -> None:
    due = START + timedelta(seconds=9)
    pending = PendingAttempt(path="a", attempt=3, queued_at=due, failure="HttpStatus: 503")
    view = with_pending(_view(_node("a", "running")), {"a": pending})
    assert _drawn(view)[1:] == [
        "└── ↻ a  log  attempt 3  4.0 s  next attempt in 4.0 s  HttpStatus: 503"
    ]


def test_a_first_attempt_is_nothing_to_speak_of() -> None:
    view = _view(_node("a", "running"))
    assert with_pending(view, {"a": PendingAttempt(path="a", attempt=1)}) == view


def test_the_worst_attempt_of_a_nodes_items_is_shown() -> None:
    pending = {
        path: PendingAttempt(path=path, attempt=attempt)
        for path, attempt in (("each.1", 2), ("each.2", 5), ("eachother", 9))
    }
    view = with_pending(_view(_node("each", "running", done=0, total=3)), pending)
    assert view.nodes[0].attempt == 5


def test_an_answer_of_a_newer_version_is_read_as_far_as_it_is_known() -> None:
    view = read_view({"status": "dreaming", "nodes": [{"path": "a", "new": 1}], "other": []})
    assert view.status == "dreaming"
    assert view.nodes[0].path == "a"


def test_a_run_that_only_starts_has_nothing_to_show() -> None:
    view = read_view({"status": "starting", "nodes": [], "waiting": [], "paused": False})
    assert view_lines(view, "hire-1", START) == []


def test_where_there_is_no_room_the_nodes_that_are_done_give_way() -> None:
    done = tuple(NodeView(path=f"n{number}", state="success") for number in range(40))
    failed = NodeView(path="bad", state="failure")
    asked = NodeView(path="ask", state="running")
    view = RunView(status="waiting", nodes=(failed, *done, asked))
    shown = fitting(view, 10)
    assert [node.path for node in shown.nodes] == ["bad", *(f"n{n}" for n in range(32, 40)), "ask"]
    assert shown.truncated == 32
    assert fitting(view, 42) == view
