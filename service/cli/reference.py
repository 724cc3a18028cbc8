"""The reference page of the command, made from the command itself.

`python -m service.cli.reference > docs/reference/cli.md` renews it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import typer

from service.cli.app import build
from service.cli.composition import Composition
from service.cli.exits import ExitCode

__all__ = ["cli_page"]

_INTRODUCTION = """\
# The command `flowrunner`

`flowrunner --help` lists the commands, `flowrunner COMMAND --help` explains one. \
`flowrunner --install-completion` teaches your shell to complete them.

Results go to standard output, everything else to standard error. Where a result can be scripted, \
`--json` prints it as JSON. Colours appear on a terminal only, and never with `NO_COLOR` set. \
The settings are on [their own page](settings.md).
"""

_RUN_OBJECT = """\
## The object that `--json` prints of a run

`run`, `start` and `result` print one object with these keys, all of them, always:

| key | |
|---|---|
| `run_id` | Temporal's run id; null if nothing was started |
| `workflow_id` | the run's id, as the other commands take it; null if nothing was started |
| `flow` | the flow's name, where it is known |
| `status` | `completed`, `failed`, `cancelled`, `terminated`, `timed_out`, `running`, \
`not_started`, or `unknown` if the run cannot be asked for |
| `output` | what the flow gave; null unless it completed and could be read |
| `error` | null, or `type`, `message`, `node`, `attempt`, `attempts`, `details` |
"""


def cli_page(app: typer.Typer) -> str:
    """The whole page as Markdown."""
    root: Any = typer.main.get_command(app)
    sections = [_INTRODUCTION, _exit_codes(), _RUN_OBJECT, _global_options(root)]
    sections += [_command(name, command) for name, command in _commands(root)]
    return "\n".join(sections)


def _commands(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Every command by its full name; those of a group after the group itself."""
    for name, command in group.commands.items():
        yield f"{before}{name}", command
        if hasattr(command, "commands"):
            yield from _commands(command, f"{before}{name} ")


def _exit_codes() -> str:
    rows = [f"| {code.value} | {code.meaning} |" for code in ExitCode]
    return "\n".join(["## Exit codes", "", "| code | meaning |", "|---|---|", *rows, ""])


def _global_options(root: Any) -> str:
    rows = [_row(one) for one in root.params if one.name in ("version", "debug")]
    return "\n".join(["## Options of the command itself", "", *_table("option", rows)])


def _command(name: str, command: Any) -> str:
    if hasattr(command, "commands"):
        return f"## {name}\n\n`flowrunner {name} COMMAND`\n\n{command.help}\n"
    return "\n".join(_lines(name, command))


def _lines(name: str, command: Any) -> Iterator[str]:
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [each for each in command.params if _shown_option(each)]
    words = [_usage(one) for one in arguments] + (["[OPTIONS]"] if options else [])
    yield f"## {name}"
    yield ""
    yield f"`{' '.join(['flowrunner', name, *words])}`"
    yield ""
    yield f"{command.help}\n"
    if arguments:
        yield from _table("argument", [_row(one) for one in arguments])
    if options:
        yield from _table("option", [_row(one) for one in options])
    yield "```sh"
    yield from (line.strip() for line in command.epilog.splitlines()[1:])
    yield "```\n"


def _shown_option(param: Any) -> bool:
    return param.param_type_name == "option" and not param.hidden


def _usage(argument: Any) -> str:
    name = _metavar(argument)
    return name if argument.required else f"[{name}]"


def _row(param: Any) -> str:
    name = f"`{_name(param)}`"
    return f"| {name} | {_help(param)} |"


def _name(param: Any) -> str:
    if param.param_type_name == "argument":
        return _metavar(param)
    flags = ", ".join(param.opts)
    return flags if param.is_flag else f"{flags} {_metavar(param)}"


def _metavar(param: Any) -> str:
    return str(param.metavar or param.name.upper())


def _help(param: Any) -> str:
    text = str(param.help or "").replace("|", "\\|")
    choices = _choices(param)
    if choices:
        text += f" One of {', '.join(f'`{one}`' for one in choices)}."
    default = param.default
    if default not in (None, False, ()) and not param.required:
        text += f" Default: `{getattr(default, 'value', default)}`."
    return text


def _choices(param: Any) -> list[str]:
    described = param.type_descriptor
    return [str(getattr(one, "value", one)) for one in described.choices or ()]


def _table(what: str, rows: list[str]) -> list[str]:
    return [f"| {what} | |", "|---|---|", *rows, ""]


def _nothing(*_: object, **__: object) -> Any:
    raise AssertionError("the page needs neither node types nor a worker")


if __name__ == "__main__":
    nothing = Composition(
        catalogue=_nothing,
        settings=_nothing,
        serve=_nothing,
        supervise=_nothing,
        performs=_nothing,
    )
    sys.stdout.write(cli_page(build(nothing)))
