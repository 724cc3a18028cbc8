"""`validate`, `graph`, `schema` and `nodes`: flows as text, no server needed."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from service.cli.context import composition_of
from service.cli.exits import Ending, ExitCode
from service.cli.options import JsonFlag, command, complete_flows

__all__ = ["register"]

_PANEL = "Flows"


class ProblemFormat(StrEnum):
    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


class GraphFormat(StrEnum):
    MERMAID = "mermaid"
    DOT = "dot"


def register(app: typer.Typer) -> None:
    command(
        app,
        validate,
        "flowrunner validate flows/onboarding.yaml",
        "flowrunner validate flows --format sarif > flows.sarif",
        panel=_PANEL,
    )
    command(
        app,
        graph,
        "flowrunner graph flows/onboarding.yaml",
        "flowrunner graph onboarding --format dot | dot -Tsvg > onboarding.svg",
        panel=_PANEL,
    )
    command(
        app,
        schema,
        "flowrunner schema > flow.schema.json",
        "flowrunner schema --tests > flow-test.schema.json",
        panel=_PANEL,
    )
    command(app, nodes, "flowrunner nodes", "flowrunner nodes http.request", panel=_PANEL)


def validate(
    context: typer.Context,
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE…",
            help="Files, or folders whose YAML files are all checked.",
            autocompletion=complete_flows,
        ),
    ],
    format: Annotated[
        ProblemFormat, typer.Option("--format", help="How the problems are printed.")
    ] = ProblemFormat.TEXT,
) -> None:
    """Check flows completely, and print every problem with its place.

    A line is FILE:LINE:COLUMN: CODE message. The exit code is 2 if there is an error.
    """
    from service.cli.checking import check_files, report
    from service.cli.screen import note, print_json, print_text

    found = check_files(files, composition_of(context).catalogue())
    if format is ProblemFormat.TEXT:
        for one in found:
            if one.problems:
                print_text(one.text())
            else:
                note(f"{one.file}: ok")
    else:
        print_json(report(found, sarif=format is ProblemFormat.SARIF))
    if not all(one.valid for one in found):
        raise Ending(ExitCode.WRONG)


def graph(
    context: typer.Context,
    target: Annotated[
        str,
        typer.Argument(
            metavar="FILE_OR_NAME",
            help="A YAML file, or the name of a flow in FLOWS_DIR.",
            autocompletion=complete_flows,
        ),
    ],
    format: Annotated[
        GraphFormat, typer.Option("--format", help="The language of the drawing.")
    ] = GraphFormat.MERMAID,
) -> None:
    """Draw a flow, as text for Mermaid or Graphviz."""
    from flowspec.drawing import dot, mermaid
    from service.cli.checking import checked_plan
    from service.cli.screen import print_text

    plan = checked_plan(target, composition_of(context).catalogue()).plan
    assert plan is not None
    draw = mermaid if format is GraphFormat.MERMAID else dot
    print_text(draw(plan).rstrip("\n"))


def schema(
    context: typer.Context,
    tests: Annotated[
        bool, typer.Option("--tests", help="The schema of test files, NAME.test.yaml, instead.")
    ] = False,
) -> None:
    """Print the JSON Schema of flow documents, which gives editors completion and checks."""
    from flowspec.editor_schema import flow_json_schema
    from service.cli.screen import print_json
    from simulator.schema import test_json_schema

    if tests:
        print_json(test_json_schema())
        return
    print_json(flow_json_schema(composition_of(context).catalogue()))


def nodes(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="One node type, in full.")] = None,
    json: JsonFlag = False,
) -> None:
    """List the node types, or describe one of them.

    Those of plug-ins are shown with their package; what is wrong with one is told on standard
    error.
    """
    from service.cli.node_types import as_json, describe, listing, named, problems
    from service.cli.screen import note, print_json, print_text

    catalogue = composition_of(context).catalogue()
    if name is None:
        if json:
            print_json([as_json(one, catalogue) for one in catalogue.values()])
        else:
            print_text(listing(catalogue))
        for problem in problems(catalogue):
            note(problem)
        return
    found = named(catalogue, name)
    if json:
        print_json(as_json(found, catalogue))
    else:
        print_text(describe(found, catalogue))
