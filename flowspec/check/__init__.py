"""The one whole validation of a flow: every problem at once, and the plan if there is none."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from flowspec.catalogue import Catalogue
from flowspec.check.callbacks import callback_sites, check_callbacks
from flowspec.check.calls import check_calls
from flowspec.check.damage import UNREADABLE, Damage, salvage
from flowspec.check.graph import check_graph
from flowspec.check.modifiers import check_modifiers
from flowspec.check.names import Names
from flowspec.check.node_types import check_node_types
from flowspec.check.notes import Notes
from flowspec.check.outline import Outline, outline
from flowspec.check.planning import plan_of
from flowspec.check.readers import Readers
from flowspec.check.schedules import check_schedules
from flowspec.check.secrets import Secrets
from flowspec.check.sites import sites
from flowspec.model import Flow, parse_flow
from flowspec.plan import Plan
from flowspec.problems import Problem, has_errors, in_order

__all__ = ["Checked", "check"]


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What a text is as a flow: `problems` in the order of the text.

    `plan` is there if no problem is an error. `flow` is what could be read of the text, as far
    as it makes sense to look at it.
    """

    plan: Plan | None
    problems: tuple[Problem, ...]
    flow: Flow | None


def check(
    text: str,
    catalogue: Catalogue,
    *,
    flow_names: Collection[str] | None = None,
    file_name: str | None = None,
) -> Checked:
    """Check a flow document completely, and plan it.

    `flow_names` are the flows that a `flow` node may name; None if they are not known.
    `file_name` is the name of the file the text is from, to be compared with the flow's.
    """
    parsed = parse_flow(text)
    flow, damage = salvage(parsed)
    if flow is None or parsed.source is None:
        return Checked(plan=None, problems=parsed.problems, flow=None)
    notes = Notes(parsed.source, text)
    laid_out = outline(flow, catalogue, damage)
    _file(flow, file_name, notes)
    check_graph(laid_out, catalogue, damage, notes)
    check_node_types(laid_out, catalogue, damage, notes, flow_names=flow_names)
    check_modifiers(laid_out, catalogue, notes)
    check_calls(laid_out, catalogue, notes)
    check_callbacks(flow, catalogue, damage, notes)
    sound = not any(problem.path[:1] == ("input",) for problem in parsed.problems)
    check_schedules(flow, damage, notes, input_is_sound=sound)
    _expressions(laid_out, catalogue, damage, notes, input_is_sound=sound)
    problems = in_order((*parsed.problems, *notes.problems))
    plan = None if has_errors(problems) else plan_of(laid_out, catalogue)
    return Checked(plan=plan, problems=problems, flow=flow)


def _file(flow: Flow, file_name: str | None, notes: Notes) -> None:
    name = (file_name or "").replace("\\", "/").rpartition("/")[2]
    stem, dot, suffix = name.rpartition(".")
    if not dot or suffix not in ("yaml", "yml") or flow.name in (stem, UNREADABLE):
        return
    message = (
        f"the flow is called {flow.name!r} and its file {name!r}; a flow is found by the name of "
        f"its file, so call the file {flow.name}.{suffix}"
    )
    expected = f"{flow.name}.{suffix}"
    notes.add("FR314", ("flow",), message, found=name, expected=expected, severity="warning")


def _expressions(
    laid_out: Outline,
    catalogue: Catalogue,
    damage: Damage,
    notes: Notes,
    *,
    input_is_sound: bool,
) -> None:
    secrets = Secrets(laid_out.flow.secrets, catalogue, damage, notes)
    names = Names(laid_out, catalogue, damage, notes, secrets, input_is_sound=input_is_sound)
    for site in sites(laid_out, Readers(damage), notes.source):
        names.check(site)
    for site in callback_sites(laid_out.flow):
        names.check(site)
    if not damage.cuts and not any(problem.code == "FR401" for problem in notes.problems):
        secrets.note_unused()
