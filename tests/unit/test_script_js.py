"""What scripts get, what they give back, and what is said of those that fail."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest

from activities.attempt import Attempt, Options, Resources
from activities.errors import NodeFailed
from activities.parameters import read_params
from activities.script.script import SCRIPT_JS, ScriptOptions
from flowspec.values import Json, JsonObject
from tests.shaping import act


@pytest.fixture
async def attempt() -> AsyncIterator[Attempt]:
    async with Resources() as resources:
        yield Attempt(node="n", flow="f", run_id="r", key="k", resources=resources)


async def run(attempt: Attempt, code: str, given: Json = None, **more: Any) -> Any:
    params = read_params(SCRIPT_JS, {"code": code, "input": given, **more})
    return await SCRIPT_JS.handler(params, attempt)


async def value(attempt: Attempt, code: str, given: Json = None) -> Any:
    return (await run(attempt, code, given))["value"]


async def failure(attempt: Attempt, code: str, given: Json = None, **more: Any) -> NodeFailed:
    with pytest.raises(NodeFailed) as caught:
        await run(attempt, code, given, **more)
    return caught.value


async def test_it_computes_and_writes_lines() -> None:
    code = "console.log('a', {b: [1]}, new TypeError('no')); return input.map(n => n * 2)"
    done = await act(SCRIPT_JS, code=code, input=[1, 2])
    assert done == {"value": [2, 4], "logs": ['a {"b":[1]} TypeError: no']}


async def test_it_waits_for_promises(attempt: Attempt) -> None:
    code = """
    const half = async (n) => { await null; return n / 2 };
    const all = await Promise.all(input.map(half));
    return new Promise(done => queueMicrotask(() => done(all)));
    """
    assert await value(attempt, code, [2, 3]) == [1, 1.5]


@pytest.mark.parametrize(
    "given",
    [
        None,
        True,
        "a\0b\u2028'\"`${x}\\ 😀",
        1.5,
        -0.25,
        5e-324,
        1.7976931348623157e308,
        9007199254740991,
        9007199254740993,
        -12345678901234567890123,
        {"b": 1, "a": 2},
        {"__proto__": {"x": 1}, "constructor": 2, "toString": None},
        {"": [], "deep": [{"big": [9007199254740993, 0.1]}]},
        "12345678901234567890",
    ],
)
async def test_what_goes_in_comes_out_as_it_was(attempt: Attempt, given: Json) -> None:
    done = await value(attempt, "return input", given)
    assert json.dumps(done) == json.dumps(given)


async def test_numbers_and_keys_are_those_of_javascript(attempt: Attempt) -> None:
    assert repr(await value(attempt, "return input", 1.0)) == "1"
    assert list(await value(attempt, "return input", {"b": 0, "2": 0, "1": 0})) == ["1", "2", "b"]
    assert await value(attempt, "return input + 1n", 2**64) == 2**64 + 1
    assert await value(attempt, "return typeof input", 2**53) == "bigint"
    assert await value(attempt, "return typeof input", 2**53 - 1) == "number"
    assert await value(attempt, "return 1e20") == 10**20
    assert await value(attempt, "return {a: undefined, b: new Date(0)}") == {
        "b": "1970-01-01T00:00:00.000Z"
    }


async def test_keys_of_prototypes_are_keys_only(attempt: Attempt) -> None:
    given: JsonObject = {"__proto__": {"polluted": True}}
    assert await value(attempt, "return {}.polluted ?? input.polluted ?? null", given) is None


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("let unused = 1", "does it end with return"),
        ("return [NaN]", '"0" there is NaN'),
        ("return {a: -Infinity}", '"a" there is -Infinity'),
        ("return {f() {}}", '"f" there is a function'),
        ("return {s: Symbol()}", "a symbol"),
        ("return new Map()", "a Map"),
        ("return {e: new RangeError('x')}", "a Error"),
        ("return {b: new Uint8Array(2)}", "a TypedArray"),
        ("return [1].map(async (n) => n)", "a promise that was not awaited"),
        ("const a = {}; a.a = a; return a", "circular"),
        (r"return '\ud800'", "half of a character"),
        (r"return {'\udc00': 1}", "half of a character"),
        ("return {toJSON() { throw new Error('mine') }}", "mine"),
        ("let a = []; for (let n = 0; n < 2000; n++) a = [a]; return a", "nested too deeply"),
        ("let a = []; for (let n = 0; n < 90000; n++) a = [a]; return a", "call stack"),
    ],
)
async def test_what_is_no_json_is_refused(attempt: Attempt, code: str, what: str) -> None:
    failed = await failure(attempt, code)
    assert failed.error.name == "InvalidOutput"
    assert what in failed.message


@pytest.mark.parametrize(
    ("code", "line", "what"),
    [
        ("return missing", 1, "ReferenceError: missing is not defined"),
        ("let a = 1;\n\nthrow new Error('mine')", 3, "Error: mine"),
        ("const f = () => {\n  null.x;\n};\nf();", 2, "TypeError"),
        ("await null;\nawait Promise.reject(new Error('later'))", 2, "Error: later"),
        ("let a = 1;\nlet b = ;", 2, "SyntaxError"),
        ("// nothing\ntotal = 1", 2, "ReferenceError: total is not defined"),
        ("import x from 'fs'", 1, "SyntaxError"),
        ("throw {code: 7}", None, 'it threw {"code":7}'),
        ("throw 'null'", None, "it threw null"),
        (r"throw new Error('\ud800')", 1, "Error: �"),
        ("return await import('os')", None, "could not load module"),
        ("await new Promise(() => {})", None, "waits for a promise that nothing settles"),
        ("return (function f() { return f() })()", 1, "call stack"),
    ],
)
async def test_what_fails_is_told_with_its_line(
    attempt: Attempt, code: str, line: int | None, what: str
) -> None:
    failed = await failure(attempt, code)
    assert failed.error.name == "ScriptFailed"
    assert what in failed.message
    assert isinstance(failed.details, dict)
    assert failed.details["line"] == line
    assert (f"(line {line})" in failed.message) == (line is not None)


async def test_the_lines_of_a_script_that_failed_are_told(attempt: Attempt) -> None:
    failed = await failure(attempt, "console.log('so far'); throw new Error('no')")
    assert failed.details == {"line": 1, "logs": ["so far"]}
    failed = await failure(attempt, "console.log('so far'); for (;;);", time="100ms")
    assert failed.error.name == "ScriptTimeout"
    assert failed.details == {"line": 1, "logs": ["so far"]}


async def test_lines_have_an_end(attempt: Attempt) -> None:
    code = "for (let n = 0; n < 1e5; n++) console.log('x'.repeat(99)); return 1"
    done = await run(attempt, code)
    assert sum(map(len, done["logs"])) <= 64_100
    assert done["logs"][-1] == "… (there was more)"


async def test_it_has_the_language_and_nothing_else(attempt: Attempt) -> None:
    absent = "require process fetch XMLHttpRequest WebSocket setTimeout setInterval std os bjson"
    code = "return input.filter(name => name in globalThis)"
    assert await value(attempt, code, [*absent.split()]) == []
    assert await value(attempt, code, ["Date", "Math", "Map", "console"]) == [
        "Date",
        "Math",
        "Map",
        "console",
    ]
    assert await value(attempt, "return typeof this") == "undefined"


async def test_nothing_stays_from_one_script_to_the_next(attempt: Attempt) -> None:
    await value(attempt, "globalThis.left = 1; Array.prototype.map = null; return 1")
    assert await value(attempt, "return [typeof left, typeof [].map]") == ["undefined", "function"]


async def test_its_value_may_be_just_so_large(attempt: Attempt) -> None:
    code = "return 'x'.repeat(98)"
    assert len((await run(attempt, code, max_bytes=100))["value"]) == 98
    failed = await failure(attempt, code, max_bytes=99)
    assert failed.error.name == "OutputTooLarge"
    assert "100 bytes" in failed.message


async def test_the_input_counts_as_memory(attempt: Attempt) -> None:
    rows: Json = [{"n": n, "t": "x" * 50} for n in range(30_000)]
    assert (await run(attempt, "return input.length", rows))["value"] == 30_000
    failed = await failure(attempt, "return input.length", rows, memory=3_000_000)
    assert failed.error.name == "MemoryExceeded"


async def test_no_more_memory_than_the_operator_allows() -> None:
    options = Options(ScriptOptions(most_memory=2_000_000))
    async with Resources() as resources:
        attempt = Attempt(
            node="n", flow="f", run_id="r", key="k", resources=resources, options=options
        )
        failed = await failure(attempt, "return 1", memory=3_000_000)
        assert failed.error.name == "InvalidParams"
        assert "FLOWRUNNER_SCRIPT_MEMORY" in failed.message
        assert (await run(attempt, "return 1", memory=2_000_000))["value"] == 1


@pytest.mark.parametrize("time", ["61s", "2m"])
async def test_no_more_than_a_minute(time: str) -> None:
    with pytest.raises(NodeFailed, match="60s at most"):
        read_params(SCRIPT_JS, {"code": "return 1", "time": time})


async def test_a_cancelled_script_is_killed(attempt: Attempt) -> None:
    from activities.script.pool import open_pool

    pool = await attempt.resources.get(open_pool)
    running = asyncio.create_task(run(attempt, "for (;;);", time="60s"))
    while not pool.children:
        await asyncio.sleep(0.01)
    [child] = pool.children
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not child.is_alive
    assert await value(attempt, "return 1") == 1


async def test_what_is_missing_is_told(attempt: Attempt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activities.script.running.find_spec", lambda _name: None)
    failed = await failure(attempt, "return 1")
    assert failed.error.name == "ExtraMissing"
    assert "pip install 'flowrunner[script]'" in failed.message


async def test_the_library_is_never_loaded_into_the_worker(attempt: Attempt) -> None:
    assert await value(attempt, "return 1") == 1
    assert "quickjs" not in sys.modules
    assert "_quickjs" not in sys.modules
