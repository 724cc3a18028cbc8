"""Nodes against their types: parameters, settings, events, sub-flows, retries."""

from __future__ import annotations

import pytest

from tests.unit.checking import checked, codes, messages, node_of


def told(node: str, head: str = "") -> list[str]:
    return messages(f"flow: hello\n{head}\nnodes:\n  a: {node}\n")


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ("{type: lgo}", "there is no node type 'lgo'; did you mean 'log'?"),
        ("{type: teleport}", "there is no node type 'teleport'; `flowrunner nodes` lists those"),
        ("{type: log}", "log: 'message' is missing"),
        ("{type: log, params: {mesage: x}}", "log: unknown key 'mesage'; did you mean 'message'?"),
        ("{type: log, params: {message: [1]}}", "log, message: expected "),
        ("{type: wait, params: {fro: 5s}}", "wait: unknown key 'fro'; did you mean 'for'?"),
        ("{type: wait, params: {}}", "wait needs one of the parameters for or until"),
        ("{type: wait, params: {for: 1s, until: x}}", "wait takes only one of for and until"),
        (
            "{type: http.request, params: {url: 'https://x', json: 1, body: x}}",
            "http.request takes only one of json, form, body and multipart, found json and body",
        ),
        (
            "{type: http.request, params: {url: nothing}}",
            "http.request, url: expected an address that begins with http:// or https://",
        ),
        (
            "{type: webhook.send, params: {url: 'ftp://x', payload: 1, secret: s}}",
            "webhook.send, url:",
        ),
        (
            "{type: sql.query, params: {url: 'mysql://x', sql: SELECT 1}}",
            "sql.query, url: expected postgresql://… or sqlite:PATH",
        ),
        (
            "{type: sql.query, params: {url: 'sqlite:x', sql: 'SELECT :nmae', params: {name: 1}}}",
            "sql.query, sql: sql wants a value for :nmae, which params does not have; did you mean "
            "'name'?",
        ),
        (
            "{type: sql.query, params: {url: 'sqlite:x', transaction: "
            "[{sql: SELECT 1}, {sql: 'SELECT :a', params: [{a: 1}, {a: 1, b: 2}]}]}}",
            "sql.query, transaction[1].params: params has 'b', but sql has no :b",
        ),
        (
            "{type: llm.chat, params: {model: m, prompt: p, schema: {type: txt}}}",
            "expected string, number, integer,",
        ),
        (
            "{type: validate, params: {value: 1, schema: {type: txt}}}",
            "expected string, number, integer,",
        ),
        ("{type: set, params: {x: 1}}", "there is no variable 'x'; add it to `vars` with its"),
        ("{type: event, params: {name: resume}}", "the event name 'resume' is reserved"),
        ("{type: flow, params: {flow: [x]}}", "flow, flow: expected text"),
        (
            "{type: approval, params: {form: {properties: {x: {type: txt}}}}}",
            "expected string, number, integer,",
        ),
    ],
)
def test_what_does_not_fit_the_type_is_told_once(node: str, message: str) -> None:
    (found,) = told(node)
    assert found.startswith(message)


@pytest.mark.parametrize(
    "node",
    [
        "{type: log, params: {message: '${input.x}'}}",
        "{type: http.request, params: {url: '${input.x}', headers: '${input.x}'}}",
        "{type: http.request, params: {url: 'https://x', method: '${input.x}'}}",
        "{type: approval, params: {form: {properties: {x: {enum: '${input.x}'}}}}}",
        "{type: http.request, params: {url: '${input.x}/a'}}",
        "{type: sql.query, params: {url: '${input.x}', sql: SELECT 1}}",
        "{type: sql.query, params: {url: 'sqlite:x', sql: 'SELECT :a', params: '${input.x}'}}",
        "{type: sql.query, params: {url: 'sqlite:x', sql: 'SELECT :a', params: {a: '${run.id}'}}}",
        "{type: validate, params: {value: 1, schema: '${input.x}'}}",
        "{type: event, params: {name: '${input.x}'}}",
        "{type: flow, params: {flow: '${input.x}'}}",
        "{type: event, params: {name: pause-the-line}}",
    ],
)
def test_what_a_template_gives_is_left_to_the_run(node: str) -> None:
    assert told(node, "input: {required: [x], properties: {x: {}}}") == []


def test_an_event_is_named_by_its_node_too() -> None:
    assert codes("flow: hello\nnodes:\n  pause: {type: event}") == ["FR507 3:3"]


INLINE = "is performed by the interpreter itself; remove it"


@pytest.mark.parametrize(
    ("node", "keys"),
    [
        ("{type: noop, retry: 2, cache: 1h, queue: q, priority: 1}", 4),
        ("{type: noop, attempt_timeout: 1s, heartbeat: 1s, execution: local}", 3),
        ("{type: wait, params: {for: 1s}, timeout: 1m, repeat: {until: true}, when: true}", 0),
        ("{type: block, retry: 2, timeout: 1m, foreach: [1], nodes: {b: {type: noop}}}", 0),
        ("{type: block, cache: 1h, queue: q, nodes: {b: {type: noop}}}", 2),
        ("{type: flow, params: {flow: x}, retry: 2, queue: q, priority: 1}", 0),
        ("{type: flow, params: {flow: x}, heartbeat: 1s}", 1),
        ("{type: log, params: {message: x}, queue: q, heartbeat: 1s, priority: 2}", 3),
        ("{type: log, params: {message: x}, retry: 2, attempt_timeout: 1s, cache: 1h}", 0),
        ("{type: log, params: {message: x}, execution: remote, queue: q, heartbeat: 1s}", 0),
        ("{type: http.request, params: {url: 'https://x'}, execution: local, queue: q}", 1),
        ("{type: http.request, params: {url: 'https://x'}, execution: local}", 0),
        ("{type: return, foreach: [1], repeat: {until: true}}", 2),
        ("{type: fail, params: {message: x}, foreach: [1]}", 0),
    ],
)
def test_settings_that_say_nothing_for_a_node_are_found(node: str, keys: int) -> None:
    found = [code.split()[0] for code in codes(f"flow: hello\nnodes:\n  a: {node}\n")]
    assert found == ["FR505"] * keys


def test_what_never_succeeds_cannot_be_undone() -> None:
    assert messages("""
        flow: hello
        nodes:
          a: {type: fail, params: {message: x}, undo: u}
          u: {type: noop}
        """) == [
        "'undo' has no effect on 'a': fail never succeeds, so there is nothing to undo; remove it"
    ]


def test_sub_flows_are_known_if_the_flows_are() -> None:
    text = "flow: hello\nnodes:\n  a: {type: flow, params: {flow: chld}}\n"
    assert codes(text) == []
    assert [p.message for p in checked(text, ["child"]).problems] == [
        "there is no flow 'chld'; did you mean 'child'?"
    ]
    assert codes(text, ["chld"]) == []


def test_retries_name_errors_that_can_be() -> None:
    found = messages("""
        flow: hello
        defaults: {retry: {never: [HttpServerError, Nonsense]}}
        nodes:
          a:
            type: http.request
            params: {url: "https://x"}
            retry: {only: [HttpServerEror, Timeout], never: [TooMuch]}
          b: {type: block, retry: {attempts: 2, only: [TooMuch]}, nodes: {c: {type: noop}}}
        """)
    assert [message.split(";")[0] for message in found] == [
        "no node type ends with the error 'Nonsense'",
        "http.request never ends with the error 'HttpServerEror'",
        "http.request never ends with the error 'TooMuch'",
    ]


def test_retries_do_not_name_what_is_tried_again_anyhow() -> None:
    found = messages("""
        flow: hello
        defaults: {retry: {never: [NotStarted]}}
        nodes:
          a: {type: http.request, params: {url: "https://x"}, retry: {only: [NotStarted]}}
        """)
    words = "'NotStarted' is no attempt: it is made again whatever `retry` says; drop it"
    assert found == [words, words]


CALL = "flow: hello\nHEAD\nnodes:\n  a: {type: call, queue: q, params: {activity: X}REST}\n"


def called(rest: str = "", head: str = "") -> list[str]:
    return messages(CALL.replace("REST", rest).replace("HEAD", head))


def test_a_call_takes_what_temporal_does_itself_and_errors_of_any_name() -> None:
    rest = ", retry: {attempts: 5, interval: 1s, factor: 3, max_interval: 9s, never: [Declined]}"
    timed = f"{rest}, timeout: 1h, attempt_timeout: 1m, heartbeat: 5s, cache: 1h, priority: 1"
    assert called(timed) == []
    assert called(head="defaults: {retry: {attempts: 5, never: [Declined]}}") == []


def test_a_call_says_whose_activity_it_calls() -> None:
    (told_so,) = told("{type: call, params: {activity: X}}")
    assert told_so.startswith("'a' does not say whose activity it calls; add `queue`")
    assert told("{type: call, params: {activity: X}}", "defaults: {queue: q}") == []


@pytest.mark.parametrize("setting", ["only: [Declined]", "jitter: 0.2"])
def test_a_call_is_not_given_what_temporal_cannot_keep(setting: str) -> None:
    name = setting.partition(":")[0]
    (own,) = called(f", retry: {{{setting}}}")
    assert own.startswith(f"'a' cannot be given `{name}`")
    (everybodys,) = called(head=f"defaults: {{retry: {{{setting}}}}}")
    assert f"say `retry: {{{name}: " in everybodys
    remedy = "only: []" if name == "only" else "jitter: 0"
    assert called(f", retry: {{{remedy}}}", f"defaults: {{retry: {{{setting}}}}}") == []


def test_a_call_is_never_local() -> None:
    (found,) = called(", execution: local")
    assert found == (
        "'execution' has no effect on 'a': the activity runs where its own worker is; remove it"
    )
    assert called(", execution: remote") == []


def test_no_secret_goes_into_the_arguments_of_a_call() -> None:
    text = CALL.replace("activity: X", 'activity: X, args: ["${secrets.KEY}"]')
    (found,) = messages(text.replace("REST", "").replace("HEAD", "secrets: [KEY]"))
    assert found.startswith("the secret 'KEY' cannot stand in 'args' of call: what is sent to an")


def test_the_flows_heartbeat_is_not_for_activities_that_were_not_written_to_beat() -> None:
    text = CALL.replace("REST", "").replace("HEAD", "defaults: {heartbeat: 5s, queue: p}")
    assert node_of(text, "a").heartbeat is None
    assert node_of(text, "a").queue == "q"
    own = CALL.replace("REST", ", heartbeat: 7s").replace("HEAD", "defaults: {heartbeat: 5s}")
    assert node_of(own, "a").heartbeat == 7


@pytest.mark.parametrize(
    ("activity", "code"),
    [
        ("store.get", "FR514"),
        ("flowrunner.evaluate", "FR514"),
        ("'${input.x}'", "FR513"),
    ],
)
def test_our_own_activities_are_not_told_by_a_flow_for_whom_they_work(
    activity: str, code: str
) -> None:
    found = codes(f"""\
        flow: f
        input: {{required: [x], properties: {{x: {{type: string}}}}}}
        nodes:
          a: {{type: call, queue: q, params: {{activity: {activity}}}}}
        """)
    assert code in [each.partition(" ")[0] for each in found]


def test_a_script_is_no_place_for_expressions_but_its_own_may_stand_there() -> None:
    flow = """\
        flow: f
        input: {{required: [x], properties: {{x: {{type: string}}}}}}
        nodes:
          a: {{type: script.js, params: {{code: "return `{0}{{input}}`", input: "${{input.x}}"}}}}
        """
    assert codes(flow.format("$")) == ["FR513 4:39"]
    assert codes(flow.format("$$")) == []
