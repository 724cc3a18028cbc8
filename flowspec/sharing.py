"""What runs share with each other: locks and rates, as books that are kept of them.

Both are values, to be written down as JSON and read back. Whoever keeps such a book tells it the
time; it is the same wherever it is kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import TypedDict, cast
from urllib.parse import quote

from flowspec.values import Json, JsonObject

__all__ = [
    "GRACE",
    "Claimant",
    "LockBook",
    "RateBook",
    "Reservation",
    "lock_id",
    "rate_id",
    "read_claimant",
    "read_reservation",
    "wrong_name",
]

GRACE = 15.0
"""How long after its time somebody may still hold a lock, in seconds: who gives it back in good
order has stopped what it was doing first, and that may take a moment."""

_LONGEST_NAME = 200
_MOST = 2**53
_MOST_AT_ONCE = 100_000
_LONGEST = 100 * 365 * 86_400.0


def wrong_name(name: Json) -> str | None:
    """What is wrong with the name of a lock or a rate; None if it can be one."""
    if not isinstance(name, str):
        return f"a name is text, found {type(name).__name__}"
    if not name.strip():
        return "a name has to say something"
    size = len(name.encode("utf-8", "replace"))
    if size > _LONGEST_NAME:
        return f"a name has at most {_LONGEST_NAME} bytes, found {size}"
    return None


def lock_id(name: str) -> str:
    """The workflow that keeps the book of a lock."""
    return f"flowrunner-lock/{quote(name, safe='')}"


def rate_id(name: str) -> str:
    return f"flowrunner-rate/{quote(name, safe='')}"


@dataclass(kw_only=True)
class Claimant:
    """Who asks for a lock, or holds it.

    `token` is the node of a run that asked, the same however often it does; `workflow_id` and
    `run_id` are the execution that is told, and has been if it is `told`. `until` is when it has
    to give the lock back.
    """

    token: str
    workflow_id: str
    run_id: str
    slots: int = 1
    expires: float | None = None
    until: float | None = None
    told: bool = False


def read_claimant(asked: Json) -> Claimant | None:
    """Who asks; None for what makes no sense, for anybody who reaches the lock can send it."""
    told = asked if isinstance(asked, dict) else {}
    texts = [told.get(name) for name in ("token", "workflow_id", "run_id")]
    slots, expires = told.get("slots", 1), told.get("expires")
    if not all(isinstance(text, str) and text for text in texts):
        return None
    if not _is_count(slots) or not (expires is None or _is_span(expires)):
        return None
    token, workflow_id, run_id = cast("list[str]", texts)
    return Claimant(
        token=token,
        workflow_id=workflow_id,
        run_id=run_id,
        slots=cast(int, slots),
        expires=cast("float | None", expires),
    )


def _is_count(value: Json) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _MOST


def _is_span(value: Json) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and 0 < cast(float, value) <= _LONGEST


@dataclass(kw_only=True)
class LockBook:
    """Who holds a lock and who waits for it, first come, first served.

    The first in the line is let in once fewer hold it than the `slots` it asked for itself.
    """

    holders: dict[str, Claimant] = field(default_factory=dict)
    line: dict[str, Claimant] = field(default_factory=dict)

    def ask(self, claimant: Claimant) -> Claimant | None:
        """Put somebody into the line, once. Whoever holds it already is given back, to be told
        again."""
        held = self.holders.get(claimant.token)
        if held is None:
            self.line.setdefault(claimant.token, claimant)
        return held

    def leave(self, token: str) -> None:
        """Give back, or give up waiting; harmless for a stranger."""
        self.holders.pop(token, None)
        self.line.pop(token, None)

    def let_in(self, now: float) -> list[Claimant]:
        """Those who hold it from now on."""
        entered: list[Claimant] = []
        while self.line:
            token, first = next(iter(self.line.items()))
            if len(self.holders) >= first.slots:
                break
            del self.line[token]
            first.until = None if first.expires is None else now + first.expires
            self.holders[token] = first
            entered.append(first)
        return entered

    def expel(self, now: float) -> list[str]:
        """Take it from those whose time is long over."""
        late = [token for token, each in self.holders.items() if _is_late(each, now)]
        for token in late:
            del self.holders[token]
        return late

    @property
    def next_expiry(self) -> float | None:
        ends = [each.until + GRACE for each in self.holders.values() if each.until is not None]
        return min(ends, default=None)

    @property
    def is_idle(self) -> bool:
        return not self.holders and not self.line

    def dump(self) -> JsonObject:
        return {
            "holders": [cast(JsonObject, asdict(each)) for each in self.holders.values()],
            "line": [cast(JsonObject, asdict(each)) for each in self.line.values()],
        }

    @classmethod
    def load(cls, data: JsonObject) -> LockBook:
        return cls(holders=_claimants(data["holders"]), line=_claimants(data["line"]))


def _is_late(claimant: Claimant, now: float) -> bool:
    return claimant.until is not None and now >= claimant.until + GRACE


def _claimants(told: Json) -> dict[str, Claimant]:
    each = (Claimant(**one) for one in cast("Iterable[dict[str, str]]", told))  # type: ignore[arg-type]
    return {claimant.token: claimant for claimant in each}


class Reservation(TypedDict):
    """So many starts, of which at most `limit` are within any `per` seconds."""

    count: int
    limit: int
    per: float


def read_reservation(wanted: Json) -> Reservation | str:
    """What is wanted, or why it makes no sense."""
    told = wanted if isinstance(wanted, dict) else {}
    count, limit, per = (told.get(name) for name in ("count", "limit", "per"))
    if not _is_count(count) or cast(int, count) > _MOST_AT_ONCE or not _is_count(limit):
        return f"count and limit are whole numbers; of starts at most {_MOST_AT_ONCE:,} at once"
    if not _is_span(per):
        return "per is a number of seconds"
    return {"count": cast(int, count), "limit": cast(int, limit), "per": float(cast(float, per))}


@dataclass(kw_only=True)
class RateBook:
    """When the last starts were, or will be, in order; `window` is the longest anybody counts."""

    starts: list[float] = field(default_factory=list)
    window: float = 0.0

    def reserve(self, now: float, *, count: int, limit: int, per: float) -> list[float]:
        """The next moments at which so many may start: never before anybody who came earlier,
        and never more than `limit` of them within any `per` seconds."""
        self.window = max(self.window, per)
        self._forget(now)
        given = []
        for _ in range(count):
            moment = max(now, self.starts[-1]) if self.starts else now
            if len(self.starts) >= limit:
                moment = max(moment, self.starts[-limit] + per)
            self.starts.append(moment)
            given.append(moment)
        return given

    def _forget(self, now: float) -> None:
        self.starts = [start for start in self.starts if start + self.window > now]

    @property
    def ends(self) -> float:
        """From when on nothing in it matters any more."""
        return self.starts[-1] + self.window if self.starts else 0.0

    def dump(self) -> JsonObject:
        return {"starts": [*self.starts], "window": self.window}

    @classmethod
    def load(cls, data: JsonObject) -> RateBook:
        return cls(
            starts=cast("list[float]", [*cast("list[Json]", data["starts"])]),
            window=cast(float, data["window"]),
        )
