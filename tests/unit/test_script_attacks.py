"""Scripts that mean harm: each ends as an error or as a harmless value, and the next one runs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import pytest

from activities.attempt import Attempt, Resources
from activities.errors import NodeFailed
from activities.parameters import read_params
from activities.script.pool import Child, open_pool
from activities.script.script import SCRIPT_JS
from flowspec.values import Json

TIME, MEMORY, STOPPED = "ScriptTimeout", "MemoryExceeded", "ScriptFailed"

ATTACKS: Final[dict[str, tuple[str, str | tuple[str, ...] | None]]] = {
    "loop": ("for (;;);", TIME),
    "loop that catches": ("for (;;) { try { for (;;); } catch {} finally { continue } }", TIME),
    "microtasks": ("const go = async () => { for (;;) await null }; await go()", TIME),
    "microtasks beside": ("const f = () => queueMicrotask(f); f(); await new Promise(f)", TIME),
    "interrupts caught": (
        "async function f() { for (;;); } for (;;) { try { await f() } catch {} }",
        TIME,
    ),
    "regular expression": ("return /^(a+)+$/.test('a'.repeat(60) + 'b')", TIME),
    "replacing": ("return 'a'.repeat(3e5).replace(/(a*)*b/g, '')", (TIME, STOPPED)),
    "slow builtins": ("for (;;) 'x'.repeat(1e6)", TIME),
    "sorting": (
        "const a = new Array(2e6).fill(0).map(Math.random); for (;;) a.sort(() => Math.random())",
        (TIME, MEMORY),
    ),
    "a large power": ("for (;;) 3n ** 300000n", TIME),
    "a huge power": ("return 2n ** (2n ** 40n) > 0n", (TIME, MEMORY, STOPPED)),
    "lists": ("const a = []; for (;;) a.push(new Array(1000).fill(a.length))", MEMORY),
    "objects": ("const a = {}; for (let n = 0;; n++) a['k' + n] = {n}", MEMORY),
    "texts": ("let s = 'x'; for (;;) s += s", (MEMORY, STOPPED)),
    "kept texts": ("const a = []; for (;;) a.push('x'.repeat(1e5) + a.length)", MEMORY),
    "a huge text": ("return 'x'.repeat(2 ** 29)", MEMORY),
    "padding": ("return 'x'.padEnd(2 ** 30 - 2, 'ab')", MEMORY),
    "buffers": ("return new ArrayBuffer(2 ** 32)", (MEMORY, STOPPED)),
    "growing buffers": (
        "const b = new ArrayBuffer(8, {maxByteLength: 2 ** 30}); b.resize(2 ** 30); return b",
        (MEMORY, STOPPED),
    ),
    "a huge list": ("return new Array(2 ** 32 - 1).fill(0)", MEMORY),
    "a list with holes": ("return new Array(2 ** 32 - 1)", (MEMORY, TIME)),
    "closures": ("let f = () => 0; for (;;) { const g = f; f = () => g() + 1 }", MEMORY),
    "promises": ("for (;;) new Promise(() => {}).then(() => {})", (MEMORY, TIME)),
    "memory caught": (
        "const a = []; for (;;) { try { for (;;) a.push('x'.repeat(1e5)) } catch {} }",
        (TIME, MEMORY),
    ),
    "recursion": ("const f = () => f() + 1; return f()", STOPPED),
    "recursion in texts": ("return JSON.parse('['.repeat(1e6))", STOPPED),
    "recursion in patterns": ("return new RegExp('('.repeat(1e5) + ')'.repeat(1e5))", STOPPED),
    "recursion in code": ("return eval('['.repeat(1e5))", STOPPED),
    "recursion in proxies": (
        "let p = {}; for (let n = 0; n < 1e5; n++) p = new Proxy(p, {}); return p.x ?? 1",
        (STOPPED, MEMORY),
    ),
    "waiting for ever": ("await new Promise(() => {})", STOPPED),
    "thenable for ever": ("return {then() {}}", STOPPED),
    "blocking": ("Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)", STOPPED),
    "large value": ("return 'x'.repeat(2e6)", "OutputTooLarge"),
    "large lists of lists": (
        "let a = [1]; for (let n = 0; n < 40; n++) a = [a, a]; return a",
        (TIME, MEMORY, "OutputTooLarge"),
    ),
    "many lines": ("for (;;) console.log('x'.repeat(1e5))", TIME),
    "constructor": (
        "return input.constructor.constructor('return typeof process + typeof require')()",
        None,
    ),
    "import": ("return await import('/etc/passwd')", STOPPED),
    "import by eval": ("return (0, eval)('import(\"os\")')", STOPPED),
    "out of the wrapper": ("return 1 }), (async function () { return input", STOPPED),
    "prototypes": (
        "Object.prototype.toJSON = () => ({pid: 1}); Array.prototype[0] = 'x'; return {a: [2]}",
        None,
    ),
    "builtins": (
        "JSON.stringify = JSON.parse = () => '}'; String = RegExp = Promise = null;"
        "Object.prototype.message = {}; throw new Error('x')",
        STOPPED,
    ),
    "promises' own": (
        "Promise.prototype.then = () => { for (;;); }; Promise.prototype.constructor = null;"
        "return 1",
        TIME,
    ),
    "lines' own": (
        "Array.prototype.push = Array.prototype.map = function () { return this[0] = this };"
        "console.log(1); return 1",
        (STOPPED, "InvalidOutput"),
    ),
    "text's own": (
        "String.prototype.isWellFormed = () => true;"
        "String.prototype.toWellFormed = () => '\\ud800'; console.log('x'); return 'fine'",
        None,
    ),
    "an answer of its own": (
        "return JSON.rawJSON('1').constructor ?? {toJSON: () => JSON.rawJSON('\"}, \"')}",
        None,
    ),
    "an error with traps": (
        "const e = new Error();Object.defineProperty(e, 'message', {get() { for (;;); }}); throw e",
        (TIME, STOPPED),
    ),
    "an error that throws": (
        "throw Object.setPrototypeOf(() => 0, new Proxy({}, {get() { throw 1 }}))",
        STOPPED,
    ),
    "a value with traps": ("return new Proxy({}, {ownKeys() { for (;;); }})", TIME),
    "finalizers": (
        "new FinalizationRegistry(() => { for (;;); }).register({}, 1); return 1",
        None,
    ),
    "a huge error": ("throw new Error('x'.repeat(5e6))", STOPPED),
    "a greater error": ("throw new Error('x'.repeat(1e7))", (MEMORY, STOPPED)),
}


async def ended(attempt: Attempt, code: str, given: Json = None) -> str | None:
    """The type of the error, None if there is none."""
    limits: dict[str, Json] = {"time": "300ms", "memory": 20_000_000, "max_bytes": 1_000_000}
    try:
        params = read_params(SCRIPT_JS, {"code": code, "input": given, **limits})
        await SCRIPT_JS.handler(params, attempt)
    except NodeFailed as failed:
        shown = failed.message.encode()
        return failed.error.name if len(shown) < 3_000 else "a message that is too long"
    return None


@pytest.mark.parametrize("name", ATTACKS)
async def test_no_script_does_harm(name: str) -> None:
    code, expected = ATTACKS[name]
    async with Resources() as resources:
        attempt = Attempt(node="n", flow="f", run_id="r", key="k", resources=resources)
        began = time.monotonic()
        found = await ended(attempt, code, {"secret": False})
        assert found in expected if isinstance(expected, tuple) else found == expected
        assert time.monotonic() - began < 15
        pool = await attempt.resources.get(open_pool)
        assert all(memory_of(child) < 250_000_000 for child in pool.children)
        assert await ended(attempt, "if (input !== 1) throw 1; return 1", 1) is None
        assert len(pool.children) == 1


def memory_of(child: Child) -> int:
    """The most it ever had."""
    status = Path(f"/proc/{child.pid}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
