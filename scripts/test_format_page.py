"""The reference page of test files, made from their schema.

`python -m scripts.test_format_page > docs/reference/test-format.md` renews it.
"""

from __future__ import annotations

import sys
from typing import Any

from simulator.matching import MATCHERS
from simulator.schema import test_json_schema

__all__ = ["format_page"]

_INTRODUCTION = """\
# Test files

A test file is called `NAME.test.yaml`. It is about the flow `NAME.yaml` beside it, or beside its \
folder if that is called `tests`, or about the one its `flow` names. It is YAML as \
[flows are](flow-format.md#yaml). `flowrunner schema --tests` prints this as JSON Schema for your \
editor. How to work with them is told [elsewhere](../howto/test-flows.md).

Names of nodes are ids, or the paths that the status of a run shows: `poll#2` in the second round, \
`resize.3` for the fourth item, `each.3/inner` in a block. A node of a flow that is started by a \
`flow` node is `FLOW/NODE`, or by its path `call.0/NODE`. A path comes before an id.
"""

_MATCHING = """\
## What is compared, and how

`output`, `error`, `params` and whatever is in them are compared part by part. A mapping names the \
members that matter; others may be there. A list is compared as a whole, its entries like anything \
else. 1 and 1.0 are the same. A mapping with one key that begins with `$` says something else:

| key | the value |
|---|---|
"""

_MATCHERS = {
    "$equals": "is exactly this, with no more members than it names",
    "$contains": "is text with this in it, or a list with an entry like this",
    "$matches": "is text in which this regular expression is found",
    "$present": "is there, whatever it is (`true`), or is not (`false`)",
    "$absent": "is not there",
    "$length": "has so many characters, entries or members",
    "$not": "is anything that is not like this",
    "$any": "is like one of these",
}

_SECTIONS = (
    ("## The file", None, ""),
    ("## A case", "case", "What a case says itself comes before what the file says for all."),
    (
        "## A mock",
        "answer",
        "One answer; or a list, one for each attempt; or `calls: [...]`, one answer or list for "
        "each call. The last of a list holds on. Of what the node type always gives, "
        "`output` need only say what matters: the rest is made from its schema. An `approval` and "
        "an `event` are answered `delay` after they begin to wait, a `flow` without being "
        "started. Node types that need nothing but their parameters (`log`, `transform`, "
        "`template`, `validate`, and those for CSV, JSON and XML) need no mock: they really run.",
    ),
    (
        "### Its error",
        "error",
        "A node type fails with the types it declares: see `flowrunner nodes NAME`.",
    ),
    (
        "## What is said to the run",
        "word",
        "Under `at`: one of these, or a list of them. Exactly one of `approve`, `signal`, "
        "`cancel`, `pause` and `resume`.",
    ),
    ("## What is expected", "expectation", ""),
    (
        "### Of a node",
        "node",
        "An outcome alone, such as `skipped`, stands for `{outcome: skipped}`. Where a node ran "
        "several times, the last one counts.",
    ),
)


def format_page() -> str:
    """The whole page as Markdown."""
    schema: Any = test_json_schema()
    parts = [_INTRODUCTION]
    for heading, name, text in _SECTIONS:
        found = schema if name is None else schema["$defs"][name]
        mapping = found if "properties" in found else found["then"]
        parts.append("\n\n".join(part for part in (heading, text, _table(mapping)) if part))
    parts.append(_MATCHING + "\n".join(f"| `{key}` | {_MATCHERS[key]}. |" for key in MATCHERS))
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _table(mapping: Any) -> str:
    rows = ["| key | meaning |", "|---|---|"]
    for key, value in mapping["properties"].items():
        needed = " Required." if key in mapping["required"] else ""
        choices = f": {', '.join(f'`{word}`' for word in value['enum'])}" if "enum" in value else ""
        rows.append(f"| `{key}` | {value['description']}{choices}.{needed} |")
    return "\n".join(rows)


if __name__ == "__main__":
    sys.stdout.write(format_page())
