"""The attempts at an activity, and the pauses between them, as Temporal makes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flowspec.catalogue import NodeType
from flowspec.machine import Call, ForeignCall, make_error
from flowspec.plan import RetryPlan
from flowspec.values import JsonObject
from simulator.answers import Answer, Failure

__all__ = ["Attempt", "Course", "NeverEnds", "course_of"]

_ATTEMPT_TIMEOUT = 60.0
_LONGEST_ASKED_FOR = 24 * 3600.0
_MOST_ATTEMPTS = 10_000
_TOO_SLOW = "an attempt took longer than its attempt_timeout"
_TOO_LATE = "not done within its timeout"


class NeverEnds(Exception):
    """What is played would go on for ever; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """`error` None if it succeeded; moments as the world counts them."""

    number: int
    started: float
    ended: float
    error: JsonObject | None = None


@dataclass(frozen=True, kw_only=True)
class Course:
    """How an activity goes: its attempts, and the answer or error it ends with."""

    attempts: tuple[Attempt, ...]
    ended: float
    answer: Answer | None = None
    error: JsonObject | None = None


def course_of(
    call: Call | ForeignCall,
    node_type: NodeType | None,
    answer: Callable[[int], Answer],
    start: float,
) -> Course:
    """`answer` tells how each attempt would end. Raises `NeverEnds`."""
    return _Attempts(call, node_type, answer, start).course()


class _Attempts:
    def __init__(
        self,
        call: Call | ForeignCall,
        node_type: NodeType | None,
        answer: Callable[[int], Answer],
        start: float,
    ) -> None:
        self._call = call
        self._answer = answer
        self._foreign = isinstance(call, ForeignCall)
        self._errors = {each.name: each.permanent for each in node_type.errors} if node_type else {}
        self._start = start
        self._deadline = None if call.timeout is None else start + call.timeout
        self._made: list[Attempt] = []

    def course(self) -> Course:
        number, moment = 1, self._start
        while True:
            answer = self._answer(number)
            ended, error = self._end(answer, number, moment)
            self._made.append(Attempt(number=number, started=moment, ended=ended, error=error))
            if error is None:
                return Course(attempts=tuple(self._made), ended=ended, answer=answer)
            pause = self._pause(answer.failure, error, number)
            late = self._deadline is not None and ended + (pause or 0) >= self._deadline
            if pause is None or late:
                return Course(attempts=tuple(self._made), ended=ended, error=self._told(error))
            if number == _MOST_ATTEMPTS:
                raise NeverEnds(f"{self._call.node} is tried again and again: {number} attempts")
            number, moment = number + 1, ended + pause

    def _end(self, answer: Answer, number: int, start: float) -> tuple[float, JsonObject | None]:
        done, limit, deadline = start + answer.delay, self._limit(start), self._deadline
        if deadline is not None and deadline < done and (limit is None or deadline <= limit):
            return deadline, self._timeout(_TOO_LATE, 1)
        if limit is not None and limit < done:
            return limit, self._timeout(_TOO_SLOW, number)
        failure = answer.failure
        if failure is None:
            return done, None
        error = make_error(
            failure.type,
            failure.message,
            node=self._call.node,
            attempt=number,
            details=failure.details,
        )
        return done, error

    def _limit(self, start: float) -> float | None:
        """When the attempt is over; without a time of its own it may take as long as the whole."""
        if self._call.attempt_timeout is not None:
            return start + self._call.attempt_timeout
        return None if self._call.timeout is not None else start + _ATTEMPT_TIMEOUT

    def _timeout(self, message: str, number: int) -> JsonObject:
        """Of how many attempts a run knows: of all, if there were all that were allowed; of local
        ones it is not told even that if the whole had a time too."""
        local = not isinstance(self._call, ForeignCall) and self._call.local
        told = number == self._call.retry.attempts and not (local and self._deadline is not None)
        attempt = number if told else 1
        return make_error("Timeout", message, node=self._call.node, attempt=attempt)

    def _told(self, error: JsonObject) -> JsonObject:
        """An activity that is none of ours does not say which attempt it was."""
        if not self._foreign or error["type"] == "Timeout":
            return error
        spent = len(self._made) == self._call.retry.attempts
        return {**error, "attempt": len(self._made) if spent else 1}

    # -- whether there is another, and when ----------------------------------------------------

    def _pause(self, failure: Failure | None, error: JsonObject, number: int) -> float | None:
        """None if this attempt was the last."""
        retry = self._call.retry
        if retry.attempts is not None and number >= retry.attempts:
            return None
        if error["message"] == _TOO_LATE and error["type"] == "Timeout":
            return None
        if failure is None or error["type"] == "Timeout":
            final = retry.excludes("Timeout")
        else:
            final = self._is_final(failure, retry)
        return None if final else self._interval(failure, number)

    def _is_final(self, failure: Failure, retry: RetryPlan) -> bool:
        permanent = failure.permanent
        if self._foreign:  # its worker knows nothing of `only`
            return failure.type in retry.never or permanent is True
        if failure.type in retry.never or retry.only:
            return retry.excludes(failure.type)
        return self._errors.get(failure.type, False) if permanent is None else permanent

    def _interval(self, failure: Failure | None, number: int) -> float:
        retry = self._call.retry
        grown = retry.interval * retry.factor ** min(number - 1, 64)
        usual = min(grown, max(retry.max_interval, retry.interval))
        asked = failure.retry_after if failure is not None else None
        return usual if asked is None else max(usual, min(asked, _LONGEST_ASKED_FOR))
