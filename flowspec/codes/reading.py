"""FR1xx: reading the text as YAML."""

from __future__ import annotations

from flowspec.codes.declaration import ErrorCode

__all__ = ["CODES"]

_DEEP = "[" * 51 + "]" * 51

CODES: tuple[ErrorCode, ...] = (
    ErrorCode(
        code="FR101",
        title="Not YAML",
        explanation="The text breaks a rule of YAML, so nothing after that place can be read.",
        example="""\
flow: hello
nodes:
  greet: {type: set, params: {text: ${input.name}}}
""",
        remedy=(
            "Look at the line named and the one before it. The usual causes: a `${…}` inside "
            "`{ }` or `[ ]` without quotes, a tab in the indentation, lines that do not line up, "
            "a quote that is not closed, text with `: ` or ` #` in it that needs quotes."
        ),
    ),
    ErrorCode(
        code="FR102",
        title="Character YAML does not allow",
        explanation=(
            "The text holds a control character or half of a Unicode character. Such characters "
            "are invisible in most editors and mean that the file is damaged or not text."
        ),
        example="flow: hello\ndescription: a bell \x07\nnodes:\n  start: {type: noop}\n",
        remedy='Delete it. If the value needs it, write it escaped in double quotes: `"\\x07"`.',
    ),
    ErrorCode(
        code="FR103",
        title="Empty document",
        explanation="There is nothing in the text but space and comments.",
        example="# flow: hello\n",
        remedy="Write at least `flow: NAME` and one node under `nodes:`.",
    ),
    ErrorCode(
        code="FR104",
        title="More than one document",
        explanation="A `---` line starts another YAML document; a file holds one flow.",
        example="""\
flow: first
nodes:
  start: {type: noop}
---
flow: second
nodes:
  start: {type: noop}
""",
        remedy="Put each flow in a file of its own.",
    ),
    ErrorCode(
        code="FR105",
        title="Key given twice",
        explanation=(
            "A mapping has the same key twice. Most YAML readers keep the last one without a "
            "word; here neither is guessed to be the right one."
        ),
        example="""\
flow: twice
nodes:
  start: {type: noop}
  start: {type: log, params: {message: hello}}
""",
        remedy="Remove one of the two, or rename it.",
    ),
    ErrorCode(
        code="FR106",
        title="Key that is not text",
        explanation=(
            "Flows are JSON written as YAML, and JSON's keys are text. A bare number, `true`, "
            "`null`, a list or a mapping cannot be a key."
        ),
        example="""\
flow: keys
nodes:
  start: {type: noop}
output: {404: not found}
""",
        remedy='Put the key in quotes: `"404": not found`.',
    ),
    ErrorCode(
        code="FR107",
        title="Anchor or alias",
        explanation=(
            "`&name` and `*name` copy a part of the document to another place. They make a flow "
            "hard to follow and a small text enormous, so flows do without."
        ),
        example="""\
flow: copies
nodes:
  first: &quick {type: noop}
""",
        remedy=(
            "Write the value out, or use what the language has for it: `defaults` for settings "
            "that nodes share, `vars` for values, a `flow` node for steps. Text that starts with "
            "`*` or `&` needs quotes."
        ),
    ),
    ErrorCode(
        code="FR108",
        title="Tag or directive",
        explanation=(
            "`!tag`, `!!type`, `%YAML` and `%TAG` change how YAML is read. In a flow a value's "
            "type follows from how it is written, and nothing else."
        ),
        example="""\
flow: tagged
nodes:
  start: {type: noop}
output: !!str 5
""",
        remedy='Remove it. To make text of a number, use quotes: `"5"`.',
    ),
    ErrorCode(
        code="FR109",
        title="Merge key",
        explanation="`<<` merges a mapping into another in YAML 1.1; YAML 1.2 dropped it.",
        example="""\
flow: merged
nodes:
  start:
    type: noop
    <<: {title: Start}
""",
        remedy="Write the keys out, or put what nodes share under `defaults`.",
    ),
    ErrorCode(
        code="FR110",
        title="Not a JSON number",
        explanation="`.inf`, `.nan` and numbers too large for a float have no place in JSON.",
        example="""\
flow: endless
nodes:
  start: {type: noop}
output: .inf
""",
        remedy=(
            "Use a number JSON has, or text in quotes. Where something may go on without end, "
            "the word is `unlimited`."
        ),
    ),
    ErrorCode(
        code="FR111",
        title="Integer beyond 64 bits",
        explanation=(
            "Integers reach from -9223372036854775808 to 9223372036854775807. Longer ones lose "
            "digits in most programs that read JSON."
        ),
        example="""\
flow: long
nodes:
  start: {type: noop}
output: 123456789012345678901234567890
""",
        remedy='Put it in quotes, so that it is text: `"123456789012345678901234567890"`.',
    ),
    ErrorCode(
        code="FR112",
        title="Too large or too deep",
        explanation=(
            "A flow document may have 1 MiB of text, 100,000 values and 50 levels of nesting."
        ),
        example=f"flow: deep\nnodes:\n  start: {{type: noop}}\noutput: {_DEEP}\n",
        remedy=(
            "Split the flow with `flow` nodes, and hand data to the run as `input` instead of "
            "writing it into the document."
        ),
    ),
)
