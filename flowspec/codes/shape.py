"""FR2xx: the shape of the document."""

from __future__ import annotations

from flowspec.codes.declaration import ErrorCode

__all__ = ["CODES"]

CODES: tuple[ErrorCode, ...] = (
    ErrorCode(
        code="FR201",
        title="Unknown key",
        explanation=(
            "The language has no such key in this place. Nothing in a flow is ignored, so that a "
            "misspelt `timeout` cannot quietly do nothing."
        ),
        example="""\
flow: hello
nodes:
  start: {type: noop, tittle: Start}
""",
        remedy=(
            "Correct the spelling, or move the key to where it belongs: what a node type takes "
            "goes under `params`. For notes of your own use comments or `description`."
        ),
    ),
    ErrorCode(
        code="FR202",
        title="Missing key",
        explanation="A key that this mapping cannot do without is not there.",
        example="""\
flow: hello
nodes:
  start: {title: Start}
""",
        remedy="Add the key.",
    ),
    ErrorCode(
        code="FR203",
        title="Wrong kind of value",
        explanation=(
            "The key expects another kind of value: text, a number, true or false, a list, a "
            "mapping. Values are never converted: `yes` is text and not true, `5` is a number "
            'and `"5"` is text.'
        ),
        example="""\
flow: hello
nodes:
  start: {type: noop, title: 5}
""",
        remedy="Write the kind of value that the message asks for; quotes make text of anything.",
    ),
    ErrorCode(
        code="FR204",
        title="Value not allowed",
        explanation="The kind of value is right, but it is out of range or not one of the choices.",
        example="""\
flow: hello
nodes:
  start: {type: noop, priority: 9}
""",
        remedy="Choose one of the values that the message lists.",
    ),
    ErrorCode(
        code="FR205",
        title="Not a possible name",
        explanation=(
            "Names are used in expressions, in Temporal's ids and on command lines, so each kind "
            "of name has its alphabet. The message says which."
        ),
        example="""\
flow: hello
nodes:
  first step: {type: noop}
""",
        remedy="Use letters, digits and `_`. What people should read goes into `title`.",
    ),
    ErrorCode(
        code="FR206",
        title="Reserved name",
        explanation=(
            "The name already means something else: a flow called `flow` could not be started by "
            "its name, and an item called `input` would hide the run's input."
        ),
        example="""\
flow: flowrunner-test
nodes:
  start: {type: noop}
""",
        remedy="Choose another name.",
    ),
    ErrorCode(
        code="FR207",
        title="Not a duration",
        explanation=(
            "Durations are written with their unit: `500ms`, `30s`, `5m`, `1h30m`, `3d`, `2w`, or "
            "in ISO 8601 as `PT30S`. A bare number could be seconds or milliseconds."
        ),
        example="""\
flow: hello
nodes:
  start: {type: noop, timeout: 30}
""",
        remedy="Add the unit: `30s`.",
    ),
    ErrorCode(
        code="FR208",
        title="Node id used twice",
        explanation=(
            "A node's id names it in expressions, in messages and in Temporal. It is unique in "
            "the whole document, the nodes inside blocks included."
        ),
        example="""\
flow: hello
nodes:
  start: {type: noop, next: group}
  group:
    type: block
    nodes:
      start: {type: noop}
""",
        remedy="Rename one of the two, and the edges and expressions that mean it.",
    ),
    ErrorCode(
        code="FR209",
        title="No nodes",
        explanation="A flow, and a block, has at least one node.",
        example="""\
flow: hello
nodes: {}
""",
        remedy="Add a node. One that does nothing is `start: {type: noop}`.",
    ),
    ErrorCode(
        code="FR210",
        title="Key that this node cannot have",
        explanation=(
            "`nodes`, `edges`, `output` and `on_failure` on a node describe the graph inside it, "
            "and only a node of type `block` has one. `tools` belong to a node of type `agent`, "
            "and a tool has no keys that say when it runs: the model does."
        ),
        example="""\
flow: hello
nodes:
  start:
    type: noop
    output: done
""",
        remedy=(
            "Make the node a `block`, or move the key: a flow's `edges`, `output` and "
            "`on_failure` stand at the top of the document."
        ),
    ),
    ErrorCode(
        code="FR211",
        title="Not an edge",
        explanation=(
            "In `edges` an arrow is written `a -> b`, several in a row `a -> b -> c`, or as a "
            "mapping with `from` and `to`. In `next` it is a node's id or a mapping with `to`."
        ),
        example="""\
flow: hello
nodes:
  start: {type: noop}
  end: {type: noop}
edges:
  - start => end
""",
        remedy="Write `start -> end`, or `{from: start, to: end}`.",
    ),
    ErrorCode(
        code="FR212",
        title="Keys that exclude each other",
        explanation=(
            "`repeat` goes round `until` a condition holds or `while` it does, and takes exactly "
            "one of the two. An edge with `when` cannot be the `otherwise` of its siblings too."
        ),
        example="""\
flow: poll
nodes:
  ask:
    type: http.request
    params: {url: "https://example.com/job"}
    repeat: {every: 5s}
""",
        remedy="Keep one of them. The opposite of `until: X` is `while: not (X)`.",
    ),
    ErrorCode(
        code="FR213",
        title="Listed twice",
        explanation="A list of names has the same name twice.",
        example="""\
flow: hello
secrets: [TOKEN, TOKEN]
nodes:
  start: {type: noop}
""",
        remedy="Remove one of the two.",
    ),
    ErrorCode(
        code="FR214",
        title="Not a JSON Schema",
        explanation=(
            "The `input` of a flow and the `form` of an approval are JSON Schemas (draft 2020-12). "
            "This one breaks that standard's rules, or the stricter ones kept here: keywords and "
            "formats that are not known are refused, for they would check nothing, and regular "
            "expressions have no look-around and no back-references, so that they take linear time."
        ),
        example="""\
flow: hello
input:
  properties:
    name: {type: text}
nodes:
  start: {type: noop}
""",
        remedy=(
            "Correct the schema. The types are string, number, integer, boolean, array, object "
            "and null."
        ),
    ),
    ErrorCode(
        code="FR215",
        title="Reference out of the schema",
        explanation=(
            "A `$ref` may point only into the schema it stands in (`#/…`). Nothing is fetched "
            "while a flow is checked."
        ),
        example="""\
flow: hello
input:
  properties:
    address: {$ref: "https://example.com/address.json"}
nodes:
  start: {type: noop}
""",
        remedy="Copy what it points to under `$defs` of the schema, and refer to `#/$defs/NAME`.",
    ),
    ErrorCode(
        code="FR216",
        title="Default that does not fit",
        explanation=(
            "A `default` is filled in when a run leaves the value out, and is then checked like "
            "any other value. This one would be refused, and with it every run that relies on it."
        ),
        example="""\
flow: hello
input:
  properties:
    count: {type: integer, default: many}
nodes:
  start: {type: noop}
""",
        remedy="Change the default, or what the schema demands of the value.",
    ),
    ErrorCode(
        code="FR217",
        title="Required input that no run may give",
        explanation=(
            "A name under `required` that `properties` does not describe. What `properties` does "
            "not describe is refused when a run starts (unless the schema says what may be "
            "added), so no run could start at all."
        ),
        example="""\
flow: hello
input:
  required: [nmae]
  properties: {name: {type: string, default: world}}
nodes:
  start: {type: log, params: {message: "Hello ${input.name}"}}
""",
        remedy="Correct the name, or describe it under `properties`.",
    ),
    ErrorCode(
        code="FR218",
        title="Not a cron expression",
        explanation=(
            "Five fields, with blanks between them: minute, hour, day of the month, month, day of "
            "the week. Each is `*`, a number, a range `1-5`, a step `*/15`, or several of these "
            "with commas; months and weekdays have names, too. `@hourly`, `@daily`, `@weekly`, "
            "`@monthly` and `@yearly` stand for the usual ones."
        ),
        example="""\
flow: nightly
nodes:
  start: {type: noop}
schedules:
  night: {cron: "0 25 * * *"}
""",
        remedy=(
            "Correct the field that the message names. Intervals go under `every`, the time zone "
            "under `timezone`, seconds and years under `calendar`."
        ),
    ),
    ErrorCode(
        code="FR219",
        title="Unknown time zone",
        explanation=(
            "Time zones are named as in the IANA database, such as `Europe/Vienna`, for the rules "
            "of daylight saving belong to a place; `UTC` has none. Letter case counts."
        ),
        example="""\
flow: nightly
nodes:
  start: {type: noop}
schedules:
  night: {cron: "0 2 * * *", timezone: Europe/Viena}
""",
        remedy="Write the name of the zone.",
    ),
    ErrorCode(
        code="FR220",
        title="Not a point in time",
        explanation=(
            "`from` and `until` of a schedule are a date, `2026-11-21`, or a time, "
            "`2026-11-21T09:30`. Both are in the schedule's time zone, unless they end in `Z` or "
            "an offset such as `+02:00`."
        ),
        example="""\
flow: nightly
nodes:
  start: {type: noop}
schedules:
  night: {cron: "0 2 * * *", until: 31.12.2026}
""",
        remedy="Write it as year, month and day.",
    ),
    ErrorCode(
        code="FR221",
        title="Schedule without times",
        explanation=(
            "A schedule says when it starts the flow: by `cron`, `every` or `calendar`. Several of "
            "them add up."
        ),
        example="""\
flow: nightly
nodes:
  start: {type: noop}
schedules:
  night: {timezone: Europe/Vienna}
""",
        remedy="Add one of the three.",
    ),
)
