"""Activities are given what their claims stand for, before they begin."""

from __future__ import annotations

import dataclasses
import inspect
import types
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

from temporalio import activity
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError
from temporalio.worker import (
    ActivityInboundInterceptor,
    ActivityOutboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
)

from claimcheck.claim import Claim
from claimcheck.cloakroom import Cloakroom
from claimcheck.errors import ClaimCheckError
from claimcheck.payloads import payload_of, reference_payload, write_json
from claimcheck.values import Loading, all_or_none, open_whole

__all__ = ["ClaimInterceptor", "takes_claims"]

F = TypeVar("F", bound=Callable[..., Any])

_MARK = "__takes_claims__"


def takes_claims(function: F) -> F:
    """Mark an activity that wants the claims in its arguments as they are."""
    setattr(function, _MARK, True)
    return function


class ClaimInterceptor(Interceptor):
    """For workers. A parameter whose type has `Claim` in it gets the claims themselves."""

    def __init__(self, cloakroom: Cloakroom) -> None:
        self._cloakroom = cloakroom

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Resolving(next, self._cloakroom)


class _Resolving(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, cloakroom: Cloakroom) -> None:
        super().__init__(next)
        self._cloakroom = cloakroom

    def init(self, outbound: ActivityOutboundInterceptor) -> None:
        self._telling = _Telling(outbound)
        super().init(self._telling)

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        if not getattr(input.fn, _MARK, False):
            try:
                await self._resolve(input)
            except ClaimCheckError as error:
                raise ApplicationError(
                    str(error), type=type(error).__name__, non_retryable=not error.passing
                ) from error
        return await super().execute_activity(input)

    async def _resolve(self, input: ExecuteActivityInput) -> None:
        arguments = _Arguments(self._cloakroom)
        parameters = zip(input.args, _parameters(input.fn, len(input.args)), strict=True)
        input.args = await all_or_none(arguments.given(*each) for each in parameters)
        beaten = activity.info().heartbeat_details
        self._telling.details = await all_or_none(
            arguments.given(detail, _UNKNOWN) for detail in beaten
        )


class _Telling(ActivityOutboundInterceptor):
    """Tells an activity what its last attempt has told, instead of claims for it."""

    details: Sequence[Any] | None = None

    def info(self) -> activity.Info:
        info = super().info()
        if self.details is None:
            return info
        return dataclasses.replace(info, heartbeat_details=self.details)


class _Parameter(NamedTuple):
    """`hint` is its type as far as it is known, `read_as` what the SDK reads values as: nothing,
    if there are more parameters than arguments."""

    hint: Any
    read_as: Any


_UNKNOWN = _Parameter(None, None)


class _Arguments:
    """Those of one call, for which nothing is read twice."""

    def __init__(self, cloakroom: Cloakroom) -> None:
        self._cloakroom = cloakroom
        self._loading = Loading(cloakroom)

    async def given(self, value: Any, parameter: _Parameter) -> Any:
        """What the activity is given for the value."""
        if isinstance(value, Claim):
            return await self._whole(value, parameter)
        if isinstance(value, RawValue):
            return RawValue(await self._loading.payload(value.payload))
        if isinstance(value, list) and value and all(isinstance(each, RawValue) for each in value):
            # A dynamic activity has one list of all its arguments.
            return [RawValue(await self._loading.payload(each.payload)) for each in value]
        if _has_claims(parameter.hint):
            return value
        filled = await self._loading.filled(value)
        if filled is value or parameter.read_as is None:
            return filled
        payload = payload_of(write_json(filled)[0], {"encoding": "json/plain"})
        return _read(payload, parameter.read_as)

    async def _whole(self, claim: Claim, parameter: _Parameter) -> Any:
        """Its payload is read just as if it had come itself."""
        if any(_is_claim(each) for each in _alternatives(parameter.hint)):
            return claim
        if _has_claims(parameter.hint):
            return await open_whole(self._cloakroom, claim, type(claim))
        payload = await self._loading.payload(reference_payload(claim))
        return _read(payload, parameter.read_as)


def _read(payload: Any, read_as: Any) -> Any:
    try:
        return activity.payload_converter().from_payload(payload, read_as)
    except Exception as error:
        raise ApplicationError("Failed decoding arguments") from error  # the words of the SDK


def _parameters(function: Callable[..., Any], count: int) -> list[_Parameter]:
    """What is known of the parameters for so many arguments."""
    called = function if inspect.isroutine(function) else function.__call__  # type: ignore[operator]
    try:
        hints = get_type_hints(called)
    except (NameError, TypeError):
        hints = {}
    named = [each for each in inspect.signature(called).parameters.values() if each.kind in _PLACED]
    known = [hints.get(each.name) for each in named]
    return [
        _Parameter(hint, hint if len(known) == count else None)
        for hint in known[:count] + [None] * (count - len(known))
    ]


_PLACED = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def _is_claim(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, Claim)


def _alternatives(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _has_claims(hint: Any) -> bool:
    return _is_claim(hint) or any(_has_claims(inner) for inner in get_args(hint))
