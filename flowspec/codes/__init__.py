"""Every problem code, in the order of the reference page.

FR1xx reading YAML, FR2xx the shape of the document, FR3xx the graph, FR4xx expressions and
references, FR5xx node types and their parameters, FR6xx secrets, FR7xx the input of a run.
A code that has been released keeps its meaning for ever.
"""

from __future__ import annotations

from collections.abc import Mapping

from flowspec.codes import expressions, graph, node_types, reading, run_input, secrets, shape
from flowspec.codes.declaration import ErrorCode

__all__ = ["CODES", "ErrorCode"]

CODES: Mapping[str, ErrorCode] = {
    entry.code: entry
    for group in (
        reading.CODES,
        shape.CODES,
        graph.CODES,
        expressions.CODES,
        node_types.CODES,
        secrets.CODES,
        run_input.CODES,
    )
    for entry in group
}
