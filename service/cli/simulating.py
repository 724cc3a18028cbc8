"""`flowrunner simulate`: what a flow would do."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from flowspec.problems import text as problem_lines
from flowspec.values import JsonObject
from service.cli.checking import checked_plan
from service.cli.composition import Composition
from service.cli.exits import Ending, ExitCode
from service.cli.flow_files import read_file
from service.cli.flow_tests import known_flows
from service.cli.inputs import read_input
from service.cli.played_lines import as_json, lasted, played_lines
from service.cli.screen import print_json, print_text, stdout
from service.errors import FlowInvalid, InputWrong
from simulator.answers import Mocks
from simulator.asked import MockWrong
from simulator.attempts import NeverEnds
from simulator.casefile import parse_mocks
from simulator.playing import play
from simulator.trace import Played
from simulator.world import Scene

__all__ = ["Simulation", "show_simulation"]


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """What was asked for on the command line."""

    target: str
    input: str | None
    settings: tuple[str, ...]
    mocks: str | None
    json: bool


def show_simulation(asked: Simulation, composition: Composition, stdin: TextIO) -> None:
    """Raises `InputWrong`; ends with 1 if the run would not complete, with 2 if not even begin."""
    catalogue = composition.catalogue()
    checked = checked_plan(asked.target, catalogue)
    plan = checked.plan
    assert plan is not None
    given: JsonObject = read_input(asked.input, asked.settings, stdin, schema=plan.input) or {}
    flows = known_flows(Path(checked.file).parent, catalogue).plans
    scene = Scene(
        catalogue=catalogue,
        flows={**flows, plan.flow: plan},
        mocks=_mocks(asked.mocks),
        performs=composition.performs(),
        assume=True,
    )
    try:
        played = play(scene, plan, given)
    except (MockWrong, NeverEnds) as error:
        raise InputWrong(str(error)) from error
    if asked.json:
        print_json(as_json(played))
    else:
        _print(played)
    if played.ended.status not in ("completed", "waiting"):
        raise Ending(ExitCode.WRONG if _is_refused(played) else ExitCode.FLOW_FAILED)


def _is_refused(played: Played) -> bool:
    """Whether the flow takes no such input."""
    error = played.ended.error or {}
    return error.get("type") == "InputInvalid" and error.get("node") is None


def _mocks(file: str | None) -> Mocks:
    if file is None:
        return Mocks()
    mocks, problems = parse_mocks(read_file(file).text)
    if problems:
        lines = problem_lines(problems, file)
        raise FlowInvalid(lines, {"problems": list(lines.splitlines())})
    return mocks


def _print(played: Played) -> None:
    from rich.text import Text

    console, ended = stdout(), played.ended
    console.print(Text(f"{played.flow} {_how(played)}", style="bold"))
    for line, style in played_lines(played, calls=True):
        console.print(Text(line, style=style))
    for wait in ended.waiting:
        words = f"for {wait['kind']} {wait.get('name', '')}".rstrip()
        console.print(Text(f"{'':>10}  … {wait['path']} waits {words}", style="cyan"))
    if ended.status == "completed":
        print_text(f"output {json.dumps(ended.output, ensure_ascii=False, indent=2)}")
    elif ended.error is not None:
        print_text(f"{ended.error['type']}: {ended.error['message']}")


def _how(played: Played) -> str:
    status, took = played.ended.status, lasted(played.took)
    if status == "waiting":
        return f"waits from {took} after its start for what never comes"
    return f"{status} after {took}"
