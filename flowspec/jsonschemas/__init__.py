"""JSON Schemas that users and node types write: are they sound, and what fits them.

Draft 2020-12. Formats are asserted, nothing is ever fetched, patterns take linear time.
"""

from __future__ import annotations

from flowspec.jsonschemas.defaults import EndlessDefaults, fill_defaults
from flowspec.jsonschemas.embedding import embedded
from flowspec.jsonschemas.places import dotted, looked_up
from flowspec.jsonschemas.run_input import check_input, input_refused, input_schema_problems
from flowspec.jsonschemas.schemas import SchemaProblem, schema_problems
from flowspec.jsonschemas.violations import Judge, Violation, ViolationKind, violations

__all__ = [
    "EndlessDefaults",
    "Judge",
    "SchemaProblem",
    "Violation",
    "ViolationKind",
    "check_input",
    "dotted",
    "embedded",
    "fill_defaults",
    "input_refused",
    "input_schema_problems",
    "looked_up",
    "schema_problems",
    "violations",
]
