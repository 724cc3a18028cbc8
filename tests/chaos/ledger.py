"""The world outside: takes every effect of every run, writes it down, and can be made to wait.

An effect is a POST to `/effect` or `/hook`. It is written down before it is answered, so one whose
answer is held back has happened: whoever dies meanwhile will have to repeat it.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qs

from examples.service import Answer, HttpService, Received

__all__ = ["HOOK", "Effect", "Hold", "Ledger", "digest", "rows"]

HOOK = "hook"
"""The step that stands for what a run tells of its end."""

_LONGEST_HOLD = 20.0
_ROWS = 600


@dataclass(frozen=True, kw_only=True)
class Effect:
    """One request: of which run and step, under which key, with which number."""

    run: str
    step: str
    key: str
    n: Any


@dataclass(frozen=True)
class Hold:
    """An effect that is waited for, and whose answer waits."""

    arrived: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)


class Ledger:
    """Runs inside a `with`; `effects` are in the order in which they came."""

    def __init__(self) -> None:
        self.effects: list[Effect] = []
        self._seen: Counter[tuple[str, str]] = Counter()
        self._holds: dict[tuple[str, str], Hold] = {}
        self._lock = threading.Lock()
        self._service = HttpService()
        self._service.on("POST", "/effect", self._effect)
        self._service.on("POST", "/hook", self._hook)
        self._service.on("GET", "/rows", lambda asked: Answer(body=rows(_n(asked))))
        self._service.on("GET", "/square", lambda asked: Answer(body={"square": _n(asked) ** 2}))

    @property
    def url(self) -> str:
        return self._service.url

    def forget(self) -> None:
        """Begin anew, for the runs of the next round."""
        with self._lock:
            self.effects.clear()
            self._seen.clear()

    @contextmanager
    def hold(self, run: str, step: str) -> Iterator[Hold]:
        """The next effect of this step is not answered before the hold is released, or for long."""
        hold = self._holds[run, step] = Hold()
        try:
            yield hold
        finally:
            self._holds.pop((run, step), None)
            hold.released.set()

    def _effect(self, request: Received) -> Answer:
        told = request.json()
        run, step = told["run"], told["step"]
        times = self._written(Effect(run=run, step=step, key=_key(request), n=told["n"]))
        self._wait(run, step)
        if told.get("refuse"):
            return Answer(status=422)
        if times <= told.get("fail", 0):
            return Answer(status=503)
        answer = {"n": told["n"], "stamp": f"{run}/{step}", "digest": digest(told.get("rows"))}
        return Answer(body=answer)

    def _hook(self, request: Received) -> Answer:
        told = request.json()
        run = told["run"]["id"]
        self._written(Effect(run=run, step=HOOK, key=_key(request), n=told["type"]))
        self._wait(run, HOOK)
        return Answer()

    def _written(self, effect: Effect) -> int:
        with self._lock:
            self._service.requests.clear()  # they are written down here
            self.effects.append(effect)
            self._seen[effect.run, effect.step] += 1
            return self._seen[effect.run, effect.step]

    def _wait(self, run: str, step: str) -> None:
        if hold := self._holds.pop((run, step), None):
            hold.arrived.set()
            hold.released.wait(_LONGEST_HOLD)

    def __enter__(self) -> Ledger:
        self._service.__enter__()
        return self

    def __exit__(self, *_: object) -> Literal[False]:
        return self._service.__exit__()


def _key(request: Received) -> str:
    headers = {name.lower(): value for name, value in request.headers.items()}
    return headers.get("idempotency-key") or headers.get("webhook-id") or ""


def _n(request: Received) -> int:
    return int(parse_qs(request.query)["n"][0])


def rows(n: int) -> list[dict[str, Any]]:
    """A large value, which nobody else has."""
    return [{"i": i, "v": f"{n}-{i}-{'x' * 40}"} for i in range(_ROWS)]


def digest(value: Any) -> str:
    """What was sent, in short."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
