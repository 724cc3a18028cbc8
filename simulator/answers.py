"""What nodes are made to answer: by attempt, by call, and by the place they stand in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from flowspec.durations import parse_duration
from flowspec.expressions import compile_template
from flowspec.values import Json, JsonObject

__all__ = ["Answer", "Failure", "Mock", "Mocks", "read_mock", "read_mocks"]


@dataclass(frozen=True, kw_only=True)
class Failure:
    """What an attempt fails with. `permanent` None leaves it to the node type's declaration.

    `retry_after` is what the other side asks for, in seconds.
    """

    type: str
    message: str = "mocked"
    details: Json = None
    permanent: bool | None = None
    retry_after: float | None = None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """How one attempt ends, `delay` seconds after it began; `assumed` if nobody said so."""

    output: Json = None
    action: str | None = None
    failure: Failure | None = None
    delay: float = 0.0
    by: str | None = None
    comment: str | None = None
    assumed: bool = False

    def filled(self, scope: Mapping[str, Json]) -> Answer:
        """With the templates in its output worked out; raises `ExpressionError`."""
        return replace(self, output=cast(Json, compile_template(self.output).evaluate(scope)))


@dataclass(frozen=True, kw_only=True)
class Mock:
    """Answers by call, and each by attempt; the last of either holds on."""

    calls: tuple[tuple[Answer, ...], ...]

    def answer(self, call: int, attempt: int) -> Answer:
        """Both are counted from 1."""
        attempts = self.calls[min(call, len(self.calls)) - 1]
        return attempts[min(attempt, len(attempts)) - 1]

    def turn(self, call: int) -> Answer:
        """Of something that is not attempted, but asked one time after the other."""
        answers = [answer for attempts in self.calls for answer in attempts]
        return answers[min(call, len(answers)) - 1]


@dataclass(frozen=True, kw_only=True)
class Mocks:
    """By path (`poll#2`, `each.3/inner`) or by a node's id; a path comes first."""

    by_name: Mapping[str, Mock] = field(default_factory=dict)

    def find(self, path: str, node: str) -> tuple[str, Mock] | None:
        """The name it stands under, and the mock."""
        for name in (path, node):
            if name in self.by_name:
                return name, self.by_name[name]
        return None

    def over(self, others: Mocks) -> Mocks:
        return Mocks(by_name={**others.by_name, **self.by_name})


def read_mocks(written: JsonObject) -> Mocks:
    """From what has been checked to be in the format."""
    return Mocks(by_name={name: read_mock(mock) for name, mock in written.items()})


def read_mock(written: Json) -> Mock:
    if isinstance(written, dict) and "calls" in written:
        calls = cast("Sequence[Json]", written["calls"])
        return Mock(calls=tuple(tuple(_attempts(each)) for each in calls))
    return Mock(calls=(tuple(_attempts(written)),))


def _attempts(written: Json) -> Iterator[Answer]:
    for each in written if isinstance(written, list) else [written]:
        yield _answer(cast(JsonObject, each))


def _answer(written: JsonObject) -> Answer:
    error = written.get("error")
    return Answer(
        output=written.get("output", written.get("data")),
        action=cast("str | None", written.get("action")),
        failure=None if error is None else _failure(error),
        delay=parse_duration(written.get("delay", "0s")),
        by=cast("str | None", written.get("by")),
        comment=cast("str | None", written.get("comment")),
    )


def _failure(written: Json) -> Failure:
    if not isinstance(written, dict):
        return Failure(type=str(written))
    after = written.get("retry_after")
    return Failure(
        type=cast(str, written["type"]),
        message=cast(str, written.get("message", "mocked")),
        details=written.get("details"),
        permanent=cast("bool | None", written.get("permanent")),
        retry_after=None if after is None else parse_duration(after),
    )
