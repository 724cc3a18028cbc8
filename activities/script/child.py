"""The process that scripts run in: nothing of Flowrunner, and nothing of the worker's, is in it.

Started as `python -I -S child.py FOLDER MOST_MEMORY`, where FOLDER holds the package `quickjs`.
On both sides a message is its length in four bytes, then that many bytes. It says hello with an
empty one; each request is a line of JSON with the limits, then a JSON object for the prelude, and
has one answer, a JSON object. It ends when the worker does: its input ends then.
"""

from __future__ import annotations

import json
import math
import os
import re
import resource
import struct
import sys
import threading
import time
from queue import SimpleQueue
from typing import Any

__all__ = ["main"]

_STACK = 1_000_000
_ROOM_BESIDE = 512_000_000
_COPIES = 4
"""A script's input and value exist as text as well, on both sides of the engine."""
_LONGEST_MESSAGE = 2_000
_LINE = re.compile(r"<input>:(\d+)")

PRELUDE = r"""
(() => {
  "use strict";
  const {parse, stringify, rawJSON} = JSON, evaluate = eval, {isArray} = Array;
  const {isSafeInteger, isFinite} = Number, text = String, Big = BigInt, Failure = Error;
  const opaque = [Promise, Map, Set, WeakMap, WeakSet, WeakRef, RegExp, Error, ArrayBuffer,
    SharedArrayBuffer, DataView, Object.getPrototypeOf(Int8Array)];
  const lines = [];
  let room = 64000, state = "pending", found = null, flaw = null;

  const shown = (value) => {
    if (typeof value === "string") return value;
    if (value instanceof Failure) return `${value.name}: ${value.message}`;
    try { return stringify(value) ?? text(value); } catch { return text(value); }
  };
  const log = (...values) => {
    if (room <= 0) return;
    const line = values.map(shown).join(" ").slice(0, room).toWellFormed();
    room -= line.length + 1;
    lines.push(line);
    if (room <= 0) lines.push("… (there was more)");
  };
  globalThis.console = {log, debug: log, info: log, warn: log, error: log};

  const exact = (key, value, {source}) =>
    typeof value === "number" && !isSafeInteger(value) && /^-?\d+$/.test(source)
      ? Big(source) : value;

  const refuse = (key, what) => {
    flaw = key === "" ? `it is ${what}` : `at ${stringify(key.slice(0, 100))} there is ${what}`;
    throw flaw;
  };
  const checked = function (key, value) {
    switch (typeof value) {
      case "bigint": return rawJSON(text(value));
      case "number": if (!isFinite(value)) refuse(key, text(value)); break;
      case "string": if (!value.isWellFormed()) refuse(key, "half of a character"); break;
      case "function": case "symbol": refuse(key, `a ${typeof value}`);
      case "object": if (value !== null) {
        for (const kind of opaque) if (value instanceof kind)
          refuse(key, kind === opaque[0] ? "a promise that was not awaited" : `a ${kind.name}`);
      }
    }
    if (!key.isWellFormed()) refuse("", "an object with half of a character in a key");
    return value;
  };

  const describe = (error) => {
    try {
      if (error === null) return {message: "null", stack: ""};
      const isError = error instanceof Failure;
      const message = isError ? shown(error) : `it threw ${shown(error)}`;
      const stack = isError ? text(error.stack) : "";
      return {message: message.slice(0, 2000).toWellFormed(), stack: stack.slice(0, 8000)};
    } catch {
      return {message: "what it threw cannot be shown", stack: ""};
    }
  };

  const written = (value) => {
    if (value === undefined) refuse("", "undefined; does it end with return?");
    return stringify(value, checked);
  };
  const start = async (request, before, isBig) => {
    try {
      const {code, input} = parse(request, isBig ? exact : undefined);
      request = null;
      const value = await evaluate(`${before}${code}\n})`)(input);
      state = "unfit";
      found = written(value);
      state = "value";
    } catch (error) {
      if (state === "pending") state = "failed";
      found = flaw !== null ? {message: flaw, stack: ""} : describe(error);
    }
  };
  return (command, ...rest) => {
    switch (command) {
      case "start": start(...rest); return null;
      case "state": return state;
      case "found": return state === "value" ? found : stringify(found);
      case "logs": return stringify(lines);
    }
  };
})()
"""

_BEFORE = "\n" * PRELUDE.count("\n") + '(async function script(input) {"use strict"; '
"""Before a script: its lines come after the prelude's, so that a stack tells which is which."""


def main() -> None:
    sys.path.append(sys.argv[1])
    import quickjs  # type: ignore[import-untyped]

    requests: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_receive, args=(requests,), daemon=True).start()
    _confine(int(sys.argv[2]))
    _send(b"")
    while True:
        _send(_answer(quickjs, requests.get()))


def _receive(requests: SimpleQueue[bytes]) -> None:
    """In a thread, which sees the worker go while a script runs."""
    while (head := sys.stdin.buffer.read(4)) and len(head) == 4:
        requests.put(sys.stdin.buffer.read(struct.unpack(">I", head)[0]))
    os._exit(0)


def _send(message: bytes) -> None:
    sys.stdout.buffer.write(struct.pack(">I", len(message)) + message)
    sys.stdout.buffer.flush()


def _confine(most_memory: int) -> None:
    """Should a script break out of the engine, it finds no way to go."""
    limits = {
        resource.RLIMIT_AS: _ROOM_BESIDE + _COPIES * most_memory,
        resource.RLIMIT_NOFILE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NPROC: 0,
        resource.RLIMIT_CORE: 0,
    }
    for kind, most in limits.items():
        resource.setrlimit(kind, (most, most))


def _answer(quickjs: Any, request: bytes) -> bytes:
    head, _, body = request.partition(b"\n")
    limits = json.loads(head)
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = math.ceil(used.ru_utime + used.ru_stime + limits["time"]) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, resource.getrlimit(resource.RLIMIT_CPU)[1]))
    try:
        return _ran(quickjs, limits, body.decode("ascii"))
    except MemoryError:
        return _failure("memory", {})


def _ran(quickjs: Any, limits: dict[str, Any], request: str) -> bytes:
    context = quickjs.Context()
    context.set_max_stack_size(_STACK)
    host = context.eval(PRELUDE)
    context.set_memory_limit(limits["memory"])
    context.set_time_limit(limits["time"])
    try:
        host("start", request, _BEFORE, limits["big"])
        state = _settled(context, host, time.monotonic() + limits["time"])
        if state == "value":
            return _value(host("found"), host("logs"), limits["max_bytes"])
        found = json.loads(host("found")) or {}
    except (quickjs.JSException, UnicodeError, ValueError, TypeError) as error:
        # no more memory, no more time, or a script that has broken what its answer is made with
        state = "failed"
        found = {"message": str(error) if isinstance(error, quickjs.JSException) else repr(error)}
    return _failure(state, found, _logs(quickjs, host))


def _settled(context: Any, host: Any, deadline: float) -> str:
    while (state := host("state")) == "pending":
        if time.monotonic() > deadline:
            return "timeout"
        if not context.execute_pending_job():
            return "stuck"
    return str(state)


def _logs(quickjs: Any, host: Any) -> Any:
    try:
        return json.loads(host("logs"))
    except (quickjs.JSException, UnicodeError, ValueError, TypeError):
        return []


def _value(value: str, logs: str, most: int) -> bytes:
    data = value.encode()
    if len(data) > most:
        return _failure("large", {"message": f"{len(data):,}"}, json.loads(logs))
    return b'{"outcome": "value", "value": %b, "logs": %b}' % (data, logs.encode())


def _failure(outcome: str, found: Any, logs: Any = ()) -> bytes:
    message = str(found.get("message", ""))[:_LONGEST_MESSAGE].strip()
    if message.startswith("InternalError: interrupted"):
        outcome = "timeout"
    elif message.startswith("InternalError: out of memory") or message == "null":
        outcome = "memory"  # where not even an error can be made, null is thrown
    line = _line(f"{message}\n{found.get('stack', '')}")
    return json.dumps({"outcome": outcome, "message": message, "line": line, "logs": logs}).encode()


def _line(stack: str) -> int | None:
    """The innermost line of the script's own."""
    before = PRELUDE.count("\n")
    lines = (int(number) - before for number in _LINE.findall(stack))
    return next((line for line in lines if line > 0), None)


if __name__ == "__main__":
    main()
